/*
 * The frame of a layer: a device whose queues each own a queue of the device
 * below. A request of the layer has one child, which may go down any number of
 * times before layer_finish ends the request. Children and lower queue belong
 * to the queue's thread: no lock.
 */
#ifndef DEV_LAYER_H
#define DEV_LAYER_H

#include "dev/dev_driver.h"

struct layer_dev {
	struct dev dev;
	struct dev *lower;
	bool borrow;
};

struct layer_queue {
	struct dev_queue base;
	struct dev_queue *lower;
	struct list idle; /* layer_child.node */
	void *children;	  /* depth of them, never fewer than active requests */
};

/* A layer's own struct may start with it; child_size tells. */
struct layer_child {
	struct dev_req req; /* goes to the lower device */
	struct dev_req *parent;
	struct layer_queue *queue;
	struct list node; /* layer_queue.idle */
};

/* info, log and path start as those of lower. */
void layer_init(struct layer_dev *l, const struct dev_ops *ops, struct dev *lower, bool borrow);
void layer_close_lower(struct layer_dev *l);

int layer_queue_create(struct dev *dev, unsigned depth, size_t child_size, struct dev_queue **out);
void layer_queue_destroy(struct dev_queue *q);
int layer_set_event(struct dev_queue *q, int fd);
void layer_reap(struct dev_queue *q, unsigned min, u64 deadline_ns);

/*
 * For each request: a child that copies it, with req.done = NULL; start fills
 * the rest and returns true to send it down, or false after layer_finish.
 */
typedef bool layer_start_fn(struct layer_child *c);
void layer_submit(struct dev_queue *q, struct dev_req **reqs, unsigned n, layer_start_fn *start);
void layer_finish(struct layer_child *c, int result);
/* A done callback: ends the request with the lower result. */
void layer_pass_result(struct dev_req *lower_req);

#endif
