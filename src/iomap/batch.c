/*
 * A batch of device requests for parts of folios. Parts whose device blocks
 * adjoin become one request with several segments; full requests go out in
 * groups. One thread owns a batch.
 */
#include "base/err.h"
#include "iomap/folio.h"
#include "os/mem.h"

#define BATCH_REQS 32
#define BATCH_SEGS 32

struct batch_part {
	struct folio *folio;
	u64 mask;
};

struct batch_req {
	struct dev_req req; /* first: the callback converts back */
	struct io_batch *batch;
	struct iovec iov[BATCH_SEGS];
	struct batch_part part[BATCH_SEGS];
	bool in_flight;
};

struct io_batch {
	struct page_cache *pc;
	struct dev_queue *queue;
	enum dev_op op;
	io_batch_done_fn *done;
	struct batch_req *open; /* being filled, or NULL */
	struct dev_req *ready[BATCH_REQS];
	unsigned ready_count;
	struct batch_req reqs[BATCH_REQS];
};

int io_batch_create(struct page_cache *pc, struct io_batch **out)
{
	struct io_batch *b = os_zalloc(sizeof(*b));

	if (!b)
		return ERR(ENOMEM);
	b->pc = pc;
	*out = b;
	return 0;
}

void io_batch_destroy(struct io_batch *b)
{
	os_free(b);
}

int io_batch_start(struct io_batch *b, enum dev_op op, io_batch_done_fn *done)
{
	b->op = op;
	b->done = done;
	b->open = NULL;
	b->ready_count = 0;
	return dev_queue_get(b->pc->p.dev, &b->queue);
}

static void batch_req_done(struct dev_req *req)
{
	struct batch_req *r = (struct batch_req *)req;

	for (unsigned k = 0; k < req->iov_count; k++)
		r->batch->done(r->part[k].folio, r->part[k].mask, req->result);
	r->in_flight = false;
}

static void batch_submit(struct io_batch *b)
{
	if (b->ready_count)
		dev_submit(b->queue, b->ready, b->ready_count);
	b->ready_count = 0;
}

static void batch_close_req(struct io_batch *b)
{
	if (!b->open)
		return;
	b->ready[b->ready_count++] = &b->open->req;
	b->open = NULL;
	if (b->ready_count == BATCH_REQS / 2)
		batch_submit(b);
}

static struct batch_req *batch_free_req(struct io_batch *b)
{
	for (;;) {
		for (unsigned k = 0; k < BATCH_REQS; k++)
			if (!b->reqs[k].in_flight)
				return &b->reqs[k];
		batch_submit(b);
		dev_reap(b->queue, 1, 0);
	}
}

static void batch_open_req(struct io_batch *b, u64 addr)
{
	struct batch_req *r = batch_free_req(b);

	r->req = (struct dev_req){
		.op = b->op, .offset = addr, .iov = r->iov, .done = batch_req_done};
	r->batch = b;
	r->in_flight = true;
	b->open = r;
}

static bool joins(const struct io_batch *b, u64 addr)
{
	const struct batch_req *r = b->open;

	return r && r->req.iov_count < BATCH_SEGS && r->req.offset + r->req.len == addr;
}

void io_batch_add(struct io_batch *b, struct folio *f, u64 mask, u64 addr)
{
	u32 bs = b->pc->p.block_size, first = (u32)__builtin_ctzll(mask);
	u64 len = (u64)__builtin_popcountll(mask) * bs;
	struct batch_req *r;
	unsigned k;

	if (!joins(b, addr)) {
		batch_close_req(b);
		batch_open_req(b, addr);
	}
	r = b->open;
	k = r->req.iov_count++;
	r->iov[k] = (struct iovec){f->data + (size_t)first * bs, len};
	r->part[k] = (struct batch_part){f, mask};
	r->req.len += len;
}

void io_batch_finish(struct io_batch *b)
{
	batch_close_req(b);
	if (b->ready_count == 1 && b->queue->in_flight == 0)
		dev_submit_single(b->queue->dev, b->ready[0]);
	else
		batch_submit(b);
	dev_queue_put(b->queue);
}
