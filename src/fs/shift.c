/*
 * Taking a range out of a file and opening one inside it (IO-106..108).
 *
 * A block that has moved may be written in place at once. If the power went before the move was
 * committed, the old map would show those bytes where nobody wrote them: so the move is durable
 * before anyone else gets at the file.
 */
#include "fs/fallocate.h"

#include "base/err.h"
#include "base/mutant.h"
#include "base/trace.h"

/* Both sizes, in a handle that moving extents may have used up. */
static int sizes_commit(struct handle *h, struct inode *i, u64 size)
{
	unsigned tries = 0;
	int err;

	do {
		err = FAULT("shift_sizes") ? 1 : handle_ensure(h, FILE_GROW_CREDITS, 0);
		if (err > 0)
			err = handle_restart(h, FILE_GROW_CREDITS, 0);
		if (!err)
			err = file_grow(h, i, size);
	} while (handle_try_again(h, err, &tries));
	return err;
}

/* What moves must be clean, and stay out of the cache until it has moved. */
static int quiet_begin(struct inode *i, u64 from)
{
	int err = space_op_settle(i, from, UINT64_MAX);

	if (err)
		return err;
	os_rwsem_lock(&i->invalidate_lock);
	if (!MUTANT(SHIFT_KEEPS_CACHE))
		iofile_drop_range(&i->io, from, UINT64_MAX);
	return 0;
}

static void quiet_end(struct inode *i)
{
	os_rwsem_unlock(&i->invalidate_lock);
}

static int handle_begin(struct inode *i, struct handle *h)
{
	u32 credits = max_of(map_remove_credits(&i->map), map_shift_credits(&i->map));
	int err = handle_start(
		i->volume->journal, h, credits + FILE_GROW_CREDITS, map_remove_revokes(&i->map));

	if (!err)
		h->sync = !MUTANT(SHIFT_NOT_DURABLE);
	return err;
}

static int collapse_commit(const struct space_op *op)
{
	struct inode *i = op->i;
	u32 bs = i->volume->sb.block_size;
	lblk_t from = (lblk_t)(op->start / bs), end = (lblk_t)(op->end / bs);
	u64 blocks = i->f.blocks;
	unsigned tries = 0;
	struct handle h;
	int err = handle_begin(i, &h);

	if (err)
		return err;
	TRACE("collapse", i->ino, from);
	do
		err = map_remove(&h, &i->map, from, end);
	while (handle_try_again(&h, err, &tries));
	if (!err)
		err = map_shift(&h, &i->map, end, -(s64)(end - from));
	if (!err)
		err = sizes_commit(&h, i, inode_size(i) - (op->end - op->start));
	if (err && err != -ENOSPC && i->f.blocks != blocks)
		err = handle_must(&h, err); /* half of it would be committed */
	return handle_end(&h, err);
}

static int aligned_check(const struct space_op *op)
{
	u32 unit = op->i->volume->sb.cluster_size;

	return op->start % unit || op->end % unit ? ERR(EINVAL) : 0;
}

int collapse_range(const struct space_op *op)
{
	struct inode *i = op->i;
	unsigned attempts = 0;
	int err = aligned_check(op);

	if (!err && op->end >= inode_size(i))
		err = ERR(EINVAL);
	if (!err)
		err = quiet_begin(i, op->start);
	if (err)
		return err;
	do
		err = collapse_commit(op);
	while (err == -ENOSPC && space_retry(i->volume, &attempts));
	quiet_end(i);
	return err;
}

/* The size first: a crash half-way loses nothing behind the end. */
static int insert_commit(const struct space_op *op)
{
	struct inode *i = op->i;
	u32 bs = i->volume->sb.block_size;
	u64 size = inode_size(i), len = op->end - op->start;
	struct handle h;
	int err = handle_begin(i, &h);

	if (err)
		return err;
	TRACE("insert", i->ino, op->start / bs);
	err = file_grow(&h, i, size + len);
	if (!err) {
		err = map_shift(&h, &i->map, (lblk_t)(op->start / bs), (s64)(len / bs));
		/* Before the first block moved, or there is no journal to commit it any more. */
		if (err && err != -EUCLEAN && err != -EBADMSG) {
			int size_err = sizes_commit(&h, i, size);

			err = size_err ? size_err : err;
		}
	}
	return handle_end(&h, err);
}

int insert_range(const struct space_op *op)
{
	struct inode *i = op->i;
	u64 max = filemap_max_bytes(i->volume, true);
	unsigned attempts = 0;
	int err = aligned_check(op);

	if (!err && op->start >= inode_size(i))
		err = ERR(EINVAL);
	if (!err && op->end - op->start > max - inode_size(i))
		err = ERR(EFBIG);
	if (!err)
		err = quiet_begin(i, op->start);
	if (err)
		return err;
	do
		err = insert_commit(op);
	while (err == -ENOSPC && space_retry(i->volume, &attempts));
	quiet_end(i);
	return err == -EFBIG ? ERR(EINVAL)
			     : err; /* blocks kept far behind the end, as Linux says it */
}
