/* A window of a device. */
#include "base/err.h"
#include "base/util.h"
#include "dev/devices.h"
#include "dev/layer.h"
#include "os/mem.h"

struct partition {
	struct layer_dev layer;
	u64 offset;
};

static int partition_queue_create(struct dev *dev, unsigned depth, struct dev_queue **out)
{
	return layer_queue_create(dev, depth, sizeof(struct layer_child), out);
}

static bool partition_start(struct layer_child *c)
{
	struct partition *p = (struct partition *)c->queue->base.dev;

	c->req.done = layer_pass_result;
	if (c->req.op != DEV_FLUSH)
		c->req.offset += p->offset;
	return true;
}

static void partition_submit(struct dev_queue *q, struct dev_req **reqs, unsigned n)
{
	layer_submit(q, reqs, n, partition_start);
}

static void partition_close(struct dev *dev)
{
	layer_close_lower((struct layer_dev *)dev);
	os_free(dev);
}

static const struct dev_ops partition_ops = {
	.name = "partition",
	.queue_create = partition_queue_create,
	.queue_destroy = layer_queue_destroy,
	.submit = partition_submit,
	.reap = layer_reap,
	.set_event = layer_set_event,
	.close = partition_close,
};

int dev_partition_create(struct dev *lower, bool borrow, u64 offset, u64 len, struct dev **out)
{
	u32 bs = lower->info.block_size;
	struct partition *p;
	int err;

	if (offset % bs || len % bs || offset >= lower->info.size ||
		len > lower->info.size - offset) {
		log_msg(lower->log, LOG_ERROR,
			"%s: no window of %llu bytes at %llu: the device has %llu bytes in blocks "
			"of %u",
			lower->path ? lower->path : "device", (unsigned long long)len,
			(unsigned long long)offset, (unsigned long long)lower->info.size, bs);
		return ERR(EINVAL);
	}
	p = os_zalloc(sizeof(*p));
	if (!p)
		return ERR(ENOMEM);
	layer_init(&p->layer, &partition_ops, lower, borrow);
	p->offset = offset;
	p->layer.dev.info.size = len ? len : lower->info.size - offset;
	err = dev_setup(&p->layer.dev);
	if (err) {
		os_free(p);
		return err;
	}
	*out = &p->layer.dev;
	return 0;
}
