/*
 * The mounted file system: mount and unmount, options, sync, shutdown, statfs,
 * and the operations on file data.
 *
 * Mount order (RC-1): super -> features -> journal -> replay -> everything read
 * anew -> space -> inodes -> orphans -> live. A failure undoes exactly what was
 * done, in reverse.
 */
#ifndef FS_FS_H
#define FS_FS_H

#include "dev/devices.h"
#include "dir/dir.h"
#include "inode/inode.h"
#include "inode/orphan.h"
#include "inode/xattr.h"
#include "journal/volume.h"
#include "os/atomic.h"
#include "os/thread.h"

enum fs_errors { FS_ERRORS_DEFAULT, FS_ERRORS_CONTINUE, FS_ERRORS_RO, FS_ERRORS_STOP };
enum fs_atime { FS_RELATIME, FS_NOATIME, FS_STRICTATIME };

struct fs_options {
	bool read_only, no_recovery, no_barrier, data_err_abort, no_acl, no_user_xattr, grpid,
		nodiratime, discard, nodelalloc, noinit_itable;
	enum fs_errors errors;
	enum fs_atime atime;
	u64 superblock; /* backup superblock block number; 0 = primary */
	u32 commit_interval_ms;
	u64 cache_bytes;
	struct dev *journal_dev; /* owned by the mount from here on; NULL = none given */
	struct log_sink log;
};

struct fs {
	struct volume volume; /* first: volume_fs() converts back */
	struct inode *root;   /* atomic: one reference, kept from the first walk on */
	struct fs_options options;
	struct dev *lower; /* the caller's device, when volume.dev is an overlay on it */
	bool overlay;	   /* read-only mount of a dirty image: replayed into memory */
	bool replayed;
	bool dev_read_only;
	bool had_errors;	    /* errors were found, before or during this mount (OR-5) */
	bool was_valid;		    /* no-journal mode: state at mount, restored at unmount */
	bool live;		    /* read-write: journal running. lock: mount_lock */
	struct os_rwsem mount_lock; /* rank MOUNT: remount, unmount, shutdown */
	struct os_mutex error_lock; /* rank LEAF: pending error record below */
	struct error_record *pending_error; /* lock: error_lock */
	struct os_workqueue *works;	    /* error recording, flusher helpers */
	struct os_work error_work;
	u32 sync_cursor;       /* atomic: writeback errors that a sync has told */
	struct mmp *mmp;       /* NULL without the feature */
	struct itable *itable; /* lock: mount_lock; NULL: no inode table is being zeroed */
};

/* dev is owned from success on, and stays the caller's on failure. */
int fs_mount(struct dev *dev, const struct fs_options *opt, struct fs **out);
/* -EBUSY with references left; otherwise always frees, and returns the first error. Closes the
 * device. */
int fs_unmount(struct fs *fs);
int fs_remount(struct fs *fs, bool read_only);
int fs_sync(struct fs *fs);
/* As FITRIM: bytes; *trimmed is what was discarded. EINVAL, EOPNOTSUPP, EROFS. */
int fs_trim(struct fs *fs, u64 start, u64 len, u64 min_len, u64 *trimmed);
enum fs_shutdown { FS_SHUTDOWN_SYNC, FS_SHUTDOWN_LOGFLUSH, FS_SHUTDOWN_NOLOGFLUSH };
int fs_shutdown(struct fs *fs, enum fs_shutdown how);

static inline struct fs *volume_fs(struct volume *v)
{
	return (struct fs *)v;
}

/* File data. These take the inode lock as they need; no lock or handle is held by the caller. */
enum {
	FILE_READ_NOATIME = 1,
	FILE_READ_NOWAIT = 2, /* what is cached, else -EAGAIN (IO-43); times stay */
};
ssize_t file_read(struct inode *i, u64 pos, const struct iovec *iov, unsigned iov_count, u32 flags);
struct file_write_flags {
	bool append;
	bool sync, dsync;
	bool atomic; /* all or nothing at a power loss; direct I/O only */
	const struct cred *cred;
};
/* *pos is where it went (append). */
ssize_t file_write(struct inode *i, u64 *pos, const struct iovec *iov, unsigned iov_count,
	const struct file_write_flags *flags);
/* IO-100..107. The arguments alone; then the operation, with those checks again. */
int file_fallocate_check(int mode, s64 offset, s64 len);
int file_fallocate(
	struct inode *i, const struct file_write_flags *flags, int mode, s64 offset, s64 len);
/* Data, then the commit that covers it, then a device flush if none was issued (IO-87..90). */
int file_sync(struct inode *i, bool data_only);
/* An open file that could write is closed. */
void file_closed(struct inode *i);
s64 file_seek(struct inode *i, u64 pos, int whence);
int file_extents(struct inode *i, u64 pos, struct mapping *out, u32 count);
/* IO-124: flags as FIEMAP_FLAG_* and FIEMAP_EXTENT_*; emit returns whether to go on. */
struct file_extent {
	u64 logical, physical, length; /* bytes */
	u32 flags;
};
typedef bool fiemap_emit_fn(void *arg, const struct file_extent *e);
int file_fiemap(struct inode *i, u64 start, u64 len, u32 flags, fiemap_emit_fn *emit, void *arg);

/* chmod, chown, truncate, utimens (IO-96); valid bits as UEXT4_SET_*. */
struct attr_change {
	u32 valid, mode, uid, gid, flags;
	u64 size;
	bool only_grow; /* a file that is longer stays so */
	struct os_time atime, mtime, ctime;
};
enum {
	ATTR_MODE = 1,
	ATTR_UID = 2,
	ATTR_GID = 4,
	ATTR_SIZE = 8,
	ATTR_ATIME = 16,
	ATTR_MTIME = 32,
	ATTR_ATIME_NOW = 64,
	ATTR_MTIME_NOW = 128,
	ATTR_CTIME = 256,
	ATTR_FLAGS = 512
};
int inode_setattr(struct inode *i, const struct cred *cred, const struct attr_change *change);
ssize_t inode_readlink(struct inode *i, char *buf, size_t size);

struct fs_counts {
	u64 blocks, free_blocks, available_blocks, inodes, free_inodes;
};
void fs_statfs(struct fs *fs, struct fs_counts *out);

extern const struct iofile_ops file_io_ops;

#endif
