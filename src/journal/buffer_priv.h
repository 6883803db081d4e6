/* Inside the buffer cache: shards, flags, and what the journal needs of them. */
#ifndef JOURNAL_BUFFER_PRIV_H
#define JOURNAL_BUFFER_PRIV_H

#include "base/err.h"
#include "journal/buffer.h"
#include "os/assert.h"
#include "os/atomic.h"
#include "os/thread.h"

/* buf.flags */
enum {
	BUF_UPTODATE = 1,    /* data holds the block */
	BUF_VERIFIED = 2,    /* accepted as buf->type with buf->ctx */
	BUF_UNSEALED = 4,    /* data was changed since it was read: its checksum is stale */
	BUF_WRITEBACK = 8,   /* a home write is in flight; wait on cache->io_cond */
	BUF_ESCAPED = 16,    /* the log copy at log_block is escaped (JB-12) */
	BUF_FRESH = 32,	     /* created in the running transaction; no copy of it needs a revoke */
	BUF_DIRTY_HOME = 64, /* no-journal mode: on the dirty list */
};

/* buf.join[].flags */
enum {
	JOIN_DIRTY = 1,	  /* its contents go into the log */
	JOIN_STAGED = 2,  /* copied for the log: data may change */
	JOIN_FORGET = 4,  /* freed by this transaction (JB-19) */
	JOIN_ESCAPED = 8, /* the staged copy is escaped */
};

#define BCACHE_SHARDS 64
#define BCACHE_REGIONS 4096
#define BCACHE_REGION_SHIFT 9

struct bcache_shard {
	struct os_mutex lock; /* rank CACHE */
	struct buf **hash;
	u32 mask;	   /* buckets - 1 */
	u32 count;	   /* buffers in the hash */
	struct list clock; /* all of them; eviction scans from the head */
	u64 hits, misses, evictions;
};

struct bcache {
	struct bcache_params p;
	u32 shard_max; /* buffers per shard before eviction starts */
	struct bcache_shard shards[BCACHE_SHARDS];
	u32 regions[BCACHE_REGIONS]; /* atomic; cached buffers per hashed region of blocks */
	struct os_cond io_cond;	     /* with a buf->lock: BUF_WRITEBACK was cleared */
	struct os_workqueue *readahead;
	u32 readaheads; /* atomic; in flight */
};

static inline void buf_set_flags(struct buf *b, u32 flags)
{
	atomic_or(&b->flags, flags);
}

static inline void buf_clear_flags(struct buf *b, u32 flags)
{
	atomic_and(&b->flags, ~flags);
}

static inline bool buf_test(const struct buf *b, u32 flags)
{
	return (atomic_load_acq(&b->flags) & flags) != 0;
}

/* Finds or inserts; a new one has no contents. NULL: not cached (create false) or no memory. */
struct buf *bcache_get(struct bcache *c, pblk_t pblk, bool create);
u32 bcache_region(pblk_t pblk);
void *bcache_data_alloc(const struct bcache *c);
void bcache_data_free(const struct bcache *c, void *data);

/* Seals a copy of b's contents (of the state that type and ctx describe). Caller holds buf->lock.
 */
void buf_seal_locked(const struct buf *b, void *copy);
/* Waits until no home write of b is in flight. Caller holds buf->lock (released meanwhile). */
void buf_wait_writeback_locked(struct buf *b);
/* Clears BUF_WRITEBACK and wakes waiters. Caller holds buf->lock. */
void buf_end_writeback_locked(struct buf *b);
/* Debug builds: what is in memory would verify once sealed. */
void buf_assert_valid(struct buf *b);

/* --- batch.c: many block writes in large requests --- */

struct batch;
/* bytes: memory for copies, split into two halves of which one fills while the other is written. */
int batch_create(struct dev *dev, u32 block_size, size_t bytes, struct batch **out);
void batch_destroy(struct batch *b);
int batch_begin(struct batch *b);
/* Memory for the contents of device block pblk; written when its half is full or at the end. */
void *batch_block(struct batch *b, pblk_t pblk);
/* Makes sure that the next n blocks stay in memory until the last of them is filled. */
void batch_reserve(struct batch *b, u32 n);
u32 batch_group_max(const struct batch *b); /* largest n */
/* Takes the latest batch_block back: it is not to be written. */
void batch_undo(struct batch *b);
/* Writes what is left, waits for everything; the first error. */
int batch_end(struct batch *b);

#endif
