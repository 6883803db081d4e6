/*
 * The devices and layers of this room. Each *_open/_create gives one owned
 * reference; closing a layer closes the device below it unless it was opened
 * with borrow = true.
 */
#ifndef DEV_DEVICES_H
#define DEV_DEVICES_H

#include "dev/dev.h"

struct dev_file_options {
	bool read_only;
	bool no_direct;		    /* never O_DIRECT */
	bool no_uring;		    /* pread/pwrite fallback even where io_uring works */
	bool no_lock;		    /* tests only: skip the exclusive lock of a writer */
	const struct log_sink *log; /* copied */
};

/*
 * Opens an image file or block device. A writer takes an exclusive OFD lock
 * (O_EXCL too on a block device), a reader a shared one; EBUSY names the
 * holder's pid in the log. A writer also gets EBUSY when the image is attached
 * to a loop device. EROFS when the file can't be written. Errors say the path.
 * opt may be NULL.
 *
 * One mode for the whole device, chosen here, so that nothing is cached twice
 * and two caches never disagree: O_DIRECT where the file takes requests of
 * the logical block size (512 for images), else the kernel's page cache.
 * Unaligned memory goes through bounce buffers.
 */
int dev_file_open(const char *path, const struct dev_file_options *opt, struct dev **out);
/* What was chosen. */
struct dev_file_mode {
	bool direct, uring, block_device;
};
struct dev_file_mode dev_file_mode(struct dev *dev);

/* Anonymous memory of size bytes, zero filled; block_size is the logical block size. */
int dev_mem_create(u64 size, u32 block_size, struct dev **out);
void *dev_mem_data(struct dev *dev); /* direct access, for tests */

/*
 * A device of the caller's callbacks, which may come from several threads at
 * once. They transfer everything or return a negative errno.
 */
struct dev_user_ops {
	int (*read)(void *arg, u64 offset, void *buf, size_t len);
	int (*write)(void *arg, u64 offset, const void *buf, size_t len); /* NULL: read-only */
	int (*flush)(void *arg);			/* NULL: completed writes are durable */
	int (*discard)(void *arg, u64 offset, u64 len); /* optional */
	u64 size;
	u32 block_size; /* 512 .. 4096, a power of two */
	bool read_only;
};
int dev_user_create(const struct dev_user_ops *ops, void *arg, struct dev **out); /* copies ops */

/* The window [offset, offset+len) of lower; len 0 = to the end. offset: multiple of block size. */
int dev_partition_create(struct dev *lower, bool borrow, u64 offset, u64 len, struct dev **out);

/*
 * Copy-on-write overlay in memory: lower is only read; writes stay in memory
 * and are lost at close. Used for a read-only mount of a dirty image (RC-12).
 */
int dev_overlay_create(struct dev *lower, bool borrow, struct dev **out);
void dev_overlay_detach(
	struct dev *dev); /* closes the overlay, leaves lower open whatever borrow said */

/*
 * Every completed write, discard and flush in completion order, for crash
 * tests. SUBMIT_WRITE and its WRITE (success only) have the same data pointer.
 * ZERO is write-zeroes. A FLUSH, or a WRITE or ZERO with DEV_PREFLUSH, makes
 * durable what stands before entry `covers`: the length of the log when it was
 * submitted.
 */
enum dev_record_kind {
	DEV_REC_SUBMIT_WRITE,
	DEV_REC_WRITE,
	DEV_REC_FLUSH,
	DEV_REC_ZERO,
	DEV_REC_DISCARD
};
struct dev_record_entry {
	enum dev_record_kind kind;
	u32 flags; /* DEV_FUA, DEV_PREFLUSH */
	u64 offset, len;
	void *data; /* a copy, writes only */
	size_t covers;
};
int dev_record_create(struct dev *lower, bool borrow, struct dev **out);
/* Snapshot of the log so far: valid until the next dev_record_* call. 0 when out of memory. */
size_t dev_record_entries(struct dev *dev, const struct dev_record_entry **out);
size_t dev_record_count(struct dev *dev); /* how many there are now */
void dev_record_clear(struct dev *dev);

/* Fails chosen I/O with an errno. Rules are tested in order; thread-safe. */
struct dev_fault_rule {
	unsigned ops;	 /* bit mask of 1 << enum dev_op */
	u64 offset, len; /* range that must be touched; len 0 = everything */
	u64 after;	 /* let this many matching requests pass first */
	u64 count;	 /* then fail this many; 0 = for ever */
	int error;	 /* errno, positive */
	bool torn;	 /* a failing write reaches the lower device up to a random sector */
};
int dev_fault_create(struct dev *lower, bool borrow, struct dev **out);
int dev_fault_add(struct dev *dev, const struct dev_fault_rule *rule);
void dev_fault_clear(struct dev *dev);
u64 dev_fault_hits(struct dev *dev); /* how many requests were failed */

#endif
