/*
 * Inside the inode cache: cache.c finds and enters, evict.c drops.
 *
 * A shard's list holds its unreferenced inodes, and others that have come back to use since they
 * were put there: those leave it when they are met, so that taking an inode that nobody uses into
 * use and back touches no neighbour.
 */
#ifndef INODE_CACHE_PRIV_H
#define INODE_CACHE_PRIV_H

#include "inode/dio.h"
#include "inode/inode_priv.h"

#define ICACHE_SHARDS 64
#define ICACHE_BUCKETS 512

struct icache_shard {
	struct os_mutex lock;		      /* rank CACHE */
	struct os_cond change;		      /* with lock: an inode was loaded or is gone */
	struct list unused;		      /* lock; see above. Oldest first */
	u32 unused_count;		      /* lock; inodes with refs == 0 */
	u32 referenced;			      /* lock; inodes with refs > 0 */
	u64 hits, misses;		      /* lock */
	struct inode *bucket[ICACHE_BUCKETS]; /* lock */
};

struct icache {
	u32 unused_max; /* per shard */
	const struct iofile_ops *io_ops;
	struct xattr_cache *xattrs;
	struct dio_reapers reapers;
	struct icache_shard shard[ICACHE_SHARDS];
};

static inline struct icache_shard *icache_shard_of(struct volume *v, ino_nr ino)
{
	return &v->inodes->shard[ino % ICACHE_SHARDS];
}

static inline struct inode **icache_bucket_of(struct icache_shard *s, ino_nr ino)
{
	return &s->bucket[ino / ICACHE_SHARDS % ICACHE_BUCKETS];
}

void icache_leave_locked(struct icache_shard *s, struct inode *i);

#endif
