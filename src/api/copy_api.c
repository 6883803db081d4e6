/* Copying between files of one file system, holes as holes. */
#include "api/api_priv.h"
#include "base/err.h"
#include "base/mutant.h"
#include "base/trace.h"
#include "os/mem.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#define COPY_BYTES (1u << 20)

struct copy {
	struct uext4_file *from, *to;
	u64 from_pos, to_pos, left; /* bytes */
	char *buf;
};

static void copy_advance(struct copy *c, u64 bytes)
{
	c->from_pos += bytes;
	c->to_pos += bytes;
	c->left -= bytes;
}

/* Others may have made the target longer than that meanwhile: what they wrote is theirs. */
static int copy_grow(const struct copy *c, u64 size)
{
	struct attr_change change = {
		.valid = ATTR_SIZE, .size = size, .only_grow = !MUTANT(COPY_SHRINKS)};
	struct cred cred = c->to->cred;

	cred.check = false;
	TRACE("copy_grow", c->to->inode->ino, size);
	return inode_setattr(c->to->inode, &cred, &change);
}

/* A hole in the source becomes one in the target; behind the target's end there is nothing to do.
 */
static int copy_hole(struct copy *c, u64 bytes)
{
	u64 size = inode_size(c->to->inode);
	int err = 0;

	if (c->to_pos < size && !MUTANT(COPY_SKIPS_HOLES))
		err = uext4_fallocate(c->to, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, c->to_pos,
			min_of(bytes, size - c->to_pos));
	if (!err && c->to_pos + bytes > size)
		err = copy_grow(c, c->to_pos + bytes);
	if (!err)
		copy_advance(c, bytes);
	return err;
}

/* Through the page cache, however the files were opened. */
static int copy_data(struct copy *c, u64 bytes)
{
	struct file_write_flags flags = api_write_flags(c->to, 0);
	struct iovec iov = {c->buf, min_of(bytes, (u64)COPY_BYTES)};
	ssize_t n = file_read(c->from->inode, c->from_pos, &iov, 1,
		c->from->flags & O_NOATIME ? FILE_READ_NOATIME : 0);
	u64 pos = c->to_pos;

	iov.iov_len = (size_t)max_of(n, (ssize_t)0);
	if (n > 0)
		n = file_write(c->to->inode, &pos, &iov, 1, &flags);
	if (n > 0)
		copy_advance(c, (u64)n);
	return n < 0 ? (int)n : n == 0 ? -ENODATA : 0; /* the source shrank under us */
}

/* One piece: up to the end of a hole, or a buffer of data. */
static int copy_step(struct copy *c)
{
	s64 at = uext4_seek(c->from, c->from_pos, SEEK_DATA);
	u64 data = at < 0 ? UINT64_MAX : (u64)at;

	if (at < 0 && at != -ENXIO)
		return (int)at;
	if (data > c->from_pos)
		return copy_hole(c, min_of(data - c->from_pos, c->left));
	at = uext4_seek(c->from, c->from_pos, SEEK_HOLE);
	if (at < 0)
		return (int)at;
	return copy_data(c, min_of((u64)at - c->from_pos, c->left));
}

static int copy_check(const struct copy *c, u64 len)
{
	if ((c->from->flags & O_ACCMODE) == O_WRONLY || (c->to->flags & O_ACCMODE) == O_RDONLY ||
		c->to->flags & O_APPEND)
		return ERR(EBADF);
	if (c->from->inode->volume != c->to->inode->volume)
		return ERR(EXDEV);
	if (c->from_pos > INT64_MAX || c->to_pos > INT64_MAX || len > INT64_MAX)
		return ERR(EINVAL);
	if (c->from->inode == c->to->inode && c->from_pos < c->to_pos + len &&
		c->to_pos < c->from_pos + len)
		return ERR(EINVAL);
	return 0;
}

ssize_t uext4_copy_file_range(struct uext4_file *from, uint64_t from_offset, struct uext4_file *to,
	uint64_t to_offset, size_t len)
{
	struct copy c = {.from = from, .to = to, .from_pos = from_offset, .to_pos = to_offset};
	u64 size = inode_size(from->inode);
	int err = copy_check(&c, len);

	if (err || from_offset >= size)
		return err;
	c.left = min_of(size - from_offset, (u64)len);
	c.buf = os_alloc(COPY_BYTES);
	if (!c.buf)
		return ERR(ENOMEM);
	while (!err && c.left)
		err = copy_step(&c);
	os_free(c.buf);
	if (c.from_pos > from_offset)
		return (ssize_t)(c.from_pos - from_offset);
	return err == -ENODATA ? 0 : err;
}
