/* A mounted directory, or one bare file: system calls, and io_uring for the queue. */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct bfile {
	int fd;
	const char *name;
};

struct bqueue {
	struct io_uring ring;
	const char *name;
};

static struct bfile *fd_open(struct target *t, const char *path, int flags)
{
	struct bfile *f = malloc(sizeof(*f));

	*f = (struct bfile){.name = t->name};
	f->fd = t->kind->has_names ? openat(t->dir_fd, path, flags | O_CLOEXEC, 0644)
				   : open(t->image, (flags & ~(O_CREAT | O_TRUNC)) | O_CLOEXEC);
	if (f->fd < 0)
		die(t->name, path, errno);
	return f;
}

static void fd_close(struct bfile *f)
{
	close(f->fd);
	free(f);
}

static void fd_pwrite(struct bfile *f, const void *buf, size_t len, u64 off)
{
	if (pwrite(f->fd, buf, len, (off_t)off) != (ssize_t)len)
		die(f->name, "pwrite", errno);
}

static size_t fd_pread(struct bfile *f, void *buf, size_t len, u64 off)
{
	ssize_t n = pread(f->fd, buf, len, (off_t)off);

	if (n < 0)
		die(f->name, "pread", errno);
	return (size_t)n;
}

static void fd_fsync(struct bfile *f)
{
	if (fsync(f->fd) < 0)
		die(f->name, "fsync", errno);
}

static void fd_truncate(struct bfile *f, u64 size)
{
	if (ftruncate(f->fd, (off_t)size) < 0)
		die(f->name, "ftruncate", errno);
}

static void fd_preallocate(struct bfile *f, u64 size)
{
	if (fallocate(f->fd, 0, 0, (off_t)size) < 0)
		die(f->name, "fallocate", errno);
}

static struct bqueue *fd_queue_open(struct target *t, unsigned depth)
{
	struct bqueue *q = malloc(sizeof(*q));
	int err = io_uring_queue_init(depth, &q->ring, IORING_SETUP_SINGLE_ISSUER);

	if (err < 0)
		die(t->name, "io_uring", -err);
	q->name = t->name;
	return q;
}

static void fd_submit(struct bqueue *q, const struct bio *ios, unsigned n)
{
	int r;

	for (unsigned k = 0; k < n; k++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&q->ring);

		if (ios[k].write)
			io_uring_prep_write(
				sqe, ios[k].file->fd, ios[k].buf, ios[k].len, ios[k].off);
		else
			io_uring_prep_read(
				sqe, ios[k].file->fd, ios[k].buf, ios[k].len, ios[k].off);
		io_uring_sqe_set_data64(sqe, (u64)ios[k].len << 32 | ios[k].slot);
	}
	r = io_uring_submit(&q->ring);
	if (r != (int)n)
		die(q->name, "io_uring_submit", r < 0 ? -r : EIO);
}

static unsigned fd_reap(struct bqueue *q, u32 *slots, unsigned max)
{
	struct io_uring_cqe *cqe;
	unsigned n = 0;
	int err;

	do
		err = io_uring_wait_cqe(&q->ring, &cqe);
	while (err == -EINTR);
	if (err)
		die(q->name, "io_uring_wait_cqe", -err);
	while (n < max && io_uring_peek_cqe(&q->ring, &cqe) == 0) {
		u64 data = io_uring_cqe_get_data64(cqe);

		if (cqe->res != (int)(data >> 32))
			die(q->name, "a request", cqe->res < 0 ? -cqe->res : EIO);
		slots[n++] = (u32)data;
		io_uring_cqe_seen(&q->ring, cqe);
	}
	return n;
}

static void fd_queue_close(struct bqueue *q)
{
	io_uring_queue_exit(&q->ring);
	free(q);
}

static void fd_mkdir(struct target *t, const char *path)
{
	if (mkdirat(t->dir_fd, path, 0755) < 0)
		die(t->name, path, errno);
}

static void fd_rmdir(struct target *t, const char *path)
{
	if (unlinkat(t->dir_fd, path, AT_REMOVEDIR) < 0)
		die(t->name, path, errno);
}

static void fd_unlink(struct target *t, const char *path)
{
	if (unlinkat(t->dir_fd, path, 0) < 0)
		die(t->name, path, errno);
}

static void fd_stat(struct target *t, const char *path)
{
	struct stat st;

	if (fstatat(t->dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		die(t->name, path, errno);
}

static unsigned fd_list(struct target *t, const char *path)
{
	int fd = openat(t->dir_fd, path, O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	unsigned n = 0;

	if (!d)
		die(t->name, path, errno);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void fd_sync(struct target *t)
{
	if (syncfs(t->dir_fd) < 0)
		die(t->name, "syncfs", errno);
}

const struct backend backend_fd = {
	.open = fd_open,
	.close = fd_close,
	.pwrite = fd_pwrite,
	.pread = fd_pread,
	.fsync = fd_fsync,
	.truncate = fd_truncate,
	.preallocate = fd_preallocate,
	.queue_open = fd_queue_open,
	.submit = fd_submit,
	.reap = fd_reap,
	.queue_close = fd_queue_close,
	.mkdir = fd_mkdir,
	.rmdir = fd_rmdir,
	.unlink = fd_unlink,
	.stat = fd_stat,
	.list = fd_list,
	.sync = fd_sync,
};
