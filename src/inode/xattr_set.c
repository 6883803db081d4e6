/* Changing attributes within a handle: where a value goes, and in which order things are written.
 */
#include "base/err.h"
#include "inode/xattr_priv.h"
#include "os/mem.h"

#include <string.h>

struct set {
	struct handle *h;
	struct inode *i;
	struct xattr_area body, block;
	struct xattr_item item; /* the new value, if there is one */
	bool add;
	struct inode *ea;     /* made for the new value */
	struct inode *old_ea; /* prepared for dropping */
	ino_nr old_inum;      /* EA inode of the old value */
	u32 old_size;
	bool old_in_block;
	bool old_kept; /* the old block lives on for other inodes, with its values */
};

static u64 ea_sectors(const struct volume *v, u32 size)
{
	return div_up(size, v->sb.cluster_size) * (v->sb.cluster_size / 512);
}

/* MD-17: the parent counts what its values take in EA inodes. */
static void count_values(struct inode *i, u32 more, u32 less)
{
	u64 add = ea_sectors(i->volume, more), sub = ea_sectors(i->volume, less);

	os_mutex_lock(&i->raw_lock);
	i->f.blocks += add;
	i->f.blocks -= min_of(sub, i->f.blocks);
	os_mutex_unlock(&i->raw_lock);
}

static void take_old(struct set *s, struct xattr_area *a)
{
	int k = xattr_area_find(a, s->item.index, s->item.name, s->item.name_len);

	if (k < 0)
		return;
	s->old_inum = a->items[k].inum;
	s->old_size = a->items[k].size;
	s->old_in_block = a->block;
	xattr_area_remove(a, (u32)k);
}

static int load(struct set *s)
{
	int err = xattr_area_load(s->i, false, &s->body);

	if (!err)
		err = xattr_area_load(s->i, true, &s->block);
	if (err)
		return err;
	if (s->i->f.file_acl && !xattr_area_has_ea(&s->block))
		xattr_index_enter(s->i->volume,
			le32_to_cpu(((struct ext4_xattr_header *)s->block.data)->h_hash),
			s->i->f.file_acl);
	take_old(s, &s->body);
	if (!s->body.changed)
		take_old(s, &s->block);
	return s->add || s->body.changed || s->block.changed ? 0 : -ENODATA;
}

/* Only the inode's own area is part of the format of inline data. */
static bool body_only(const struct xattr_item *item)
{
	return item->index == EXT4_XATTR_INDEX_SYSTEM;
}

static bool place_in(struct set *s, struct xattr_area *a)
{
	if (!a->size || !xattr_area_fits(a, &s->item))
		return false;
	xattr_area_add(a, &s->item);
	return true;
}

static int make_ea(struct set *s)
{
	int err = xattr_ea_create(s->h, s->i, s->item.value, s->item.size, &s->ea);

	if (err)
		return err;
	s->item.inum = s->ea->ino;
	s->item.value = NULL;
	s->item.hash =
		xattr_entry_hash_inode(s->item.name, s->item.name_len, xattr_ea_hash(s->ea), false);
	return 0;
}

/* The inode's own area is nearest; the block comes next; an inode of its own is the last resort. */
static int place(struct set *s)
{
	struct xattr_item outside = s->item;
	int err;

	if (!s->add || place_in(s, &s->body))
		return 0;
	if (body_only(&s->item))
		return ERR(ENOSPC);
	if (place_in(s, &s->block))
		return 0;
	outside.inum = 1; /* only the space counts */
	if (!super_has_ea_inode(&s->i->volume->sb) || s->item.size == 0 ||
		(!(s->body.size && xattr_area_fits(&s->body, &outside)) &&
			!xattr_area_fits(&s->block, &outside)))
		return ERR(ENOSPC);
	err = make_ea(s);
	if (!err && !place_in(s, &s->body) && !place_in(s, &s->block))
		err = ERR(ENOSPC);
	return err;
}

static int store_block(struct set *s)
{
	struct xattr_area *a = &s->block;
	bool kept = false;
	int err;

	xattr_area_build(a);
	/* The first 32 bytes are the header, whose hash follows from the rest. */
	if (s->i->f.file_acl && a->count && memcmp(a->image + 32, a->data + 32, a->size - 32) == 0)
		return 0;
	err = xattr_block_store(s->h, s->i, a->count ? a : NULL, s->ea ? s->ea->ino : 0, &kept);
	s->old_kept = s->old_in_block && kept;
	return err;
}

/* Others pack and checksum the raw inode (raw_lock), or copy its block (the buffer's lock). */
static void store_body(struct set *s, struct buf *b, u8 *raw)
{
	struct inode *i = s->i;

	xattr_area_build(&s->body);
	os_mutex_lock(&i->raw_lock);
	os_mutex_lock(&b->lock);
	memcpy(raw + i->volume->sb.inode_size - s->body.size, s->body.image, s->body.size);
	os_mutex_unlock(&b->lock);
	os_mutex_unlock(&i->raw_lock);
}

/* Whatever can fail comes before the first change. */
static int store(struct set *s)
{
	struct buf *b;
	void *raw;
	int err = inode_raw(s->i, &b, &raw);

	if (err)
		return err;
	err = buf_write_access(s->h, b);
	if (!err && s->block.changed)
		err = store_block(s);
	if (!err && s->body.changed)
		store_body(s, b, raw);
	if (!err) {
		count_values(s->i, s->ea ? s->item.size : 0, s->old_inum ? s->old_size : 0);
		err = inode_dirty(s->h, s->i);
	}
	buf_put(b);
	return err;
}

/* A value whose inode is damaged was reported; the attribute can go all the same. */
static int prepare_drop(struct set *s)
{
	int err = s->old_inum ? xattr_ea_prepare_drop(s->h, s->i, s->old_inum, &s->old_ea) : 0;

	return err == -EUCLEAN || err == -EBADMSG ? 0 : err;
}

/* The new value is in place: what fails here leaks the inode of the old one, and is no failure. */
static void drop_old_value(struct set *s)
{
	int err;

	if (!s->old_ea)
		return;
	if (s->old_kept) {
		xattr_ea_close(s->old_ea);
		return;
	}
	err = xattr_ea_drop(s->h, s->i, s->old_ea);
	if (err)
		volume_error(s->i->volume, err, s->i->ino, 0,
			"the old attribute value in inode %u can't be freed; run e2fsck",
			s->old_inum);
}

static void finish(struct set *s, int err)
{
	if (s->ea && err)
		xattr_ea_discard(s->h, s->ea);
	else if (s->ea)
		xattr_ea_close(s->ea);
	if (s->old_ea && err)
		xattr_ea_close(s->old_ea);
	else
		drop_old_value(s);
	xattr_area_free(&s->body);
	xattr_area_free(&s->block);
}

/* MD-2: the feature appears with the first attribute, as for Linux. */
static int feature_set(struct handle *h, struct volume *v)
{
	struct ext4_super *super = volume_super(v);
	u32 bits = le32_to_cpu(super->s_feature_compat);
	int err;

	if (super_has_ext_attr(&v->sb) || bits & EXT4_FEATURE_COMPAT_EXT_ATTR)
		return 0;
	err = buf_write_access(h, v->super_buf);
	if (err)
		return err;
	os_mutex_lock(&v->super_lock);
	os_mutex_lock(&v->super_buf->lock);
	bits = le32_to_cpu(super->s_feature_compat);
	super->s_feature_compat = cpu_to_le32(bits | EXT4_FEATURE_COMPAT_EXT_ATTR);
	os_mutex_unlock(&v->super_buf->lock);
	os_mutex_unlock(&v->super_lock);
	return buf_dirty(h, v->super_buf);
}

static int set_locked(struct set *s)
{
	int err = load(s);

	if (!err && s->add)
		err = feature_set(s->h, s->i->volume);
	if (!err)
		err = prepare_drop(s);
	if (!err)
		err = place(s);
	if (!err)
		err = store(s);
	finish(s, err);
	return err;
}

static int set_in(struct handle *h, struct inode *i, u8 index, const char *name, const void *value,
	size_t size)
{
	struct set s = {.h = h, .i = i, .add = value != NULL};

	ASSERT(os_rwsem_held(&i->xattr_lock));
	if (size > EXT4_XATTR_VALUE_MAX)
		return ERR(E2BIG);
	s.item = (struct xattr_item){.index = index,
		.name = name,
		.name_len = (u8)strlen(name),
		.value = value,
		.size = (u32)size};
	return set_locked(&s);
}

int xattr_set_in(struct handle *h, struct inode *i, u8 index, const char *name, const void *value,
	size_t size)
{
	int err;

	os_rwsem_lock(&i->xattr_lock);
	err = set_in(h, i, index, name, value, size);
	if (index == EXT4_XATTR_INDEX_ACL_ACCESS)
		acl_cache_drop(i);
	os_rwsem_unlock(&i->xattr_lock);
	return err;
}

/*
 * The inode; the block or its copy, the old one, an allocation, a free; the superblock; the new
 * EA inode, the old one, and those that a copied block refers to once more.
 */
u32 xattr_set_credits(const struct inode *i, size_t value_size)
{
	const struct volume *v = i->volume;
	u32 credits = INODE_DIRTY_CREDITS + 2 + SPACE_ALLOC_CREDITS +
		      space_free_credits(i->volume, 1) + 1;

	if (!super_has_ea_inode(&v->sb))
		return credits;
	return credits + xattr_ea_create_credits(v, min_of(value_size, (u32)EXT4_XATTR_VALUE_MAX)) +
	       INODE_DIRTY_CREDITS + ORPHAN_CREDITS + xattr_block_ea_count(i);
}

/* --- deletion --- */

static int ensure(struct handle *h, struct inode *i)
{
	u32 credits = 2 * xattr_set_credits(i, 0) + ORPHAN_CREDITS + SPACE_INODE_CREDITS;
	int more = handle_ensure(h, credits, credits);

	return more > 0 ? handle_restart(h, credits, credits) : more;
}

/* The first attribute of the area with a value in an EA inode; name has room for the longest. */
static int find_value(struct inode *i, bool block, u8 *index, char *name)
{
	struct xattr_area a;
	int err;

	os_rwsem_lock_shared(&i->xattr_lock);
	err = xattr_area_load(i, block, &a);
	os_rwsem_unlock_shared(&i->xattr_lock);
	if (!err)
		err = -ENODATA;
	for (u32 k = 0; err == -ENODATA && k < a.count; k++) {
		if (!a.items[k].inum)
			continue;
		*index = a.items[k].index;
		memcpy(name, a.items[k].name, a.items[k].name_len);
		name[a.items[k].name_len] = 0;
		err = 0;
	}
	xattr_area_free(&a);
	return err;
}

/*
 * Each removal is complete in itself; the inode's orphan record covers what
 * comes between. The lock is not held across a restart.
 */
static int remove_values(struct handle *h, struct inode *i, bool block)
{
	char name[EXT4_XATTR_NAME_MAX + 1];
	u8 index;
	int err;

	while ((err = find_value(i, block, &index, name)) == 0) {
		err = ensure(h, i);
		if (!err)
			err = xattr_set_in(h, i, index, name, NULL, 0);
		if (err)
			return err;
	}
	return err == -ENODATA ? 0 : err;
}

static int release(struct handle *h, struct inode *i)
{
	int err = ensure(h, i);

	if (err)
		return err;
	os_rwsem_lock(&i->xattr_lock);
	err = xattr_block_release(h, i);
	os_rwsem_unlock(&i->xattr_lock);
	return err;
}

int xattr_delete_all(struct handle *h, struct inode *i)
{
	int err = super_has_ea_inode(&i->volume->sb) ? remove_values(h, i, false) : 0;

	if (!err)
		err = release(h, i);
	if (err != -EAGAIN)
		return err;
	err = remove_values(h, i, true);
	return err ? err : release(h, i);
}
