/* Rows on names: many small files, created, looked at, listed and removed in one pass. */
#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES 20000u
#define FILES_FULL 100000u
#define PATIENCE 2 /* times settings.seconds: then a slow target has files enough */
#define PATIENCE_FULL 10
#define LOOK_SECONDS 0.1 /* the least that stat and list go on for */

struct names {
	const struct row *row;
	struct target *target;
	u32 files;
};

static void file_path(char *out, size_t size, const struct names *s, u32 n)
{
	snprintf(out, size, NAMES_DIR "/d%u/file-%u", n % s->row->dirs, n);
}

static void make_dirs(const struct names *s)
{
	char path[64];

	for (u32 d = 0; d < s->row->dirs; d++) {
		snprintf(path, sizeof(path), NAMES_DIR "/d%u", d);
		s->target->kind->backend->mkdir(s->target, path);
	}
}

static void remove_dirs(const struct names *s)
{
	char path[64];

	for (u32 d = 0; d < s->row->dirs; d++) {
		snprintf(path, sizeof(path), NAMES_DIR "/d%u", d);
		s->target->kind->backend->rmdir(s->target, path);
	}
}

/* Each step: files a second. */
static double create_all(struct names *s)
{
	const struct backend *b = s->target->kind->backend;
	u32 most = settings.full ? FILES_FULL : FILES;
	double begin = now();
	double patience = settings.seconds * (settings.full ? PATIENCE_FULL : PATIENCE);
	u8 *data = pages_alloc(PAGE);
	char path[64];

	for (; s->files < most && (s->files % 16 || now() - begin < patience); s->files++) {
		struct bfile *f;

		file_path(path, sizeof(path), s, s->files);
		f = b->open(s->target, path, O_RDWR | O_CREAT | O_EXCL);
		if (s->row->small_bytes)
			b->pwrite(f, data, s->row->small_bytes, 0);
		b->close(f);
	}
	free(data);
	return s->files / (now() - begin);
}

static void stat_all(const struct names *s)
{
	char path[64];

	for (u32 n = 0; n < s->files; n++) {
		file_path(path, sizeof(path), s, n);
		s->target->kind->backend->stat(s->target, path);
	}
}

static void list_all(const struct names *s)
{
	char path[64];
	u32 seen = 0;

	for (u32 d = 0; d < s->row->dirs; d++) {
		snprintf(path, sizeof(path), NAMES_DIR "/d%u", d);
		seen += s->target->kind->backend->list(s->target, path);
	}
	if (seen != s->files)
		die(s->target->name, "a listing has too few or too many names", 5);
}

static double look(const struct names *s, void (*fn)(const struct names *))
{
	double begin = now(), seconds;
	u32 times = 0;

	do {
		fn(s);
		times++;
		seconds = now() - begin;
	} while (seconds < LOOK_SECONDS);
	return (double)times * s->files / seconds;
}

static double unlink_all(const struct names *s)
{
	double begin = now();
	char path[64];

	for (u32 n = 0; n < s->files; n++) {
		file_path(path, sizeof(path), s, n);
		s->target->kind->backend->unlink(s->target, path);
	}
	return s->files / (now() - begin);
}

void row_names(const struct row *r, struct target *t, double *out)
{
	struct names s = {.row = r, .target = t};

	make_dirs(&s);
	out[0] = create_all(&s);
	out[1] = look(&s, stat_all);
	out[2] = look(&s, list_all);
	out[3] = unlink_all(&s);
	remove_dirs(&s);
}
