/* Direct reads and writes: locks, order, fallback. The mappings are in file_direct_map.c. */
#include "fs/file_direct.h"
#include "base/err.h"
#include "base/mutant.h"
#include "base/trace.h"
#include "dev/iov.h"
#include "fs/file_direct_priv.h"
#include "fs/fs_priv.h"
#include "inode/dio.h"
#include "os/assert.h"

bool file_direct_possible(const struct inode *i)
{
	return !(atomic_load_relaxed(&i->f.flags) &
		 (EXT4_INLINE_DATA_FL | EXT4_JOURNAL_DATA_FL | EXT4_ENCRYPT_FL | EXT4_VERITY_FL));
}

static int total_len(const struct iovec *iov, unsigned count, u64 *len)
{
	*len = 0;
	for (unsigned k = 0; k < count; k++)
		if (__builtin_add_overflow(*len, (u64)iov[k].iov_len, len))
			return ERR(EINVAL);
	return *len > INT64_MAX ? ERR(EINVAL) : 0;
}

static bool lock_shared(struct file_direct *f)
{
	f->exclusive = false;
	if (f->nowait)
		return os_rwsem_trylock_shared(&f->inode->lock);
	os_rwsem_lock_shared(&f->inode->lock);
	return true;
}

static void unlock(struct file_direct *f)
{
	if (f->exclusive)
		os_rwsem_unlock(&f->inode->lock);
	else
		os_rwsem_unlock_shared(&f->inode->lock);
}

/*
 * What is in flight must not wait for the journal, nor must those that start after it in the same
 * tick of the clock: the times change in memory now, and one end stores them.
 */
static void times_change(struct file_direct *f, u32 times)
{
	inode_touch(f->inode, times);
	f->times = times;
}

/* --- reading --- */

ssize_t file_direct_read_start(struct file_direct *f, struct direct_batch *b)
{
	ssize_t r = file_data_check(f->inode);
	bool data, in_flight = false;

	if (!r)
		r = total_len(f->d.iov, f->d.iov_count, &f->d.len);
	if (r)
		return r;
	f->d.io = &f->inode->io;
	f->d.ops = &file_direct_read_ops;
	f->d.request = f->nowait ? IOMAP_NOWAIT : 0;
	f->d.dev_flags = 0;
	f->sync_after = f->spoiled = false;
	f->times = 0;
	if (!lock_shared(f))
		return -EAGAIN;
	/* IO-57: at the end there is nothing, before any look at alignment. */
	data = f->d.pos < inode_size(f->inode) && f->d.len > 0;
	if (data) {
		inode_dio_begin(f->inode);
		in_flight = direct_start(&f->d, b);
	}
	if (in_flight && f->d.complete && !f->noatime && file_access_due(f->inode))
		times_change(f, INODE_ATIME);
	unlock(f);
	if (in_flight)
		return FILE_DIRECT_STARTED;
	return data ? file_direct_end(f) : 0;
}

ssize_t file_direct_read(struct file_direct *f)
{
	struct direct_sync s;
	ssize_t r;

	direct_sync_init(&s, f->inode->volume->dev);
	r = file_direct_read_start(f, &s.batch);
	if (r == FILE_DIRECT_STARTED) {
		direct_sync_wait(&s);
		r = file_direct_end(f);
	}
	if (r > 0 && !f->noatime && !f->nowait)
		file_accessed(f->inode);
	return r;
}

/* --- writing: which lock --- */

/* IO-61: what one device write can tear is all that a single block can promise. */
static int atomic_check(const struct file_direct *f)
{
	u32 bs = f->inode->volume->sb.block_size;

	if (bs > f->inode->volume->dev->info.block_size)
		return ERR(EOPNOTSUPP);
	return f->d.len == bs && f->d.pos % bs == 0 ? 0 : ERR(EINVAL);
}

/* IO-40 */
static bool is_unaligned(const struct file_direct *f)
{
	u64 bits = f->d.pos | f->d.len;

	for (unsigned k = 0; k < f->d.iov_count; k++)
		bits |= (uintptr_t)f->d.iov[k].iov_base | f->d.iov[k].iov_len;
	return bits & (f->inode->volume->sb.block_size - 1);
}

/* IO-40: one lookup that covers it all; what it saw serves the transfer, too. */
static int overwrite_lookup(struct file_direct *f, bool *overwrite)
{
	struct inode *i = f->inode;
	u32 bs = i->volume->sb.block_size;
	u64 first = f->d.pos / bs, count = div_up(f->d.pos + f->d.len, bs) - first;
	struct mapping *m = &f->ahead;
	int err;

	*overwrite = false;
	if (count > UINT32_MAX)
		return 0;
	if (f->nowait)
		err = map_lookup_cached(&i->map, (lblk_t)first, (u32)count, m);
	else
		err = map_lookup(&i->map, (lblk_t)first, (u32)count, m);
	if (err) {
		m->len = 0;
		return err;
	}
	*overwrite = m->len == count && (m->state == MAP_WRITTEN || m->state == MAP_UNWRITTEN);
	return 0;
}

/* IO-54: neither mapping nor size nor anything else that fdatasync must carry has changed. */
static bool fua_will_do(const struct file_direct *f)
{
	struct volume *v = f->inode->volume;
	const struct dev_info *info = &v->dev->info;

	return f->flags.dsync && !f->flags.sync && (info->can_fua || !info->volatile_cache) &&
	       journal_exists(v->journal) &&
	       !(atomic_load_relaxed(&v->flags) & VOLUME_NO_BARRIER) &&
	       (journal_committed(v->journal, atomic_load_acq(&f->inode->datasync_tid)) ||
		       MUTANT(FUA_TOO_EAGER));
}

/*
 * IO-28, IO-39: decides under the lock held whether it is enough. 1: it takes the exclusive lock,
 * and then all checks again.
 */
static int decide(struct file_direct *f)
{
	struct inode *i = f->inode;
	u64 end = f->d.pos + f->d.len;
	bool overwrite = false, written;
	int err = 0;

	f->ahead.len = 0;
	f->extends = end > inode_size(i) ||
		     (end > inode_disk_size(i) && !MUTANT(EXTENDS_BY_VISIBLE_SIZE));
	f->unaligned = is_unaligned(f);
	if (!f->extends)
		err = overwrite_lookup(f, &overwrite);
	if (err)
		return err;
	written = overwrite && (f->ahead.state == MAP_WRITTEN || MUTANT(UNWRITTEN_AS_WRITTEN));
	f->alone = f->extends || (f->unaligned && !written && !MUTANT(UNALIGNED_SHARED));
	f->d.request = IOMAP_WRITE | (f->nowait ? IOMAP_NOWAIT : 0);
	f->d.dev_flags = 0;
	f->sync_after = f->flags.sync || f->flags.dsync;
	if (written && fua_will_do(f)) {
		f->d.dev_flags = MUTANT(FUA_MISSING) ? 0 : DEV_FUA;
		f->sync_after = false;
	}
	if (f->exclusive)
		return 0;
	if (!overwrite || f->alone || file_strips_suid(i, f->flags.cred))
		return f->nowait ? -EAGAIN : 1;
	f->d.request |= IOMAP_OVERWRITE_ONLY;
	return 0;
}

/* All that IO-38 asks for, each time that the lock was taken. */
static int write_checks(struct file_direct *f)
{
	u64 early = f->d.pos;
	int err = file_write_checks(f->inode, &f->d.pos, f->d.len, &f->flags);

	if (MUTANT(APPEND_POSITION_EARLY) && f->exclusive)
		f->d.pos = early;

	if (!err && f->flags.atomic)
		err = atomic_check(f);
	if (!err)
		err = direct_check_alignment(&f->d);
	return err ? err : decide(f);
}

static int write_lock(struct file_direct *f)
{
	int r = 1;

	if (!f->force_exclusive) {
		if (!lock_shared(f))
			return -EAGAIN;
		r = write_checks(f);
		if (r)
			unlock(f);
	}
	if (r <= 0)
		return r;
	TRACE("direct_upgrade", f->inode->ino, f->d.pos);
	os_rwsem_lock(&f->inode->lock);
	f->exclusive = true;
	r = write_checks(f);
	if (r)
		unlock(f);
	return r;
}

/* --- writing: under the lock --- */

static int write_prepare(struct file_direct *f)
{
	struct inode *i = f->inode;
	int err = 0;

	if (f->alone)
		inode_dio_wait(i); /* IO-41, IO-42 */
	if (f->exclusive)
		atomic_store_relaxed(&i->map.alloc_flags,
			f->flags.cred && f->flags.cred->privileged ? SPACE_ROOT : 0);
	if (f->d.pos > inode_size(i))
		err = file_clear_eof(i);
	if (!err && f->nowait)
		err = file_modified_due(i) && !f->d.complete ? -EAGAIN : 0; /* IO-43 */
	else if (!err)
		err = file_modified(i, f->flags.cred);
	if (!err && f->extends)
		err = file_direct_extend_begin(f);
	return err;
}

static int write_args(struct file_direct *f)
{
	int err = file_data_check(f->inode);

	f->d.io = &f->inode->io;
	f->d.ops = &file_direct_write_ops;
	f->converted = f->alone = false;
	if (!err)
		err = volume_check_write(f->inode->volume);
	return err ? err : total_len(f->d.iov, f->d.iov_count, &f->d.len);
}

/*
 * From here on the lock is held and the transfer counted, unless there was an error.
 * *in_flight: complete() will be called.
 */
static int write_begin(struct file_direct *f, struct direct_batch *b, bool *in_flight)
{
	int err;

	f->spoiled = false;
	f->zeroings = map_zeroings(&f->inode->map);
	err = write_lock(f);
	if (err)
		return err;
	err = write_prepare(f);
	if (err) {
		unlock(f);
		return err;
	}
	inode_dio_begin(f->inode);
	*in_flight = direct_start(&f->d, b);
	if (*in_flight && f->nowait && !file_modified_due(f->inode))
		inode_touch_version(f->inode);
	return 0;
}

bool file_direct_end_blocks(const struct file_direct *f)
{
	if (!(f->d.request & IOMAP_WRITE))
		return f->times != 0;
	return f->times || f->sync_after || f->d.seen & DIRECT_UNWRITTEN ||
	       atomic_load_acq(&f->d.io->folio_count);
}

bool file_direct_end_syncs(const struct file_direct *f)
{
	return f->d.request & IOMAP_WRITE && f->sync_after;
}

/* IO-50: (1) to (4) are direct_finish, (5) is here; (6) when no lock is held any more. */
static ssize_t end_transfer(struct file_direct *f)
{
	ssize_t n = direct_finish(&f->d);

	inode_dio_end(f->inode);
	TRACE("direct_ended", f->inode->ino, n);
	return n;
}

static ssize_t end_sync(struct file_direct *f, ssize_t n)
{
	int err = n > 0 && f->sync_after ? file_sync(f->inode, !f->flags.sync) : 0;

	return err ? err : n;
}

ssize_t file_direct_end(struct file_direct *f)
{
	ssize_t n = end_transfer(f);
	int err = f->times ? file_times_store(f->inode) : 0;

	if (err && f->d.request & IOMAP_WRITE)
		return n < 0 ? n : err;
	return end_sync(f, n);
}

ssize_t file_direct_write_start(struct file_direct *f, struct direct_batch *b)
{
	bool in_flight = false;
	ssize_t r = write_args(f);

	ASSERT(f->nowait);
	if (r || f->d.len == 0)
		return r;
	f->force_exclusive = false;
	f->times = 0;
	r = write_begin(f, b, &in_flight);
	if (r)
		return r;
	ASSERT(!f->alone);
	if (in_flight && file_modified_due(f->inode))
		times_change(f, INODE_MTIME | INODE_CTIME);
	unlock(f);
	if (in_flight)
		return FILE_DIRECT_STARTED;
	r = file_direct_end(f);
	return r ? r : -EAGAIN;
}

/* Waits in the lock where others must not see the middle of it (IO-41, IO-42), else outside. */
static ssize_t write_wait(struct file_direct *f, struct direct_sync *s)
{
	void (*complete)(struct direct_io *) = f->d.complete;
	ssize_t n;

	if (!f->alone)
		unlock(f);
	f->d.complete = NULL;
	direct_sync_wait(s);
	f->d.complete = complete;
	n = end_transfer(f);
	if (f->extends)
		file_direct_extend_end(f, n);
	if (f->alone)
		unlock(f);
	return n;
}

/* The part from done on, by buffered writes; its length or an error. *start: where it begins. */
static ssize_t write_cached(struct file_direct *f, u64 done, u64 *start)
{
	struct file_write_flags flags = f->flags;
	struct iovec part[8];
	u64 total = 0;

	flags.append = flags.append && done == 0;
	while (done + total < f->d.len) {
		u64 left = f->d.len - done - total, pos = *start + total;
		unsigned count = iov_slice(
			f->d.iov, f->d.iov_count, done + total, left, part, array_len(part));
		ssize_t n = file_write(f->inode, &pos, part, count, &flags);

		if (n <= 0)
			return total ? (ssize_t)total : n;
		if (total == 0)
			*start = pos;
		total += (u64)n;
		flags.append = false;
	}
	return (ssize_t)total;
}

/* IO-47: what can't go directly is on the device, and out of the cache, all the same. */
static ssize_t write_rest(struct file_direct *f, u64 done)
{
	u64 start = f->d.pos + done;
	ssize_t n = write_cached(f, done, &start);
	int err;

	if (n <= 0)
		return done ? (ssize_t)done : n;
	f->d.pos = start - done;
	err = iofile_write_range(&f->inode->io, start, start + (u64)n, true);
	(void)iofile_invalidate_range(&f->inode->io, start, start + (u64)n);
	if (err)
		return done ? (ssize_t)done : err;
	return (ssize_t)done + n;
}

/* IO-48, IO-61: who asked for all or nothing gets no part. */
static ssize_t write_short(struct file_direct *f, u64 done)
{
	if (f->nowait || f->flags.atomic)
		return ERR(EAGAIN);
	return write_rest(f, done);
}

/* Where others may see the middle of it, and nothing is left for the cache to do. */
static bool write_sent(
	struct file_direct *f, struct direct_sync *s, struct dev_req **reqs, unsigned *count)
{
	*count = 0;
	if (!f->alone && f->d.done == f->d.len && !f->d.error)
		*count = direct_sync_take(s, &f->d, reqs);
	if (*count)
		unlock(f);
	return *count > 0;
}

/* IO-39: a write that met a changed map starts again with the exclusive lock. */
static ssize_t write_directly(struct file_direct *f, struct dev_req **reqs, unsigned *count)
{
	struct direct_sync s;
	bool in_flight;
	ssize_t n;

	f->times = 0;
	direct_sync_init(&s, f->inode->volume->dev);
	for (;;) {
		n = write_begin(f, &s.batch, &in_flight);
		if (n)
			return n;
		if (reqs && in_flight && write_sent(f, &s, reqs, count))
			return FILE_DIRECT_STARTED;
		n = write_wait(f, &s);
		if (f->spoiled) /* what was unwritten has a written place now: once more is enough
				 */
			continue;
		if (n != -EAGAIN || f->nowait || f->force_exclusive)
			return n < 0 || (u64)n == f->d.len ? n : write_short(f, (u64)n);
		f->force_exclusive = true;
	}
}

ssize_t file_direct_write(struct file_direct *f, u64 *pos)
{
	ssize_t n = write_args(f);

	if (n || f->d.len == 0)
		return n;
	f->force_exclusive = false;
	n = write_directly(f, NULL, NULL);
	*pos = f->d.pos;
	return end_sync(f, n);
}

/* A guess: who is known to need the exclusive lock need not queue for the shared one first. */
static bool hole_known(const struct file_direct *f)
{
	struct mapping m;
	u64 lblk = f->d.pos / f->inode->volume->sb.block_size;

	return lblk <= LBLK_MAX && !map_lookup_cached(&f->inode->map, (lblk_t)lblk, 1, &m) &&
	       m.state == MAP_HOLE;
}

ssize_t file_direct_write_send(struct file_direct *f, struct dev_req **reqs, unsigned *count)
{
	ssize_t n = write_args(f);

	if (n || f->d.len == 0)
		return n;
	f->force_exclusive = hole_known(f);
	n = write_directly(f, reqs, count);
	return n == FILE_DIRECT_STARTED ? n : end_sync(f, n);
}
