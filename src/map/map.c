/* The public calls: who takes the lock, who looks where, in which order (IO-5). */
#include "map/map_priv.h"
#include "map/extent_tree.h"
#include "map/indirect.h"

void filemap_mark(struct filemap *fm)
{
	ASSERT(os_rwsem_held(&fm->lock));
	fm->changed = fm->root_dirty = true;
}

void filemap_add_blocks(struct filemap *fm, s64 blocks)
{
	filemap_mark(fm);
	fm->ops->add_blocks(fm, blocks);
}

int filemap_unlock(struct handle *h, struct filemap *fm, int err)
{
	bool changed = fm->changed, record = fm->root_dirty;

	fm->changed = fm->root_dirty = false;
	os_rwsem_unlock(&fm->lock);
	if (changed) {
		unsigned tries = 0;
		int dirty_err;

		do /* the tree has changed: its root must follow */
			dirty_err = fm->ops->dirty(h, fm, record);
		while (handle_try_again(h, dirty_err, &tries));
		if (!err)
			err = dirty_err;
	}
	return err;
}

int filemap_restart(struct handle *h, struct filemap *fm, u32 credits, u32 revokes)
{
	int err = filemap_unlock(h, fm, 0);

	TRACE("map_restart", fm->owner, credits);
	if (!err)
		err = handle_restart(h, credits, revokes);
	os_rwsem_lock(&fm->lock);
	return err;
}

int filemap_ensure(struct handle *h, struct filemap *fm, u32 credits, u32 revokes, bool *restarted)
{
	int r = FAULT("map_restart") ? 1 : handle_ensure(h, credits, revokes);

	*restarted = r > 0;
	return r > 0 ? filemap_restart(h, fm, credits, revokes) : r;
}

int tree_lookup(struct filemap *fm, lblk_t lblk, struct mapping *out)
{
	return fm->extents ? extent_lookup(fm, lblk, out) : indirect_lookup(fm, lblk, out);
}

int map_lookup_locked(struct filemap *fm, lblk_t lblk, struct mapping *out)
{
	int err;

	if (status_lookup(fm, lblk, out))
		return 0;
	err = tree_lookup(fm, lblk, out);
	if (!err)
		status_fill(fm, lblk, out);
	return err;
}

static void clip(struct mapping *m, lblk_t lblk, u32 len)
{
	u32 skip = lblk - m->lblk;

	m->lblk = lblk;
	m->len = min_of(m->len - skip, len);
	if (map_state_mapped(m->state))
		m->pblk += skip;
}

int map_lookup(struct filemap *fm, lblk_t lblk, u32 len, struct mapping *out)
{
	u64 cookie = atomic_load_acq(&fm->cookie); /* before the mapping: a change shows (IO-22) */
	int err;

	ASSERT(len > 0);
	if (lblk > LBLK_MAX)
		return ERR(EFBIG);
	if (!status_lookup(fm, lblk, out)) {
		os_rwsem_lock_shared(&fm->lock);
		cookie = atomic_load_relaxed(&fm->cookie);
		err = map_lookup_locked(fm, lblk, out);
		os_rwsem_unlock_shared(&fm->lock);
		if (err)
			return err;
		status_shrink_excess(fm->volume);
	}
	clip(out, lblk, len);
	out->fresh = false;
	out->cookie = cookie;
	return 0;
}

int map_lookup_cached(struct filemap *fm, lblk_t lblk, u32 len, struct mapping *out)
{
	u64 cookie = atomic_load_acq(&fm->cookie);

	if (lblk > LBLK_MAX)
		return ERR(EFBIG);
	if (!status_lookup(fm, lblk, out))
		return -EAGAIN;
	clip(out, lblk, len);
	out->cookie = cookie;
	return 0;
}

/* *m: the hole or delayed range at the request. */
static int create_locked(struct handle *h, struct filemap *fm, u32 flags, struct mapping *m)
{
	struct goal g = {.lblk = m->lblk, .len = m->len, .create_flags = flags};
	int err = status_reserve(fm);

	if (err)
		return err;
	g.delayed = m->state == MAP_DELAYED;
	TRACE("map_create", g.lblk, g.len);
	err = fm->extents ? extent_create(h, fm, &g, m) : indirect_create(h, fm, &g, m);
	if (err && !goal_may_undo(err)) /* nobody knows what the tree says now (IO-18) */
		status_forget(fm, g.lblk, g.lblk + g.len);
	if (err)
		return err;
	filemap_changed(fm);
	status_set(fm, m->lblk, m->len, m->pblk, m->state);
	fm->last_lblk = m->lblk + m->len;
	fm->last_pblk = m->pblk + m->len;
	m->fresh = true;
	return 0;
}

int map_create_locked(
	struct handle *h, struct filemap *fm, lblk_t lblk, u32 len, u32 flags, struct mapping *out)
{
	int err = map_lookup_locked(fm, lblk, out);

	if (err)
		return err;
	clip(out, lblk, len);
	out->fresh = false;
	if (!map_state_mapped(out->state))
		err = create_locked(h, fm, flags, out);
	out->cookie = atomic_load_relaxed(&fm->cookie);
	return err;
}

int map_create(
	struct handle *h, struct filemap *fm, lblk_t lblk, u32 len, u32 flags, struct mapping *out)
{
	u64 cookie = atomic_load_acq(&fm->cookie);
	int err;

	ASSERT(len > 0);
	if (lblk > LBLK_MAX)
		return ERR(EFBIG);
	len = min_of(len, LBLK_END - lblk);
	if (status_lookup(fm, lblk, out) && map_state_mapped(out->state)) {
		clip(out, lblk, len);
		out->fresh = false;
		out->cookie = cookie;
		return 0;
	}
	TRACE("map_create_miss", lblk, len);
	os_rwsem_lock(&fm->lock);
	err = filemap_unlock(h, fm, map_create_locked(h, fm, lblk, len, flags, out));
	status_shrink_excess(fm->volume);
	return err;
}

u32 map_create_credits(const struct filemap *fm, u32 len)
{
	/* The blocks of one call come from one group, however many they are. */
	return MAP_INODE_CREDITS + SPACE_ALLOC_CREDITS +
	       (fm->extents ? extent_room_credits(fm) : indirect_create_tree_credits());
}

static int range_check(lblk_t lblk, u32 len)
{
	return len == 0 || (u64)lblk + len > LBLK_END ? ERR(EFBIG) : 0;
}

int map_convert_written(struct handle *h, struct filemap *fm, lblk_t lblk, u32 len)
{
	int err = range_check(lblk, len);

	if (err || !fm->extents)
		return err; /* indirect maps know no unwritten blocks */
	os_rwsem_lock(&fm->lock);
	err = extent_convert_written(h, fm, lblk, lblk + len);
	return filemap_unlock(h, fm, err);
}

u32 map_convert_credits(const struct filemap *fm, u32 len)
{
	return fm->extents ? extent_convert_credits(fm) : 0;
}

int map_convert_unwritten(struct handle *h, struct filemap *fm, lblk_t lblk, u32 len)
{
	int err = range_check(lblk, len);

	if (err)
		return err;
	if (!fm->extents)
		return ERR(EOPNOTSUPP);
	os_rwsem_lock(&fm->lock);
	err = extent_convert_unwritten(h, fm, lblk, lblk + len);
	return filemap_unlock(h, fm, err);
}

int map_remove(struct handle *h, struct filemap *fm, lblk_t from, lblk_t end)
{
	int err;

	if (from >= end)
		return 0;
	os_rwsem_lock(&fm->lock);
	if (end == LBLK_END)
		prealloc_discard(fm->volume, &fm->pa);
	fm->last_lblk = fm->last_pblk = 0;
	err = fm->extents ? extent_remove(h, fm, from, end) : indirect_remove(h, fm, from, end);
	return filemap_unlock(h, fm, err);
}

u32 map_remove_credits(const struct filemap *fm)
{
	return fm->extents ? extent_remove_credits(fm) : indirect_remove_credits(fm);
}

u32 map_remove_revokes(const struct filemap *fm)
{
	return (fm->metadata_data ? MAP_METADATA_STEP : 0) + MAP_DEPTH_MAX;
}

int map_shift(struct handle *h, struct filemap *fm, lblk_t from, s64 delta)
{
	bool moved;
	int err;

	if (!fm->extents)
		return ERR(EOPNOTSUPP);
	if (delta == 0)
		return 0;
	os_rwsem_lock(&fm->lock);
	prealloc_discard(fm->volume, &fm->pa); /* its logical position is wrong now */
	fm->last_lblk = fm->last_pblk = 0;
	err = delta < 0 ? extent_shift_left(h, fm, from, (u64)-delta)
			: extent_shift_right(h, fm, from, (u64)delta);
	moved = !err;
	err = filemap_unlock(h, fm, err);
	return moved ? handle_must(h, err) : err;
}

u32 map_shift_credits(const struct filemap *fm)
{
	return extent_shift_credits(fm);
}
