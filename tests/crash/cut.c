/* Builds what may be on the medium after a power cut. */
#include "cut.h"

#include <stdlib.h>
#include <string.h>

enum { SECTOR = 512, SUPER = 1024, DISCARDED = 0xa5 }; /* the last is POISON of model.h */

void cutter_init(
	struct cutter *c, const void *start, u64 size, const struct dev_record_entry *e, size_t n)
{
	*c = (struct cutter){.base = malloc(size), .size = size, .entries = e, .count = n};
	if (!c->base)
		abort();
	memcpy(c->base, start, size);
}

void cutter_fini(struct cutter *c)
{
	free(c->base);
}

static bool is_write(const struct dev_record_entry *e)
{
	return e->kind == DEV_REC_WRITE || e->kind == DEV_REC_ZERO || e->kind == DEV_REC_DISCARD;
}

static void apply_part(u8 *medium, const struct dev_record_entry *e, u64 at, u64 len)
{
	if (e->kind == DEV_REC_ZERO)
		memset(medium + e->offset + at, 0, len);
	else if (e->kind == DEV_REC_DISCARD) /* whatever the device likes; what it was, if lost */
		memset(medium + e->offset + at, DISCARDED, len);
	else
		memcpy(medium + e->offset + at, (const u8 *)e->data + at, len);
}

static void advance(struct cutter *c, size_t at)
{
	for (; c->scanned < at; c->scanned++) {
		const struct dev_record_entry *e = &c->entries[c->scanned];

		if ((e->kind == DEV_REC_FLUSH || (is_write(e) && (e->flags & DEV_PREFLUSH))) &&
			e->covers > c->durable)
			c->durable = e->covers;
	}
	for (; c->applied < c->durable; c->applied++)
		if (is_write(&c->entries[c->applied]))
			apply_part(c->base, &c->entries[c->applied], 0, c->entries[c->applied].len);
}

static bool completes_before(const struct cutter *c, size_t submit, size_t at)
{
	for (size_t k = submit + 1; k < at; k++)
		if (c->entries[k].kind == DEV_REC_WRITE &&
			c->entries[k].data == c->entries[submit].data)
			return true;
	return false;
}

/*
 * A write that may be lost: whole, not at all, or any of its sectors. Only the superblock must be
 * written in one piece: without it nobody finds the log that could mend it.
 */
static void maybe_apply(
	const struct dev_record_entry *e, unsigned percent, struct rng *rng, u8 *out)
{
	bool torn = percent > 0 && percent < 100 && rng_below(rng, 5) == 0;

	if (!torn) {
		if (rng_below(rng, 100) < percent)
			apply_part(out, e, 0, e->len);
		return;
	}
	for (u64 at = 0, len; at < e->len; at += len) {
		len = e->offset + at == SUPER && at + 2 * SECTOR <= e->len ? 2 * SECTOR : SECTOR;
		if (rng_below(rng, 2))
			apply_part(out, e, at, len);
	}
}

static bool in_flight(const struct cutter *c, size_t k, size_t at)
{
	return c->entries[k].kind == DEV_REC_SUBMIT_WRITE && !completes_before(c, k, at);
}

/*
 * A write in flight whose PREFLUSH is done before the power goes: all that was complete when it was
 * submitted is durable. Otherwise such a write has not begun. Gives how much is durable.
 */
static size_t preflush_in_flight(const struct cutter *c, size_t at, struct rng *rng)
{
	size_t durable = c->applied;

	for (size_t k = c->applied; k < at; k++)
		if (c->entries[k].flags & DEV_PREFLUSH && in_flight(c, k, at) && rng_below(rng, 2))
			durable = k;
	return durable;
}

void cutter_build(struct cutter *c, size_t at, struct rng *rng, u8 *out)
{
	static const unsigned chances[] = {0, 100, 50, 90, 10, 50};
	unsigned percent = chances[rng_below(rng, 6)];
	size_t durable;

	advance(c, at);
	memcpy(out, c->base, c->size);
	durable = preflush_in_flight(c, at, rng);
	for (size_t k = c->applied; k < at; k++) {
		const struct dev_record_entry *e = &c->entries[k];

		if (is_write(e) && (k < durable || e->flags & DEV_FUA))
			apply_part(out, e, 0, e->len);
		else if (is_write(e) ||
			 (in_flight(c, k, at) && (!(e->flags & DEV_PREFLUSH) || k <= durable)))
			maybe_apply(e, percent, rng, out);
	}
}
