/*
 * What writeback needs of a file (IO-72..75): places for delayed blocks, one
 * handle per round, always unwritten ones; after the device has the data,
 * conversion and the size on disk, in a handle of the writer's own thread. So
 * whatever fails between, a block that has not got its data reads as zeros.
 *
 * Indirect maps know no unwritten blocks: theirs are allocated by the write,
 * ordered before its commit, and nothing is left to do here (file_map.c).
 */
#include "base/err.h"
#include "base/mutant.h"
#include "base/trace.h"
#include "fs/fs_priv.h"
#include "os/assert.h"

static struct handle *round_handle(struct iomap_writeback *wb)
{
	_Static_assert(sizeof(struct handle) <= sizeof(wb->room), "a handle must fit");
	return (struct handle *)wb->room;
}

/* Without delayed blocks there is nothing to allocate; should one come meanwhile, the next round
 * opens. */
int file_writeback_open(struct iofile *io, struct iomap_writeback *wb)
{
	struct inode *i = inode_of_io(io);
	struct volume *v = i->volume;
	int err = volume_check(v); /* IO-62: after a shutdown no data goes out */

	wb->seen = map_zeroings(&i->map);
	if (err || wb->open || !i->map.extents ||
		(!wb->needed && !atomic_load_acq(&i->map.delayed)))
		return err;
	err = handle_start(v->journal, round_handle(wb), map_create_credits(&i->map, 1), 0);
	wb->open = !err;
	return err;
}

int file_writeback_close(struct iofile *io, struct iomap_writeback *wb)
{
	if (!wb->open)
		return 0;
	wb->open = false;
	return handle_end(round_handle(wb), 0);
}

/* EAGAIN is our own: the round's handle was used up, or missing. */
bool file_writeback_retry(struct iofile *io, int err, unsigned *attempts)
{
	return err == -EAGAIN ||
	       (err == -ENOSPC && space_retry_claimed(inode_of_io(io)->volume, attempts));
}

static int zero_mapped(struct inode *i, lblk_t lblk, u32 len)
{
	u32 bs = i->volume->sb.block_size;
	struct mapping m;
	int err = 0;

	for (; len && !err; lblk += m.len, len -= m.len) {
		err = map_lookup(&i->map, lblk, len, &m);
		if (!err && m.state == MAP_WRITTEN)
			err = dev_write_zeroes(i->volume->dev, m.pblk * bs, (u64)m.len * bs, 0);
	}
	return err;
}

/* Of indirect files. If zeros can't be written either, no commit may show the blocks. */
void file_first_write_failed(struct iofile *io, u64 pos, u64 len)
{
	struct inode *i = inode_of_io(io);
	u32 bs = i->volume->sb.block_size;
	int err = zero_mapped(i, (lblk_t)(pos / bs), (u32)div_up(len, bs));

	if (!err)
		return;
	log_msg(&i->volume->log, LOG_ERROR,
		"inode %u: new blocks at %llu could not be written (%d), nor hidden; run e2fsck",
		i->ino, (unsigned long long)pos, err);
	journal_abort(i->volume->journal, err);
}

/* IO-15: a conversion, one of this round or another's, zeroed what lay around it. */
bool file_writeback_spoiled(struct iofile *io, const struct iomap_writeback *wb)
{
	return wb->seen != map_zeroings(&inode_of_io(io)->map);
}

/* IO-14: space was promised; what the tree needs beside comes from the reserve. */
static int place(struct inode *i, struct iomap_writeback *wb, struct mapping *m)
{
	struct handle *h = round_handle(wb);
	int more;

	wb->needed = true;
	if (!wb->open)
		return -EAGAIN;
	more = handle_ensure(h, map_create_credits(&i->map, m->len), 0);
	if (more)
		return more > 0 ? -EAGAIN : more;
	TRACE("writeback_place", m->lblk, m->len);
	return map_create(h, &i->map, m->lblk, m->len,
		MAP_CREATE_UNWRITTEN | MAP_CREATE_CLAIMED | MAP_CREATE_MUST, m);
}

static int writeback_begin(struct iofile *io, u64 pos, u64 len, u32 request, struct iomap *map)
{
	struct iomap_writeback *wb = map->priv;
	struct inode *i = inode_of_io(io);
	u32 bs = i->volume->sb.block_size;
	struct mapping m;
	int err = volume_check(i->volume);

	if (!err)
		err = map_lookup(&i->map, (lblk_t)(pos / bs), (u32)div_up(len, bs), &m);
	if (!err && !(request & IOMAP_REPORT) && i->map.extents && m.state < MAP_UNWRITTEN)
		err = place(i, wb, &m);
	if (err)
		return err;
	iomap_from_mapping(i, &m, map);
	map->priv = wb;
	if (request & IOMAP_REPORT && inode_disk_size(i) < inode_size(i))
		map->flags |= IOMAP_DIRTY;
	return 0;
}

const struct iomap_ops file_writeback_ops = {.begin = writeback_begin};

/* Is any block of the range still unwritten? */
static int has_unwritten(struct inode *i, lblk_t lblk, u32 len, bool *out)
{
	struct mapping m;

	*out = false;
	while (len && !*out) {
		int err = map_lookup(&i->map, lblk, len, &m);

		if (err)
			return err;
		*out = m.state == MAP_UNWRITTEN;
		lblk += m.len;
		len -= m.len;
	}
	return 0;
}

/*
 * The size goes first: a restart of the handle inside the conversion must not leave written blocks
 * behind the end (IO-16). Between the two a crash shows zeros.
 */
static int convert_in(struct handle *h, struct inode *i, u64 end, lblk_t lblk, u32 len)
{
	int err = file_raise_disk_size(h, i, end);

	return err || !len ? err : map_convert_written(h, &i->map, lblk, len);
}

static int convert(struct inode *i, u64 end, lblk_t lblk, u32 len)
{
	u32 credits = FILE_GROW_CREDITS + (len ? map_convert_credits(&i->map, len) : 0);
	struct handle h;
	int err = handle_start(i->volume->journal, &h, credits, 0);

	if (err)
		return err;
	TRACE("writeback_convert", lblk, len);
	err = convert_in(&h, i, end, lblk, len);
	return handle_end(&h, err);
}

/* What was promised to it is free again; the size stays what readers saw (IO-75). */
static void lost(struct inode *i, u64 pos, u64 len, int err)
{
	u32 bs = i->volume->sb.block_size;

	inode_undelay(i, (lblk_t)(pos / bs), (lblk_t)div_up(pos + len, bs));
	if (!volume_check_finish(i->volume) &&
		inode_disk_size(i) < min_of(pos + len, inode_size(i)))
		(void)convert(i, pos + len, 0, 0);
	log_msg(&i->volume->log, LOG_ERROR,
		"inode %u: data at %llu, %llu bytes, could not be written (%d) and is lost", i->ino,
		(unsigned long long)pos, (unsigned long long)len, err);
}

int file_written(struct iofile *io, u64 pos, u64 len, int err)
{
	struct inode *i = inode_of_io(io);
	u32 bs = i->volume->sb.block_size, blocks = (u32)div_up(len, bs);
	lblk_t lblk = (lblk_t)(pos / bs);
	bool unwritten = false, gone = err != 0;

	if (!i->map.extents && !err)
		return 0;
	if (!err)
		err = volume_check(i->volume); /* IO-62 */
	if (!err)
		err = has_unwritten(i, lblk, blocks, &unwritten);
	if (!err && (unwritten || inode_disk_size(i) < min_of(pos + len, inode_size(i))))
		err = convert(i, MUTANT(DISK_SIZE_AHEAD) ? inode_size(i) : pos + len, lblk,
			unwritten ? blocks : 0);
	if (err && err != -ENOMEM && (gone || err != -ENOSPC)) /* else it stays dirty */
		lost(i, pos, len, err);
	return err;
}
