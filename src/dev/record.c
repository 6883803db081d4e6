/* Keeps a log of what was written and flushed, for crash tests. */
#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "dev/devices.h"
#include "dev/layer.h"
#include "os/atomic.h"
#include "os/lock.h"
#include "os/mem.h"

/* Shared by the two entries of a write and by the write in flight. */
struct copy {
	u32 refs; /* atomic */
	u8 bytes[];
};

struct record_dev {
	struct layer_dev layer;
	struct os_mutex lock;
	struct dev_record_entry *log;	   /* lock: lock */
	size_t count, room;		   /* lock: lock */
	struct dev_record_entry *snapshot; /* no lock: one caller of dev_record_* at a time */
};

struct record_child {
	struct layer_child c;
	struct copy *copy; /* owned; writes only */
	size_t covers;
};

static void copy_put(void *bytes)
{
	struct copy *c;

	if (!bytes)
		return;
	c = container_of(bytes, struct copy, bytes);
	if (atomic_sub(&c->refs, 1) == 0)
		os_free(c);
}

static int log_add_locked(struct record_dev *r, const struct dev_record_entry *e)
{
	if (r->count == r->room) {
		size_t room = max_of(r->room * 2, (size_t)64);
		void *more = os_realloc(r->log, room * sizeof(*r->log));

		if (!more)
			return ERR(ENOMEM);
		r->log = more;
		r->room = room;
	}
	r->log[r->count++] = *e;
	if (e->data)
		atomic_add(&container_of(e->data, struct copy, bytes)->refs, 1);
	return 0;
}

static int log_add(struct record_child *rc, enum dev_record_kind kind)
{
	struct record_dev *r = (struct record_dev *)rc->c.queue->base.dev;
	const struct dev_req *req = rc->c.parent;
	struct dev_record_entry e = {.kind = kind, .flags = req->flags, .covers = rc->covers};
	int err;

	if (kind != DEV_REC_FLUSH) {
		e.offset = req->offset;
		e.len = req->len;
	}
	if (rc->copy)
		e.data = rc->copy->bytes;
	os_mutex_lock(&r->lock);
	if (kind == DEV_REC_SUBMIT_WRITE)
		e.covers = 0;
	err = log_add_locked(r, &e);
	os_mutex_unlock(&r->lock);
	return err;
}

static enum dev_record_kind kind_of(enum dev_op op)
{
	if (op == DEV_WRITE)
		return DEV_REC_WRITE;
	if (op == DEV_DISCARD)
		return DEV_REC_DISCARD;
	return op == DEV_FLUSH ? DEV_REC_FLUSH : DEV_REC_ZERO;
}

/* The entry stands in the log before anyone above can see the completion. */
static void record_done(struct dev_req *req)
{
	struct record_child *rc = container_of(req, struct record_child, c.req);
	int result = req->result;

	if (!result && req->op != DEV_READ)
		result = log_add(rc, kind_of(req->op));
	copy_put(rc->copy ? rc->copy->bytes : NULL);
	rc->copy = NULL;
	layer_finish(&rc->c, result);
}

static int write_begin(struct record_child *rc)
{
	const struct dev_req *req = &rc->c.req;

	rc->copy = os_alloc(sizeof(*rc->copy) + req->len);
	if (!rc->copy)
		return ERR(ENOMEM);
	rc->copy->refs = 1;
	iov_copy_out(req->iov, 0, rc->copy->bytes, req->len);
	return log_add(rc, DEV_REC_SUBMIT_WRITE);
}

static bool record_start(struct layer_child *c)
{
	struct record_child *rc = container_of(c, struct record_child, c);
	struct record_dev *r = (struct record_dev *)c->queue->base.dev;
	int err = 0;

	c->req.done = record_done;
	rc->copy = NULL;
	if (c->req.op == DEV_READ)
		return true;
	os_mutex_lock(&r->lock);
	rc->covers = c->req.op == DEV_FLUSH || (c->req.flags & DEV_PREFLUSH) ? r->count : 0;
	os_mutex_unlock(&r->lock);
	if (c->req.op == DEV_WRITE)
		err = write_begin(rc);
	if (!err)
		return true;
	copy_put(rc->copy ? rc->copy->bytes : NULL);
	layer_finish(c, err);
	return false;
}

static int record_queue_create(struct dev *dev, unsigned depth, struct dev_queue **out)
{
	return layer_queue_create(dev, depth, sizeof(struct record_child), out);
}

static void record_submit(struct dev_queue *q, struct dev_req **reqs, unsigned n)
{
	layer_submit(q, reqs, n, record_start);
}

static void record_close(struct dev *dev)
{
	struct record_dev *r = (struct record_dev *)dev;

	dev_record_clear(dev);
	layer_close_lower(&r->layer);
	os_mutex_fini(&r->lock);
	os_free(r);
}

static const struct dev_ops record_ops = {
	.name = "record",
	.queue_create = record_queue_create,
	.queue_destroy = layer_queue_destroy,
	.submit = record_submit,
	.reap = layer_reap,
	.set_event = layer_set_event,
	.close = record_close,
};

int dev_record_create(struct dev *lower, bool borrow, struct dev **out)
{
	struct record_dev *r = os_zalloc(sizeof(*r));
	int err;

	if (!r)
		return ERR(ENOMEM);
	layer_init(&r->layer, &record_ops, lower, borrow);
	/* Users shall flush even above a device that needs none: the log is the point. */
	r->layer.dev.info.volatile_cache = true;
	os_mutex_init(&r->lock, RANK_LEAF, "record device");
	err = dev_setup(&r->layer.dev);
	if (err) {
		os_mutex_fini(&r->lock);
		os_free(r);
		return err;
	}
	*out = &r->layer.dev;
	return 0;
}

size_t dev_record_entries(struct dev *dev, const struct dev_record_entry **out)
{
	struct record_dev *r = (struct record_dev *)dev;
	size_t count;

	os_free(r->snapshot);
	os_mutex_lock(&r->lock);
	count = r->count;
	r->snapshot = os_alloc(count * sizeof(*r->log));
	if (!r->snapshot)
		count = 0;
	if (count)
		memcpy(r->snapshot, r->log, count * sizeof(*r->log));
	os_mutex_unlock(&r->lock);
	*out = r->snapshot;
	return count;
}

size_t dev_record_count(struct dev *dev)
{
	struct record_dev *r = (struct record_dev *)dev;
	size_t count;

	os_mutex_lock(&r->lock);
	count = r->count;
	os_mutex_unlock(&r->lock);
	return count;
}

void dev_record_clear(struct dev *dev)
{
	struct record_dev *r = (struct record_dev *)dev;

	os_free(r->snapshot);
	r->snapshot = NULL;
	os_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->count; i++)
		copy_put(r->log[i].data);
	os_free(r->log);
	r->log = NULL;
	r->count = r->room = 0;
	os_mutex_unlock(&r->lock);
}
