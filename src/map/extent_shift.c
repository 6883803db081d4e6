/*
 * Collapse and insert: every extent from a block on moves by the same number
 * of blocks, leaf by leaf. Left moves begin at the left end, right moves at the
 * right end, so the tree is valid after each step (IO-107, IO-108).
 */
#include "map/extent_tree.h"

#include "base/mutant.h"

u32 extent_shift_credits(const struct filemap *fm)
{
	return MAP_INODE_CREDITS + extent_room_credits(fm) +
	       extent_levels(fm) * space_free_credits(fm->volume, 1);
}

/* A leaf without entries, left behind by others: its key would end up between the wrong neighbours.
 */
static bool is_stray(struct extent_path *path)
{
	return path->depth > 0 && node_count(extent_leaf(path)->node) == 0;
}

/* First entry of the leaf at or after lblk. */
static u32 first_from(const void *leaf, lblk_t lblk)
{
	u32 i = 0;

	while (i < node_count(leaf) && node_key(leaf, i) < lblk)
		i++;
	return i;
}

static int leaf_shift(
	struct handle *h, struct filemap *fm, struct extent_path *path, u32 at, s64 delta)
{
	void *leaf = extent_leaf(path)->node;
	u32 i;
	int err = extent_access(h, path, path->depth, at == 0);

	if (err)
		return err;
	for (i = at; i < node_count(leaf); i++)
		node_set_key(leaf, i, (lblk_t)(node_key(leaf, i) + delta));
	return extent_commit(h, fm, path, path->depth, at == 0);
}

/* Credits, and a cache without memories of the old positions. */
static int step_begin(struct handle *h, struct filemap *fm, lblk_t from)
{
	bool restarted = true;
	int err = 0;

	while (restarted && !err) {
		err = status_reserve(fm);
		if (err)
			break;
		if (!MUTANT(SHIFT_KEEPS_STATUS))
			status_forget(fm, from, LBLK_END);
		err = filemap_ensure(h, fm, extent_shift_credits(fm), MAP_DEPTH_MAX, &restarted);
	}
	filemap_changed(fm);
	return err;
}

/* Nothing may be mapped where the blocks go, nor reach over the seam. */
static int gap_check(struct filemap *fm, u64 from, u64 end)
{
	struct mapping m;
	int err;

	while (from < end) {
		err = extent_lookup(fm, (lblk_t)from, &m);
		if (err)
			return err;
		if (m.state != MAP_HOLE)
			return ERR(EINVAL);
		from = mapping_end(&m);
	}
	return 0;
}

/* Where the hole was, the neighbours may have become one extent (IO-106, IO-9). */
static int seam_merge(struct handle *h, struct filemap *fm, struct extent_path *path, u32 at)
{
	struct extent_splice s = {.at = at, .remove = 1, .count = 1};

	if (at == 0)
		return 0;
	s.add[0] = node_extent(extent_leaf(path)->node, at);
	return extent_splice(h, fm, path, &s);
}

/*
 * The leaf of *cur; *cur moves on to the next leaf's first block, as yet unshifted, as soon as this
 * one has moved: a step that found no memory goes again from *cur.
 */
static int left_step(struct handle *h, struct filemap *fm, u64 *cur, u64 delta, bool *moved)
{
	struct extent_path path;
	u64 next;
	u32 at;
	int err = extent_walk(fm, (lblk_t)*cur, &path);

	if (err)
		return err;
	at = first_from(extent_leaf(&path)->node, (lblk_t)*cur);
	next = path.end;
	if (is_stray(&path)) {
		err = extent_drop_leaf(h, fm, &path);
		*cur = err ? *cur : next;
		return err;
	}
	if (at < node_count(extent_leaf(&path)->node)) {
		err = leaf_shift(h, fm, &path, at, -(s64)delta);
		*moved |= !err;
		*cur = err ? *cur : next;
		if (!err)
			err = seam_merge(h, fm, &path, at);
	} else {
		*cur = next;
	}
	extent_release(&path);
	return err;
}

int extent_shift_left(struct handle *h, struct filemap *fm, lblk_t from, u64 delta)
{
	u64 cur = from;
	bool moved = false;
	unsigned tries = 0;
	int err;

	if (delta > from)
		return ERR(EINVAL);
	if (status_has_delayed(fm, (lblk_t)(from - delta), LBLK_END))
		return ERR(EBUSY);
	do /* the range is gone already */
		err = gap_check(fm, from - delta, from);
	while (handle_try_again(h, err, &tries));
	while (cur < LBLK_END && (!err || handle_try_again(h, err, &tries))) {
		err = step_begin(h, fm, (lblk_t)(from - delta));
		if (!err)
			err = left_step(h, fm, &cur, delta, &moved);
	}
	if (!err)
		err = extent_fold(h, fm);
	return moved ? handle_must(h, err) : err; /* half of it must not be committed */
}

/* An extent that reaches over `from` becomes two, its state kept (IO-107). */
static int split_at(struct handle *h, struct filemap *fm, lblk_t from)
{
	struct extent_splice s = {.remove = 1, .count = 2, .separate = true};
	struct extent_path path;
	struct extent_entry e;
	u32 head;
	int r = extent_walk(fm, from, &path);

	if (r)
		return r;
	if (path.before)
		goto out_release;
	e = node_extent(extent_leaf(&path)->node, extent_leaf(&path)->pos);
	head = from - e.lblk;
	if (head == 0 || head >= e.len)
		goto out_release;
	s.add[0] = s.add[1] = e;
	s.add[0].len = head;
	s.add[1] = (struct extent_entry){
		.lblk = from, .len = e.len - head, .pblk = e.pblk + head, .unwritten = e.unwritten};
	r = extent_room(h, fm, from, 1, MAP_CREATE_MUST, &path);
	if (r)
		return r;
	s.at = extent_leaf(&path)->pos;
	r = extent_splice(h, fm, &path, &s);
out_release:
	extent_release(&path);
	return r;
}

/* The leaf that ends at or before *cur; *cur moves to its first shifted block's old place. */
static int right_step(
	struct handle *h, struct filemap *fm, lblk_t from, u64 *cur, u64 delta, bool *moved)
{
	struct extent_path path;
	u64 next;
	u32 at;
	int err = extent_walk(fm, (lblk_t)(*cur - 1), &path);

	if (err)
		return err;
	next = max_of(path.start, (u64)from);
	if (is_stray(&path)) {
		err = extent_drop_leaf(h, fm, &path);
		*cur = err ? *cur : next;
		return err;
	}
	at = first_from(extent_leaf(&path)->node, from);
	if (at < node_count(extent_leaf(&path)->node) && !path.before) {
		next = at == 0 ? node_key(extent_leaf(&path)->node, 0) : from;
		err = leaf_shift(h, fm, &path, at, (s64)delta);
		*moved |= !err;
	}
	*cur = err ? *cur : next;
	extent_release(&path);
	return err;
}

static int end_check(struct filemap *fm, u64 delta)
{
	struct extent_path path;
	struct extent_entry e;
	int err = extent_walk(fm, LBLK_MAX, &path);

	if (err)
		return err;
	if (!path.before) {
		e = node_extent(extent_leaf(&path)->node, extent_leaf(&path)->pos);
		if ((u64)e.lblk + e.len + delta > LBLK_END)
			err = ERR(EFBIG);
	}
	extent_release(&path);
	return err;
}

int extent_shift_right(struct handle *h, struct filemap *fm, lblk_t from, u64 delta)
{
	u64 cur = LBLK_END;
	bool moved = false;
	unsigned tries = 0;
	int err;

	if (delta > LBLK_END)
		return ERR(EFBIG);
	if (status_has_delayed(fm, from, LBLK_END))
		return ERR(EBUSY);
	err = end_check(fm, delta);
	if (!err)
		err = step_begin(h, fm, from);
	if (!err)
		err = split_at(h, fm, from);
	while (cur > from && (!err || (moved && handle_try_again(h, err, &tries)))) {
		err = step_begin(h, fm, from);
		if (!err)
			err = right_step(h, fm, from, &cur, delta, &moved);
	}
	return moved ? handle_must(h, err) : err; /* half of it must not be committed */
}
