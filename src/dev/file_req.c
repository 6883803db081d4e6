/* The steps of one request, and their execution by plain system calls. */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/trace.h"
#include "base/util.h"
#include "dev/file_priv.h"
#include "os/assert.h"
#include "os/atomic.h"
#include "os/mem.h"

#define BOUNCE_MAX_BYTES (1u << 20)
#define CALL_SEGMENTS_MAX 1024u /* IOV_MAX of Linux */
/* Shorter ranges are zeroed by writing: cheaper than to change the extents of the image. */
#define ZERO_RANGE_MIN_BYTES (128u * 1024)

static bool slot_finish(struct file_slot *slot, int result)
{
	if (slot->bounce)
		os_free_pages(slot->bounce, slot->bounce_bytes);
	slot->bounce = NULL;
	slot->req->result = result;
	return false;
}

static bool needs_bounce(const struct file_dev *f, const struct dev_req *req)
{
	const struct dev_info *info = &f->dev.info;

	if (!f->direct || (req->op != DEV_READ && req->op != DEV_WRITE))
		return false;
	for (unsigned i = 0; i < req->iov_count; i++)
		if ((uintptr_t)req->iov[i].iov_base % info->mem_align ||
			req->iov[i].iov_len % info->block_size)
			return true;
	return false;
}

static void step_fsync(struct file_slot *slot)
{
	slot->step = (struct file_step){.kind = STEP_FSYNC};
}

static void step_bounced(struct file_slot *slot)
{
	struct file_step *st = &slot->step;

	st->len = min_of(st->len, (u64)slot->bounce_bytes);
	if (st->kind == STEP_WRITE)
		iov_copy_out(slot->req->iov, slot->done, slot->bounce, st->len);
	slot->iov[0] = (struct iovec){slot->bounce, (size_t)st->len};
	st->iov = slot->iov;
	st->iov_count = 1;
}

static void step_transfer(struct file_slot *slot, struct file_dev *f)
{
	const struct dev_req *req = slot->req;
	struct file_step *st = &slot->step;

	*st = (struct file_step){.kind = req->op == DEV_READ ? STEP_READ : STEP_WRITE,
		.dsync = (req->flags & DEV_FUA) && !atomic_load_relaxed(&f->no_dsync),
		.offset = req->offset + slot->done,
		.len = req->len - slot->done};
	if (slot->bounce) {
		step_bounced(slot);
		return;
	}
	st->iov = slot->iov;
	if (slot->done == 0) {
		st->iov = req->iov;
		st->iov_count = min_of(req->iov_count, CALL_SEGMENTS_MAX);
	} else {
		st->iov_count = iov_slice(
			req->iov, req->iov_count, slot->done, st->len, slot->iov, SLOT_SEGMENTS);
	}
}

static void step_zero(struct file_slot *slot, struct file_dev *f)
{
	const struct dev_req *req = slot->req;
	struct file_step *st = &slot->step;
	u64 left = req->len - slot->done;
	unsigned n;

	*st = (struct file_step){.offset = req->offset + slot->done, .len = left};
	if (!slot->plain_zeroes) {
		st->kind = STEP_FALLOCATE;
		st->mode = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
		return;
	}
	st->kind = STEP_WRITE;
	st->dsync = (req->flags & DEV_FUA) && !atomic_load_relaxed(&f->no_dsync);
	for (n = 0; n < SLOT_SEGMENTS && left; n++) {
		size_t bytes = (size_t)min_of(left, (u64)IOV_ZEROES_BYTES);

		slot->iov[n] = (struct iovec){(void *)iov_zeroes, bytes};
		left -= bytes;
	}
	st->iov = slot->iov;
	st->iov_count = n;
}

static void step_discard(struct file_slot *slot, struct file_dev *f)
{
	slot->step = (struct file_step){
		.kind = f->block_device ? STEP_DISCARD : STEP_FALLOCATE,
		.mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		.offset = slot->req->offset,
		.len = slot->req->len,
	};
}

static void step_next(struct file_slot *slot, struct file_dev *f)
{
	if (slot->stage != STAGE_TRANSFER || slot->req->op == DEV_FLUSH)
		step_fsync(slot);
	else if (slot->req->op == DEV_DISCARD)
		step_discard(slot, f);
	else if (slot->req->op == DEV_WRITE_ZEROES)
		step_zero(slot, f);
	else
		step_transfer(slot, f);
}

/* Tests let a request of an opened path fail, as dev_fault does on any device. */
static bool fault_fails(enum dev_op op)
{
	switch (op) {
	case DEV_READ:
		return FAULT("file_read");
	case DEV_WRITE:
	case DEV_WRITE_ZEROES:
		return FAULT("file_write");
	case DEV_FLUSH:
		return FAULT("file_flush");
	case DEV_DISCARD:
		return FAULT("file_discard");
	}
	return false;
}

bool slot_start(struct file_slot *slot, struct file_dev *f, struct dev_req *req)
{
	slot->req = req;
	slot->done = 0;
	slot->bounce = NULL;
	slot->stage = req->flags & DEV_PREFLUSH ? STAGE_PREFLUSH : STAGE_TRANSFER;
	slot->plain_zeroes =
		req->len < ZERO_RANGE_MIN_BYTES || atomic_load_relaxed(&f->no_zero_range);
	if (fault_fails(req->op))
		return slot_finish(slot, ERR(EIO));
	if (req->op == DEV_FLUSH && f->dev.info.read_only)
		return slot_finish(slot, 0);
	if (needs_bounce(f, req)) {
		slot->bounce_bytes = (size_t)min_of(req->len, (u64)BOUNCE_MAX_BYTES);
		slot->bounce = os_alloc_pages(slot->bounce_bytes);
		if (!slot->bounce)
			return slot_finish(slot, ERR(ENOMEM));
	}
	step_next(slot, f);
	return true;
}

/* A second try in another way, where the kernel or file system lacks the first. */
static bool slot_retry(struct file_slot *slot, struct file_dev *f, int err)
{
	if (err != -EOPNOTSUPP && err != -ENOSYS)
		return false;
	if (slot->step.kind == STEP_WRITE && slot->step.dsync) {
		atomic_store_relaxed(&f->no_dsync, true);
	} else if (slot->step.kind == STEP_FALLOCATE && slot->req->op == DEV_WRITE_ZEROES) {
		atomic_store_relaxed(&f->no_zero_range, true);
		slot->plain_zeroes = true;
	} else {
		return false;
	}
	step_next(slot, f);
	return true;
}

/* How far a transfer step came; a direct one goes on at a whole block. */
static int take_progress(struct file_slot *slot, struct file_dev *f, int res)
{
	u64 n = (u64)res;

	if (slot->step.kind == STEP_FALLOCATE || slot->step.kind == STEP_DISCARD)
		n = slot->step.len;
	else if (f->direct)
		n = round_down_to(n, f->dev.info.block_size);
	if (n == 0)
		return ERR(EIO); /* end of file: the image was cut under us */
	if (slot->bounce && slot->step.kind == STEP_READ)
		iov_copy_in(slot->req->iov, slot->done, slot->bounce, n);
	slot->done += n;
	return 0;
}

/* FUA that the transfer itself could not give. */
static bool needs_postflush(const struct file_slot *slot)
{
	return (slot->req->flags & DEV_FUA) && !slot->step.dsync;
}

bool slot_advance(struct file_slot *slot, struct file_dev *f, int res)
{
	int err;

	if (res < 0)
		return slot_retry(slot, f, res) || slot_finish(slot, ERR(-res));
	if (slot->stage == STAGE_PREFLUSH) {
		slot->stage = STAGE_TRANSFER;
		step_next(slot, f);
		return true;
	}
	if (slot->stage == STAGE_POSTFLUSH || slot->req->op == DEV_FLUSH)
		return slot_finish(slot, 0);
	err = take_progress(slot, f, res);
	if (err)
		return slot_finish(slot, err);
	if (slot->done == slot->req->len) {
		if (!needs_postflush(slot))
			return slot_finish(slot, 0);
		slot->stage = STAGE_POSTFLUSH;
	}
	step_next(slot, f);
	return true;
}

static ssize_t step_call(struct file_dev *f, const struct file_step *st)
{
	u64 range[2] = {st->offset, st->len};

	switch (st->kind) {
	case STEP_FSYNC:
		return fdatasync(f->fd);
	case STEP_READ:
		return preadv(f->fd, st->iov, (int)st->iov_count, (off_t)st->offset);
	case STEP_WRITE:
		if (st->dsync)
			return pwritev2(
				f->fd, st->iov, (int)st->iov_count, (off_t)st->offset, RWF_DSYNC);
		return pwritev(f->fd, st->iov, (int)st->iov_count, (off_t)st->offset);
	case STEP_FALLOCATE:
		return fallocate(f->fd, st->mode, (off_t)st->offset, (off_t)st->len);
	case STEP_DISCARD:
		return ioctl(f->fd, BLKDISCARD, range);
	}
	errno = EINVAL;
	return -1;
}

int step_run(struct file_dev *f, const struct file_step *st)
{
	ssize_t n;

	do
		n = step_call(f, st);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : (int)n; /* the kernel moves less than 2 GiB at a time */
}

void slot_run(struct file_slot *slot, struct file_dev *f, struct dev_req *req)
{
	bool more = slot_start(slot, f, req);

	while (more)
		more = slot_advance(slot, f, step_run(f, &slot->step));
}
