/* Asynchronous I/O: many requests at once, from one thread. Part of uext4.h. */
#ifndef UEXT4_QUEUE_H
#define UEXT4_QUEUE_H

#include <uext4/file.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A queue takes batches of requests and gives back one completion for each, in
 * any order. Requests of one queue, of several, and synchronous calls may all
 * be in flight on one file; only what completed before another was submitted
 * has an order with it. A read or write of a file opened with O_DIRECT whose
 * blocks are mapped goes to the device from within submit, and is completed by
 * whoever reaps; a write into a hole gets its blocks on a thread of the queue,
 * then goes to the device from within reap; everything else (appends, cached
 * files, fsync, fallocate) runs on threads of the queue. So submit does not
 * block. A reap without a timeout may wait for the journal, too.
 *
 * Once a write's completion was seen, fsync, fdatasync and uext4_sync cover it.
 * Truncation, fallocate and their like wait for direct I/O in flight on the
 * file, whether anyone reaps it or not. A request keeps its file open: closing
 * or unlinking it meanwhile does no harm. uext4_close gives EBUSY while there is
 * a queue. After uext4_shutdown requests end with EIO, and none is lost.
 *
 * Thread-safe: calls on one queue run one after the other, so a submit may have
 * to wait for a reap that waits. Threads that should not wait for each other
 * have a queue each.
 */
struct uext4_queue;

/* Zero-initialise, set size; zero means the default. */
struct uext4_queue_options {
	size_t size;
	unsigned depth;	  /* requests that are not yet reaped; 0 = 128, at most 4096 */
	unsigned workers; /* threads for what blocks, made when needed; 0 = 4 */
};
/* opt may be NULL. */
UEXT4_API int uext4_queue_create(
	struct uext4_fs *fs, const struct uext4_queue_options *opt, struct uext4_queue **out);
/*
 * Cancels what has not begun (without a trace), waits for the rest, whose completions nobody gets.
 * NULL is fine.
 */
UEXT4_API void uext4_queue_destroy(struct uext4_queue *queue);

enum uext4_op {
	UEXT4_OP_NOP, /* completes with 0 */
	UEXT4_OP_READ,
	UEXT4_OP_WRITE,
	UEXT4_OP_FSYNC,
	UEXT4_OP_FDATASYNC,
	UEXT4_OP_FALLOCATE,
};

struct uext4_request {
	enum uext4_op op;
	unsigned flags;		 /* read, write: UEXT4_RWF_* */
	struct uext4_file *file; /* all but NOP */
	uint64_t offset;
	const struct iovec *iov; /* read, write: the memory; the array is copied, */
	int iov_count;		 /* what it points to stays until the completion */
	void *buf;		 /* the same as one piece, when iov is NULL */
	uint64_t len;		 /* of buf; of the range of a fallocate */
	int mode;		 /* fallocate */
	uint64_t user_data;	 /* comes back in the completion */
};
/*
 * Takes the requests in order; returns how many, fewer than count when the queue is full, -EAGAIN
 * if it took none. Whatever is wrong with a request that was taken is told by its completion. One
 * call hands the device all that goes to it directly at once. A direct write that needs more, into
 * a hole, say, begins by itself, unless the last reap waited for ever: then the next reap begins
 * it, which the event asks for.
 */
UEXT4_API int uext4_queue_submit(
	struct uext4_queue *queue, const struct uext4_request *requests, unsigned count);

struct uext4_completion {
	uint64_t user_data;
	int64_t result; /* as the synchronous call: bytes, 0, or a negative errno */
};
/*
 * Gives up to max completions; waits for at least min of them (never for more than are in the
 * queue), but no longer than timeout_ns: negative for ever, 0 not at all. Returns how many. Who
 * waits for ever gets a few at a time, even if more have ended, so that the device has work while
 * they are seen to.
 */
UEXT4_API int uext4_queue_reap(struct uext4_queue *queue, struct uext4_completion *out,
	unsigned max, unsigned min, int64_t timeout_ns);

/*
 * True where the device does only one request at a time for a queue: without io_uring, and devices
 * of the caller's own. Then submit waits for what goes to the device directly.
 */
UEXT4_API bool uext4_queue_is_serial(const struct uext4_queue *queue);

/*
 * An eventfd(2), non-blocking and owned by the queue, for poll and its like. It becomes readable
 * when there may be something to reap: read it, then reap with min 0 until nothing comes. It may
 * also wake up for nothing.
 */
UEXT4_API int uext4_queue_eventfd(struct uext4_queue *queue);

#ifdef __cplusplus
}
#endif
#endif
