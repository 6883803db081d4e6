/* Punching holes and zeroing ranges (IO-31, IO-102..105). */
#include "fs/fallocate.h"

#include "base/err.h"
#include "base/trace.h"

/* A punch over the end of file ends with the page of that: kept blocks further on are spared. */
#define PUNCH_UNIT 4096u

/* The blocks that lie in the range as a whole. */
struct inner {
	lblk_t from, end;
};

static struct inner inner_of(const struct space_op *op)
{
	u32 bs = op->i->volume->sb.block_size;
	struct inner in = {(lblk_t)div_up(op->start, bs), (lblk_t)(op->end / bs)};

	if (in.end < in.from) /* inside one block */
		in.end = in.from;
	return in;
}

/* Bytes of the blocks that the range cuts; only written ones, or dirty ones, hold any. */
static int edges_zero(const struct space_op *op)
{
	u32 bs = op->i->volume->sb.block_size;
	u64 head_end = min_of(round_up_to(op->start, bs), op->end);
	u64 tail_start = max_of(round_down_to(op->end, bs), head_end);
	int err = 0;

	if (head_end > op->start)
		err = iofile_zero(&op->i->io, op->start, head_end - op->start, &file_write_ops);
	if (!err && op->end > tail_start)
		err = iofile_zero(&op->i->io, tail_start, op->end - tail_start, &file_write_ops);
	return err;
}

static void inner_drop(const struct space_op *op, struct inner in)
{
	u32 bs = op->i->volume->sb.block_size;

	if (in.from < in.end)
		iofile_drop_range(&op->i->io, (u64)in.from * bs, (u64)in.end * bs);
}

static int punch_commit(const struct space_op *op, struct inner in)
{
	struct inode *i = op->i;
	struct handle h;
	int err = handle_start(i->volume->journal, &h,
		map_remove_credits(&i->map) + FILE_GROW_CREDITS, map_remove_revokes(&i->map));

	if (err)
		return err;
	err = file_raise_disk_size(&h, i, op->end); /* IO-31: the data that would have is dropped */
	TRACE("punch", i->ino, in.from);
	if (!err)
		err = map_remove(&h, &i->map, in.from, in.end);
	return handle_end(&h, err);
}

int punch_hole(const struct space_op *op)
{
	struct inode *i = op->i;
	u32 bs = i->volume->sb.block_size;
	u64 size = inode_size(i);
	struct space_op cut = *op;
	unsigned attempts = 0;
	struct inner in;
	int err;

	if (op->start >= size)
		return 0;
	if (cut.end > size)
		cut.end = min_of(round_up_to(size, max_of(bs, PUNCH_UNIT)), (u64)UINT32_MAX * bs);
	in = inner_of(&cut);
	err = space_op_settle(i, cut.start, cut.end);
	if (!err)
		err = edges_zero(&cut);
	if (err || in.from == in.end)
		return err;
	os_rwsem_lock(&i->invalidate_lock);
	inner_drop(&cut, in);
	do
		err = punch_commit(&cut, in);
	while (err == -ENOSPC && space_retry(i->volume, &attempts));
	os_rwsem_unlock(&i->invalidate_lock);
	return err;
}

static int unwritten_commit(const struct space_op *op, const struct mapping *m)
{
	struct inode *i = op->i;
	u32 bs = i->volume->sb.block_size;
	struct handle h;
	int err = handle_start(
		i->volume->journal, &h, map_create_credits(&i->map, m->len) + FILE_GROW_CREDITS, 0);

	if (err)
		return err;
	err = file_raise_disk_size(&h, i, ((u64)m->lblk + m->len) * bs);
	if (!err)
		err = map_convert_unwritten(&h, &i->map, m->lblk, m->len);
	if (!err) /* it may have used the handle up */
		err = handle_ensure(&h, FILE_GROW_CREDITS, 0);
	if (err > 0)
		err = handle_restart(&h, FILE_GROW_CREDITS, 0);
	if (!err)
		err = space_op_grow(&h, op, ((u64)m->lblk + m->len) * bs);
	return handle_end(&h, err);
}

/* One mapping from *lblk on: holes get blocks, whole written blocks turn unwritten. */
static int zero_step(const struct space_op *op, struct inner in, lblk_t *lblk, lblk_t end)
{
	lblk_t stop = *lblk < in.from ? in.from : *lblk < in.end ? in.end : end;
	struct mapping m;
	int err = map_lookup(&op->i->map, *lblk, min_of(stop, end) - *lblk, &m);

	if (err)
		return err;
	if (m.state != MAP_WRITTEN || *lblk < in.from || *lblk >= in.end)
		return space_op_allocate(op, lblk, min_of(stop, end));
	err = unwritten_commit(op, &m);
	if (!err)
		*lblk += m.len;
	return err;
}

int zero_range(const struct space_op *op)
{
	struct inode *i = op->i;
	u32 bs = i->volume->sb.block_size;
	lblk_t lblk = (lblk_t)(op->start / bs), end = (lblk_t)div_up(op->end, bs);
	struct inner in = inner_of(op);
	int err = space_op_settle(i, op->start, op->end);

	if (!err && !op->keep_size && op->end > inode_size(i))
		err = file_clear_eof(i);
	if (!err)
		err = edges_zero(op);
	if (err)
		return err;
	os_rwsem_lock(&i->invalidate_lock);
	inner_drop(op, in);
	while (!err && lblk < end)
		err = zero_step(op, in, &lblk, end);
	os_rwsem_unlock(&i->invalidate_lock);
	return err;
}
