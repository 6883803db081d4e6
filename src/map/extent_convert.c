/*
 * Conversion between written and unwritten, extent by extent. Each step is
 * complete in itself, so a handle may restart between two of them. A split
 * without room falls back to zeroing on the device (IO-15).
 */
#include "map/extent_tree.h"
#include "base/mutant.h"

#include "dev/dev.h"

/* IO-8: what becomes unwritten in one step; halves an extent of the greatest written length. */
#define STEP_UNWRITTEN_MAX 16384u

struct convert {
	struct extent_entry e; /* the extent that contains the piece */
	u32 from, end;	       /* the piece: [from, end) */
	bool to_unwritten;     /* the new state */
};

u32 extent_convert_credits(const struct filemap *fm)
{
	return MAP_INODE_CREDITS + extent_room_credits(fm);
}

static struct extent_entry part(const struct extent_entry *e, u64 from, u64 end, bool unwritten)
{
	return (struct extent_entry){.lblk = (lblk_t)from,
		.len = (u32)(end - from),
		.pblk = e->pblk + (from - e->lblk),
		.unwritten = unwritten};
}

static u64 extent_end(const struct extent_entry *e)
{
	return (u64)e->lblk + e->len;
}

/* Replaces the extent by head, piece and tail. */
static void splice_build(const struct convert *c, u32 pos, struct extent_splice *s)
{
	*s = (struct extent_splice){.at = pos, .remove = 1};
	if (c->from > c->e.lblk)
		s->add[s->count++] = part(&c->e, c->e.lblk, c->from, c->e.unwritten);
	s->add[s->count++] = part(&c->e, c->from, c->end, c->to_unwritten);
	if (c->end < extent_end(&c->e))
		s->add[s->count++] = part(&c->e, c->end, extent_end(&c->e), c->e.unwritten);
}

static int zero_range(struct filemap *fm, const struct extent_entry *e, u64 from, u64 end)
{
	u32 bs = fm->volume->sb.block_size;

	if (from >= end || MUTANT(ZERO_OUT_SKIPPED))
		return 0;
	if (FAULT("map_zero"))
		return ERR(EIO);
	return dev_write_zeroes(
		fm->volume->dev, (e->pblk + (from - e->lblk)) * bs, (end - from) * bs, 0);
}

/* No wider than the file: written blocks beyond its end are an error to checkers (IO-16). */
static u64 widen_limit(struct filemap *fm, const struct convert *c)
{
	u64 size = atomic_load_relaxed(&fm->size_blocks_hint);

	return max_of(size, (u64)c->end);
}

/*
 * The split has no room. To written: zeroes what lies around the piece, then marks all of it
 * written; what the file's end forbids to mark stays behind in an extent of its own, if the leaf
 * has a slot. To unwritten: zeroes the piece and leaves it written. Returns the old error if even
 * that is impossible.
 */
static int convert_by_zeroing(struct handle *h, struct filemap *fm, struct convert *c, int why)
{
	struct extent_splice s;
	struct extent_path path;
	u64 end = extent_end(&c->e);
	int err;

	TRACE("map_zero_out", c->from, c->end);
	status_forget(fm, c->e.lblk, (lblk_t)end);
	if (c->to_unwritten) {
		c->to_unwritten = false;
		return zero_range(fm, &c->e, c->from, c->end);
	}
	err = extent_walk(fm, c->from, &path);
	if (err)
		return err;
	if (end > widen_limit(fm, c))
		end = c->end;
	s = (struct extent_splice){.at = extent_leaf(&path)->pos, .remove = 1, .count = 1};
	s.add[0] = part(&c->e, c->e.lblk, end, false);
	if (end < extent_end(&c->e))
		s.add[s.count++] = part(&c->e, end, extent_end(&c->e), true);
	if (s.count == 2 &&
		node_count(extent_leaf(&path)->node) >= node_max(extent_leaf(&path)->node))
		err = why;
	atomic_add(&fm->zeroings, 1);
	if (!err)
		err = zero_range(fm, &c->e, c->e.lblk, c->from);
	if (!err)
		err = zero_range(fm, &c->e, c->end, end);
	if (!err)
		err = extent_splice(h, fm, &path, &s);
	extent_release(&path);
	ASSERT(err <= 0);
	c->from = c->e.lblk;
	c->end = (u32)end;
	return err;
}

/* Marks the piece; on return *c says which range is in which state now. */
static int convert_piece(
	struct handle *h, struct filemap *fm, struct extent_path *path, struct convert *c)
{
	struct extent_splice s;
	int r;

	splice_build(c, extent_leaf(path)->pos, &s);
	r = extent_splice(h, fm, path, &s);
	if (r <= 0)
		goto out_release;
	r = extent_room(
		h, fm, c->from, s.count - 1, MUTANT(RESERVE_UNUSED) ? 0 : MAP_CREATE_MUST, path);
	if (goal_may_undo(r) && !MUTANT(RESERVE_UNUSED))
		return convert_by_zeroing(h, fm, c, r);
	if (r)
		return r;
	s.at = extent_leaf(path)->pos;
	r = extent_splice(h, fm, path, &s);
	ASSERT(r <= 0);
out_release:
	extent_release(path);
	return r;
}

/*
 * One extent from *cur on. The cache forgets first and learns last (IO-18). What lies around the
 * piece stays as it is, and known, unless it is zeroed or nobody can tell what the tree says.
 */
static int convert_step(struct handle *h, struct filemap *fm, struct extent_path *path, lblk_t *cur,
	lblk_t end, bool to_unwritten)
{
	struct convert c = {.from = *cur, .to_unwritten = to_unwritten};
	int err;

	c.e = node_extent(extent_leaf(path)->node, extent_leaf(path)->pos);
	c.end = (u32)min_of(extent_end(&c.e), (u64)end);
	if (to_unwritten)
		c.end = (u32)min_of((u64)c.end, (u64)*cur + STEP_UNWRITTEN_MAX);
	*cur = c.end;
	err = c.e.unwritten == to_unwritten ? 0 : extent_tree_check(fm, &c.e);
	if (err || c.e.unwritten == to_unwritten) {
		extent_release(path);
		return err;
	}
	status_forget(fm, c.from, c.end);
	filemap_changed(fm);
	err = convert_piece(h, fm, path, &c);
	if (err)
		status_forget(fm, c.e.lblk, (lblk_t)extent_end(&c.e));
	else
		status_set(fm, c.from, c.end - c.from, c.e.pblk + (c.from - c.e.lblk),
			c.to_unwritten ? MAP_UNWRITTEN : MAP_WRITTEN);
	return err;
}

static bool in_extent(struct extent_path *path, lblk_t lblk)
{
	struct extent_entry e;

	if (path->before)
		return false;
	e = node_extent(extent_leaf(path)->node, extent_leaf(path)->pos);
	return lblk - e.lblk < e.len;
}

/* Merging takes at most two extents from the leaf: few enough may be left for the root. */
static bool may_fold_after(struct extent_path *path)
{
	return path->depth > 0 && node_count(extent_leaf(path)->node) <= EXT4_EXTENT_ROOT_MAX + 2;
}

int extent_convert_written(struct handle *h, struct filemap *fm, lblk_t from, lblk_t end)
{
	struct extent_path path;
	bool restarted, fold = false;
	int err = 0;

	while (from < end && !err) {
		err = filemap_ensure(h, fm, extent_convert_credits(fm), 0, &restarted);
		if (!err)
			err = status_reserve(fm);
		if (!err)
			err = extent_walk(fm, from, &path);
		if (err)
			break;
		fold = fold || may_fold_after(&path);
		if (in_extent(&path, from)) {
			err = convert_step(h, fm, &path, &from, end, false);
		} else {
			extent_release(&path);
			err = ERR(ESTALE); /* the blocks are gone: the I/O was not excluded */
		}
	}
	return err || !fold ? err : extent_fold(h, fm);
}

static int fill_hole(struct handle *h, struct filemap *fm, lblk_t *from, lblk_t end)
{
	struct mapping m;
	int err = map_create_locked(h, fm, *from, end - *from, MAP_CREATE_UNWRITTEN, &m);

	if (!err)
		*from += m.len;
	return err;
}

int extent_convert_unwritten(struct handle *h, struct filemap *fm, lblk_t from, lblk_t end)
{
	struct extent_path path;
	bool restarted, fold = false;
	int err = 0;

	while (from < end && !err) {
		err = filemap_ensure(h, fm, map_create_credits(fm, 1), 0, &restarted);
		if (!err)
			err = status_reserve(fm);
		if (!err)
			err = extent_walk(fm, from, &path);
		if (err)
			break;
		fold = fold || may_fold_after(&path);
		if (in_extent(&path, from)) {
			err = convert_step(h, fm, &path, &from, end, true);
		} else {
			extent_release(&path);
			err = fill_hole(h, fm, &from, end);
		}
	}
	return err || !fold ? err : extent_fold(h, fm);
}
