/*
 * Choosing a group and a run in it (AL-16). Criteria in turn:
 *
 *   1 at the goal, or near it in the goal's group
 *   2 nearest group with a free chunk as large as wanted, or one that was never
 *     read and states twice that much free; more descriptors load meanwhile
 *   3 nearest group whose average fragment is large enough
 *   4 best available: shrinking chunk orders
 *   5 any free block; waits for busy groups and loads every descriptor
 *
 * Passes 1 (without an explicit goal) to 4 skip groups that another thread
 * holds, and look at a bounded number of groups.
 */
#include "space/space_priv.h"

#include "os/atomic.h"

enum {
	PROBES = 8,	      /* groups examined per criterion */
	DESCRIPTOR_LOADS = 4, /* descriptor blocks loaded per allocation in pass 2 */
	NONE = BUDDY_ORDERS + 1,
};

static void note_error(struct search *s, int err)
{
	if (err != -EUCLEAN && err != -EBADMSG) /* those were reported, and the group is out */
		s->err = err;
}

/* Locks the group and loads its buddy. */
static struct group *enter_group(struct search *s, group_nr nr, bool wait)
{
	struct group *g;
	int err = group_find(s->sp, nr, &g);

	if (err) {
		note_error(s, err);
		return NULL;
	}
	if (group_is(g, GROUP_BAD_BLOCKS) || !atomic_load_relaxed(&g->free_blocks))
		return NULL;
	if (wait)
		group_lock(g);
	else if (!group_trylock(g))
		return NULL;
	err = group_load_buddy(s->sp, g);
	if (!err)
		return g;
	note_error(s, err);
	group_unlock(s->sp, g);
	return NULL;
}

static bool found(struct search *s, struct group *g, u32 bit, u32 len)
{
	s->group = g;
	s->bit = bit;
	s->len = len;
	return true;
}

static bool try_group(struct search *s, group_nr nr, u32 need, bool wait)
{
	u32 goal = s->goal && block_group(s->sp, s->goal) == nr ? block_bit(s->sp, s->goal) : 0;
	struct group *g = enter_group(s, nr, wait);
	u32 bit, len;

	if (!g)
		return false;
	len = buddy_find(g->buddy, goal, s->want, UINT32_MAX, &bit);
	if (len && len >= need)
		return found(s, g, bit, len);
	group_unlock(s->sp, g);
	return false;
}

static bool try_goal(struct search *s)
{
	u32 len = s->req->len, bit, run;
	struct group *g;

	if (!s->goal)
		return try_group(s, s->start, max_of(len, s->want / 4), false);
	g = enter_group(s, s->start, true);
	if (!g)
		return false;
	bit = block_bit(s->sp, s->goal);
	run = buddy_run_at(g->buddy, bit, s->want);
	if (run < div_up(len, 2)) {
		run = buddy_find(g->buddy, bit, s->want, UINT32_MAX, &bit);
		if (run < max_of(len, s->want / 4))
			run = 0;
	}
	if (run)
		return found(s, g, bit, run);
	group_unlock(s->sp, g);
	return false;
}

static bool pass(struct search *s, u32 order, u32 frag, u32 unread, u32 need, u32 probes)
{
	struct index_query q = {order, frag, unread, s->start, s->limit};
	bool wait = probes == UINT32_MAX;
	u32 distance = 0;
	group_nr nr;

	while (probes-- && index_nearest(&s->sp->index, &q, &distance, &nr)) {
		if (try_group(s, nr, need, wait))
			return true;
		if (++distance >= s->limit)
			break;
	}
	return false;
}

static bool pass_large_chunk(struct search *s)
{
	u32 order = log2_ceil(s->want);

	for (u32 loads = 0; !pass(s, order, NONE, order + 1, s->want, PROBES); loads++)
		if (loads == DESCRIPTOR_LOADS || !gdt_load_next(s->sp, s->start))
			return false;
	return true;
}

static bool pass_best_available(struct search *s)
{
	for (u32 order = log2_floor(s->want) + 1; order-- > 0;) {
		if ((1u << order) < div_up(s->req->len, 2))
			break;
		if (pass(s, order, NONE, order, 1u << order, PROBES))
			return true;
	}
	return false;
}

static bool pass_anything(struct search *s)
{
	do {
		for (u32 order = BUDDY_ORDERS + 1; order-- > 0;)
			if (pass(s, order, NONE, order, 1, UINT32_MAX))
				return true;
	} while (gdt_load_next(s->sp, s->start));
	return false;
}

int search_blocks(struct search *s)
{
	if (s->goal &&
		(!range_in_device(s->sp, s->goal, 1) || block_group(s->sp, s->goal) >= s->limit))
		s->goal = 0;
	if (s->goal)
		s->start = block_group(s->sp, s->goal);
	if (s->start >= s->limit)
		s->start = 0;
	if (try_goal(s) || pass_large_chunk(s) ||
		pass(s, NONE, log2_ceil(s->want), NONE, max_of(s->req->len, s->want / 2), PROBES) ||
		pass_best_available(s) || pass_anything(s))
		return 0;
	return s->err ? s->err : ERR(ENOSPC);
}

int search_exact(struct search *s)
{
	struct group *g;
	u32 bit, run;

	if (!range_in_device(s->sp, s->goal, 1) || block_group(s->sp, s->goal) >= s->limit)
		return ERR(ENOSPC);
	bit = block_bit(s->sp, s->goal);
	g = enter_group(s, block_group(s->sp, s->goal), true);
	if (!g)
		return s->err ? s->err : ERR(ENOSPC);
	run = buddy_run_at(g->buddy, bit, s->want);
	if (run) {
		found(s, g, bit, run);
		return 0;
	}
	group_unlock(s->sp, g);
	return ERR(ENOSPC);
}
