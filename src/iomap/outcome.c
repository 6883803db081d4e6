/*
 * What follows the device in a writer's round: the file system learns the
 * outcome, stretch by stretch; what only lacked memory or room goes again, what
 * another conversion has spoiled is written once more (IO-15, IO-75).
 */
#include "base/err.h"
#include "base/trace.h"
#include "iomap/writer.h"

/* A stretch of blocks with one outcome. */
struct span {
	u64 pos, end;
	int err;
};

/* What lacked only memory, or room for its record, goes again in another round. */
static void span_return(struct io_writer *w, const struct span *s, int err)
{
	for (unsigned k = 0; k < w->count; k++) {
		struct claimed *c = &w->claimed[k];

		if (c->folio->io == w->io)
			c->todo |= c->mask & ~c->lost & folio_mask_inside(c->folio, s->pos, s->end);
	}
	w->returned = w->returned ? w->returned : err;
}

/* Memory comes later, and room with a commit: until that was given up the stretch goes again. */
static bool passes(const struct io_writer *w, const struct span *s, int err)
{
	return err == -ENOMEM || (err == -ENOSPC && !s->err && !w->give_up);
}

static void span_tell(struct io_writer *w, const struct span *s)
{
	const struct iofile_ops *ops = w->io->ops;
	int err = s->err;

	if (s->end == s->pos)
		return;
	if (ops->written)
		err = ops->written(w->io, s->pos, s->end - s->pos, err);
	if (passes(w, s, err)) {
		span_return(w, s, err);
		return;
	}
	if (err == -ENOSPC && !s->err)
		err = ops->written(w->io, s->pos, s->end - s->pos, w->give_up);
	if (!w->file_err)
		w->file_err = io_writer_error(err);
}

static void span_add(struct io_writer *w, struct span *s, const struct folio *f, u64 mask, int err)
{
	u32 bs = f->cache->p.block_size;

	while (mask) {
		u64 run = mask_first_run(mask), pos = f->pos + (u64)__builtin_ctzll(run) * bs;
		u64 end = pos + (u64)__builtin_popcountll(run) * bs;

		if (s->end != pos || s->err != err) {
			span_tell(w, s);
			*s = (struct span){pos, pos, err};
		}
		s->end = end;
		mask &= ~run;
	}
}

static void hide_failed(struct folio *f, u64 mask)
{
	const struct iofile_ops *ops = f->io->ops;
	u32 bs = f->cache->p.block_size;

	for (u64 run; mask; mask &= ~run) {
		run = mask_first_run(mask);
		ops->first_write_failed(f->io, f->pos + (u64)__builtin_ctzll(run) * bs,
			(u64)__builtin_popcountll(run) * bs);
	}
}

/* Law 1: what an unwritten block does by itself. Writers wait for WRITEBACK: fresh stands still. */
void io_writer_hide_failed(struct io_writer *w)
{
	if (!w->io->ops->first_write_failed)
		return;
	for (unsigned k = 0; k < w->count; k++) {
		struct claimed *c = &w->claimed[k];
		u64 mask = c->mask & ~c->todo & ~c->lost;

		folio_lock(c->folio);
		mask &= c->folio->fresh;
		c->folio->fresh &= ~mask;
		os_mutex_unlock(&c->folio->lock);
		if (atomic_load_relaxed(&c->folio->io_error))
			hide_failed(c->folio, mask);
	}
}

/* The device is done with them, the file system is not: a commit need not wait any longer. */
static void clear_submitted(struct io_writer *w)
{
	for (unsigned k = 0; k < w->count; k++) {
		struct folio *f = w->claimed[k].folio;

		folio_lock(f);
		folio_clear_flags(f, FOLIO_SUBMITTED);
		os_mutex_unlock(&f->lock);
	}
}

/* Once more to where it is mapped by now, for what an error has not settled already. */
static int write_again(struct io_writer *w, unsigned from, unsigned to)
{
	int err = io_batch_start(w->batch, DEV_WRITE, io_writer_part_done);
	u64 clean;

	if (err)
		return err;
	for (unsigned k = from; k < to && !err; k++) {
		struct claimed *c = &w->claimed[k];
		u64 mask = c->mask & ~c->todo & ~c->lost;

		if (mask && !atomic_load_relaxed(&c->folio->io_error))
			(void)io_writer_add_mapped(w, c->folio, mask, &clean, &err);
	}
	io_batch_finish(w->batch);
	for (unsigned k = from; k < to && !err; k++)
		err = atomic_load_relaxed(&w->claimed[k].folio->io_error);
	return err;
}

static void repair_spoiled(struct io_writer *w, unsigned from, unsigned to)
{
	const struct iofile_ops *ops = w->io->ops;
	int err;

	w->wb.seen = w->claimed[from].seen;
	if (!ops->writeback_spoiled || !ops->writeback_spoiled(w->io, &w->wb))
		return;
	TRACE("write_again", to - from, 0);
	err = write_again(w, from, to);
	if (err == -ENOMEM)
		span_return(w, &(struct span){.end = UINT64_MAX}, err);
	else if (err && !w->file_err)
		w->file_err = io_writer_error(err);
}

/* Of the claims [from, to), all of w->io. */
static void tell_outcome(struct io_writer *w, unsigned from, unsigned to, int close_err)
{
	struct span s = {0};

	w->file_err = 0;
	for (unsigned k = from; k < to; k++) {
		struct claimed *c = &w->claimed[k];
		int err = atomic_load_relaxed(&c->folio->io_error);

		span_add(w, &s, c->folio, c->mask & ~c->todo & ~c->lost,
			close_err ? close_err : err);
	}
	span_tell(w, &s);
	s = (struct span){0};
	for (unsigned k = from; k < to; k++)
		span_add(w, &s, w->claimed[k].folio, w->claimed[k].lost, w->give_up);
	span_tell(w, &s);
	repair_spoiled(w, from, to);
	if (w->file_err)
		iofile_error_set(w->io, w->file_err);
	w->err = w->err ? w->err : w->file_err;
}

void io_writer_tell(struct io_writer *w, int close_err)
{
	unsigned to;

	if (w->io->ops->written)
		clear_submitted(w);
	for (unsigned from = 0; from < w->count; from = to) {
		w->io = w->claimed[from].folio->io;
		for (to = from + 1; to < w->count && w->claimed[to].folio->io == w->io;)
			to++;
		tell_outcome(w, from, to, close_err);
	}
}
