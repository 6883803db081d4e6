/*
 * Copies of blocks, gathered into large writes. Memory is two halves: one is
 * filled while the other is on its way. No locks: one thread owns a batch.
 */
#include "base/err.h"
#include "base/trace.h"
#include "journal/buffer_priv.h"
#include "os/mem.h"

#define HALF_REQS 256
#define HALF_BLOCKS_MIN 64

struct half;

struct slot {
	struct dev_req req;
	struct iovec iov;
	struct half *half;
};

struct half {
	u8 *mem;
	u32 blocks;  /* filled */
	u32 reqs;    /* slots in use */
	u32 pending; /* submitted and not complete */
	struct slot slot[HALF_REQS];
};

struct batch {
	struct dev *dev;
	struct dev_queue *q;
	u32 block_size;
	u32 half_blocks;
	u32 cur; /* the half being filled */
	int err;
	pblk_t next; /* block that would extend the last request */
	struct half half[2];
};

int batch_create(struct dev *dev, u32 block_size, size_t bytes, struct batch **out)
{
	struct batch *b = os_zalloc(sizeof(*b));
	unsigned i, k;

	if (!b)
		return ERR(ENOMEM);
	b->dev = dev;
	b->block_size = block_size;
	b->half_blocks = (u32)max_of(bytes / 2 / block_size, (size_t)HALF_BLOCKS_MIN);
	for (i = 0; i < 2; i++) {
		b->half[i].mem = os_alloc_pages((size_t)b->half_blocks * block_size);
		if (!b->half[i].mem) {
			batch_destroy(b);
			return ERR(ENOMEM);
		}
		for (k = 0; k < HALF_REQS; k++)
			b->half[i].slot[k].half = &b->half[i];
	}
	*out = b;
	return 0;
}

void batch_destroy(struct batch *b)
{
	unsigned i;

	if (!b)
		return;
	for (i = 0; i < 2; i++)
		if (b->half[i].mem)
			os_free_pages(b->half[i].mem, (size_t)b->half_blocks * b->block_size);
	os_free(b);
}

int batch_begin(struct batch *b)
{
	b->err = 0;
	b->cur = 0;
	return dev_queue_get(b->dev, &b->q);
}

static void write_done(struct dev_req *r)
{
	struct slot *s = container_of(r, struct slot, req);

	s->half->pending--;
}

/* A request that is alone, as in a small commit, needs no ring. */
static void half_submit(struct batch *b, struct half *h, bool alone)
{
	struct dev_req *reqs[HALF_REQS];
	u32 i;

	for (i = 0; i < h->reqs; i++) {
		struct slot *s = &h->slot[i];

		s->req.op = DEV_WRITE;
		s->req.flags = 0;
		s->req.len = s->iov.iov_len;
		s->req.iov = &s->iov;
		s->req.iov_count = 1;
		s->req.done = write_done;
		reqs[i] = &s->req;
	}
	h->pending = h->reqs;
	if (alone)
		dev_submit_single(b->dev, reqs[0]);
	else if (h->reqs)
		dev_submit(b->q, reqs, h->reqs);
}

static void half_wait(struct batch *b, struct half *h)
{
	u32 i;

	while (h->pending)
		dev_reap(b->q, 1, 0);
	for (i = 0; i < h->reqs; i++)
		if (h->slot[i].req.result && !b->err)
			b->err = h->slot[i].req.result;
	h->reqs = h->blocks = 0;
}

static void switch_halves(struct batch *b)
{
	half_submit(b, &b->half[b->cur], false);
	b->cur ^= 1;
	half_wait(b, &b->half[b->cur]);
}

void *batch_block(struct batch *b, pblk_t pblk)
{
	struct half *h = &b->half[b->cur];
	bool extends = h->reqs && pblk == b->next;
	struct slot *s;
	void *mem;

	if (h->blocks == b->half_blocks || (!extends && h->reqs == HALF_REQS)) {
		switch_halves(b);
		h = &b->half[b->cur];
		extends = false;
	}
	mem = h->mem + (size_t)h->blocks * b->block_size;
	if (!extends) {
		s = &h->slot[h->reqs++];
		s->req.offset = pblk * b->block_size;
		s->iov = (struct iovec){mem, 0};
	}
	h->slot[h->reqs - 1].iov.iov_len += b->block_size;
	h->blocks++;
	b->next = pblk + 1;
	return mem;
}

u32 batch_group_max(const struct batch *b)
{
	return min_of(b->half_blocks, (u32)HALF_REQS);
}

void batch_reserve(struct batch *b, u32 n)
{
	struct half *h = &b->half[b->cur];

	ASSERT(n <= batch_group_max(b));
	if (h->blocks + n > b->half_blocks || h->reqs + n > HALF_REQS)
		switch_halves(b);
}

void batch_undo(struct batch *b)
{
	struct half *h = &b->half[b->cur];
	struct slot *s = &h->slot[h->reqs - 1];

	h->blocks--;
	s->iov.iov_len -= b->block_size;
	b->next--;
	if (s->iov.iov_len == 0) {
		h->reqs--;
		b->next = UINT64_MAX;
	}
}

int batch_end(struct batch *b)
{
	struct half *h = &b->half[b->cur];

	half_submit(b, h, h->reqs == 1 && b->half[!b->cur].pending == 0);
	half_wait(b, &b->half[0]);
	half_wait(b, &b->half[1]);
	dev_queue_put(b->q);
	return b->err;
}
