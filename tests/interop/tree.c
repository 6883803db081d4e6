/*
 * tree SPEC [--no-blocks] [--no-times]: prints everything that a tree contains, one line an
 * object in byte order of the paths: so that two views of one image can be
 * compared with cmp(1).
 */
#include "backend.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct backend *b;
static bool show_blocks = true, show_times = true;
static int failures;

static void failed(const char *path, const char *what, long err)
{
	printf("%s: %s failed: %s\n", path, what, strerror((int)-err));
	failures++;
}

static uint64_t fnv(uint64_t h, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t k = 0; k < len; k++)
		h = (h ^ p[k]) * 0x100000001b3ull;
	return h;
}

#define FNV_START 0xcbf29ce484222325ull

static void print_content(const char *path, uint64_t size)
{
	static char buf[1 << 20];
	uint64_t h = FNV_START, at = 0;

	while (at < size) {
		ssize_t n = b->read(path, buf, sizeof(buf), at);

		if (n <= 0) {
			failed(path, "read", n);
			return;
		}
		h = fnv(h, buf, (size_t)n);
		at += (uint64_t)n;
	}
	printf(" data=%016" PRIx64, h);
}

static void print_symlink(const char *path)
{
	char target[PATH_MAX];
	ssize_t n = b->readlink(path, target, sizeof(target));

	if (n < 0)
		failed(path, "readlink", n);
	else
		printf(" -> %.*s", (int)n, target);
}

static int by_name(const void *a, const void *b2)
{
	return strcmp(*(char *const *)a, *(char *const *)b2);
}

static void print_xattr(const char *path, const char *name)
{
	static char value[65536];
	ssize_t n = b->getxattr(path, name, value, sizeof(value));

	if (n < 0)
		failed(path, name, n);
	else
		printf(" %s=%zd:%016" PRIx64, name, n, fnv(FNV_START, value, (size_t)n));
}

static void print_xattrs(const char *path)
{
	static char names[65536];
	char *list[4096];
	size_t count = 0;
	ssize_t n = b->listxattr(path, names, sizeof(names));

	if (n < 0) {
		failed(path, "listxattr", n);
		return;
	}
	for (char *p = names; p < names + n && count < 4096; p += strlen(p) + 1)
		list[count++] = p;
	qsort(list, count, sizeof(*list), by_name);
	for (size_t k = 0; k < count; k++)
		print_xattr(path, list[k]);
}

static void print_time(const char *what, struct timespec t)
{
	printf(" %s=%" PRId64 ".%09ld", what, (int64_t)t.tv_sec, t.tv_nsec);
}

static void print_node(const char *path, const struct node *n)
{
	printf("/%s %o %u:%u links=%u", path, n->mode, n->uid, n->gid, n->links);
	/* A directory's size depends on its history, not on what it contains. */
	if (!S_ISDIR(n->mode))
		printf(" size=%" PRIu64, n->size);
	if (show_blocks)
		printf(" ino=%" PRIu64 " blocks=%" PRIu64, n->ino, n->blocks);
	if (S_ISCHR(n->mode) || S_ISBLK(n->mode))
		printf(" dev=%u:%u", n->major, n->minor);
	if (show_times) {
		print_time("a", n->atime);
		print_time("m", n->mtime);
		print_time("c", n->ctime);
		print_time("b", n->btime);
	}
	if (S_ISREG(n->mode))
		print_content(path, n->size);
	if (S_ISLNK(n->mode))
		print_symlink(path);
	print_xattrs(path);
	putchar('\n');
}

struct list {
	char **name;
	size_t count, cap;
};

static void list_add(void *arg, const char *name)
{
	struct list *l = arg;

	if (l->count == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 64;
		l->name = realloc(l->name, l->cap * sizeof(*l->name));
	}
	l->name[l->count++] = strdup(name);
}

static void walk(const char *path)
{
	struct list l = {0};
	struct node n;
	int err = b->stat(path, &n);

	if (err) {
		failed(path, "stat", err);
		return;
	}
	print_node(path, &n);
	if (!S_ISDIR(n.mode))
		return;
	err = b->list(path, list_add, &l);
	if (err)
		failed(path, "readdir", err);
	qsort(l.name, l.count, sizeof(*l.name), by_name);
	for (size_t k = 0; k < l.count; k++) {
		char child[PATH_MAX];

		snprintf(child, sizeof(child), "%s%s%s", path, *path ? "/" : "", l.name[k]);
		walk(child);
		free(l.name[k]);
	}
	free(l.name);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: tree SPEC [--no-blocks] [--no-times]\n");
		return 2;
	}
	for (int k = 2; k < argc; k++) {
		if (strcmp(argv[k], "--no-blocks") == 0)
			show_blocks = false;
		else if (strcmp(argv[k], "--no-times") == 0)
			show_times = false;
	}
	b = backend_open(argv[1]);
	walk("");
	if (b->close() < 0) {
		fprintf(stderr, "%s: closing failed\n", argv[1]);
		failures++;
	}
	return failures ? 1 : 0;
}
