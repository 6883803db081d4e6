/*
 * Bringing a file's dirty data to the device: what the rest of the house calls.
 * The work is done by a writer (writer.c, mapped.c).
 */
#include "base/err.h"
#include "base/mutant.h"
#include "iomap/writer.h"

#include <string.h>

/*
 * Two, for those who have no memory for a writer of their own: a full one may wait for the commit,
 * which may need the other.
 */
int reserve_init(struct page_cache *pc)
{
	int err;

	os_mutex_init(&pc->reserve_lock, RANK_INVALIDATE, "writeback reserve");
	os_mutex_init(&pc->mapped_reserve_lock, RANK_PAGE, "mapped reserve");
	err = io_writer_create(pc, &pc->reserve);
	if (err)
		return err;
	err = io_writer_create(pc, &pc->mapped_reserve);
	if (err)
		io_writer_destroy(pc->reserve);
	return err;
}

void reserve_fini(struct page_cache *pc)
{
	io_writer_destroy(pc->reserve);
	io_writer_destroy(pc->mapped_reserve);
}

void iofile_error_set(struct iofile *io, int err)
{
	if (MUTANT(WB_ERROR_DROPPED))
		return;
	atomic_store_relaxed(&io->wb_error, err);
	atomic_add(&io->wb_error_seq, 1);
	atomic_store_relaxed(&io->cache->wb_error, err);
	atomic_add(&io->cache->wb_error_seq, 1);
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

/* IO-73: what lies behind the end of file goes out as zeros; blocks wholly behind it not at all. */
u64 folio_clip_to_end(struct folio *f, u64 mask)
{
	u64 end = data_end(f->io);
	u32 bs = f->cache->p.block_size;

	if (end >= f->pos + f->size)
		return mask;
	if (end > f->pos && end % bs)
		memset(f->data + (end - f->pos), 0, bs - end % bs);
	return mask & folio_mask_touched(f, f->pos, max_of(end, f->pos));
}

/* Innermost of its rank: a full writer holds nothing between an inode lock and a handle. */
#define RESERVE_ORDER UINT32_MAX

static int write_all_kinds(struct iofile *io, u64 start, u64 end, bool wait)
{
	struct page_cache *pc = io->cache;
	struct io_writer *w;
	int err;

	if (io_writer_create(pc, &w) == 0) {
		io_writer_begin(w, io, wait);
		err = io_writer_run(w, start, end);
		io_writer_destroy(w);
		return err;
	}
	os_mutex_lock_nested(&pc->reserve_lock, RESERVE_ORDER);
	io_writer_begin(pc->reserve, io, wait);
	err = io_writer_run(pc->reserve, start, end);
	os_mutex_unlock(&pc->reserve_lock);
	return err;
}

int files_write_small(struct page_cache *pc, struct iofile *const *files, unsigned count)
{
	struct io_writer *w;
	int err;

	if (count < 2 || io_writer_create(pc, &w))
		return 0;
	err = io_writer_run_small(w, files, count);
	io_writer_destroy(w);
	return err;
}

int iofile_write_mapped(struct iofile *io, u64 start, u64 end)
{
	struct page_cache *pc = io->cache;
	struct io_writer *w;
	int err;

	if (!iofile_is_dirty(io) && atomic_load_acq(&io->wb_count) == 0)
		return 0;
	if (io_writer_create(pc, &w) == 0) {
		io_writer_begin(w, io, true);
		err = io_writer_run_mapped(w, start, end);
		io_writer_destroy(w);
		return err;
	}
	os_mutex_lock(&pc->mapped_reserve_lock);
	io_writer_begin(pc->mapped_reserve, io, true);
	err = io_writer_run_mapped(pc->mapped_reserve, start, end);
	os_mutex_unlock(&pc->mapped_reserve_lock);
	return err;
}

/*
 * Another writer may give blocks back that it could not map yet: they are dirty again after the
 * wait, and to be written by us (IO-94).
 */
int iofile_write_range(struct iofile *io, u64 start, u64 end, bool wait)
{
	u32 seq = atomic_load_acq(&io->wb_error_seq), returned;
	int err = 0, wait_err = 0;

	do {
		returned = atomic_load_acq(&io->wb_returned);
		if (iofile_is_dirty(io))
			err = write_all_kinds(io, start, end, wait);
		if (wait)
			wait_err = iofile_wait_range(io, start, end);
		err = err ? err : wait_err;
	} while (wait && !err && !MUTANT(WB_RETURNED_IGNORED) &&
		 atomic_load_acq(&io->wb_returned) != returned);
	if (wait && !err && atomic_load_acq(&io->wb_error_seq) != seq)
		err = atomic_load_relaxed(&io->wb_error);
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

	if (MUTANT(WB_ERROR_REPEATED))
		return seq != *cursor ? io->wb_error : 0;
	if (atomic_xchg(cursor, seq) == seq)
		return 0;
	return atomic_load_relaxed(&io->wb_error);
}

u32 page_cache_error_sample(const struct page_cache *pc)
{
	return atomic_load_acq(&pc->wb_error_seq);
}

int page_cache_error_check(struct page_cache *pc, u32 *cursor)
{
	u32 seq = atomic_load_acq(&pc->wb_error_seq);

	if (atomic_xchg(cursor, seq) == seq)
		return 0;
	return atomic_load_relaxed(&pc->wb_error);
}
