/*
 * Inside the inode room: areas of attributes as lists of items, the shared
 * attribute block, EA inodes.
 *
 * A change loads both areas into memory, changes the lists, builds new images
 * and only then touches what is stored, so that a failure leaves the old value
 * (XA-5).
 *
 * Locks, inside the handle: xattr_lock, then the block's lock (order 1), then
 * the EA inode's (order 2); all of RANK_XATTR. The block's lock protects
 * reference count and freeing of a block; its entries change only while its
 * reference count is 1, so an inode that refers to it reads them under its
 * own xattr_lock.
 */
#ifndef INODE_XATTR_PRIV_H
#define INODE_XATTR_PRIV_H

#include "disk/xattr.h"
#include "inode/inode_priv.h"

struct xattr_item {
	u8 index, name_len;
	const char *name;  /* no NUL */
	const void *value; /* NULL if it lies in an EA inode */
	u32 size;
	ino_nr inum; /* EA inode, 0 = none */
	u32 hash;    /* with inum: e_hash */
};

struct xattr_area {
	bool block;   /* else in the inode */
	bool changed; /* items differ from data */
	u32 size;     /* bytes with header; 0 = there is no such area */
	u32 count;
	struct xattr_item *items; /* names and values point into data, or belong to the caller */
	u8 *data;		  /* copy of what is stored; zeroes if nothing is */
	u8 *image;		  /* what shall be stored */
};

/* --- xattr_area.c --- */
u32 xattr_ibody_size(const struct inode *i);
/* The verified live area for reading, or *area NULL; the caller holds xattr_lock and puts *b. */
int xattr_ibody_read(struct inode *i, struct buf **b, const u8 **area);
int xattr_area_load(struct inode *i, bool block, struct xattr_area *a);
void xattr_area_free(struct xattr_area *a);
int xattr_area_find(const struct xattr_area *a, u8 index, const char *name, size_t name_len);
void xattr_area_remove(struct xattr_area *a, u32 k);
void xattr_area_add(struct xattr_area *a, const struct xattr_item *item);
/* Would it still fit with this item added? */
bool xattr_area_fits(const struct xattr_area *a, const struct xattr_item *item);
/* Builds image from items, which fit. */
void xattr_area_build(struct xattr_area *a);
bool xattr_area_has_ea(const struct xattr_area *a);

static inline struct ext4_xattr_entry *xattr_first(const void *area, bool block)
{
	return (void *)((u8 *)area + (block ? sizeof(struct ext4_xattr_header)
					    : sizeof(struct ext4_xattr_ibody_header)));
}
/* Only after verify, and without EA inode. */
static inline const void *xattr_value_at(
	const void *area, bool block, const struct ext4_xattr_entry *e)
{
	const u8 *base = block ? area : (const void *)xattr_first(area, false);

	return base + le16_to_cpu(e->e_value_offs);
}

/* --- xattr_block.c --- */
int xattr_block_read(struct inode *i, struct buf **b);
/*
 * Makes a->image (NULL: no block) the inode's attribute block: changes it in place, shares an
 * equal one, or takes a new one. *kept: the old block lives on for others, with its EA inodes.
 * `fresh`: the EA inode made for this change, whose reference the image already has.
 */
int xattr_block_store(
	struct handle *h, struct inode *i, const struct xattr_area *a, ino_nr fresh, bool *kept);
/* Deletion: -EAGAIN if it is the last reference and values in EA inodes must go first. */
int xattr_block_release(struct handle *h, struct inode *i);
u32 xattr_block_ea_count(const struct inode *i);

/* --- xattr_ea.c --- */
int xattr_ea_create(
	struct handle *h, struct inode *i, const void *value, u32 size, struct inode **out);
u32 xattr_ea_hash(const struct inode *ea);
/* Undoes xattr_ea_create, or drops the memory of what was created. */
void xattr_ea_discard(struct handle *h, struct inode *ea);
void xattr_ea_close(struct inode *ea);
int xattr_ea_read(struct inode *i, const struct ext4_xattr_entry *e, void *value);
/* delta +1 or -1. At 0 it goes on the orphan record, and is deleted by xattr_drain. */
int xattr_ea_ref(struct handle *h, struct inode *i, ino_nr inum, int delta);
/* The same for delta -1 in two steps: what can fail is done before the change that it belongs to.
 */
int xattr_ea_prepare_drop(struct handle *h, struct inode *i, ino_nr inum, struct inode **ea);
int xattr_ea_drop(struct handle *h, struct inode *i, struct inode *ea);
u32 xattr_ea_create_credits(const struct volume *v, size_t size);

/* --- xattr_cache.c --- */
struct xattr_cache;
int xattr_cache_create(struct xattr_cache **out);
void xattr_cache_destroy(struct xattr_cache *c);
struct os_mutex *xattr_block_lock(struct volume *v, pblk_t pblk);
struct os_mutex *xattr_ea_lock(struct volume *v, ino_nr ino);
/* Blocks that may be shared, by h_hash. Entering one and dropping it: under its block lock. */
void xattr_index_enter(struct volume *v, u32 hash, pblk_t pblk);
void xattr_index_drop(struct volume *v, u32 hash, pblk_t pblk);
/* The next candidate after *pos (start at 0). */
bool xattr_index_next(struct volume *v, u32 hash, u32 *pos, pblk_t *pblk);
bool xattr_index_has(struct volume *v, u32 hash, pblk_t pblk);
void xattr_defer(struct volume *v, struct inode *ea);

/* --- xattr_name.c --- */
/* Full name -> index and rest of the name. -EOPNOTSUPP, -EINVAL, -ERANGE. */
int xattr_name_parse(const struct volume *v, const char *name, u8 *index, const char **rest);
/* Length of the prefix, NULL for names that are not listed. */
const char *xattr_name_prefix(const struct volume *v, const struct cred *c, u8 index);

/* --- xattr_lookup.c --- */
/* The stored value by index and short name; size 0 = ask. The caller holds xattr_lock. */
ssize_t xattr_get_locked(struct inode *i, u8 index, const char *name, void *value, size_t size);

/* --- xattr_op.c --- */
/* A change with its own handle; mode: new mode bits that go with it, or -1. */
struct xattr_change {
	u8 index;
	const char *name;
	const void *value; /* NULL removes */
	size_t size;
	u32 flags; /* XATTR_SET_* */
	s64 mode;
	bool may_miss; /* removing what is not there is fine */
};
int xattr_change(struct inode *i, const struct xattr_change *c);

/* --- acl.c, acl_set.c --- */
/* value NULL removes. A complete operation. */
int acl_set(struct inode *i, const struct cred *cred, u8 index, const void *value, size_t size);
ssize_t acl_get(struct inode *i, u8 index, void *value, size_t size);

#endif
