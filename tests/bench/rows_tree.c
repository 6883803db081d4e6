/*
 * A real source tree, taken into memory once: extracted as an archive is, copied, compared with
 * what it was, removed.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOURCE "/usr/include"
#define FILES_A_SECOND 3500 /* of settings.seconds; all of them with --full */
#define TREE NAMES_DIR "/tree"
#define UNPACKED NAMES_DIR "/tar"
#define COPY NAMES_DIR "/copy"
#define CHUNK (64 * KIB)

struct entry { /* directories before what is in them */
	char *path;
	bool is_dir;
	u8 *data;
	size_t size;
};

static struct entry *entries;
static size_t entry_count;
static u32 file_count;

static u8 *load(const char *path, size_t size)
{
	u8 *data = malloc(size + 1);
	int fd = open(path, O_RDONLY);

	if (fd < 0 || read(fd, data, size) != (ssize_t)size)
		die("tree", path, fd < 0 ? errno : EIO);
	close(fd);
	return data;
}

static int remember(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	struct entry *e;

	if (type != FTW_F && type != FTW_D)
		return 0;
	if (!settings.full && file_count > settings.seconds * FILES_A_SECOND)
		return 1;
	if (entry_count % 1024 == 0)
		entries = realloc(entries, (entry_count + 1024) * sizeof(*entries));
	e = &entries[entry_count++];
	*e = (struct entry){.path = strdup(path + strlen(SOURCE)), .is_dir = type == FTW_D};
	if (e->is_dir)
		return 0;
	file_count++;
	e->size = (size_t)st->st_size;
	e->data = load(path, e->size);
	return 0;
}

static void source_load(void)
{
	if (!entry_count && nftw(SOURCE, remember, 64, FTW_PHYS) < 0)
		die("tree", SOURCE, errno);
	if (!file_count)
		die("tree", SOURCE, ENOENT);
}

static const char *below(const char *top, const struct entry *e)
{
	static char path[4200];

	snprintf(path, sizeof(path), "%s%s", top, e->path);
	return path;
}

static void extract(struct target *t, const char *top)
{
	const struct backend *b = t->kind->backend;

	for (struct entry *e = entries; e < entries + entry_count; e++) {
		struct bfile *f;

		if (e->is_dir) {
			b->mkdir(t, below(top, e));
			continue;
		}
		f = b->open(t, below(top, e), O_WRONLY | O_CREAT | O_EXCL);
		for (size_t at = 0; at < e->size; at += CHUNK)
			b->pwrite(f, e->data + at, e->size - at < CHUNK ? e->size - at : CHUNK, at);
		b->close(f);
	}
	b->sync(t);
}

static void copy_file(struct target *t, const struct entry *e, const char *from, const char *to)
{
	const struct backend *b = t->kind->backend;
	struct bfile *in = b->open(t, below(from, e), O_RDONLY);
	struct bfile *out = b->open(t, below(to, e), O_WRONLY | O_CREAT | O_EXCL);
	static u8 buf[CHUNK];
	size_t n;

	for (u64 at = 0; (n = b->pread(in, buf, CHUNK, at)) > 0; at += n)
		b->pwrite(out, buf, n, at);
	b->close(in);
	b->close(out);
}

static void copy(struct target *t, const char *from, const char *to)
{
	for (struct entry *e = entries; e < entries + entry_count; e++)
		if (e->is_dir)
			t->kind->backend->mkdir(t, below(to, e));
		else
			copy_file(t, e, from, to);
	t->kind->backend->sync(t);
}

static void compare(struct target *t, const char *top)
{
	const struct backend *b = t->kind->backend;
	static u8 buf[CHUNK];

	for (struct entry *e = entries; e < entries + entry_count; e++) {
		struct bfile *f;
		size_t n;
		u64 at = 0;

		if (e->is_dir)
			continue;
		f = b->open(t, below(top, e), O_RDONLY);
		for (; (n = b->pread(f, buf, CHUNK, at)) > 0; at += n)
			if (at + n > e->size || memcmp(buf, e->data + at, n) != 0)
				die(t->name, below(top, e), EILSEQ);
		if (at != e->size)
			die(t->name, below(top, e), EILSEQ);
		b->close(f);
	}
}

static void take_away(struct target *t, const char *top)
{
	for (struct entry *e = entries + entry_count; e-- > entries;)
		if (e->is_dir)
			t->kind->backend->rmdir(t, below(top, e));
		else
			t->kind->backend->unlink(t, below(top, e));
	t->kind->backend->sync(t);
}

/* Files a second; what was written or removed is on the device at the end of each step. */
void row_tree(const struct row *r, struct target *t, double *out)
{
	double at[5];

	source_load();
	at[0] = now();
	extract(t, TREE);
	at[1] = now();
	copy(t, TREE, COPY);
	at[2] = now();
	compare(t, COPY);
	at[3] = now();
	take_away(t, COPY);
	at[4] = now();
	take_away(t, TREE);
	for (int k = 0; k < 4; k++)
		out[k] = file_count / (at[k + 1] - at[k]);
}

/* An archive of the same files, made once. */
static const char *archive(void)
{
	static char path[600];
	char list[600];
	FILE *f;

	if (path[0])
		return path;
	snprintf(path, sizeof(path), "%s/tree.tar", settings.work_dir);
	snprintf(list, sizeof(list), "%s/tree.list", settings.work_dir);
	f = fopen(list, "w");
	if (!f)
		die("tree", list, errno);
	for (struct entry *e = entries; e < entries + entry_count; e++)
		fprintf(f, ".%s\n", e->path);
	fclose(f);
	if (run_command("tar cf '%s' -C " SOURCE " --no-recursion -T '%s'", path, list) != 0)
		die("tree", "tar", EIO);
	return path;
}

/* Files a second, by tar itself. */
void row_tar(const struct row *r, struct target *t, double *out)
{
	double begin;

	source_load();
	(void)archive();
	t->kind->backend->mkdir(t, UNPACKED);
	begin = now();
	if (run_command("tar xf '%s' -C '%s/" UNPACKED "'", archive(), t->root) != 0)
		die(t->name, "tar", EIO);
	t->kind->backend->sync(t);
	out[0] = file_count / (now() - begin);
	compare(t, UNPACKED);
	take_away(t, UNPACKED);
}
