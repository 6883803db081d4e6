/*
 * Inside the iomap room: folios, the per-file tree, the cache.
 *
 * A folio's life: allocated with READING set and put into the tree -> filled
 * (or written over) -> dirty <-> WRITEBACK -> removed (GONE). References: one
 * of the tree, one per user. flags, uptodate and dirty change under folio->lock;
 * a flag that others wait for is cleared with a broadcast.
 *
 * folio->io is valid while the folio is not GONE and its lock is held, or
 * while the caller has the file pinned otherwise.
 */
#ifndef IOMAP_FOLIO_H
#define IOMAP_FOLIO_H

#include "iomap/pagecache.h"
#include "os/assert.h"
#include "os/atomic.h"
#include "os/thread.h"

#define FOLIO_BITS_MAX 64 /* blocks per folio: one bit each in a u64 */
#define PAGE_BYTES_MIN 4096u
#define FOLIO_BYTES_MAX 65536u

/*
 * WRITING: a buffered write is about to allocate or has allocated blocks here whose content is
 * not in yet. Readers wait for it before they fill, else they would take old bytes of the device
 * for the file's (IO-1); writeback does not, since the writer may be waiting for the commit.
 */
enum {
	FOLIO_READING = 1,
	FOLIO_WRITEBACK = 2, /* being written; cleared when the file system is done with it too */
	FOLIO_GONE = 4,
	FOLIO_WRITING = 8,
	FOLIO_SUBMITTED = 16, /* with WRITEBACK: not yet on the device */
};

struct folio {
	struct iofile *io;	  /* see above */
	struct page_cache *cache; /* immutable */
	u64 pos;		  /* bytes in the file, multiple of size; immutable */
	u32 size;		  /* immutable */
	u32 refs;		  /* atomic; grows from the tree only under tree_lock */
	u8 *data;
	u64 uptodate, dirty;  /* per block; lock */
	u64 fresh;	      /* allocated, its place on the device never written; lock */
	u32 flags;	      /* lock */
	int io_error;	      /* atomic: of its parts in flight */
	bool referenced;      /* relaxed: used since the LRU looked */
	struct os_mutex lock; /* rank PAGE */
	struct list lru;      /* lock: LRU shard */
};

/* A node of the radix tree: 64 slots; a folio of 2^n pages stands in 2^n slots. */
#define NODE_BITS 6
#define NODE_SLOTS (1u << NODE_BITS)
struct folio_node {
	void *slot[NODE_SLOTS]; /* nodes, or folios at shift 0 */
	u64 used, dirty;	/* slots that are set; that lead to dirty folios */
};

#define LRU_SHARDS 16
#define WAIT_BUCKETS 64

struct lru_shard {
	struct os_mutex lock; /* rank LEAF */
	struct list list;     /* newest at the tail */
};

struct io_writer;

struct page_cache {
	struct page_cache_params p;
	u32 page_bytes;		       /* unit of the trees: max(block size, 4096) */
	u64 bytes, dirty_bytes;	       /* atomic */
	struct page_cache_stats stats; /* relaxed atomics */
	struct lru_shard lru[LRU_SHARDS];
	u32 lru_hand;			   /* relaxed */
	struct os_cond wait[WAIT_BUCKETS]; /* folio flags, by folio address */
	struct os_mutex lock;		   /* rank JOURNAL */
	struct list dirty_files;	   /* oldest first; lock */
	struct os_cond kick;		   /* with lock: wakes the flusher */
	bool kicked, stopping;		   /* lock */
	struct list passes;		   /* files being written off the list; lock */
	u64 pass_seq;			   /* of the youngest of them; lock */
	bool quiet;			   /* no pass may begin; lock */
	u64 rounds;			   /* of the flusher; lock */
	struct os_cond progress;	   /* with lock: a pass or a round has ended */
	struct os_thread *flusher;
	struct os_workqueue *readers; /* readahead */
	u32 wb_error_seq;	      /* atomic: grows with each writeback error of a file */
	int wb_error;		      /* the last; atomic */
	/* Held over a whole writeback without memory: rank INVALIDATE, the latter PAGE, order 0. */
	struct os_mutex reserve_lock, mapped_reserve_lock;
	struct io_writer *reserve, *mapped_reserve; /* lock: their lock */
};

/* tree.c; all under tree_lock. Positions in pages. */
struct folio *tree_find(struct iofile *io, u64 page);
int tree_insert(struct iofile *io, struct folio *f); /* -EEXIST when any slot is taken */
void tree_remove(struct iofile *io, struct folio *f);
void tree_mark_dirty(struct iofile *io, struct folio *f, bool dirty);
struct folio *tree_next(struct iofile *io, u64 page, bool dirty_only);
void tree_free(struct iofile *io); /* empty */

/* folio.c */
static inline u64 folio_page(const struct folio *f)
{
	return f->pos / f->io->cache->page_bytes;
}
/* Inside the writeback reserve, which has order 0 of the same rank. */
static inline void folio_lock(struct folio *f)
{
	os_mutex_lock_nested(&f->lock, 1);
}
void folio_get(struct folio *f);
void folio_put(struct folio *f);
/* The folio at pos with a reference, or NULL. */
struct folio *folio_find(struct iofile *io, u64 pos);
/* Next folio that ends after pos and starts before end, with a reference. */
struct folio *folio_next(struct iofile *io, u64 pos, u64 end, bool dirty_only);
/*
 * Finds or makes the folio at pos. A new one is as large as want bytes, alignment and neighbours
 * allow, holds READING when `reading` (the caller fills it and calls folio_read_done), and counts
 * in *made.
 */
int folio_get_or_make(
	struct iofile *io, u64 pos, u64 want, bool reading, struct folio **out, bool *made);
void folio_wait_flags(struct folio *f, u32 flags);  /* lock held, dropped while waiting */
void folio_clear_flags(struct folio *f, u32 flags); /* lock held; wakes */
void folio_set_dirty(struct folio *f, u64 mask);    /* lock held */
void folio_set_clean(struct folio *f, u64 mask);    /* lock held */
/* Takes it out of tree and LRU; lock held, caller keeps its own reference. */
void folio_remove(struct folio *f);
/* Block bits that [start, end) covers: touches any part / lies wholly inside. File positions. */
u64 folio_mask_touched(const struct folio *f, u64 start, u64 end);
u64 folio_mask_inside(const struct folio *f, u64 start, u64 end);
/* The lowest run of ones. */
static inline u64 mask_first_run(u64 mask)
{
	return mask & ~(mask + (mask & -mask));
}
static inline bool iomap_covers(const struct iomap *m, u64 pos)
{
	return pos >= m->offset && pos - m->offset < m->length;
}

/* evict.c: makes room for bytes more; best effort. */
void cache_make_room(struct page_cache *pc, u64 bytes);
void lru_add(struct folio *f);
void lru_remove(struct folio *f);

/*
 * batch.c: device requests for parts of folios, merged where the device blocks
 * adjoin. Submits as it fills; batch_finish waits for all.
 */
struct io_batch;
typedef void io_batch_done_fn(struct folio *f, u64 mask, int err);
int io_batch_create(struct page_cache *pc, struct io_batch **out);
void io_batch_destroy(struct io_batch *b);
int io_batch_start(struct io_batch *b, enum dev_op op, io_batch_done_fn *done);
/* Blocks of mask (one contiguous run) of f are at device byte addr. done runs once per call. */
void io_batch_add(struct io_batch *b, struct folio *f, u64 mask, u64 addr);
void io_batch_finish(struct io_batch *b);

/* fill.c */
/* Reads the blocks of mask that are not uptodate; the folio lock is held and kept. */
int folio_fill_locked(struct folio *f, u64 mask);
/* Makes [pos, pos+len) resident and readable where it can. Caller holds the fill lock. */
int fill_range(struct iofile *io, u64 pos, u64 len);

/* writeback.c: one round over many small files, as far as it gets. Returns what was lost. */
int files_write_small(struct page_cache *pc, struct iofile *const *files, unsigned count);

/* One writer that has no memory for a batch of its own uses the reserve. */
int reserve_init(struct page_cache *pc);
void reserve_fini(struct page_cache *pc);

/* flusher.c */
int flusher_start(struct page_cache *pc);
void flusher_stop(struct page_cache *pc);
void flusher_kick(struct page_cache *pc);
/* Waits until less than limit is dirty, at most for one full round of the flusher. */
void flusher_wait_below(struct page_cache *pc, u64 limit);
void dirty_file_note(struct iofile *io);
void dirty_file_forget(struct iofile *io);

#endif
