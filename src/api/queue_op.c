/* What becomes of one request of a queue. */
#include "api/queue_priv.h"
#include "base/err.h"
#include "base/mutant.h"
#include "os/assert.h"
#include "os/mem.h"

#include <string.h>

static s64 run_sync(struct queue_op *op)
{
	const struct uext4_request *r = &op->req;

	switch (r->op) {
	case UEXT4_OP_READ:
		return api_read(&op->rw);
	case UEXT4_OP_WRITE:
		return api_write(&op->rw);
	case UEXT4_OP_FSYNC:
		return uext4_fsync(r->file);
	case UEXT4_OP_FDATASYNC:
		return uext4_fdatasync(r->file);
	case UEXT4_OP_FALLOCATE:
		return uext4_fallocate(r->file, r->mode, r->offset, r->len);
	case UEXT4_OP_NOP:
		break;
	}
	return 0;
}

/* The queue may go as soon as it has the completion. */
static void worked(struct queue_op *op, s64 result)
{
	atomic_sub(&op->queue->working, 1);
	queue_op_done(op, result);
}

static void work_run(struct os_work *w)
{
	struct queue_op *op = container_of(w, struct queue_op, work);

	worked(op, atomic_load_acq(&op->queue->closing) ? ERR(ECANCELED) : run_sync(op));
}

static void work_end(struct os_work *w)
{
	struct queue_op *op = container_of(w, struct queue_op, work);
	s64 result;

	if (MUTANT(COMPLETE_BEFORE_END)) {
		queue_op_done(op, (s64)op->direct.d.done);
		(void)file_direct_end(&op->direct);
		return;
	}
	result = file_direct_end(&op->direct);
	if (!op->direct.spoiled) {
		worked(op, result);
		return;
	}
	os_work_init(&op->work, work_run); /* IO-15: once more, by the call that may wait */
	os_work_queue(op->queue->works, &op->work);
}

static void work(struct queue_op *op, struct os_workqueue *wq, void (*fn)(struct os_work *))
{
	atomic_add(&op->queue->working, 1);
	os_work_init(&op->work, fn);
	os_work_queue(wq, &op->work);
}

void queue_op_ended(struct queue_op *op)
{
	if (!file_direct_end_blocks(&op->direct)) {
		queue_op_done(op, file_direct_end(&op->direct));
		return;
	}
	work(op, op->queue->ends, work_end);
}

/* In whoever reaps the device's queue, under dev_lock: its end comes when that is free again. */
static void transfer_complete(struct direct_io *d)
{
	struct queue_op *op = (struct queue_op *)d;

	ASSERT(os_mutex_held(&op->queue->dev_lock));
	list_add_tail(&op->queue->ended, &op->node);
}

/* False: it takes a thread that may block. */
static bool start_directly(struct queue_op *op)
{
	struct file_direct *f = &op->direct;
	bool user_nowait = op->req.flags & UEXT4_RWF_NOWAIT;
	bool write = op->req.op == UEXT4_OP_WRITE;
	ssize_t r;

	api_rw_direct(&op->rw, f);
	f->nowait = true;
	f->d.complete = transfer_complete;
	r = write ? file_direct_write_start(f, &op->queue->batch)
		  : file_direct_read_start(f, &op->queue->batch);
	if (r == -EAGAIN && !user_nowait)
		return false;
	api_count(op->req.file->inode, write ? OP_WRITE : OP_READ);
	if (r == FILE_DIRECT_STARTED)
		return true;
	queue_op_done(op, r);
	return true;
}

static int rw_set(struct queue_op *op)
{
	const struct uext4_request *r = &op->req;
	struct iovec *iov = op->iov;

	op->rw = (struct api_rw){.file = r->file, .offset = r->offset, .flags = r->flags};
	if (!r->iov) {
		op->iov[0] = (struct iovec){r->buf, r->len};
		op->rw.iov_count = 1;
		op->rw.iov = iov;
		return 0;
	}
	if (r->iov_count < 0)
		return ERR(EINVAL);
	if (r->iov_count > OP_IOVECS) {
		iov = op->iov_heap = os_calloc((size_t)r->iov_count, sizeof(*iov));
		if (!iov)
			return ERR(ENOMEM);
	}
	memcpy(iov, r->iov, (size_t)r->iov_count * sizeof(*iov));
	op->rw.iov = iov;
	op->rw.iov_count = (unsigned)r->iov_count;
	return 0;
}

static void start_rw(struct queue_op *op)
{
	int err = rw_set(op);

	if (!err)
		err = api_rw_check(&op->rw, op->req.op == UEXT4_OP_WRITE);
	if (err)
		queue_op_done(op, err);
	else if (!api_rw_is_direct(&op->rw) || !start_directly(op))
		work(op, op->queue->works, work_run);
}

void queue_op_start(struct queue_op *op)
{
	const struct uext4_request *r = &op->req;

	op->iov_heap = NULL;
	if (r->op == UEXT4_OP_NOP)
		queue_op_done(op, 0);
	else if (r->op > UEXT4_OP_FALLOCATE)
		queue_op_done(op, ERR(EINVAL));
	else if (!r->file)
		queue_op_done(op, ERR(EBADF));
	else if (r->op == UEXT4_OP_READ || r->op == UEXT4_OP_WRITE)
		start_rw(op);
	else
		work(op, op->queue->works, work_run);
}

void queue_op_release(struct queue_op *op)
{
	os_free(op->iov_heap);
	uext4_file_close(op->req.file);
}
