/*
 * Page fill: maps what is missing, zeroes holes, reads the rest in batches.
 * Reads come from the device only where the mapping says "written" (IO-1).
 */
#include "base/err.h"
#include "base/trace.h"
#include "iomap/folio.h"

#include <string.h>

static void zero_blocks(struct folio *f, u64 mask)
{
	u32 bs = f->cache->p.block_size;

	for (; mask; mask &= mask - 1)
		memset(f->data + (size_t)__builtin_ctzll(mask) * bs, 0, bs);
}

static void part_read(struct folio *f, u64 mask, int err)
{
	if (err)
		atomic_store_relaxed(&f->io_error, err);
	else
		atomic_add_relaxed(&f->cache->stats.read_bytes,
			(u64)__builtin_popcountll(mask) * f->cache->p.block_size);
}

static int map_at(struct iofile *io, u64 pos, u64 len, struct iomap *m)
{
	if (iomap_covers(m, pos))
		return 0;
	return io->ops->read->begin(io, pos, len, 0, m);
}

/* The first run of mask that one mapping covers. Behind the end of file there is nothing but zeros
 * (IO-81). */
static int map_run(struct folio *f, u64 mask, struct iomap *m, u64 *run)
{
	u32 bs = f->cache->p.block_size;
	u64 pos, size = f->io->ops->size(f->io);
	int err;

	*run = mask_first_run(mask);
	pos = f->pos + (u64)__builtin_ctzll(*run) * bs;
	if (pos >= size) {
		*m = (struct iomap){.offset = pos, .length = f->pos + f->size - pos};
		return 0;
	}
	err = map_at(f->io, pos, (u64)__builtin_popcountll(*run) * bs, m);
	if (err)
		return err;
	*run &= folio_mask_inside(f, m->offset, m->offset + m->length) &
		folio_mask_touched(f, pos, size);
	return *run ? 0 : ERR(EIO);
}

/* Puts the reads for mask of f into the batch; holes are zeroed at once. m is the latest mapping.
 */
static int fill_add(struct io_batch *b, struct folio *f, u64 mask, struct iomap *m)
{
	u32 bs = f->cache->p.block_size;

	while (mask) {
		u64 run, pos;
		int err = map_run(f, mask, m, &run);

		if (err)
			return err;
		pos = f->pos + (u64)__builtin_ctzll(run) * bs;
		if (m->type == IOMAP_MAPPED)
			io_batch_add(b, f, run, m->addr + (pos - m->offset));
		else
			zero_blocks(f, run);
		mask &= ~run;
	}
	return 0;
}

static int fill_error(struct folio *f, int err)
{
	int io = atomic_xchg(&f->io_error, 0);

	return err ? err : io;
}

/* By sync reads: they need neither memory nor a queue, for which a writer might hold off this
 * folio's owner. */
static int read_run(struct folio *f, u64 run, const struct iomap *m)
{
	u32 bs = f->cache->p.block_size;
	u64 at = (u64)__builtin_ctzll(run) * bs, len = (u64)__builtin_popcountll(run) * bs;
	int err;

	if (m->type != IOMAP_MAPPED) {
		zero_blocks(f, run);
		return 0;
	}
	err = dev_read(f->cache->p.dev, m->addr + (f->pos + at - m->offset), f->data + at, len);
	if (!err)
		atomic_add_relaxed(&f->cache->stats.read_bytes, len);
	return err;
}

int folio_fill_locked(struct folio *f, u64 mask)
{
	struct iomap m = {0};

	ASSERT(os_mutex_held(&f->lock));
	mask &= ~f->uptodate;
	while (mask) {
		u64 run;
		int err = map_run(f, mask, &m, &run);

		if (!err)
			err = read_run(f, run, &m);
		if (err)
			return err;
		f->uptodate |= run;
		mask &= ~run;
	}
	return 0;
}

#define FILL_FOLIOS 64

struct fill {
	struct folio *folio[FILL_FOLIOS];
	int error[FILL_FOLIOS];
	unsigned count;
};

/* New folios in [pos, end) that this thread is to read; stops at one that is already there. */
static int fill_collect(struct iofile *io, u64 *pos, u64 end, struct fill *fill)
{
	while (*pos < end && fill->count < FILL_FOLIOS) {
		struct folio *f;
		bool made;
		int err = folio_get_or_make(io, *pos, end - *pos, true, &f, &made);

		if (err)
			return err;
		*pos = f->pos + f->size;
		if (made)
			fill->folio[fill->count++] = f;
		else
			folio_put(f);
	}
	return 0;
}

static void fill_finish_one(struct folio *f, int err)
{
	err = fill_error(f, err);
	folio_lock(f);
	if (!err)
		f->uptodate = folio_mask_inside(f, f->pos, f->pos + f->size);
	folio_clear_flags(f, FOLIO_READING);
	os_mutex_unlock(&f->lock);
	folio_put(f);
}

static int fill_read(struct iofile *io, struct fill *fill)
{
	struct iomap m = {0};
	struct io_batch *b = NULL;
	int err = fill->count ? io_batch_create(io->cache, &b) : 0;

	if (!err && b)
		err = io_batch_start(b, DEV_READ, part_read);
	for (unsigned k = 0; k < fill->count; k++)
		fill->error[k] = err;
	if (!err && b) {
		for (unsigned k = 0; k < fill->count; k++) {
			struct folio *f = fill->folio[k];

			fill->error[k] =
				fill_add(b, f, folio_mask_inside(f, f->pos, f->pos + f->size), &m);
		}
		io_batch_finish(b);
	}
	TRACE("fill_read", fill->count, err);
	for (unsigned k = 0; k < fill->count; k++)
		fill_finish_one(fill->folio[k], fill->error[k]);
	io_batch_destroy(b);
	return err;
}

int fill_range(struct iofile *io, u64 pos, u64 len)
{
	u64 end = pos + len;
	int err = 0;

	while (!err && pos < end) {
		struct fill fill = {.count = 0};
		int read_err;

		err = fill_collect(io, &pos, end, &fill);
		read_err = fill_read(io, &fill);
		if (!err)
			err = read_err;
	}
	return err;
}
