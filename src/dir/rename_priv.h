/* One rename in progress; rename.c checks and locks, rename_apply.c changes. */
#ifndef DIR_RENAME_PRIV_H
#define DIR_RENAME_PRIV_H

#include "dir/dir_priv.h"

struct rename {
	struct inode *from_dir, *to_dir; /* borrowed */
	struct name from, to;
	const struct cred *cred;
	u32 flags;
	/* As seen before the locks, under the rename lock. */
	ino_nr source_seen, target_seen; /* 0 = no such name */
	bool from_first, to_first;	 /* that directory is an ancestor of the other */
	bool source_above, target_above; /* of the other side's directory */
	/* Under the locks. One reference each. */
	struct inode *source, *target, *whiteout;
	struct dir_slot from_slot, to_slot;
};

/* All locks are held and everything was checked. */
int rename_apply(struct rename *r);

#endif
