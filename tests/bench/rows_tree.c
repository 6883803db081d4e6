/* A real source tree: copied in file by file, read back, removed. */
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

struct tree {
	char **path; /* below SOURCE; directories before what is in them */
	bool *is_dir;
	size_t count, max;
};

static struct tree tree;

static int remember(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	if (type != FTW_F && type != FTW_D)
		return 0;
	if (tree.count == tree.max) {
		tree.max = tree.max ? tree.max * 2 : 1024;
		tree.path = realloc(tree.path, tree.max * sizeof(*tree.path));
		tree.is_dir = realloc(tree.is_dir, tree.max * sizeof(*tree.is_dir));
	}
	tree.path[tree.count] = strdup(path + strlen(SOURCE));
	tree.is_dir[tree.count++] = type == FTW_D;
	return 0;
}

static const struct tree *source(void)
{
	if (!tree.count && nftw(SOURCE, remember, 64, FTW_PHYS) < 0)
		die("tree", SOURCE, errno);
	return &tree;
}

static void inside(char *out, size_t size, size_t k)
{
	snprintf(out, size, "tree%s", source()->path[k]);
}

static void copy_in(struct target *t, size_t k, u8 *buf)
{
	const struct backend *b = t->kind->backend;
	char from[4200], to[4200];
	struct bfile *f;
	u64 at = 0;
	ssize_t n;
	int fd;

	snprintf(from, sizeof(from), "%s%s", SOURCE, source()->path[k]);
	inside(to, sizeof(to), k);
	fd = open(from, O_RDONLY);
	if (fd < 0)
		die("tree", from, errno);
	f = b->open(t, to, O_RDWR | O_CREAT | O_EXCL);
	for (; (n = read(fd, buf, 128 * KIB)) > 0; at += (u64)n)
		b->pwrite(f, buf, (size_t)n, at);
	b->close(f);
	close(fd);
}

static void read_back(struct target *t, size_t k, u8 *buf)
{
	const struct backend *b = t->kind->backend;
	char path[4200];
	struct bfile *f;
	size_t n;

	inside(path, sizeof(path), k);
	f = b->open(t, path, O_RDONLY);
	for (u64 at = 0; (n = b->pread(f, buf, 128 * KIB, at)) > 0; at += n)
		;
	b->close(f);
}

static void remove_all(struct target *t)
{
	char path[4200];

	for (size_t k = source()->count; k-- > 0;) {
		inside(path, sizeof(path), k);
		if (source()->is_dir[k])
			t->kind->backend->rmdir(t, path);
		else
			t->kind->backend->unlink(t, path);
	}
}

/* Seconds for all of it, what was written being on the device at the end. */
double row_tree(const struct row *r, struct target *t)
{
	const struct backend *b = t->kind->backend;
	u8 *buf = pages_alloc(128 * KIB);
	char path[4200];
	double begin;

	(void)source();
	begin = now();
	for (size_t k = 0; k < source()->count; k++) {
		inside(path, sizeof(path), k);
		if (source()->is_dir[k])
			b->mkdir(t, path);
		else
			copy_in(t, k, buf);
	}
	b->sync(t);
	for (size_t k = 0; k < source()->count; k++)
		if (!source()->is_dir[k])
			read_back(t, k, buf);
	remove_all(t);
	b->sync(t);
	free(buf);
	return now() - begin;
}
