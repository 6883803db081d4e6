/*
 * The system zone (AL-20): which blocks belong to the file system itself.
 *
 * Superblock and descriptor copies follow from the geometry; bitmaps, inode
 * tables and the journal are kept as disjoint ranges in a tree that fills as
 * descriptor blocks load. Adjacent ranges of one owner are merged, so a
 * flex_bg file system needs a few nodes per flex group.
 *
 * Locks: zone->lock (leaf), inside group locks.
 */
#ifndef SPACE_ZONE_H
#define SPACE_ZONE_H

#include "base/rbtree.h"
#include "os/lock.h"

struct zone {
	struct os_rwsem lock; /* rank LEAF */
	struct rb_root root;  /* lock; struct zone_range by start, disjoint */
	u32 count;	      /* lock */
};

struct zone_range {
	struct rb_node node;
	pblk_t start;
	u64 len;
	ino_nr owner; /* 0 = the file system */
	struct zone_range *next_spare;
};

/* Memory for ranges to come; its owner uses it alone. */
struct zone_spares {
	struct zone_range *first;
};
int zone_reserve(struct zone_spares *s, u32 count); /* ENOMEM: nothing is kept */
void zone_spares_free(struct zone_spares *s);

void zone_init(struct zone *z);
void zone_fini(struct zone *z);
/* EUCLEAN when the range overlaps one that is there. Uses up to one spare, which must be there. */
int zone_add(struct zone *z, struct zone_spares *s, pblk_t start, u64 len, ino_nr owner);
/* Does any range, other than those of owner (0 = all count), meet [start, start+len)? */
bool zone_overlaps(struct zone *z, pblk_t start, u64 len, ino_nr owner);
/* The first part of a range inside [start, end), or false. */
bool zone_next(struct zone *z, pblk_t start, pblk_t end, pblk_t *out, u64 *len);

#endif
