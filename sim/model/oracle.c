/* The record of operations, and the questions to it. */
#include "sim/model/oracle.h"
#include "sim/model/walk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/falloc.h>

enum { SHIFT_UNIT = 1024 }; /* the smallest block */

static void *grown(void *list, unsigned count, size_t size)
{
	if (count & (count - 1))
		return list;
	list = realloc(list, (count ? 2 * count : 1) * size);
	if (!list)
		abort();
	return list;
}

static struct oracle *oracle_alloc(void)
{
	struct oracle *o = calloc(1, sizeof(*o));

	if (!o)
		abort();
	return o;
}

struct oracle *oracle_create(u16 root_links, u16 root_mode)
{
	struct oracle *o = oracle_alloc();
	struct tree *start = malloc(sizeof(*start));

	if (!start)
		abort();
	tree_init(start, root_links, root_mode);
	o->nodes = 1;
	o->time = 1;
	order_init(&o->order, start, &o->names);
	free(start);
	return o;
}

void oracle_destroy(struct oracle *o)
{
	if (!o)
		return;
	for (unsigned k = 0; k < o->op_count; k++)
		free(o->ops[k]);
	for (unsigned k = 0; k < TREE_NODES; k++)
		content_fini(&o->content[k]);
	free(o->ops);
	free(o->acks);
	order_fini(&o->order);
	names_fini(&o->names);
	free(o);
}

/* Operations are found again at the same place of the list. */
static struct op *op_of(const struct oracle *to, const struct oracle *from, const struct op *op)
{
	for (unsigned k = 0; k < from->op_count; k++)
		if (from->ops[k] == op)
			return to->ops[k];
	return NULL;
}

static void change_adopt(const struct oracle *to, const struct oracle *from, struct change *g)
{
	g->op = op_of(to, from, g->op);
	if (g->source)
		g->source = &to->content[g->op->from];
}

struct oracle *oracle_copy(const struct oracle *from)
{
	struct oracle *o = oracle_alloc();
	const struct order *order = &from->order;

	for (unsigned k = 0; k < from->names.count; k++)
		name_intern(&o->names, from->names.text[k]);
	o->nodes = from->nodes;
	o->time = from->time;
	o->writes = from->writes;
	o->lossy = from->lossy;
	for (unsigned k = 0; k < from->op_count; k++) {
		o->ops = grown(o->ops, k, sizeof(*o->ops));
		o->ops[k] = malloc(sizeof(**o->ops));
		*o->ops[k] = *from->ops[k];
		o->ops[k]->begin_at = o->ops[k]->end_at = 0;
	}
	o->op_count = o->settled = from->op_count;
	for (u16 k = 0; k < o->nodes; k++) {
		content_copy(&o->content[k], &from->content[k]);
		for (unsigned j = 0; j < o->content[k].change_count; j++)
			change_adopt(o, from, &o->content[k].changes[j]);
		content_promise(&o->content[k], o->time, 0);
	}
	order_init(&o->order, &order->passages[order->now[0].passage]->tree, &o->names);
	o->order.time = o->order.passages[0]->layer = o->time;
	return o;
}

void oracle_position(struct oracle *o, u64 (*position)(void *arg), void *arg)
{
	o->position = position;
	o->arg = arg;
}

u16 oracle_node(struct oracle *o)
{
	return o->nodes < TREE_NODES ? o->nodes++ : 0;
}

static u64 position_now(const struct oracle *o)
{
	return o->position ? o->position(o->arg) : 0;
}

struct op *oracle_begin(struct oracle *o, const struct op *call)
{
	struct op *op = malloc(sizeof(*op));

	if (!op)
		abort();
	*op = *call;
	for (int k = 0; k < TOUCHED_MAX; k++)
		op->touched[k] = NODE_NONE;
	op->begin = ++o->time;
	op->begin_at = position_now(o);
	o->ops = grown(o->ops, o->op_count, sizeof(*o->ops));
	o->ops[o->op_count++] = op;
	return op;
}

static void fallocate_change(struct oracle *o, struct op *op)
{
	bool keep = op->flags & FALLOC_FL_KEEP_SIZE;
	bool zero = op->flags & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE);
	bool shift = op->flags & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE);
	bool collapse = op->flags & FALLOC_FL_COLLAPSE_RANGE;
	struct change g = {.kind = collapse ? CHANGE_COLLAPSE
				   : shift  ? CHANGE_INSERT
				   : zero   ? CHANGE_ZERO
					    : CHANGE_GROW,
		.op = op,
		.offset = op->offset,
		.end = op->offset + op->len,
		.keeps_size = keep};

	if (zero || !keep)
		content_add(&o->content[op->node], g);
}

static void copy_change(struct oracle *o, struct op *op)
{
	content_add(&o->content[op->node], (struct change){.kind = CHANGE_COPY,
						   .op = op,
						   .offset = op->offset,
						   .end = op->offset + op->len,
						   .source = &o->content[op->from],
						   .source_offset = op->from_offset});
}

void oracle_change(struct oracle *o, struct op *op, bool constant, u32 number)
{
	bool write = op->kind == OP_WRITE, append = write && op->flags & OP_APPEND;

	if (op->kind == OP_FALLOCATE) {
		fallocate_change(o, op);
		return;
	}
	if (op->kind == OP_COPY) {
		copy_change(o, op);
		return;
	}
	content_add(&o->content[op->node],
		(struct change){.kind = write ? CHANGE_WRITE : CHANGE_TRUNCATE,
			.op = op,
			.number = number,
			.offset = append ? 0 : op->offset,
			.end = !write	? op->len
			       : append ? op->len
					: op->offset + op->len,
			.floating = append,
			.constant = constant});
}

/* What was not written of a short write never was to be; nothing at all does not even make it
 * longer. */
static void change_end(struct oracle *o, struct op *op)
{
	struct content *c = &o->content[op->node];

	for (unsigned k = 0; k < c->change_count; k++) {
		struct change *g = &c->changes[k];

		if (g->op == op && op->kind != OP_TRUNCATE && op->result >= 0)
			g->end = op->result ? g->offset + (u64)op->result : 0;
	}
	content_pin(c, op);
}

/* A copy that did not stop at the end of its source stopped in the middle of something. */
static void copy_end(struct oracle *o, struct op *op)
{
	struct content_view v = {.begin = op->begin};
	u64 least, greatest, done = (u64)op->result;

	content_sizes(&o->content[op->from], &v, &least, &greatest);
	if (op->result < 0 || done == op->len || op->from_offset + done >= least)
		return;
	content_add(&o->content[op->node], (struct change){.kind = CHANGE_ZERO,
						   .op = op,
						   .offset = op->offset + done,
						   .end = op->offset + op->len,
						   .maybe = true});
}

static void ack_add(struct oracle *o, const struct op *op)
{
	bool all = op->kind == OP_SYNC;

	o->acks = grown(o->acks, o->ack_count, sizeof(*o->acks));
	o->acks[o->ack_count++] = (struct ack){.begin = op->begin,
		.at = op->end_at,
		.node = all ? NODE_NONE : op->node,
		.data_only = op->kind == OP_FDATASYNC};
	for (u16 k = 0; k < o->nodes; k++)
		if (all || k == op->node)
			content_promise(&o->content[k], op->begin, op->end_at);
}

void oracle_end(struct oracle *o, struct op *op, s64 result)
{
	op->result = result;
	op->end = ++o->time;
	op->end_at = position_now(o);
	if (op->kind == OP_WRITE || op->kind == OP_TRUNCATE || op->kind == OP_COPY)
		change_end(o, op);
	if (op->kind == OP_COPY)
		copy_end(o, op);
	if (op->kind >= OP_FSYNC && result == 0)
		ack_add(o, op);
}

static bool data_legal(struct oracle *o, const struct content_view *v, u16 node, const char *path,
	u64 offset, const u8 *data, u64 len)
{
	char legal[WHY_SIZE / 2];
	u64 at;

	if (content_legal(&o->content[node], v, offset, data, len, &at))
		return true;
	content_explain(&o->content[node], v, at, legal, sizeof(legal));
	snprintf(o->why, WHY_SIZE, "byte %" PRIu64 " of file %u \"%s\" is %02x%s; %s", at, node,
		path, data[at - offset],
		data[at - offset] >= 0x80 ? ", which nobody wrote to any file" : "", legal);
	return false;
}

static bool size_legal(
	struct oracle *o, const struct content_view *v, u16 node, const char *path, u64 size)
{
	u64 least, greatest;

	content_sizes(&o->content[node], v, &least, &greatest);
	if (size >= least && size <= greatest)
		return true;
	snprintf(o->why, WHY_SIZE,
		"the size of file %u \"%s\" is %" PRIu64 ", not in %" PRIu64 "..%" PRIu64, node,
		path, size, least, greatest);
	return false;
}

bool oracle_read(struct oracle *o, struct op *op, const u8 *data, s64 got)
{
	struct content_view v = {.begin = op->begin};
	u64 least, greatest, end = op->offset + op->len;

	if (got < 0)
		return true;
	content_sizes(&o->content[op->node], &v, &least, &greatest);
	least = least < end ? least : end;
	greatest = greatest < end ? greatest : end;
	if (op->flags & OP_NOWAIT)
		least = 0;
	if ((least > op->offset && (u64)got < least - op->offset) ||
		(u64)got > (greatest > op->offset ? greatest - op->offset : 0)) {
		snprintf(o->why, WHY_SIZE,
			"a read of file %u at %" PRIu64 "+%" PRIu64 " gave %" PRId64
			" bytes; the size is in %" PRIu64 "..%" PRIu64,
			op->node, op->offset, op->len, got, least, greatest);
		return false;
	}
	return data_legal(o, &v, op->node, "live", op->offset, data, (u64)got);
}

static bool view_legal(struct oracle *o, const struct found_file *f, const struct content_view *v)
{
	return size_legal(o, v, f->node, f->path, f->size) &&
	       data_legal(o, v, f->node, f->path, 0, f->data, f->size);
}

/* A shift that a cut has interrupted may be done up to any block (IO-108). */
static bool shift_legal(struct oracle *o, const struct found_file *f, const struct content_view *v)
{
	struct content_view moved = *v;

	moved.moving = content_moving(&o->content[f->node], v);
	if (!moved.moving)
		return false;
	for (moved.seam = moved.moving->offset; moved.seam <= f->size; moved.seam += SHIFT_UNIT)
		if (view_legal(o, f, &moved))
			return true;
	moved.seam = UINT64_MAX;
	return view_legal(o, f, &moved);
}

bool oracle_file_legal(struct oracle *o, const struct found_file *f, const struct content_view *v)
{
	bool legal = !f->read || view_legal(o, f, v) || shift_legal(o, f, v);

	if (legal)
		o->why[0] = 0;
	return legal;
}

/* A truncation that failed, but whose size is there, has happened. */
static void truncation_seen(struct content *c, u64 size)
{
	for (unsigned k = 0; k < c->change_count; k++) {
		struct change *g = &c->changes[k];

		if (g->kind == CHANGE_TRUNCATE && g->op->result < 0 && g->end == size)
			g->op->result = 0;
	}
}

/* The size is known for certain now. */
static void sizes_seen(struct oracle *o, const struct walk *w)
{
	u32 now = ++o->time;

	for (u16 k = 0; k < o->nodes; k++)
		if (w->file[k].read) {
			truncation_seen(&o->content[k], w->file[k].size);
			content_add(&o->content[k], (struct change){.kind = CHANGE_SEEN,
							    .end = w->file[k].size,
							    .seen_time = now});
		}
}

static void explain_now(struct oracle *o, const struct walk *w)
{
	const struct order *r = &o->order;
	size_t n = (size_t)snprintf(o->why, WHY_SIZE, "the tree is not what the calls made: ");

	tree_difference(&w->tree, &r->passages[r->now[0].passage]->tree, &o->names, o->why + n,
		WHY_SIZE - n);
}

bool oracle_digest(struct oracle *o)
{
	unsigned count = o->op_count - o->settled;
	const struct op *bad;

	if (order_extend(&o->order, o->ops + o->settled, count, &bad)) {
		o->settled = o->op_count;
		return true;
	}
	snprintf(o->why, WHY_SIZE,
		"thread %u: %s of \"%s\" in %u gave %" PRId64 " (file %u), which no order explains",
		bad->thread, op_name(bad->kind), o->names.text[bad->name], bad->dir, bad->result,
		bad->node);
	return false;
}

bool oracle_settle(struct oracle *o, struct uext4_fs *fs)
{
	static struct walk w;
	struct content_view v = {.begin = o->time + 1};
	size_t ways;

	if (!oracle_digest(o) || !walk_read(&w, o, fs))
		return false;
	ways = o->order.now_count;
	if (!order_settle(&o->order, tree_hash(&w.tree, &o->names))) {
		o->order.now_count = ways;
		explain_now(o, &w);
		return false;
	}
	for (u16 k = 0; k < o->nodes; k++)
		if (!oracle_file_legal(o, &w.file[k], &v))
			return false;
	sizes_seen(o, &w);
	return true;
}

void oracle_lie(struct oracle *o)
{
	for (size_t k = 0; k < o->order.count; k++) {
		struct passage *p = o->order.passages[k];

		p->tree.entry[0].node++;
		p->hash = tree_hash(&p->tree, &o->names);
	}
}

void oracle_print(const struct oracle *o)
{
	for (unsigned k = 0; k < o->op_count; k++) {
		const struct op *op = o->ops[k];
		bool named = op->kind <= OP_RENAME && op->kind != OP_TMPFILE;

		printf("#%u thread %u, time %u-%u, position %" PRIu64 "-%" PRIu64
		       ": %s file %u dir %u \"%.40s\" to %u \"%.40s\" at %" PRIu64 "+%" PRIu64
		       " flags %x mode %o links %u xattr %u gave %" PRId64 "\n",
			k, op->thread, op->begin, op->end, op->begin_at, op->end_at,
			op_name(op->kind), op->node, op->dir, named ? o->names.text[op->name] : "",
			op->to_dir, op->kind == OP_RENAME ? o->names.text[op->to_name] : "",
			op->offset, op->len, op->flags, op->mode, op->links, op->xattr, op->result);
	}
}
