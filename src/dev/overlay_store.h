/*
 * The memory of an overlay: chunks of the device, each with a bit per block
 * that says whether the block is here. Sharded by chunk number.
 */
#ifndef DEV_OVERLAY_STORE_H
#define DEV_OVERLAY_STORE_H

#include <sys/uio.h>

#include "base/rbtree.h"
#include "base/types.h"
#include "os/lock.h"

#define STORE_SHARDS 16
#define STORE_CHUNK_BYTES 65536u
#define STORE_BLOCKS_MAX (STORE_CHUNK_BYTES / 512)

struct store_shard {
	struct os_rwsem lock;
	struct rb_root chunks; /* lock: lock */
};

struct store {
	u32 block_size;
	struct store_shard shard[STORE_SHARDS];
};

void store_init(struct store *s, u32 block_size);
void store_fini(struct store *s);
/* iov NULL stores zeros. Multiples of block_size. */
int store_write(struct store *s, u64 offset, u64 len, const struct iovec *iov);
/* Is every block of the range here? */
bool store_covers(struct store *s, u64 offset, u64 len);
/* Copies what is here over the segments, leaves the rest of them as it is. */
void store_read(struct store *s, u64 offset, u64 len, const struct iovec *iov);

#endif
