/*
 * Writing what has its place already: for the commit, which must neither
 * allocate nor wait for a handle (IO-134), and for those who only owe a
 * transaction its ordered data (IO-76, IO-77).
 */
#include "base/err.h"
#include "base/trace.h"
#include "iomap/writer.h"

/*
 * Puts the written blocks of mask into the batch; returns them. *clean: those of them that owe
 * nothing else. The rest (say, a size on disk that lies behind) stays dirty for a full writer.
 */
u64 io_writer_add_mapped(struct io_writer *w, struct folio *f, u64 mask, u64 *clean, int *err)
{
	u32 bs = f->cache->p.block_size;
	struct iomap m = {0};
	u64 added = 0;

	*clean = 0;
	while (mask && !*err) {
		u64 run = mask_first_run(mask), pos = f->pos + (u64)__builtin_ctzll(run) * bs;
		u64 len = (u64)__builtin_popcountll(run) * bs;

		*err = w->io->ops->writeback->begin(
			w->io, pos, len, IOMAP_WRITE | IOMAP_REPORT, &m);
		if (*err)
			break;
		run &= folio_mask_inside(f, m.offset, m.offset + m.length);
		if (!run)
			*err = ERR(EIO);
		if (m.type == IOMAP_MAPPED && run) {
			io_batch_add(w->batch, f, run, m.addr + (pos - m.offset));
			added |= run;
			*clean |= m.flags & IOMAP_DIRTY ? 0 : run;
		}
		mask &= ~run;
	}
	return added;
}

/* Under the folio's lock, so that nobody changes what is mapped here. */
static int claim_mapped(struct io_writer *w, struct folio *f, u64 start, u64 end)
{
	u64 added, clean;
	int err = 0;

	added = io_writer_add_mapped(w, f,
		folio_clip_to_end(f, f->dirty & folio_mask_touched(f, start, end)), &clean, &err);
	if (added) {
		io_writer_claim(w, f, added);
		w->claimed[w->count - 1].todo = 0;
	}
	folio_set_clean(f, clean);
	return err;
}

static void finish(struct io_writer *w)
{
	io_batch_finish(w->batch);
	io_writer_hide_failed(w);
	for (unsigned k = 0; k < w->count; k++) {
		int err = atomic_load_relaxed(&w->claimed[k].folio->io_error);

		if (err && !w->err)
			w->err = io_writer_error(err);
	}
	if (w->err)
		iofile_error_set(w->io, w->err);
	io_writer_release(w);
}

/*
 * Waits for the device where another writer has submitted a folio, not for what that writer does
 * afterwards. Folios are taken upwards, and a writer of the other kind waits for none while it has
 * any: no circle.
 */
int io_writer_run_mapped(struct io_writer *w, u64 start, u64 end)
{
	struct folio *f;
	u64 pos = start;
	int err = io_batch_start(w->batch, DEV_WRITE, io_writer_part_done), map_err = 0;

	while (!err && (f = folio_next(w->io, pos, end, false)) != NULL) {
		pos = f->pos + f->size;
		folio_lock(f);
		folio_wait_flags(f, FOLIO_SUBMITTED);
		if (f->dirty && !(f->flags & (FOLIO_GONE | FOLIO_WRITEBACK)))
			map_err = claim_mapped(w, f, start, end);
		os_mutex_unlock(&f->lock);
		folio_put(f);
		if (map_err && !w->err)
			w->err = io_writer_error(map_err);
		if (!io_writer_full(w))
			continue;
		finish(w);
		err = io_batch_start(w->batch, DEV_WRITE, io_writer_part_done);
	}
	if (err)
		return w->err ? w->err : err;
	TRACE("write_mapped", start, end);
	finish(w);
	return w->err;
}
