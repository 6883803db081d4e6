/*
 * File maps: file block -> device block, for extent trees and indirect maps.
 *
 * Works on a struct filemap embedded in the inode, never on the inode itself.
 *
 * Invariants
 * - Each logical block is hole, delayed, unwritten or written (IO-1); legal
 *   transitions are asserted in debug builds (IO-2).
 * - The status cache is the only way to a mapping: lookup, else tree under the
 *   lock shared, else create under it exclusive with a second lookup (IO-5).
 *   Tree and cache change together under the lock exclusive (IO-20).
 * - cookie grows with every change; a mapping used after the lock was dropped
 *   is compared with it (IO-22).
 *
 * Locks: filemap->lock (RANK_FILEMAP), status lock inside it. Handles are
 * started by the caller, outside. Thread-safe.
 */
#ifndef MAP_MAP_H
#define MAP_MAP_H

#include "journal/volume.h"
#include "map/status_cache.h"
#include "os/atomic.h"
#include "space/space.h"

enum map_state { MAP_HOLE, MAP_DELAYED, MAP_UNWRITTEN, MAP_WRITTEN };

struct mapping {
	lblk_t lblk;
	u32 len;     /* >= 1 */
	pblk_t pblk; /* unwritten and written only */
	enum map_state state;
	bool fresh; /* allocated by this call (IO-3) */
	u64 cookie;
};

struct filemap;

/* Upward calls, registered by the inode room. */
struct filemap_ops {
	/*
	 * The map changed: whoever syncs the file waits for this handle (IO-24). With record, its
	 * root or the block count changed, too: write the raw inode in this handle. Called without
	 * fm->lock (IO-135): hold it shared while packing, so that an older root never overwrites
	 * a newer one. Also called when the operation itself failed half-way.
	 */
	int (*dirty)(struct handle *h, struct filemap *fm, bool record);
	/* i_blocks moves by this many file system blocks; called under fm->lock. */
	void (*add_blocks)(struct filemap *fm, s64 blocks);
};

struct filemap {
	u64 delayed; /* delayed blocks; atomic, changes under fm->lock */
	struct volume *volume;
	const struct filemap_ops *ops;
	struct os_rwsem lock; /* rank FILEMAP */
	u8 root[60];	      /* i_block; lock: fm->lock */
	bool extents;	      /* lock: fm->lock; false = indirect */
	bool metadata_data;   /* data blocks are metadata (directories, slow symlinks, EA values):
				 revoke on free */
	ino_nr owner;	      /* immutable after init */
	u32 csum_seed;	      /* I(n); immutable after init */
	u64 size_blocks_hint; /* file size in blocks for the allocator; relaxed atomic */
	u32 alloc_flags;      /* SPACE_ROOT etc. of the latest writer; relaxed atomic */
	u64 cookie;	      /* atomic; changes under fm->lock */
	u32 zeroings; /* conversions that zeroed around them; atomic, changes under fm->lock */
	struct status_cache status;
	struct prealloc pa;
	lblk_t last_lblk; /* where the last allocation ended; lock: fm->lock */
	pblk_t last_pblk;
	bool changed;	 /* lock: fm->lock; the unlocking thread calls ops->dirty */
	bool root_dirty; /* lock: fm->lock; and that with record */
	u16 depth_hint;	 /* relaxed atomic copy of the root's depth, for credits */
};

/* root is the raw i_block. Verifies the root node (HD-5) when extents. */
int filemap_init(struct filemap *fm, struct volume *v, const struct filemap_ops *ops, ino_nr owner,
	u32 csum_seed, const u8 root[60], bool extents);
/* An empty map of the given kind for a new inode. */
void filemap_init_empty(struct filemap *fm, struct volume *v, const struct filemap_ops *ops,
	ino_nr owner, u32 csum_seed, bool extents);
/* Drops cache and windows; nothing delayed may remain. The caller has excluded everyone else. */
void filemap_fini(struct filemap *fm);
/* Largest file size in bytes this kind of map supports (IO-12). */
u64 filemap_max_bytes(const struct volume *v, bool extents);

/* One mapping that covers lblk, clipped to [lblk, lblk+len). Never allocates blocks. */
int map_lookup(struct filemap *fm, lblk_t lblk, u32 len, struct mapping *out);
/* Only from the status cache; -EAGAIN if it does not know. For NOWAIT. */
int map_lookup_cached(struct filemap *fm, lblk_t lblk, u32 len, struct mapping *out);

enum map_create_flags {
	MAP_CREATE_UNWRITTEN = 1, /* else written: the caller zeroes or orders the data (IO-2) */
	MAP_CREATE_ZERO = 2,	  /* zero on the device before it becomes visible (IO-6) */
	MAP_CREATE_METADATA = 4,  /* directory and symlink blocks: allocator hints, no window */
	MAP_CREATE_MUST = 8,	  /* may use the internal reserve (IO-14) */
	MAP_CREATE_CLAIMED =
		16, /* delayed before; claims are consumed exactly for delayed blocks */
};
/*
 * Finds or allocates; on a hole allocates up to len blocks. Indirect maps can't do UNWRITTEN:
 * written. If tree insertion fails for space the blocks are freed (IO-13). The run stops where the
 * state of the first block ends, so it is delayed as a whole or not at all. Revokes: none.
 */
int map_create(
	struct handle *h, struct filemap *fm, lblk_t lblk, u32 len, u32 flags, struct mapping *out);
/* Credits for one map_create of up to len blocks, incl. tree blocks, bitmaps and the inode. */
u32 map_create_credits(const struct filemap *fm, u32 len);

/*
 * unwritten -> written after I/O (IO-14..19), whole range must be allocated (ESTALE). May restart
 * the handle between two extents, each complete in itself. If a split finds no space, blocks of the
 * same extent around the range are zeroed on the device (IO-15).
 */
int map_convert_written(struct handle *h, struct filemap *fm, lblk_t lblk, u32 len);
u32 map_convert_credits(const struct filemap *fm, u32 len);
/*
 * Grows with each such zeroing. It knows nothing of data that others brought, or are bringing, into
 * the same extent and have not converted yet: whoever finds, after its own conversion, another
 * number than before its lookup writes its data again, where it is mapped by then.
 */
static inline u32 map_zeroings(const struct filemap *fm)
{
	return atomic_load_acq(&fm->zeroings);
}
/*
 * written/unwritten/hole -> unwritten, allocating holes (zero range, IO-105). Restarts likewise.
 * If a split finds no space, the blocks stay written and are zeroed. Credits: map_create_credits.
 */
int map_convert_unwritten(struct handle *h, struct filemap *fm, lblk_t lblk, u32 len);

/*
 * Removes [from, end) (end exclusive, 2^32-1 = to the end), freeing blocks from right to left.
 * Restarts the handle as needed (IO-21, IO-98): an orphan record must protect the file where the
 * caller needs that; fm->lock is dropped across restarts. dirty() is called before each restart.
 */
int map_remove(struct handle *h, struct filemap *fm, lblk_t from, lblk_t end);
u32 map_remove_credits(const struct filemap *fm);
u32 map_remove_revokes(const struct filemap *fm);

/*
 * Collapse (delta < 0) and insert (delta > 0): shifts everything from lblk on; extents only. EINVAL
 * unless [from + delta, from) is a hole, EBUSY with delayed blocks there or behind. Restarts
 * likewise; the caller excludes every other user of the file (IO-21, IO-106).
 */
int map_shift(struct handle *h, struct filemap *fm, lblk_t from, s64 delta);
u32 map_shift_credits(const struct filemap *fm);

/*
 * Delayed blocks: exist only in the status cache; claims are the caller's (IO-23). On errors
 * *newly_delayed still tells how many blocks were delayed.
 */
int map_delay(struct filemap *fm, lblk_t lblk, u32 len, u32 *newly_delayed);
u32 map_undelay(struct filemap *fm, lblk_t from, lblk_t end); /* returns how many were delayed */

/* Checks the whole tree, and the status cache against it; for tests and debug. */
int map_verify_all(struct filemap *fm);

#endif
