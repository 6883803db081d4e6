/* Rows on one file per thread set: random I/O in a queue, appends. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 128
#define THREADS_MAX 16
#define EMPTY_FILE "bench.empty"

struct worker {
	pthread_t thread;
	const struct row *row;
	struct target *target;
	u32 index, *order, order_at, order_count;
	u64 seed, done, file_bytes;
	double begin, end;
};

static u64 next_random(u64 *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static int open_flags(const struct row *r)
{
	return O_RDWR | (r->direct ? O_DIRECT : 0);
}

/* The blocks in random order, each once, and of each thread its own: a block filled is no hole. */
static u32 *blocks_shuffled(struct worker *w)
{
	u32 count = (u32)(w->file_bytes / w->row->block / w->row->threads), *order;

	order = malloc(count * sizeof(*order));
	for (u32 k = 0; k < count; k++)
		order[k] = w->index * count + k;
	for (u32 k = count; k > 1; k--) {
		u32 other = (u32)(next_random(&w->seed) % k), was = order[k - 1];

		order[k - 1] = order[other];
		order[other] = was;
	}
	w->order_count = count;
	return order;
}

void data_file_make(struct target *t)
{
	const struct backend *b = t->kind->backend;
	struct bfile *f;
	u8 *buf;

	if (t->has_data)
		return;
	f = b->open(t, DATA_FILE, O_RDWR | O_DIRECT | O_CREAT | O_TRUNC);
	buf = pages_alloc(MIB);
	for (u64 at = 0; at < settings.file_bytes; at += MIB) {
		pattern_fill(buf, MIB, at);
		b->pwrite(f, buf, MIB, at);
	}
	b->fsync(f);
	b->close(f);
	free(buf);
	t->has_data = true;
}

/* A file without blocks, or with blocks in which nothing was written. */
static void empty_file_make(const struct row *r, struct target *t)
{
	const struct backend *b = t->kind->backend;
	struct bfile *f = b->open(t, EMPTY_FILE, O_RDWR | O_CREAT | O_TRUNC);

	if (r->state == STATE_SPARSE)
		b->truncate(f, settings.file_bytes);
	else
		b->preallocate(f, settings.file_bytes);
	b->fsync(f);
	b->close(f);
}

/* False when every block was written. */
static bool fill(const struct row *r, struct worker *w, struct bio *io)
{
	if (!w->order)
		io->off = next_random(&w->seed) % (w->file_bytes / r->block) * r->block;
	else if (w->order_at < w->order_count)
		io->off = (u64)w->order[w->order_at++] * r->block;
	else
		return false;
	io->write = next_random(&w->seed) % 100 < r->write_percent;
	if (io->write)
		pattern_fill(io->buf, r->block, io->off);
	return true;
}

static void finished(const struct worker *w, const struct bio *io)
{
	if (!io->write && w->row->state == STATE_WRITTEN)
		pattern_check(io->buf, io->len, io->off, w->target->name);
}

/* The requests of one thread. */
struct flight {
	struct bio ios[DEPTH_MAX], batch[DEPTH_MAX];
	u32 slots[DEPTH_MAX];
	u8 *memory;
};

static void take_off(struct worker *w, struct flight *fl, struct bfile *f)
{
	const struct row *r = w->row;

	fl->memory = pages_alloc((size_t)r->depth * r->block);
	for (u32 k = 0; k < r->depth; k++) {
		fl->ios[k] = (struct bio){.file = f,
			.buf = fl->memory + (size_t)k * r->block,
			.len = r->block,
			.slot = k};
		if (!fill(r, w, &fl->ios[k]))
			die(w->target->name, "more requests at once than the file has blocks",
				EINVAL);
	}
}

/* What came back goes out again as something else, until the time is over. */
static unsigned turn_around(struct worker *w, struct flight *fl, unsigned n)
{
	bool stop = now() - w->begin >= settings.seconds;
	unsigned again = 0;

	for (unsigned k = 0; k < n; k++) {
		struct bio *io = &fl->ios[fl->slots[k]];

		finished(w, io);
		if (!stop && fill(w->row, w, io))
			fl->batch[again++] = *io;
	}
	return again;
}

static void *random_main(void *arg)
{
	struct worker *w = arg;
	const struct row *r = w->row;
	const struct backend *b = w->target->kind->backend;
	struct bfile *f = b->open(
		w->target, r->state == STATE_WRITTEN ? DATA_FILE : EMPTY_FILE, open_flags(r));
	struct bqueue *q = b->queue_open(w->target, r->depth);
	struct flight *fl = malloc(sizeof(*fl));
	unsigned flying = r->depth;

	if (r->state != STATE_WRITTEN)
		w->order = blocks_shuffled(w);
	take_off(w, fl, f);
	w->begin = now();
	b->submit(q, fl->ios, r->depth);
	while (flying) {
		unsigned n = b->reap(q, fl->slots, r->depth), again = turn_around(w, fl, n);

		w->done += n;
		flying -= n - again;
		if (again)
			b->submit(q, fl->batch, again);
	}
	w->end = now();
	b->queue_close(q);
	b->close(f);
	free(w->order);
	free(fl->memory);
	free(fl);
	return NULL;
}

/* Operations a second of all threads together. */
static double run_threads(const struct row *r, struct target *t, void *(*fn)(void *))
{
	struct worker w[THREADS_MAX];
	double sum = 0;

	for (u32 k = 0; k < r->threads; k++) {
		w[k] = (struct worker){.row = r,
			.target = t,
			.index = k,
			.seed = 88172645463325252ull + k,
			.file_bytes = settings.file_bytes};
		pthread_create(&w[k].thread, NULL, fn, &w[k]);
	}
	for (u32 k = 0; k < r->threads; k++) {
		pthread_join(w[k].thread, NULL);
		sum += (double)w[k].done / (w[k].end - w[k].begin);
	}
	return sum;
}

void row_random(const struct row *r, struct target *t, double *out)
{
	if (r->state == STATE_WRITTEN)
		data_file_make(t);
	else
		empty_file_make(r, t);
	out[0] = run_threads(r, t, random_main);
	if (r->state != STATE_WRITTEN)
		t->kind->backend->unlink(t, EMPTY_FILE);
}

static void *append_main(void *arg)
{
	struct worker *w = arg;
	const struct row *r = w->row;
	const struct backend *b = w->target->kind->backend;
	char path[32];
	struct bfile *f;
	u8 *buf = pages_alloc(r->block);
	u64 at = 0, most = 2 * w->file_bytes / r->threads; /* what the image holds */

	snprintf(path, sizeof(path), "append.%u", w->index);
	f = b->open(w->target, path, open_flags(r) | O_CREAT | O_TRUNC);
	w->begin = now();
	do {
		pattern_fill(buf, r->block, at);
		b->pwrite(f, buf, r->block, at);
		if (r->sync)
			b->fsync(f);
		at += r->block;
	} while (at < most && now() - w->begin < settings.seconds);
	w->done = at / r->block;
	w->end = now();
	b->close(f);
	b->unlink(w->target, path);
	free(buf);
	return NULL;
}

void row_append(const struct row *r, struct target *t, double *out)
{
	out[0] = run_threads(r, t, append_main);
}
