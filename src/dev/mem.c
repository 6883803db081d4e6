/* Anonymous memory as a device. Everything completes in submit. No locks: requests don't overlap.
 */
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/util.h"
#include "dev/dev_driver.h"
#include "dev/devices.h"
#include "dev/inline_queue.h"
#include "os/mem.h"

#define PAGE 4096
#define RELEASE_MIN_BYTES (64 * 1024) /* smaller discards are zeroed, not given back */

struct mem_dev {
	struct dev dev;
	u8 *data;
};

static int mem_zero(struct mem_dev *m, u64 offset, u64 len)
{
	u64 first = round_up_to(offset, PAGE), end = round_down_to(offset + len, PAGE);

	if (len < RELEASE_MIN_BYTES || madvise(m->data + first, end - first, MADV_DONTNEED) != 0) {
		memset(m->data + offset, 0, len);
		return 0;
	}
	memset(m->data + offset, 0, first - offset);
	memset(m->data + end, 0, offset + len - end);
	return 0;
}

static int mem_run(struct dev *dev, struct dev_req *r)
{
	struct mem_dev *m = (struct mem_dev *)dev;

	switch (r->op) {
	case DEV_READ:
		iov_copy_in(r->iov, 0, m->data + r->offset, r->len);
		return 0;
	case DEV_WRITE:
		iov_copy_out(r->iov, 0, m->data + r->offset, r->len);
		return 0;
	case DEV_FLUSH:
		return 0;
	case DEV_DISCARD:
	case DEV_WRITE_ZEROES:
		return mem_zero(m, r->offset, r->len);
	}
	return ERR(EINVAL);
}

static void mem_submit(struct dev_queue *q, struct dev_req **reqs, unsigned n)
{
	inline_submit(q, reqs, n, mem_run);
}

static void mem_close(struct dev *dev)
{
	struct mem_dev *m = (struct mem_dev *)dev;

	if (m->data)
		munmap(m->data, m->dev.info.size);
	os_free(m);
}

static const struct dev_ops mem_ops = {
	.name = "memory",
	.queue_create = inline_queue_create,
	.queue_destroy = inline_queue_destroy,
	.submit = mem_submit,
	.reap = inline_reap,
	.close = mem_close,
};

int dev_mem_create(u64 size, u32 block_size, struct dev **out)
{
	struct mem_dev *m;
	void *data;
	int err;

	if (!is_pow2(block_size) || block_size < 512 || block_size > PAGE || size == 0 ||
		size % block_size || size > SIZE_MAX / 2)
		return ERR(EINVAL);
	m = os_zalloc(sizeof(*m));
	if (!m)
		return ERR(ENOMEM);
	m->dev.ops = &mem_ops;
	m->dev.info = (struct dev_info){.size = size,
		.block_size = block_size,
		.mem_align = 1,
		.can_fua = true,
		.can_discard = true,
		.can_write_zeroes = true};
	data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		-1, 0);
	m->data = data == MAP_FAILED ? NULL : data;
	err = m->data ? dev_setup(&m->dev) : ERR(ENOMEM);
	if (err) {
		mem_close(&m->dev);
		return err;
	}
	*out = &m->dev;
	return 0;
}

void *dev_mem_data(struct dev *dev)
{
	return ((struct mem_dev *)dev)->data;
}
