/* Fails chosen requests with an errno. */
#include "base/err.h"
#include "base/util.h"
#include "dev/devices.h"
#include "dev/layer.h"
#include "os/clock.h"
#include "os/lock.h"
#include "os/mem.h"

struct rule {
	struct list node; /* lock: fault_dev.lock */
	struct dev_fault_rule r;
	u64 seen, failed; /* lock: fault_dev.lock */
};

struct fault_dev {
	struct layer_dev layer;
	struct os_mutex lock;
	struct list rules; /* lock: lock */
	u64 hits;	   /* lock: lock */
};

struct fault_child {
	struct layer_child c;
	int error;	   /* what the request ends with, whatever the lower result */
	struct iovec *iov; /* owned: the torn part of a write */
};

static bool rule_touches(const struct dev_fault_rule *r, const struct dev_req *req)
{
	if (!(r->ops & 1u << req->op))
		return false;
	if (r->len == 0)
		return true;
	if (req->op == DEV_FLUSH)
		return false;
	return req->offset >= r->offset ? req->offset - r->offset < r->len
					: r->offset - req->offset < req->len;
}

/* Counts the request with every rule it matches until one fails it. */
static bool fault_decide(struct fault_dev *f, const struct dev_req *req, struct dev_fault_rule *out)
{
	struct rule *rule;
	bool fails = false;

	os_mutex_lock(&f->lock);
	list_for_each_entry (rule, &f->rules, node) {
		if (!rule_touches(&rule->r, req) || rule->seen++ < rule->r.after)
			continue;
		if (rule->r.count && rule->failed == rule->r.count)
			continue;
		rule->failed++;
		f->hits++;
		*out = rule->r;
		fails = true;
		break;
	}
	os_mutex_unlock(&f->lock);
	return fails;
}

static void torn_done(struct dev_req *req)
{
	struct fault_child *fc = container_of(req, struct fault_child, c.req);

	os_free(fc->iov);
	fc->iov = NULL;
	layer_finish(&fc->c, fc->error);
}

/* Makes the child a shorter write without promises; false when nothing of it shall go down. */
static bool tear(struct fault_child *fc)
{
	struct dev_req *req = &fc->c.req;
	u32 bs = fc->c.queue->base.dev->info.block_size;
	u64 len = os_random() % (req->len / bs) * bs;

	if (len == 0)
		return false;
	if (req->op == DEV_WRITE) {
		fc->iov = os_calloc(req->iov_count, sizeof(*fc->iov));
		if (!fc->iov)
			return false;
		req->iov_count =
			iov_slice(req->iov, req->iov_count, 0, len, fc->iov, req->iov_count);
		req->iov = fc->iov;
	}
	req->len = len;
	req->flags = 0;
	req->done = torn_done;
	return true;
}

static bool fault_start(struct layer_child *c)
{
	struct fault_child *fc = container_of(c, struct fault_child, c);
	struct dev_fault_rule rule;

	c->req.done = layer_pass_result;
	if (!fault_decide((struct fault_dev *)c->queue->base.dev, &c->req, &rule))
		return true;
	fc->error = ERR(rule.error);
	if (rule.torn && (c->req.op == DEV_WRITE || c->req.op == DEV_WRITE_ZEROES) && tear(fc))
		return true;
	layer_finish(c, fc->error);
	return false;
}

static int fault_queue_create(struct dev *dev, unsigned depth, struct dev_queue **out)
{
	return layer_queue_create(dev, depth, sizeof(struct fault_child), out);
}

static void fault_submit(struct dev_queue *q, struct dev_req **reqs, unsigned n)
{
	layer_submit(q, reqs, n, fault_start);
}

static void fault_close(struct dev *dev)
{
	struct fault_dev *f = (struct fault_dev *)dev;

	dev_fault_clear(dev);
	layer_close_lower(&f->layer);
	os_mutex_fini(&f->lock);
	os_free(f);
}

static const struct dev_ops fault_ops = {
	.name = "fault",
	.queue_create = fault_queue_create,
	.queue_destroy = layer_queue_destroy,
	.submit = fault_submit,
	.reap = layer_reap,
	.set_event = layer_set_event,
	.close = fault_close,
};

int dev_fault_create(struct dev *lower, bool borrow, struct dev **out)
{
	struct fault_dev *f = os_zalloc(sizeof(*f));
	int err;

	if (!f)
		return ERR(ENOMEM);
	layer_init(&f->layer, &fault_ops, lower, borrow);
	os_mutex_init(&f->lock, RANK_LEAF, "fault device");
	list_init(&f->rules);
	err = dev_setup(&f->layer.dev);
	if (err) {
		os_mutex_fini(&f->lock);
		os_free(f);
		return err;
	}
	*out = &f->layer.dev;
	return 0;
}

int dev_fault_add(struct dev *dev, const struct dev_fault_rule *r)
{
	struct fault_dev *f = (struct fault_dev *)dev;
	struct rule *rule;

	if (r->error <= 0 || r->ops == 0)
		return ERR(EINVAL);
	rule = os_zalloc(sizeof(*rule));
	if (!rule)
		return ERR(ENOMEM);
	rule->r = *r;
	os_mutex_lock(&f->lock);
	list_add_tail(&f->rules, &rule->node);
	os_mutex_unlock(&f->lock);
	return 0;
}

void dev_fault_clear(struct dev *dev)
{
	struct fault_dev *f = (struct fault_dev *)dev;
	struct rule *rule, *next;

	os_mutex_lock(&f->lock);
	list_for_each_entry_safe (rule, next, &f->rules, node) {
		list_del(&rule->node);
		os_free(rule);
	}
	os_mutex_unlock(&f->lock);
}

u64 dev_fault_hits(struct dev *dev)
{
	struct fault_dev *f = (struct fault_dev *)dev;
	u64 hits;

	os_mutex_lock(&f->lock);
	hits = f->hits;
	os_mutex_unlock(&f->lock);
	return hits;
}
