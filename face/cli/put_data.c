/* The bytes of a file, on their way in. */
#include "copy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

/* Copies from offset to end, or to the end of the file. Where it stopped, or -errno. */
static int64_t copy_range(
	struct copy *copy, int fd, struct uext4_file *file, uint64_t offset, uint64_t end)
{
	while (offset < end) {
		size_t want = end - offset < COPY_BYTES ? (size_t)(end - offset) : COPY_BYTES;
		ssize_t n, done = 0;

		do {
			n = read(fd, copy->buf, want);
		} while (n < 0 && errno == EINTR);
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		while (done < n) {
			ssize_t wrote = uext4_pwrite(file, copy->buf + done, (size_t)(n - done),
				offset + (uint64_t)done);

			if (wrote <= 0)
				return wrote ? wrote : -EIO;
			done += wrote;
		}
		offset += (uint64_t)n;
		progress_add(&copy->progress, 0, (uint64_t)n);
	}
	return (int64_t)offset;
}

/* Space in one piece, and the news early when there is too little. Files may be without extents. */
static int reserve(struct uext4_file *file, uint64_t offset, uint64_t len)
{
	int err = len < RESERVE_BYTES ? 0 : uext4_fallocate(file, FALLOC_FL_KEEP_SIZE, offset, len);

	return err == -EOPNOTSUPP ? 0 : err;
}

/* Piece by piece, as long as there is data behind offset. The file's size, or -errno. */
static int64_t copy_sparse(struct copy *copy, int fd, struct uext4_file *file, off_t size)
{
	off_t data, hole = 0;

	while (hole < size && (data = lseek(fd, hole, SEEK_DATA)) >= 0) {
		int64_t at;

		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0 || lseek(fd, data, SEEK_SET) < 0)
			return -errno;
		at = reserve(file, (uint64_t)data, (uint64_t)(hole - data));
		if (at < 0)
			return at;
		at = copy_range(copy, fd, file, (uint64_t)data, (uint64_t)hole);
		if (at < 0)
			return at;
		if (at < hole) /* the source shrank meanwhile */
			return at;
	}
	if (hole < size && errno != ENXIO)
		return -errno;
	return size;
}

int put_data(struct copy *copy, int fd, struct uext4_inode *inode)
{
	struct uext4_file *file;
	struct stat st;
	bool sparse;
	int64_t size;
	int err = uext4_file_open(inode, NULL, O_WRONLY | O_TRUNC, &file);

	if (err)
		return err;
	if (fstat(fd, &st) < 0) {
		size = -errno;
		goto out;
	}
	sparse = S_ISREG(st.st_mode) && lseek(fd, 0, SEEK_CUR) == 0 && st.st_size > 0 &&
		 (lseek(fd, 0, SEEK_DATA) >= 0 || errno == ENXIO);
	if (sparse)
		size = copy_sparse(copy, fd, file, st.st_size);
	else
		size = copy_range(copy, fd, file, 0, INT64_MAX);
	if (size >= 0)
		err = uext4_ftruncate(file, (uint64_t)size);
out:
	uext4_file_close(file);
	return size < 0 ? (int)size : err;
}
