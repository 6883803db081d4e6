/* Many requests of one thread, by uext4_queue. */
#include "sim/load/player.h"

#include "base/util.h"

#include <fcntl.h>
#include <stdlib.h>

struct batch {
	struct player *p;
	struct uext4_file *cached, *direct;
	struct op *op[BATCH_MAX];
	struct uext4_request request[BATCH_MAX];
	unsigned count;
};

static void request_make(struct batch *b, struct op call)
{
	static const enum uext4_op ops[OP_KINDS] = {[OP_READ] = UEXT4_OP_READ,
		[OP_WRITE] = UEXT4_OP_WRITE,
		[OP_FSYNC] = UEXT4_OP_FSYNC,
		[OP_FDATASYNC] = UEXT4_OP_FDATASYNC,
		[OP_FALLOCATE] = UEXT4_OP_FALLOCATE};
	struct oracle *o = b->p->world->oracle;
	bool data = call.kind == OP_READ || call.kind == OP_WRITE;
	struct uext4_request *r = &b->request[b->count];

	*r = (struct uext4_request){.op = ops[call.kind], .file = b->cached, .user_data = b->count};
	if (data) {
		io_align(call.flags, &call.offset, &call.len);
		r->file = call.flags & OP_DIRECT ? b->direct : b->cached;
		r->flags = call.flags & OP_NOWAIT ? UEXT4_RWF_NOWAIT : 0;
		r->buf = io_memory(call.len);
	} else {
		r->mode = call.kind == OP_FALLOCATE ? (int)call.flags : 0;
	}
	if (call.kind == OP_WRITE && call.flags & OP_DSYNC)
		r->flags |= UEXT4_RWF_DSYNC;
	r->offset = call.offset;
	r->len = call.len;
	b->op[b->count] = call_begin(b->p, call);
	if (call.kind == OP_WRITE) {
		content_fill(++o->writes, call.offset, false, r->buf, call.len);
		oracle_change(o, b->op[b->count], false, o->writes);
	} else if (call.kind == OP_FALLOCATE) {
		oracle_change(o, b->op[b->count], false, 0);
	}
	b->count++;
}

static void request_end(struct batch *b, u64 number, s64 result)
{
	struct world *w = b->p->world;
	struct op *op = b->op[number];

	if (op->kind == OP_READ && !oracle_read(w->oracle, op, b->request[number].buf, result))
		world_fail(w, NULL, 0);
	call_end(b->p, op, result);
	free(b->request[number].buf);
}

/* Some of what is in flight is left to the end of the queue, which tells nobody how it ended. */
static void batch_run(struct batch *b, struct uext4_queue *queue)
{
	struct uext4_completion done[BATCH_MAX];
	int taken = uext4_queue_submit(queue, b->request, b->count), n;
	int wanted = rng_below(&b->p->rng, 3) ? taken : (int)rng_below(&b->p->rng, b->count);

	for (unsigned k = (unsigned)max_of(taken, 0); k < b->count; k++)
		request_end(b, k, -ECANCELED);
	for (int reaped = 0; reaped < min_of(wanted, taken); reaped += n) {
		n = uext4_queue_reap(queue, done, BATCH_MAX, 1, -1);
		if (n <= 0)
			world_fail(b->p->world, "a request got lost", n);
		for (int k = 0; k < n; k++)
			request_end(b, done[k].user_data, done[k].result);
	}
	uext4_queue_destroy(queue);
	for (unsigned k = 0; k < b->count; k++)
		if (!b->op[k]->end)
			request_end(b, k, RESULT_UNTOLD);
}

void call_batch(struct player *p, const struct ref *file, const struct op *calls, unsigned count)
{
	struct batch b = {.p = p};
	struct uext4_queue *queue;

	if (uext4_file_open(file->inode, NULL, O_RDWR, &b.cached))
		return;
	if (uext4_file_open(file->inode, NULL, O_RDWR | O_DIRECT, &b.direct))
		goto out_cached;
	if (uext4_queue_create(p->world->fs, NULL, &queue))
		goto out_direct;
	for (unsigned k = 0; k < count; k++) {
		struct op call = calls[k];

		call.node = file->node;
		request_make(&b, call);
	}
	batch_run(&b, queue);
out_direct:
	uext4_file_close(b.direct);
out_cached:
	uext4_file_close(b.cached);
}
