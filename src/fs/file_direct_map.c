/*
 * Direct I/O and the file map: what a transfer finds or allocates, and what
 * becomes of it when the data is on the device.
 */
#include "base/err.h"
#include "base/mutant.h"
#include "base/trace.h"
#include "fs/file_direct_priv.h"
#include "fs/fs_priv.h"
#include "os/assert.h"

static struct file_direct *transfer_of(const struct iomap *map)
{
	return (struct file_direct *)map->priv;
}

/* What the lock decision saw, if nothing has changed since; else the cache, else the tree. */
static int lookup(struct file_direct *f, u64 pos, u64 len, u32 request, struct mapping *m)
{
	struct inode *i = f->inode;
	u32 bs = i->volume->sb.block_size;
	lblk_t first = (lblk_t)(pos / bs);
	u32 count = (u32)min_of(div_up(pos + len, bs) - first, (u64)LBLK_MAX - first + 1);

	if (f->ahead.len && f->ahead.lblk == first &&
		(f->ahead.cookie == atomic_load_acq(&i->map.cookie) ||
			MUTANT(AHEAD_COOKIE_IGNORED))) {
		*m = f->ahead;
		return 0;
	}
	if (request & IOMAP_NOWAIT)
		return map_lookup_cached(&i->map, first, count, m);
	return map_lookup(&i->map, first, count, m);
}

static int read_begin(struct iofile *io, u64 pos, u64 len, u32 request, struct iomap *map)
{
	struct file_direct *f = transfer_of(map);
	struct mapping m;
	int err;

	f->ahead.len = 0;
	err = lookup(f, pos, len, request, &m);
	if (!err)
		iomap_from_mapping(f->inode, &m, map);
	return err;
}

const struct direct_ops file_direct_read_ops = {.map = {.begin = read_begin}};

static int allocate_once(struct inode *i, struct mapping *m, bool *no_space)
{
	struct handle h;
	int err = handle_start(i->volume->journal, &h,
		map_create_credits(&i->map, m->len) + INODE_DIRTY_CREDITS, 0);

	if (err)
		return err;
	err = map_create(&h, &i->map, m->lblk, m->len, MAP_CREATE_UNWRITTEN, m);
	*no_space = err == -ENOSPC;
	if (*no_space)
		return handle_stop(&h);
	return handle_end(&h, err);
}

/* IO-2, IO-44: unwritten, so that neither a reader nor a crash finds what was there before. */
static int allocate(struct inode *i, struct mapping *m)
{
	unsigned attempts = 0;
	struct mapping hole = *m;
	bool no_space = false;
	int err;

	ASSERT(os_rwsem_held(&i->lock));
	do {
		*m = hole;
		err = allocate_once(i, m, &no_space);
		if (err || !no_space)
			return err;
	} while (space_retry(i->volume, &attempts)); /* IO-45 */
	return ERR(ENOSPC);
}

static int write_begin(struct iofile *io, u64 pos, u64 len, u32 request, struct iomap *map)
{
	struct file_direct *f = transfer_of(map);
	struct inode *i = f->inode;
	struct mapping m;
	int err = lookup(f, pos, len, request, &m);

	f->ahead.len = 0;
	if (err)
		return err;
	if (m.state == MAP_DELAYED)
		return ERR(EIO); /* IO-46 */
	if (request & IOMAP_OVERWRITE_ONLY &&
		(m.state == MAP_HOLE || (f->unaligned && m.state == MAP_UNWRITTEN)))
		return -EAGAIN; /* IO-120 */
	if (m.state == MAP_HOLE) {
		if (!i->map.extents)
			return -ENOTBLK; /* IO-44 */
		err = allocate(i, &m);
		if (err)
			return err;
	}
	iomap_from_mapping(i, &m, map);
	return 0;
}

/* A restart may have used up the handle: the sizes and the record go together (IO-32). */
static int ensure(struct handle *h, u32 credits)
{
	int more = handle_ensure(h, credits, 0);

	return more > 0 ? handle_restart(h, credits, 0) : more;
}

static int publish_sizes(struct handle *h, struct inode *i, u64 end)
{
	u64 before = inode_disk_size(i);
	int err = ensure(h, FILE_GROW_CREDITS + ORPHAN_CREDITS);

	if (!err && end > inode_size(i))
		err = file_order_tail(h, i, inode_size(i));
	if (!err)
		err = file_extend(h, i, end);
	if (MUTANT(ORPHAN_BY_SIZES) && end <= before)
		return err;
	if (!err && i->f.links > 0)
		err = orphan_remove(h, i);
	return err;
}

static int convert(struct handle *h, struct inode *i, u64 pos, u64 end)
{
	u32 bs = i->volume->sb.block_size;
	lblk_t first = (lblk_t)(pos / bs);
	u32 more = MUTANT(CONVERT_TOO_MUCH) ? 1 : 0;
	int err = map_convert_written(h, &i->map, first, (u32)(div_up(end, bs) - first) + more);

	/* IO-24: also where the change was deep in the tree. */
	atomic_store_rel(&i->sync_tid, handle_tid(h));
	if (!MUTANT(DATASYNC_TID_STALE))
		atomic_store_rel(&i->datasync_tid, handle_tid(h));
	return err;
}

/* IO-15: another's conversion, without room, may have zeroed what was just written. */
static int unless_spoiled(struct file_direct *f, int err)
{
	f->spoiled = !err && map_zeroings(&f->inode->map) != f->zeroings;
	return f->spoiled ? -EAGAIN : err;
}

static bool owes_conversion(const struct file_direct *f)
{
	return f->d.request & IOMAP_WRITE && f->d.seen & DIRECT_UNWRITTEN && !f->extends &&
	       !direct_error(&f->d);
}

/* IO-62. One that fails leaves the others what they got; the handle's own error is everybody's. */
static int convert_owed(struct handle *h, struct file_direct *f)
{
	int err = volume_check(f->inode->volume);

	if (!err)
		err = ensure(h, map_convert_credits(&f->inode->map, 1));
	if (!err)
		err = convert(h, f->inode, f->d.pos, f->d.pos + f->d.done);
	return unless_spoiled(f, err);
}

static void convert_together(struct handle *h, struct file_direct *const *f, unsigned count)
{
	int err;

	for (unsigned k = 0; k < count; k++) {
		f[k]->converted = owes_conversion(f[k]);
		if (f[k]->converted)
			f[k]->convert_err = convert_owed(h, f[k]);
	}
	err = handle_stop(h);
	for (unsigned k = 0; k < count; k++)
		if (f[k]->converted && !f[k]->convert_err)
			f[k]->convert_err = err;
}

void file_direct_convert(struct file_direct *const *f, unsigned count)
{
	struct handle h;
	unsigned first = 0;

	while (first < count && !owes_conversion(f[first]))
		first++;
	/* If it can't start, each end tries by itself. */
	if (first < count && handle_start(f[first]->inode->volume->journal, &h,
				     map_convert_credits(&f[first]->inode->map, 1), 0) == 0)
		convert_together(&h, f + first, count - first);
}

/* IO-50: conversion, then sizes; on an error nothing is converted (IO-53). */
static int write_done(struct direct_io *d, u64 bytes, int err)
{
	struct file_direct *f = (struct file_direct *)d;
	struct inode *i = f->inode;
	u64 end = d->pos + bytes;
	struct handle h;

	if (err && !MUTANT(ERROR_CONVERTS))
		return 0;
	if (f->converted)
		return f->convert_err;
	err = volume_check(i->volume); /* IO-62 */
	if (err || !(f->extends || d->seen & DIRECT_UNWRITTEN))
		return err;
	err = handle_start(i->volume->journal, &h,
		map_convert_credits(&i->map, 1) + FILE_GROW_CREDITS + ORPHAN_CREDITS, 0);
	if (err)
		return err;
	if (d->seen & DIRECT_UNWRITTEN)
		err = convert(&h, i, d->pos, end);
	err = unless_spoiled(f, err);
	if (!err && f->extends)
		err = publish_sizes(&h, i, end);
	return handle_end(&h, err);
}

const struct direct_ops file_direct_write_ops = {
	.map = {.begin = write_begin}, .written = write_done};

int file_direct_extend_begin(struct file_direct *f)
{
	struct handle h;
	int err = handle_start(
		f->inode->volume->journal, &h, ORPHAN_CREDITS + INODE_DIRTY_CREDITS, 0);

	if (err)
		return err;
	if (MUTANT(SIZE_AT_SUBMISSION) && f->d.pos + f->d.len > inode_size(f->inode))
		inode_set_size(f->inode, f->d.pos + f->d.len);
	return handle_end(&h, orphan_add(&h, f->inode));
}

/* Should it stay, the next truncation takes it, at the latest when the inode leaves the cache. */
static void record_remove(struct inode *i)
{
	struct handle h;

	if (i->f.links > 0 &&
		!handle_start(i->volume->journal, &h, ORPHAN_CREDITS + INODE_DIRTY_CREDITS, 0))
		(void)handle_end(&h, orphan_remove(&h, i));
}

void file_direct_extend_end(struct file_direct *f, ssize_t n)
{
	struct inode *i = f->inode;
	u64 end = f->d.pos + f->d.len;

	if (n == (ssize_t)f->d.len)
		return;
	TRACE("direct_extend_failed", i->ino, n);
	if (end > inode_size(i))
		(void)inode_truncate_blocks(i); /* takes the record with it */
	else
		record_remove(i);
}
