/* Declarations shared inside the inode room; inode.h, xattr.h, orphan.h and cred.h are its
 * contract. */
#ifndef INODE_INODE_PRIV_H
#define INODE_INODE_PRIV_H

#include "inode/inode.h"
#include "inode/orphan.h"
#include "inode/xattr.h"
#include "os/assert.h"
#include "os/atomic.h"

enum {				    /* further bits of inode->state; 1024 is taken */
	INODE_LOADING = 256,	    /* in the cache, not yet filled: lookups wait */
	INODE_BLANK = 512,	    /* never written: the raw inode is zeroed first (AL-8) */
	INODE_BURIED = 2048,	    /* nothing but a place on the orphan list */
	INODE_VERSION_AHEAD = 4096, /* the version has grown since the inode was last written */
};

/* load.c */
struct inode *inode_alloc(struct volume *v, ino_nr ino);
void inode_free_memory(struct inode *i);
/* Reads and verifies the raw inode; special: internal callers may see links 0 and reserved numbers.
 */
int inode_load(struct inode *i, bool special);
/* Sets up map, pages and locks that depend on the fields. */
int inode_setup(struct inode *i);
void inode_teardown(struct inode *i);
/* new.c: the same for an inode whose fields are set and that has no block yet. */
void inode_setup_new(struct inode *i);
void inode_ordered_init(struct inode *i);
void acl_cache_drop(struct inode *i); /* acl.c */
extern const struct buf_type inode_table_type;
void inode_store_version(struct inode *i); /* before the inode leaves memory; no handle */
int inode_take_number(struct handle *h, struct inode *i, const struct inode_alloc_request *req);
extern const struct filemap_ops inode_map_ops;

/* cache.c */
/* Enters a new inode that nobody can know yet, waiting for an old one of that number to go. */
int icache_insert(struct inode *i);
void icache_forget_new(struct inode *i);
const struct iofile_ops *icache_io_ops(struct volume *v);
struct dio_reapers {
	struct os_rwsem lock; /* rank INVALIDATE; shared while one of them reaps */
	struct list list;     /* dio_reaper.node; lock */
};
struct dio_reapers *icache_reapers(struct volume *v);
struct xattr_cache *icache_xattrs(struct volume *v);

/* xattr_cache.c */
/* Deletes EA inodes that lost their last reference. No handle open. */
void xattr_drain(struct volume *v);

/* delete.c */
/* The last reference to an inode without links is gone: frees all it owns (OR-7). */
void inode_delete(struct inode *i);
/* A record, or blocks behind the end, that a failure left: one more attempt. True if they stay. */
bool inode_still_untruncated(struct inode *i);

static inline bool inode_state(const struct inode *i, u32 bits)
{
	return atomic_load_acq(&i->state) & bits;
}

#endif
