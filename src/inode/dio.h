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
bool inode_dio_busy(const struct inode *i); /* would wait have to wait? */

#endif
