/* What becomes of one request of a queue. */
#include "api/queue_priv.h"
#include "base/err.h"
#include "base/mutant.h"
#include "os/assert.h"
#include "os/event.h"
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

static void work(struct queue_op *op, struct os_workqueue *wq, void (*fn)(struct os_work *))
{
	atomic_add(&op->queue->working, 1);
	os_work_init(&op->work, fn);
	os_work_queue(wq, &op->work);
}

/* IO-15: once more, by the call that may wait. */
static void run_again(struct queue_op *op)
{
	work(op, op->queue->works, work_run);
}

static void work_end(struct os_work *w)
{
	struct queue_op *op = container_of(w, struct queue_op, work);
	struct uext4_queue *q = op->queue;
	s64 result;

	if (MUTANT(COMPLETE_BEFORE_END)) {
		queue_op_done(op, (s64)op->direct.d.done);
		(void)file_direct_end(&op->direct);
		return;
	}
	result = file_direct_end(&op->direct);
	if (op->direct.spoiled) {
		run_again(op);
		atomic_sub(&q->working, 1);
	} else {
		worked(op, result);
	}
}

#define LINE_MAX 64

/* The oldest that wait, or none: then whoever adds the next one starts another worker. */
static unsigned line_take(struct uext4_queue *q, struct queue_line *line, struct queue_op **ops)
{
	unsigned n = 0;

	os_mutex_lock(&q->done_lock);
	for (; n < LINE_MAX && !list_empty(&line->ops); n++) {
		ops[n] = list_first(&line->ops, struct queue_op, node);
		list_del(&ops[n]->node);
	}
	line->runs = n > 0;
	os_mutex_unlock(&q->done_lock);
	return n;
}

/* True: nobody runs the line, and the caller has to. */
static bool line_run_locked(struct uext4_queue *q, struct queue_line *line)
{
	bool start = !line->runs && !list_empty(&line->ops);

	ASSERT(os_mutex_held(&q->done_lock));
	line->runs = line->runs || start;
	return start;
}

/* Without wq it is left to the next reap, which a caller may wait for the event to do. */
static void line_add(struct queue_op *op, struct queue_line *line, struct os_workqueue *wq)
{
	struct uext4_queue *q = op->queue;
	bool start;

	atomic_add(&q->working, 1);
	os_mutex_lock(&q->done_lock);
	list_add_tail(&line->ops, &op->node);
	start = wq && line_run_locked(q, line);
	if (!wq && q->event >= 0)
		os_event_signal(q->event);
	os_mutex_unlock(&q->done_lock);
	if (start)
		(void)os_work_queue(wq, &line->work);
}

static void end_together(struct uext4_queue *q, struct queue_op **ops, unsigned n, unsigned working)
{
	struct file_direct *f[LINE_MAX] = {NULL};
	struct list done;

	list_init(&done);
	for (unsigned k = 0; k < n; k++)
		f[k] = &ops[k]->direct;
	file_direct_convert(f, n);
	for (unsigned k = 0; k < n; k++) {
		ops[k]->result = file_direct_end(f[k]);
		if (f[k]->spoiled)
			run_again(ops[k]);
		else
			list_add_tail(&done, &ops[k]->node);
	}
	atomic_sub(&q->working, working);
	queue_ops_done(q, &done);
}

static void endings_run(struct os_work *w)
{
	struct uext4_queue *q = container_of(w, struct uext4_queue, endings.work);
	struct queue_op *ops[LINE_MAX];
	unsigned n;

	while ((n = line_take(q, &q->endings, ops)) > 0)
		end_together(q, ops, n, n);
}

void queue_ops_ended(struct uext4_queue *q, struct list *ended, bool wait)
{
	struct queue_op *op, *next, *here[LINE_MAX];
	unsigned n = 0;

	list_for_each_entry_safe (op, next, ended, node) {
		list_del(&op->node);
		if (!file_direct_end_blocks(&op->direct))
			queue_op_done(op, file_direct_end(&op->direct));
		else if (file_direct_end_syncs(&op->direct) || MUTANT(COMPLETE_BEFORE_END))
			work(op, q->ends, work_end);
		else if (!wait)
			line_add(op, &q->endings, q->ends);
		else
			here[n++] = op;
		if (n == LINE_MAX) {
			end_together(q, here, n, 0);
			n = 0;
		}
	}
	if (n)
		end_together(q, here, n, 0);
}

/* In whoever reaps the device's queue, under dev_lock: its end comes when that is free again. */
static void transfer_complete(struct direct_io *d)
{
	struct queue_op *op = (struct queue_op *)d;

	ASSERT(os_mutex_held(&op->queue->dev_lock));
	list_add_tail(&op->queue->ended, &op->node);
}

/* Waits for locks and the journal, but for the device only where the write must be alone. */
static void begin(struct queue_op *op)
{
	struct uext4_queue *q = op->queue;
	ssize_t r = ERR(ECANCELED);

	if (!atomic_load_acq(&q->closing)) {
		api_count(op->req.file->inode, OP_WRITE);
		api_rw_direct(&op->rw, &op->direct);
		op->direct.d.complete = transfer_complete;
		r = file_direct_write_send(&op->direct, op->sent, &op->sent_count);
	}
	if (r != FILE_DIRECT_STARTED) {
		worked(op, r);
		return;
	}
	queue_op_sent(op);
	atomic_sub(&q->working, 1); /* after: who sees none working finds what was sent */
}

/* Who reaps sends by turns; a worker leaves that to the reaper, which it wakes. */
static void begins_run(struct uext4_queue *q, bool reaps)
{
	struct queue_op *ops[LINE_MAX];
	unsigned n;

	while ((n = line_take(q, &q->begins, ops)) > 0) {
		for (unsigned k = 0; k < n; k++) {
			begin(ops[k]);
			if (reaps && k % QUEUE_TURN == QUEUE_TURN - 1)
				queue_send(q);
		}
	}
}

static void begins_work(struct os_work *w)
{
	begins_run(container_of(w, struct uext4_queue, begins.work), false);
}

void queue_begin(struct uext4_queue *q, bool wait)
{
	bool start;

	os_mutex_lock(&q->done_lock);
	start = line_run_locked(q, &q->begins);
	os_mutex_unlock(&q->done_lock);
	if (start && wait)
		begins_run(q, true);
	else if (start)
		(void)os_work_queue(q->works, &q->begins.work);
}

void queue_lines_init(struct uext4_queue *q)
{
	list_init(&q->sent);
	list_init(&q->begins.ops);
	list_init(&q->endings.ops);
	os_work_init(&q->begins.work, begins_work);
	os_work_init(&q->endings.work, endings_run);
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

/* What extends a file waits for the device, and so must not keep others waiting. */
static void start_blocking(struct queue_op *op)
{
	struct uext4_queue *q = op->queue;

	if (op->req.op == UEXT4_OP_WRITE && !op->direct.alone)
		line_add(op, &q->begins, q->patient ? NULL : q->works);
	else
		work(op, q->works, work_run);
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
	else if (!api_rw_is_direct(&op->rw))
		work(op, op->queue->works, work_run);
	else if (!start_directly(op))
		start_blocking(op);
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
