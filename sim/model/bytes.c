/*
 * Which bytes are legal: at a place, the changes behind the last shift, from the last that must be
 * there on; if there is none, what was before that shift at the place from where the byte came.
 * What ran beside a shift was ahead of it or behind it: every combination is tried.
 */
#include "sim/model/content_priv.h"

#include "base/util.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPTIONS_MAX = 1024, BESIDE_MAX = 4 };

/* What may be at a place, and so many bytes further by the same changes. */
struct choices {
	bool zero;
	u64 room;
	struct option {
		const struct change *write;
		u64 by; /* the place in that write, less the place asked for */
	} option[OPTIONS_MAX];
	unsigned count;
};

/* The copies on the way to a byte: two may copy from each other. */
struct trail {
	const struct trail *up;
	const struct change *copy;
	u64 at;
};

/* What ran beside one shift, the first few, and the assumption of what was behind it. */
struct sides {
	const struct change *beside[BESIDE_MAX];
	unsigned count;
	u32 behind; /* a bit for each; the others were ahead */
};

/* Where to look: before the shift with this number, or after all changes of a file. */
struct place {
	const struct content *c;
	const struct content_view *v;
	const struct sides *sides; /* NULL: nothing is assumed */
	unsigned before;
	u64 at, by; /* by: less the place asked for, modulo 2^64 */
	const struct trail *trail;
};

static void choices_add(struct choices *x, const struct place *p);

u8 content_byte(u32 number, u64 offset)
{
	u32 x = number * 0x9e3779b1u ^ (u32)offset * 0x85ebca6bu;

	return (u8)(1 + (((x ^ x >> 15) & 0xffff) * 127 >> 16));
}

void content_fill(u32 number, u64 offset, bool constant, u8 *out, u64 len)
{
	for (u64 k = 0; k < len; k++)
		out[k] = content_byte(number, constant ? 0 : offset + k);
}

static bool covers(const struct change *g, u64 at)
{
	if (g->kind == CHANGE_SEEN || g->kind == CHANGE_GROW)
		return false;
	if (g->kind == CHANGE_TRUNCATE)
		return at >= g->end;
	return g->floating || (at >= g->offset && at < g->end);
}

/* Behind an edge other changes count. */
static void edge(struct choices *x, u64 at, u64 edge)
{
	if (edge > at)
		x->room = min_of(x->room, edge - at);
}

static void edges_of(struct choices *x, u64 at, const struct change *g)
{
	if (g->kind == CHANGE_SEEN || g->floating)
		return;
	edge(x, at, g->end);
	if (g->kind != CHANGE_TRUNCATE)
		edge(x, at, g->offset);
}

static void write_add(struct choices *x, const struct change *g, u64 by)
{
	for (unsigned k = 0; k < x->count; k++)
		if (x->option[k].write == g && x->option[k].by == by)
			return;
	if (x->count == OPTIONS_MAX)
		abort();
	x->option[x->count++] = (struct option){g, by};
}

/* What a read of the source could give while the copy ran. */
static void copy_add(struct choices *x, const struct place *p, const struct change *g)
{
	struct content_view live = {.begin = g->op->begin, .until = g->op->end};
	struct trail trail = {.up = p->trail, .copy = g, .at = p->at};
	u64 at = p->at - g->offset + g->source_offset;

	for (const struct trail *t = p->trail; t; t = t->up)
		if (t->copy == g && t->at == p->at)
			return;
	choices_add(x, &(struct place){.c = g->source,
			       .v = &live,
			       .before = g->source->change_count,
			       .at = at,
			       .by = p->by + (at - p->at),
			       .trail = &trail});
}

/* What a change that is possible makes of the place. */
static void change_add(struct choices *x, const struct place *p, const struct change *g)
{
	if (g->kind == CHANGE_COPY)
		copy_add(x, p, g);
	else if (g->kind == CHANGE_WRITE)
		write_add(x, g, p->by);
	else
		x->zero = true;
}

static void before_add(struct choices *x, const struct place *p, unsigned shift, u64 at)
{
	struct place place = *p;

	place.before = shift;
	place.by += at - p->at;
	place.at = at;
	choices_add(x, &place);
}

/* Up to the seam: first the range is emptied, from its end down, then the hole moves up. */
static void collapse_add(struct choices *x, const struct place *p, unsigned shift, u64 seam)
{
	const struct change *g = &p->c->changes[shift];
	u64 len = g->end - g->offset, at = p->at;
	bool emptying = seam < g->end;
	u64 from = emptying ? seam : seam - len, end = emptying ? g->end : seam;

	edge(x, at, g->offset);
	edge(x, at, from);
	edge(x, at, end);
	if (at >= from && at < end)
		x->zero = true;
	else
		before_add(x, p, shift, at < g->offset || at >= end || emptying ? at : at + len);
}

/* Down to the seam: the hole moves down to its place. */
static void insert_add(struct choices *x, const struct place *p, unsigned shift, u64 seam)
{
	const struct change *g = &p->c->changes[shift];
	u64 len = g->end - g->offset, at = p->at;

	edge(x, at, seam);
	edge(x, at, seam + len);
	if (at >= seam && at - seam < len)
		x->zero = true;
	else
		before_add(x, p, shift, at < seam ? at : at - len);
}

static void shift_add(struct choices *x, const struct place *p, unsigned shift)
{
	const struct change *g = &p->c->changes[shift];
	enum shift_state state = shift_state(g, p->v);

	if (g->kind == CHANGE_COLLAPSE)
		collapse_add(x, p, shift, state == SHIFT_PARTLY ? p->v->seam : UINT64_MAX);
	else
		insert_add(x, p, shift, state == SHIFT_PARTLY ? p->v->seam : g->offset);
	if (state != SHIFT_ANY)
		return;
	before_add(x, p, shift, p->at);
	x->zero |= p->at >= g->offset;
}

static bool overlap(const struct change *a, const struct change *b)
{
	return change_begin(a) < change_end(b) && change_begin(b) < change_end(a);
}

/* Whether g is on that side of a shift; of what ran beside it: as assumed, or else unknown. */
static bool is_on_side(const struct place *p, const struct change *g, const struct change *shift,
	bool behind, bool unknown)
{
	if (!shift)
		return true;
	if (!overlap(g, shift))
		return behind == (change_begin(g) > change_end(shift));
	for (unsigned k = 0; p->sides && k < p->sides->count; k++)
		if (p->sides->beside[k] == g)
			return behind == (p->sides->behind >> k & 1);
	return unknown;
}

/* Between two shifts, either of which may be NULL: for certain, or also perhaps. */
static bool is_between(const struct place *p, const struct change *g, const struct change *lower,
	const struct change *upper, bool perhaps)
{
	return is_on_side(p, g, lower, true, perhaps) && is_on_side(p, g, upper, false, perhaps);
}

static void choices_add(struct choices *x, const struct place *p)
{
	const struct change *changes = p->c->changes, *lower, *upper;
	unsigned first = p->before;
	u32 last = 0; /* begin of the last change that must be there */

	while (first > 0 && (!change_shifts(&changes[first - 1]) ||
				    shift_state(&changes[first - 1], p->v) == SHIFT_ABSENT))
		first--;
	lower = first ? &changes[first - 1] : NULL;
	upper = p->before < p->c->change_count ? &changes[p->before] : NULL;
	for (unsigned k = 0; k < p->c->change_count; k++) {
		const struct change *g = &changes[k];

		if (change_shifts(g) || !is_between(p, g, lower, upper, true))
			continue;
		edges_of(x, p->at, g);
		if (!g->floating && covers(g, p->at) && change_there(g, p->v) &&
			is_between(p, g, lower, upper, false))
			last = max_of(last, change_begin(g));
	}
	for (unsigned k = p->c->change_count; k-- > 0;)
		if (!change_shifts(&changes[k]) && is_between(p, &changes[k], lower, upper, true) &&
			covers(&changes[k], p->at) && change_possible(&changes[k], p->v) &&
			change_end(&changes[k]) >= last)
			change_add(x, p, &changes[k]);
	if (last)
		return;
	if (lower)
		shift_add(x, p, first - 1);
	else
		x->zero = true;
}

static struct sides sides_find(const struct content *c)
{
	const struct change *end = c->changes + c->change_count;
	struct sides s = {0};

	for (const struct change *g = c->changes; g < end && s.count < BESIDE_MAX; g++) {
		unsigned shifts = 0;

		for (const struct change *shift = c->changes; shift < end; shift++)
			shifts += change_shifts(shift) && overlap(g, shift);
		if (!change_shifts(g) && shifts == 1)
			s.beside[s.count++] = g;
	}
	return s;
}

static void choices_make(struct choices *x, const struct content *c, const struct content_view *v,
	struct sides *sides, u64 at)
{
	x->zero = false;
	x->room = UINT64_MAX;
	x->count = 0;
	for (sides->behind = 0; sides->behind < 1u << sides->count; sides->behind++)
		choices_add(x, &(struct place){.c = c,
				       .v = v,
				       .sides = sides,
				       .before = c->change_count,
				       .at = at});
}

static u8 option_byte(const struct option *o, u64 at)
{
	return content_byte(o->write->number, o->write->constant ? 0 : at + o->by);
}

static bool byte_legal(const struct choices *x, u64 at, u8 byte)
{
	if (byte == 0 && x->zero)
		return true;
	for (unsigned k = 0; k < x->count; k++)
		if (option_byte(&x->option[k], at) == byte)
			return true;
	return false;
}

bool content_legal(const struct content *c, const struct content_view *view, u64 offset,
	const u8 *data, u64 len, u64 *bad)
{
	struct content_view v = content_view_full(c, view);
	struct sides sides = sides_find(c);
	struct choices x;
	u64 end = offset + len;

	for (u64 at = offset; at < end;) {
		u64 stop;

		choices_make(&x, c, &v, &sides, at);
		stop = at + min_of(x.room, end - at);
		for (; at < stop; at++)
			if (!byte_legal(&x, at, data[at - offset])) {
				*bad = at;
				return false;
			}
	}
	return true;
}

void content_explain(
	const struct content *c, const struct content_view *view, u64 at, char *out, size_t size)
{
	struct content_view v = content_view_full(c, view);
	struct sides sides = sides_find(c);
	struct choices x;
	size_t n;

	choices_make(&x, c, &v, &sides, at);
	n = (size_t)snprintf(out, size, "legal:%s", x.zero ? " 00" : "");
	for (unsigned k = 0; k < x.count && n + 60 < size; k++) {
		const struct change *g = x.option[k].write;

		n += (size_t)snprintf(out + n, size - n,
			" %02x (%s #%u of %" PRIu64 "+%" PRIu64 ")", option_byte(&x.option[k], at),
			op_name(g->op->kind), g->number, g->offset, g->end - g->offset);
	}
}
