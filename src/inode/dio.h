/*
 * Direct I/O in flight on an inode (IO-58). It holds no lock, but it is counted
 * and holds a reference; whoever frees or moves blocks, or changes bytes of the
 * end-of-file block in the cache, waits for it first.
 */
#ifndef INODE_DIO_H
#define INODE_DIO_H

#include "inode/inode.h"

/* Inode lock held, shared or not. Costs one atomic. */
void inode_dio_begin(struct inode *i);
/* Any thread that holds a reference; no lock needed. */
void inode_dio_end(struct inode *i);
/*
 * Inode lock exclusive, so that nothing new begins; none of what completions take: neither the
 * invalidate lock nor a handle nor anything deeper (IO-136).
 */
void inode_dio_wait(struct inode *i);
/*
 * Transfers that complete only when somebody reaps their queue. Who waits for them helps: reap()
 * waits for at least one device request of the queue, and handles what has ended; false if none is
 * in flight. Called with an inode lock held, so it must take none, nor drop references.
 */
struct dio_reaper {
	struct list node;
	bool (*reap)(struct dio_reaper *r);
};
void dio_reaper_add(struct volume *v, struct dio_reaper *r);
void dio_reaper_remove(struct volume *v, struct dio_reaper *r); /* nobody is in reap() after it */

bool inode_dio_busy(const struct inode *i); /* would wait have to wait? */

#endif
