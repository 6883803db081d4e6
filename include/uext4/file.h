/* Open files: reading, writing, syncing, mappings. Part of uext4.h. */
#ifndef UEXT4_FILE_H
#define UEXT4_FILE_H

#include <sys/uio.h>
#include <uext4/inode.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open regular file; holds a reference to its inode. */
struct uext4_file;

/*
 * flags: O_RDONLY, O_WRONLY, O_RDWR, O_APPEND, O_TRUNC, O_SYNC, O_DSYNC, O_NOATIME of
 * open(2); others are ignored. Checks permissions by cred, which later writes also use
 * for reserved blocks and for stripping suid.
 */
UEXT4_API int uext4_file_open(struct uext4_inode *inode, const struct uext4_cred *cred, int flags,
	struct uext4_file **out);
/* Returns nothing new about written data: use uext4_fsync before. */
UEXT4_API void uext4_file_close(struct uext4_file *file);		 /* NULL is fine */
UEXT4_API struct uext4_inode *uext4_file_inode(struct uext4_file *file); /* borrowed */

/* Like preadv(2), pwritev(2): count, short only at end of file or on ENOSPC after a part. */
UEXT4_API ssize_t uext4_preadv(
	struct uext4_file *file, const struct iovec *iov, int count, uint64_t offset);
/* With O_APPEND the offset is ignored. */
UEXT4_API ssize_t uext4_pwritev(
	struct uext4_file *file, const struct iovec *iov, int count, uint64_t offset);
UEXT4_API ssize_t uext4_pread(struct uext4_file *file, void *buf, size_t len, uint64_t offset);
UEXT4_API ssize_t uext4_pwrite(
	struct uext4_file *file, const void *buf, size_t len, uint64_t offset);
UEXT4_API int uext4_ftruncate(struct uext4_file *file, uint64_t size);
/* Reports each writeback error once per open file, as Linux does. */
UEXT4_API int uext4_fsync(struct uext4_file *file);
UEXT4_API int uext4_fdatasync(struct uext4_file *file);
/* SEEK_DATA or SEEK_HOLE of lseek(2); the new offset, or -ENXIO. */
UEXT4_API int64_t uext4_seek(struct uext4_file *file, uint64_t offset, int whence);

enum uext4_extent_state { UEXT4_EXTENT_WRITTEN, UEXT4_EXTENT_UNWRITTEN, UEXT4_EXTENT_DELAYED };
struct uext4_extent {
	uint64_t offset, length; /* bytes in the file */
	uint64_t physical;	 /* bytes on the device (from the file system's start) */
	enum uext4_extent_state state;
};
/* Up to count extents from offset on, holes left out; returns how many. Works on directories too.
 */
UEXT4_API int uext4_extents(
	struct uext4_inode *inode, uint64_t offset, struct uext4_extent *out, size_t count);

#ifdef __cplusplus
}
#endif
#endif
