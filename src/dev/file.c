/* Opening image files and block devices, and their queues. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "dev/file_priv.h"
#include "os/atomic.h"
#include "os/mem.h"

/*
 * Depth 1 gains nothing by a ring. Without memory or descriptors for a ring
 * the queue works by plain calls, too.
 */
static void ring_try(struct file_dev *f, unsigned depth, struct ring **out)
{
	int err;

	*out = NULL;
	if (depth == 1 || atomic_load_relaxed(&f->no_uring))
		return;
	err = ring_create(f, depth, out);
	if (err != -ENOSYS && err != -EPERM && err != -EACCES)
		return;
	if (!atomic_xchg(&f->no_uring, true))
		log_msg(f->dev.log, LOG_INFO, "%s: no io_uring (%s), using plain calls",
			f->dev.path, strerror(-err));
}

static int file_queue_create(struct dev *dev, unsigned depth, struct dev_queue **out)
{
	struct file_queue *q = os_zalloc(sizeof(*q));

	if (!q)
		return ERR(ENOMEM);
	ring_try((struct file_dev *)dev, depth, &q->ring);
	q->base.serial = !q->ring;
	*out = &q->base;
	return 0;
}

static void file_queue_destroy(struct dev_queue *base)
{
	struct file_queue *q = (struct file_queue *)base;

	if (q->ring)
		ring_destroy(q->ring);
	os_free(q);
}

static void file_submit(struct dev_queue *base, struct dev_req **reqs, unsigned n)
{
	struct file_queue *q = (struct file_queue *)base;

	if (q->ring) {
		ring_submit(q, reqs, n);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		slot_run(&q->plain, (struct file_dev *)base->dev, reqs[i]);
		dev_queue_complete(base, reqs[i]);
	}
}

static void file_reap(struct dev_queue *base, unsigned min, u64 deadline_ns)
{
	struct file_queue *q = (struct file_queue *)base;

	if (q->ring)
		ring_reap(q, min, deadline_ns);
}

static int file_set_event(struct dev_queue *base, int fd)
{
	struct file_queue *q = (struct file_queue *)base;

	return q->ring ? ring_set_event(q->ring, fd) : 0;
}

static int file_resize(struct dev *dev, u64 size)
{
	struct file_dev *f = (struct file_dev *)dev;

	if (f->block_device)
		return ERR(EOPNOTSUPP);
	while (ftruncate(f->fd, (off_t)size) != 0)
		if (errno != EINTR)
			return ERR(errno);
	return 0;
}

static void file_close(struct dev *dev)
{
	struct file_dev *f = (struct file_dev *)dev;

	if (f->fd >= 0) {
		file_unlock(f);
		close(f->fd);
	}
	os_free(f->dev.path);
	os_free(f);
}

static const struct dev_ops file_ops = {
	.name = "file",
	.queue_create = file_queue_create,
	.queue_destroy = file_queue_destroy,
	.submit = file_submit,
	.reap = file_reap,
	.set_event = file_set_event,
	.resize = file_resize,
	.close = file_close,
};

struct dev_file_mode dev_file_mode(struct dev *dev)
{
	struct file_dev *f = (struct file_dev *)dev;

	return (struct dev_file_mode){.direct = f->direct,
		.uring = !atomic_load_relaxed(&f->no_uring),
		.block_device = f->block_device};
}

/* Can't be written, but perhaps read: the caller may try again so. */
static int report_open(const struct file_dev *f, int error)
{
	bool write = !f->dev.info.read_only;

	if (write && (error == EACCES || error == EPERM || error == EROFS)) {
		log_msg(f->dev.log, LOG_ERROR,
			"%s: no permission to write (%s): open it read-only, or change the "
			"permission",
			f->dev.path, strerror(error));
		return access(f->dev.path, R_OK) == 0 ? ERR(EROFS) : ERR(error);
	}
	log_msg(f->dev.log, LOG_ERROR, "%s: can't open: %s", f->dev.path, strerror(error));
	return ERR(error);
}

/* O_EXCL keeps out, and is kept out by, mounts and other users of a block device. */
static int fd_open(struct file_dev *f, bool exclusive)
{
	int flags = O_CLOEXEC | (f->dev.info.read_only ? O_RDONLY : O_RDWR);
	struct stat st;

	if (stat(f->dev.path, &st) != 0)
		return report_open(f, errno);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		log_msg(f->dev.log, LOG_ERROR, "%s: neither a regular file nor a block device",
			f->dev.path);
		return S_ISDIR(st.st_mode) ? ERR(EISDIR) : ERR(ENOTBLK);
	}
	f->block_device = S_ISBLK(st.st_mode);
	if (f->block_device && exclusive)
		flags |= O_EXCL;
	f->fd = open(f->dev.path, flags);
	if (f->fd < 0 && errno == EBUSY && f->block_device) {
		file_report_busy_block(f, st.st_rdev);
		return ERR(EBUSY);
	}
	return f->fd < 0 ? report_open(f, errno) : 0;
}

static int file_bring_up(struct file_dev *f, const struct dev_file_options *opt)
{
	bool write = !opt->read_only;
	int err = fd_open(f, write && !opt->no_lock);

	if (!err && !opt->no_lock)
		err = file_lock(f, write);
	if (!err && write && !f->block_device && !opt->no_lock)
		err = file_check_loop(f);
	if (!err)
		err = file_probe(f, !opt->no_direct);
	if (!err)
		err = dev_setup(&f->dev);
	if (!err) /* learn now whether rings work; the first one waits in the pool */
		pool_put(pool_get(&f->dev, POOL_BATCH));
	return err;
}

int dev_file_open(const char *path, const struct dev_file_options *opt, struct dev **out)
{
	static const struct dev_file_options defaults;
	struct file_dev *f = os_zalloc(sizeof(*f));
	int err;

	if (!f)
		return ERR(ENOMEM);
	if (!opt)
		opt = &defaults;
	f->fd = -1;
	f->dev.ops = &file_ops;
	f->dev.info.read_only = opt->read_only;
	if (opt->log) {
		f->log = *opt->log;
		f->dev.log = &f->log;
	}
	f->no_uring = opt->no_uring;
	f->dev.path = os_strdup(path);
	err = f->dev.path ? file_bring_up(f, opt) : ERR(ENOMEM);
	if (err) {
		file_close(&f->dev);
		return err;
	}
	log_msg(f->dev.log, LOG_DEBUG, "%s: opened, %s, %s", path,
		f->direct ? "direct I/O" : "buffered I/O",
		atomic_load_relaxed(&f->no_uring) ? "plain calls" : "io_uring");
	*out = &f->dev;
	return 0;
}
