/*
 * At each end of an operation, every state of now is extended by the operations under way, in every
 * order that their answers allow; then those states remain in which the ended one is done.
 */
#include "sim/model/order.h"

#include <stdlib.h>
#include <string.h>

struct extension {
	struct order *o;
	struct op *pending[THREADS_MAX];
	u32 ending; /* time: of the end under way */
};

static u64 full_hash(const struct tree *t, u64 hash)
{
	for (u16 k = 0; k < t->nodes; k++)
		if (t->node[k].mode && !t->node[k].links)
			hash += fact_node(k, &t->node[k]) * (3 + 2 * t->node[k].linkable);
	return hash;
}

static u32 passage_add(struct order *o, const struct passage *p)
{
	if ((o->count & (o->count - 1)) == 0) {
		size_t room = o->count ? 2 * o->count : 1;

		o->passages = realloc(o->passages, room * sizeof(*o->passages));
		if (!o->passages)
			abort();
	}
	o->passages[o->count] = malloc(sizeof(*p));
	if (!o->passages[o->count])
		abort();
	*o->passages[o->count] = *p;
	return (u32)o->count++;
}

static bool now_has(const struct order *o, u64 full_hash, u32 early)
{
	for (size_t k = 0; k < o->now_count; k++)
		if (o->now[k].early == early &&
			o->passages[o->now[k].passage]->full_hash == full_hash)
			return true;
	return false;
}

static void now_add(struct order *o, u32 passage, u32 early)
{
	if (o->now_count == sizeof(o->now) / sizeof(o->now[0]))
		abort();
	o->now[o->now_count].passage = passage;
	o->now[o->now_count++].early = early;
}

static void finish(struct order *o, struct passage *p)
{
	p->hash = tree_hash(&p->tree, o->names);
	p->full_hash = full_hash(&p->tree, p->hash);
}

void order_init(struct order *o, const struct tree *start, const struct names *names)
{
	struct passage p = {.tree = *start};

	memset(o, 0, sizeof(*o));
	o->names = names;
	finish(o, &p);
	now_add(o, passage_add(o, &p), 0);
}

void order_fini(struct order *o)
{
	for (size_t k = 0; k < o->count; k++)
		free(o->passages[k]);
	free(o->passages);
	o->passages = NULL;
	o->count = 0;
}

void order_copy(struct order *to, const struct order *from, const struct names *names)
{
	*to = *from;
	to->names = names;
	to->passages = NULL;
	to->count = 0;
	for (size_t k = 0; k < from->count; k++)
		passage_add(to, from->passages[k]);
}

/* An operation touches for certain what it touches in every order. */
static void note_touched(struct op *op, const u16 touched[TOUCHED_MAX])
{
	if (!op->applied)
		memcpy(op->touched, touched, sizeof(op->touched));
	for (int k = 0; op->applied && k < TOUCHED_MAX; k++)
		if (op->touched[k] != touched[k])
			op->touched[k] = NODE_NONE;
	op->applied = true;
}

/* The state of now after the pending operation of one thread, if its answer fits. */
static void extend_by(struct extension *x, size_t at, unsigned thread)
{
	struct order *o = x->o;
	u32 from = o->now[at].passage, early = o->now[at].early | 1u << thread;
	struct op *op = x->pending[thread];
	u16 touched[TOUCHED_MAX];
	struct passage p = *o->passages[from];
	bool changed;

	if (!tree_agrees(&p.tree, op, touched))
		return;
	changed = touched[0] != NODE_NONE || op->kind == OP_TMPFILE;
	if (changed) {
		note_touched(op, touched);
		finish(o, &p);
	}
	if (now_has(o, p.full_hash, early))
		return;
	p.early = early;
	p.layer = o->time;
	p.found = x->ending;
	if (p.earliest_at < op->begin_at)
		p.earliest_at = op->begin_at;
	now_add(o, changed ? passage_add(o, &p) : from, early);
}

/* Every order of the operations under way, and after it, op has ended. */
static bool end_op(struct extension *x, const struct op *op)
{
	struct order *o = x->o;
	size_t kept = 0;

	x->ending = op->end;
	for (size_t at = 0; at < o->now_count; at++)
		for (unsigned t = 0; t < THREADS_MAX; t++)
			if (x->pending[t] && !(o->now[at].early & 1u << t))
				extend_by(x, at, t);
	for (size_t at = 0; at < o->now_count; at++)
		if (o->now[at].early & 1u << op->thread) {
			o->now[kept] = o->now[at];
			o->now[kept++].early &= ~(1u << op->thread);
		}
	o->now_count = kept;
	x->pending[op->thread] = NULL;
	o->time = op->end;
	return kept > 0;
}

static struct op *first_ending(struct extension *x, u32 before)
{
	struct op *first = NULL;

	for (unsigned t = 0; t < THREADS_MAX; t++)
		if (x->pending[t] && x->pending[t]->end < before &&
			(!first || x->pending[t]->end < first->end))
			first = x->pending[t];
	return first;
}

bool order_extend(struct order *o, struct op **ops, size_t count, const struct op **bad)
{
	struct extension x = {.o = o};
	struct op *ending;

	for (size_t k = 0; k <= count; k++) {
		while ((ending = first_ending(&x, k < count ? ops[k]->begin : UINT32_MAX)))
			if (!end_op(&x, ending)) {
				*bad = ending;
				return false;
			}
		if (k < count && op_in_order(ops[k]))
			x.pending[ops[k]->thread] = ops[k];
	}
	return true;
}

bool order_settle(struct order *o, u64 hash)
{
	size_t kept = 0;

	for (size_t k = 0; k < o->now_count; k++)
		if (o->passages[o->now[k].passage]->hash == hash)
			o->now[kept++] = o->now[k];
	o->now_count = kept;
	return kept > 0;
}

bool passage_has(const struct passage *p, const struct op *op)
{
	return op->end <= p->layer || (op->begin < p->found && p->early & 1u << op->thread);
}
