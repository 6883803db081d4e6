/* The attribute block: shared by inodes with equal attributes, copied before a change (XA-4). */
#include "base/err.h"
#include "inode/xattr_priv.h"

#include <string.h>
#include <sys/stat.h>

static int block_check(const struct super_info *sb, const void *data, pblk_t pblk,
	const struct buf_ctx *ctx, const char **why)
{
	*why = "wrong checksum of an attribute block";
	if (!xattr_block_csum_verify(sb, pblk, data))
		return ERR(EBADMSG);
	return xattr_block_verify(sb, data, why);
}

static void block_seal(
	const struct super_info *sb, void *data, pblk_t pblk, const struct buf_ctx *ctx)
{
	xattr_block_csum_set(sb, pblk, data);
}

static const struct buf_type block_type = {
	.name = "attribute block", .verify = block_check, .seal = block_seal};

static int read_at(struct volume *v, pblk_t pblk, struct buf **b)
{
	struct buf_ctx ctx = {.csum_seed = v->sb.csum_seed};

	return buf_read(v->bcache, pblk, &block_type, &ctx, b);
}

int xattr_block_read(struct inode *i, struct buf **b)
{
	return read_at(i->volume, i->f.file_acl, b);
}

static struct ext4_xattr_header *head_of(const struct buf *b)
{
	return (struct ext4_xattr_header *)b->data;
}

static u32 refcount(const struct buf *b)
{
	return le32_to_cpu(head_of(b)->h_refcount);
}

static u32 count_ea(const struct buf *b)
{
	u32 n = 0;

	for (const struct ext4_xattr_entry *e = xattr_first(b->data, true); !xattr_is_last(e);
		e = xattr_next(e))
		n += e->e_value_inum.raw != 0;
	return n;
}

u32 xattr_block_ea_count(const struct inode *i)
{
	struct buf *b;
	u32 n;

	if (!i->f.file_acl || !super_has_ea_inode(&i->volume->sb) ||
		read_at(i->volume, i->f.file_acl, &b))
		return 0;
	n = count_ea(b);
	buf_put(b);
	return n;
}

/* The inode refers to pblk from now on (0: to none). A block counts as a whole cluster (MD-17). */
static void refer(struct inode *i, pblk_t pblk)
{
	u64 sectors = i->volume->sb.cluster_size / 512;

	ASSERT(os_rwsem_held(&i->xattr_lock));
	os_mutex_lock(&i->raw_lock);
	if (pblk && !i->f.file_acl)
		i->f.blocks += sectors;
	else if (!pblk && i->f.file_acl)
		i->f.blocks -= min_of(sectors, i->f.blocks);
	i->f.file_acl = pblk;
	os_mutex_unlock(&i->raw_lock);
}

static int add_refcount(struct handle *h, struct buf *b, int delta)
{
	int err = buf_write_access(h, b);

	if (err)
		return err;
	head_of(b)->h_refcount = cpu_to_le32(refcount(b) + (u32)delta);
	return buf_dirty(h, b);
}

static bool same_entries(const struct buf *b, const u8 *image, u32 size)
{
	return head_of(b)->h_hash.raw == ((const struct ext4_xattr_header *)image)->h_hash.raw &&
	       memcmp(b->data + sizeof(struct ext4_xattr_header),
		       image + sizeof(struct ext4_xattr_header),
		       size - sizeof(struct ext4_xattr_header)) == 0;
}

/* The index says under the block's lock that the block is alive. 1: shared; 0: it does not suit. */
static int share_one(
	struct handle *h, struct volume *v, const struct xattr_area *a, u32 hash, pblk_t pblk)
{
	struct os_mutex *lock = xattr_block_lock(v, pblk);
	struct buf *b = NULL;
	int ret = 0;

	os_mutex_lock_nested(lock, 1);
	if (xattr_index_has(v, hash, pblk))
		ret = read_at(v, pblk, &b);
	if (b && same_entries(b, a->image, a->size) && refcount(b) < EXT4_XATTR_REFCOUNT_MAX) {
		ret = add_refcount(h, b, 1);
		ret = ret ? ret : 1;
	}
	os_mutex_unlock(lock);
	buf_put(b);
	return ret;
}

static int share(struct handle *h, struct inode *i, const struct xattr_area *a, pblk_t *out)
{
	u32 hash = le32_to_cpu(((const struct ext4_xattr_header *)a->image)->h_hash), pos = 0;
	int ret = 0;
	pblk_t pblk;

	if (hash == 0 || xattr_area_has_ea(a))
		return 0;
	while (ret == 0 && xattr_index_next(i->volume, hash, &pos, &pblk)) {
		if (pblk != i->f.file_acl)
			ret = share_one(h, i->volume, a, hash, pblk);
		if (ret == 1)
			*out = pblk;
	}
	return ret;
}

/* Blocks with values in EA inodes are not offered: each block has its own references to them. */
static void offer(struct volume *v, const struct buf *b, const struct xattr_area *a)
{
	if (!xattr_area_has_ea(a))
		xattr_index_enter(v, le32_to_cpu(head_of(b)->h_hash), b->pblk);
}

static int create(struct handle *h, struct inode *i, const struct xattr_area *a, pblk_t *out)
{
	struct volume *v = i->volume;
	struct alloc_request req = {.goal = space_inode_goal(v, i->ino, inode_is(i, S_IFDIR)),
		.group_hint = space_inode_group(v, i->ino),
		.file_blocks = 1,
		.len = 1,
		.flags = SPACE_METADATA | SPACE_NO_PREALLOC |
			 (atomic_load_relaxed(&i->map.alloc_flags) & SPACE_ROOT)};
	struct buf_ctx ctx = {.csum_seed = v->sb.csum_seed};
	struct alloc_result res;
	struct buf *b;
	int err;

	if (!super_has_64bit(&v->sb))
		req.flags |= SPACE_LOW32;
	err = space_alloc(h, v, &req, &res);
	if (err)
		return err;
	err = buf_create(h, v->bcache, res.pblk, &block_type, &ctx, &b);
	if (err) {
		/* never logged: nothing to revoke */
		(void)handle_must(h, space_free(h, v, i->map.owner, res.pblk, 1, 0));
		return err;
	}
	memcpy(b->data, a->image, a->size);
	err = buf_dirty(h, b);
	offer(v, b, a);
	*out = res.pblk;
	buf_put(b);
	return err;
}

/* A copy of a shared block refers to its EA inodes once more. */
static int ref_values(struct handle *h, struct inode *i, const struct xattr_area *a, ino_nr fresh)
{
	u32 k;
	int err = 0;

	for (k = 0; !err && k < a->count; k++)
		if (a->items[k].inum && a->items[k].inum != fresh)
			err = xattr_ea_ref(h, i, a->items[k].inum, 1);
	if (!err)
		return 0;
	for (k--; k-- > 0;)
		if (a->items[k].inum && a->items[k].inum != fresh)
			(void)xattr_ea_ref(h, i, a->items[k].inum, -1);
	return err;
}

static int clone(struct handle *h, struct inode *i, const struct xattr_area *a, ino_nr fresh,
	struct buf *old, pblk_t *out)
{
	int err = buf_write_access(h, old); /* or the copy would be nobody's when that fails */

	ASSERT(os_mutex_held(xattr_block_lock(i->volume, old->pblk)));
	if (!err)
		err = ref_values(h, i, a, fresh);
	if (err)
		return err;
	err = create(h, i, a, out);
	if (err) {
		for (u32 k = 0; k < a->count; k++)
			if (a->items[k].inum && a->items[k].inum != fresh)
				(void)xattr_ea_ref(h, i, a->items[k].inum, -1);
		return err;
	}
	return add_refcount(h, old, -1);
}

static int change_in_place(
	struct handle *h, struct inode *i, const struct xattr_area *a, struct buf *b)
{
	int err = buf_write_access(h, b);

	if (err)
		return err;
	xattr_index_drop(i->volume, le32_to_cpu(head_of(b)->h_hash), b->pblk);
	memcpy(b->data, a->image, a->size);
	err = buf_dirty(h, b);
	offer(i->volume, b, a);
	return err;
}

/* Consumes the reference to b. */
static int free_locked(struct handle *h, struct inode *i, struct buf *b)
{
	pblk_t pblk = b->pblk;

	ASSERT(os_mutex_held(xattr_block_lock(i->volume, pblk)));
	xattr_index_drop(i->volume, le32_to_cpu(head_of(b)->h_hash), pblk);
	buf_put(b);
	return space_free(h, i->volume, i->ino, pblk, 1, SPACE_METADATA);
}

/* Drops the inode's reference to a block; the last one frees it. After an error it is still there.
 */
static int drop(struct handle *h, struct inode *i, pblk_t pblk, bool keep_values, bool *kept)
{
	struct os_mutex *lock = xattr_block_lock(i->volume, pblk);
	struct buf *b;
	int err;

	os_mutex_lock_nested(lock, 1);
	err = read_at(i->volume, pblk, &b);
	if (err)
		goto out;
	*kept = refcount(b) > 1;
	if (*kept)
		err = add_refcount(h, b, -1);
	else if (keep_values && count_ea(b))
		err = -EAGAIN;
	else {
		err = free_locked(h, i, b);
		b = NULL;
	}
	buf_put(b);
out:
	os_mutex_unlock(lock);
	return err;
}

/* From the old block to one that was shared just now, or to none (0). */
static int replace(struct handle *h, struct inode *i, pblk_t shared, bool *kept)
{
	bool others;
	int err = i->f.file_acl ? drop(h, i, i->f.file_acl, false, kept) : 0;

	if (err && shared)
		(void)handle_must(h, drop(h, i, shared, false, &others));
	return err;
}

static int change(struct handle *h, struct inode *i, const struct xattr_area *a, ino_nr fresh,
	pblk_t *out, bool *kept)
{
	struct os_mutex *lock = xattr_block_lock(i->volume, i->f.file_acl);
	struct buf *b;
	int err;

	os_mutex_lock_nested(lock, 1);
	err = xattr_block_read(i, &b);
	if (!err) {
		*kept = refcount(b) > 1;
		*out = i->f.file_acl;
		err = *kept ? clone(h, i, a, fresh, b, out) : change_in_place(h, i, a, b);
		buf_put(b);
	}
	os_mutex_unlock(lock);
	return err;
}

int xattr_block_store(
	struct handle *h, struct inode *i, const struct xattr_area *a, ino_nr fresh, bool *kept)
{
	pblk_t pblk = 0;
	int ret;

	*kept = false;
	ret = a ? share(h, i, a, &pblk) : 1;
	if (ret < 0)
		return ret;
	if (ret == 1)
		ret = replace(h, i, pblk, kept);
	else if (i->f.file_acl)
		ret = change(h, i, a, fresh, &pblk, kept);
	else
		ret = create(h, i, a, &pblk);
	if (!ret)
		refer(i, pblk);
	return ret;
}

int xattr_block_release(struct handle *h, struct inode *i)
{
	bool kept;
	int err;

	if (!i->f.file_acl)
		return 0;
	err = inode_dirty(h, i); /* fails while nothing has changed */
	if (!err)
		err = drop(h, i, i->f.file_acl, true, &kept);
	if (err)
		return err;
	refer(i, 0);
	/* What stays of the inode, if the rest of a deletion fails, must not name the block. */
	err = inode_dirty(h, i);
	if (err)
		journal_abort(h->journal, err);
	return err;
}
