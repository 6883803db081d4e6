/* An image, through the public interface; slow on demand. */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <uext4.h>
#include <unistd.h>

static struct image_options options;
static struct uext4_fs *fs;
static int device = -1;

static void on_log(void *arg, enum uext4_log_level level, const char *message)
{
	if (level != UEXT4_LOG_ERROR)
		return;
	fprintf(stderr, "uext4: %s\n", message);
	exit(1);
}

static void linger(void)
{
	static __thread unsigned short state[3];

	usleep((useconds_t)nrand48(state) % options.latency_us);
}

static int slow_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	linger();
	return pread(device, buf, len, (off_t)offset) == (ssize_t)len ? 0 : -EIO;
}

static int slow_write(void *arg, uint64_t offset, const void *buf, size_t len)
{
	linger();
	return pwrite(device, buf, len, (off_t)offset) == (ssize_t)len ? 0 : -EIO;
}

static int slow_flush(void *arg)
{
	linger();
	return 0;
}

static int open_slow(const struct uext4_options *o)
{
	struct uext4_device_ops ops = {.size = sizeof(ops),
		.read = slow_read,
		.write = slow_write,
		.flush = slow_flush,
		.block_size = 512};
	struct stat st;

	device = open(options.path, O_RDWR);
	if (device < 0 || fstat(device, &st) < 0)
		return -errno;
	ops.device_bytes = (u64)st.st_size;
	return uext4_open_device(&ops, NULL, o, &fs);
}

static int image_up(void)
{
	struct uext4_options o = {.size = sizeof(o),
		.cache_bytes = options.cache_bytes,
		.nodelalloc = options.nodelalloc,
		.log = on_log};

	return options.latency_us ? open_slow(&o) : uext4_open(options.path, &o, &fs);
}

static int image_down(void)
{
	int err = uext4_close(fs);

	if (device >= 0)
		close(device);
	device = -1;
	return err;
}

static int image_open(const char *name, bool direct, void **out)
{
	struct uext4_file *f;
	int err = uext4_openat(
		fs, NULL, name, O_RDWR | O_CREAT | (direct ? O_DIRECT : 0), 0644, NULL, &f);

	*out = err ? NULL : f;
	return err;
}

static void image_close(void *file)
{
	uext4_file_close(file);
}

static s64 image_size(void *file)
{
	struct uext4_stat st;
	int err = uext4_stat(uext4_file_inode(file), &st);

	return err ? err : (s64)st.size;
}

static ssize_t image_read(void *file, void *buf, u64 len, u64 pos)
{
	return uext4_pread(file, buf, len, pos);
}

static ssize_t image_write(void *file, const void *buf, u64 len, u64 pos)
{
	return uext4_pwrite(file, buf, len, pos);
}

static int image_truncate(void *file, u64 size)
{
	return uext4_ftruncate(file, size);
}

static int image_fallocate(void *file, int mode, u64 pos, u64 len)
{
	return uext4_fallocate(file, mode, pos, len);
}

static ssize_t image_copy(void *from, u64 from_pos, void *to, u64 to_pos, u64 len)
{
	return uext4_copy_file_range(from, from_pos, to, to_pos, len);
}

static s64 image_seek(void *file, u64 pos, int whence)
{
	return uext4_seek(file, pos, whence);
}

static int image_sync(void *file, bool data_only)
{
	return data_only ? uext4_fdatasync(file) : uext4_fsync(file);
}

static int image_queue_open(void **out)
{
	struct uext4_queue_options o = {.size = sizeof(o), .depth = BATCH_MAX};
	struct uext4_queue *q = NULL;
	int err = uext4_queue_create(fs, &o, &q);

	*out = q;
	return err;
}

static void image_queue_close(void *queue)
{
	uext4_queue_destroy(queue);
}

static int image_batch(void *queue, struct request *requests, unsigned count)
{
	static const enum uext4_op ops[REQUEST_OPS] = {
		UEXT4_OP_READ, UEXT4_OP_WRITE, UEXT4_OP_FSYNC, UEXT4_OP_FALLOCATE};
	struct uext4_request list[BATCH_MAX];
	struct uext4_completion done[BATCH_MAX];
	int n;

	for (unsigned k = 0; k < count; k++)
		list[k] = (struct uext4_request){.op = ops[requests[k].op],
			.file = requests[k].file,
			.offset = requests[k].pos,
			.buf = requests[k].buf,
			.len = requests[k].len,
			.mode = requests[k].mode,
			.user_data = k};
	n = uext4_queue_submit(queue, list, count);
	if (n != (int)count)
		return n < 0 ? n : -EAGAIN;
	n = uext4_queue_reap(queue, done, count, count, -1);
	for (int k = 0; k < n; k++)
		requests[done[k].user_data].result = done[k].result;
	return n == (int)count ? 0 : -EIO;
}

static const struct host image = {
	.coherent = true,
	.up = image_up,
	.down = image_down,
	.open = image_open,
	.close = image_close,
	.size = image_size,
	.read = image_read,
	.write = image_write,
	.truncate = image_truncate,
	.fallocate = image_fallocate,
	.copy = image_copy,
	.seek = image_seek,
	.sync = image_sync,
	.queue_open = image_queue_open,
	.queue_close = image_queue_close,
	.batch = image_batch,
};

const struct host *host_image(const struct image_options *o)
{
	options = *o;
	return &image;
}
