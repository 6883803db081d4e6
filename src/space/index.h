/*
 * Index of groups by what they can give (AL-16), so that a search costs the
 * same on ten groups and on a million.
 *
 * A group whose bitmap was examined is filed exactly, by its largest free
 * order and by its average fragment; one that was not is filed as unread by
 * the logarithm of the free count its descriptor states. A group with nothing
 * to give is not filed.
 *
 * Locks: index->lock (leaf), inside the group's lock. An entry's place changes
 * only under its group's lock, so the owner may read it without index->lock.
 */
#ifndef SPACE_INDEX_H
#define SPACE_INDEX_H

#include "base/rbtree.h"
#include "os/lock.h"
#include "space/buddy.h"

enum index_kind { INDEX_NONE, INDEX_UNREAD, INDEX_EXACT };

struct index_entry {
	struct rb_node node, frag_node; /* lock: index; keyed by group number */
	group_nr nr;			/* immutable */
	u8 kind, bucket, frag;		/* lock: group and index */
};

struct index {
	struct os_mutex lock; /* rank LEAF */
	struct rb_root unread[BUDDY_ORDERS + 1];
	struct rb_root order[BUDDY_ORDERS + 1];
	struct rb_root frag[BUDDY_ORDERS + 1];
};

/* Which groups a search looks at: buckets >= these; BUDDY_ORDERS + 1 = none of that family. */
struct index_query {
	u32 order, frag, unread;
	group_nr base;	/* nearest first, counted upwards from here, wrapping */
	group_nr count; /* groups below this number only */
};

void index_init(struct index *ix);
/* Files the entry anew. Caller holds the group's lock. */
void index_place(
	struct index *ix, struct index_entry *e, enum index_kind kind, u32 bucket, u32 frag);
/* The nearest matching group at distance >= *distance from base; sets *distance to its own. */
bool index_nearest(struct index *ix, const struct index_query *q, u32 *distance, group_nr *nr);

#endif
