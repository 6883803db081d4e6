/* Removal of a range from an extent tree: right to left, one extent per step (IO-98). */
#include "map/extent_tree.h"

static u32 step_len_max(const struct filemap *fm)
{
	return fm->metadata_data ? (u32)MAP_METADATA_STEP : EXTENT_WRITTEN_MAX;
}

u32 extent_remove_credits(const struct filemap *fm)
{
	return MAP_INODE_CREDITS + extent_room_credits(fm) +
	       space_free_credits(fm->volume, step_len_max(fm)) +
	       extent_levels(fm) * space_free_credits(fm->volume, 1);
}

/* What is left of e without [from, end). */
static void splice_build(
	const struct extent_entry *e, u64 from, u64 end, u32 pos, struct extent_splice *s)
{
	u64 e_end = (u64)e->lblk + e->len;

	*s = (struct extent_splice){.at = pos, .remove = 1};
	if (from > e->lblk) {
		s->add[s->count] = *e;
		s->add[s->count++].len = (u32)(from - e->lblk);
	}
	if (end < e_end) {
		s->add[s->count] = *e;
		s->add[s->count].lblk = (lblk_t)end;
		s->add[s->count].len = (u32)(e_end - end);
		s->add[s->count++].pblk += end - e->lblk;
	}
}

/* Takes [from, end) of the extent at the path's position out of the tree. Releases the path. */
static int cut(struct handle *h, struct filemap *fm, struct extent_path *path, lblk_t from, u64 end)
{
	struct extent_step *leaf = extent_leaf(path);
	struct extent_entry e = node_extent(leaf->node, leaf->pos);
	struct extent_splice s;
	int r;

	splice_build(&e, from, end, leaf->pos, &s);
	if (s.count == 0 && node_count(leaf->node) == 1 && path->depth > 0)
		return extent_drop_leaf(h, fm, path);
	r = extent_splice(h, fm, path, &s);
	if (r > 0) { /* a hole inside one extent; must work on a full file system (IO-104) */
		r = extent_room(h, fm, from, 1, MAP_CREATE_MUST, path);
		if (r)
			return r;
		s.at = extent_leaf(path)->pos;
		r = extent_splice(h, fm, path, &s);
		ASSERT(r <= 0);
	}
	extent_release(path);
	return r;
}

/* The part of extent e in [from, *cur) that one step may free. */
static int extent_step_remove(struct handle *h, struct filemap *fm, struct extent_path *path,
	const struct extent_entry *e, lblk_t from, lblk_t *cur)
{
	u64 end = min_of((u64)e->lblk + e->len, (u64)*cur);
	u64 start = max_of(e->lblk, from);
	pblk_t pblk;
	u32 len;
	int err = extent_tree_check(fm, e);

	if (err) {
		extent_release(path);
		return err;
	}
	len = (u32)min_of(end - start, (u64)step_len_max(fm));
	start = end - len;
	pblk = e->pblk + (start - e->lblk);
	err = space_free_prepare(h, fm->volume, pblk, len);
	if (err) {
		extent_release(path);
		return err;
	}
	err = cut(h, fm, path, (lblk_t)start, end);
	if (err)
		return err;
	*cur = (lblk_t)start;
	filemap_add_blocks(fm, -(s64)len);
	/* Out of the tree first: an error from here on leaks (HD-10). */
	return map_free(h, fm, pblk, len, goal_free_flags(fm));
}

static int remove_step(struct handle *h, struct filemap *fm, lblk_t from, lblk_t *cur)
{
	struct extent_path path;
	struct extent_step *leaf;
	struct extent_entry e;
	int err = extent_walk(fm, *cur - 1, &path);

	if (err)
		return err;
	leaf = extent_leaf(&path);
	if (node_count(leaf->node) == 0 && path.depth > 0) { /* left behind by others */
		*cur = (lblk_t)max_of(path.start, from);
		return extent_drop_leaf(h, fm, &path);
	}
	if (!path.before) {
		e = node_extent(leaf->node, leaf->pos);
		if ((u64)e.lblk + e.len > from)
			return extent_step_remove(h, fm, &path, &e, from, cur);
	}
	extent_release(&path);
	*cur = from;
	return 0;
}

int extent_remove(struct handle *h, struct filemap *fm, lblk_t from, lblk_t end)
{
	lblk_t cur = end;
	bool forget = true;
	int err = 0;

	if (node_count(fm->root) == 0)
		return 0; /* of holes nothing that is known changes */
	while (cur > from && !err) {
		if (forget) { /* also what lookups brought back while the lock was dropped (IO-21)
			       */
			err = status_reserve(fm);
			if (err)
				break;
			status_forget(fm, from, end);
			filemap_changed(fm);
		}
		err = filemap_ensure(
			h, fm, extent_remove_credits(fm), map_remove_revokes(fm), &forget);
		if (!err && !forget)
			err = remove_step(h, fm, from, &cur);
	}
	return err ? err : extent_fold(h, fm);
}
