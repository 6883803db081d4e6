#include "sim/explore/explore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/rng.h"
#include "base/util.h"
#include "sim/explore/seen.h"

enum { DEEPER_BUDGET = 16 };

struct explorer {
	const struct explore_config *config;
	struct explore_stats *stats;
	struct explore_state *failed;
	struct seen seen;
};

/* One history: the one given, or that of a recovery. */
struct level {
	struct explorer *e;
	const struct sim_history *history;
	const struct explore_state *parent; /* NULL at depth 1 */
	struct sim_cursor cursor;
	size_t end;
	u64 settled; /* events before the cursor that made something durable */
	u64 promise; /* at the cursor; in a recovery that of the first cut */
	u64 checked;
};

static int explore_level(struct explorer *e, const struct sim_history *h,
	const struct explore_state *parent, size_t from, size_t to, u64 budget);

static void describe(const struct level *l, u32 way, u64 number, struct explore_state *s)
{
	const struct explore_state *p = l->parent;
	size_t at = l->cursor.position, used = 0;

	s->depth = p ? p->depth + 1 : 1;
	s->position = p ? p->position : at;
	s->promise = l->promise;
	s->why[0] = 0;
	if (p)
		used = (size_t)snprintf(s->name, sizeof(s->name), "%s/", p->name);
	snprintf(s->name + used, sizeof(s->name) - used, "%zu.%u.%" PRIu64, at, way, number);
}

static void export(struct explorer *e, const struct sim_pages *image, const struct explore_state *s,
	const char *kind)
{
	char path[512];
	size_t at = (size_t)snprintf(
		path, sizeof(path), "%s/", e->config->export_dir ? e->config->export_dir : ".");
	int err;

	snprintf(path + at, sizeof(path) - at, "%s.%s", s->name, kind);
	for (char *p = path + at; *p; p++)
		*p = *p == '/' ? '+' : *p;
	err = sim_pages_store(image, path);
	if (err)
		fprintf(stderr, "%s: %s\n", path, strerror(-err));
	else
		e->stats->exported++;
}

static struct sim_disk *disk_for(
	const struct explore_config *c, const struct sim_pages *image, bool record)
{
	struct sim_disk_params params = c->disk;

	params.record = record;
	return sim_disk_create(image, &params);
}

static bool goes_deeper(const struct explorer *e, const struct explore_state *s)
{
	const struct explore_config *c = e->config;
	unsigned depth = c->depth ? min_of(c->depth, EXPLORE_DEPTH_MAX) : EXPLORE_DEPTH_MAX;

	return c->deeper_every && s->depth < depth &&
	       hash_u64(s->hash ^ c->states.seed) % c->deeper_every == 0;
}

static bool is_inspected(const struct explorer *e, const struct explore_state *s)
{
	const struct explore_config *c = e->config;

	return c->ops->inspect && c->inspect_every &&
	       hash_u64(~s->hash ^ c->states.seed) % c->inspect_every == 0;
}

static int judge(struct explorer *e, struct sim_disk *disk, struct explore_state *s)
{
	const struct explore_config *c = e->config;
	int err = 0;

	if (is_inspected(e, s)) {
		e->stats->inspected++;
		err = c->ops->inspect(c->arg, disk, s);
	}
	if (!err)
		err = c->ops->recover(c->arg, disk, s);
	if (!err && c->ops->check)
		err = c->ops->check(c->arg, disk, s);
	if (err && e->failed)
		*e->failed = *s;
	return err;
}

/* Recovers and judges the state that the cursor has chosen. */
static int try_state(struct level *l, struct explore_state *s)
{
	struct explorer *e = l->e;
	bool deeper = goes_deeper(e, s), stored;
	const struct sim_history *h;
	struct sim_pages image;
	struct sim_disk *disk;
	int err;

	stored = e->config->export_every && e->stats->checked % e->config->export_every == 0;
	e->stats->checked++;
	e->stats->by_depth[s->depth - 1]++;
	sim_cut_build(&l->cursor, &image);
	disk = disk_for(e->config, &image, deeper);
	err = judge(e, disk, s);
	if (stored && !err) {
		export(e, &image, s, "crash");
		export(e, sim_disk_pages(disk), s, "ours");
	}
	sim_pages_fini(&image);
	h = sim_disk_history(disk);
	if (!err && deeper && h->count)
		err = explore_level(e, h, s, 1, h->count,
			e->config->deeper_budget ? e->config->deeper_budget : DEEPER_BUDGET);
	sim_disk_destroy(disk);
	return err;
}

static int visit(struct level *l, const struct sim_cut *cut, u64 number)
{
	struct explore_state s;

	s.hash = sim_cut_choose(&l->cursor, cut, number);
	l->e->stats->generated++;
	if (!seen_add(&l->e->seen, s.hash + hash_u64(l->promise)))
		return 0;
	describe(l, cut->way, number, &s);
	l->e->stats->distinct++;
	l->checked++;
	return try_state(l, &s);
}

static u64 gcd(u64 a, u64 b)
{
	while (b) {
		u64 rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* All states of a cut, or as many as `most` new ones, in an order that the seed makes. */
static int visit_all(struct level *l, const struct sim_cut *cut, u64 most)
{
	u64 before = l->checked, start, step;
	struct rng rng;
	int err = 0;

	/* Nothing and everything first: numbers 0 and 1, or the first and last combination. */
	for (u64 i = 0; i < min_of(cut->count, 2u) && !err && l->checked - before < most; i++)
		err = visit(l, cut, cut->exhaustive && i ? cut->count - 1 : i);
	rng_init(&rng, l->e->config->states.seed ^ hash_u64(l->cursor.position * 64 + cut->way));
	start = rng_below(&rng, cut->count);
	step = 1 + rng_below(&rng, cut->count);
	while (gcd(step, cut->count) != 1)
		step++;
	for (u64 i = 0; i < cut->count && !err && l->checked - before < most; i++)
		err = visit(l, cut, (start + i * step) % cut->count);
	return err;
}

/* Between two points of interest only the newest write makes a difference. */
static int visit_newest(struct level *l, const struct sim_cut *cut, u64 most)
{
	u64 before = l->checked;
	u32 newest = cut->writes - 1;
	int err = most ? visit(l, cut, sim_cut_number(cut, SIM_EVERYTHING, 0, 0)) : 0;

	if (!err && l->checked - before < most)
		err = visit(l, cut, sim_cut_number(cut, SIM_ALONE, newest, 0));
	for (u32 i = 0; i < SIM_TORN_VARIANTS && !err && l->checked - before < most; i++)
		err = visit(l, cut, sim_cut_number(cut, SIM_TORN, newest, i));
	return err;
}

/* Behind this position less is possible, or more is promised. */
static bool is_last_chance(const struct level *l, size_t position)
{
	const struct explore_config *c = l->e->config;

	return position == l->end || sim_event_settles(l->history, position) ||
	       (!l->parent && c->ops->promise &&
		       c->ops->promise(c->arg, position) != c->ops->promise(c->arg, position + 1));
}

static unsigned weight_of(const struct level *l, size_t position)
{
	return is_last_chance(l, position) ? 8 : 1;
}

static int visit_position(struct level *l, u64 most)
{
	bool last = is_last_chance(l, l->cursor.position);
	u64 before = l->checked;
	int err = 0;

	l->e->stats->positions++;
	for (u32 way = 0; way < sim_cursor_ways(&l->cursor) && !err; way++) {
		u64 left = most - min_of(most, l->checked - before);
		struct sim_cut cut;

		sim_cut_make(&l->cursor, way, &cut);
		err = last || cut.exhaustive ? visit_all(l, &cut, left)
					     : visit_newest(l, &cut, left);
	}
	return err;
}

static void move_to(struct level *l, size_t position)
{
	const struct explore_config *c = l->e->config;

	for (size_t p = l->cursor.position; p < position; p++)
		l->settled += sim_event_settles(l->history, p);
	sim_cursor_advance(&l->cursor, position);
	if (l->parent)
		l->promise = l->parent->promise;
	else
		l->promise = c->ops->promise ? c->ops->promise(c->arg, position) : l->settled;
}

static void level_begin(struct level *l, struct explorer *e, const struct sim_history *h,
	const struct explore_state *parent)
{
	*l = (struct level){.e = e, .history = h, .parent = parent, .end = h->count};
	sim_cursor_init(
		&l->cursor, h, parent ? parent->hash : e->config->base_hash, &e->config->states);
}

static int explore_level(struct explorer *e, const struct sim_history *h,
	const struct explore_state *parent, size_t from, size_t to, u64 budget)
{
	u64 weight = 0, passed = 0;
	struct level l;
	int err = 0;

	level_begin(&l, e, h, parent);
	l.end = to;
	for (size_t p = from; budget && p <= to; p++)
		weight += weight_of(&l, p);
	for (size_t p = from; p <= to && !err; p++) {
		u64 most = UINT64_MAX;

		if (budget) {
			passed += weight_of(&l, p);
			most = div_up(budget * passed, weight);
			most -= min_of(most, l.checked);
		}
		move_to(&l, p);
		if (most)
			err = visit_position(&l, most);
	}
	sim_cursor_fini(&l.cursor);
	return err;
}

static double seconds_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int explore(const struct sim_history *h, const struct explore_config *config,
	struct explore_stats *stats, struct explore_state *failed)
{
	struct explore_stats unused = {0};
	struct explorer e = {.config = config, .stats = stats ? stats : &unused, .failed = failed};
	double wall = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	int err = explore_level(
		&e, h, NULL, config->from, config->to ? config->to : h->count, config->budget);

	seen_fini(&e.seen);
	e.stats->seconds += seconds_of(CLOCK_MONOTONIC) - wall;
	e.stats->cpu_seconds += seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	return err;
}

static int replay_level(struct explorer *e, const struct sim_history *h,
	const struct explore_state *parent, const char *name, struct explore_state *s,
	struct sim_pages *crash)
{
	unsigned long long number;
	struct sim_pages image;
	struct sim_disk *disk;
	struct sim_cut cut;
	struct level l;
	size_t position;
	unsigned way;
	int used = 0, err = -EINVAL;

	if (sscanf(name, "%zu.%u.%llu%n", &position, &way, &number, &used) != 3 ||
		position > h->count || (parent && parent->depth == EXPLORE_DEPTH_MAX))
		return -EINVAL;
	level_begin(&l, e, h, parent);
	move_to(&l, position);
	if (way >= sim_cursor_ways(&l.cursor))
		goto out;
	sim_cut_make(&l.cursor, way, &cut);
	if (number >= cut.count)
		goto out;
	s->hash = sim_cut_choose(&l.cursor, &cut, number);
	describe(&l, way, number, s);
	sim_cut_build(&l.cursor, &image);
	disk = disk_for(e->config, &image, name[used] == '/');
	if (name[used] == '/') {
		const struct explore_state outer = *s;

		err = e->config->ops->recover(e->config->arg, disk, s);
		if (!err)
			err = replay_level(
				e, sim_disk_history(disk), &outer, name + used + 1, s, crash);
	} else if (!name[used]) {
		if (crash)
			sim_pages_clone(crash, &image);
		err = judge(e, disk, s);
	}
	sim_disk_destroy(disk);
	sim_pages_fini(&image);
out:
	sim_cursor_fini(&l.cursor);
	return err;
}

int explore_replay(const struct sim_history *h, const struct explore_config *config,
	const char *name, struct explore_state *state, struct sim_pages *crash)
{
	struct explore_stats unused = {0};
	struct explorer e = {.config = config, .stats = &unused};

	return replay_level(&e, h, NULL, name, state, crash);
}

static double per_second(u64 count, double seconds)
{
	return seconds > 0 ? (double)count / seconds : 0;
}

void explore_print(const struct explore_stats *s, char *out, size_t size)
{
	snprintf(out, size,
		"%" PRIu64 " positions; states: %" PRIu64 " generated, %" PRIu64
		" distinct, %" PRIu64 " looked at before and %" PRIu64
		" checked after recovery (cut once %" PRIu64 ", twice %" PRIu64
		", three times %" PRIu64 "), %" PRIu64
		" files; checked per second: %.0f, of CPU time %.0f",
		s->positions, s->generated, s->distinct, s->inspected, s->checked, s->by_depth[0],
		s->by_depth[1], s->by_depth[2], s->exported, per_second(s->checked, s->seconds),
		per_second(s->checked, s->cpu_seconds));
}
