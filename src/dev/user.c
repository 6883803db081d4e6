/* A device of callbacks. Each request runs in submit; FUA is a write and a flush. */
#include "base/err.h"
#include "base/util.h"
#include "dev/dev_driver.h"
#include "dev/devices.h"
#include "dev/inline_queue.h"
#include "os/mem.h"

#define ZEROES_BYTES 65536u

struct user_dev {
	struct dev dev;
	struct dev_user_ops ops;
	void *arg;
};

static const u8 zeroes[ZEROES_BYTES];

static int user_flush(struct user_dev *u)
{
	return u->ops.flush ? u->ops.flush(u->arg) : 0;
}

static int transfer(struct user_dev *u, const struct dev_req *r)
{
	u64 offset = r->offset;
	int err = 0;

	for (unsigned i = 0; i < r->iov_count && !err; i++) {
		void *base = r->iov[i].iov_base;
		size_t len = r->iov[i].iov_len;

		if (len == 0)
			continue;
		if (r->op == DEV_READ)
			err = u->ops.read(u->arg, offset, base, len);
		else
			err = u->ops.write(u->arg, offset, base, len);
		offset += len;
	}
	return err;
}

/* Segments may split a block; the callbacks are promised whole ones. */
static int transfer_bounced(struct user_dev *u, const struct dev_req *r)
{
	void *mem = os_alloc(r->len);
	int err;

	if (!mem)
		return ERR(ENOMEM);
	if (r->op == DEV_READ) {
		err = u->ops.read(u->arg, r->offset, mem, r->len);
		if (!err)
			iov_copy_in(r->iov, 0, mem, r->len);
	} else {
		iov_copy_out(r->iov, 0, mem, r->len);
		err = u->ops.write(u->arg, r->offset, mem, r->len);
	}
	os_free(mem);
	return err;
}

static bool whole_blocks(const struct user_dev *u, const struct dev_req *r)
{
	for (unsigned i = 0; i < r->iov_count; i++)
		if (r->iov[i].iov_len % u->dev.info.block_size)
			return false;
	return true;
}

static int write_zeroes(struct user_dev *u, u64 offset, u64 len)
{
	int err = 0;

	while (len && !err) {
		size_t n = (size_t)min_of(len, (u64)ZEROES_BYTES);

		err = u->ops.write(u->arg, offset, zeroes, n);
		offset += n;
		len -= n;
	}
	return err;
}

static int user_run_one(struct user_dev *u, const struct dev_req *r)
{
	switch (r->op) {
	case DEV_READ:
	case DEV_WRITE:
		return whole_blocks(u, r) ? transfer(u, r) : transfer_bounced(u, r);
	case DEV_FLUSH:
		return user_flush(u);
	case DEV_DISCARD:
		return u->ops.discard(u->arg, r->offset, r->len);
	case DEV_WRITE_ZEROES:
		return write_zeroes(u, r->offset, r->len);
	}
	return ERR(EINVAL);
}

static int user_run(struct dev *dev, struct dev_req *r)
{
	struct user_dev *u = (struct user_dev *)dev;
	int err = 0;

	if (r->flags & DEV_PREFLUSH)
		err = user_flush(u);
	if (!err)
		err = user_run_one(u, r);
	if (!err && (r->flags & DEV_FUA))
		err = user_flush(u);
	return err > 0 ? ERR(EIO)
		       : err; /* a callback's count is no success: it must take all or fail */
}

static void user_submit(struct dev_queue *q, struct dev_req **reqs, unsigned n)
{
	inline_submit(q, reqs, n, user_run);
}

static void user_close(struct dev *dev)
{
	os_free(dev);
}

static const struct dev_ops user_ops = {
	.name = "user",
	.queue_create = inline_queue_create,
	.queue_destroy = inline_queue_destroy,
	.submit = user_submit,
	.reap = inline_reap,
	.close = user_close,
};

int dev_user_create(const struct dev_user_ops *ops, void *arg, struct dev **out)
{
	struct user_dev *u;
	int err;

	if (!ops->read || !is_pow2(ops->block_size) || ops->block_size < 512 ||
		ops->block_size > 4096)
		return ERR(EINVAL);
	u = os_zalloc(sizeof(*u));
	if (!u)
		return ERR(ENOMEM);
	u->ops = *ops;
	u->arg = arg;
	u->dev.ops = &user_ops;
	u->dev.info = (struct dev_info){.size = round_down_to(ops->size, ops->block_size),
		.block_size = ops->block_size,
		.mem_align = 1,
		.read_only = ops->read_only || !ops->write,
		.volatile_cache = ops->flush != NULL,
		.can_fua = ops->flush == NULL,
		.can_discard = ops->discard != NULL};
	err = dev_setup(&u->dev);
	if (err) {
		os_free(u);
		return err;
	}
	*out = &u->dev;
	return 0;
}
