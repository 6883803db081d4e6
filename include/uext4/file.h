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
 * flags: O_RDONLY, O_WRONLY, O_RDWR, O_APPEND, O_TRUNC, O_SYNC, O_DSYNC, O_NOATIME, O_DIRECT of
 * open(2); others are ignored. Checks permissions by cred, which later writes also use
 * for reserved blocks and for stripping suid.
 *
 * O_DIRECT: data goes between the caller's memory and the device, not through the page cache.
 * Offset, lengths and memory must be multiples of the device's logical block (512 bytes for an
 * image file), else EINVAL; reading at the end of the file gives 0 before that is looked at. Pages
 * of the range are written back before, and dropped before and after a write, so that both kinds
 * of access may be mixed. Files whose data can't be taken from the device (inline data) are read
 * and written as if without the flag; so is, inside, the part of a write that falls into a hole
 * of a file without extents. A failed write gives an error, no count, though a part of it may be
 * on the device.
 */
UEXT4_API int uext4_file_open(struct uext4_inode *inode, const struct uext4_cred *cred, int flags,
	struct uext4_file **out);
/* Returns nothing new about written data: use uext4_fsync before. */
UEXT4_API void uext4_file_close(struct uext4_file *file);		 /* NULL is fine */
UEXT4_API struct uext4_inode *uext4_file_inode(struct uext4_file *file); /* borrowed */

/*
 * Like preadv(2), pwritev(2): count, short only at end of file or on ENOSPC after a part. Memory
 * that is mapped from a mount which the calling process itself serves must not be passed: copying
 * holds a lock that the page fault would wait for (IO-137).
 */
UEXT4_API ssize_t uext4_preadv(
	struct uext4_file *file, const struct iovec *iov, int count, uint64_t offset);
/* With O_APPEND the offset is ignored. */
UEXT4_API ssize_t uext4_pwritev(
	struct uext4_file *file, const struct iovec *iov, int count, uint64_t offset);

enum uext4_rwf {		 /* as RWF_* of preadv2(2), the same values */
	UEXT4_RWF_HIPRI = 0x1,	 /* no effect */
	UEXT4_RWF_DSYNC = 0x2,	 /* this write as with O_DSYNC */
	UEXT4_RWF_SYNC = 0x4,	 /* this write as with O_SYNC */
	UEXT4_RWF_NOWAIT = 0x8,	 /* EAGAIN rather than wait for a lock, another's I/O, an
				    allocation or the journal. Without O_DIRECT reads only: what is
				    in the cache, perhaps less than there is, or EAGAIN */
	UEXT4_RWF_APPEND = 0x10, /* at the end; offset is ignored */
	UEXT4_RWF_ATOMIC = 0x40, /* O_DIRECT only: after a power loss all old or all new; one
				    aligned file system block, if the device's block is as large */
};
/* EOPNOTSUPP: unknown flags, or a write with NOWAIT or ATOMIC through the page cache. */
UEXT4_API ssize_t uext4_preadv2(struct uext4_file *file, const struct iovec *iov, int count,
	uint64_t offset, unsigned flags);
UEXT4_API ssize_t uext4_pwritev2(struct uext4_file *file, const struct iovec *iov, int count,
	uint64_t offset, unsigned flags);
UEXT4_API ssize_t uext4_pread(struct uext4_file *file, void *buf, size_t len, uint64_t offset);
UEXT4_API ssize_t uext4_pwrite(
	struct uext4_file *file, const void *buf, size_t len, uint64_t offset);
UEXT4_API int uext4_ftruncate(struct uext4_file *file, uint64_t size);
/*
 * Space operations; mode is one of these of <linux/falloc.h>, as fallocate(2) means them:
 *   0                             blocks for the range; grows the file
 *   FALLOC_FL_PUNCH_HOLE          the range reads as zeros and its whole blocks are freed; only
 *                                 with KEEP_SIZE, which changes nothing else
 *   FALLOC_FL_ZERO_RANGE          the range reads as zeros and has blocks; grows the file
 *   FALLOC_FL_COLLAPSE_RANGE      takes whole blocks out: what follows moves down
 *   FALLOC_FL_INSERT_RANGE        makes room for whole blocks, a hole: what follows moves up
 *   FALLOC_FL_UNSHARE_RANGE       does nothing: blocks are never shared
 * With FALLOC_FL_KEEP_SIZE the first and the third don't grow the file: blocks behind its end
 * are kept for it until it is truncated. For lack of space blocks that were got stay.
 * Not atomic against a power cut, but each state in between is a legal file; durable after
 * uext4_fsync, or at once with O_SYNC.
 *
 * EINVAL: offset or len is negative as int64_t, or len 0; collapse and insert: not multiples
 * of the block size, or not inside the file. EFBIG: beyond the largest file. EOPNOTSUPP: no
 * such mode; a file without extents can only be punched. EBADF: not open for writing. EPERM:
 * immutable; append-only allows allocation alone. ENOSPC.
 */
UEXT4_API int uext4_fallocate(struct uext4_file *file, int mode, uint64_t offset, uint64_t len);
/*
 * Copies up to len bytes between files of one file system as copy_file_range(2) does, holes as
 * holes. The count, short at the end of `from` or on an error after a part. EINVAL: the ranges
 * overlap in one file. EBADF: not open for reading, for writing, or `to` has O_APPEND. EXDEV.
 */
UEXT4_API ssize_t uext4_copy_file_range(struct uext4_file *from, uint64_t from_offset,
	struct uext4_file *to, uint64_t to_offset, size_t len);
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

/*
 * The same as ioctl FS_IOC_FIEMAP lists it, in whole blocks of [start, start+length), extents that
 * continue each other as one; flags are FIEMAP_FLAG_* of <linux/fiemap.h>, those of an extent
 * FIEMAP_EXTENT_*. FIEMAP_FLAG_XATTR: instead, where the attributes begin: in the inode, else their
 * block. LAST marks the last one in the range. With count 0 nothing is
 * stored and all are counted. How many, or EINVAL: length 0. EFBIG: start beyond the largest file.
 * EBADR: other flags. EOPNOTSUPP: neither file nor directory.
 */
struct uext4_fiemap_extent {
	uint64_t logical, physical, length; /* bytes; physical 0 while delayed */
	uint32_t flags;
};
UEXT4_API int uext4_fiemap(struct uext4_inode *inode, uint64_t start, uint64_t length,
	uint32_t flags, struct uext4_fiemap_extent *out, size_t count);

#ifdef __cplusplus
}
#endif
#endif
