/* The legal bytes and sizes of one file. */
#include "sim/model/content.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EDGES_MAX = 1024 };

static void *grown(void *list, unsigned count, size_t size)
{
	if (count & (count - 1))
		return list;
	list = realloc(list, (count ? 2 * count : 1) * size);
	if (!list)
		abort();
	return list;
}

struct change *content_add(struct content *c, struct change change)
{
	c->changes = grown(c->changes, c->change_count, sizeof(change));
	for (unsigned k = 0; k < c->change_count; k++) {
		struct change *other = &c->changes[k];

		if (change.op && other->op && !other->op->end)
			other->overlaps = change.overlaps = true;
	}
	c->changes[c->change_count] = change;
	return &c->changes[c->change_count++];
}

void content_promise(struct content *c, u32 begin, u64 at)
{
	c->promises = grown(c->promises, c->promise_count, sizeof(*c->promises));
	c->promises[c->promise_count++] = (struct promise){begin, at};
}

void content_fini(struct content *c)
{
	free(c->changes);
	free(c->promises);
	*c = (struct content){0};
}

void content_copy(struct content *to, const struct content *from)
{
	*to = (struct content){0};
	for (unsigned k = 0; k < from->change_count; k++) {
		to->changes = grown(to->changes, k, sizeof(*to->changes));
		to->changes[k] = from->changes[k];
		to->change_count++;
	}
	for (unsigned k = 0; k < from->promise_count; k++)
		content_promise(to, from->promises[k].begin, from->promises[k].at);
}

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

static u32 change_begin(const struct change *g)
{
	return g->op ? g->op->begin : g->seen_time;
}

static u32 change_end(const struct change *g)
{
	return g->op ? (g->op->end ? g->op->end : UINT32_MAX) : g->seen_time;
}

static bool has_failed(const struct change *g)
{
	return g->op && g->op->end && g->op->result < 0;
}

/*
 * What failed is not there, except: a write of which only the sync failed, or that went past the
 * cache; a truncation, whose blocks are freed after its size is set; and fallocate, which goes
 * from block to block.
 */
static bool is_gone(const struct change *g)
{
	s64 r = has_failed(g) ? g->op->result : 0;

	if (g->kind != CHANGE_WRITE || g->op->flags & OP_DIRECT)
		return r && r != -EIO && r != -EROFS && r != -ENOMEM && r != -ENOSPC;
	return r && !(g->op->flags & OP_DSYNC && (r == -EIO || r == -EROFS));
}

static u32 promised_before(const struct content *c, u64 cut)
{
	u32 time = 0;

	for (unsigned k = 0; k < c->promise_count; k++)
		if (c->promises[k].at <= cut && c->promises[k].begin > time)
			time = c->promises[k].begin;
	return time;
}

/* The view with the file's own promises in safe_before. */
static struct content_view view_of(const struct content *c, const struct content_view *v)
{
	struct content_view full = *v;
	u32 promised = v->crash ? promised_before(c, v->cut) : 0;

	if (promised > full.safe_before)
		full.safe_before = promised;
	return full;
}

static bool is_possible(const struct change *g, const struct content_view *v)
{
	if (!v->crash)
		return !is_gone(g) || g->op->end > v->begin;
	if (!g->op)
		return true;
	return g->op->begin_at <= v->cut && (!is_gone(g) || g->op->end_at > v->cut);
}

static bool is_there(const struct change *g, const struct content_view *v)
{
	if (has_failed(g))
		return false;
	if (!v->crash)
		return change_end(g) < v->begin;
	if (change_end(g) <= v->safe_before)
		return true;
	if (!g->op || !g->op->end)
		return false;
	if (g->kind == CHANGE_WRITE && g->op->flags & OP_DSYNC && g->op->end_at <= v->cut)
		return true;
	return g->kind == CHANGE_TRUNCATE && v->passage && passage_has(v->passage, g->op);
}

static void size_after(const struct change *g, bool there, u64 *least, u64 *greatest, u64 *floating)
{
	bool sure = there && !g->overlaps;

	if (g->keeps_size)
		return;
	if (g->kind == CHANGE_TRUNCATE || g->kind == CHANGE_SEEN) {
		*least = sure || g->end < *least ? g->end : *least;
		*greatest = sure || g->end > *greatest ? g->end : *greatest;
		*floating = sure ? 0 : *floating;
	} else if (g->floating) {
		*floating += g->end - g->offset;
	} else {
		*least = sure && g->end > *least ? g->end : *least;
		*greatest = g->end > *greatest ? g->end : *greatest;
	}
}

void content_sizes(
	const struct content *c, const struct content_view *view, u64 *least, u64 *greatest)
{
	struct content_view v = view_of(c, view);
	u64 floating = 0;

	*least = *greatest = 0;
	for (unsigned k = 0; k < c->change_count; k++) {
		const struct change *g = &c->changes[k];
		bool there = is_there(g, &v);

		if (is_possible(g, &v) && (g->kind != CHANGE_SEEN || there))
			size_after(g, there, least, greatest, &floating);
	}
	*greatest += floating;
}

void content_pin(struct content *c, struct op *op)
{
	struct content_view v = {.begin = op->begin};
	u64 least, greatest;
	struct change *g = NULL;

	for (unsigned k = 0; k < c->change_count; k++)
		if (c->changes[k].op == op)
			g = &c->changes[k];
	if (!g || !g->floating || g->overlaps || op->result < 0)
		return;
	g->kind = CHANGE_SEEN; /* has no part in the size before it */
	content_sizes(c, &v, &least, &greatest);
	g->kind = CHANGE_WRITE;
	if (least != greatest)
		return;
	g->offset = least;
	g->end = least + (u64)op->result;
	g->floating = false;
}

static bool covers(const struct change *g, u64 at)
{
	if (g->kind == CHANGE_SEEN || g->kind == CHANGE_GROW)
		return false;
	if (g->kind == CHANGE_TRUNCATE)
		return at >= g->end;
	return g->floating || (at >= g->offset && at < g->end);
}

struct edges {
	u64 at[EDGES_MAX];
	unsigned count;
};

static void edge_add(struct edges *e, u64 at, u64 from, u64 to)
{
	if (at <= from || at >= to)
		return;
	if (e->count == EDGES_MAX)
		abort();
	e->at[e->count++] = at;
}

static int by_value(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

static void edges_make(struct edges *e, const struct content *c, u64 from, u64 to)
{
	e->count = 0;
	for (unsigned k = 0; k < c->change_count; k++) {
		const struct change *g = &c->changes[k];

		if (g->kind == CHANGE_SEEN || g->floating)
			continue;
		edge_add(e, g->end, from, to);
		if (g->kind != CHANGE_TRUNCATE)
			edge_add(e, g->offset, from, to);
	}
	qsort(e->at, e->count, sizeof(e->at[0]), by_value);
	e->at[e->count++] = to;
}

struct choices {
	bool zero;
	const struct change *writes[EDGES_MAX];
	unsigned count;
};

/* What may be at a byte, and at all up to the next edge. */
static void choices_make(
	struct choices *x, const struct content *c, const struct content_view *v, u64 at)
{
	u32 last = 0; /* begin of the last change that must be there */

	x->count = 0;
	for (unsigned k = 0; k < c->change_count; k++) {
		const struct change *g = &c->changes[k];

		if (!g->floating && covers(g, at) && is_there(g, v) && change_begin(g) > last)
			last = change_begin(g);
	}
	x->zero = last == 0;
	for (unsigned k = c->change_count; k-- > 0;) {
		const struct change *g = &c->changes[k];

		if (!covers(g, at) || !is_possible(g, v) || change_end(g) < last)
			continue;
		if (g->kind != CHANGE_WRITE)
			x->zero = true;
		else
			x->writes[x->count++] = g;
	}
}

static u8 change_byte(const struct change *g, u64 at)
{
	return content_byte(g->number, g->constant ? 0 : at);
}

static bool byte_legal(const struct choices *x, u64 at, u8 byte)
{
	if (byte == 0 && x->zero)
		return true;
	for (unsigned k = 0; k < x->count; k++)
		if (change_byte(x->writes[k], at) == byte)
			return true;
	return false;
}

bool content_legal(const struct content *c, const struct content_view *view, u64 offset,
	const u8 *data, u64 len, u64 *bad)
{
	struct content_view v = view_of(c, view);
	struct choices x;
	struct edges e;
	u64 at = offset;

	if (!len)
		return true;
	edges_make(&e, c, offset, offset + len);
	for (unsigned k = 0; k < e.count; k++) {
		if (at < e.at[k])
			choices_make(&x, c, &v, at);
		for (; at < e.at[k]; at++)
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
	struct content_view v = view_of(c, view);
	struct choices x;
	size_t n;

	choices_make(&x, c, &v, at);
	n = (size_t)snprintf(out, size, "legal:%s", x.zero ? " 00" : "");
	for (unsigned k = 0; k < x.count && n + 60 < size; k++)
		n += (size_t)snprintf(out + n, size - n,
			" %02x (%s #%u of %" PRIu64 "+%" PRIu64 ")", change_byte(x.writes[k], at),
			op_name(x.writes[k]->op->kind), x.writes[k]->number, x.writes[k]->offset,
			x.writes[k]->end - x.writes[k]->offset);
}
