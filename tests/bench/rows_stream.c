/* Rows that go through one file from its beginning, MiB by MiB. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define NEW_FILE "bench.new"
#define PATIENCE 6 /* times settings.seconds: then a new file has grown enough */

/* Over and over, until the time is over. Bytes. */
static u64 stream_data(
	const struct row *r, struct target *t, struct bfile *f, u8 *buf, double begin)
{
	const struct backend *b = t->kind->backend;
	u64 done = 0, at;

	do {
		at = done % settings.file_bytes;
		if (r->write_percent) {
			pattern_fill(buf, r->block, at);
			b->pwrite(f, buf, r->block, at);
		} else {
			if (b->pread(f, buf, r->block, at) != r->block)
				die(t->name, "a short read", EIO);
			pattern_check(buf, r->block, at, t->name);
		}
		done += r->block;
	} while (now() - begin < settings.seconds);
	return done;
}

/* MiB a second on the file that is there. */
void row_stream(const struct row *r, struct target *t, double *out)
{
	const struct backend *b = t->kind->backend;
	u8 *buf = pages_alloc(r->block);
	struct bfile *f;
	double begin;
	u64 done;

	data_file_make(t);
	f = b->open(t, DATA_FILE, O_RDWR | (r->direct ? O_DIRECT : 0));
	begin = now();
	done = stream_data(r, t, f, buf, begin);
	out[0] = (double)done / MIB / (now() - begin);
	b->close(f);
	free(buf);
}

/* Bytes of a new file, which a slow target need not finish. */
static u64 write_new(const struct row *r, struct target *t, u8 *buf)
{
	const struct backend *b = t->kind->backend;
	struct bfile *f = b->open(t, NEW_FILE, O_RDWR | O_CREAT | O_TRUNC);
	u64 size = r->file_bytes ? r->file_bytes : settings.file_bytes, at = 0;
	double begin = now();

	for (; at < size && now() - begin < PATIENCE * settings.seconds; at += r->block) {
		pattern_fill(buf, r->block, at);
		b->pwrite(f, buf, r->block, at);
	}
	b->fsync(f);
	b->close(f);
	return at;
}

static void read_all(const struct row *r, struct target *t, u8 *buf, u64 size)
{
	const struct backend *b = t->kind->backend;
	struct bfile *f = b->open(t, NEW_FILE, O_RDONLY);

	for (u64 at = 0; at < size; at += r->block) {
		if (b->pread(f, buf, r->block, at) != r->block)
			die(t->name, "a short read", EIO);
		pattern_check(buf, r->block, at, t->name);
	}
	b->close(f);
}

/* Written through the cache and synced; read when nothing of it is in memory; read again. */
void row_stream_new(const struct row *r, struct target *t, double *out)
{
	u8 *buf = pages_alloc(r->block);
	double begin = now();
	u64 size = write_new(r, t, buf);

	out[0] = (double)size / MIB / (now() - begin);
	target_cool(t, NEW_FILE);
	for (int k = 1; k < 3; k++) {
		begin = now();
		read_all(r, t, buf, size);
		out[k] = (double)size / MIB / (now() - begin);
	}
	t->kind->backend->unlink(t, NEW_FILE);
	free(buf);
}
