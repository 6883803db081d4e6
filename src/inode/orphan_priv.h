/* Inside the inode room: state of the orphan list and the orphan file. */
#ifndef INODE_ORPHAN_PRIV_H
#define INODE_ORPHAN_PRIV_H

#include "inode/inode_priv.h"

struct orphans {
	struct os_mutex lock; /* rank ORPHAN */
	struct list list;     /* inodes on the superblock's list, head first; lock */
	/* The orphan file; count 0 without the feature. Blocks are pinned. */
	u32 block_count;     /* immutable */
	u32 slots_per_block; /* immutable */
	u32 csum_seed;	     /* I(orphan file); immutable */
	struct buf **blocks; /* contents: lock */
	u32 *free_slots;     /* per block; lock */
	u32 used;	     /* entries in the file; lock */
	u32 hint;	     /* block to try first; lock */
};

/* orphan.c: the list on disk ends where the one in memory does. */
int orphan_list_cut(struct handle *h, struct volume *v);

/* orphan_file.c; the caller holds orphans->lock. -ENOSPC: no free slot, use the list. */
int orphan_file_add(struct handle *h, struct inode *i);
int orphan_file_remove(struct handle *h, struct inode *i);
int orphan_file_open(struct volume *v);
void orphan_file_close(struct volume *v);
/* The inode number in a slot (0 = free). slot counts over all blocks. */
ino_nr orphan_file_entry(struct volume *v, u32 slot);
u32 orphan_file_slots(struct volume *v);
/* For cleanup: the inode was found in this slot. */
void orphan_file_adopt(struct inode *i, u32 slot);
/* Clears a slot that names no usable inode. */
int orphan_file_clear(struct handle *h, struct volume *v, u32 slot);

#endif
