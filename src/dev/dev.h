/*
 * Block devices: the seam below everything that does I/O.
 *
 * A request is submitted to a queue; the queue belongs to one thread at a time
 * and shares no lock with other queues. Completion callbacks run in whoever
 * reaps the queue. Requests of one queue and of different queues complete in
 * any order; overlapping requests in flight have no defined order.
 *
 * Durability: a completed write may sit in a volatile cache until a flush that
 * was submitted after its completion completes; FUA makes that one write
 * durable at completion; PREFLUSH acts as a flush completed before the write.
 *
 * What a queue can't start at once, because its depth is used up, waits in it
 * and starts when it is reaped: submitting never blocks for that, callbacks
 * may submit, and a caller must reap until its requests are complete. A thread
 * does not end while requests that it submitted are in flight.
 *
 * Layers (partition, overlay, record, fault) are devices that own or borrow a
 * lower device; see the header of each.
 */
#ifndef DEV_DEV_H
#define DEV_DEV_H

#include "base/list.h"
#include "base/log.h"
#include "base/types.h"

#include <sys/uio.h>

enum dev_op { DEV_READ, DEV_WRITE, DEV_FLUSH, DEV_DISCARD, DEV_WRITE_ZEROES };

enum { DEV_FUA = 1, DEV_PREFLUSH = 2 };

struct dev_req {
	enum dev_op op;
	u32 flags;	   /* DEV_FUA | DEV_PREFLUSH; writes and write-zeroes only */
	u64 offset;	   /* bytes, multiple of info.block_size */
	u64 len;	   /* bytes, multiple of info.block_size; equals the iov total */
	struct iovec *iov; /* read, write; stays valid until completion */
	unsigned iov_count;
	int result; /* 0 or negative errno; short transfers never happen */
	/* May be NULL; may submit to the queue that reaps it, but not reap it; may free the
	 * request. */
	void (*done)(struct dev_req *);
	struct list node; /* free for the device while in flight */
	void *priv[2];	  /* likewise: layers keep their state here */
};

struct dev_info {
	u64 size;	/* bytes */
	u32 block_size; /* logical block size: unit of offset and len */
	u32 mem_align;	/* alignment of memory that avoids a bounce copy */
	bool read_only;
	bool volatile_cache; /* false: flush is a no-op */
	bool can_fua;	     /* false: the device emulates FUA by a flush */
	bool can_discard;
	bool can_write_zeroes; /* false: it writes zero buffers itself */
};

struct dev;
struct dev_queue;

/* For those who write a device: see dev/dev_driver.h. Nothing here is called by others. */
struct dev_ops {
	const char *name;
	/* The queue struct starts with struct dev_queue; dev.c fills that part. */
	int (*queue_create)(struct dev *dev, unsigned depth, struct dev_queue **out);
	void (*queue_destroy)(struct dev_queue *q); /* nothing in flight */
	/* Takes all n valid requests, of which no more than depth are ever active. Runs no
	 * callback. */
	void (*submit)(struct dev_queue *q, struct dev_req **reqs, unsigned n);
	/*
	 * Waits until min of the active requests are complete, or deadline_ns (0 =
	 * none) has passed; 0 only collects. Hands each to dev_queue_complete.
	 */
	void (*reap)(struct dev_queue *q, unsigned min, u64 deadline_ns);
	/*
	 * Signals fd when requests may have ended, until the queue's end. Missing: all end in
	 * submit.
	 */
	int (*set_event)(struct dev_queue *q, int fd);
	int (*resize)(struct dev *dev, u64 size); /* optional */
	void (*close)(struct dev *dev);
};

/* All fields: no lock, the queue's thread; the first three may be read by layers. */
struct dev_queue {
	struct dev *dev;
	unsigned depth;
	unsigned in_flight;  /* submitted, callback not yet called */
	unsigned active;     /* of those, how many the device has */
	struct list waiting; /* dev_req.node: not yet given to the device */
	struct list done;    /* dev_req.node: complete, callback not yet called */
	bool serial;  /* submit serves one after the other; the device sets it in queue_create */
	int event;    /* private to dev.c: -1, or what to signal */
	u8 pool_kind; /* private to pool.c */
	bool pool_reserve; /* private to pool.c */
};

struct dev {
	const struct dev_ops *ops;
	struct dev_info info;	    /* immutable after open, except size (atomic) */
	const struct log_sink *log; /* may be NULL */
	char *path;		    /* for messages; may be NULL */
	void *pool;		    /* private to pool.c: idle queues */
};

void dev_close(struct dev *dev); /* NULL is fine */

int dev_queue_create(struct dev *dev, unsigned depth, struct dev_queue **out);
void dev_queue_destroy(struct dev_queue *q);
/* Validates each request (range, alignment, read-only): a bad one completes with an error. */
void dev_submit(struct dev_queue *q, struct dev_req **reqs, unsigned n);
/*
 * Waits for at least min completions (at most what is in flight) or until
 * deadline_ns (0 = none) and runs callbacks; returns how many ran. 0 polls.
 */
int dev_reap(struct dev_queue *q, unsigned min, u64 deadline_ns);
/* From now on fd (os/event.h) is signalled when there may be something to reap. */
int dev_queue_set_event(struct dev_queue *q, int fd);
void dev_drain(struct dev_queue *q); /* reaps until nothing is in flight */

struct dev_stats { /* requests, and bytes that reads and writes carried */
	u64 reads, writes, flushes, discards, bytes_read, bytes_written;
};
/* What was submitted to this device since it was opened. */
void dev_stats(struct dev *dev, struct dev_stats *out);

/* Submit and wait on a queue of the caller's own. Any thread. Any buffer alignment. */
int dev_read(struct dev *dev, u64 offset, void *buf, size_t len);
int dev_write(struct dev *dev, u64 offset, const void *buf, size_t len, u32 flags);
int dev_flush(struct dev *dev);
int dev_discard(struct dev *dev, u64 offset, u64 len);
int dev_write_zeroes(struct dev *dev, u64 offset, u64 len, u32 flags);
/* Image files; EOPNOTSUPP elsewhere. No I/O beyond the new size may be in flight. */
int dev_resize(struct dev *dev, u64 size);

/*
 * Borrows an idle queue for a batch (journal commit, checkpoint, writeback,
 * readahead) and gives it back drained. Never fails: when no queue can be
 * made, the caller waits for the device's reserve. Sync calls need none of
 * these queues, so a thread that holds one may make them.
 */
int dev_queue_get(struct dev *dev, struct dev_queue **out);
/* The same of depth one, where a request costs a single system call. */
void dev_queue_get_single(struct dev *dev, struct dev_queue **out);
/* One request from begin to end in such a queue: also for who has a queue for more. */
void dev_submit_single(struct dev *dev, struct dev_req *req);
void dev_queue_put(struct dev_queue *q);

#endif
