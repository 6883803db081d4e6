/*
 * Errors are negative errno values; >= 0 is success or a count.
 *
 * ERR(EIO) yields -EIO and records the raising line, so that an error can be
 * traced to its origin. EUCLEAN means corruption, EBADMSG a bad checksum.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <errno.h>

/* The value is spelled out so that the compiler knows it is not 0. */
#define ERR(e) (err_raise(-(e), __FILE__, __LINE__), -(e))

/* Called for each raised error when set; for debugging and tests. Process-wide, set once at start.
 */
typedef void err_hook_fn(int err, const char *file, int line);
void err_set_hook(err_hook_fn *hook);

void err_raise(int err, const char *file, int line);

#endif
