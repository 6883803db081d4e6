/*
 * The inode object, its cache and its life cycle.
 *
 * Invariants
 * - One object per inode number; inode_get gives a reference to a verified
 *   inode (HD-4), inode_put drops it. The last put of an inode with no links
 *   deletes it (OR-7).
 * - disk_size <= size while the inode lock is held; the raw inode always gets
 *   disk_size (IO-25).
 * - Every change of f, size, map root or xattrs is followed by inode_dirty in
 *   the same handle, which packs and checksums the raw inode at once.
 *
 * Locks, outer to inner: lock (IL), invalidate_lock (ML), [handle], xattr_lock,
 * map.lock, raw_lock. Two inodes: parent before child (order 0, 1), else by
 * number with inode_lock_two.
 */
#ifndef INODE_INODE_H
#define INODE_INODE_H

#include "disk/inode.h"
#include "inode/cred.h"
#include "iomap/pagecache.h"
#include "map/map.h"
#include "os/atomic.h"
#include "os/clock.h"

enum inode_state {	       /* bits of inode->state, atomic */
	INODE_ORPHAN_FILE = 1, /* has a slot in the orphan file */
	INODE_ORPHAN_LIST = 2, /* is on the superblock's list */
	INODE_FREEING = 4,     /* last reference gone: lookups wait */
	INODE_BAD = 8,	       /* failed a check: every operation gets EUCLEAN */
	INODE_EA = 16,	       /* holds an attribute value (XA-6) */
	INODE_TMPFILE = 64,    /* made without a name: may get one though it has no link (DR-17) */
	INODE_EMPTIED = 128, /* cut to nothing: what is written next probably replaces it (IO-85) */
	INODE_UNTRUNCATED = 1024, /* a truncation failed: blocks behind the end hold old data */
	INODE_NEW = 32, /* its directory entry may not be durable (no-journal fsync, IO-92) */
};

struct inode {
	/* What a lookup touches, in one cache line. */
	struct volume *volume;	 /* immutable */
	ino_nr ino;		 /* immutable */
	u32 refs;		 /* atomic; 0 -> 1 only under the cache shard lock */
	u32 state;		 /* atomic, INODE_* */
	bool used_again;	 /* lock: cache shard */
	struct inode *hash_next; /* lock: cache shard */
	struct list lru;	 /* lock: cache shard */
	u64 name_key; /* directories: of its names in the dir room's cache, or 0; atomic */

	struct os_mutex raw_lock; /* rank INODE_META: f.blocks, disk_size, times while packing */
	u64 size;		  /* VS; published with release (IO-59) */
	u64 disk_size;		  /* DS; atomic, changes under raw_lock */
	struct inode_fields
		f; /* lock: IL exclusive to change, raw_lock as well for blocks and times */
	struct filemap map;
	struct os_rwsem lock;		 /* IL, rank INODE */
	struct os_rwsem invalidate_lock; /* ML, rank INVALIDATE */
	struct os_rwsem xattr_lock;	 /* rank XATTR */
	struct iofile io;
	struct ordered_inode ordered;
	u64 raw_place; /* relaxed atomic: block << 16 | offset of the raw inode; 0 = not asked yet
			*/
	u32 csum_seed; /* I(n); immutable */
	u32 dio_in_flight;	       /* atomic; dio.h */
	struct os_completion dio_idle; /* whoever holds IL exclusive may wait on it */
	struct handle write_handle;    /* lock: IL exclusive; the buffered write in progress */
	tid_nr sync_tid, datasync_tid; /* atomic: commits that fsync, fdatasync wait for (IO-24) */
	ino_nr parent_hint;	       /* relaxed; for no-journal fsync and locality */
	u32 lookups;		       /* atomic; the face's own reference count (FUSE nlookup) */
	struct list orphan_node;       /* lock: orphans */
	u32 orphan_slot;	       /* lock: orphans */
	u32 dir_hint;	 /* directories: block with room for the next entry; relaxed */
	void *acl_cache; /* lock: xattr_lock; private to acl.c */
};

struct icache_params {
	u32 max_unused; /* unreferenced inodes kept; 0 = 65536 */
};
int icache_create(struct volume *v, const struct icache_params *params);
void icache_destroy(struct volume *v); /* no references left */
/* Set once by the fs room before the first inode_get: file data ops for regular files. */
void icache_set_io_ops(struct volume *v, const struct iofile_ops *ops);

/* ESTALE: no links and nobody has it open. EUCLEAN/EBADMSG: reported by volume_error. */
int inode_get(struct volume *v, ino_nr ino, struct inode **out);
/* If it is in memory; NULL if not, or if inode_get would have to wait or to refuse it. */
struct inode *inode_get_cached(struct volume *v, ino_nr ino);
/* For internal callers: special numbers, EA inodes, orphans with no links. */
int inode_get_special(struct volume *v, ino_nr ino, struct inode **out);
void inode_hold(struct inode *i);
bool inode_hold_unless_freeing(
	struct inode *i);	 /* false when its last reference is being dropped */
void inode_put(struct inode *i); /* may start handles: call with no handle and no lock held */
/* Drops unreferenced inodes (all of them at unmount). Returns how many remain referenced. */
u32 icache_shrink(struct volume *v, u32 keep);
/* How often a number was found in memory, and was not. */
void icache_stats(struct volume *v, u64 *hits, u64 *misses);
/* Every operation that took an inode lock before has ended, direct I/O too. No lock held. */
void icache_barrier(struct volume *v);

struct inode_new {
	u32 mode;  /* type and permission bits */
	u32 umask; /* applied unless the parent has a default ACL */
	u32 rdev_major, rdev_minor;
	const struct cred *cred;
	u32 name_hash;
	bool no_link; /* O_TMPFILE: nlink 0, on the orphan record from birth (DR-17) */
};
/*
 * Allocates and initialises a new inode (MD-24, AL-8, ACL and setgid inheritance) with nlink 1
 * (2 for a directory, 0 with no_link) and writes it. Credits: inode_new_credits. The caller adds
 * the name; if that fails it calls inode_new_failed (DR-15). *out must start as NULL; when
 * it is set, even with an error, the caller puts it after the handle is stopped.
 */
int inode_new(
	struct handle *h, struct inode *parent, const struct inode_new *req, struct inode **out);
int inode_new_failed(struct handle *h, struct inode *i);
u32 inode_new_credits(struct inode *parent);

/* Packs the raw inode into its table block in h. Any thread; takes raw_lock. */
int inode_dirty(struct handle *h, struct inode *i);
enum { INODE_DIRTY_CREDITS = 1 };
/* Raw bytes as stored now, for the in-inode xattr area. The caller holds xattr_lock; put the buffer
 * after. */
int inode_raw(struct inode *i, struct buf **b, void **raw);

void inode_lock_two(struct inode *a, struct inode *b); /* a may equal b; a, b may be NULL */
void inode_unlock_two(struct inode *a, struct inode *b);

static inline u64 inode_size(const struct inode *i)
{
	return atomic_load_acq(&i->size);
}
void inode_set_size(struct inode *i, u64 size);	     /* VS, release */
void inode_set_disk_size(struct inode *i, u64 size); /* DS, under raw_lock */
/* Both at once, so that no end of I/O that saw the old size can come between (IO-26). */
void inode_set_sizes(struct inode *i, u64 size);
static inline u64 inode_disk_size(const struct inode *i)
{
	return atomic_load_acq(&i->disk_size);
}
/* Data up to end is on the device: DS grows to min(end, VS). True if it did; *old is what it was.
 */
bool inode_raise_disk_size(struct inode *i, u64 end, u64 *old);
/*
 * Promises space to the holes [lblk, lblk+len), which the caller knows to be such (inode lock
 * exclusive), and makes them delayed: all or nothing. ENOSPC comes here, never later (IO-71).
 */
int inode_delay(struct inode *i, lblk_t lblk, u32 len);
/* The data of what is delayed in [from, end) is gone: gives back what was promised (IO-23). */
void inode_undelay(struct inode *i, lblk_t from, lblk_t end);
bool inode_is(const struct inode *i, u32 type); /* S_IFREG, S_IFDIR, ... */

enum { INODE_ATIME = 1, INODE_MTIME = 2, INODE_CTIME = 4 };
/* Sets times to now and bumps i_version (MD-23); the caller dirties. */
void inode_touch(struct inode *i, u32 which);
/* A change in the tick of the last one: a version of its own, stored with whatever is stored next.
 */
void inode_touch_version(struct inode *i);
/* Links, with the rules of DR-14; the caller dirties. */
int inode_inc_links(struct inode *i);
void inode_dec_links(struct inode *i);
void inode_clear_links(struct inode *i); /* a removed directory (DR-16) */

/*
 * Frees blocks beyond i->size in as many transactions as needed: orphan record first, removed last
 * (OR-4, IO-98). Inode lock exclusive; size and disk_size are already set; no handle open.
 */
int inode_truncate_blocks(struct inode *i);

/* Fast symlink target (MD-19) into buf of at least 60 bytes; 0 if slow. */
int inode_fast_symlink(const struct inode *i, char *buf);
bool inode_symlink_is_fast(const struct inode *i);
int inode_set_fast_symlink(struct inode *i, const char *target, size_t len);
/* Slow ones: the target's length, at most size bytes copied. */
ssize_t inode_slow_symlink(struct inode *i, char *buf, size_t size);
int inode_set_slow_symlink(struct handle *h, struct inode *i, const char *target, size_t len);
u32 inode_slow_symlink_credits(const struct inode *i);

#endif
