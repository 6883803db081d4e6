/* Calls that read and change the data of a file. */
#include "sim/load/player.h"

#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <linux/falloc.h>

enum { IO_MAX = 256 << 10 };

u8 *io_memory(u64 len)
{
	u8 *data = aligned_alloc(4096, round_up_to(len, 4096));

	if (!data)
		abort();
	return data;
}

void io_align(u32 flags, u64 *offset, u64 *len)
{
	if (!(flags & OP_DIRECT))
		return;
	*offset = round_down_to(*offset, 512);
	*len = round_up_to(*len, 512);
}

s64 call_write(struct player *p, const struct ref *file, u64 offset, u64 len, u32 flags)
{
	struct oracle *o = p->world->oracle;
	u32 number = ++o->writes;
	bool append = flags & OP_APPEND, constant = append && !p->alone;
	u64 place, greatest;
	struct uext4_file *f;
	struct op *op;
	u8 *data;
	s64 n = uext4_file_open(file->inode, NULL,
		O_RDWR | (append ? O_APPEND : 0) | (flags & OP_DSYNC ? O_DSYNC : 0) |
			(flags & OP_DIRECT ? O_DIRECT : 0),
		&f);

	if (n || len > IO_MAX)
		return n;
	io_align(flags, &offset, &len);
	place = offset;
	data = io_memory(len);
	if (append) {
		content_sizes(&o->content[file->node], &(struct content_view){.begin = o->time + 1},
			&place, &greatest);
		constant |= place != greatest;
	}
	content_fill(number, place, constant, data, len);
	op = call_begin(p, (struct op){.kind = OP_WRITE,
				   .node = file->node,
				   .offset = offset,
				   .len = len,
				   .flags = flags});
	oracle_change(o, op, constant, number);
	n = uext4_pwritev2(
		f, &(struct iovec){data, len}, 1, offset, flags & OP_NOWAIT ? UEXT4_RWF_NOWAIT : 0);
	call_end(p, op, n);
	uext4_file_close(f);
	free(data);
	return n;
}

int call_truncate(struct player *p, const struct ref *file, u64 size)
{
	struct uext4_setattr attr = {.valid = UEXT4_SET_SIZE, .size = size};
	struct op *op;
	int err;

	op = call_begin(p, (struct op){.kind = OP_TRUNCATE, .node = file->node, .len = size});
	oracle_change(p->world->oracle, op, false, 0);
	err = call_end(p, op, uext4_setattr(file->inode, NULL, &attr));
	return err;
}

int call_fallocate(struct player *p, const struct ref *file, u32 mode, u64 offset, u64 len)
{
	bool shifts = mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE);
	struct uext4_file *f;
	struct op *op;
	int err = uext4_file_open(file->inode, NULL, O_RDWR, &f);

	if (err)
		return err;
	if (shifts)
		os_mutex_lock(&p->world->shifting[file->node]);
	op = call_begin(p, (struct op){.kind = OP_FALLOCATE,
				   .node = file->node,
				   .offset = offset,
				   .len = len,
				   .flags = mode});
	oracle_change(p->world->oracle, op, false, 0);
	err = call_end(p, op, uext4_fallocate(f, (int)mode, offset, len));
	if (shifts)
		os_mutex_unlock(&p->world->shifting[file->node]);
	uext4_file_close(f);
	return err;
}

s64 call_read(struct player *p, const struct ref *file, u64 offset, u64 len, u32 flags)
{
	struct uext4_file *f;
	struct op *op;
	u8 *data;
	s64 n = uext4_file_open(
		file->inode, NULL, O_RDONLY | (flags & OP_DIRECT ? O_DIRECT : 0), &f);

	if (n)
		return n;
	io_align(flags, &offset, &len);
	data = io_memory(len + 1);
	op = call_begin(p, (struct op){.kind = OP_READ,
				   .node = file->node,
				   .offset = offset,
				   .len = len,
				   .flags = flags});
	n = uext4_preadv2(
		f, &(struct iovec){data, len}, 1, offset, flags & OP_NOWAIT ? UEXT4_RWF_NOWAIT : 0);
	if (!oracle_read(p->world->oracle, op, data, n))
		world_fail(p->world, NULL, 0);
	call_end(p, op, n);
	uext4_file_close(f);
	free(data);
	return n;
}

s64 call_copy(struct player *p, const struct ref *from, u64 from_offset, const struct ref *to,
	u64 to_offset, u64 len)
{
	struct uext4_file *in, *out;
	struct op *op;
	s64 n = uext4_file_open(from->inode, NULL, O_RDONLY, &in);

	if (n)
		return n;
	n = uext4_file_open(to->inode, NULL, O_RDWR, &out);
	if (n)
		goto out_in;
	op = call_begin(p, (struct op){.kind = OP_COPY,
				   .node = to->node,
				   .offset = to_offset,
				   .len = len,
				   .from = from->node,
				   .from_offset = from_offset});
	oracle_change(p->world->oracle, op, false, 0);
	n = uext4_copy_file_range(in, from_offset, out, to_offset, len);
	call_end(p, op, n);
	uext4_file_close(out);
out_in:
	uext4_file_close(in);
	return n;
}

void call_trim(struct player *p)
{
	u64 trimmed;
	int err = uext4_trim(p->world->fs, 0, INT64_MAX, 0, &trimmed);

	if (err && err != -EIO && err != -ENOMEM && err != -EROFS)
		world_fail(p->world, "trim", err);
}
