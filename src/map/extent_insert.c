/* Changes of one leaf, and the insertion of newly allocated blocks. */
#include "map/extent_tree.h"

static bool mergeable(const struct extent_entry *a, const struct extent_entry *b)
{
	u32 max = a->unwritten ? EXTENT_UNWRITTEN_MAX : EXTENT_WRITTEN_MAX;

	return a->unwritten == b->unwritten && a->lblk + a->len == b->lblk &&
	       a->pblk + a->len == b->pblk && a->len + b->len <= max;
}

static u32 coalesce(struct extent_entry *list, u32 n)
{
	u32 i, out = 0;

	for (i = 1; i < n; i++) {
		if (mergeable(&list[out], &list[i]))
			list[out].len += list[i].len;
		else
			list[++out] = list[i];
	}
	return n ? out + 1 : 0;
}

/* New contents of entries [*lo, *hi): what is added, with its neighbours if they may merge. */
static u32 build(const void *leaf, const struct extent_splice *s, struct extent_entry *list,
	u32 *lo, u32 *hi)
{
	u32 n = 0, i;

	*lo = s->at;
	*hi = s->at + s->remove;
	if (*lo > 0 && !s->separate)
		list[n++] = node_extent(leaf, --*lo);
	for (i = 0; i < s->count; i++)
		list[n++] = s->add[i];
	if (*hi < node_count(leaf) && !s->separate)
		list[n++] = node_extent(leaf, (*hi)++);
	return s->separate ? n : coalesce(list, n);
}

int extent_splice(struct handle *h, struct filemap *fm, struct extent_path *path,
	const struct extent_splice *s)
{
	struct extent_step *leaf = extent_leaf(path);
	struct extent_entry list[5];
	u32 lo, hi, i, n = build(leaf->node, s, list, &lo, &hi);
	bool keys;
	int err;

	if (node_count(leaf->node) - (hi - lo) + n > node_max(leaf->node))
		return 1;
	keys = lo == 0 && n > 0 &&
	       (node_count(leaf->node) == 0 || node_key(leaf->node, 0) != list[0].lblk);
	err = extent_access(h, path, path->depth, keys);
	if (err)
		return err;
	node_resize(leaf->node, lo, hi - lo, n);
	for (i = 0; i < n; i++)
		node_set_extent(leaf->node, lo + i, &list[i]);
	return extent_commit(h, fm, path, path->depth, keys);
}

static u32 insert_at(struct extent_path *path)
{
	return path->before ? 0 : extent_leaf(path)->pos + 1;
}

/* On errors of extent_room the path is released, else it is the caller's. */
static int extent_insert(struct handle *h, struct filemap *fm, struct extent_path *path,
	const struct extent_entry *e, u32 create_flags)
{
	struct extent_splice s = {.at = insert_at(path), .count = 1, .add = {*e}};
	int r = extent_splice(h, fm, path, &s);

	if (r <= 0)
		return r;
	r = extent_room(h, fm, e->lblk, 1, create_flags, path);
	if (r)
		return r;
	s.at = insert_at(path);
	r = extent_splice(h, fm, path, &s);
	ASSERT(r <= 0);
	return r;
}

static pblk_t goal_find(const struct filemap *fm, struct extent_path *path, lblk_t lblk)
{
	struct extent_step *leaf = extent_leaf(path);
	struct mapping left, right;
	struct extent_entry e;
	u32 at = insert_at(path);

	if (at > 0) {
		e = node_extent(leaf->node, at - 1);
		left = extent_mapping(&e);
	}
	if (at < node_count(leaf->node)) {
		e = node_extent(leaf->node, at);
		right = extent_mapping(&e);
	}
	return goal_near(
		fm, lblk, at > 0 ? &left : NULL, at < node_count(leaf->node) ? &right : NULL);
}

int extent_create(struct handle *h, struct filemap *fm, const struct goal *g, struct mapping *out)
{
	bool unwritten = g->create_flags & MAP_CREATE_UNWRITTEN;
	struct goal data = *g;
	struct alloc_result got;
	struct extent_path path;
	struct extent_entry e;
	bool foldable;
	int err = extent_walk(fm, g->lblk, &path);

	if (err)
		return err;
	data.pblk = goal_find(fm, &path, g->lblk);
	data.len = min_of(g->len, unwritten ? EXTENT_UNWRITTEN_MAX : EXTENT_WRITTEN_MAX);
	err = goal_alloc_data(h, fm, &data, &got);
	if (err)
		goto out_release;
	e = (struct extent_entry){
		.lblk = g->lblk, .len = got.len, .pblk = got.pblk, .unwritten = unwritten};
	err = extent_insert(h, fm, &path, &e, g->create_flags);
	if (goal_may_undo(err))
		goal_undo_data(h, fm, &data, &got);
	if (err)
		goto out_release;
	filemap_add_blocks(fm, got.len);
	*out = extent_mapping(&e);
	foldable = node_count(fm->root) == 1 && path.depth > 0 &&
		   node_count(extent_leaf(&path)->node) <= EXT4_EXTENT_ROOT_MAX;
	extent_release(&path);
	return foldable ? extent_fold(h, fm) : 0; /* merging with both neighbours may leave few */
out_release:
	extent_release(&path);
	return err;
}
