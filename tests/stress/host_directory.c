/* A directory of the host: of our FUSE mount, or of any other file system. Batches go by AIO. */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *directory;
static int root = -1;

static s64 result(s64 r)
{
	return r < 0 ? -errno : r;
}

static int descriptor(void *file)
{
	return (int)(intptr_t)file - 1; /* NULL is no file */
}

static int directory_up(void)
{
	root = open(directory, O_RDONLY | O_DIRECTORY);
	return root < 0 ? -errno : 0;
}

static int directory_down(void)
{
	return (int)result(close(root));
}

static int directory_open(const char *name, bool direct, void **out)
{
	int fd = openat(root, name, O_RDWR | O_CREAT | (direct ? O_DIRECT : 0), 0644);

	*out = (void *)(intptr_t)(fd + 1);
	return fd < 0 ? -errno : 0;
}

static void directory_close(void *file)
{
	close(descriptor(file));
}

static s64 directory_size(void *file)
{
	struct stat st;

	return fstat(descriptor(file), &st) < 0 ? -errno : st.st_size;
}

static ssize_t directory_read(void *file, void *buf, u64 len, u64 pos)
{
	return result(pread(descriptor(file), buf, len, (off_t)pos));
}

static ssize_t directory_write(void *file, const void *buf, u64 len, u64 pos)
{
	return result(pwrite(descriptor(file), buf, len, (off_t)pos));
}

static int directory_truncate(void *file, u64 size)
{
	return (int)result(ftruncate(descriptor(file), (off_t)size));
}

static int directory_fallocate(void *file, int mode, u64 pos, u64 len)
{
	return (int)result(fallocate(descriptor(file), mode, (off_t)pos, (off_t)len));
}

static ssize_t directory_copy(void *from, u64 from_pos, void *to, u64 to_pos, u64 len)
{
	off_t a = (off_t)from_pos, b = (off_t)to_pos;

	return result(copy_file_range(descriptor(from), &a, descriptor(to), &b, len, 0));
}

/* Linux asks a FUSE server without having told it of what it caches itself. */
static s64 directory_seek(void *file, u64 pos, int whence)
{
	if (fdatasync(descriptor(file)) < 0)
		return -errno;
	return result(lseek(descriptor(file), (off_t)pos, whence));
}

static int directory_sync(void *file, bool data_only)
{
	int fd = descriptor(file);

	return (int)result(data_only ? fdatasync(fd) : fsync(fd));
}

static int directory_queue_open(void **out)
{
	aio_context_t context = 0;
	int err = (int)result(syscall(SYS_io_setup, BATCH_MAX, &context));

	*out = (void *)context;
	return err;
}

static void directory_queue_close(void *queue)
{
	syscall(SYS_io_destroy, (aio_context_t)queue);
}

/* AIO knows no fallocate: it runs while the others are in flight. */
static int directory_batch(void *queue, struct request *requests, unsigned count)
{
	static const u16 ops[REQUEST_OPS] = {IOCB_CMD_PREAD, IOCB_CMD_PWRITE, IOCB_CMD_FSYNC};
	struct iocb blocks[BATCH_MAX], *list[BATCH_MAX];
	struct io_event events[BATCH_MAX];
	long n = 0;

	for (unsigned k = 0; k < count; k++) {
		struct request *r = &requests[k];

		if (r->op == REQUEST_FALLOCATE)
			continue;
		blocks[n] = (struct iocb){.aio_data = k,
			.aio_lio_opcode = ops[r->op],
			.aio_fildes = (u32)descriptor(r->file)};
		if (r->op != REQUEST_SYNC) {
			blocks[n].aio_buf = (uintptr_t)r->buf;
			blocks[n].aio_nbytes = r->len;
			blocks[n].aio_offset = (s64)r->pos;
		}
		list[n] = &blocks[n];
		n++;
	}
	for (long done = 0, k; done < n; done += k) {
		k = syscall(SYS_io_submit, (aio_context_t)queue, n - done, list + done);
		if (k <= 0)
			return (int)result(k);
	}
	for (unsigned k = 0; k < count; k++)
		if (requests[k].op == REQUEST_FALLOCATE)
			requests[k].result = directory_fallocate(requests[k].file, requests[k].mode,
				requests[k].pos, requests[k].len);
	if (n && syscall(SYS_io_getevents, (aio_context_t)queue, n, n, events, NULL) != n)
		return -EIO;
	for (long k = 0; k < n; k++)
		requests[events[k].data].result = events[k].res;
	return 0;
}

/* For FUSE Linux keeps pages that were read while an asynchronous direct write replaced their
 * bytes. */
static const struct host host = {
	.coherent = false,
	.up = directory_up,
	.down = directory_down,
	.open = directory_open,
	.close = directory_close,
	.size = directory_size,
	.read = directory_read,
	.write = directory_write,
	.truncate = directory_truncate,
	.fallocate = directory_fallocate,
	.copy = directory_copy,
	.seek = directory_seek,
	.sync = directory_sync,
	.queue_open = directory_queue_open,
	.queue_close = directory_queue_close,
	.batch = directory_batch,
};

const struct host *host_directory(const char *path)
{
	directory = path;
	return &host;
}
