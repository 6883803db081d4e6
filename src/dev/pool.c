/*
 * Idle queues of a device. Each thread prefers one shard; taking and giving
 * back is one atomic exchange there, no lock. When memory or descriptors are
 * short, a reserve made with the device (slow: depth 1) serves one caller after
 * the other.
 *
 * Sync calls have queues of their own kind (depth 1, which costs a device
 * little), so that they go on while a thread holds the last batch queue.
 */
#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "dev/dev_driver.h"
#include "os/assert.h"
#include "os/atomic.h"
#include "os/clock.h"
#include "os/lock.h"
#include "os/mem.h"
#include "os/tally.h"
#include "os/thread.h"

#define SHARDS 16
#define SHARD_QUEUES 4
#define BATCH_DEPTH 128
/* Kinds of the tally: requests by enum dev_op, then the bytes of reads and writes. */
#define COUNT_BYTES (DEV_WRITE_ZEROES + 1)
#define RETRY_NS (5 * NSEC_PER_MSEC)

struct shard {
	struct dev_queue *idle[SHARD_QUEUES]; /* atomic; NULL = free slot */
	char pad[64 - SHARD_QUEUES * sizeof(void *)];
};

struct dev_pool {
	struct shard shard[POOL_KINDS][SHARDS]; /* one cache line each */
	struct os_mutex lock;
	struct os_cond returned;
	struct dev_queue *reserve[POOL_KINDS]; /* lock: lock; NULL while lent */
	struct tally counts;		       /* kinds: see COUNT_BYTES */
};

static int queue_make(struct dev *dev, enum pool_kind kind, unsigned depth, struct dev_queue **out)
{
	int err = dev_queue_create(dev, depth, out);

	if (!err)
		(*out)->pool_kind = (u8)kind;
	return err;
}

static int reserves_make(struct dev *dev, struct dev_pool *p)
{
	for (unsigned kind = 0; kind < POOL_KINDS; kind++) {
		int err = queue_make(dev, kind, 1, &p->reserve[kind]);

		if (err)
			return err;
		p->reserve[kind]->pool_reserve = true;
	}
	return 0;
}

static void pool_free(struct dev_pool *p)
{
	for (unsigned kind = 0; kind < POOL_KINDS; kind++) {
		for (unsigned s = 0; s < SHARDS; s++)
			for (unsigned i = 0; i < SHARD_QUEUES; i++)
				dev_queue_destroy(p->shard[kind][s].idle[i]);
		dev_queue_destroy(p->reserve[kind]);
	}
	os_mutex_fini(&p->lock);
	os_free_pages(p, sizeof(*p));
}

int dev_setup(struct dev *dev)
{
	struct dev_pool *p = os_alloc_pages(sizeof(*p));
	int err;

	if (!p)
		return ERR(ENOMEM);
	memset(p, 0, sizeof(*p));
	os_mutex_init(&p->lock, RANK_LEAF, "dev pool");
	os_cond_init(&p->returned, "dev pool");
	err = reserves_make(dev, p);
	if (err) {
		pool_free(p);
		return err;
	}
	dev->pool = p;
	return 0;
}

void pool_destroy(struct dev *dev)
{
	if (dev->pool)
		pool_free(dev->pool);
	dev->pool = NULL;
}

static struct dev_queue *shard_take(struct shard *s)
{
	for (unsigned i = 0; i < SHARD_QUEUES; i++) {
		struct dev_queue *q = NULL;

		if (atomic_load_relaxed(&s->idle[i]))
			q = atomic_xchg(&s->idle[i], NULL);
		if (q)
			return q;
	}
	return NULL;
}

static struct dev_queue *idle_take(struct dev_pool *p, enum pool_kind kind)
{
	unsigned own = os_shard(SHARDS);

	for (unsigned i = 0; i < SHARDS; i++) {
		struct dev_queue *q = shard_take(&p->shard[kind][(own + i) % SHARDS]);

		if (q)
			return q;
	}
	return NULL;
}

static struct dev_queue *reserve_wait(struct dev_pool *p, enum pool_kind kind)
{
	struct dev_queue *q;

	os_mutex_lock(&p->lock);
	if (!p->reserve[kind])
		os_cond_wait_until(&p->returned, &p->lock, os_clock_mono() + RETRY_NS);
	q = p->reserve[kind];
	p->reserve[kind] = NULL;
	os_mutex_unlock(&p->lock);
	return q;
}

struct dev_queue *pool_get(struct dev *dev, enum pool_kind kind)
{
	struct dev_pool *p = dev->pool;
	struct dev_queue *q;

	for (;;) {
		q = idle_take(p, kind);
		if (likely(q))
			return q;
		if (queue_make(dev, kind, kind == POOL_SYNC ? 1 : BATCH_DEPTH, &q) == 0)
			return q;
		q = reserve_wait(p, kind);
		if (q)
			return q;
	}
}

static bool shard_put(struct shard *s, struct dev_queue *q)
{
	for (unsigned i = 0; i < SHARD_QUEUES; i++) {
		struct dev_queue *none = NULL;

		if (!atomic_load_relaxed(&s->idle[i]) && atomic_cas(&s->idle[i], &none, q))
			return true;
	}
	return false;
}

void pool_put(struct dev_queue *q)
{
	struct dev_pool *p = q->dev->pool;

	ASSERT(q->in_flight == 0);
	if (q->pool_reserve) {
		os_mutex_lock(&p->lock);
		p->reserve[q->pool_kind] = q;
		os_cond_broadcast(&p->returned);
		os_mutex_unlock(&p->lock);
	} else if (!shard_put(&p->shard[q->pool_kind][os_shard(SHARDS)], q)) {
		dev_queue_destroy(q);
	}
}

void pool_count(struct dev *dev, struct dev_req **reqs, unsigned n)
{
	struct dev_pool *p = dev->pool;
	u64 requests[DEV_WRITE_ZEROES + 1] = {0}, bytes[2] = {0};

	if (!p)
		return; /* while it is being opened */
	for (unsigned i = 0; i < n; i++) {
		if (reqs[i]->result)
			continue;
		requests[reqs[i]->op]++;
		if (reqs[i]->op <= DEV_WRITE)
			bytes[reqs[i]->op] += reqs[i]->len;
	}
	for (unsigned op = 0; op <= DEV_WRITE_ZEROES; op++)
		if (requests[op])
			tally_add(&p->counts, op, requests[op]);
	for (unsigned op = 0; op <= DEV_WRITE; op++)
		if (bytes[op])
			tally_add(&p->counts, COUNT_BYTES + op, bytes[op]);
}

void dev_stats(struct dev *dev, struct dev_stats *out)
{
	const struct tally *t = &((struct dev_pool *)dev->pool)->counts;

	*out = (struct dev_stats){
		.reads = tally_sum(t, DEV_READ),
		.writes = tally_sum(t, DEV_WRITE) + tally_sum(t, DEV_WRITE_ZEROES),
		.flushes = tally_sum(t, DEV_FLUSH),
		.discards = tally_sum(t, DEV_DISCARD),
		.bytes_read = tally_sum(t, COUNT_BYTES + DEV_READ),
		.bytes_written = tally_sum(t, COUNT_BYTES + DEV_WRITE),
	};
}
