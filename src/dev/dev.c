/* What all devices share: checks, queue discipline, callbacks, sync calls. */
#include "base/err.h"
#include "base/util.h"
#include "dev/dev_driver.h"
#include "os/assert.h"
#include "os/atomic.h"
#include "os/event.h"

#define FEED_MAX 128 /* requests handed to a device in one call */
#define DEPTH_MAX 4096u

static bool is_write(enum dev_op op)
{
	return op == DEV_WRITE || op == DEV_WRITE_ZEROES;
}

static int check_range(const struct dev *dev, const struct dev_req *r)
{
	u32 bs = dev->info.block_size;
	u64 size = atomic_load_relaxed(&dev->info.size);

	if (r->len == 0 || r->len % bs || r->offset % bs)
		return ERR(EINVAL);
	if (r->offset > size || r->len > size - r->offset)
		return ERR(EIO);
	return 0;
}

static int check_segments(const struct dev_req *r)
{
	u64 total = 0;

	for (unsigned i = 0; i < r->iov_count; i++)
		if (__builtin_add_overflow(total, (u64)r->iov[i].iov_len, &total))
			return ERR(EINVAL);
	return total == r->len ? 0 : ERR(EINVAL);
}

static int request_check(const struct dev *dev, const struct dev_req *r)
{
	u32 allowed = is_write(r->op) ? DEV_FUA | DEV_PREFLUSH : 0;
	int err;

	if (r->op > DEV_WRITE_ZEROES || (r->flags & ~allowed))
		return ERR(EINVAL);
	if (r->op == DEV_FLUSH)
		return 0;
	if (r->op != DEV_READ && dev->info.read_only)
		return ERR(EROFS);
	if (r->op == DEV_DISCARD && !dev->info.can_discard)
		return ERR(EOPNOTSUPP);
	err = check_range(dev, r);
	if (!err && (r->op == DEV_READ || r->op == DEV_WRITE))
		err = check_segments(r);
	return err;
}

/* Gives the device what its depth allows. */
static void queue_feed(struct dev_queue *q)
{
	struct dev_req *batch[FEED_MAX];
	unsigned n;

	do {
		n = 0;
		while (n < FEED_MAX && q->active < q->depth && !list_empty(&q->waiting)) {
			batch[n] = list_first(&q->waiting, struct dev_req, node);
			list_del(&batch[n++]->node);
			q->active++;
		}
		if (n)
			q->dev->ops->submit(q, batch, n);
	} while (n);
}

void dev_submit(struct dev_queue *q, struct dev_req **reqs, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct dev_req *r = reqs[i];

		r->result = request_check(q->dev, r);
		list_add_tail(r->result ? &q->done : &q->waiting, &r->node);
	}
	q->in_flight += n;
	pool_count(q->dev, reqs, n);
	queue_feed(q);
	if (q->event >= 0 && !list_empty(&q->done))
		os_event_signal(q->event);
}

void dev_queue_complete(struct dev_queue *q, struct dev_req *req)
{
	ASSERT(q->active > 0);
	q->active--;
	list_add_tail(&q->done, &req->node);
}

/* Runs the callbacks of what is complete now; what they add waits for the next round. */
static unsigned queue_deliver(struct dev_queue *q)
{
	struct list batch;
	unsigned n = 0;

	list_init(&batch);
	list_splice_tail(&batch, &q->done);
	while (!list_empty(&batch)) {
		struct dev_req *r = list_first(&batch, struct dev_req, node);

		list_del(&r->node);
		q->in_flight--;
		n++;
		if (r->done)
			r->done(r);
	}
	return n;
}

/* How many completions to wait for in one call: with some held back, start them early. */
static unsigned queue_want(const struct dev_queue *q, unsigned missing)
{
	if (!missing || !list_empty(&q->done))
		return 0;
	return list_empty(&q->waiting) ? min_of(missing, q->active) : 1;
}

int dev_reap(struct dev_queue *q, unsigned min, u64 deadline_ns)
{
	unsigned ran = 0;

	min = min_of(min, q->in_flight);
	do {
		if (q->active)
			q->dev->ops->reap(q, queue_want(q, min - ran), deadline_ns);
		if (list_empty(&q->done))
			break; /* the deadline has passed, or min is 0 */
		ran += queue_deliver(q);
		queue_feed(q);
	} while (ran < min);
	if (q->event >= 0 && !list_empty(&q->done))
		os_event_signal(q->event);
	return (int)ran;
}

void dev_drain(struct dev_queue *q)
{
	while (q->in_flight)
		dev_reap(q, q->in_flight, 0);
}

int dev_queue_create(struct dev *dev, unsigned depth, struct dev_queue **out)
{
	struct dev_queue *q;
	int err;

	if (depth == 0)
		return ERR(EINVAL);
	depth = min_of(depth, DEPTH_MAX);
	err = dev->ops->queue_create(dev, depth, &q);
	if (err)
		return err;
	q->dev = dev;
	q->depth = depth;
	q->in_flight = q->active = 0;
	list_init(&q->waiting);
	list_init(&q->done);
	q->event = -1;
	q->pool_kind = POOL_BATCH;
	q->pool_reserve = false;
	*out = q;
	return 0;
}

void dev_queue_destroy(struct dev_queue *q)
{
	if (!q)
		return;
	ASSERT(q->in_flight == 0);
	q->dev->ops->queue_destroy(q);
}

int dev_queue_set_event(struct dev_queue *q, int fd)
{
	int err = q->dev->ops->set_event ? q->dev->ops->set_event(q, fd) : 0;

	if (!err)
		q->event = fd;
	return err;
}

int dev_queue_get(struct dev *dev, struct dev_queue **out)
{
	*out = pool_get(dev, POOL_BATCH);
	return 0;
}

void dev_queue_get_single(struct dev *dev, struct dev_queue **out)
{
	*out = pool_get(dev, POOL_SYNC);
}

void dev_submit_single(struct dev *dev, struct dev_req *req)
{
	struct dev_queue *q;

	dev_queue_get_single(dev, &q);
	dev_submit(q, &req, 1);
	dev_queue_put(q);
}

void dev_queue_put(struct dev_queue *q)
{
	dev_drain(q);
	pool_put(q);
}

void dev_close(struct dev *dev)
{
	if (!dev)
		return;
	pool_destroy(dev);
	dev->ops->close(dev);
}

int dev_resize(struct dev *dev, u64 size)
{
	int err;

	if (dev->info.read_only)
		return ERR(EROFS);
	if (!dev->ops->resize)
		return ERR(EOPNOTSUPP);
	if (size % dev->info.block_size)
		return ERR(EINVAL);
	err = dev->ops->resize(dev, size);
	if (!err)
		atomic_store_relaxed(&dev->info.size, size);
	return err;
}

static int sync_call(struct dev *dev, struct dev_req *req)
{
	struct dev_queue *q = pool_get(dev, POOL_SYNC);

	dev_submit(q, &req, 1);
	dev_drain(q);
	pool_put(q);
	return req->result;
}

static int sync_transfer(
	struct dev *dev, enum dev_op op, u64 offset, void *buf, size_t len, u32 flags)
{
	struct iovec iov = {buf, len};
	struct dev_req req = {.op = op,
		.flags = flags,
		.offset = offset,
		.len = len,
		.iov = &iov,
		.iov_count = 1};

	return len ? sync_call(dev, &req) : 0;
}

int dev_read(struct dev *dev, u64 offset, void *buf, size_t len)
{
	return sync_transfer(dev, DEV_READ, offset, buf, len, 0);
}

int dev_write(struct dev *dev, u64 offset, const void *buf, size_t len, u32 flags)
{
	return sync_transfer(dev, DEV_WRITE, offset, (void *)buf, len, flags);
}

int dev_flush(struct dev *dev)
{
	struct dev_req req = {.op = DEV_FLUSH};

	return sync_call(dev, &req);
}

static int sync_range(struct dev *dev, enum dev_op op, u64 offset, u64 len, u32 flags)
{
	struct dev_req req = {.op = op, .flags = flags, .offset = offset, .len = len};

	return len ? sync_call(dev, &req) : 0;
}

int dev_discard(struct dev *dev, u64 offset, u64 len)
{
	return sync_range(dev, DEV_DISCARD, offset, len, 0);
}

int dev_write_zeroes(struct dev *dev, u64 offset, u64 len, u32 flags)
{
	return sync_range(dev, DEV_WRITE_ZEROES, offset, len, flags);
}
