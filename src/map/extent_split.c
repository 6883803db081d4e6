/* The shape of an extent tree: room in full leaves, growth and shrinking of depth (IO-10). */
#include "map/extent_tree.h"

enum { NODE_MIN = 4 }; /* fewer entries per block than the root has: not a tree that can grow */

u32 extent_levels(const struct filemap *fm)
{
	/* One more than now: it may grow between the promise and the change. */
	u32 depth = atomic_load_relaxed(&fm->depth_hint) + 1;

	return min_of(depth, (u32)MAP_DEPTH_MAX);
}

u32 extent_room_credits(const struct filemap *fm)
{
	/* Per level the node, its new sibling and that one's allocation; a copy of the root on top.
	 */
	return extent_levels(fm) * (2 + SPACE_ALLOC_CREDITS) + 1 + SPACE_ALLOC_CREDITS;
}

static int node_create(struct handle *h, struct filemap *fm, pblk_t near, u32 depth,
	u32 create_flags, struct buf **out)
{
	struct buf_ctx ctx = {.csum_seed = fm->csum_seed, .owner = fm->owner, .arg = depth};
	int err = goal_create_tree(h, fm, near, create_flags, &extent_buf_type, &ctx, out);

	if (!err)
		extent_node_init((*out)->data, fm->volume->sb.block_size, depth);
	return err;
}

/* The root's entries move to a new block, which becomes its only child. */
static int grow(struct handle *h, struct filemap *fm, u32 create_flags)
{
	u32 depth = node_depth(fm->root), count = node_count(fm->root);
	struct buf *b;
	int err;

	if (depth == MAP_DEPTH_MAX)
		return ERR(ENOSPC);
	err = node_create(h, fm, goal_near(fm, 0, NULL, NULL), depth, create_flags, &b);
	if (err)
		return err;
	node_resize(b->data, 0, 0, count);
	node_copy(b->data, 0, fm->root, 0, count);
	err = buf_dirty(h, b);
	if (!err) {
		node_resize(fm->root, 0, count, 0);
		extent_node_init(fm->root, sizeof(fm->root), depth + 1);
		node_resize(fm->root, 0, 0, 1);
		node_set_index(fm->root, 0, node_key(b->data, 0), b->pblk);
		extent_root_changed(fm);
		TRACE("map_grow", fm->owner, depth + 1);
	}
	buf_put(b);
	return err;
}

/* Appending and prepending leave full nodes behind, everything else half full ones. */
static u32 split_border(u32 pos, u32 count)
{
	if (pos == count - 1)
		return count - 1;
	return pos == 0 ? 1 : count / 2;
}

/* Moves the right part of a full node to a new sibling; its parent has room. */
static int split(
	struct handle *h, struct filemap *fm, struct extent_path *path, u32 level, u32 create_flags)
{
	struct extent_step *s = &path->step[level], *parent = s - 1;
	u32 count = node_count(s->node), border = split_border(s->pos, count);
	struct buf *b;
	int err;

	if (count < NODE_MIN)
		return volume_error(fm->volume, ERR(EUCLEAN), fm->owner, s->buf->pblk,
			"an extent node claims too little room: run e2fsck");
	err = extent_access(h, path, level, false);
	if (!err)
		err = extent_access(h, path, level - 1, false);
	if (!err)
		err = node_create(h, fm, s->buf->pblk, path->depth - level, create_flags, &b);
	if (err)
		return err;
	node_resize(b->data, 0, 0, count - border);
	node_copy(b->data, 0, s->node, border, count - border);
	node_resize(s->node, border, count - border, 0);
	node_resize(parent->node, parent->pos + 1, 0, 1);
	node_set_index(parent->node, parent->pos + 1, node_key(b->data, 0), b->pblk);
	err = buf_dirty(h, b);
	buf_put(b);
	if (!err)
		err = extent_commit(h, fm, path, level, false);
	if (!err)
		err = extent_commit(h, fm, path, level - 1, false);
	return err;
}

static bool node_full(const void *node)
{
	return node_count(node) >= node_max(node);
}

/*
 * From the lowest ancestor with a free slot downwards, one split at a time: each leaves a valid
 * tree, so a failure needs no undoing.
 */
int extent_room(struct handle *h, struct filemap *fm, lblk_t lblk, u32 need, u32 create_flags,
	struct extent_path *path)
{
	for (;;) {
		const void *leaf = extent_leaf(path)->node;
		u32 level = path->depth;
		int err;

		if (node_count(leaf) + need <= node_max(leaf))
			return 0;
		while (level > 0 && node_full(path->step[level - 1].node))
			level--;
		err = level > 0 ? split(h, fm, path, level, create_flags)
				: grow(h, fm, create_flags);
		extent_release(path);
		if (!err)
			err = extent_walk(fm, lblk, path);
		if (err)
			return err;
	}
}

static int free_nodes(struct handle *h, struct filemap *fm, const pblk_t *pblk, u32 count)
{
	u32 i;
	int err = 0;

	for (i = 0; i < count && !err; i++) {
		filemap_add_blocks(fm, -1);
		err = map_free(h, fm, pblk[i], 1, SPACE_METADATA);
	}
	return err;
}

int extent_drop_leaf(struct handle *h, struct filemap *fm, struct extent_path *path)
{
	pblk_t pblk[MAP_DEPTH_MAX];
	u32 level = path->depth, n = 0;
	struct extent_step *parent;
	bool keys;
	int err = 0;

	do {
		pblk[n++] = path->step[level--].buf->pblk;
	} while (level > 0 && node_count(path->step[level].node) == 1);
	parent = &path->step[level];
	keys = parent->pos == 0 && node_count(parent->node) > 1;
	for (u32 i = 0; i < n && !err; i++)
		err = map_free_prepare(h, fm, pblk[i], 1);
	if (!err)
		err = extent_access(h, path, level, keys);
	if (!err && level == 0 && node_count(fm->root) == 1) {
		node_resize(fm->root, 0, 1, 0);
		extent_node_init(fm->root, sizeof(fm->root), 0);
		extent_root_changed(fm);
	} else if (!err) {
		node_resize(parent->node, parent->pos, 1, 0);
		err = extent_commit(h, fm, path, level, keys);
	}
	extent_release(path);
	return err ? err : free_nodes(h, fm, pblk, n);
}

/* The only child, if its entries fit into the root. */
static int fold_once(struct handle *h, struct filemap *fm, bool *done)
{
	struct extent_path path;
	struct extent_step *child;
	pblk_t pblk;
	int error = h->error, err = extent_walk(fm, 0, &path);

	*done = true;
	if (err)
		return err == -ENOMEM ? 0 : err;
	child = &path.step[1];
	if (node_count(child->node) > EXT4_EXTENT_ROOT_MAX ||
		handle_ensure(h, MAP_INODE_CREDITS + space_free_credits(fm->volume, 1), 1) != 0)
		goto out_release;
	pblk = child->buf->pblk;
	if (map_free_prepare(h, fm, pblk, 1)) {
		h->error = error; /* a tree that is not folded is no failure */
		goto out_release;
	}
	*done = false;
	extent_node_init(fm->root, sizeof(fm->root), path.depth - 1);
	node_resize(fm->root, 0, 0, node_count(child->node));
	node_copy(fm->root, 0, child->node, 0, node_count(child->node));
	extent_root_changed(fm);
	extent_release(&path);
	return free_nodes(h, fm, &pblk, 1);
out_release:
	extent_release(&path);
	return 0;
}

int extent_fold(struct handle *h, struct filemap *fm)
{
	bool done = false;
	int err = 0;

	while (!err && !done && node_depth(fm->root) > 0 && node_count(fm->root) == 1)
		err = fold_once(h, fm, &done);
	return err;
}
