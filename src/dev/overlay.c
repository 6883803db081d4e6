/*
 * Copy-on-write in memory. Writes end in the store at once. A read that the
 * store can't serve alone reads all of it below, then lays the store's blocks
 * over it: they can't leave the store in between.
 */
#include "base/err.h"
#include "base/util.h"
#include "dev/devices.h"
#include "dev/layer.h"
#include "dev/overlay_store.h"
#include "os/mem.h"

struct overlay {
	struct layer_dev layer;
	struct store store;
};

static void overlay_read_done(struct dev_req *req)
{
	struct layer_child *c = container_of(req, struct layer_child, req);
	struct overlay *o = (struct overlay *)c->queue->base.dev;

	if (!req->result)
		store_read(&o->store, req->offset, req->len, req->iov);
	layer_finish(c, req->result);
}

static bool overlay_start(struct layer_child *c)
{
	struct overlay *o = (struct overlay *)c->queue->base.dev;
	struct dev_req *r = &c->req;
	int err = 0;

	switch (r->op) {
	case DEV_READ:
		if (!store_covers(&o->store, r->offset, r->len)) {
			r->done = overlay_read_done;
			return true;
		}
		store_read(&o->store, r->offset, r->len, r->iov);
		break;
	case DEV_WRITE:
		err = store_write(&o->store, r->offset, r->len, r->iov);
		break;
	case DEV_DISCARD:
	case DEV_WRITE_ZEROES:
		err = store_write(&o->store, r->offset, r->len, NULL);
		break;
	case DEV_FLUSH:
		break;
	}
	layer_finish(c, err);
	return false;
}

static int overlay_queue_create(struct dev *dev, unsigned depth, struct dev_queue **out)
{
	return layer_queue_create(dev, depth, sizeof(struct layer_child), out);
}

static void overlay_submit(struct dev_queue *q, struct dev_req **reqs, unsigned n)
{
	layer_submit(q, reqs, n, overlay_start);
}

static void overlay_close(struct dev *dev)
{
	struct overlay *o = (struct overlay *)dev;

	layer_close_lower(&o->layer);
	store_fini(&o->store);
	os_free(o);
}

static const struct dev_ops overlay_ops = {
	.name = "overlay",
	.queue_create = overlay_queue_create,
	.queue_destroy = layer_queue_destroy,
	.submit = overlay_submit,
	.reap = layer_reap,
	.set_event = layer_set_event,
	.close = overlay_close,
};

int dev_overlay_create(struct dev *lower, bool borrow, struct dev **out)
{
	struct overlay *o = os_zalloc(sizeof(*o));
	struct dev_info *info;
	int err;

	if (!o)
		return ERR(ENOMEM);
	layer_init(&o->layer, &overlay_ops, lower, borrow);
	info = &o->layer.dev.info;
	info->read_only = info->volatile_cache = false;
	info->can_fua = info->can_discard = info->can_write_zeroes = true;
	store_init(&o->store, info->block_size);
	err = dev_setup(&o->layer.dev);
	if (err) {
		store_fini(&o->store);
		os_free(o);
		return err;
	}
	*out = &o->layer.dev;
	return 0;
}

void dev_overlay_detach(struct dev *dev)
{
	((struct layer_dev *)dev)->borrow = true;
	dev_close(dev);
}
