/* space_alloc: accounting, window or search, marking on disk. */
#include "space/space_priv.h"
#include "base/mutant.h"

#include "os/assert.h"
#include "os/atomic.h"
#include "os/thread.h"

enum { BAD_GROUP_RETRIES = 8 };

/* AL-17: what must stay free for others. */
u64 space_floor(const struct space *sp, u32 flags)
{
	if (flags & SPACE_MUST)
		return 0;
	if (flags & SPACE_ROOT)
		return sp->reserved_internal;
	return sp->reserved_internal + sp->reserved_root;
}

static group_nr group_limit(const struct space *sp, u32 flags)
{
	u64 groups;

	if (!(flags & SPACE_LOW32) || sp->sb->blocks_count <= 1ull << 32)
		return sp->group_count;
	groups = ((1ull << 32) - sp->sb->first_data_block) / sp->blocks_per_group; /* AL-23 */
	return (group_nr)min_of(groups, (u64)sp->group_count);
}

/* Marks the start of the found run on disk and keeps the rest as a window. s->group is locked. */
static int take_found(
	struct handle *h, struct search *s, struct prealloc *pa, struct alloc_result *out)
{
	struct space *sp = s->sp;
	struct group *g = s->group;
	u32 take = min_of(s->len, s->req->len), keep = pa ? s->len : take;
	int err;

	buddy_take(g->buddy, s->bit, keep);
	err = group_write_blocks(h, sp, g);
	if (!err)
		err = group_set_blocks(h, sp, g, s->bit, take);
	if (err) {
		buddy_give(g->buddy, s->bit, keep);
		return err;
	}
	*out = (struct alloc_result){group_first_block(sp, g->idx.nr) + s->bit, take};
	if (keep > take)
		window_set(sp, g, pa, s->req->lblk + take, s->bit + take, keep - take);
	return 0;
}

static group_nr search_start(struct space *sp, const struct alloc_request *req, bool large)
{
	group_nr stream;

	if (large && !req->goal && !(req->flags & SPACE_METADATA)) {
		stream = atomic_load_relaxed(&sp->stream[os_shard(SPACE_SHARDS)]);
		if (stream)
			return stream;
	}
	return req->group_hint < sp->group_count ? req->group_hint : 0;
}

/* Blocks from the buddy; pa (locked, empty) receives what is left of the run. */
static int alloc_fresh(struct handle *h, struct space *sp, const struct alloc_request *req,
	struct prealloc *pa, struct alloc_result *out)
{
	bool large = pa && !window_is_small(req);
	struct search s;
	int err = 0;

	for (u32 tries = 0; tries < BAD_GROUP_RETRIES; tries++) {
		s = (struct search){.sp = sp,
			.req = req,
			.goal = req->goal,
			.start = search_start(sp, req, large),
			.want = pa ? window_want(sp, req) : min_of(req->len, sp->blocks_per_group),
			.limit = group_limit(sp, req->flags)};
		err = req->flags & SPACE_EXACT ? search_exact(&s) : search_blocks(&s);
		if (err)
			return err;
		err = take_found(h, &s, pa, out);
		group_index_locked(sp, s.group);
		group_unlock(sp, s.group);
		if (!err && large)
			atomic_store_relaxed(&sp->stream[os_shard(SPACE_SHARDS)], s.group->idx.nr);
		if (err != -EUCLEAN && err != -EBADMSG)
			return err;
	}
	return err;
}

static bool wants_window(const struct alloc_request *req)
{
	return req->pa && !(req->flags & (SPACE_METADATA | SPACE_NO_PREALLOC));
}

static int alloc_windowed(struct handle *h, struct space *sp, const struct alloc_request *req,
	struct alloc_result *out)
{
	bool small = window_is_small(req) && !(req->flags & SPACE_EXACT);
	struct prealloc *pa = small ? &sp->locality[os_shard(SPACE_SHARDS)] : req->pa;
	int err;

	prealloc_lock(pa);
	err = window_take(h, sp, pa, req, small ? pa->lblk : req->lblk, out);
	if (err > 0) {
		window_clear(sp, pa);
		err = alloc_fresh(h, sp, req, pa, out);
	}
	os_mutex_unlock(&pa->lock);
	if (unlikely(atomic_load_relaxed(&sp->window_count) > SPACE_WINDOWS_MAX))
		windows_reclaim(sp, SPACE_WINDOWS_MAX);
	return err;
}

static int alloc_once(struct handle *h, struct space *sp, const struct alloc_request *req,
	struct alloc_result *out)
{
	return wants_window(req) ? alloc_windowed(h, sp, req, out)
				 : alloc_fresh(h, sp, req, NULL, out);
}

/* A bitmap that gives away what is in use (HD-10): its group is trusted no more. */
static int given_twice(struct space *sp, pblk_t pblk)
{
	struct group *g;
	int err;

	if (journal_aborted(sp->v->journal))
		return ERR(EROFS);
	err = group_find(sp, block_group(sp, pblk), &g);
	if (err)
		return err;
	group_lock(g);
	err = group_bad_locked(sp, g, GROUP_BAD_BLOCKS, ERR(EUCLEAN),
		"the block bitmap shows metadata in use as free");
	group_unlock(sp, g);
	return err;
}

/* IO-7 */
static int make_ready(struct space *sp, const struct alloc_result *got, u32 flags)
{
	struct bcache *c = sp->v->bcache;
	int err = flags & SPACE_METADATA ? bcache_check_unused(c, got->pblk, got->len)
					 : bcache_invalidate(c, got->pblk, got->len);

	return err ? given_twice(sp, got->pblk) : 0;
}

int space_alloc(struct handle *h, struct volume *v, const struct alloc_request *req,
	struct alloc_result *out)
{
	struct space *sp = v->space;
	struct alloc_request r = *req;
	bool claimed = req->flags & SPACE_CLAIMED;
	int err;

	if (!req->len)
		return ERR(EINVAL);
	if (!claimed)
		r.len = (u32)counter_take(&sp->avail, r.len, space_floor(sp, r.flags), true);
	if (!r.len)
		return ERR(ENOSPC);
	err = alloc_once(h, sp, &r, out);
	if (err == -ENOSPC && !(r.flags & SPACE_EXACT) && windows_reclaim(sp, 0)) /* AL-6 */
		err = alloc_once(h, sp, &r, out);
	if (!claimed)
		counter_add(&sp->avail, (s64)r.len - (err ? 0 : out->len));
	if (err)
		return err;
	TRACE("space_alloc", out->pblk, out->len);
	return make_ready(sp, out, r.flags);
}

int space_claim(struct volume *v, u64 blocks, u32 flags)
{
	struct space *sp = v->space;

	if (!blocks)
		return 0;
	if (MUTANT(DELAYED_NOT_COUNTED)) {
		counter_add(&sp->avail, -(s64)blocks);
		return 0;
	}
	return counter_take(&sp->avail, blocks, space_floor(sp, flags), false) ? 0 : ERR(ENOSPC);
}

void space_unclaim(struct volume *v, u64 blocks)
{
	counter_add(&v->space->avail, (s64)blocks);
}

bool space_may_alloc(struct volume *v, u64 blocks, u32 flags)
{
	struct space *sp = v->space;
	s64 have = counter_estimate(&sp->avail);
	u64 need;

	if (__builtin_add_overflow(blocks, space_floor(sp, flags), &need) || need > INT64_MAX / 2)
		return false;
	if (have < (s64)need + COUNTER_SLACK)
		have = counter_sum(&sp->avail);
	return have >= (s64)need;
}

static bool roomy(s64 avail, s64 free, s64 need)
{
	return avail - need >= (free > avail ? (free - avail) / 2 : 0);
}

bool space_roomy(struct volume *v, u64 blocks, u32 flags)
{
	struct space *sp = v->space;
	s64 need = (s64)(blocks + space_floor(sp, flags));

	if (roomy(counter_estimate(&sp->avail), counter_estimate(&sp->free_blocks),
		    need + 2 * COUNTER_SLACK))
		return true;
	return roomy(counter_sum(&sp->avail), counter_sum(&sp->free_blocks), need);
}
