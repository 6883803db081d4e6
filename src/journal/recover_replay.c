/*
 * Replay: the chosen copies go home, sorted by address, in large writes.
 *
 * They lie scattered in the log, so each round takes the next stretch of home
 * blocks, reads their copies in log order with all requests in flight at once,
 * and passes them to the write batch, which writes while the next round reads.
 */
#include "base/err.h"
#include "journal/buffer_priv.h"
#include "journal/recover.h"
#include "os/mem.h"

#include <stdlib.h>
#include <string.h>

#define ROUND_BYTES (4u << 20)
#define BATCH_BYTES (4u << 20)
#define READS 128 /* in flight */

struct round {
	struct recovery *r;
	struct dev_queue *q; /* its own: the batch may hold the last one that can be borrowed */
	u32 max;
	u8 *mem;    /* copies in home order */
	u32 *order; /* indices of the round's blocks, in log order */
	struct dev_req *reqs;
	struct dev_req **req_ptrs;
	struct iovec *iov;		/* one per block */
	const struct recover_tag *tags; /* of this round */
	u32 count;
};

static void round_fini(struct round *d)
{
	if (d->mem)
		os_free_pages(d->mem, (size_t)d->max * d->r->block_size);
	dev_queue_destroy(d->q);
	os_free(d->order);
	os_free(d->reqs);
	os_free(d->req_ptrs);
	os_free(d->iov);
}

static int round_init(struct round *d, struct recovery *r)
{
	u32 max = min_of(max_of(ROUND_BYTES / r->block_size, 1u), r->tag_count);

	*d = (struct round){.r = r, .max = max};
	d->mem = os_alloc_pages((size_t)max * r->block_size);
	d->order = os_calloc(max, sizeof(*d->order));
	d->reqs = os_calloc(max, sizeof(*d->reqs));
	d->req_ptrs = os_calloc(max, sizeof(*d->req_ptrs));
	d->iov = os_calloc(max, sizeof(*d->iov));
	if (!d->mem || !d->order || !d->reqs || !d->req_ptrs || !d->iov)
		return ERR(ENOMEM);
	return dev_queue_create(r->j->p.log_dev, READS, &d->q);
}

static int compare_pos(const void *a, const void *b, void *arg)
{
	const struct recover_tag *tags = arg;
	u32 x = tags[*(const u32 *)a].pos, y = tags[*(const u32 *)b].pos;

	return x < y ? -1 : x > y;
}

/* How many of the blocks order[i..] can be read by one request. */
static u32 read_run(const struct round *d, u32 i)
{
	u32 pos = d->tags[d->order[i]].pos, n = 1;
	u32 max = log_contiguous(d->r->j, recover_log_block(d->r, pos), d->count - i);

	while (n < max && d->tags[d->order[i + n]].pos == pos + n)
		n++;
	return min_of(n, 256u);
}

static int build_reads(struct round *d, u32 *req_count)
{
	u32 bs = d->r->block_size, i, k, n;

	*req_count = 0;
	for (i = 0; i < d->count; i += n) {
		struct dev_req *req = &d->reqs[*req_count];
		pblk_t pblk;
		int err =
			log_map(d->r->j, recover_log_block(d->r, d->tags[d->order[i]].pos), &pblk);

		if (err)
			return err;
		n = read_run(d, i);
		for (k = 0; k < n; k++)
			d->iov[i + k] = (struct iovec){d->mem + (size_t)d->order[i + k] * bs, bs};
		*req = (struct dev_req){.op = DEV_READ,
			.offset = pblk * bs,
			.len = (u64)n * bs,
			.iov = &d->iov[i],
			.iov_count = n};
		d->req_ptrs[(*req_count)++] = req;
	}
	return 0;
}

static int read_copies(struct round *d)
{
	u32 reqs, i;
	int err;

	for (i = 0; i < d->count; i++)
		d->order[i] = i;
	qsort_r(d->order, d->count, sizeof(*d->order), compare_pos, (void *)d->tags);
	err = build_reads(d, &reqs);
	if (err)
		return err;
	dev_submit(d->q, d->req_ptrs, reqs);
	dev_drain(d->q);
	for (i = 0; i < reqs && !err; i++)
		err = d->reqs[i].result;
	if (err)
		log_msg(d->r->log, LOG_ERROR,
			"journal: reading the log during replay failed (error %d)", -err);
	return err;
}

static void hand_over(struct round *d, struct batch *batch)
{
	const struct journal_params *p = &d->r->j->p;
	struct be32 magic = cpu_to_be32(JBD2_MAGIC);
	u32 bs = d->r->block_size, i;

	for (i = 0; i < d->count; i++) {
		u8 *home = batch_block(batch, d->tags[i].pblk);

		memcpy(home, d->mem + (size_t)i * bs, bs);
		if (d->tags[i].flags & RECOVER_ESCAPED)
			memcpy(home, &magic, sizeof(magic));
		if (p->replaying)
			p->replaying(p->arg, d->tags[i].pblk, home);
	}
}

static int replay_rounds(struct round *d, struct batch *batch)
{
	struct recovery *r = d->r;
	u32 i;

	for (i = 0; i < r->tag_count; i += d->count) {
		int err;

		d->tags = &r->tags[i];
		d->count = min_of(d->max, r->tag_count - i);
		err = read_copies(d);
		if (err)
			return err;
		hand_over(d, batch);
	}
	return 0;
}

int recover_replay(struct recovery *r)
{
	size_t bytes = (size_t)min_of(2ull * r->tag_count * r->block_size, (u64)BATCH_BYTES);
	struct batch *batch = NULL;
	struct round d;
	int err, err2;

	if (!r->tag_count)
		return 0;
	err = round_init(&d, r);
	if (!err)
		err = batch_create(r->target, r->block_size, bytes, &batch);
	if (!err)
		err = batch_begin(batch);
	if (err)
		goto out;
	err = replay_rounds(&d, batch);
	err2 = batch_end(batch);
	if (err2)
		log_msg(r->log, LOG_ERROR,
			"journal: writing replayed blocks home failed (error %d)", -err2);
	if (!err)
		err = err2;
out:
	batch_destroy(batch);
	round_fini(&d);
	return err;
}
