/* What a power cut may leave. */
#include "sim/model/oracle.h"
#include "sim/model/walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* fdatasync promises that the file can be found and read; fsync all that was done to it. */
static bool ack_covers(const struct ack *a, const struct op *op)
{
	if (op->end > a->begin || op->result < 0)
		return false;
	for (int k = 0; k < TOUCHED_MAX; k++)
		if (op->touched[k] != NODE_NONE &&
			(a->node == NODE_NONE || (op->touched[k] == a->node &&
							 (!a->data_only || op->kind == OP_CREATE))))
			return true;
	return false;
}

static const struct op *missing_op(const struct oracle *o, const struct passage *p, u64 cut)
{
	for (unsigned a = 0; a < o->ack_count; a++)
		for (unsigned k = 0; o->acks[a].at <= cut && k < o->settled; k++)
			if (!passage_has(p, o->ops[k]) && ack_covers(&o->acks[a], o->ops[k]))
				return o->ops[k];
	return NULL;
}

/* A rename over another file brings the contents with it (DR-19). */
static u32 renamed_at(const struct oracle *o, const struct passage *p, u16 node)
{
	u32 time = 0;

	for (unsigned k = 0; k < o->settled; k++) {
		const struct op *op = o->ops[k];

		if (op->kind == OP_RENAME && op->result == 0 && op->touched[0] == node &&
			op->touched[3] != NODE_NONE && !(op->flags & 2) && passage_has(p, op))
			time = op->begin;
	}
	return time;
}

static bool contents_legal(struct oracle *o, const struct walk *w, const struct passage *p, u64 cut)
{
	for (u16 k = 0; k < o->nodes; k++) {
		struct content_view v = {.crash = true, .cut = cut, .passage = p};

		v.safe_before = renamed_at(o, p, k);
		if (!oracle_file_legal(o, &w->file[k], &v))
			return false;
	}
	return true;
}

static unsigned likeness(const struct tree *a, const struct tree *b)
{
	unsigned n = 0;

	for (int j = 0; j < a->entries; j++)
		for (int k = 0; k < b->entries; k++)
			n += a->entry[j].dir == b->entry[k].dir &&
			     a->entry[j].name == b->entry[k].name &&
			     a->entry[j].node == b->entry[k].node;
	return 2 * n + (a->entries == b->entries);
}

static size_t explain_loss(struct oracle *o, const struct op *lost, u64 cut)
{
	return (size_t)snprintf(o->why, WHY_SIZE,
		"synced, but gone: %s of \"%s\" in %u (file %u), ended at position %" PRIu64
		", cut at %" PRIu64 ". ",
		op_name(lost->kind), o->names.text[lost->name], lost->dir, lost->node, lost->end_at,
		cut);
}

/* Against the state that is most like it of those that the cut allows. */
static void explain(struct oracle *o, const struct walk *w, u64 cut, u64 hash)
{
	const struct passage *best = o->order.passages[0];
	size_t n = 0;

	for (size_t k = 0; k < o->order.count; k++) {
		const struct passage *p = o->order.passages[k];
		const struct op *lost = missing_op(o, p, cut);

		if (p->hash == hash && lost)
			n = explain_loss(o, lost, cut);
		if (!lost && p->earliest_at <= cut &&
			likeness(&w->tree, &p->tree) >= likeness(&w->tree, &best->tree))
			best = p;
	}
	if (!n)
		n = (size_t)snprintf(o->why, WHY_SIZE, "the tree is no state between operations. ");
	tree_difference(&w->tree, &best->tree, &o->names, o->why + n, WHY_SIZE - n);
}

bool oracle_crash(struct oracle *o, struct uext4_fs *fs, u64 cut)
{
	static struct walk w;
	bool found = false;
	u64 hash;

	o->why[0] = 0;
	if (!walk_read(&w, o, fs))
		return false;
	hash = tree_hash(&w.tree, &o->names);
	for (size_t k = 0; k < o->order.count; k++) {
		const struct passage *p = o->order.passages[k];

		if (p->hash != hash || p->earliest_at > cut || missing_op(o, p, cut))
			continue;
		found = true;
		o->why[0] = 0;
		if (contents_legal(o, &w, p, cut))
			return true;
	}
	if (!found)
		explain(o, &w, cut, hash);
	return false;
}

/* Counts what has begun and what has been promised up to there. */
u64 oracle_promise(const struct oracle *o, u64 position)
{
	u64 n = 0;

	for (unsigned k = 0; k < o->op_count; k++)
		n += (o->ops[k]->begin_at <= position) + (o->ops[k]->end_at <= position);
	return n;
}
