/*
 * One writer of one file, or of many small ones at once: in rounds, it claims
 * dirty folios, maps them, writes them and tells the file system, before anyone
 * who waits for the folios goes on (IO-74).
 *
 * A folio is marked WRITEBACK under its lock before its mapping is looked up,
 * and truncate waits for that flag before it frees blocks: so a mapping used
 * here stays valid. While it holds claimed folios a writer waits for nobody
 * but the device; so two writers, or a writer and a commit, never wait for
 * each other.
 */
#include "base/err.h"
#include "base/mutant.h"
#include "base/trace.h"
#include "iomap/writer.h"
#include "os/mem.h"

int io_writer_create(struct page_cache *pc, struct io_writer **out)
{
	struct io_writer *w = os_alloc(sizeof(*w));
	int err;

	if (!w)
		return ERR(ENOMEM);
	err = io_batch_create(pc, &w->batch);
	if (err) {
		os_free(w);
		return err;
	}
	*out = w;
	return 0;
}

void io_writer_destroy(struct io_writer *w)
{
	if (!w)
		return;
	io_batch_destroy(w->batch);
	os_free(w);
}

void io_writer_begin(struct io_writer *w, struct iofile *io, bool wait)
{
	w->io = io;
	w->wait = wait;
	w->give_up = w->err = 0;
	w->returned = 0;
	w->wb = (struct iomap_writeback){0};
	w->count = 0;
	w->bytes = 0;
}

void io_writer_part_done(struct folio *f, u64 mask, int err)
{
	if (err)
		atomic_store_relaxed(&f->io_error, err);
	else
		atomic_add_relaxed(&f->cache->stats.written_bytes,
			(u64)__builtin_popcountll(mask) * f->cache->p.block_size);
}

/* Counts before the folio turns clean: who waits sees it in one of the two. */
void io_writer_claim(struct io_writer *w, struct folio *f, u64 mask)
{
	ASSERT(os_mutex_held(&f->lock) && !(f->flags & (FOLIO_WRITEBACK | FOLIO_SUBMITTED)));
	f->flags |= FOLIO_WRITEBACK | FOLIO_SUBMITTED;
	atomic_add(&f->io->wb_count, 1);
	folio_get(f);
	w->claimed[w->count++] = (struct claimed){f, mask, mask, 0, w->wb.seen};
	w->bytes += f->size;
}

bool io_writer_full(const struct io_writer *w)
{
	return w->count == ROUND_FOLIOS || w->bytes >= ROUND_BYTES;
}

/*
 * From *pos on, as far as the round reaches. One who waits stops at a folio that another writer
 * has: it may wait for that with empty hands only.
 */
static void claim_round(struct io_writer *w, u64 *pos, u64 end)
{
	struct folio *f;
	bool busy = false;

	while (!busy && !io_writer_full(w) && (f = folio_next(w->io, *pos, end, true)) != NULL) {
		folio_lock(f);
		busy = f->flags & FOLIO_WRITEBACK;
		if (!busy && f->dirty && !(f->flags & FOLIO_GONE)) {
			u64 dirty = f->dirty, mask = folio_clip_to_end(f, dirty);

			if (MUTANT(CLAIM_COUNTED_LATE))
				folio_set_clean(f, dirty);
			TRACE("write_claim", f->pos, mask);
			if (mask)
				io_writer_claim(w, f, mask);
			folio_set_clean(f, f->dirty);
		}
		os_mutex_unlock(&f->lock);
		busy = busy && w->wait;
		if (!busy)
			*pos = f->pos + f->size;
		folio_put(f);
	}
}

/* Bytes from the first block of todo on that are claimed without a gap, over all folios. */
static u64 bytes_ahead(const struct io_writer *w, unsigned k, u64 pos)
{
	u32 bs = w->io->cache->p.block_size;
	u64 end = pos;

	for (; k < w->count; k++) {
		const struct folio *f = w->claimed[k].folio;
		u64 rest = w->claimed[k].todo & folio_mask_touched(f, end, UINT64_MAX);
		u64 run = rest ? mask_first_run(rest) : 0;

		if (!run || f->pos + (u64)__builtin_ctzll(run) * bs != end)
			break;
		end += (u64)__builtin_popcountll(run) * bs;
		if (end < f->pos + f->size)
			break;
	}
	return end - pos;
}

static int map_at(struct io_writer *w, unsigned k, u64 pos, struct iomap *m)
{
	if (iomap_covers(m, pos) && m->cookie == w->io->ops->cookie(w->io))
		return 0;
	*m = (struct iomap){.priv = &w->wb};
	return w->io->ops->writeback->begin(w->io, pos, bytes_ahead(w, k, pos), IOMAP_WRITE, m);
}

/* The first run of what is still to do in the folio goes into the batch. */
static int map_run(struct io_writer *w, unsigned k, struct iomap *m)
{
	struct claimed *c = &w->claimed[k];
	struct folio *f = c->folio;
	u64 run = mask_first_run(c->todo);
	u64 pos = f->pos + (u64)__builtin_ctzll(run) * f->cache->p.block_size;
	int err = map_at(w, k, pos, m);

	if (err && w->give_up) {
		c->lost |= run;
		c->todo &= ~run;
		*m = (struct iomap){0};
		return 0;
	}
	if (err)
		return err;
	run &= folio_mask_inside(f, m->offset, m->offset + m->length);
	if (!run)
		return ERR(EIO);
	if (m->type == IOMAP_MAPPED || m->type == IOMAP_UNWRITTEN)
		io_batch_add(w->batch, f, run, m->addr + (pos - m->offset));
	else /* a hole under dirty data: a truncate has passed, there is nothing to keep */
		c->mask &= ~run;
	c->todo &= ~run;
	return 0;
}

/* What was claimed of w->io: claims from `from` on. */
static int map_claims(struct io_writer *w, unsigned from)
{
	struct iomap m = {0};
	int err;

	for (unsigned k = from; k < w->count; k++) {
		while (w->claimed[k].todo) {
			err = map_run(w, k, &m);
			if (err)
				return err;
		}
	}
	return 0;
}

/* Blocks that got no place, or no memory, are dirty again, or forgotten: a hole reads as zeros
 * (IO-75). */
void io_writer_release(struct io_writer *w)
{
	for (unsigned k = 0; k < w->count; k++) {
		struct claimed *c = &w->claimed[k];
		struct folio *f = c->folio;

		folio_lock(f);
		f->io_error = 0;
		f->uptodate &= ~c->lost;
		if (c->todo) {
			if (!MUTANT(RETURN_COUNTED_EARLY))
				folio_set_dirty(f, c->todo);
			atomic_add(&f->io->wb_returned, 1); /* after: who misses it sees dirt */
			TRACE("write_returned", f->pos, c->todo);
			if (MUTANT(RETURN_COUNTED_EARLY))
				folio_set_dirty(f, c->todo);
		}
		folio_clear_flags(f, FOLIO_WRITEBACK | FOLIO_SUBMITTED);
		atomic_sub(&f->io->wb_count, 1);
		os_mutex_unlock(&f->lock);
		folio_put(f);
	}
	w->count = 0;
	w->bytes = 0;
}

static int round_open(struct io_writer *w)
{
	int err = io_batch_start(w->batch, DEV_WRITE, io_writer_part_done);

	if (err || !w->io->ops->writeback_open)
		return err;
	err = w->io->ops->writeback_open(w->io, &w->wb);
	if (err)
		io_batch_finish(w->batch);
	return err && w->give_up ? io_batch_start(w->batch, DEV_WRITE, io_writer_part_done) : err;
}

/* Nothing more is mapped: all of it goes to the device. */
static int round_write(struct io_writer *w)
{
	const struct iofile_ops *ops = w->io->ops;
	int err = 0;

	if (ops->writeback_close)
		err = ops->writeback_close(w->io, &w->wb);
	TRACE("write_round", w->count, err);
	io_batch_finish(w->batch);
	io_writer_hide_failed(w);
	return err;
}

static void round_tell(struct io_writer *w, int close_err)
{
	io_writer_tell(w, close_err);
	io_writer_release(w);
}

/* *pos moves behind what was claimed; an error tells that some of it is dirty again. */
static int round_run(struct io_writer *w, u64 *pos, u64 end)
{
	int err = round_open(w);

	w->returned = 0;
	if (err)
		return err;
	TRACE("write_open", *pos, w->wb.open);
	claim_round(w, pos, end);
	err = map_claims(w, 0);
	round_tell(w, round_write(w));
	return err ? err : w->returned;
}

/* Is there more to write? Waits, with empty hands, until nobody else writes the next folio. */
static bool more(struct io_writer *w, u64 *pos, u64 end)
{
	struct folio *f = folio_next(w->io, *pos, end, true);

	if (!f)
		return false;
	*pos = max_of(*pos, f->pos);
	if (w->wait) {
		folio_lock(f);
		folio_wait_flags(f, FOLIO_WRITEBACK);
		os_mutex_unlock(&f->lock);
	}
	folio_put(f);
	return true;
}

/*
 * Without memory everything stays dirty, for another time. After any other error that a retry does
 * not cure, what can't be mapped is lost (IO-75).
 */
int io_writer_run(struct io_writer *w, u64 start, u64 end)
{
	const struct iofile_ops *ops = w->io->ops;
	unsigned attempts = 0;
	u64 pos = start;

	while (more(w, &pos, end)) {
		u64 behind = pos;
		int err = round_run(w, &behind, end);

		TRACE("write_rounded", pos, err);
		if (err == -ENOMEM)
			return w->err ? w->err : err;
		if (!err)
			pos = behind;
		else if (!ops->writeback_retry || !ops->writeback_retry(w->io, err, &attempts))
			w->give_up = err;
	}
	return w->err;
}

/* A request may span several files: which of them the device can't take shows when they go alone.
 */
static void keep_failed(struct io_writer *w, int close_err)
{
	for (unsigned k = 0; k < w->count; k++) {
		struct claimed *c = &w->claimed[k];

		if (close_err || atomic_load_relaxed(&c->folio->io_error))
			c->todo = c->mask;
	}
}

/*
 * One handle for all of them: none may be started once a folio is claimed. What it does not reach,
 * and what fails before the device has it, stays dirty.
 */
int io_writer_run_small(struct io_writer *w, struct iofile *const *files, unsigned count)
{
	const struct iofile_ops *ops = files[0]->ops;
	int err = 0;

	io_writer_begin(w, files[0], false);
	w->wb.needed = true;
	if (!ops->writeback_open || round_open(w))
		return 0;
	for (unsigned k = 0; !err && w->wb.open && k < count && !io_writer_full(w); k++) {
		unsigned from = w->count;
		u64 pos = 0;

		w->io = files[k];
		err = ops->writeback_open(w->io, &w->wb);
		if (err)
			break;
		claim_round(w, &pos, UINT64_MAX);
		err = map_claims(w, from);
	}
	keep_failed(w, round_write(w));
	round_tell(w, 0);
	return w->err;
}
