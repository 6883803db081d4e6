/* The bytes of a file, on their way out. */
#include "copy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

static int write_all(int fd, const char *buf, size_t len, uint64_t offset)
{
	while (len) {
		ssize_t n = pwrite(fd, buf, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		buf += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* As when putting; what the host can't do it need not. */
static int reserve(int fd, uint64_t offset, uint64_t len)
{
	if (len < RESERVE_BYTES ||
		fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)len) == 0)
		return 0;
	return errno == ENOSPC ? -ENOSPC : 0;
}

static int copy_range(
	struct copy *copy, struct uext4_file *file, uint64_t offset, uint64_t end, int fd)
{
	while (offset < end) {
		size_t want = end - offset < COPY_BYTES ? (size_t)(end - offset) : COPY_BYTES;
		ssize_t n = uext4_pread(file, copy->buf, want, offset);
		int err;

		if (n <= 0)
			return (int)n;
		err = write_all(fd, copy->buf, (size_t)n, offset);
		if (err)
			return err;
		offset += (uint64_t)n;
		progress_add(&copy->progress, 0, (uint64_t)n);
	}
	return 0;
}

int get_data(struct copy *copy, struct uext4_inode *inode, uint64_t size, int fd)
{
	struct uext4_file *file;
	int64_t data, hole = 0;
	int err = uext4_file_open(inode, NULL, O_RDONLY | O_NOATIME, &file);

	if (err)
		return err;
	while (!err && (uint64_t)hole < size) {
		data = uext4_seek(file, (uint64_t)hole, SEEK_DATA);
		if (data == -ENXIO)
			break;
		hole = data < 0 ? data : uext4_seek(file, (uint64_t)data, SEEK_HOLE);
		err = hole < 0 ? (int)hole : reserve(fd, (uint64_t)data, (uint64_t)(hole - data));
		if (!err)
			err = copy_range(copy, file, (uint64_t)data, (uint64_t)hole, fd);
	}
	uext4_file_close(file);
	if (!err && ftruncate(fd, (off_t)size) < 0)
		err = -errno;
	return err;
}
