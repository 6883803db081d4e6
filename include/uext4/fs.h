/* Opening, closing and asking about a file system. Part of uext4.h. */
#ifndef UEXT4_FS_H
#define UEXT4_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define UEXT4_API __attribute__((visibility("default")))
#else
#define UEXT4_API
#endif

struct uext4_fs;

/* "major.minor.patch" of the library in use. */
UEXT4_API const char *uext4_version(void);

enum uext4_log_level { UEXT4_LOG_ERROR, UEXT4_LOG_WARNING, UEXT4_LOG_INFO, UEXT4_LOG_DEBUG };

/* What to do when corruption is found; see errors= in ext4(5). */
enum uext4_errors {
	UEXT4_ERRORS_DEFAULT,
	UEXT4_ERRORS_CONTINUE,
	UEXT4_ERRORS_RO,
	UEXT4_ERRORS_STOP
};

enum uext4_atime { UEXT4_RELATIME, UEXT4_NOATIME, UEXT4_STRICTATIME };

/*
 * Zero-initialise, set `size` to sizeof(struct uext4_options), then what you
 * need; zero always means the default. Later versions append fields: programs
 * built before then keep working; EINVAL tells one that the library is older.
 */
struct uext4_options {
	size_t size;
	bool read_only;
	bool read_only_fallback; /* a device that can't be written is opened read-only, with a
				    warning */
	bool no_recovery;    /* "noload": read-only without replay; content may be inconsistent */
	bool no_barrier;     /* no device flushes: fast, unsafe on power loss */
	bool data_err_abort; /* stop when ordered file data can't be written */
	bool no_acl, no_user_xattr;
	bool grpid;	   /* new files take the directory's group */
	bool no_direct_io; /* reach the image through the host's page cache */
	bool no_io_uring;
	bool nodiratime;
	enum uext4_atime atime;
	enum uext4_errors errors;
	uint64_t offset;     /* bytes: where the file system starts in the image (a partition) */
	uint64_t length;     /* bytes; 0 = to the end */
	uint64_t superblock; /* block number of a backup superblock, in its own block size; 0 =
				primary; read-only */
	uint32_t commit_interval_ms; /* 0 = 5000 */
	uint64_t cache_bytes;	     /* bound of all caches together, about; 0 = 256 MiB */
	const char *journal_path;    /* device or file of an external journal */
	void (*log)(void *arg, enum uext4_log_level level, const char *message); /* NULL: dropped */
	void *log_arg;
	/*
	 * Tell the device which blocks are free, once that is durable: image files stay sparse.
	 * Without a journal only uext4_trim does.
	 */
	bool discard;
	bool nodelalloc; /* file blocks get their place when they are written to, not at writeback
			  */
	bool noinit_itable; /* leave inode tables alone that mke2fs has not zeroed yet */
};

/*
 * A caller's own block device. Calls may come from several threads at once.
 * read and write transfer everything or return a negative errno. flush makes
 * all writes completed before it durable; NULL: every write is so at once.
 * discard may be NULL. All offsets and lengths are multiples of block_size.
 */
struct uext4_device_ops {
	size_t size; /* sizeof(struct uext4_device_ops) */
	int (*read)(void *arg, uint64_t offset, void *buf, size_t len);
	int (*write)(void *arg, uint64_t offset, const void *buf, size_t len);
	int (*flush)(void *arg);
	int (*discard)(void *arg, uint64_t offset, uint64_t len);
	uint64_t device_bytes;
	uint32_t block_size; /* 512 .. 4096 */
	bool read_only;
};

/*
 * Opens the image or block device at path: takes an exclusive lock (shared for
 * read_only), replays the journal, finishes interrupted deletions. A read-only
 * open of an image that needs replay replays into memory; the image stays as
 * it is. EBUSY: someone else has it (the log says who). ENOTSUP: a feature is
 * not supported (the log names it; read-only may work). opt may be NULL.
 */
UEXT4_API int uext4_open(const char *path, const struct uext4_options *opt, struct uext4_fs **out);
/* The same on a caller's device; ops and arg must live until uext4_close returns. */
UEXT4_API int uext4_open_device(const struct uext4_device_ops *ops, void *arg,
	const struct uext4_options *opt, struct uext4_fs **out);
/*
 * Writes everything, marks the file system clean and frees it, whatever is
 * returned; the error of a write that lost data is told if no uext4_sync has.
 * EBUSY: inodes or files are still held; nothing was done then.
 */
UEXT4_API int uext4_close(struct uext4_fs *fs);

UEXT4_API bool uext4_is_read_only(const struct uext4_fs *fs);
/* Read-only to read-write and back (EROFS after errors). */
UEXT4_API int uext4_remount(struct uext4_fs *fs, bool read_only);
/* syncfs(2): all data and metadata durable on return. */
UEXT4_API int uext4_sync(struct uext4_fs *fs);

/*
 * Discards what is free in [offset, offset+len) of the file system, in runs of at least min_len
 * bytes; *trimmed is how many bytes that were. As ioctl FITRIM: EINVAL when offset is outside, len
 * below a block or min_len above a group; EOPNOTSUPP: the device can't. Others may go on working.
 */
UEXT4_API int uext4_trim(
	struct uext4_fs *fs, uint64_t offset, uint64_t len, uint64_t min_len, uint64_t *trimmed);

enum uext4_shutdown { UEXT4_SHUTDOWN_SYNC, UEXT4_SHUTDOWN_LOGFLUSH, UEXT4_SHUTDOWN_NOLOGFLUSH };
/* Stops the file system at once; every later call gets EIO. Still needs uext4_close. */
UEXT4_API int uext4_shutdown(struct uext4_fs *fs, enum uext4_shutdown how);

struct uext4_statfs {
	uint64_t blocks, blocks_free, blocks_available; /* in units of block_size, as statvfs(3) */
	uint64_t inodes, inodes_free;
	uint32_t block_size, name_max;
	uint64_t fsid;
};
UEXT4_API int uext4_statfs(struct uext4_fs *fs, struct uext4_statfs *out);

struct uext4_info {
	uint8_t uuid[16];
	char label[17], last_mounted[65];
	uint32_t block_size, inode_size, group_count, blocks_per_group, inodes_per_group, desc_size;
	uint64_t blocks, free_blocks, reserved_blocks, inodes, free_inodes;
	uint32_t feature_compat, feature_incompat, feature_ro_compat;
	uint32_t state, mount_count, error_count, first_inode, journal_inode;
	int64_t created, mounted, written, checked; /* seconds since 1970 */
	uint64_t journal_blocks;		    /* 0 = no journal */
	bool needed_recovery;			    /* the log was replayed by this open */
};
UEXT4_API int uext4_info(struct uext4_fs *fs, struct uext4_info *out);
/*
 * The name of a feature bit: word 0 compat, 1 incompat, 2 ro_compat; bit is its value.
 * NULL when it has none. The text is static.
 */
UEXT4_API const char *uext4_feature_name(int word, uint32_t bit);

struct uext4_stats {
	uint64_t page_hits, page_misses, page_bytes, dirty_bytes;
	uint64_t meta_hits, meta_misses, meta_bytes;
	uint64_t commits, blocks_logged, revokes, checkpointed, handles;
	uint64_t bytes_read, bytes_written; /* between page cache and device */
	/* Calls of this API, those of queues and path walks included. */
	uint64_t lookups, creates, removes, renames, opens, reads, writes, syncs;
	uint64_t name_hits, name_misses, inode_hits, inode_misses;
	uint64_t journal_waits; /* times that an operation waited for room in the journal */
	/* Requests to the device, of a few up to 128 in one system call. */
	uint64_t device_reads, device_writes, device_flushes, device_discards;
	uint64_t device_bytes_read, device_bytes_written;
	uint64_t lock_waits; /* times that a thread slept for a lock, in the whole process */
};
/* What happened since the open. The counters are cheap and not taken at one instant. */
UEXT4_API int uext4_stats(struct uext4_fs *fs, struct uext4_stats *out);

#ifdef __cplusplus
}
#endif
#endif
