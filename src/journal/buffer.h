/*
 * Metadata buffer cache: every metadata block of the device is read, verified,
 * changed and written back through here. Sharded and bounded.
 *
 * Invariants
 * - No caller sees bytes that its own type's verifier has not accepted: the
 *   type travels with the buffer (HD-8). A block cached as type A is verified
 *   again when asked for as type B, and refused if a transaction holds it.
 *   Of the context, csum_seed is part of the type in this sense.
 * - Contents change only between buf_write_access()/buf_create() and the stop
 *   of that handle, under the lock of the structure's owner (directory inode
 *   lock, filemap lock, group lock, ...). Everyone who reads contents holds
 *   that owner's lock as well. buf->lock only protects journal state and the
 *   moment of copying.
 * - I/O never goes from or to live contents of a dirty buffer: commit and
 *   checkpoint copy under buf->lock, seal the copy, and write the copy.
 * - A buffer of a running or committing transaction is never written home
 *   (JB-11) and never evicted; one that awaits checkpoint is not evicted.
 *
 * Ownership: buf_read/buf_create/buf_find give a reference, buf_put drops it.
 */
#ifndef JOURNAL_BUFFER_H
#define JOURNAL_BUFFER_H

#include "base/list.h"
#include "dev/dev.h"
#include "os/lock.h"

struct buf;
struct bcache;
struct handle;
struct super_info;

/* What a reader says about the block it expects; kept in the buffer for seal. */
struct buf_ctx {
	u32 csum_seed; /* S or I(n), whatever the type's checksum starts from */
	ino_nr owner;  /* inode that owns the block, 0 = the file system */
	u32 arg;       /* the type's own: expected depth, group number, ... */
};

struct buf_type {
	const char *name;
	/*
	 * 0, -EUCLEAN or -EBADMSG; *why is a static text. data is one block. NULL where several
	 * owners share the block and each checks its part under its own lock (descriptors).
	 */
	int (*verify)(const struct super_info *sb, const void *data, pblk_t pblk,
		const struct buf_ctx *ctx, const char **why);
	/* Puts the checksum into data (live block or frozen copy); may be NULL. */
	void (*seal)(
		const struct super_info *sb, void *data, pblk_t pblk, const struct buf_ctx *ctx);
};

struct buf {
	pblk_t pblk;		     /* immutable while referenced */
	u8 *data;		     /* one block; see the invariants above */
	const struct buf_type *type; /* lock: buf->lock */
	struct buf_ctx ctx;	     /* lock: buf->lock */
	u32 refs;		     /* atomic; 0 -> 1 and 1 -> 0 only under the shard lock */
	u32 flags;	       /* atomic, changed under buf->lock; private to the journal room */
	struct os_mutex lock;  /* rank BUFFER */
	struct list lru;       /* lock: shard */
	struct buf *hash_next; /* lock: shard */
	bool recent;	       /* atomic; second chance of the eviction clock */
	bool unhashed;	       /* lock: shard; the last put frees it */
	struct bcache *cache;  /* immutable */
	/*
	 * Journal state, lock: buf->lock; list membership also the journal's list lock.
	 * Each membership holds a reference, so eviction never sees such a buffer.
	 */
	struct buf_join {
		struct txn *txn;  /* atomic; running or committing transaction, or NULL */
		u32 flags;	  /* atomic, JOIN_* */
		u32 log_block;	  /* where the commit wrote it */
		struct list node; /* in txn->bufs */
	} join[2];		  /* by parity of the tid */
	u8 *frozen;		  /* sealed contents as the committing transaction must log them */
	struct txn *cp_txn;	  /* committed one whose checkpoint still needs this buffer */
	u32 log_block;		  /* newest committed copy, valid while cp_txn != NULL */
	struct list cp_node;	  /* in cp_txn, or the dirty list without a journal */
};

struct bcache_params {
	struct dev *dev;	     /* borrowed */
	const struct super_info *sb; /* borrowed; may be replaced after replay by bcache_reset */
	u32 block_size;
	u64 max_bytes; /* bound for evictable buffers */
	const struct log_sink *log;
};

int bcache_create(const struct bcache_params *params, struct bcache **out);
void bcache_destroy(struct bcache *c); /* no references left; dirty buffers are dropped */
/* Drops every clean cached block (after replay, RC-1). EBUSY if one is dirty or referenced. */
int bcache_reset(struct bcache *c);
struct bcache_stats {
	u64 bytes, hits, misses, evictions;
};
void bcache_stats(struct bcache *c, struct bcache_stats *out);

/* Reads (or finds) block pblk and verifies it as type. Errors are logged with block and reason. */
int buf_read(struct bcache *c, pblk_t pblk, const struct buf_type *type, const struct buf_ctx *ctx,
	struct buf **out);
/* Starts reading up to n blocks without waiting; verified at buf_read. Best effort. */
void buf_readahead(struct bcache *c, pblk_t pblk, u32 n);
/* The cached buffer, or NULL; never reads. */
struct buf *buf_find(struct bcache *c, pblk_t pblk);
/* The caller has write access and turns the block into another kind (linear directory to htree). */
void buf_retype(struct buf *b, const struct buf_type *type, const struct buf_ctx *ctx);
void buf_get(struct buf *b);
void buf_put(struct buf *b); /* NULL is fine */

/*
 * IO-7: the blocks become file data: cached clean images are dropped, running home writes are
 * waited for. -EUCLEAN if one is live, changed and not forgotten: whoever gave it away was wrong.
 */
int bcache_invalidate(struct bcache *c, pblk_t pblk, u32 len);
/* The same question about blocks that become other metadata; drops nothing. */
int bcache_check_unused(struct bcache *c, pblk_t pblk, u32 len);

#endif
