/* Rows on one file per thread set: random I/O in a queue, appends, streams. */
#include "bench.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 128
#define THREADS_MAX 16

struct worker {
	pthread_t thread;
	const struct row *row;
	struct target *target;
	u64 seed, done, file_bytes;
	double begin, end;
	const char *path;
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

/* The file in the state that the row wants, and written back. Direct rows find no cache filled. */
static void prepare(const struct row *r, struct target *t, const char *path)
{
	const struct backend *b = t->kind->backend;
	struct bfile *f = b->open(t, path, open_flags(r) | O_CREAT | O_TRUNC);
	u8 *buf = pages_alloc(MIB);

	if (r->state == STATE_SPARSE && t->kind->has_names)
		b->truncate(f, settings.file_bytes);
	else if (r->state == STATE_UNWRITTEN && t->kind->has_names)
		b->preallocate(f, settings.file_bytes);
	else
		for (u64 at = 0; at < settings.file_bytes; at += MIB) {
			pattern_fill(buf, MIB, at);
			b->pwrite(f, buf, MIB, at);
		}
	b->fsync(f);
	b->close(f);
	free(buf);
}

static void fill(const struct row *r, struct worker *w, struct bio *io)
{
	io->off = next_random(&w->seed) % (w->file_bytes / r->block) * r->block;
	io->write = next_random(&w->seed) % 100 < r->write_percent;
	if (io->write)
		pattern_fill(io->buf, r->block, io->off);
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
		fill(r, w, &fl->ios[k]);
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
		if (stop)
			continue;
		fill(w->row, w, io);
		fl->batch[again++] = *io;
	}
	return again;
}

static void *random_main(void *arg)
{
	struct worker *w = arg;
	const struct row *r = w->row;
	const struct backend *b = w->target->kind->backend;
	struct bfile *f = b->open(w->target, w->path, open_flags(r));
	struct bqueue *q = b->queue_open(w->target, r->depth);
	struct flight *fl = malloc(sizeof(*fl));
	unsigned flying = r->depth;

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
			.seed = 88172645463325252ull + k,
			.file_bytes = settings.file_bytes,
			.path = "bench.data"};
		pthread_create(&w[k].thread, NULL, fn, &w[k]);
	}
	for (u32 k = 0; k < r->threads; k++) {
		pthread_join(w[k].thread, NULL);
		sum += (double)w[k].done / (w[k].end - w[k].begin);
	}
	return sum;
}

double row_io(const struct row *r, struct target *t)
{
	prepare(r, t, "bench.data");
	return run_threads(r, t, random_main);
}

static void *append_main(void *arg)
{
	struct worker *w = arg;
	const struct row *r = w->row;
	const struct backend *b = w->target->kind->backend;
	char path[32];
	struct bfile *f;
	u8 *buf = pages_alloc(r->block);
	u64 at;

	snprintf(path, sizeof(path), "append.%u", (unsigned)(w->seed % 997));
	f = b->open(w->target, path, open_flags(r) | O_CREAT | O_TRUNC);
	w->begin = now();
	do {
		at = w->done * r->block % w->file_bytes; /* no more than the image holds */
		pattern_fill(buf, r->block, at);
		b->pwrite(f, buf, r->block, at);
		if (r->sync)
			b->fsync(f);
		w->done++;
	} while (now() - w->begin < settings.seconds);
	w->end = now();
	b->close(f);
	b->unlink(w->target, path);
	free(buf);
	return NULL;
}

double row_append(const struct row *r, struct target *t)
{
	return run_threads(r, t, append_main);
}

static double stream_write(const struct row *r, struct target *t, struct bfile *f, u8 *buf)
{
	const struct backend *b = t->kind->backend;
	double begin = now();

	for (u64 at = 0; at < settings.file_bytes; at += r->block) {
		pattern_fill(buf, r->block, at);
		b->pwrite(f, buf, r->block, at);
	}
	if (r->sync)
		b->fsync(f);
	return now() - begin;
}

static double stream_read(const struct row *r, struct target *t, struct bfile *f, u8 *buf)
{
	double begin = now();

	for (u64 at = 0; at < settings.file_bytes; at += r->block) {
		if (t->kind->backend->pread(f, buf, r->block, at) != r->block)
			die(t->name, "a short read", 5);
		pattern_check(buf, r->block, at, t->name);
	}
	return now() - begin;
}

/* MiB a second through the file from its beginning to its end. */
double row_stream(const struct row *r, struct target *t)
{
	const struct backend *b = t->kind->backend;
	u8 *buf = pages_alloc(r->block);
	struct bfile *f;
	double seconds;

	if (!r->write_percent || r->state == STATE_WRITTEN)
		prepare(r, t, "bench.data");
	f = b->open(t, "bench.data",
		open_flags(r) | O_CREAT | (r->state == STATE_SPARSE ? O_TRUNC : 0));
	seconds = r->write_percent ? stream_write(r, t, f, buf) : stream_read(r, t, f, buf);
	b->close(f);
	free(buf);
	return (double)settings.file_bytes / MIB / seconds;
}
