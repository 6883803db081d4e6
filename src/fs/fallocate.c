/* fallocate(2): the checks, in the order of Linux, and plain allocation. */
#include "fs/fallocate.h"

#include "base/err.h"
#include "base/mutant.h"
#include "base/trace.h"
#include "inode/dio.h"
#include "os/assert.h"

#include <linux/falloc.h>
#include <sys/stat.h>

/* One transaction allocates at most an unwritten extent of the greatest length (IO-8, IO-101). */
#define STEP_BLOCKS 32767u

int file_fallocate_check(int mode, s64 offset, s64 len)
{
	if (offset < 0 || len <= 0)
		return ERR(EINVAL);
	switch (mode & ~FALLOC_FL_KEEP_SIZE) {
	case 0:
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_UNSHARE_RANGE:
		return 0;
	case FALLOC_FL_PUNCH_HOLE:
		return mode & FALLOC_FL_KEEP_SIZE ? 0 : ERR(EOPNOTSUPP);
	case FALLOC_FL_COLLAPSE_RANGE:
	case FALLOC_FL_INSERT_RANGE:
		return mode & FALLOC_FL_KEEP_SIZE ? ERR(EOPNOTSUPP) : 0;
	default:
		return ERR(EOPNOTSUPP);
	}
}

int space_op_settle(struct inode *i, u64 start, u64 end)
{
	return iofile_write_range(&i->io, start, end, true);
}

int space_op_grow(struct handle *h, const struct space_op *op, u64 done_to)
{
	struct inode *i = op->i;
	u64 old = inode_size(i), size = min_of(done_to, op->end);
	int err;

	if (op->keep_size || size <= old)
		return 0;
	err = file_order_tail(h, i, old);
	return err ? err : file_grow(h, i, size);
}

/* One transaction: what one allocation gives, and the size over it. */
static int allocate_step(const struct space_op *op, struct mapping *m, u32 len)
{
	struct inode *i = op->i;
	struct handle h;
	int err = handle_start(
		i->volume->journal, &h, map_create_credits(&i->map, len) + FILE_GROW_CREDITS, 0);

	if (err)
		return err;
	err = map_create(&h, &i->map, m->lblk, len, MAP_CREATE_UNWRITTEN, m);
	TRACE("fallocate_step", i->ino, m->lblk);
	if (!err)
		err = space_op_grow(&h, op, ((u64)m->lblk + m->len) * i->volume->sb.block_size);
	return handle_end(&h, err);
}

int space_op_allocate(const struct space_op *op, lblk_t *lblk, lblk_t end)
{
	struct inode *i = op->i;
	u32 bs = i->volume->sb.block_size, len = min_of(end - *lblk, STEP_BLOCKS);
	struct mapping m;
	unsigned attempts = 0;
	u64 m_end;
	int err = map_lookup(&i->map, *lblk, len, &m);

	if (err)
		return err;
	m_end = ((u64)m.lblk + m.len) * bs;
	if (m.state != MAP_HOLE && (op->keep_size || min_of(m_end, op->end) <= inode_size(i))) {
		*lblk += m.len;
		return 0;
	}
	if (m.state == MAP_DELAYED) {
		err = space_op_settle(i, (u64)m.lblk * bs, m_end);
		if (err)
			return err;
	}
	do
		err = allocate_step(op, &m, m.len);
	while (err == -ENOSPC && space_retry(i->volume, &attempts));
	if (!err)
		*lblk = m.lblk + m.len;
	return err;
}

/* IO-101: what is there stays, delayed blocks too; for lack of space what was done stays, and the
 * size covers it. */
static int allocate_range(const struct space_op *op)
{
	struct inode *i = op->i;
	u32 bs = i->volume->sb.block_size;
	lblk_t lblk = (lblk_t)(op->start / bs), end = (lblk_t)div_up(op->end, bs);
	int err = 0;

	if (!op->keep_size && op->end > inode_size(i))
		err = file_clear_eof(i);
	while (!err && lblk < end)
		err = space_op_allocate(op, &lblk, end);
	return err;
}

/* IO-100, IO-122: in the order in which Linux looks. */
static int checks(const struct inode *i, int mode, u64 offset, u64 len)
{
	int err = volume_check_write(i->volume);

	if (err)
		return err;
	if (i->f.flags & EXT4_APPEND_FL && mode & ~FALLOC_FL_KEEP_SIZE)
		return ERR(EPERM);
	if (i->f.flags & EXT4_IMMUTABLE_FL)
		return ERR(EPERM);
	if (offset + len > filemap_max_bytes(i->volume, true))
		return ERR(EFBIG);
	if (!i->map.extents && (mode & ~FALLOC_FL_KEEP_SIZE) != FALLOC_FL_PUNCH_HOLE)
		return ERR(EOPNOTSUPP);
	return 0;
}

static int run(const struct space_op *op, int mode)
{
	switch (mode & ~FALLOC_FL_KEEP_SIZE) {
	case FALLOC_FL_PUNCH_HOLE:
		return punch_hole(op);
	case FALLOC_FL_ZERO_RANGE:
		return zero_range(op);
	case FALLOC_FL_COLLAPSE_RANGE:
		return collapse_range(op);
	case FALLOC_FL_INSERT_RANGE:
		return insert_range(op);
	default:
		return allocate_range(op);
	}
}

static int fallocate_locked(struct inode *i, const struct cred *cred, int mode, u64 offset, u64 len)
{
	struct space_op op = {.i = i,
		.start = offset,
		.end = offset + len,
		.keep_size = mode & FALLOC_FL_KEEP_SIZE};
	int err = checks(i, mode, offset, len);

	/* Blocks are never shared: there is nothing to make private. */
	if (err || mode & FALLOC_FL_UNSHARE_RANGE)
		return err;
	err = file_modified(i, cred);
	if (err)
		return err;
	if (!MUTANT(FALLOCATE_NO_DIO_WAIT))
		inode_dio_wait(i);
	atomic_store_relaxed(&i->map.alloc_flags, cred && cred->privileged ? SPACE_ROOT : 0);
	return run(&op, mode);
}

int file_fallocate(
	struct inode *i, const struct file_write_flags *flags, int mode, s64 offset, s64 len)
{
	int err = file_fallocate_check(mode, offset, len);

	if (err)
		return err;
	if (!inode_is(i, S_IFREG))
		return ERR(inode_is(i, S_IFDIR) ? EISDIR : ENODEV);
	os_rwsem_lock(&i->lock);
	err = fallocate_locked(i, flags->cred, mode, (u64)offset, (u64)len);
	os_rwsem_unlock(&i->lock);
	if (!err && (flags->sync || flags->dsync))
		err = file_sync(i, !flags->sync);
	return err;
}
