/*
 * Inside a queue of requests.
 *
 * A request stands in one place at a time: idle; with a worker; sent by it, for
 * whoever reaps to give it to the device; in flight there; ended there (its end
 * still to be run); done (to be reaped). The end of what was in flight runs in
 * whoever reaped it, if it can't block or the reaper has time, else in a worker
 * of `ends`: these never wait for a request of `works`, which may wait for
 * them. Ends that change the map share a handle; ends that sync go alone, to a
 * worker. In the same way a reaper that has time begins what the last submits
 * left in line.
 *
 * Locks: lock -> (those of the file system) -> dev_lock -> done_lock.
 */
#ifndef API_QUEUE_PRIV_H
#define API_QUEUE_PRIV_H

#include "api/api_priv.h"
#include "inode/dio.h"
#include "os/thread.h"

#define OP_IOVECS 4
/* How many go on together where more could: the device has the next ones meanwhile. */
#define QUEUE_TURN 8

struct queue_op {
	struct file_direct direct; /* first: complete() converts back */
	struct uext4_queue *queue;
	struct uext4_request req;
	struct api_rw rw;
	struct iovec iov[OP_IOVECS];
	struct iovec *iov_heap; /* NULL when iov is enough */
	struct os_work work;
	struct list node;		       /* of the place where it stands */
	struct dev_req *sent[DIRECT_SEGMENTS]; /* what a worker left to be submitted */
	unsigned sent_count;
	s64 result;
};

/* Requests that wait for one worker, which takes as many at a time as have come. */
struct queue_line {
	struct list ops; /* done_lock */
	bool runs;	 /* done_lock */
	struct os_work work;
};

struct uext4_queue {
	struct uext4_fs *fs;
	struct os_mutex lock; /* rank MOUNT: callers of submit and reap, one after the other */
	struct list idle;     /* lock */
	unsigned in_use;      /* lock; requests taken and not reaped */
	bool closing;	      /* atomic */
	bool patient;	      /* lock; the last reap waited for ever, and so may the next */

	struct direct_batch batch; /* first requests for the device; lock */
	struct os_mutex dev_lock;  /* rank CACHE */
	struct dev_queue *dev;	   /* dev_lock */
	struct list ended;	   /* dev_lock */
	struct dio_reaper reaper;

	struct os_mutex done_lock; /* rank LEAF */
	struct os_cond done_cond;
	struct list done; /* done_lock */
	bool helped;	  /* done_lock; another saw to the device since the last sleep */
	int event;	  /* done_lock; -1 = nobody asked for it */
	unsigned working; /* atomic; requests with workers */

	struct os_workqueue *works, *ends;
	struct queue_line begins;  /* direct writes that need more than a mapping; in works, or in a
				      patient reap */
	struct list sent;	   /* done_lock; begun there, for the device's next user */
	struct queue_line endings; /* what changes the map, in ends */
	struct queue_op op[];
};

/* queue_op.c: one request. */
/* Takes op to wherever it goes; the batch is submitted by the caller. */
void queue_op_start(struct queue_op *op);
void queue_op_release(struct queue_op *op); /* drops what it holds */
/* They leave the device: their ends run here, if they can't block or `wait` says that the caller
 * may, or in a worker. */
void queue_ops_ended(struct uext4_queue *q, struct list *ended, bool wait);

/* What waits in line is begun: here, if `wait` says that the caller may, or by a worker. */
void queue_begin(struct uext4_queue *q, bool wait);
void queue_lines_init(struct uext4_queue *q);

/* queue.c */
void queue_op_done(struct queue_op *op, s64 result);
/* All of the list at once, with the results that they have. */
void queue_ops_done(struct uext4_queue *q, struct list *ops);
void queue_op_sent(struct queue_op *op);
void queue_send(struct uext4_queue *q); /* what was sent goes to the device */

#endif
