/* The walk from the root to a leaf, with the checks between nodes (HD-5). */
#include "map/extent_tree.h"

static int extent_verify(const struct super_info *sb, const void *data, pblk_t pblk,
	const struct buf_ctx *ctx, const char **why)
{
	if (!extent_csum_verify(sb, ctx->csum_seed, data)) {
		*why = "an extent node has a wrong checksum";
		return ERR(EBADMSG);
	}
	return extent_node_verify(sb, data, sb->block_size, (int)ctx->arg, NULL, why);
}

static void extent_seal(
	const struct super_info *sb, void *data, pblk_t pblk, const struct buf_ctx *ctx)
{
	extent_csum_set(sb, ctx->csum_seed, data);
}

const struct buf_type extent_buf_type = {
	.name = "extent node", .verify = extent_verify, .seal = extent_seal};

int extent_root_verify(const struct volume *v, const void *root, const char **why)
{
	return extent_node_verify(&v->sb, root, 60, EXTENT_DEPTH_ANY, NULL, why);
}

/* The entry with the greatest key <= lblk, else 0. */
static u32 node_search(const void *node, lblk_t lblk)
{
	u32 low = 0, high = node_count(node);

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (node_key(node, mid) <= lblk)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 ? low - 1 : 0;
}

static u64 node_last_end(const void *node)
{
	u32 last = node_count(node) - 1;
	struct extent_entry e;

	if (node_depth(node) > 0)
		return (u64)node_key(node, last) + 1;
	e = node_extent(node, last);
	return (u64)e.lblk + e.len;
}

static int tree_error(struct filemap *fm, pblk_t pblk, const char *text)
{
	return volume_error(fm->volume, ERR(EUCLEAN), fm->owner, pblk, "%s: run e2fsck", text);
}

/* A child must begin where its parent says and end before the next one; buf_read saw its depth. */
static int child_check(struct filemap *fm, const struct buf *b, lblk_t key, u64 end)
{
	if (node_count(b->data) == 0)
		return 0; /* only leaves get here */
	if (node_key(b->data, 0) != key)
		return tree_error(fm, b->pblk, "an extent node does not begin at its parent's key");
	if (node_last_end(b->data) > end)
		return tree_error(fm, b->pblk, "an extent node overlaps the next one");
	return 0;
}

static int child_read(struct filemap *fm, const struct extent_step *parent, u32 depth, u64 end,
	struct extent_step *out)
{
	struct volume *v = fm->volume;
	struct buf_ctx ctx = {.csum_seed = fm->csum_seed, .owner = fm->owner, .arg = depth};
	pblk_t pblk = node_child(parent->node, parent->pos);
	int err;

	err = map_range_check(fm, pblk, 1, "an extent index points to no data block");
	if (err)
		return err;
	err = buf_read(v->bcache, pblk, &extent_buf_type, &ctx, &out->buf);
	if (err)
		return err;
	out->node = out->buf->data;
	return child_check(fm, out->buf, node_key(parent->node, parent->pos), end);
}

int extent_walk(struct filemap *fm, lblk_t lblk, struct extent_path *path)
{
	struct extent_step *s = path->step;
	u32 level;
	int err;

	ASSERT(os_rwsem_held_shared(&fm->lock));
	*path = (struct extent_path){.depth = node_depth(fm->root), .end = LBLK_END};
	s->node = fm->root;
	for (level = 0; level < path->depth; level++, s++) {
		s->pos = node_search(s->node, lblk);
		if (s->pos > 0)
			path->start = node_key(s->node, s->pos);
		if (s->pos + 1 < node_count(s->node))
			path->end = node_key(s->node, s->pos + 1);
		err = child_read(fm, s, path->depth - level - 1, path->end, s + 1);
		if (err) {
			extent_release(path);
			return err;
		}
	}
	s->pos = node_search(s->node, lblk);
	path->before = node_count(s->node) == 0 || node_key(s->node, s->pos) > lblk;
	return 0;
}

void extent_release(struct extent_path *path)
{
	u32 level;

	for (level = 1; level <= MAP_DEPTH_MAX; level++) {
		buf_put(path->step[level].buf);
		path->step[level].buf = NULL;
	}
}

static int access_one(struct handle *h, struct extent_step *s)
{
	if (FAULT("map_tree_access"))
		return ERR(EIO);
	return s->buf ? buf_write_access(h, s->buf) : 0;
}

int extent_access(struct handle *h, struct extent_path *path, u32 level, bool keys)
{
	int err = access_one(h, &path->step[level]);

	while (!err && keys && level > 0) {
		level--;
		err = access_one(h, &path->step[level]);
		keys = path->step[level].pos == 0;
	}
	return err;
}

static int commit_one(struct handle *h, struct filemap *fm, struct extent_step *s)
{
	if (FAULT("map_tree_write"))
		return ERR(EIO);
	if (s->buf)
		return buf_dirty(h, s->buf);
	extent_root_changed(fm);
	return 0;
}

int extent_commit(
	struct handle *h, struct filemap *fm, struct extent_path *path, u32 level, bool keys)
{
	lblk_t key = node_count(path->step[level].node) ? node_key(path->step[level].node, 0) : 0;
	int err = commit_one(h, fm, &path->step[level]);

	/* fdatasync must wait for this handle, also if the root stays (IO-24). */
	fm->changed = true;
	while (!err && keys && level > 0) {
		struct extent_step *s = &path->step[--level];

		node_set_key(s->node, s->pos, key);
		err = commit_one(h, fm, s);
		keys = s->pos == 0;
	}
	return err;
}

void extent_root_changed(struct filemap *fm)
{
	const char *why;

	ASSERT(extent_root_verify(fm->volume, fm->root, &why) == 0);
	atomic_store_relaxed(&fm->depth_hint, node_depth(fm->root));
	filemap_mark(fm);
}

int extent_tree_check(struct filemap *fm, const struct extent_entry *e)
{
	return map_range_check(fm, e->pblk, e->len, "an extent lies outside the data area");
}
