#include "sim/disk/disk.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/err.h"
#include "base/util.h"
#include "dev/dev_driver.h"
#include "os/clock.h"
#include "os/event.h"
#include "os/mem.h"
#include "os/thread.h"

enum { EMPTY_REAPS_MAX = 3 };

struct sim_disk {
	struct sim_disk_params params;
	struct sim_pages live;
	struct sim_history history;
	u32 generation; /* of the last discard */
	bool disconnected;
	u64 used_pages;
	u8 *used; /* a bit per page; only with space_pages */
};

struct handle_dev {
	struct dev dev;
	struct sim_disk *disk;
};

struct flight {
	struct dev_req *req;
	u64 ready_ns;
	u32 recorded;	/* writes: the history's number */
	size_t covers;	/* flushes: the position at submission */
	u32 generation; /* discards */
	int error;	/* refused: nothing of it was done */
};

struct sim_queue {
	struct dev_queue base;
	int event; /* -1: nobody waits for it */
	unsigned count, empty_reaps;
	struct flight flight[];
};

static struct sim_disk *disk_of(const struct dev_queue *q)
{
	return ((struct handle_dev *)q->dev)->disk;
}

static u32 choose(const struct sim_disk *d, u32 n)
{
	return d->params.choose && n > 1 ? d->params.choose(n) : 0;
}

static int queue_create(struct dev *dev, unsigned depth, struct dev_queue **out)
{
	struct sim_queue *q = os_zalloc(sizeof(*q) + depth * sizeof(q->flight[0]));

	if (!q)
		return ERR(ENOMEM);
	q->event = -1;
	*out = &q->base;
	return 0;
}

static void queue_destroy(struct dev_queue *q)
{
	os_free(q);
}

static u32 durability(const struct sim_disk *d, const struct dev_req *r)
{
	u32 flags = r->flags;

	if (d->params.write_through)
		flags |= DEV_FUA;
	if (d->params.lies_on_flush)
		flags &= ~(u32)DEV_PREFLUSH;
	if (d->params.lies_on_fua || d->params.no_fua)
		flags &= ~(u32)DEV_FUA;
	return flags;
}

static u32 record_submit(struct sim_disk *d, const struct dev_req *req, u32 generation)
{
	struct sim_request r = {.sector = req->offset / SIM_SECTOR,
		.count = (u32)(req->len / SIM_SECTOR),
		.flags = durability(d, req),
		.generation = generation};

	if (!d->params.record)
		return 0;
	if (req->op == DEV_WRITE) {
		r.data = sim_alloc(req->len);
		iov_copy_out(req->iov, 0, r.data, req->len);
	}
	r.content = req->op == DEV_WRITE     ? SIM_DATA
		    : req->op == DEV_DISCARD ? SIM_POISONED
					     : SIM_ZEROES;
	return sim_history_submit(&d->history, &r);
}

static bool changes(enum dev_op op)
{
	return op != DEV_READ && op != DEV_FLUSH;
}

static u64 latency(const struct sim_disk *d)
{
	u64 step = d->params.latency_ns / 8;

	return d->params.latency_ns ? d->params.latency_ns + step * choose(d, 9) : 0;
}

/* Takes the pages of a write into account. */
static int take_space(struct sim_disk *d, const struct dev_req *r)
{
	size_t first = r->offset / SIM_PAGE, end = div_up(r->offset + r->len, SIM_PAGE);
	u64 fresh = 0;

	if (!d->used || (r->op != DEV_WRITE && r->op != DEV_WRITE_ZEROES))
		return 0;
	for (size_t i = first; i < end; i++)
		fresh += !bit_test(d->used, (u32)i);
	if (d->used_pages + fresh > d->params.space_pages)
		return ERR(ENOSPC);
	bits_set(d->used, (u32)first, (u32)(end - first));
	d->used_pages += fresh;
	return 0;
}

static void let_others_run(const struct sim_disk *d)
{
	if (d->params.choose)
		os_yield();
}

/* Whoever waits looks again, as long as anything is in flight. */
static void signal_flying(const struct sim_queue *q)
{
	if (q->event >= 0 && q->count)
		os_event_signal(q->event);
}

static void disk_submit(struct dev_queue *base, struct dev_req **reqs, unsigned n)
{
	struct sim_queue *q = (struct sim_queue *)base;
	struct sim_disk *d = disk_of(base);
	u64 now = d->params.latency_ns ? os_clock_mono() : 0;

	for (unsigned i = 0; i < n; i++) {
		struct flight *f = &q->flight[q->count++];

		*f = (struct flight){.req = reqs[i], .ready_ns = now + latency(d)};
		if (reqs[i]->op == DEV_DISCARD)
			f->generation = ++d->generation;
		f->covers = d->history.count;
		f->error = d->disconnected ? ERR(EIO) : take_space(d, reqs[i]);
		if (changes(reqs[i]->op) && !f->error)
			f->recorded = record_submit(d, reqs[i], f->generation);
	}
	signal_flying(q);
	let_others_run(d);
}

static void write_segments(struct sim_disk *d, const struct dev_req *r)
{
	u64 at = r->offset;

	for (unsigned i = 0; i < r->iov_count; at += r->iov[i++].iov_len)
		sim_pages_write(&d->live, at, r->iov[i].iov_base, r->iov[i].iov_len);
}

static void read_segments(struct sim_disk *d, const struct dev_req *r)
{
	u64 at = r->offset;

	for (unsigned i = 0; i < r->iov_count; at += r->iov[i++].iov_len)
		sim_pages_read(&d->live, at, r->iov[i].iov_base, r->iov[i].iov_len);
}

static void record_complete(struct sim_disk *d, const struct flight *f)
{
	if (!d->params.record)
		return;
	if (f->req->op == DEV_FLUSH) {
		sim_history_flush(&d->history, d->params.lies_on_flush ? 0 : f->covers);
		return;
	}
	sim_history_complete(&d->history, f->recorded);
	if (d->params.no_fua && (f->req->flags & DEV_FUA))
		sim_history_flush(&d->history, d->params.lies_on_flush ? 0 : d->history.count);
}

static int perform(struct sim_disk *d, const struct flight *f)
{
	const struct dev_req *r = f->req;
	if (f->error || d->disconnected)
		return f->error ? f->error : ERR(EIO);
	switch (r->op) {
	case DEV_READ:
		read_segments(d, r);
		return 0;
	case DEV_WRITE:
		write_segments(d, r);
		break;
	case DEV_WRITE_ZEROES:
		sim_pages_zero(&d->live, r->offset, r->len);
		break;
	case DEV_DISCARD:
		sim_pages_poison(&d->live, r->offset, r->len, f->generation);
		break;
	case DEV_FLUSH:
		break;
	}
	record_complete(d, f);
	return 0;
}

static void complete(struct sim_queue *q, unsigned index)
{
	struct flight f = q->flight[index];

	f.req->result = perform(disk_of(&q->base), &f);
	q->count--;
	memmove(&q->flight[index], &q->flight[index + 1],
		(q->count - index) * sizeof(q->flight[0]));
	dev_queue_complete(&q->base, f.req);
}

/* Those that are ready stand in front, in order of submission; gives their number. */
static unsigned ready_first(struct sim_queue *q)
{
	u64 now = disk_of(&q->base)->params.latency_ns ? os_clock_mono() : 0;
	unsigned ready = 0;

	for (unsigned i = 0; i < q->count; i++) {
		struct flight f = q->flight[i];

		if (f.ready_ns > now)
			continue;
		memmove(&q->flight[ready + 1], &q->flight[ready],
			(i - ready) * sizeof(q->flight[0]));
		q->flight[ready++] = f;
	}
	return ready;
}

/* How many of the ready ones one reap takes. A poll may see none, but not for ever. */
static unsigned take_count(struct sim_queue *q, unsigned ready, unsigned min)
{
	const struct sim_disk *d = disk_of(&q->base);
	unsigned n;

	if (!d->params.choose || ready <= min)
		return ready;
	n = min + choose(d, ready - min + 1);
	q->empty_reaps = n ? 0 : q->empty_reaps + 1;
	return q->empty_reaps > EMPTY_REAPS_MAX ? 1 : n;
}

static unsigned take_ready(struct sim_queue *q, unsigned min)
{
	unsigned ready = ready_first(q), n = take_count(q, ready, min);

	for (unsigned i = 0; i < n; i++)
		complete(q, choose(disk_of(&q->base), ready - i));
	return n;
}

/* Until the next one in flight is ready; false when the deadline comes first. */
static bool wait_for_one(struct sim_queue *q, u64 deadline_ns)
{
	u64 now = os_clock_mono(), next = UINT64_MAX;

	for (unsigned i = 0; i < q->count; i++)
		next = min_of(next, q->flight[i].ready_ns);
	if (deadline_ns && next > deadline_ns) {
		if (deadline_ns > now)
			os_sleep_ns(deadline_ns - now);
		return false;
	}
	if (next > now)
		os_sleep_ns(next - now);
	return true;
}

static void disk_reap(struct dev_queue *base, unsigned min, u64 deadline_ns)
{
	struct sim_queue *q = (struct sim_queue *)base;
	unsigned n;

	let_others_run(disk_of(base));
	while ((n = take_ready(q, min)) < min && wait_for_one(q, deadline_ns))
		min -= n;
	signal_flying(q);
}

static int disk_set_event(struct dev_queue *base, int fd)
{
	((struct sim_queue *)base)->event = fd;
	return 0;
}

static void handle_close(struct dev *dev)
{
	os_free(dev);
}

static const struct dev_ops sim_disk_ops = {
	.name = "simulated disk",
	.queue_create = queue_create,
	.queue_destroy = queue_destroy,
	.submit = disk_submit,
	.reap = disk_reap,
	.set_event = disk_set_event,
	.close = handle_close,
};

struct dev *sim_disk_dev(struct sim_disk *d)
{
	struct handle_dev *h = os_zalloc(sizeof(*h));

	if (!h)
		return NULL;
	h->disk = d;
	h->dev.ops = &sim_disk_ops;
	h->dev.info = (struct dev_info){.size = d->live.size,
		.block_size = d->params.block_size,
		.mem_align = 1,
		.volatile_cache = !d->params.write_through,
		.can_fua = !d->params.no_fua,
		.can_discard = !d->params.no_discard,
		.can_write_zeroes = true};
	if (dev_setup(&h->dev) < 0) {
		os_free(h);
		return NULL;
	}
	return &h->dev;
}

struct sim_disk *sim_disk_create(
	const struct sim_pages *image, const struct sim_disk_params *params)
{
	struct sim_disk *d = sim_alloc(sizeof(*d));

	*d = (struct sim_disk){0};
	if (params)
		d->params = *params;
	if (!d->params.block_size)
		d->params.block_size = SIM_SECTOR;
	sim_pages_clone(&d->live, image);
	if (d->params.record)
		sim_history_init(&d->history, image);
	if (d->params.space_pages) {
		d->used = sim_alloc(image->count / 8 + 1);
		memset(d->used, 0, image->count / 8 + 1);
	}
	return d;
}

void sim_disk_destroy(struct sim_disk *d)
{
	if (!d)
		return;
	sim_pages_fini(&d->live);
	sim_history_fini(&d->history);
	free(d->used);
	free(d);
}

void sim_disk_disconnect(struct sim_disk *d)
{
	d->disconnected = true;
}

const struct sim_pages *sim_disk_pages(const struct sim_disk *d)
{
	return &d->live;
}

const struct sim_history *sim_disk_history(const struct sim_disk *d)
{
	return d->params.record ? &d->history : NULL;
}

size_t sim_disk_position(const struct sim_disk *d)
{
	return d->history.count;
}
