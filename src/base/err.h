/*
 * Errors are negative errno values; >= 0 is success or a count.
 *
 * ERR(EIO) yields -EIO and records the raising line, so that an error can be
 * traced to its origin. EUCLEAN means corruption, EBADMSG a bad checksum.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <errno.h>

#define ERR(e) err_raise(-(e), __FILE__, __LINE__)

/* Called for each raised error when set; for debugging and tests. Process-wide, set once at start.
 */
typedef void err_hook_fn(int err, const char *file, int line);
void err_set_hook(err_hook_fn *hook);

int err_raise(int err, const char *file, int line);

#endif
