/*
 * crash_load IMAGE LOG SEED [THREADS]: works on an image through the public API until it is
 * killed, and appends to LOG what it was promised. A line is written after the
 * call that promises it has returned:
 *
 *	+ PATH ID VERSION SIZE	the file PATH has this content, also after a crash
 *	- PATH			from now on PATH may be gone or changed (written before the call)
 *
 * Each file consists of lines of 32 bytes: ID, version and offset. Every thread
 * works in a directory of its own.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uext4.h>

enum { CELL = 32, FILES = 60, CELLS_MAX = 3000, THREADS_MAX = 8, HELD = 6 };

struct slot {
	char path[300];
	uint64_t id;
	bool exists, promised;
	bool known; /* the whole content is of this version */
	uint32_t version, cells;
};

struct worker {
	unsigned number;
	uint64_t state;
	struct slot slot[FILES];
	struct uext4_inode *held[HELD];
	char data[CELL * (CELLS_MAX + 1)];
};

static struct uext4_fs *fs;
static int log_fd;

static uint32_t below(struct worker *w, uint32_t n)
{
	uint64_t z = (w->state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return (uint32_t)((z ^ (z >> 31)) % n);
}

static void tell(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (write(log_fd, line, (size_t)n) != n)
		_exit(3);
}

/* Anything but a full file system is a failure; it is logged, and found by the test. */
static bool ok(const char *what, const char *path, int64_t r)
{
	if (r < 0 && r != -ENOSPC) {
		tell("! %s %s: %s\n", what, path, strerror((int)-r));
		_exit(4);
	}
	return r >= 0;
}

static void break_promise(struct slot *s)
{
	if (s->promised)
		tell("- %s\n", s->path);
	s->promised = false;
}

static void promise(struct slot *s)
{
	if (!s->exists || !s->known)
		return;
	tell("+ %s %" PRIx64 " %u %u\n", s->path, s->id, s->version, s->cells * CELL);
	s->promised = true;
}

/* A new version of the whole content, by one write. */
static bool fill(struct worker *w, struct uext4_file *f, struct slot *s)
{
	uint32_t cells = 1 + below(w, below(w, 5) ? 200 : CELLS_MAX);
	ssize_t n;

	s->version++;
	for (uint32_t k = 0; k < cells; k++)
		snprintf(w->data + k * CELL, CELL + 1, "%013" PRIx64 " %08x %08x\n", s->id,
			s->version, k * CELL);
	n = uext4_pwrite(f, w->data, cells * CELL, 0);
	s->known = ok("write", s->path, n) && n == (ssize_t)cells * CELL;
	s->cells = cells;
	return s->known;
}

static void name_slot(struct worker *w, struct slot *s)
{
	bool sub = below(w, 2);

	snprintf(s->path, sizeof(s->path), "t%u/%s%s%" PRIx64 "%0*u", w->number,
		sub ? (below(w, 2) ? "a/" : "b/") : "", below(w, 2) ? "f" : "a-rather-long-name-",
		s->id, (int)below(w, 60), below(w, 9));
}

static void rewrite(struct worker *w, struct slot *s, struct uext4_file *f, bool sync)
{
	if (ok("truncate", s->path, uext4_ftruncate(f, 0)) && fill(w, f, s) && sync &&
		ok("fsync", s->path, uext4_fsync(f)))
		promise(s);
	uext4_file_close(f);
}

static void op_create(struct worker *w, struct slot *s)
{
	struct uext4_file *f;

	if (s->exists)
		return;
	*s = (struct slot){.id = (uint64_t)below(w, 0xffff) << 32 | below(w, ~0u)};
	name_slot(w, s);
	if (!ok("create", s->path,
		    uext4_openat(fs, NULL, s->path, O_RDWR | O_CREAT | O_EXCL, 0644, NULL, &f)))
		return;
	s->exists = true;
	rewrite(w, s, f, below(w, 3) == 0);
}

static void op_write(struct worker *w, struct slot *s)
{
	struct uext4_file *f;

	if (!s->exists)
		return;
	break_promise(s);
	if (ok("open", s->path, uext4_openat(fs, NULL, s->path, O_RDWR, 0, NULL, &f)))
		rewrite(w, s, f, below(w, 3) == 0);
}

static void op_unlink(struct worker *w, struct slot *s)
{
	struct uext4_inode *i = NULL;

	if (!s->exists)
		return;
	break_promise(s);
	if (below(w, 2) && ok("resolve", s->path, uext4_resolve(fs, NULL, s->path, 0, NULL, &i))) {
		struct uext4_inode **h = &w->held[below(w, HELD)];

		uext4_inode_put(*h);
		*h = i;
	}
	if (ok("unlink", s->path, uext4_unlinkat(fs, NULL, s->path, 0, NULL)))
		s->exists = false;
}

static void op_rename(struct worker *w, struct slot *s)
{
	struct slot old = *s;

	if (!s->exists)
		return;
	break_promise(s);
	name_slot(w, s);
	if (strcmp(old.path, s->path) == 0 ||
		!ok("rename", s->path, uext4_renameat(fs, NULL, old.path, NULL, s->path, 0, NULL)))
		memcpy(s->path, old.path, sizeof(old.path));
}

/* The way editors save: a new file takes the name of the old one. */
static void op_replace(struct worker *w, struct slot *s)
{
	struct slot *o = &w->slot[below(w, FILES)];

	if (!s->exists || !o->exists || o == s)
		return;
	break_promise(s);
	break_promise(o);
	if (!ok("replace", o->path, uext4_renameat(fs, NULL, s->path, NULL, o->path, 0, NULL)))
		return;
	memcpy(s->path, o->path, sizeof(s->path));
	o->exists = false;
}

static void op_tmpfile(struct worker *w, struct slot *s)
{
	struct uext4_create req = {.mode = S_IFREG | 0600};
	struct uext4_inode *dir, *i;
	struct uext4_file *f;
	char name[256];

	if (s->exists)
		return;
	*s = (struct slot){.id = (uint64_t)below(w, 0xffff) << 32 | below(w, ~0u)};
	name_slot(w, s);
	if (!ok("parent", s->path, uext4_resolve_parent(fs, NULL, s->path, NULL, &dir, name)))
		return;
	if (ok("tmpfile", s->path, uext4_tmpfile(dir, NULL, &req, &i))) {
		if (ok("open", s->path, uext4_file_open(i, NULL, O_RDWR, &f))) {
			if (fill(w, f, s) && below(w, 2) &&
				ok("link", s->path, uext4_link(i, NULL, dir, name)))
				s->exists = true;
			if (ok("fsync", s->path, uext4_fsync(f)))
				promise(s);
			uext4_file_close(f);
		}
		uext4_inode_put(i);
	}
	uext4_inode_put(dir);
}

static void op_sync(struct worker *w, struct slot *s)
{
	struct slot *k;

	if (below(w, 6) || !ok("sync", "", uext4_sync(fs)))
		return;
	for (k = w->slot; k < w->slot + FILES; k++)
		promise(k);
}

static bool mkdir_ok(const char *path)
{
	int r = uext4_mkdirat(fs, NULL, path, 0755, NULL);

	return r == -EEXIST || ok("mkdir", path, r);
}

/* A directory that grows an index, and goes again with all its blocks (JB-15). */
static void op_big_dir(struct worker *w, struct slot *s)
{
	struct uext4_create req = {.mode = S_IFREG | 0644};
	char dir[64], path[200];
	uint32_t count = 50 + below(w, 150);

	if (below(w, 12))
		return;
	snprintf(dir, sizeof(dir), "t%u/big%u", w->number, below(w, 3));
	if (!mkdir_ok(dir))
		return;
	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t k = 0; k < count; k++) {
			int r;

			snprintf(path, sizeof(path), "%s/%060u", dir, k);
			r = pass ? uext4_unlinkat(fs, NULL, path, 0, NULL)
				 : uext4_mknodat(fs, NULL, path, NULL, &req, NULL);
			if (r != -EEXIST && r != -ENOENT)
				ok("big directory", path, r);
		}
	}
	if (uext4_unlinkat(fs, NULL, dir, AT_REMOVEDIR, NULL) == -ENOENT)
		ok("rmdir", dir, -ENOENT);
}

struct listing {
	char name[1000][256];
	unsigned count;
};

static bool keep(void *arg, const struct uext4_dirent *e)
{
	struct listing *l = arg;

	if (e->type != DT_DIR && l->count < 1000)
		snprintf(
			l->name[l->count++], sizeof(l->name[0]), "%.*s", (int)e->name_len, e->name);
	return true;
}

/* Files of an earlier run, killed before, are not known any more. */
static void clear(const char *dir)
{
	struct listing *l = calloc(1, sizeof(*l));
	struct uext4_inode *d;
	char path[400];

	if (uext4_resolve(fs, NULL, dir, 0, NULL, &d) == 0) {
		ok("readdir", dir, uext4_readdir(d, NULL, 0, keep, l));
		uext4_inode_put(d);
		for (unsigned k = 0; k < l->count; k++) {
			snprintf(path, sizeof(path), "%s/%s", dir, l->name[k]);
			tell("- %s\n", path);
			ok("unlink", path, uext4_unlinkat(fs, NULL, path, 0, NULL));
		}
	}
	free(l);
}

static void *work(void *arg)
{
	static void (*const ops[])(struct worker *, struct slot *) = {op_create, op_create,
		op_create, op_write, op_write, op_unlink, op_rename, op_replace, op_tmpfile,
		op_sync, op_big_dir};
	static const char *const dirs[] = {"", "/a", "/b"};
	struct worker *w = arg;
	char path[64];

	for (unsigned k = 0; k < 3; k++) {
		snprintf(path, sizeof(path), "t%u%s", w->number, dirs[k]);
		if (!mkdir_ok(path))
			return NULL;
		clear(path);
	}
	for (;;)
		ops[below(w, sizeof(ops) / sizeof(*ops))](w, &w->slot[below(w, FILES)]);
}

static void complain(void *arg, enum uext4_log_level level, const char *message)
{
	if (level == UEXT4_LOG_ERROR)
		tell("! %s\n", message);
}

int main(int argc, char **argv)
{
	struct uext4_options opt = {
		.size = sizeof(opt), .commit_interval_ms = 100, .log = complain};
	unsigned threads = argc > 4 ? (unsigned)atoi(argv[4]) : 4;
	pthread_t thread[THREADS_MAX];

	if (argc < 4 || threads < 1 || threads > THREADS_MAX) {
		fprintf(stderr, "usage: crash_load IMAGE LOG SEED [THREADS]\n");
		return 2;
	}
	log_fd = open(argv[2], O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (log_fd < 0 || !ok("open", argv[1], uext4_open(argv[1], &opt, &fs)))
		return 2;
	tell("ready\n");
	for (unsigned k = 0; k < threads; k++) {
		struct worker *w = calloc(1, sizeof(*w));

		w->number = k;
		w->state = strtoull(argv[3], NULL, 0) * 16 + k;
		pthread_create(&thread[k], NULL, work, w);
	}
	for (unsigned k = 0; k < threads; k++)
		pthread_join(thread[k], NULL);
	return 1; /* only a kill ends the work */
}
