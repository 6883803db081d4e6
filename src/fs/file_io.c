/* Reading and writing file data: checks and locks around the I/O engine. */
#include "base/err.h"
#include "base/mutant.h"
#include "fs/fs_priv.h"
#include "inode/dio.h"
#include "os/assert.h"

#include <sys/stat.h>

static u64 io_cookie(struct iofile *io)
{
	return atomic_load_acq(&inode_of_io(io)->map.cookie);
}

static u64 io_size(struct iofile *io)
{
	return inode_size(inode_of_io(io));
}

static bool io_get(struct iofile *io)
{
	return inode_hold_unless_freeing(inode_of_io(io));
}

static void io_put(struct iofile *io)
{
	inode_put(inode_of_io(io));
}

static void io_lock_fill(struct iofile *io)
{
	os_rwsem_lock_shared(&inode_of_io(io)->invalidate_lock);
}

static void io_unlock_fill(struct iofile *io)
{
	os_rwsem_unlock_shared(&inode_of_io(io)->invalidate_lock);
}

/* IO-59: the bytes are in the cache, and the folio's lock keeps writeback from it until the size is
 * there. */
static void io_grow(struct iofile *io, u64 end)
{
	struct inode *i = inode_of_io(io);

	ASSERT(os_rwsem_held(&i->lock));
	if (i->map.extents && end > inode_size(i))
		inode_set_size(i, end);
}

const struct iofile_ops file_io_ops = {
	.read = &file_read_ops,
	.write = &file_write_ops,
	.writeback = &file_writeback_ops,
	.cookie = io_cookie,
	.size = io_size,
	.get = io_get,
	.put = io_put,
	.lock_fill = io_lock_fill,
	.unlock_fill = io_unlock_fill,
	.grow = io_grow,
	.writeback_open = file_writeback_open,
	.writeback_close = file_writeback_close,
	.writeback_retry = file_writeback_retry,
	.written = file_written,
	.first_write_failed = file_first_write_failed,
	.writeback_spoiled = file_writeback_spoiled,
};

static u64 iov_bytes(const struct iovec *iov, unsigned count)
{
	u64 n = 0;

	for (unsigned k = 0; k < count; k++)
		n += iov[k].iov_len;
	return n;
}

int file_data_check(const struct inode *i)
{
	int err = volume_check(i->volume);

	if (err)
		return err;
	if (inode_is(i, S_IFDIR))
		return ERR(EISDIR);
	return inode_is(i, S_IFREG) ? 0 : ERR(EINVAL);
}

ssize_t file_read(struct inode *i, u64 pos, const struct iovec *iov, unsigned iov_count, u32 flags)
{
	ssize_t n = file_data_check(i);

	if (n)
		return n;
	if (i->f.flags & EXT4_INLINE_DATA_FL)
		return flags & FILE_READ_NOWAIT ? -EAGAIN
						: file_read_inline(i, pos, iov, iov_count);
	n = iofile_read(&i->io, pos, iov, iov_count, flags & FILE_READ_NOWAIT);
	if (n > 0 && !flags)
		file_accessed(i);
	return n;
}

int file_write_checks(struct inode *i, u64 *pos, u64 len, const struct file_write_flags *flags)
{
	u64 max = filemap_max_bytes(i->volume, i->map.extents);
	int err = volume_check_write(i->volume);

	if (err)
		return err;
	if (i->f.flags & EXT4_IMMUTABLE_FL)
		return ERR(EPERM);
	if (flags->append)
		*pos = inode_size(i);
	else if (i->f.flags & EXT4_APPEND_FL)
		return ERR(EPERM);
	return *pos >= max || len > max - *pos ? ERR(EFBIG) : 0;
}

static ssize_t write_locked(struct inode *i, u64 *pos, const struct iovec *iov, unsigned iov_count,
	const struct file_write_flags *flags)
{
	int err = file_write_checks(i, pos, iov_bytes(iov, iov_count), flags);

	ASSERT(os_rwsem_held(&i->lock));
	/* Else a page could take from the device what a direct write is about to replace (IO-48).
	 */
	inode_dio_wait(i);
	if (!err)
		err = file_modified(i, flags->cred);
	if (!err && *pos > inode_size(i))
		err = file_clear_eof(i);
	if (err)
		return err;
	atomic_store_relaxed(
		&i->map.alloc_flags, flags->cred && flags->cred->privileged ? SPACE_ROOT : 0);
	return iofile_write(&i->io, *pos, iov, iov_count);
}

/* IO-83: syncs after the inode lock is gone; a sync error replaces the count. */
ssize_t file_write(struct inode *i, u64 *pos, const struct iovec *iov, unsigned iov_count,
	const struct file_write_flags *flags)
{
	ssize_t n = file_data_check(i);
	int err;

	if (n)
		return n;
	if (iov_bytes(iov, iov_count) == 0)
		return 0;
	os_rwsem_lock(&i->lock);
	n = write_locked(i, pos, iov, iov_count, flags);
	os_rwsem_unlock(&i->lock);
	if (n <= 0 || !(flags->sync || flags->dsync))
		return n;
	err = file_sync(i, !flags->sync);
	return err ? err : n;
}

/* IO-88: a flush is due even when there was nothing to commit. */
static int sync_metadata(struct inode *i, bool data_only, bool *flushed)
{
	struct journal *j = i->volume->journal;
	tid_nr tid;

	if (!journal_exists(j))
		return journal_write_dirty(j);
	if (!inode_is(i, S_IFREG))
		return journal_commit_all(j, flushed); /* IO-90 */
	tid = atomic_load_acq(data_only ? &i->datasync_tid : &i->sync_tid);
	return journal_commit(j, MUTANT(FSYNC_WRONG_TID) ? tid - 1 : tid, flushed);
}

int file_sync(struct inode *i, bool data_only)
{
	struct volume *v = i->volume;
	bool flushed = false;
	int err = volume_check(v), meta_err;

	if (err)
		return err;
	if (journal_aborted(v->journal)) /* JB-38: what it threw away was never made durable */
		return ERR(EIO);
	if (!atomic_load_acq(&volume_fs(v)->live))
		return 0;
	if (inode_is(i, S_IFREG))
		err = iofile_write_range(&i->io, 0, UINT64_MAX, true);
	meta_err = sync_metadata(i, data_only, &flushed);
	if (MUTANT(FSYNC_NO_FLUSH))
		flushed = true;
	if (!meta_err && !flushed && !(atomic_load_relaxed(&v->flags) & VOLUME_NO_BARRIER))
		meta_err = dev_flush(v->dev);
	return err ? err : meta_err;
}

/* IO-85: programs that rewrite a file in place, and do not sync it, expect no empty one after a
 * crash. */
void file_closed(struct inode *i)
{
	if (atomic_and(&i->state, ~(u32)INODE_EMPTIED) & INODE_EMPTIED)
		(void)iofile_write_range(&i->io, 0, UINT64_MAX, false);
}

/*
 * After a crash the name has the old content or the new, not an empty file (DR-19). The size
 * reaches the disk when the write does, so starting it would not do. What fails is told by fsync.
 */
void file_before_replace(struct inode *i)
{
	if (inode_is(i, S_IFREG) && !MUTANT(REPLACE_UNWRITTEN))
		(void)iofile_write_range(&i->io, 0, UINT64_MAX, true);
}
