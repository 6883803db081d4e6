/* uext4/file.h: reading and writing, through the page cache or directly. */
#include "api/api_priv.h"
#include "base/err.h"

#define RWF_KNOWN                                                                                  \
	(UEXT4_RWF_HIPRI | UEXT4_RWF_DSYNC | UEXT4_RWF_SYNC | UEXT4_RWF_NOWAIT |                   \
		UEXT4_RWF_APPEND | UEXT4_RWF_ATOMIC)

bool api_rw_is_direct(const struct api_rw *rw)
{
	return rw->file->flags & O_DIRECT && file_direct_possible(rw->file->inode);
}

/* IO-36 */
int api_rw_check(const struct api_rw *rw, bool write)
{
	int mode = rw->file->flags & O_ACCMODE;

	if (write ? mode == O_RDONLY : mode == O_WRONLY)
		return ERR(EBADF);
	if (rw->offset > INT64_MAX)
		return ERR(EINVAL);
	if (rw->flags & ~(unsigned)RWF_KNOWN || (!write && rw->flags & UEXT4_RWF_ATOMIC))
		return ERR(EOPNOTSUPP);
	/* As ext4 of Linux: a cached write can't promise not to wait. */
	if (write && rw->flags & (UEXT4_RWF_NOWAIT | UEXT4_RWF_ATOMIC) && !api_rw_is_direct(rw))
		return ERR(EOPNOTSUPP);
	return 0;
}

struct file_write_flags api_write_flags(const struct uext4_file *file, unsigned rwf)
{
	int open = file->flags;

	return (struct file_write_flags){
		.append = open & O_APPEND || rwf & UEXT4_RWF_APPEND,
		.sync = (open & O_SYNC) == O_SYNC || rwf & UEXT4_RWF_SYNC,
		.dsync = open & O_DSYNC || rwf & UEXT4_RWF_DSYNC,
		.atomic = rwf & UEXT4_RWF_ATOMIC,
		.cred = &file->cred,
	};
}

/* Not one assignment of the whole: most of a transfer needs no first value. */
void api_rw_direct(const struct api_rw *rw, struct file_direct *f)
{
	f->inode = rw->file->inode;
	f->flags = api_write_flags(rw->file, rw->flags);
	f->nowait = rw->flags & UEXT4_RWF_NOWAIT;
	f->noatime = rw->file->flags & O_NOATIME;
	f->d.pos = rw->offset;
	f->d.iov = rw->iov;
	f->d.iov_count = rw->iov_count;
	f->d.complete = NULL;
}

ssize_t api_read(const struct api_rw *rw)
{
	u32 flags = (rw->file->flags & O_NOATIME ? FILE_READ_NOATIME : 0) |
		    (rw->flags & UEXT4_RWF_NOWAIT ? FILE_READ_NOWAIT : 0);
	struct file_direct f;

	api_count(rw->file->inode, OP_READ);
	if (!api_rw_is_direct(rw))
		return file_read(rw->file->inode, rw->offset, rw->iov, rw->iov_count, flags);
	api_rw_direct(rw, &f);
	return file_direct_read(&f);
}

ssize_t api_write(const struct api_rw *rw)
{
	struct file_write_flags flags;
	struct file_direct f;
	u64 pos = rw->offset;

	api_count(rw->file->inode, OP_WRITE);
	if (!api_rw_is_direct(rw)) {
		flags = api_write_flags(rw->file, rw->flags);
		return file_write(rw->file->inode, &pos, rw->iov, rw->iov_count, &flags);
	}
	api_rw_direct(rw, &f);
	return file_direct_write(&f, &pos);
}

static struct api_rw rw_of(
	struct uext4_file *file, const struct iovec *iov, int count, u64 offset, unsigned flags)
{
	return (struct api_rw){.file = file,
		.iov = iov,
		.iov_count = (unsigned)count,
		.offset = offset,
		.flags = flags};
}

ssize_t uext4_preadv2(struct uext4_file *file, const struct iovec *iov, int count, uint64_t offset,
	unsigned flags)
{
	struct api_rw rw = rw_of(file, iov, count, offset, flags);
	int err = api_rw_check(&rw, false);

	if (!err && count < 0)
		err = ERR(EINVAL);
	return err ? err : api_read(&rw);
}

ssize_t uext4_pwritev2(struct uext4_file *file, const struct iovec *iov, int count, uint64_t offset,
	unsigned flags)
{
	struct api_rw rw = rw_of(file, iov, count, offset, flags);
	int err = api_rw_check(&rw, true);

	if (!err && count < 0)
		err = ERR(EINVAL);
	return err ? err : api_write(&rw);
}

ssize_t uext4_preadv(struct uext4_file *file, const struct iovec *iov, int count, uint64_t offset)
{
	return uext4_preadv2(file, iov, count, offset, 0);
}

ssize_t uext4_pwritev(struct uext4_file *file, const struct iovec *iov, int count, uint64_t offset)
{
	return uext4_pwritev2(file, iov, count, offset, 0);
}

ssize_t uext4_pread(struct uext4_file *file, void *buf, size_t len, uint64_t offset)
{
	struct iovec iov = {buf, len};

	return uext4_preadv(file, &iov, 1, offset);
}

ssize_t uext4_pwrite(struct uext4_file *file, const void *buf, size_t len, uint64_t offset)
{
	struct iovec iov = {(void *)buf, len};

	return uext4_pwritev(file, &iov, 1, offset);
}
