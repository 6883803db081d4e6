/* The changes of one file, which of them a view shows, and the sizes that they leave. */
#include "sim/model/content_priv.h"

#include "base/util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

u32 change_begin(const struct change *g)
{
	return g->op ? g->op->begin : g->seen_time;
}

u32 change_end(const struct change *g)
{
	return g->op ? (g->op->end ? g->op->end : UINT32_MAX) : g->seen_time;
}

static bool has_failed(const struct change *g)
{
	return g->op && g->op->end && g->op->result < 0;
}

/*
 * What failed is not there, except: what nobody was told the end of; a write of which only the sync
 * failed, or that went past the cache; a truncation, whose blocks are freed after its size is set;
 * fallocate, which goes from block to block; and a copy, which goes from piece to piece.
 */
static bool is_gone(const struct change *g)
{
	s64 r = has_failed(g) ? g->op->result : 0;
	bool synced = g->op && g->op->flags & OP_DSYNC;

	if (r == RESULT_UNTOLD)
		return false;
	if (g->kind == CHANGE_WRITE && !(g->op->flags & OP_DIRECT))
		return r && !(synced && (r == -EIO || r == -EROFS || r == -ENOMEM));
	return r && r != -EIO && r != -EROFS && r != -ENOMEM && r != -ENOSPC;
}

static u32 promised_before(const struct content *c, u64 cut)
{
	u32 time = 0;

	for (unsigned k = 0; k < c->promise_count; k++)
		if (c->promises[k].at <= cut && c->promises[k].begin > time)
			time = c->promises[k].begin;
	return time;
}

struct content_view content_view_full(const struct content *c, const struct content_view *v)
{
	struct content_view full = *v;
	u32 promised = v->crash ? promised_before(c, v->cut) : 0;

	if (promised > full.safe_before)
		full.safe_before = promised;
	return full;
}

bool change_possible(const struct change *g, const struct content_view *v)
{
	if (!v->crash)
		return (!is_gone(g) || g->op->end > v->begin) &&
		       (!v->until || change_begin(g) < v->until);
	if (!g->op)
		return true;
	return g->op->begin_at <= v->cut && (!is_gone(g) || g->op->end_at > v->cut);
}

bool change_there(const struct change *g, const struct content_view *v)
{
	if (has_failed(g) || g->maybe)
		return false;
	if (!v->crash)
		return change_end(g) < v->begin;
	if (change_end(g) <= v->safe_before)
		return true;
	if (!g->op || !g->op->end)
		return false;
	if (change_shifts(g) || (g->kind == CHANGE_WRITE && g->op->flags & OP_DSYNC))
		return g->op->end_at <= v->cut;
	return g->kind == CHANGE_TRUNCATE && v->passage && passage_has(v->passage, g->op);
}

static bool is_interrupted(const struct change *g, const struct content_view *v)
{
	return v->crash && g->op->begin_at <= v->cut && (!g->op->end || g->op->end_at > v->cut);
}

const struct change *content_moving(const struct content *c, const struct content_view *v)
{
	for (unsigned k = 0; k < c->change_count; k++)
		if (change_shifts(&c->changes[k]) && is_interrupted(&c->changes[k], v) &&
			!is_gone(&c->changes[k]))
			return &c->changes[k];
	return NULL;
}

enum shift_state shift_state(const struct change *g, const struct content_view *v)
{
	if (change_there(g, v))
		return SHIFT_DONE;
	if (is_interrupted(g, v))
		return g == v->moving ? SHIFT_PARTLY : SHIFT_ABSENT;
	return change_possible(g, v) ? SHIFT_ANY : SHIFT_ABSENT;
}

struct sizes {
	u64 least, greatest;
	u64 floating; /* of appends */
};

/* A collapse changes the size at last, an insertion at first. What succeeded was inside the file.
 */
static void size_shifted(const struct change *g, const struct content_view *v, struct sizes *s)
{
	u64 len = g->end - g->offset;
	enum shift_state state = shift_state(g, v);
	bool done = state == SHIFT_DONE ||
		    (state == SHIFT_PARTLY && (g->kind == CHANGE_INSERT || v->seam == UINT64_MAX));

	if (g->kind == CHANGE_INSERT) {
		s->least += done ? len : 0;
		s->greatest += done || state == SHIFT_ANY ? len : 0;
	} else if (done || state == SHIFT_ANY) {
		u64 left = max_of(s->least, g->end + 1) - len;

		s->least = done ? left : min_of(s->least, left);
		s->greatest -= done ? min_of(s->greatest, len) : 0;
	}
}

static void size_after(const struct change *g, const struct content_view *v, struct sizes *s)
{
	bool there = change_there(g, v), sure = there && !g->overlaps;

	if (!change_possible(g, v) || (g->kind == CHANGE_SEEN && !there) || g->keeps_size)
		return;
	if (g->kind == CHANGE_TRUNCATE || g->kind == CHANGE_SEEN) {
		s->least = sure ? g->end : min_of(s->least, g->end);
		s->greatest = sure ? g->end : max_of(s->greatest, g->end);
		s->floating = sure ? 0 : s->floating;
	} else if (g->floating) {
		s->floating += g->end - g->offset;
	} else {
		s->least = sure ? max_of(s->least, g->end) : s->least;
		s->greatest = max_of(s->greatest, g->end);
	}
}

/* What ran beside a shift, and was counted on its other side. */
static void sizes_beside(const struct content *c, const struct content_view *v,
	const struct change *shift, bool later, struct sizes *s)
{
	for (const struct change *g = c->changes; g < c->changes + c->change_count; g++) {
		bool beside = later ? g > shift && change_begin(g) < change_end(shift)
				    : g < shift && change_end(g) > change_begin(shift);

		if (beside && !change_shifts(g) && !g->floating)
			size_after(g, v, s);
	}
}

void content_sizes(
	const struct content *c, const struct content_view *view, u64 *least, u64 *greatest)
{
	struct content_view v = content_view_full(c, view);
	struct sizes s = {0};

	for (const struct change *g = c->changes; g < c->changes + c->change_count; g++) {
		if (!change_shifts(g)) {
			size_after(g, &v, &s);
			continue;
		}
		sizes_beside(c, &v, g, true, &s);
		size_shifted(g, &v, &s);
		sizes_beside(c, &v, g, false, &s);
	}
	*least = s.least;
	*greatest = s.greatest + s.floating;
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
