/*
 * The page cache and buffered I/O of one volume.
 *
 * A folio caches an aligned power-of-two piece of a file (>= the block size,
 * 4 KiB .. 64 KiB or more) with per-block uptodate and dirty bits.
 *
 * Invariants
 * - A byte leaves the cache to a reader only if its block is uptodate and it
 *   lies below the size sampled after that (IO-81).
 * - A dirty block always has a mapping or a reservation; writeback never has
 *   to fail for space.
 * - A folio under writeback is stable: writers wait for it or work on a copy.
 * - Memory stays under max_bytes: clean folios are evicted, dirty ones written.
 *
 * Locks, outer to inner: the file's fill lock (ops->lock_fill, the inode's
 * invalidate lock shared), folio lock (RANK_PAGE, one at a time), cache lock
 * (RANK_JOURNAL: list of dirty files), per-file tree_lock (RANK_CACHE), LRU
 * shards (RANK_LEAF). I/O in flight holds no lock but a folio flag (READING,
 * WRITEBACK) that others wait for. No journal handle is started here except by
 * the ops tables, always before a folio lock is taken (IO-134).
 */
#ifndef IOMAP_PAGECACHE_H
#define IOMAP_PAGECACHE_H

#include "base/list.h"
#include "base/log.h"
#include "dev/dev.h"
#include "iomap/iomap.h"
#include "os/lock.h"

#include <sys/uio.h>

struct page_cache;

struct page_cache_params {
	struct dev *dev; /* borrowed */
	u32 block_size;
	u64 max_bytes;	   /* bound for all folios */
	u32 dirty_percent; /* writers are throttled above it; 0 = 20 */
	u32 expire_ms;	   /* flusher writes dirty data older than this; 0 = 30000 */
	const struct log_sink *log;
};

int page_cache_create(const struct page_cache_params *params, struct page_cache **out);
void page_cache_destroy(struct page_cache *pc); /* every iofile is finished */
/* Waits for readahead and writeback in progress, which pin files; none begins until resume. */
void page_cache_quiesce(struct page_cache *pc);
void page_cache_resume(struct page_cache *pc);
struct page_cache_stats {
	u64 bytes, dirty_bytes, hits, misses, evictions, written_bytes, read_bytes;
};
void page_cache_stats(struct page_cache *pc, struct page_cache_stats *out);

/* What one round of writeback keeps open for the file system. */
struct iomap_writeback {
	bool open, needed; /* the file system's: something is open, must be */
	u32 seen;	   /* the file system's: for writeback_spoiled */
	u64 room[16];	   /* for what it opens */
};

/* What the cache needs to know of its file; registered by the fs room. */
struct iofile_ops {
	const struct iomap_ops *read; /* page fill and readahead: lookup only */
	const struct iomap_ops
		*write; /* buffered write: may open a handle in begin, closes it in end */
	/*
	 * Where dirty blocks go: called with folios claimed and none locked, map.priv is the
	 * round's struct iomap_writeback. With IOMAP_REPORT it only looks, under a folio lock, and
	 * sets IOMAP_DIRTY where data on the device is not all that the block owes.
	 */
	const struct iomap_ops *writeback;
	u64 (*cookie)(struct iofile *io); /* current validity cookie (IO-119) */
	u64 (*size)(struct iofile *io);	  /* visible size, acquire (IO-59) */
	/* The flusher wants to write this file: take / drop a reference. get may refuse (being
	 * freed). */
	bool (*get)(struct iofile *io);
	void (*put)(struct iofile *io);
	/* Holds off truncate and punch while a page is mapped and read (IO-81). */
	void (*lock_fill)(struct iofile *io);
	void (*unlock_fill)(struct iofile *io);
	/* The rest may be NULL. */
	/* Under the folio lock: a write has brought bytes up to end into the cache (IO-26). */
	void (*grow)(struct iofile *io, u64 end);
	/*
	 * Around the mapping of one round: opens what allocation needs before any folio is claimed.
	 * Again for each file of a round over several: what is open stays so, and nothing waits.
	 */
	int (*writeback_open)(struct iofile *io, struct iomap_writeback *wb);
	int (*writeback_close)(struct iofile *io, struct iomap_writeback *wb);
	/* Mapping failed. Nothing is held: may wait for a commit. Is another attempt worth while?
	 */
	bool (*writeback_retry)(struct iofile *io, int err, unsigned *attempts);
	/*
	 * The range is on the device, or (err) lost; its folios are still under WRITEBACK. May
	 * start handles. Returns the error that is to be told at fsync; -ENOMEM, and -ENOSPC
	 * without err: nothing is lost yet, it is to be written again.
	 */
	int (*written)(struct iofile *io, u64 pos, u64 len, int err);
	/*
	 * Blocks that were mapped for their first data did not get it: what the device holds there
	 * must not be seen. The commit may be the caller: no handle, no wait for one.
	 */
	void (*first_write_failed)(struct iofile *io, u64 pos, u64 len);
	/*
	 * After that: may what was written since writeback_open have been overwritten on the
	 * device? Then it is written again where it is mapped now.
	 */
	bool (*writeback_spoiled)(struct iofile *io, const struct iomap_writeback *wb);
};

struct folio_node;

struct iofile {
	struct page_cache *cache;
	const struct iofile_ops *ops; /* immutable */
	struct os_mutex tree_lock;    /* rank CACHE */
	struct folio_node *tree;      /* folios by page index; lock: tree_lock */
	u32 tree_shift;		      /* of the top node; lock: tree_lock */
	u32 folio_count;	      /* atomic; changes under tree_lock */
	u32 dirty_count;	      /* dirty folios; atomic, changes under tree_lock */
	u32 wb_count;		      /* folios under writeback; atomic */
	u32 wb_returned;	      /* grows when a writer makes folios dirty again; atomic */
	u64 writing_end;	      /* end of the write in progress, 0 if none; atomic */
	struct list dirty_node;	      /* files with dirty folios; lock: cache lock */
	bool dirty_listed;	      /* atomic; changes under the cache lock */
	u64 dirtied_when_ns;	      /* lock: cache lock */
	u32 wb_error_seq;	      /* atomic: grows with each writeback error (IO-91) */
	int wb_error;		      /* last error; atomic */
	struct iofile_readahead {
		u64 next, window;
	} ra; /* no lock: relaxed atomics, a heuristic: torn pairs do no harm */
};

void iofile_init(struct iofile *io, struct page_cache *cache, const struct iofile_ops *ops);
/* Drops all folios, dirty ones too (their file is gone); waits for writeback in progress. */
void iofile_fini(struct iofile *io);

/*
 * Caller: holds neither a handle nor the fill lock. Returns bytes read, short only at end of file.
 * nowait: only what is in the cache; -EAGAIN if nothing of it is.
 */
ssize_t iofile_read(
	struct iofile *io, u64 pos, const struct iovec *iov, unsigned iov_count, bool nowait);
/* Caller: inode lock exclusive. Returns bytes written or an error if none were. */
ssize_t iofile_write(struct iofile *io, u64 pos, const struct iovec *iov, unsigned iov_count);
/*
 * Zeroes [pos, pos+len) in the cache through ops, skipping holes and clean unwritten (IO-79, 121).
 * Used on the end-of-file block on growth and for partial blocks of a punch. Inode lock exclusive.
 */
int iofile_zero(struct iofile *io, u64 pos, u64 len, const struct iomap_ops *ops);
/* Starts (and waits for) writeback of dirty data in [start, end). Returns the first error of this
 * call. */
int iofile_write_range(struct iofile *io, u64 start, u64 end, bool wait);
/*
 * Writes exactly those dirty blocks of the range that have a written place, and waits for the
 * device only: for the commit thread, and wherever a handle may not be started.
 */
int iofile_write_mapped(struct iofile *io, u64 start, u64 end);
/* Waits for writeback in flight, starts nothing. */
int iofile_wait_range(struct iofile *io, u64 start, u64 end);
/*
 * Removes folios of [start, end), partial edge blocks zeroed in cache; waits for writeback of
 * them. Dirty data in it is dropped. Invalidate lock exclusive.
 */
void iofile_drop_range(struct iofile *io, u64 start, u64 end);
/* Removes clean folios only; -EBUSY if a dirty one stays (IO-48). */
int iofile_invalidate_range(struct iofile *io, u64 start, u64 end);
bool iofile_is_dirty(const struct iofile *io);
/* Data to report for SEEK_DATA in unwritten or delayed space: dirty or uptodate (IO-123). */
bool iofile_has_data(struct iofile *io, u64 start, u64 end, u64 *first);

/* A loss that a later fsync must tell (IO-52). */
void iofile_error_set(struct iofile *io, int err);
/* Error cursor per open file: sample at open; each later call reports a new error once (IO-91). */
u32 iofile_error_sample(const struct iofile *io);
int iofile_error_check(struct iofile *io, u32 *cursor);

/* The same for all files of the volume together (syncfs). */
u32 page_cache_error_sample(const struct page_cache *pc);
int page_cache_error_check(struct page_cache *pc, u32 *cursor);

/* Writes everything dirty of the volume and waits (sync). */
int page_cache_sync(struct page_cache *pc);

#endif
