/*
 * Where a new inode goes (AL-11, AL-12): top-level directories are spread,
 * everything below stays near its parent. A unit is a flex group (clipped, so
 * that looking at one is cheap). At most UNITS_SEEN units are compared, so the
 * cost does not grow with the file system; only when all of those are full are
 * the groups searched one by one, from where the last such search ended.
 */
#include "space/space_priv.h"

#include "os/atomic.h"

enum { UNITS_SEEN = 64 };

struct unit {
	u64 free_inodes, free_blocks, dirs;
};

struct walk {
	struct space *sp;
	const struct inode_alloc_request *req;
	group_visit_fn *visit;
	void *arg;
	u32 units, parent_unit;
	group_nr parent_group;
	struct unit average;
};

static u32 unit_count(const struct space *sp)
{
	return (u32)div_up(sp->group_count, 1u << sp->flex_log);
}

static void unit_sum(struct space *sp, u32 unit, struct unit *out)
{
	u64 first = (u64)unit << sp->flex_log;
	u64 end = min_of(first + (1u << sp->flex_log), (u64)sp->group_count);
	struct group *g;

	*out = (struct unit){0};
	for (u64 nr = first; nr < end; nr++) {
		if (group_find(sp, (group_nr)nr, &g))
			continue;
		out->dirs += atomic_load_relaxed(&g->dirs);
		if (!group_is(g, GROUP_BAD_INODES))
			out->free_inodes += atomic_load_relaxed(&g->free_inodes);
		if (!group_is(g, GROUP_BAD_BLOCKS))
			out->free_blocks += atomic_load_relaxed(&g->free_blocks);
	}
}

static u64 per_unit(s64 sum, u64 units)
{
	return sum > 0 ? (u64)sum / units : 0;
}

static void walk_init(struct walk *w, struct space *sp, const struct inode_alloc_request *req,
	group_visit_fn *visit, void *arg)
{
	*w = (struct walk){.sp = sp, .req = req, .visit = visit, .arg = arg};
	w->units = unit_count(sp);
	w->parent_group = space_inode_group(sp->v, req->parent);
	if (w->parent_group >= sp->group_count)
		w->parent_group = 0;
	w->parent_unit = w->parent_group >> sp->flex_log;
}

/* Only who looks beyond the parent's unit needs it. */
static void average_init(struct walk *w)
{
	struct space *sp = w->sp;
	u64 loaded = (u64)atomic_load_relaxed(&sp->gdt_loaded) * sp->descs_per_block;

	loaded = min_of(max_of(loaded, 1ull), (u64)sp->group_count);
	w->average.free_inodes = per_unit(counter_sum(&sp->free_inodes), w->units);
	w->average.free_blocks = per_unit(counter_sum(&sp->free_blocks), w->units);
	w->average.dirs = per_unit(counter_sum(&sp->dirs), max_of(loaded >> sp->flex_log, 1ull));
}

static int visit_group(struct walk *w, group_nr nr)
{
	struct group *g;

	if (group_find(w->sp, nr, &g) || group_is(g, GROUP_BAD_INODES) ||
		!atomic_load_relaxed(&g->free_inodes))
		return 0;
	return w->visit(w->arg, g);
}

static int visit_with_blocks(struct walk *w, group_nr nr)
{
	struct group *g;

	if (group_find(w->sp, nr, &g) || group_is(g, GROUP_BAD_BLOCKS) ||
		!atomic_load_relaxed(&g->free_blocks))
		return 0;
	return visit_group(w, nr);
}

/* The groups of a unit, from `from` on, wrapping inside it. */
static int visit_unit(struct walk *w, u32 unit, group_nr from)
{
	u64 first = (u64)unit << w->sp->flex_log;
	u32 n = (u32)min_of(1ull << w->sp->flex_log, w->sp->group_count - first);
	int r = 0;

	for (u32 i = 0; i < n && !r; i++)
		r = visit_group(w, (group_nr)(first + (from - first + i) % n));
	return r;
}

static group_nr unit_first(const struct walk *w, u32 unit)
{
	return (group_nr)unit << w->sp->flex_log;
}

/* An eighth below average counts as average: superblock copies make some units a little smaller. */
static bool about_average(u64 have, u64 average)
{
	return have >= average - average / 8;
}

/* At least average everywhere, fewest directories, from the hash of the name on. */
static int walk_top(struct walk *w)
{
	u32 seen = min_of(w->units, (u32)UNITS_SEEN), best = 0;
	u64 best_dirs = UINT64_MAX;
	struct unit s;

	for (u32 i = 0; i < seen; i++) {
		u32 unit = (u32)(((u64)w->req->name_hash + i) % w->units);

		unit_sum(w->sp, unit, &s);
		if (!s.free_inodes || s.dirs >= best_dirs ||
			!about_average(s.free_inodes, w->average.free_inodes) ||
			!about_average(s.free_blocks, w->average.free_blocks))
			continue;
		best = unit;
		best_dirs = s.dirs;
	}
	return best_dirs == UINT64_MAX ? 0 : visit_unit(w, best, unit_first(w, best));
}

static u64 minus(u64 a, u64 b)
{
	return a > b ? a - b : 0;
}

static bool near_enough(const struct walk *w, const struct unit *s, bool relaxed)
{
	u64 ipg = w->sp->inodes_per_group, bpg = w->sp->blocks_per_group;
	u32 log = w->sp->flex_log;

	if (!s->free_inodes)
		return false;
	if (relaxed)
		return s->free_inodes >= w->average.free_inodes;
	return s->dirs < w->average.dirs + max_of(ipg / 16, 1ull) &&
	       s->free_inodes >= max_of(minus(w->average.free_inodes, (ipg << log) / 4), 1ull) &&
	       s->free_blocks >= max_of(minus(w->average.free_blocks, (bpg << log) / 4), 1ull);
}

static int walk_near(struct walk *w, bool relaxed)
{
	u32 seen = min_of(w->units, (u32)UNITS_SEEN);
	struct unit s;
	int r = 0;

	for (u32 i = 0; i < seen && !r; i++) {
		u32 unit = (u32)(((u64)w->parent_unit + i) % w->units);

		unit_sum(w->sp, unit, &s);
		if (near_enough(w, &s, relaxed))
			r = visit_unit(w, unit, unit_first(w, unit));
	}
	return r;
}

static int walk_directory(struct walk *w)
{
	int r;

	average_init(w);
	r = w->req->dir && w->req->parent_top ? walk_top(w) : 0;
	if (!r)
		r = walk_near(w, false);
	return r ? r : walk_near(w, true);
}

/* Without flex groups: the parent's group, then doubling steps away from it. */
static int walk_file_plain(struct walk *w)
{
	u32 count = w->sp->group_count;
	int r = visit_with_blocks(w, w->parent_group);
	u64 nr = ((u64)w->parent_group + w->req->parent) % count;

	for (u64 step = 1; step < count && !r; step *= 2) {
		nr = (nr + step) % count;
		r = visit_with_blocks(w, (group_nr)nr);
	}
	return r;
}

static int walk_file(struct walk *w)
{
	int r;

	if (!w->sp->flex_log)
		r = walk_file_plain(w);
	else
		r = visit_unit(w, w->parent_unit, w->parent_group);
	return r ? r : walk_directory(w);
}

/* No ENOSPC while an inode is free. */
static int walk_all(struct walk *w)
{
	u32 count = w->sp->group_count;
	group_nr from = atomic_load_relaxed(&w->sp->inode_cursor);
	int r = 0;

	for (u32 i = 0; i < count && !r; i++) {
		group_nr nr = (group_nr)(((u64)from + i) % count);

		r = visit_group(w, nr);
		if (r)
			atomic_store_relaxed(&w->sp->inode_cursor, nr);
	}
	return r;
}

int orlov_walk(
	struct space *sp, const struct inode_alloc_request *req, group_visit_fn *visit, void *arg)
{
	struct walk w;
	int r = 0;

	walk_init(&w, sp, req, visit, arg);
	if (req->goal && space_inode_group(sp->v, req->goal) < sp->group_count)
		r = visit_group(&w, space_inode_group(sp->v, req->goal));
	if (!r)
		r = req->dir ? walk_directory(&w) : walk_file(&w);
	return r ? r : walk_all(&w);
}
