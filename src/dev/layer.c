#include "dev/layer.h"
#include "base/err.h"
#include "base/util.h"
#include "os/assert.h"
#include "os/mem.h"

#define LAYER_BATCH 64

void layer_init(struct layer_dev *l, const struct dev_ops *ops, struct dev *lower, bool borrow)
{
	l->dev.ops = ops;
	l->dev.info = lower->info;
	l->dev.log = lower->log;
	l->dev.path = lower->path; /* lower's: it lives longer */
	l->lower = lower;
	l->borrow = borrow;
}

void layer_close_lower(struct layer_dev *l)
{
	if (!l->borrow)
		dev_close(l->lower);
}

int layer_queue_create(struct dev *dev, unsigned depth, size_t child_size, struct dev_queue **out)
{
	struct layer_dev *l = (struct layer_dev *)dev;
	struct layer_queue *q = os_zalloc(sizeof(*q));
	int err = ERR(ENOMEM);

	if (!q)
		return err;
	list_init(&q->idle);
	q->children = os_calloc(depth, child_size);
	if (q->children)
		err = dev_queue_create(l->lower, depth, &q->lower);
	if (err) {
		os_free(q->children);
		os_free(q);
		return err;
	}
	for (unsigned i = 0; i < depth; i++) {
		struct layer_child *c = (void *)((u8 *)q->children + i * child_size);

		c->queue = q;
		list_add_tail(&q->idle, &c->node);
	}
	q->base.serial = q->lower->serial;
	*out = &q->base;
	return 0;
}

void layer_queue_destroy(struct dev_queue *base)
{
	struct layer_queue *q = (struct layer_queue *)base;

	dev_queue_destroy(q->lower);
	os_free(q->children);
	os_free(q);
}

static struct layer_child *child_get(struct layer_queue *q, struct dev_req *parent)
{
	struct layer_child *c = list_first(&q->idle, struct layer_child, node);

	ASSERT(!list_empty(&q->idle));
	list_del(&c->node);
	c->parent = parent;
	c->req = (struct dev_req){.op = parent->op,
		.flags = parent->flags,
		.offset = parent->offset,
		.len = parent->len,
		.iov = parent->iov,
		.iov_count = parent->iov_count};
	return c;
}

void layer_submit(struct dev_queue *base, struct dev_req **reqs, unsigned n, layer_start_fn *start)
{
	struct layer_queue *q = (struct layer_queue *)base;
	struct dev_req *down[LAYER_BATCH];
	unsigned count = 0;

	for (unsigned i = 0; i < n; i++) {
		struct layer_child *c = child_get(q, reqs[i]);

		if (start(c))
			down[count++] = &c->req;
		if (count == LAYER_BATCH || (count && i + 1 == n)) {
			dev_submit(q->lower, down, count);
			count = 0;
		}
	}
}

void layer_finish(struct layer_child *c, int result)
{
	struct layer_queue *q = c->queue;

	c->parent->result = result;
	list_add_head(&q->idle, &c->node);
	dev_queue_complete(&q->base, c->parent);
}

void layer_pass_result(struct dev_req *lower_req)
{
	layer_finish(container_of(lower_req, struct layer_child, req), lower_req->result);
}

int layer_set_event(struct dev_queue *base, int fd)
{
	return dev_queue_set_event(((struct layer_queue *)base)->lower, fd);
}

/* Each active request has something in flight below, so min below is never too much. */
void layer_reap(struct dev_queue *base, unsigned min, u64 deadline_ns)
{
	struct layer_queue *q = (struct layer_queue *)base;
	unsigned goal = base->active - min;

	do {
		unsigned missing = base->active > goal ? base->active - goal : 0;

		if (dev_reap(q->lower, missing, deadline_ns) == 0)
			return; /* the deadline has passed, or min is 0 */
	} while (base->active > goal);
}
