/*
 * Lock ranks, outer to inner, checked at run time in debug builds.
 *
 * A thread may take a lock only when its rank is greater than that of every
 * lock it holds; two locks of one rank need a greater `order` (the second
 * argument of the *_nested calls: parent 0, child 1, ...). docs/LOCKING.md
 * gives the reasons.
 */
#ifndef OS_RANK_H
#define OS_RANK_H

enum lock_rank {
	RANK_NONE,  /* unchecked: tests only */
	RANK_MOUNT, /* mount, remount, unmount */
	RANK_FREEZE,
	RANK_RENAME,	 /* one per file system: cycle check of directory moves */
	RANK_INODE,	 /* inode->lock; parent before child, else by number */
	RANK_INVALIDATE, /* inode->invalidate_lock: mappings against page fill */
	RANK_HANDLE,	 /* an open journal handle ranks as a lock */
	RANK_PAGE,	 /* folio lock */
	RANK_XATTR,	 /* inode->xattr_lock */
	RANK_ORPHAN,	 /* orphan list and file */
	RANK_FILEMAP,	 /* filemap->lock */
	RANK_STATUS,	 /* status cache */
	RANK_GROUP,	 /* one block group's bitmaps and counters */
	RANK_INODE_META, /* inode->raw_lock: fields being packed into the inode table */
	RANK_BUFFER,	 /* one metadata buffer's contents and journal state */
	RANK_JOURNAL,	 /* journal state and its lists */
	RANK_CACHE,	 /* shards of buffer, inode and page caches */
	RANK_LEAF,	 /* anything that takes no further lock */
};

#endif
