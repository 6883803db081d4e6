/*
 * Steps through io_uring: one ring per queue, the file registered with it, one
 * system call per batch. A ring may change hands between threads, so none of
 * the single-issuer or cooperative modes fit: with those, completions wait for
 * the thread that submitted.
 */
#include <liburing.h>

#include "base/err.h"
#include "base/util.h"
#include "dev/file_priv.h"
#include "os/assert.h"
#include "os/clock.h"
#include "os/mem.h"
#include "os/thread.h"

#define FEATURES_NEEDED (IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_SUBMIT_STABLE)

struct ring {
	struct io_uring io;
	struct file_dev *file;
	bool fixed_file;
	unsigned in_kernel; /* submitted or prepared, completion not yet seen */
	struct list idle;   /* file_slot.node */
	struct file_slot slots[];
};

int ring_create(struct file_dev *f, unsigned depth, struct ring **out)
{
	struct io_uring_params params = {0};
	struct ring *r = os_zalloc(sizeof(*r) + depth * sizeof(r->slots[0]));
	int err;

	if (!r)
		return ERR(ENOMEM);
	err = io_uring_queue_init_params(depth, &r->io, &params);
	if (err < 0) {
		os_free(r);
		return err;
	}
	r->file = f;
	if ((params.features & FEATURES_NEEDED) != FEATURES_NEEDED) {
		ring_destroy(r);
		return -ENOSYS;
	}
	r->fixed_file = io_uring_register_files(&r->io, &f->fd, 1) == 0;
	list_init(&r->idle);
	for (unsigned i = 0; i < depth; i++)
		list_add_tail(&r->idle, &r->slots[i].node);
	*out = r;
	return 0;
}

void ring_destroy(struct ring *r)
{
	ASSERT(r->in_kernel == 0);
	/*
	 * The kernel ends a ring some time after its last user has gone. It must
	 * not keep the file open until then: a block device would stay claimed.
	 */
	if (r->fixed_file)
		io_uring_unregister_files(&r->io);
	io_uring_queue_exit(&r->io);
	os_free(r);
}

int ring_set_event(struct ring *r, int fd)
{
	int err = io_uring_register_eventfd(&r->io, fd);

	return err < 0 ? ERR(-err) : 0;
}

/* Hands all prepared entries to the kernel. */
static void ring_push(struct ring *r)
{
	while (io_uring_sq_ready(&r->io)) {
		int n = io_uring_submit(&r->io);

		if (n < 0 && n != -EINTR)
			os_yield(); /* EAGAIN, EBUSY: the kernel is short of memory for now */
	}
}

static struct io_uring_sqe *sqe_get(struct ring *r)
{
	struct io_uring_sqe *sqe;

	while (!(sqe = io_uring_get_sqe(&r->io)))
		ring_push(r);
	return sqe;
}

static void sqe_fill(struct io_uring_sqe *sqe, int fd, const struct file_step *st)
{
	switch (st->kind) {
	case STEP_FSYNC:
		io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
		return;
	case STEP_READ:
		if (st->iov_count == 1)
			io_uring_prep_read(sqe, fd, st->iov->iov_base,
				(unsigned)min_of(st->iov->iov_len, (size_t)1 << 30), st->offset);
		else
			io_uring_prep_readv(sqe, fd, st->iov, st->iov_count, st->offset);
		return;
	case STEP_WRITE:
		if (st->iov_count == 1)
			io_uring_prep_write(sqe, fd, st->iov->iov_base,
				(unsigned)min_of(st->iov->iov_len, (size_t)1 << 30), st->offset);
		else
			io_uring_prep_writev(sqe, fd, st->iov, st->iov_count, st->offset);
		sqe->rw_flags = st->dsync ? RWF_DSYNC : 0;
		return;
	case STEP_FALLOCATE:
		io_uring_prep_fallocate(sqe, fd, st->mode, (off_t)st->offset, (off_t)st->len);
		return;
	case STEP_DISCARD:
		break;
	}
	BUG_ON(true);
}

/*
 * Buffered writes go through no faster in the kernel's worker threads, which
 * take one at a time per file; rings have no operation for a discard.
 */
static bool runs_inline(const struct ring *r, const struct file_step *st)
{
	return st->kind == STEP_DISCARD ||
	       (st->kind == STEP_WRITE && !r->file->direct && !st->dsync);
}

static void slot_done(struct file_queue *q, struct file_slot *slot)
{
	list_add_head(&q->ring->idle, &slot->node);
	dev_queue_complete(&q->base, slot->req);
}

/* Prepares the slot's step; `more` is what slot_start or slot_advance said. */
static void slot_issue(struct file_queue *q, struct file_slot *slot, bool more)
{
	struct ring *r = q->ring;
	struct io_uring_sqe *sqe;

	while (more && runs_inline(r, &slot->step))
		more = slot_advance(slot, r->file, step_run(r->file, &slot->step));
	if (!more) {
		slot_done(q, slot);
		return;
	}
	sqe = sqe_get(r);
	sqe_fill(sqe, r->fixed_file ? 0 : r->file->fd, &slot->step);
	if (r->fixed_file)
		sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data(sqe, slot);
	r->in_kernel++;
}

void ring_submit(struct file_queue *q, struct dev_req **reqs, unsigned n)
{
	struct ring *r = q->ring;

	for (unsigned i = 0; i < n; i++) {
		struct file_slot *slot = list_first(&r->idle, struct file_slot, node);

		ASSERT(!list_empty(&r->idle));
		list_del(&slot->node);
		slot_issue(q, slot, slot_start(slot, r->file, reqs[i]));
	}
	ring_push(r);
}

/* What the ring could not do now, and what was cancelled with its thread, is done by plain calls.
 */
static bool wants_plain_call(int res)
{
	return res == -EAGAIN || res == -EINTR || res == -ECANCELED;
}

static void ring_collect(struct file_queue *q)
{
	struct ring *r = q->ring;
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&r->io, &cqe) == 0) {
		struct file_slot *slot = io_uring_cqe_get_data(cqe);
		int res = cqe->res;

		io_uring_cqe_seen(&r->io, cqe);
		r->in_kernel--;
		if (wants_plain_call(res))
			res = step_run(r->file, &slot->step);
		slot_issue(q, slot, slot_advance(slot, r->file, res));
	}
	ring_push(r);
}

/* False when deadline_ns has passed. */
static bool ring_wait(struct ring *r, unsigned n, u64 deadline_ns)
{
	struct __kernel_timespec ts;
	struct io_uring_cqe *cqe;
	u64 now = deadline_ns ? os_clock_mono() : 0;
	int err;

	if (deadline_ns && now >= deadline_ns)
		return false;
	ts.tv_sec = (s64)((deadline_ns - now) / NSEC_PER_SEC);
	ts.tv_nsec = (s64)((deadline_ns - now) % NSEC_PER_SEC);
	err = io_uring_wait_cqes(
		&r->io, &cqe, min_of(n, r->in_kernel), deadline_ns ? &ts : NULL, NULL);
	if (err == -EAGAIN || err == -EBUSY)
		os_yield();
	return err != -ETIME;
}

void ring_reap(struct file_queue *q, unsigned min, u64 deadline_ns)
{
	unsigned goal = q->base.active - min;
	bool in_time = true;

	ring_collect(q);
	while (q->base.active > goal && in_time) {
		in_time = ring_wait(q->ring, q->base.active - goal, deadline_ns);
		ring_collect(q);
	}
}
