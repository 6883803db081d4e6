/*
 * uext4: ext4 as a library.
 *
 * Everything here is thread-safe: any number of threads may use one file
 * system, inode or open file at once, except that an object must not be used
 * while or after another thread releases it. Nothing depends on the process's
 * working directory, umask, uid or signals.
 *
 * Errors are negative errno values; >= 0 is success or a count. Beyond the
 * errno values of the POSIX call of the same name: EUCLEAN (the image is
 * corrupt there; run e2fsck), EBADMSG (a checksum does not match; run e2fsck),
 * EROFS (read-only, or stopped after a failed journal write), EIO (device, or
 * after uext4_shutdown). Messages for people go to the log function of the
 * options.
 *
 * Sizes and offsets are bytes unless a name says otherwise.
 */
#ifndef UEXT4_H
#define UEXT4_H

#include <uext4/fs.h>
#include <uext4/inode.h>
#include <uext4/file.h>
#include <uext4/path.h>
#include <uext4/queue.h>
#include <uext4/check.h>

#endif
