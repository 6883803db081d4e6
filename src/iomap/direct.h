/*
 * Direct I/O: between the caller's memory and the device, past the page cache.
 *
 * A transfer has three parts, which may run in three threads:
 *   direct_start   checks, writes back (and invalidates) cached pages, maps,
 *                  and puts device requests into a batch
 *   complete()     when the last request has ended, in whoever reaps the queue
 *   direct_finish  conversion and sizes through ops->written, pages of the
 *                  range invalidated again, the result (IO-50, steps 1 to 4)
 *
 * The caller keeps mappings valid from start to finish (locks during start, a
 * count of transfers in flight after it, IO-58), and decides who may run side
 * by side (IO-39, IO-41). A transfer of few segments allocates no memory.
 */
#ifndef IOMAP_DIRECT_H
#define IOMAP_DIRECT_H

#include "dev/dev.h"
#include "iomap/pagecache.h"
#include "os/atomic.h"

#define DIRECT_SEGMENTS 2
#define DIRECT_IOVECS 6
#define DIRECT_BATCH 64

struct direct_io;

struct direct_ops {
	/* begin finds the transfer in map->priv. A write gets no hole; -ENOTBLK: from here on
	 * not directly, what was done before stays (IO-47). */
	struct iomap_ops map;
	/* Data is on the device (err 0) or not: convert, then set sizes (IO-50). May be NULL. */
	int (*written)(struct direct_io *d, u64 bytes, int err);
};

enum { /* direct_io.seen: what the mappings were */
	DIRECT_UNWRITTEN = 1,
	DIRECT_NEW = 2,
	DIRECT_DIRTY = 4,  /* metadata to commit before the data is durable */
	DIRECT_CACHED = 8, /* there were pages of the range in the cache */
};

struct direct_segment {
	struct dev_req req; /* first: the callback converts back */
	struct direct_io *owner;
	struct direct_segment *next; /* of those on the heap */
};

struct direct_io {
	/* Set by the caller. */
	struct iofile *io;
	const struct direct_ops *ops;
	u64 pos, len;
	const struct iovec *iov; /* it and the memory stay valid until direct_finish */
	unsigned iov_count;
	u32 request;			       /* IOMAP_WRITE, IOMAP_NOWAIT, IOMAP_OVERWRITE_ONLY */
	u32 dev_flags;			       /* DEV_FUA */
	void (*complete)(struct direct_io *d); /* must not block, nor reap; may be NULL */

	/* Results, for the thread that has the transfer. */
	u64 done; /* bytes mapped and on their way */
	u32 seen;
	int error;

	/* Private. Set by start, then read-only but for what says otherwise. */
	u64 end, size;	 /* of the transfer; of the file at start */
	unsigned iov_at; /* where the next segment's memory begins */
	size_t iov_skip;
	u32 pending;	  /* atomic: requests, plus one during start */
	int io_error;	  /* atomic: first error of the device */
	unsigned batched; /* requests at the batch's end, not yet submitted */
	unsigned segs_used, iovs_used;
	struct direct_segment *heap;
	struct direct_segment seg[DIRECT_SEGMENTS];
	struct iovec seg_iov[DIRECT_IOVECS];
};

/* Requests on their way to one queue; several transfers may share it. */
struct direct_batch {
	struct dev_req *req[DIRECT_BATCH];
	unsigned count;
	void (*submit)(struct direct_batch *b); /* hands all to the device, sets count to 0 */
};

/* 0 or -EINVAL: position, length and memory in units of the device's block (IO-37). */
int direct_check_alignment(const struct direct_io *d);
/*
 * True: requests are (or, after the batch is submitted, will be) in flight, and complete() is
 * called once. False: nothing is; go on to direct_finish at once.
 */
bool direct_start(struct direct_io *d, struct direct_batch *b);
/* The first error so far, for who has the transfer after complete(). */
static inline int direct_error(const struct direct_io *d)
{
	return d->error ? d->error : atomic_load_acq(&d->io_error);
}
/* Bytes, or the error; never -ENOTBLK. Once, after start or complete(). */
ssize_t direct_finish(struct direct_io *d);

/* For callers without a queue of their own: each submission waits for its end. */
struct direct_sync {
	struct direct_batch batch; /* first */
	struct dev *dev;
};
void direct_sync_init(struct direct_sync *s, struct dev *dev);
/* Afterwards every transfer that was started is complete. No lock but the inode's held. */
void direct_sync_wait(struct direct_sync *s);
/*
 * Takes d's requests, none of them submitted yet, out of s, where nothing else is: *reqs has room
 * for DIRECT_SEGMENTS. 0: there are more of them, or s has submitted some.
 */
unsigned direct_sync_take(struct direct_sync *s, struct direct_io *d, struct dev_req **reqs);

#endif
