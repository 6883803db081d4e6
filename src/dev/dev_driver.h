/*
 * For those who write a device or layer (this room, the simulator).
 *
 * A device fills struct dev (ops, info, log, path), then calls dev_setup as the
 * last step of its creation. Its ops get valid requests only: dev.c checks
 * them, holds back what exceeds the depth, and runs the callbacks. The device
 * sets req->result and calls dev_queue_complete, in submit or in reap.
 */
#ifndef DEV_DEV_DRIVER_H
#define DEV_DEV_DRIVER_H

#include "dev/dev.h"
#include "dev/iov.h"

/* Makes the pool of idle queues with its reserves; queues must work already. */
int dev_setup(struct dev *dev);
void dev_queue_complete(struct dev_queue *q, struct dev_req *req);

/* pool.c */
enum pool_kind { POOL_SYNC, POOL_BATCH, POOL_KINDS };
struct dev_queue *pool_get(struct dev *dev, enum pool_kind kind);
void pool_put(struct dev_queue *q); /* drained */
void pool_destroy(struct dev *dev);
void pool_count(struct dev *dev, struct dev_req **reqs, unsigned n); /* the valid ones */

#endif
