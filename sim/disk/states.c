/* The walk through a history: what is durable, and which writes are not settled yet. */
#include "sim/disk/states_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "dev/dev.h"

void sim_numbers_add(struct sim_numbers *n, u32 number)
{
	if (n->count == n->room) {
		n->room = max_of(n->room * 2, 32u);
		n->at = sim_realloc(n->at, n->room * sizeof(n->at[0]));
	}
	n->at[n->count++] = number;
}

static void numbers_remove(struct sim_numbers *n, u32 number)
{
	for (u32 i = 0; i < n->count; i++) {
		if (n->at[i] != number)
			continue;
		n->count--;
		memmove(&n->at[i], &n->at[i + 1], (n->count - i) * sizeof(n->at[0]));
		return;
	}
}

static void *zeroed(size_t count, size_t size)
{
	void *p = sim_alloc(count * size);

	return memset(p, 0, count * size);
}

void sim_cursor_init(struct sim_cursor *c, const struct sim_history *h, u64 base_hash,
	const struct sim_states_params *params)
{
	size_t sectors = h->base.size / SIM_SECTOR;
	struct sim_work *w = zeroed(1, sizeof(*w));

	*c = (struct sim_cursor){.history = h, .durable_hash = base_hash, .work = w};
	if (params)
		c->params = *params;
	if (!c->params.exhaustive)
		c->params.exhaustive = 1024;
	if (!c->params.samples)
		c->params.samples = 64;
	sim_pages_clone(&c->durable, &h->base);
	w->sector_hash = zeroed(sectors, sizeof(w->sector_hash[0]));
	w->settled_at = zeroed(sectors, sizeof(w->settled_at[0]));
	w->unit_of = zeroed(sectors, sizeof(w->unit_of[0]));
}

void sim_cursor_fini(struct sim_cursor *c)
{
	struct sim_work *w = c->work;

	sim_pages_fini(&c->durable);
	free(w->sector_hash);
	free(w->settled_at);
	free(w->unit_of);
	free(w->done.at);
	free(w->flying.at);
	free(w->writes.at);
	free(w->kept);
	free(w->units);
	free(w->versions);
	free(w->unsorted);
	free(w);
}

u64 sim_durable_hash(struct sim_cursor *c, u64 sector)
{
	u64 *known = &c->work->sector_hash[sector];
	u8 data[SIM_SECTOR];

	if (!*known) {
		sim_pages_read(&c->durable, sector * SIM_SECTOR, data, SIM_SECTOR);
		*known = sim_sector_hash(data);
	}
	return *known;
}

/* The request's sectors are on the medium, where no later completion has settled them. */
static void settle(struct sim_cursor *c, const struct sim_request *r)
{
	struct sim_work *w = c->work;

	for (u32 i = 0; i < r->count; i++) {
		u64 s = r->sector + i;

		if (w->settled_at[s] > r->completed)
			continue;
		c->durable_hash +=
			sim_share(s, r->hashes[i]) - sim_share(s, sim_durable_hash(c, s));
		sim_request_apply(r, i, &c->durable);
		w->sector_hash[s] = r->hashes[i];
		w->settled_at[s] = r->completed + 1;
	}
}

/* Whatever was complete before a position is durable. */
static void settle_before(struct sim_cursor *c, size_t position)
{
	struct sim_numbers *done = &c->work->done;
	u32 n = 0;

	while (n < done->count && c->history->requests[done->at[n]].completed < position)
		settle(c, &c->history->requests[done->at[n++]]);
	if (!n)
		return;
	done->count -= n;
	memmove(done->at, done->at + n, done->count * sizeof(done->at[0]));
}

static void complete(struct sim_cursor *c, u32 number)
{
	const struct sim_request *r = &c->history->requests[number];

	numbers_remove(&c->work->flying, number);
	if (r->flags & DEV_PREFLUSH)
		settle_before(c, r->submitted);
	if (r->flags & DEV_FUA)
		settle(c, r);
	else
		sim_numbers_add(&c->work->done, number);
}

void sim_cursor_advance(struct sim_cursor *c, size_t position)
{
	for (; c->position < position; c->position++) {
		const struct sim_event *e = &c->history->events[c->position];

		switch (e->kind) {
		case SIM_EVENT_SUBMIT:
			sim_numbers_add(&c->work->flying, e->request);
			break;
		case SIM_EVENT_COMPLETE:
			complete(c, e->request);
			break;
		case SIM_EVENT_FLUSH:
			settle_before(c, e->covers);
			break;
		}
	}
}

u32 sim_cursor_ways(const struct sim_cursor *c)
{
	const struct sim_numbers *flying = &c->work->flying;
	u32 ways = 1;

	for (u32 i = 0; i < flying->count; i++)
		ways += (c->history->requests[flying->at[i]].flags & DEV_PREFLUSH) != 0;
	return ways;
}
