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
	bool no_direct;	  /* never O_DIRECT */
	bool no_uring;	  /* pread/pwrite fallback even where io_uring works */
	bool no_lock;	  /* tests only: skip the exclusive lock of a writer */
	const struct log_sink *log;
};

/*
 * Opens an image file or block device. A writer takes an exclusive OFD lock
 * (O_EXCL on a block device), a reader a shared one; EBUSY names the holder's
 * pid in the log. EROFS when the file can't be written. Errors say the path.
 */
int dev_file_open(const char *path, const struct dev_file_options *opt, struct dev **out);

/* Anonymous memory of size bytes, zero filled; block_size is the logical block size. */
int dev_mem_create(u64 size, u32 block_size, struct dev **out);
void *dev_mem_data(struct dev *dev); /* direct access, for tests */

/* The window [offset, offset+len) of lower; len 0 = to the end. offset: multiple of block size. */
int dev_partition_create(struct dev *lower, bool borrow, u64 offset, u64 len, struct dev **out);

/*
 * Copy-on-write overlay in memory: lower is only read; writes stay in memory
 * and are lost at close. Used for a read-only mount of a dirty image (RC-12).
 */
int dev_overlay_create(struct dev *lower, bool borrow, struct dev **out);
void dev_overlay_detach(struct dev *dev); /* closes the overlay, leaves lower open whatever borrow said */

/* Every completed write, discard and flush in completion order, for crash tests. */
enum dev_record_kind { DEV_REC_SUBMIT_WRITE, DEV_REC_WRITE, DEV_REC_FLUSH, DEV_REC_ZERO };
struct dev_record_entry {
	enum dev_record_kind kind;
	u32 flags;	/* DEV_FUA, DEV_PREFLUSH */
	u64 offset, len;
	void *data;	/* a copy, writes only */
};
int dev_record_create(struct dev *lower, bool borrow, struct dev **out);
/* Snapshot of the log so far: valid until the next record call on the device. */
size_t dev_record_entries(struct dev *dev, const struct dev_record_entry **out);
void dev_record_clear(struct dev *dev);

/* Fails chosen I/O with an errno. Rules are tested in order; thread-safe. */
struct dev_fault_rule {
	unsigned ops;	   /* bit mask of 1 << enum dev_op */
	u64 offset, len;   /* range that must be touched; len 0 = everything */
	u64 after;	   /* let this many matching requests pass first */
	u64 count;	   /* then fail this many; 0 = for ever */
	int error;	   /* errno, positive */
	bool torn;	   /* a failing write reaches the lower device up to a random sector */
};
int dev_fault_create(struct dev *lower, bool borrow, struct dev **out);
int dev_fault_add(struct dev *dev, const struct dev_fault_rule *rule);
void dev_fault_clear(struct dev *dev);
u64 dev_fault_hits(struct dev *dev); /* how many requests were failed */

#endif
