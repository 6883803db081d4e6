/*
 * Orphan records: the superblock's list and the orphan file (OR-1..8). An
 * inode has at most one record; both calls are idempotent. Lock: orphans'
 * own (RANK_ORPHAN), inside the handle.
 */
#ifndef INODE_ORPHAN_H
#define INODE_ORPHAN_H

#include "inode/inode.h"

/* Opens the orphan file if the feature is on. After icache_create. */
int orphans_create(struct volume *v);
void orphans_destroy(struct volume *v);
/*
 * Adds / removes the record in h. Credits: ORPHAN_CREDITS. The list goes through the inodes: who is
 * put there (INODE_ORPHAN_LIST) has been written by that, with all that changed before.
 */
int orphan_add(struct handle *h, struct inode *i);
int orphan_remove(struct handle *h, struct inode *i);
/* For those who write the inode next. */
int orphan_remove_unwritten(struct handle *h, struct inode *i);
/*
 * i leaves memory with its record, which the next mount finishes. On the list its neighbours still
 * write what they must of it: then it is kept, without cache, map and pages, and true is returned.
 */
bool orphan_bury(struct inode *i);
enum { ORPHAN_CREDITS = 3 };

/* After replay, before service: truncates or deletes everything recorded (OR-5, OR-6). */
struct orphan_report {
	u32 deleted, truncated, skipped;
};
int orphans_cleanup(struct volume *v, bool drop_only, struct orphan_report *out);
/* Has an inode in memory work to finish? */
bool orphans_pending(struct volume *v);
bool orphans_empty(struct volume *v); /* the orphan file holds no entry (OR-3) */

#endif
