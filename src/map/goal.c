/* Where new blocks should go (AL-13), and the calls to the allocator. */
#include "map/map_priv.h"

static bool in_device(const struct filemap *fm, pblk_t pblk)
{
	return space_range_check(fm->volume, fm->owner, pblk, 1) == 0;
}

/*
 * The place that keeps file and device order alike: as far behind the nearest lower block, or
 * before the nearest higher one, as in the file, so that a hole filled later lands between its
 * neighbours.
 */
pblk_t goal_near(const struct filemap *fm, lblk_t lblk, const struct mapping *left,
	const struct mapping *right)
{
	if (fm->last_pblk && fm->last_lblk == lblk && in_device(fm, fm->last_pblk))
		return fm->last_pblk;
	if (left) {
		pblk_t pblk = left->pblk + (lblk - left->lblk);

		if (in_device(fm, pblk))
			return pblk;
		pblk = left->pblk + left->len;
		if (in_device(fm, pblk))
			return pblk;
	}
	if (right && right->pblk > right->lblk - lblk) {
		pblk_t pblk = right->pblk - (right->lblk - lblk);

		if (in_device(fm, pblk))
			return pblk;
	}
	return space_inode_goal(fm->volume, fm->owner, fm->metadata_data);
}

static u32 data_flags(const struct filemap *fm, const struct goal *g)
{
	u32 flags = atomic_load_relaxed(&fm->alloc_flags);

	if (g->create_flags & MAP_CREATE_METADATA)
		flags |= SPACE_METADATA | SPACE_NO_PREALLOC;
	if (g->create_flags & MAP_CREATE_MUST)
		flags |= SPACE_MUST;
	if (g->delayed)
		flags |= SPACE_CLAIMED;
	if (!fm->extents)
		flags |= SPACE_LOW32;
	return flags;
}

/* IO-6: zeroed before anyone can see the mapping. */
static int data_prepare(struct filemap *fm, const struct goal *g, const struct alloc_result *got)
{
	struct volume *v = fm->volume;
	u32 bs = v->sb.block_size;

	if (!(g->create_flags & MAP_CREATE_ZERO))
		return 0;
	if (FAULT("map_zero"))
		return ERR(EIO);
	return dev_write_zeroes(v->dev, got->pblk * bs, (u64)got->len * bs, 0);
}

int goal_alloc_data(
	struct handle *h, struct filemap *fm, const struct goal *g, struct alloc_result *out)
{
	struct volume *v = fm->volume;
	u64 end = (u64)g->lblk + g->len;
	struct alloc_request req = {
		.goal = g->pblk,
		.group_hint = space_inode_group(v, fm->owner),
		.lblk = g->lblk,
		.len = g->len,
		.flags = data_flags(fm, g),
		.pa = g->create_flags & MAP_CREATE_METADATA ? NULL : &fm->pa,
	};
	int err;

	req.file_blocks = max_of(atomic_load_relaxed(&fm->size_blocks_hint), end);
	if (FAULT("map_alloc_data"))
		return ERR(ENOSPC);
	/* Without SPACE_METADATA no image of the blocks is left in the buffer cache (IO-7). */
	err = space_alloc(h, v, &req, out);
	if (err)
		return err;
	err = data_prepare(fm, g, out);
	if (err)
		goal_undo_data(h, fm, g, out);
	return err;
}

static int alloc_tree(
	struct handle *h, struct filemap *fm, pblk_t near, u32 create_flags, pblk_t *out)
{
	struct alloc_request req = {
		.goal = near,
		.group_hint = space_inode_group(fm->volume, fm->owner),
		.len = 1,
		.flags = atomic_load_relaxed(&fm->alloc_flags) | SPACE_METADATA | SPACE_NO_PREALLOC,
	};
	struct alloc_result got;
	int err;

	if (create_flags & MAP_CREATE_MUST)
		req.flags |= SPACE_MUST;
	if (!fm->extents)
		req.flags |= SPACE_LOW32;
	if (FAULT("map_alloc_tree"))
		return ERR(ENOSPC);
	err = space_alloc(h, fm->volume, &req, &got);
	if (err)
		return err;
	filemap_add_blocks(fm, 1);
	*out = got.pblk;
	return 0;
}

int goal_create_tree(struct handle *h, struct filemap *fm, pblk_t near, u32 create_flags,
	const struct buf_type *type, const struct buf_ctx *ctx, struct buf **out)
{
	pblk_t pblk;
	int err = alloc_tree(h, fm, near, create_flags, &pblk);

	if (err)
		return err;
	err = buf_create(h, fm->volume->bcache, pblk, type, ctx, out);
	if (err) {
		filemap_add_blocks(fm, -1);
		(void)map_free(h, fm, pblk, 1, 0); /* never logged: nothing to revoke */
	}
	return err;
}

void goal_undo_tree(struct handle *h, struct filemap *fm, struct buf *b)
{
	pblk_t pblk = b->pblk;

	buf_put(b);
	filemap_add_blocks(fm, -1);
	(void)map_free(h, fm, pblk, 1, SPACE_METADATA);
}

/*
 * The blocks were never visible, so a failure to free them only leaks (IO-13). Delayed blocks get
 * their claim back; if even that fails they stop being delayed, so that claims and delayed blocks
 * stay equal in number.
 */
void goal_undo_data(
	struct handle *h, struct filemap *fm, const struct goal *g, const struct alloc_result *got)
{
	struct volume *v = fm->volume;

	(void)map_free(h, fm, got->pblk, got->len, 0);
	if (g->delayed && space_claim(v, got->len, SPACE_MUST) != 0)
		(void)status_undelay(fm, g->lblk, g->lblk + got->len);
}

int map_range_check(const struct filemap *fm, pblk_t pblk, u64 len, const char *what)
{
	int err = space_range_check(fm->volume, fm->owner, pblk, len);

	if (err == -EUCLEAN)
		return volume_error(
			fm->volume, ERR(EUCLEAN), fm->owner, pblk, "%s: run e2fsck", what);
	return err;
}

u32 goal_free_flags(const struct filemap *fm)
{
	return fm->metadata_data ? SPACE_METADATA : 0;
}

int map_free_prepare(struct handle *h, struct filemap *fm, pblk_t pblk, u32 len)
{
	int err = space_free_prepare(h, fm->volume, pblk, len);

	/* What lies in a damaged group is lost, and nothing else (HD-10). */
	return err == -EUCLEAN || err == -EBADMSG ? 0 : err;
}

int map_free(struct handle *h, struct filemap *fm, pblk_t pblk, u32 len, u32 flags)
{
	return handle_must(h, space_free(h, fm->volume, fm->owner, pblk, len, flags));
}
