/* Queues of devices that execute each request in submit: nothing is ever in flight after it. */
#ifndef DEV_INLINE_QUEUE_H
#define DEV_INLINE_QUEUE_H

#include "dev/dev.h"

int inline_queue_create(struct dev *dev, unsigned depth, struct dev_queue **out);
void inline_queue_destroy(struct dev_queue *q);
void inline_reap(struct dev_queue *q, unsigned min, u64 deadline_ns);
void inline_submit(struct dev_queue *q, struct dev_req **reqs, unsigned n,
	int (*run)(struct dev *dev, struct dev_req *req));

#endif
