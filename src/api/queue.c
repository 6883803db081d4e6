/* uext4/queue.h: batches in, completions out. */
#include "api/queue_priv.h"
#include "base/err.h"
#include "os/assert.h"
#include "os/clock.h"
#include "os/event.h"
#include "os/mem.h"

#include <string.h>

#define DEPTH_DEFAULT 128
#define DEPTH_MAX 4096
#define WORKERS_DEFAULT 4
#define ENDERS 2
/* With requests at the device and with workers: how long to wait for the former alone. */
#define SLICE_NS NSEC_PER_MSEC

/* --- places --- */

void queue_op_done(struct queue_op *op, s64 result)
{
	struct list one;

	op->result = result;
	list_init(&one);
	list_add_tail(&one, &op->node);
	queue_ops_done(op->queue, &one);
}

void queue_ops_done(struct uext4_queue *q, struct list *ops)
{
	os_mutex_lock(&q->done_lock);
	list_splice_tail(&q->done, ops);
	os_cond_signal(&q->done_cond);
	if (q->event >= 0)
		os_event_signal(q->event);
	os_mutex_unlock(&q->done_lock);
}

void queue_op_sent(struct queue_op *op)
{
	struct uext4_queue *q = op->queue;

	os_mutex_lock(&q->done_lock);
	list_add_tail(&q->sent, &op->node);
	os_cond_signal(&q->done_cond);
	if (q->event >= 0)
		os_event_signal(q->event);
	os_mutex_unlock(&q->done_lock);
}

static void sent_submit_locked(struct uext4_queue *q)
{
	struct dev_req *reqs[DIRECT_BATCH];
	struct queue_op *op, *next;
	struct list sent;
	unsigned n = 0;

	ASSERT(os_mutex_held(&q->dev_lock));
	list_init(&sent);
	os_mutex_lock(&q->done_lock);
	list_splice_tail(&sent, &q->sent);
	os_mutex_unlock(&q->done_lock);
	list_for_each_entry_safe (op, next, &sent, node) {
		list_del(&op->node);
		for (unsigned k = 0; k < op->sent_count; k++)
			reqs[n++] = op->sent[k];
		if (n > DIRECT_BATCH - DIRECT_SEGMENTS) {
			dev_submit(q->dev, reqs, n);
			n = 0;
		}
	}
	if (n)
		dev_submit(q->dev, reqs, n);
}

void queue_send(struct uext4_queue *q)
{
	os_mutex_lock(&q->dev_lock);
	sent_submit_locked(q);
	os_mutex_unlock(&q->dev_lock);
}

static void ended_take_locked(struct uext4_queue *q, struct list *ended, unsigned max)
{
	struct queue_op *op, *next;

	ASSERT(os_mutex_held(&q->dev_lock));
	list_init(ended);
	list_for_each_entry_safe (op, next, &q->ended, node) {
		if (max-- == 0)
			return;
		list_del(&op->node);
		list_add_tail(ended, &op->node);
	}
}

/*
 * Reaps the device until min of its requests have ended, or deadline_ns, unless some have that
 * nobody took; false if there was none. What ended, taken out under dev_lock, goes on without it:
 * who may wait takes a turn and comes again, by the event that these raise if by any.
 */
static bool device_reap(struct uext4_queue *q, unsigned min, u64 deadline_ns, bool wait)
{
	struct list ended;
	bool any, left;

	os_mutex_lock(&q->dev_lock);
	sent_submit_locked(q);
	left = !list_empty(&q->ended);
	any = q->dev->in_flight > 0 || left;
	if (q->dev->in_flight > 0)
		dev_reap(q->dev, left ? 0 : min, deadline_ns);
	ended_take_locked(q, &ended, wait ? QUEUE_TURN : UINT32_MAX);
	os_mutex_unlock(&q->dev_lock);
	queue_ops_ended(q, &ended, wait);
	return any;
}

/* The device may have got what was sent, and still have some: whoever slept until then looks. */
static bool help(struct dio_reaper *r)
{
	struct uext4_queue *q = container_of(r, struct uext4_queue, reaper);

	if (!device_reap(q, 1, 0, false))
		return false;
	os_mutex_lock(&q->done_lock);
	q->helped = true;
	os_cond_signal(&q->done_cond);
	os_mutex_unlock(&q->done_lock);
	return true;
}

static void batch_submit(struct direct_batch *b)
{
	struct uext4_queue *q = container_of(b, struct uext4_queue, batch);

	os_mutex_lock(&q->dev_lock);
	dev_submit(q->dev, b->req, b->count);
	os_mutex_unlock(&q->dev_lock);
	b->count = 0;
}

/* --- submitting --- */

static struct queue_op *op_take_locked(struct uext4_queue *q)
{
	struct queue_op *op;

	ASSERT(os_mutex_held(&q->lock));
	if (list_empty(&q->idle))
		return NULL;
	op = list_first(&q->idle, struct queue_op, node);
	list_del(&op->node);
	q->in_use++;
	return op;
}

int uext4_queue_submit(struct uext4_queue *q, const struct uext4_request *requests, unsigned count)
{
	struct queue_op *op;
	unsigned n;

	os_mutex_lock(&q->lock);
	for (n = 0; n < count && (op = op_take_locked(q)) != NULL; n++) {
		op->req = requests[n];
		if (op->req.file)
			atomic_add(&op->req.file->refs, 1);
		queue_op_start(op);
	}
	if (q->batch.count)
		batch_submit(&q->batch);
	os_mutex_unlock(&q->lock);
	return n || !count ? (int)n : -EAGAIN;
}

/* --- reaping --- */

static unsigned done_take_locked(struct uext4_queue *q, struct uext4_completion *out, unsigned max)
{
	struct list got;
	struct queue_op *op;
	unsigned n = 0;

	ASSERT(os_mutex_held(&q->lock));
	list_init(&got);
	os_mutex_lock(&q->done_lock);
	for (; n < max && !list_empty(&q->done); n++) {
		op = list_first(&q->done, struct queue_op, node);
		list_del(&op->node);
		list_add_tail(&got, &op->node);
	}
	os_mutex_unlock(&q->done_lock);
	n = 0;
	list_for_each_entry (op, &got, node) {
		if (out)
			out[n] = (struct uext4_completion){op->req.user_data, op->result};
		n++;
		queue_op_release(op);
	}
	list_splice_tail(&q->idle, &got);
	q->in_use -= n;
	return n;
}

static void done_wait(struct uext4_queue *q, u64 deadline_ns)
{
	bool in_time = true;

	os_mutex_lock(&q->done_lock);
	while (list_empty(&q->done) && list_empty(&q->sent) && !q->helped && in_time) {
		if (deadline_ns)
			in_time = os_cond_wait_until(&q->done_cond, &q->done_lock, deadline_ns);
		else
			os_cond_wait(&q->done_cond, &q->done_lock);
	}
	q->helped = false;
	os_mutex_unlock(&q->done_lock);
}

/* Who waits for ever can also wait for the journal. */
static void wait_for_some(struct uext4_queue *q, unsigned missing, u64 deadline_ns)
{
	u64 slice;

	if (atomic_load_acq(&q->working)) {
		slice = os_clock_mono() + SLICE_NS;
		if (deadline_ns)
			slice = min_of(slice, deadline_ns);
		if (!device_reap(q, 1, slice, deadline_ns == 0))
			done_wait(q, deadline_ns);
	} else if (!device_reap(q, missing, deadline_ns, deadline_ns == 0)) {
		done_wait(q, deadline_ns);
	}
}

static bool nothing_to_take(struct uext4_queue *q)
{
	bool empty;

	if (atomic_load_acq(&q->working))
		return false;
	os_mutex_lock(&q->done_lock);
	empty = list_empty(&q->done);
	os_mutex_unlock(&q->done_lock);
	return empty;
}

static unsigned reap_locked(struct uext4_queue *q, struct uext4_completion *out, unsigned max,
	unsigned min, s64 timeout_ns)
{
	u64 deadline = timeout_ns < 0 ? 0 : os_clock_mono() + (u64)timeout_ns;
	unsigned n = 0;

	min = min_of(min_of(min, max), q->in_use);
	q->patient = deadline == 0 && min > 0;
	queue_begin(q, q->patient);
	device_reap(q, q->patient && nothing_to_take(q) ? min : 0, 0, q->patient);
	for (;;) {
		n += done_take_locked(q, out + n, max - n);
		if (n >= min || (deadline && os_clock_mono() >= deadline))
			return n;
		wait_for_some(q, min - n, deadline);
	}
}

static void reap_all_locked(struct uext4_queue *q)
{
	queue_begin(q, true);
	device_reap(q, 0, 0, true);
	if (!done_take_locked(q, NULL, UINT32_MAX))
		wait_for_some(q, 1, 0);
}

int uext4_queue_reap(struct uext4_queue *q, struct uext4_completion *out, unsigned max,
	unsigned min, int64_t timeout_ns)
{
	unsigned n;

	if (max > INT32_MAX)
		return ERR(EINVAL);
	os_mutex_lock(&q->lock);
	n = reap_locked(q, out, max, min, timeout_ns);
	os_mutex_unlock(&q->lock);
	return (int)n;
}

bool uext4_queue_is_serial(const struct uext4_queue *q)
{
	return q->dev->serial;
}

int uext4_queue_eventfd(struct uext4_queue *q)
{
	int fd, err;

	os_mutex_lock(&q->lock);
	fd = q->event;
	if (fd < 0)
		fd = os_event_create();
	if (fd < 0 || fd == q->event)
		goto out;
	os_mutex_lock(&q->dev_lock);
	err = dev_queue_set_event(q->dev, fd);
	os_mutex_unlock(&q->dev_lock);
	if (err) {
		os_event_close(fd);
		fd = err;
		goto out;
	}
	os_mutex_lock(&q->done_lock);
	q->event = fd;
	os_mutex_unlock(&q->done_lock);
	os_event_signal(fd); /* for what came before */
out:
	os_mutex_unlock(&q->lock);
	return fd;
}

/* --- making and ending --- */

static int queue_up(struct uext4_queue *q, unsigned depth, unsigned workers)
{
	int err = dev_queue_create(q->fs->fs->volume.dev, depth, &q->dev);

	if (err)
		return err;
	err = os_workqueue_create(&q->works, "queue", workers);
	if (err)
		goto out_dev;
	err = os_workqueue_create(&q->ends, "queue end", ENDERS);
	if (!err)
		return 0;
	os_workqueue_destroy(q->works);
out_dev:
	dev_queue_destroy(q->dev);
	return err;
}

static void queue_init(struct uext4_queue *q, struct uext4_fs *fs, unsigned depth)
{
	memset(q, 0, sizeof(*q));
	q->fs = fs;
	q->event = -1;
	os_mutex_init(&q->lock, RANK_MOUNT, "request queue");
	os_mutex_init(&q->dev_lock, RANK_CACHE, "request queue's device");
	os_mutex_init(&q->done_lock, RANK_LEAF, "request queue's completions");
	os_cond_init(&q->done_cond, "request queue");
	list_init(&q->idle);
	list_init(&q->ended);
	list_init(&q->done);
	queue_lines_init(q);
	q->batch.submit = batch_submit;
	q->reaper.reap = help;
	for (unsigned k = 0; k < depth; k++) {
		q->op[k].queue = q;
		list_add_tail(&q->idle, &q->op[k].node);
	}
}

static void queue_free(struct uext4_queue *q)
{
	os_mutex_fini(&q->lock);
	os_mutex_fini(&q->dev_lock);
	os_mutex_fini(&q->done_lock);
	os_free(q);
}

static int options_read(const struct uext4_queue_options *opt, struct uext4_queue_options *o)
{
	*o = (struct uext4_queue_options){.size = sizeof(*o)};
	if (opt && (opt->size == 0 || opt->size > sizeof(*o)))
		return ERR(EINVAL);
	if (opt)
		memcpy(o, opt, opt->size);
	if (!o->depth)
		o->depth = DEPTH_DEFAULT;
	if (!o->workers)
		o->workers = WORKERS_DEFAULT;
	return o->depth > DEPTH_MAX || o->workers > DEPTH_MAX ? ERR(EINVAL) : 0;
}

int uext4_queue_create(
	struct uext4_fs *fs, const struct uext4_queue_options *opt, struct uext4_queue **out)
{
	struct uext4_queue_options o;
	struct uext4_queue *q;
	int err = options_read(opt, &o);

	if (err)
		return err;
	q = os_alloc(sizeof(*q) + o.depth * sizeof(q->op[0]));
	if (!q)
		return ERR(ENOMEM);
	queue_init(q, fs, o.depth);
	err = queue_up(q, o.depth, o.workers);
	if (err) {
		queue_free(q);
		return err;
	}
	atomic_add(&fs->queues, 1);
	dio_reaper_add(&fs->fs->volume, &q->reaper);
	*out = q;
	return 0;
}

void uext4_queue_destroy(struct uext4_queue *q)
{
	if (!q)
		return;
	atomic_store_rel(&q->closing, true);
	os_mutex_lock(&q->lock);
	while (q->in_use)
		reap_all_locked(q);
	os_mutex_unlock(&q->lock);
	dio_reaper_remove(&q->fs->fs->volume, &q->reaper);
	os_workqueue_destroy(q->works);
	os_workqueue_destroy(q->ends);
	dev_queue_destroy(q->dev);
	if (q->event >= 0)
		os_event_close(q->event);
	atomic_sub(&q->fs->queues, 1);
	queue_free(q);
}
