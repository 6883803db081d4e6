/* Rows on names: many small files, and a tree like a source tree. */
#include "rows_names.h"
#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void file_path(char *out, size_t size, const struct row *r, u32 n)
{
	snprintf(out, size, "names/d%u/file-%u", n % r->dirs, n);
}

static void make_dirs(const struct row *r, struct target *t)
{
	char path[64];

	t->kind->backend->mkdir(t, "names");
	for (u32 d = 0; d < r->dirs; d++) {
		snprintf(path, sizeof(path), "names/d%u", d);
		t->kind->backend->mkdir(t, path);
	}
}

static void remove_dirs(const struct row *r, struct target *t)
{
	char path[64];

	for (u32 d = 0; d < r->dirs; d++) {
		snprintf(path, sizeof(path), "names/d%u", d);
		t->kind->backend->rmdir(t, path);
	}
	t->kind->backend->rmdir(t, "names");
}

static void create_all(const struct row *r, struct target *t)
{
	const struct backend *b = t->kind->backend;
	u8 *data = pages_alloc(PAGE);
	char path[64];

	for (u32 n = 0; n < r->files; n++) {
		struct bfile *f;

		file_path(path, sizeof(path), r, n);
		f = b->open(t, path, O_RDWR | O_CREAT | O_EXCL);
		if (r->file_bytes)
			b->pwrite(f, data, r->file_bytes, 0);
		b->close(f);
	}
	free(data);
}

static void stat_all(const struct row *r, struct target *t)
{
	char path[64];

	for (u32 n = 0; n < r->files; n++) {
		file_path(path, sizeof(path), r, n);
		t->kind->backend->stat(t, path);
	}
}

static void list_all(const struct row *r, struct target *t)
{
	char path[64];
	u32 seen = 0;

	for (u32 d = 0; d < r->dirs; d++) {
		snprintf(path, sizeof(path), "names/d%u", d);
		seen += t->kind->backend->list(t, path);
	}
	if (seen != r->files)
		die(t->name, "a listing has too few or too many names", 5);
}

static void unlink_all(const struct row *r, struct target *t)
{
	char path[64];

	for (u32 n = 0; n < r->files; n++) {
		file_path(path, sizeof(path), r, n);
		t->kind->backend->unlink(t, path);
	}
}

static double timed(
	void (*fn)(const struct row *, struct target *), const struct row *r, struct target *t)
{
	double begin = now();

	fn(r, t);
	return (double)r->files / (now() - begin);
}

/* Files a second in the one step that the row measures. */
double row_names(const struct row *r, struct target *t)
{
	double rate[STEPS];

	make_dirs(r, t);
	rate[STEP_CREATE] = timed(create_all, r, t);
	rate[STEP_STAT] = r->step == STEP_STAT ? timed(stat_all, r, t) : 0;
	rate[STEP_LIST] = r->step == STEP_LIST ? timed(list_all, r, t) : 0;
	rate[STEP_UNLINK] = timed(unlink_all, r, t);
	remove_dirs(r, t);
	t->kind->backend->sync(t);
	return rate[r->step];
}
