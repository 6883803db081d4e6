/*
 * What the files of this room share.
 *
 * Lock order inside the room, all of rank GROUP with these orders:
 *   prealloc->lock (0) -> space->gdt_lock (1) -> group->lock (2)
 * then the journal's locks, then leaves: index, zone, counters, lru, window
 * list, batches, recent inodes. Two groups, or two windows, never at once.
 */
#ifndef SPACE_SPACE_PRIV_H
#define SPACE_SPACE_PRIV_H

#include "base/err.h"
#include "base/trace.h"
#include "disk/group.h"
#include "os/thread.h"
#include "space/buddy.h"
#include "space/counter.h"
#include "space/index.h"
#include "space/space.h"
#include "space/zone.h"

enum { ORDER_PREALLOC, ORDER_GDT, ORDER_GROUP };

enum {
	SPACE_EAGER_GROUPS = 4096, /* up to here all descriptors load at mount */
	SPACE_WINDOWS_MAX = 4096,  /* non-empty windows; beyond, the oldest goes */
	SPACE_RECENT_MAX = 65536,  /* remembered inode deletions without a journal (JB-43) */
	SPACE_SHARDS = 16,	   /* locality groups (AL-14) */
	SPACE_SMALL_FILE = 16,	   /* blocks: files up to here share a locality group */
	SPACE_LOCALITY_BLOCKS = 512,
};

enum group_flags {
	GROUP_BAD_BLOCKS = 1, /* AL-22: no block is allocated or freed here */
	GROUP_BAD_INODES = 2,
	GROUP_BAD_DESC = 4, /* also no inode location */
};

struct group {
	struct os_mutex lock;	/* rank GROUP, order 2 */
	struct index_entry idx; /* idx.nr is the group's number */
	pblk_t block_bitmap;	/* immutable, like the next two */
	pblk_t inode_bitmap;
	pblk_t inode_table;
	struct buf *bbuf;    /* lock; verified block bitmap, pinned while loaded */
	struct buf *ibuf;    /* lock; the same for inodes */
	struct buddy *buddy; /* lock; NULL until needed */
	struct list pending; /* lock; struct pending_free */
	u32 pending_blocks;  /* lock */
	u32 windows;	     /* lock; windows whose blocks are used in the buddy only */
	u32 inodes_from;     /* lock; every inode below it is in use */
	u32 free_blocks;     /* written under lock, like the next two; copies of the descriptor */
	u32 free_inodes;
	u32 dirs;
	u32 flags;	 /* atomic; set under lock */
	struct list lru; /* lock: space->lru_lock; loaded groups */
	bool hot;	 /* atomic; used since the evictor came by */
};

/* One descriptor block and the groups it describes; never dropped once loaded. */
struct gdt_block {
	struct buf *buf;
	u32 count;
	struct group groups[];
};

/* A freed run that waits for its transaction (AL-4). */
struct pending_free {
	struct list batch_node; /* batch->frees; lock: group of the run, see free.c */
	struct list group_node; /* lock: group */
	struct free_batch *batch;
	struct group *group;
	u32 start, len; /* lock: group */
};

struct recent_inodes {
	struct os_mutex lock; /* rank LEAF */
	struct rb_root root;  /* lock; by number */
	struct list fifo;     /* lock; oldest first */
	u32 count;	      /* lock */
};

struct space {
	struct volume *v;
	const struct super_info *sb;
	u32 group_count, blocks_per_group, inodes_per_group;
	u32 descs_per_block, gdt_count, itable_blocks;
	u32 base_max;  /* no group_base_blocks is more */
	u32 flex_log;  /* log2 of the groups of one flex group, clipped for placement */
	bool has_csum; /* descriptors carry checksums: uninit flags and itable_unused mean something
			*/
	u64 reserved_root, reserved_internal, overhead;
	struct os_mutex gdt_lock; /* rank GROUP, order 1 */
	struct gdt_block **gdt;	  /* slots atomic, set once under gdt_lock */
	u32 gdt_loaded;		  /* lock: gdt_lock; atomic reads */
	u32 bad_descs;		  /* lock: gdt_lock; known so far */
	struct zone zone;
	struct index index;
	struct counter avail;	    /* blocks free and not claimed */
	struct counter free_blocks; /* avail + claims */
	struct counter free_inodes;
	struct counter dirs;	     /* of loaded groups */
	struct os_mutex lru_lock;    /* rank LEAF */
	struct list lru;	     /* lru_lock */
	u32 lru_count, lru_max;	     /* lru_lock; lru_max immutable */
	struct os_mutex window_lock; /* rank LEAF */
	struct list windows;	     /* window_lock; struct prealloc, oldest first */
	u32 window_count;	     /* window_lock */
	struct prealloc locality[SPACE_SHARDS];
	group_nr stream[SPACE_SHARDS]; /* relaxed atomic; where large files continue */
	group_nr inode_cursor;	       /* relaxed atomic; last group found by a full scan */
	struct os_mutex batch_lock;    /* rank LEAF */
	struct os_cond batch_cond;     /* a batch was released */
	struct list batches;	       /* batch_lock; struct free_batch by age */
	struct list spare_frees; /* batch_lock; struct pending_free, when there is no memory */
	u32 spare_count;	 /* batch_lock; read without it as a hint */
	struct free_batch *spare_batch; /* batch_lock */
	u64 pending_blocks;		/* atomic */
	struct os_workqueue *discards;	/* immutable; NULL without the option */
	struct recent_inodes recent;
};

/* geometry.c: arithmetic on group numbers and blocks. */
group_nr block_group(const struct space *sp, pblk_t pblk);
u32 block_bit(const struct space *sp, pblk_t pblk);
pblk_t group_first_block(const struct space *sp, group_nr nr);
u32 group_blocks(const struct space *sp, group_nr nr);
/* Blocks at the start of a group that hold superblock and descriptor copies. */
u32 group_base_blocks(const struct space *sp, group_nr nr);
bool range_in_device(const struct space *sp, pblk_t pblk, u64 len);
bool range_meets_copies(const struct space *sp, pblk_t pblk, u64 len);
u64 space_overhead(const struct space *sp);

/* group.c: descriptor blocks, group objects. */
int group_find(struct space *sp, group_nr nr,
	struct group **out); /* loads; EUCLEAN if the descriptor is bad */
struct group *group_peek(const struct space *sp, group_nr nr); /* NULL unless loaded */
int gdt_load(struct space *sp, u32 index, struct gdt_block **out);
/* Loads the nearest descriptor block not loaded yet, counted from group nr; false: none is left. */
bool gdt_load_next(struct space *sp, group_nr nr);
int gdt_load_flex(struct space *sp, group_nr nr); /* those of nr's whole flex group */
struct ext4_group_desc *group_desc(const struct space *sp, const struct group *g);
struct buf *group_desc_buf(const struct space *sp, const struct group *g);
void group_desc_changed(struct space *sp, struct group *g); /* checksum and cached copies */
void group_lock(struct group *g);
bool group_trylock(struct group *g);
void group_unlock(struct space *sp, struct group *g); /* also evicts what is over the bound */
bool group_is(const struct group *g, u32 flags);
/* Sets bad flags, takes the group out of the totals (AL-22), reports. Returns err. */
int group_bad_locked(struct space *sp, struct group *g, u32 flags, int err, const char *why);
void group_index_locked(struct space *sp, struct group *g);
void group_drop_all(struct space *sp);
void group_loaded_locked(
	struct space *sp, struct group *g); /* something was loaded: evictable later */

/* bitmap.c: loading and changing bitmaps. Caller holds the group's lock. */
extern const struct buf_type gdt_buf_type, block_bitmap_buf_type, inode_bitmap_buf_type;
int group_load_block_bitmap(struct space *sp, struct group *g);
int group_load_buddy(struct space *sp, struct group *g);
int group_load_inode_bitmap(struct space *sp, struct group *g);
/* Write access to descriptor and bitmap; initialises a never-used bitmap (AL-2, AL-7). */
int group_write_blocks(struct handle *h, struct space *sp, struct group *g);
int group_write_inodes(struct handle *h, struct space *sp, struct group *g);
/* Seals both and marks them dirty. */
int group_dirty_blocks(struct handle *h, struct space *sp, struct group *g);
int group_dirty_inodes(struct handle *h, struct space *sp, struct group *g);
bool group_uninit(const struct space *sp, const struct group *g, u16 flag);
int group_set_blocks(struct handle *h, struct space *sp, struct group *g, u32 start, u32 len);
int group_check_used(struct space *sp, struct group *g, u32 start, u32 len);
int group_clear_blocks(struct handle *h, struct space *sp, struct group *g, u32 start, u32 len);

/* zoneload.c */
int zone_load_range(struct space *sp, pblk_t pblk, u64 len);
bool zone_hits(struct space *sp, pblk_t pblk, u64 len, ino_nr owner);

/* search.c */
struct search {
	struct space *sp;
	const struct alloc_request *req;
	pblk_t goal;	     /* 0 = none */
	group_nr start;	     /* group the search begins at */
	u32 want;	     /* normalised length */
	group_nr limit;	     /* groups below this only */
	struct group *group; /* result: locked */
	u32 bit, len;	     /* result */
	int err;	     /* first hard error met */
};
/* 0 with s->group locked and [bit, bit+len) free in its buddy, or -ENOSPC. */
int search_blocks(struct search *s);
int search_exact(struct search *s);

/* prealloc.c */
bool window_is_small(const struct alloc_request *req);
u32 window_want(const struct space *sp, const struct alloc_request *req);
/* Takes from the window if it covers lblk. > 0: not covered. Caller holds pa->lock. */
int window_take(struct handle *h, struct space *sp, struct prealloc *pa,
	const struct alloc_request *req, lblk_t lblk, struct alloc_result *out);
void window_set(
	struct space *sp, struct group *g, struct prealloc *pa, lblk_t lblk, u32 bit, u32 len);
void window_clear(struct space *sp, struct prealloc *pa);
/* Gives back the blocks of all windows it can lock; true if there were any. */
bool windows_reclaim(struct space *sp, u32 keep);
void prealloc_lock(struct prealloc *pa);

/* alloc.c */
u64 space_floor(const struct space *sp, u32 flags);

/* free.c */
int batches_init(struct space *sp);
void batches_destroy(struct space *sp);

/* discard.c */
bool discard_wanted(const struct space *sp);
void discard_freed(struct space *sp, const struct list *frees); /* struct pending_free */

/* recent.c */
void recent_init(struct recent_inodes *r);
void recent_fini(struct recent_inodes *r);
void recent_add(struct recent_inodes *r, ino_nr ino);
bool recent_contains(struct recent_inodes *r, ino_nr ino);

/* orlov.c: calls visit on groups in order of preference until it returns != 0. */
typedef int group_visit_fn(void *arg, struct group *g);
int orlov_walk(
	struct space *sp, const struct inode_alloc_request *req, group_visit_fn *visit, void *arg);

#endif
