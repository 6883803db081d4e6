/* The states that a cut at a cursor's position may leave. */
#include "sim/disk/states_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/util.h"
#include "dev/dev.h"

static bool never_torn(const struct sim_cursor *c, u64 sector)
{
	return sector * SIM_SECTOR - c->params.whole_offset < c->params.whole_bytes;
}

static u64 whole_end(const struct sim_cursor *c)
{
	return (c->params.whole_offset + c->params.whole_bytes) / SIM_SECTOR;
}

/* What was complete before this is durable in the way'th way. */
static size_t flushed_before(const struct sim_cursor *c, u32 way)
{
	const struct sim_numbers *flying = &c->work->flying;

	for (u32 i = 0; way && i < flying->count; i++) {
		const struct sim_request *r = &c->history->requests[flying->at[i]];

		if ((r->flags & DEV_PREFLUSH) && --way == 0)
			return r->submitted;
	}
	return 0;
}

static void list_writes(struct sim_cursor *c, size_t flushed)
{
	struct sim_work *w = c->work;

	w->writes.count = 0;
	for (u32 i = 0; i < w->done.count; i++)
		sim_numbers_add(&w->writes, w->done.at[i]);
	for (u32 i = 0; i < w->flying.count; i++) {
		const struct sim_request *r = &c->history->requests[w->flying.at[i]];

		if (!(r->flags & DEV_PREFLUSH) || r->submitted <= flushed)
			sim_numbers_add(&w->writes, w->flying.at[i]);
	}
	if (w->kept_room < w->writes.count) {
		w->kept_room = w->writes.room;
		w->kept = sim_realloc(w->kept, w->kept_room * sizeof(w->kept[0]));
	}
}

static u32 unit_at(struct sim_work *w, u64 sector)
{
	if (!w->unit_of[sector]) {
		if (w->unit_count == w->unit_room) {
			w->unit_room = max_of(w->unit_room * 2, 64u);
			w->units = sim_realloc(w->units, w->unit_room * sizeof(w->units[0]));
		}
		w->units[w->unit_count++] = (struct sim_unit){.sector = sector};
		w->unit_of[sector] = w->unit_count;
	}
	return w->unit_of[sector] - 1;
}

static void version_add(struct sim_work *w, struct sim_version v)
{
	if (w->version_count == w->version_room) {
		w->version_room = max_of(w->version_room * 2, 64u);
		w->unsorted = sim_realloc(w->unsorted, w->version_room * sizeof(w->unsorted[0]));
		w->versions = sim_realloc(w->versions, w->version_room * sizeof(w->versions[0]));
	}
	w->unsorted[w->version_count++] = v;
	w->units[v.unit].count++;
}

/* A write's sectors as versions of their units; what is durable by the way's flush is a floor. */
static void list_versions(struct sim_cursor *c, u32 write, size_t flushed)
{
	struct sim_work *w = c->work;
	const struct sim_request *r = &c->history->requests[w->writes.at[write]];

	for (u32 i = 0, span; i < r->count; i += span) {
		bool whole = never_torn(c, r->sector + i);
		u64 s = whole ? c->params.whole_offset / SIM_SECTOR : r->sector + i;
		u32 unit;

		span = whole ? (u32)min_of(whole_end(c) - (r->sector + i), (u64)(r->count - i)) : 1;
		if (w->settled_at[r->sector + i] > r->completed)
			continue;
		unit = unit_at(w, s);
		version_add(w, (struct sim_version){
				       .unit = unit, .write = write, .sector = i, .span = span});
		if (r->completed < flushed)
			w->units[unit].low = w->units[unit].count;
	}
}

static void sort_versions(struct sim_work *w)
{
	u32 first = 0;

	for (u32 u = 0; u < w->unit_count; u++) {
		w->units[u].first = first;
		first += w->units[u].count;
		w->units[u].choice = 0;
	}
	for (u32 v = 0; v < w->version_count; v++) {
		struct sim_unit *u = &w->units[w->unsorted[v].unit];

		w->versions[u->first + u->choice++] = w->unsorted[v];
	}
}

/* What a sector of a unit holds below its n-th version. */
static u64 hash_below(struct sim_cursor *c, const struct sim_unit *u, u32 n, u64 sector)
{
	while (n-- > 0) {
		const struct sim_version *v = &c->work->versions[u->first + n];
		const struct sim_request *r = &c->history->requests[c->work->writes.at[v->write]];
		u64 at = sector - (r->sector + v->sector);

		if (at < v->span)
			return r->hashes[v->sector + at];
	}
	return sim_durable_hash(c, sector);
}

static void weigh_versions(struct sim_cursor *c, const struct sim_unit *u)
{
	u64 delta = 0;

	for (u32 n = 0; n < u->count; n++) {
		struct sim_version *v = &c->work->versions[u->first + n];
		const struct sim_request *r = &c->history->requests[c->work->writes.at[v->write]];

		for (u32 i = v->sector; i < v->sector + v->span; i++)
			delta += sim_share(r->sector + i, r->hashes[i]) -
				 sim_share(r->sector + i, hash_below(c, u, n, r->sector + i));
		v->delta = delta;
	}
}

/* How many combinations there are, at most limit + 1. */
static u64 combinations(const struct sim_work *w, u64 limit)
{
	u64 product = 1;

	for (u32 u = 0; u < w->unit_count && product <= limit; u++)
		product *= w->units[u].count + 1 - w->units[u].low;
	return min_of(product, limit + 1);
}

u64 sim_cut_number(const struct sim_cut *cut, enum sim_state_kind kind, u32 write, u32 variant)
{
	u64 w = cut->writes;

	switch (kind) {
	case SIM_NOTHING:
		return 0;
	case SIM_EVERYTHING:
		return 1;
	case SIM_PREFIX:
		return 2 + write;
	case SIM_DROPPED:
		return 2 + w + write;
	case SIM_ALONE:
		return 2 + 2 * w + write;
	case SIM_TORN:
		return 2 + 3 * w + (u64)write * SIM_TORN_VARIANTS + variant;
	default:
		return 2 + (3ull + SIM_TORN_VARIANTS) * w + variant;
	}
}

void sim_cut_make(struct sim_cursor *c, u32 way, struct sim_cut *out)
{
	struct sim_work *w = c->work;
	size_t flushed = flushed_before(c, way);
	u64 all;

	w->unit_count = w->version_count = 0;
	list_writes(c, flushed);
	for (u32 i = 0; i < w->writes.count; i++)
		list_versions(c, i, flushed);
	sort_versions(w);
	for (u32 u = 0; u < w->unit_count; u++) {
		weigh_versions(c, &w->units[u]);
		w->unit_of[w->units[u].sector] = 0;
	}
	all = combinations(w, c->params.exhaustive);
	*out = (struct sim_cut){.exhaustive = all <= c->params.exhaustive,
		.way = way,
		.writes = w->writes.count,
		.count = all};
	if (!out->exhaustive)
		out->count = sim_cut_number(out, SIM_SAMPLE, 0, c->params.samples);
}

static void choose_combination(struct sim_work *w, u64 number)
{
	for (u32 u = 0; u < w->unit_count; u++) {
		u64 choices = w->units[u].count + 1 - w->units[u].low;

		w->units[u].choice = w->units[u].low + (u32)(number % choices);
		number /= choices;
	}
}

/* Each unit: its latest version of a write that is kept. */
static void choose_kept(struct sim_work *w)
{
	for (u32 i = 0; i < w->unit_count; i++) {
		struct sim_unit *u = &w->units[i];

		u->choice = u->count;
		while (u->choice > u->low && !w->kept[w->versions[u->first + u->choice - 1].write])
			u->choice--;
	}
}

static void keep_all(struct sim_work *w, bool kept)
{
	memset(w->kept, kept, w->writes.count);
}

/* The write lacks some of its sectors; the rest, and all else, is there. */
static void choose_torn(struct sim_cursor *c, u32 write, u32 variant, struct rng *rng)
{
	struct sim_work *w = c->work;
	u64 count = c->history->requests[w->writes.at[write]].count;
	u64 from = rng_below(rng, count), to = count;

	if (variant % 3 == 1) /* the front is missing */
		to = from + 1, from = 0;
	else if (variant % 3 == 2) /* one sector is */
		to = from + 1;
	keep_all(w, true);
	choose_kept(w);
	for (u32 i = 0; i < w->unit_count; i++) {
		struct sim_unit *u = &w->units[i];
		const struct sim_version *v = &w->versions[u->first + u->choice] - 1;

		if (u->choice > u->low && v->write == write && v->sector >= from && v->sector < to)
			u->choice--;
	}
}

/* Writes as a whole, sectors each for itself, or a mixture of both. */
static void choose_sample(struct sim_work *w, struct rng *rng)
{
	static const u8 chances[] = {50, 50, 90, 10, 97, 3};
	u32 percent = chances[rng_below(rng, array_len(chances))];
	u32 loose = (u32)rng_below(rng, 3); /* of 2: share of units that go their own way */

	for (u32 i = 0; i < w->writes.count; i++)
		w->kept[i] = rng_below(rng, 100) < percent;
	choose_kept(w);
	for (u32 i = 0; i < w->unit_count; i++) {
		struct sim_unit *u = &w->units[i];

		if (rng_below(rng, 2) >= loose)
			continue;
		u->choice = u->low;
		for (u32 n = u->low; n < u->count; n++)
			if (rng_below(rng, 100) < percent)
				u->choice = n + 1;
	}
}

/* Which kind a number is, of which write, and which of several. */
static enum sim_state_kind kind_of(const struct sim_cut *cut, u64 number, u32 *write, u32 *variant)
{
	enum sim_state_kind kind = SIM_SAMPLE;
	u64 at;

	while (number < sim_cut_number(cut, kind, 0, 0))
		kind--;
	at = number - sim_cut_number(cut, kind, 0, 0);
	*variant = (u32)at;
	*write = (u32)at;
	if (kind == SIM_TORN) {
		*write = (u32)(at / SIM_TORN_VARIANTS);
		*variant = at % SIM_TORN_VARIANTS;
	}
	return kind;
}

static void choose_listed(struct sim_cursor *c, const struct sim_cut *cut, u64 number)
{
	struct sim_work *w = c->work;
	u32 write, variant;
	enum sim_state_kind kind = kind_of(cut, number, &write, &variant);
	struct rng rng;

	rng_init(&rng, hash_u64(c->params.seed ^ hash_u64(c->position * 64 + cut->way)) + number);
	if (kind == SIM_SAMPLE) {
		choose_sample(w, &rng);
		return;
	}
	if (kind == SIM_TORN) {
		choose_torn(c, write, variant, &rng);
		return;
	}
	keep_all(w, kind == SIM_EVERYTHING || kind == SIM_DROPPED);
	if (kind == SIM_PREFIX)
		memset(w->kept, true, write + 1);
	else if (kind != SIM_NOTHING && kind != SIM_EVERYTHING)
		w->kept[write] = kind == SIM_ALONE;
	choose_kept(w);
}

u64 sim_cut_choose(struct sim_cursor *c, const struct sim_cut *cut, u64 number)
{
	const struct sim_work *w = c->work;
	u64 hash = c->durable_hash;

	if (cut->exhaustive)
		choose_combination(c->work, number);
	else
		choose_listed(c, cut, number);
	for (u32 u = 0; u < w->unit_count; u++)
		if (w->units[u].choice)
			hash += w->versions[w->units[u].first + w->units[u].choice - 1].delta;
	return hash;
}

void sim_cut_build(const struct sim_cursor *c, struct sim_pages *out)
{
	const struct sim_work *w = c->work;

	sim_pages_clone(out, &c->durable);
	for (u32 i = 0; i < w->unit_count; i++) {
		const struct sim_unit *u = &w->units[i];

		/* Below the choice only what it does not cover shows: in ranges never torn. */
		for (u32 n = never_torn(c, u->sector) || !u->choice ? 0 : u->choice - 1;
			n < u->choice; n++) {
			const struct sim_version *v = &w->versions[u->first + n];

			for (u32 s = v->sector; s < v->sector + v->span; s++)
				sim_request_apply(
					&c->history->requests[w->writes.at[v->write]], s, out);
		}
	}
}
