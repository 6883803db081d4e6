/* The library, called directly. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <uext4.h>

struct bfile {
	struct uext4_file *file;
	const char *name;
};

struct bqueue {
	struct uext4_queue *queue;
	struct uext4_request *requests;
	struct uext4_completion *done;
	const char *name;
};

static void check(struct target *t, const char *path, int err)
{
	if (err < 0)
		die(t->name, path, -err);
}

static struct bfile *lib_open(struct target *t, const char *path, int flags)
{
	struct bfile *f = malloc(sizeof(*f));

	f->name = t->name;
	check(t, path, uext4_openat(t->fs, NULL, path, flags, 0644, NULL, &f->file));
	return f;
}

static void lib_close(struct bfile *f)
{
	uext4_file_close(f->file);
	free(f);
}

static void lib_pwrite(struct bfile *f, const void *buf, size_t len, u64 off)
{
	ssize_t n = uext4_pwrite(f->file, buf, len, off);

	if (n != (ssize_t)len)
		die(f->name, "pwrite", n < 0 ? (int)-n : ENOSPC); /* a short write */
}

static size_t lib_pread(struct bfile *f, void *buf, size_t len, u64 off)
{
	ssize_t n = uext4_pread(f->file, buf, len, off);

	if (n < 0)
		die(f->name, "pread", (int)-n);
	return (size_t)n;
}

static void lib_fsync(struct bfile *f)
{
	int err = uext4_fsync(f->file);

	if (err)
		die(f->name, "fsync", -err);
}

static void lib_truncate(struct bfile *f, u64 size)
{
	int err = uext4_ftruncate(f->file, size);

	if (err)
		die(f->name, "ftruncate", -err);
}

static void lib_preallocate(struct bfile *f, u64 size)
{
	int err = uext4_fallocate(f->file, 0, 0, size);

	if (err)
		die(f->name, "fallocate", -err);
}

static struct bqueue *lib_queue_open(struct target *t, unsigned depth)
{
	struct uext4_queue_options opt = {.size = sizeof(opt), .depth = depth};
	struct bqueue *q = malloc(sizeof(*q));

	q->name = t->name;
	q->requests = calloc(depth, sizeof(*q->requests));
	q->done = calloc(depth, sizeof(*q->done));
	check(t, "queue", uext4_queue_create(t->fs, &opt, &q->queue));
	return q;
}

static void lib_submit(struct bqueue *q, const struct bio *ios, unsigned n)
{
	int r;

	for (unsigned k = 0; k < n; k++)
		q->requests[k] =
			(struct uext4_request){.op = ios[k].write ? UEXT4_OP_WRITE : UEXT4_OP_READ,
				.file = ios[k].file->file,
				.offset = ios[k].off,
				.buf = ios[k].buf,
				.len = ios[k].len,
				.user_data = (u64)ios[k].len << 32 | ios[k].slot};
	r = uext4_queue_submit(q->queue, q->requests, n);
	if (r != (int)n)
		die(q->name, "submit", r < 0 ? -r : EIO);
}

static unsigned lib_reap(struct bqueue *q, u32 *slots, unsigned max)
{
	int n = uext4_queue_reap(q->queue, q->done, max, 1, -1);

	if (n < 1)
		die(q->name, "reap", n < 0 ? -n : EIO);
	for (int k = 0; k < n; k++) {
		if (q->done[k].result != (int64_t)(q->done[k].user_data >> 32))
			die(q->name, "a request",
				q->done[k].result < 0 ? (int)-q->done[k].result : EIO);
		slots[k] = (u32)q->done[k].user_data;
	}
	return (unsigned)n;
}

static void lib_queue_close(struct bqueue *q)
{
	uext4_queue_destroy(q->queue);
	free(q->requests);
	free(q->done);
	free(q);
}

static void lib_mkdir(struct target *t, const char *path)
{
	check(t, path, uext4_mkdirat(t->fs, NULL, path, 0755, NULL));
}

static void lib_rmdir(struct target *t, const char *path)
{
	check(t, path, uext4_unlinkat(t->fs, NULL, path, AT_REMOVEDIR, NULL));
}

static void lib_unlink(struct target *t, const char *path)
{
	check(t, path, uext4_unlinkat(t->fs, NULL, path, 0, NULL));
}

static void lib_stat(struct target *t, const char *path)
{
	struct uext4_stat st;

	check(t, path, uext4_statat(t->fs, NULL, path, UEXT4_NOFOLLOW, NULL, &st));
}

static bool count_name(void *arg, const struct uext4_dirent *entry)
{
	++*(unsigned *)arg;
	return true;
}

static unsigned lib_list(struct target *t, const char *path)
{
	struct uext4_inode *dir;
	unsigned n = 0;

	check(t, path, uext4_resolve(t->fs, NULL, path, 0, NULL, &dir));
	check(t, path, uext4_readdir(dir, NULL, 0, count_name, &n));
	uext4_inode_put(dir);
	return n - 2;
}

static void lib_sync(struct target *t)
{
	check(t, "sync", uext4_sync(t->fs));
}

const struct backend backend_lib = {
	.open = lib_open,
	.close = lib_close,
	.pwrite = lib_pwrite,
	.pread = lib_pread,
	.fsync = lib_fsync,
	.truncate = lib_truncate,
	.preallocate = lib_preallocate,
	.queue_open = lib_queue_open,
	.submit = lib_submit,
	.reap = lib_reap,
	.queue_close = lib_queue_close,
	.mkdir = lib_mkdir,
	.rmdir = lib_rmdir,
	.unlink = lib_unlink,
	.stat = lib_stat,
	.list = lib_list,
	.sync = lib_sync,
};
