/* What the files of the map room share. Nothing here is for other rooms. */
#ifndef MAP_PRIV_H
#define MAP_PRIV_H

#include "base/err.h"
#include "base/trace.h"
#include "map/map.h"
#include "os/assert.h"
#include "os/atomic.h"

#define LBLK_END 0xffffffffu /* exclusive end of the largest map (IO-12) */

enum {
	MAP_DEPTH_MAX = 5,	/* levels of nodes below an extent root */
	MAP_INODE_CREDITS = 1,	/* the inode table block: root and block count */
	MAP_METADATA_STEP = 64, /* blocks freed at once where each may need a revoke record */
};

/* One volume's status caches, for shrinking. */
struct map_cache {
	struct os_mutex lock; /* rank CACHE */
	struct list maps;     /* lock: status_cache.shrink_node of every map with entries */
	u32 count;	      /* lock: maps on the list */
	u64 entries;	      /* atomic: entries of all maps */
	u64 max_entries;      /* immutable */
};

struct status_entry {
	struct rb_node node; /* a spare uses node.parent as its link */
	lblk_t lblk;
	u32 len;
	pblk_t pblk;
	u8 state;      /* enum map_state */
	u8 referenced; /* relaxed atomic: looked up since the shrinker last passed */
};

/* status.c: the cache takes its own lock. "key" is a block inside the mapping. */
void status_init(struct filemap *fm);
void status_fini(struct filemap *fm);
/* Memory for one change; without it no change may begin. fm->lock exclusive. */
int status_reserve(struct filemap *fm);
/* The mapping from lblk to the end of its cached range; false = unknown. */
bool status_lookup(struct filemap *fm, lblk_t lblk, struct mapping *out);
/* The tree says *m: caches what conflicts with nothing, clips *m to it. fm->lock held. */
void status_fill(struct filemap *fm, lblk_t key, struct mapping *m);
/* The range has changed to this; returns how many blocks were delayed. fm->lock exclusive. */
u32 status_set(struct filemap *fm, lblk_t lblk, u32 len, pblk_t pblk, enum map_state state);
/* Forgets what is known of [from, end) except delayed blocks (IO-20). fm->lock exclusive. */
void status_forget(struct filemap *fm, lblk_t from, lblk_t end);
/* Delayed blocks of the range become unknown; returns how many. fm->lock exclusive. */
u32 status_undelay(struct filemap *fm, lblk_t from, lblk_t end);
bool status_has_delayed(struct filemap *fm, lblk_t from, lblk_t end);
/* Every entry agrees with the tree. fm->lock held. */
int status_verify(struct filemap *fm);
/* status_shrink.c */
void status_listed(struct filemap *fm); /* first entry; status lock held */
void status_unlist(struct filemap *fm);
void status_shrink_excess(struct volume *v);
void status_erase_locked(struct status_cache *sc, struct status_entry *e);

/*
 * map.c: whoever changes the root or the block count under fm->lock marks it, and sets `changed`
 * alone for what lies deeper; filemap_unlock then tells the inode outside the lock (IO-135).
 * Returns err, or the error of that.
 */
void filemap_mark(struct filemap *fm);
void filemap_add_blocks(struct filemap *fm, s64 blocks);
int filemap_unlock(struct handle *h, struct filemap *fm, int err);
/* The mapping that the tree gives for lblk: its whole extent or hole around it. fm->lock held. */
int tree_lookup(struct filemap *fm, lblk_t lblk, struct mapping *out);
/* Cache, else tree; the whole range around lblk. fm->lock held. */
int map_lookup_locked(struct filemap *fm, lblk_t lblk, struct mapping *out);
/* Blocks that the map can address. */
u64 filemap_reach(const struct filemap *fm);
/* map_create with fm->lock exclusive held. */
int map_create_locked(
	struct handle *h, struct filemap *fm, lblk_t lblk, u32 len, u32 flags, struct mapping *out);
/* Unlocks, restarts the handle with these credits, locks again. fm->lock exclusive. */
int filemap_restart(struct handle *h, struct filemap *fm, u32 credits, u32 revokes);
/* 0 when the handle has them, else by restart; *restarted tells that the lock was dropped. */
int filemap_ensure(struct handle *h, struct filemap *fm, u32 credits, u32 revokes, bool *restarted);

/* goal.c: allocation on behalf of a map. */
struct goal {
	lblk_t lblk;
	u32 len;
	u32 create_flags; /* enum map_create_flags */
	bool delayed;	  /* consume claims */
	pblk_t pblk;	  /* wanted first block; 0 = the inode's area */
};
pblk_t goal_near(const struct filemap *fm, lblk_t lblk, const struct mapping *left,
	const struct mapping *right);
int goal_alloc_data(
	struct handle *h, struct filemap *fm, const struct goal *g, struct alloc_result *out);
/* A new tree or indirect block, in the handle's transaction; counted as the file's. */
int goal_create_tree(struct handle *h, struct filemap *fm, pblk_t near, u32 create_flags,
	const struct buf_type *type, const struct buf_ctx *ctx, struct buf **out);
/* Undoes goal_alloc_data after a failed insertion (IO-13). */
void goal_undo_data(
	struct handle *h, struct filemap *fm, const struct goal *g, const struct alloc_result *got);
/* Undoes goal_create_tree for a block that was never linked; consumes the reference. */
void goal_undo_tree(struct handle *h, struct filemap *fm, struct buf *b);
/*
 * IO-13: for lack of space or memory nothing was linked yet, so the blocks can go back. After other
 * errors (device, corruption, abort) nobody knows, and they leak.
 */
static inline bool goal_may_undo(int err)
{
	return err == -ENOSPC || err == -EDQUOT || err == -ENOMEM;
}
u32 goal_free_flags(const struct filemap *fm);
/* AL-20: a range that the tree names. -EUCLEAN was reported, as `what`. */
int map_range_check(const struct filemap *fm, pblk_t pblk, u64 len, const char *what);
/* Whatever can fail in map_free for lack of memory or I/O, before the map changes (AL-19). */
int map_free_prepare(struct handle *h, struct filemap *fm, pblk_t pblk, u32 len);
/* Frees blocks that no map names any more (AL-19). */
int map_free(struct handle *h, struct filemap *fm, pblk_t pblk, u32 len, u32 flags);

static inline u64 mapping_end(const struct mapping *m)
{
	return (u64)m->lblk + m->len;
}

static inline bool map_state_mapped(enum map_state s)
{
	return s == MAP_UNWRITTEN || s == MAP_WRITTEN;
}

static inline void filemap_changed(struct filemap *fm)
{
	atomic_add(&fm->cookie, 1);
}

#endif
