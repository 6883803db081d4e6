/*
 * What the rooms above share of one mounted file system. The fs room owns it
 * and fills it in floor order at mount; a pointer is NULL until its room is up.
 */
#ifndef JOURNAL_VOLUME_H
#define JOURNAL_VOLUME_H

#include "base/log.h"
#include "disk/super.h"
#include "journal/journal.h"
#include "os/tally.h"

enum {
	VOLUME_READ_ONLY =
		1, /* mounted or remounted read-only, or errors=remount-ro: changes get EROFS */
	VOLUME_SHUTDOWN = 2, /* every call gets EIO */
	VOLUME_GRPID = 4,    /* new inodes take the parent's gid */
	VOLUME_NO_ACL = 8,
	VOLUME_NO_XATTR_USER = 16,
	VOLUME_NO_BARRIER = 32,
	VOLUME_DRAINING = 64, /* going read-only: what has begun may end, nothing begins */
	VOLUME_DISCARD = 256, /* freed blocks are discarded */
};

struct volume;

struct volume_ops {
	/*
	 * Corruption or I/O error found on an inode and/or block (0 = unknown): records it in
	 * the superblock and acts by errors= (MD-30). Any thread, any lock up to RANK_BUFFER held:
	 * must not block on locks; the recording is done by a work item.
	 */
	void (*error)(struct volume *v, ino_nr ino, pblk_t pblk, const char *text);
};

struct space;
struct map_cache;
struct icache;
struct page_cache;
struct dir_room;
struct orphans;

enum { /* kinds of volume.operations */
	OP_LOOKUP,
	OP_CREATE,
	OP_REMOVE,
	OP_RENAME,
	OP_OPEN,
	OP_READ,
	OP_WRITE,
	OP_SYNC
};

struct volume {
	struct super_info sb; /* immutable while mounted */
	struct dev *dev;
	struct log_sink log;
	struct bcache *bcache;
	struct journal *journal; /* never NULL once mounted; see journal_exists() */
	struct space *space;
	struct page_cache *pages;
	struct map_cache *maps; /* NULL: status caches are not bounded */
	struct icache *inodes;
	struct orphans *orphans;
	struct dir_room *dirs;
	struct buf *super_buf;	    /* pinned block that holds the superblock */
	struct os_mutex super_lock; /* rank INODE_META: fields of the superblock block, except
				       s_last_orphan (orphans) */
	u32 flags;		    /* atomic, VOLUME_* */
	const struct volume_ops *ops;
	struct tally operations; /* of users, counted by the api room */
};

/* The superblock inside super_buf. */
struct ext4_super *volume_super(struct volume *v);

/* 0, or the error that a changing (any) operation must return now. */
int volume_check_write(const struct volume *v);
int volume_check(const struct volume *v);
/* For the later steps of an operation, and for deletions: allowed while draining. */
int volume_check_finish(const struct volume *v);

/* Formats "inode I, block B: text: what to do", logs it, hands it to ops->error. Returns err. */
int volume_error(struct volume *v, int err, ino_nr ino, pblk_t pblk, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

#endif
