/* Lanes: who serves, who leaves its transfer to whom. */
#include "direct.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	LANES_MIN = 4,
	LANES_MAX = 16,
	LANE_DEPTH = 64,
	TRANSFER_MAX = 128 << 10,
	SPARE_MAX = 64,
	WAITING_MAX = 128
};

struct transfer {
	struct transfer *next; /* lock; of those that wait or are spare */
	fuse_req_t req;
	struct uext4_request request;
	char *memory; /* aligned as devices want it */
	size_t room;
};

struct lane {
	bool busy; /* lock */
	struct uext4_queue *queue;
};

struct direct {
	struct uext4_fs *fs;
	pthread_mutex_t lock;
	struct transfer *first, **last; /* lock; those that wait: only while a lane is busy */
	unsigned waiting;		/* lock; how many */
	struct transfer *spare;		/* lock; they keep their memory */
	unsigned spare_count;		/* lock */
	bool tried, usable;		/* lock; lanes are open, and not serial */
	unsigned lane_count;		/* lock */
	struct lane lanes[LANES_MAX];
};

/* Two for each processor: while one replies, the other can wait. */
static unsigned lanes_wanted(void)
{
	long n = 2 * sysconf(_SC_NPROCESSORS_ONLN);

	return n < LANES_MIN ? LANES_MIN : n > LANES_MAX ? LANES_MAX : (unsigned)n;
}

static bool lane_open_locked(struct direct *d)
{
	struct uext4_queue_options opt = {.size = sizeof(opt), .depth = LANE_DEPTH};
	struct uext4_queue **q = &d->lanes[d->lane_count].queue;

	if (uext4_queue_create(d->fs, &opt, q))
		return false;
	d->lane_count++;
	return !uext4_queue_is_serial(*q);
}

/* By the first transfer: most mounts see none. */
static void lanes_open_locked(struct direct *d)
{
	d->tried = d->usable = true;
	for (unsigned n = lanes_wanted(); d->usable && n; n--)
		d->usable = lane_open_locked(d);
}

static bool transfer_grow(struct transfer *t, size_t size)
{
	if (t->room >= size)
		return true;
	free(t->memory);
	t->room = (size + 4095) / 4096 * 4096;
	t->memory = aligned_alloc(4096, t->room);
	if (!t->memory)
		t->room = 0;
	return t->memory;
}

static void transfer_free(struct transfer *t)
{
	free(t->memory);
	free(t);
}

static struct transfer *transfer_get(struct direct *d, size_t size)
{
	struct transfer *t;
	bool usable;

	pthread_mutex_lock(&d->lock);
	if (!d->tried)
		lanes_open_locked(d);
	usable = d->usable && d->waiting < WAITING_MAX;
	t = usable ? d->spare : NULL;
	if (t) {
		d->spare = t->next;
		d->spare_count--;
	}
	pthread_mutex_unlock(&d->lock);
	if (!t && usable)
		t = calloc(1, sizeof(*t));
	if (t && transfer_grow(t, size))
		return t;
	free(t);
	return NULL;
}

static void transfers_put(struct direct *d, struct transfer **t, unsigned n)
{
	pthread_mutex_lock(&d->lock);
	for (; n && d->spare_count < SPARE_MAX; d->spare_count++) {
		t[--n]->next = d->spare;
		d->spare = t[n];
	}
	pthread_mutex_unlock(&d->lock);
	while (n)
		transfer_free(t[--n]);
}

static void reply(struct transfer *t, int64_t result)
{
	if (result < 0)
		reply_status(t->req, (int)result);
	else if (t->request.op == UEXT4_OP_WRITE)
		fuse_reply_write(t->req, (size_t)result);
	else
		fuse_reply_buf(t->req, t->memory, (size_t)result);
}

/* Takes what waits. Without anything to do the lane is free, and whoever comes next sees it. */
static unsigned lane_take(
	struct direct *d, struct lane *l, unsigned flying, struct uext4_request *requests)
{
	unsigned n = 0;

	pthread_mutex_lock(&d->lock);
	for (; d->first && flying + n < LANE_DEPTH; n++) {
		requests[n] = d->first->request;
		d->first = d->first->next;
	}
	d->waiting -= n;
	if (!d->first)
		d->last = &d->first;
	if (!n && !flying)
		l->busy = false;
	pthread_mutex_unlock(&d->lock);
	return n;
}

static unsigned lane_reap(struct direct *d, struct lane *l)
{
	struct uext4_completion done[LANE_DEPTH];
	struct transfer *t[LANE_DEPTH];
	int n = uext4_queue_reap(l->queue, done, LANE_DEPTH, 1, -1);

	for (int k = 0; k < n; k++) {
		t[k] = (struct transfer *)(uintptr_t)done[k].user_data;
		reply(t[k], done[k].result);
	}
	transfers_put(d, t, (unsigned)n);
	return (unsigned)n;
}

static void lane_run(struct direct *d, struct lane *l)
{
	struct uext4_request requests[LANE_DEPTH];
	unsigned flying = 0, n;

	while ((n = lane_take(d, l, flying, requests)) || flying) {
		if (n)
			uext4_queue_submit(l->queue, requests, n);
		flying += n;
		flying -= lane_reap(d, l);
	}
}

static struct lane *lane_get(struct direct *d, struct transfer *t)
{
	struct lane *l = NULL;

	pthread_mutex_lock(&d->lock);
	for (unsigned k = 0; k < d->lane_count && !l; k++)
		if (!d->lanes[k].busy)
			l = &d->lanes[k];
	if (l) {
		l->busy = true;
	} else {
		t->next = NULL;
		*d->last = t;
		d->last = &t->next;
		d->waiting++;
	}
	pthread_mutex_unlock(&d->lock);
	return l;
}

static void serve_alone(struct direct *d, struct transfer *t)
{
	struct uext4_request *r = &t->request;

	reply(t, r->op == UEXT4_OP_WRITE ? uext4_pwrite(r->file, r->buf, r->len, r->offset)
					 : uext4_pread(r->file, r->buf, r->len, r->offset));
	transfers_put(d, &t, 1);
}

bool direct_serve(struct direct *d, fuse_req_t req, struct uext4_file *file, const char *data,
	size_t size, off_t off)
{
	struct transfer *t = d && size <= TRANSFER_MAX ? transfer_get(d, size) : NULL;
	struct lane *l;

	if (!t)
		return false;
	t->req = req;
	t->request = (struct uext4_request){.op = data ? UEXT4_OP_WRITE : UEXT4_OP_READ,
		.file = file,
		.offset = (uint64_t)off,
		.buf = t->memory,
		.len = size,
		.user_data = (uintptr_t)t};
	if (data)
		memcpy(t->memory, data, size);
	l = lane_get(d, t);
	if (l) {
		serve_alone(d, t);
		lane_run(d, l);
	}
	return true;
}

struct direct *direct_create(struct uext4_fs *fs)
{
	struct direct *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	pthread_mutex_init(&d->lock, NULL);
	d->fs = fs;
	d->last = &d->first;
	return d;
}

void direct_destroy(struct direct *d)
{
	struct transfer *t;

	if (!d)
		return;
	for (unsigned k = 0; k < d->lane_count; k++)
		uext4_queue_destroy(d->lanes[k].queue);
	while ((t = d->spare)) {
		d->spare = t->next;
		transfer_free(t);
	}
	pthread_mutex_destroy(&d->lock);
	free(d);
}
