/*
 * Writeback: dirty folios -> mapped device requests. A folio is marked
 * WRITEBACK under its lock before its mapping is looked up, and truncate waits
 * for that flag before it frees blocks: so a mapping used here stays valid.
 */
#include "base/err.h"
#include "base/trace.h"
#include "iomap/folio.h"

#include <string.h>

int reserve_init(struct page_cache *pc)
{
	os_mutex_init(&pc->reserve_lock, RANK_PAGE, "writeback reserve");
	return io_batch_create(pc, &pc->reserve);
}

void reserve_fini(struct page_cache *pc)
{
	io_batch_destroy(pc->reserve);
}

void iofile_error_set(struct iofile *io, int err)
{
	atomic_store_relaxed(&io->wb_error, err);
	atomic_add(&io->wb_error_seq, 1);
}

/* The last part to end frees the folio from WRITEBACK; until then nobody can remove it from its
 * file. */
static void part_end(struct folio *f)
{
	int err;

	if (atomic_sub(&f->io_pending, 1) != 0)
		return;
	folio_lock(f);
	err = atomic_xchg(&f->io_error, 0);
	if (err)
		iofile_error_set(f->io, err);
	folio_clear_flags(f, FOLIO_WRITEBACK);
	atomic_sub(&f->io->wb_count, 1);
	os_mutex_unlock(&f->lock);
	folio_put(f);
}

static void part_written(struct folio *f, u64 mask, int err)
{
	if (err)
		atomic_store_relaxed(&f->io_error, err);
	else
		atomic_add_relaxed(&f->cache->stats.written_bytes,
			(u64)__builtin_popcountll(mask) * f->cache->p.block_size);
	part_end(f);
}

/* IO-73: what lies behind the end of file goes out as zeros; blocks wholly behind it not at all. */
static u64 clip_to_end(struct folio *f, u64 mask, u64 end)
{
	u32 bs = f->cache->p.block_size;

	if (end >= f->pos + f->size)
		return mask;
	if (end > f->pos && end % bs)
		memset(f->data + (end - f->pos), 0, bs - end % bs);
	return mask & folio_mask_touched(f, f->pos, max_of(end, f->pos));
}

/*
 * The end of what the file holds: a write in progress counts before the size does, or its bytes
 * would be cut off. The write's end is loaded first: once it is gone, the size is there.
 */
static u64 data_end(struct iofile *io)
{
	u64 writing = atomic_load_acq(&io->writing_end), size = io->ops->size(io);

	return max_of(writing, size);
}

/* Locks, claims and returns the blocks to write; 0 if there is nothing to do. */
static u64 claim(struct folio *f, bool wait)
{
	u64 mask = 0;

	folio_lock(f);
	if (wait)
		folio_wait_flags(f, FOLIO_WRITEBACK);
	if (!(f->flags & (FOLIO_GONE | FOLIO_WRITEBACK)) && f->dirty) {
		mask = f->dirty;
		folio_set_clean(f);
		mask = clip_to_end(f, mask, data_end(f->io));
		if (mask) {
			f->flags |= FOLIO_WRITEBACK;
			atomic_add(&f->io->wb_count, 1);
			f->io_pending = 1;
			f->io_error = 0;
			folio_get(f);
		}
	}
	os_mutex_unlock(&f->lock);
	return mask;
}

static int map_at(struct iofile *io, u64 pos, u64 len, struct iomap *m)
{
	if (iomap_covers(m, pos) && m->cookie == io->ops->cookie(io))
		return 0;
	return io->ops->writeback->begin(io, pos, len, IOMAP_WRITE, m);
}

/* A hole under a dirty block means that a truncate has passed: there is nothing to keep. */
static int write_folio(struct io_batch *b, struct folio *f, u64 mask, struct iomap *m)
{
	u32 bs = f->cache->p.block_size;

	while (mask) {
		u64 run = mask_first_run(mask), pos = f->pos + (u64)__builtin_ctzll(run) * bs;
		int err = map_at(f->io, pos, (u64)__builtin_popcountll(run) * bs, m);

		if (err)
			return err;
		run &= folio_mask_inside(f, m->offset, m->offset + m->length);
		if (!run)
			return ERR(EIO);
		if (m->type == IOMAP_MAPPED || m->type == IOMAP_UNWRITTEN) {
			atomic_add(&f->io_pending, 1);
			io_batch_add(b, f, run, m->addr + (pos - m->offset));
		}
		mask &= ~run;
	}
	return 0;
}

static int write_dirty(struct iofile *io, u64 start, u64 end, bool wait, struct io_batch *b)
{
	struct iomap m = {0};
	struct folio *f;
	u64 pos = start;
	int err, first_err = io_batch_start(b, DEV_WRITE, part_written);

	if (first_err)
		return first_err;
	while ((f = folio_next(io, pos, end, true)) != NULL) {
		u64 mask = claim(f, wait);

		pos = f->pos + f->size;
		if (mask) {
			err = write_folio(b, f, mask, &m);
			if (err) {
				atomic_store_relaxed(&f->io_error, err);
				first_err = first_err ? first_err : err;
			}
			part_end(f);
		}
		folio_put(f);
	}
	TRACE("write_dirty", start, end);
	io_batch_finish(b);
	return first_err;
}

static int write_with_batch(struct iofile *io, u64 start, u64 end, bool wait)
{
	struct io_batch *b;
	int err;

	if (io_batch_create(io->cache, &b) == 0) {
		err = write_dirty(io, start, end, wait, b);
		io_batch_destroy(b);
		return err;
	}
	os_mutex_lock(&io->cache->reserve_lock);
	err = write_dirty(io, start, end, wait, io->cache->reserve);
	os_mutex_unlock(&io->cache->reserve_lock);
	return err;
}

int iofile_write_range(struct iofile *io, u64 start, u64 end, bool wait)
{
	u32 seq = atomic_load_acq(&io->wb_error_seq);
	int err = 0;

	if (iofile_is_dirty(io))
		err = write_with_batch(io, start, end, wait);
	if (wait) {
		int wait_err = iofile_wait_range(io, start, end);

		if (!err)
			err = wait_err;
		if (!err && atomic_load_acq(&io->wb_error_seq) != seq)
			err = atomic_load_relaxed(&io->wb_error);
	}
	return err;
}

int iofile_wait_range(struct iofile *io, u64 start, u64 end)
{
	u32 seq = atomic_load_acq(&io->wb_error_seq);
	struct folio *f;

	if (atomic_load_acq(&io->wb_count) == 0)
		return 0;
	for (u64 pos = start; (f = folio_next(io, pos, end, false)) != NULL;) {
		pos = f->pos + f->size;
		folio_lock(f);
		folio_wait_flags(f, FOLIO_WRITEBACK);
		os_mutex_unlock(&f->lock);
		folio_put(f);
	}
	return atomic_load_acq(&io->wb_error_seq) != seq ? atomic_load_relaxed(&io->wb_error) : 0;
}

bool iofile_is_dirty(const struct iofile *io)
{
	return atomic_load_acq(&io->dirty_count) > 0;
}

u32 iofile_error_sample(const struct iofile *io)
{
	return atomic_load_acq(&io->wb_error_seq);
}

int iofile_error_check(struct iofile *io, u32 *cursor)
{
	u32 seq = atomic_load_acq(&io->wb_error_seq);

	if (atomic_xchg(cursor, seq) == seq)
		return 0;
	return atomic_load_relaxed(&io->wb_error);
}
