/*
 * The list of dirty files and the thread that writes them: what is older than
 * expire_ms, everything when there is too much, all of it for a sync.
 */
#include "base/mutant.h"
#include "iomap/folio.h"
#include "os/clock.h"

#define WAKE_MS 1000

static void file_list(struct iofile *io, u64 when_ns)
{
	struct page_cache *pc = io->cache;

	if (atomic_load_acq(&io->dirty_listed))
		return;
	os_mutex_lock(&pc->lock);
	if (!io->dirty_listed) {
		atomic_store_rel(&io->dirty_listed, true);
		io->dirtied_when_ns = when_ns;
		list_add_tail(&pc->dirty_files, &io->dirty_node);
	}
	os_mutex_unlock(&pc->lock);
}

void dirty_file_note(struct iofile *io)
{
	if (!atomic_load_acq(&io->dirty_listed))
		file_list(io, os_clock_mono());
}

void dirty_file_forget(struct iofile *io)
{
	os_mutex_lock(&io->cache->lock);
	if (io->dirty_listed) {
		list_del(&io->dirty_node);
		atomic_store_rel(&io->dirty_listed, false);
	}
	os_mutex_unlock(&io->cache->lock);
}

/* One file that was taken off the list and is being written; on the taker's stack. */
struct pass {
	struct list node; /* lock: cache lock */
	u64 seq;
	struct iofile *io;
};

#define PASSES_MAX 64 /* of one taker */
#define SMALL_FOLIOS 16

/*
 * Takes the oldest file dirtied before the limit off the list, pinned. One on
 * its way out is left to its own end, but taken off so that the walk goes on.
 */
static bool pass_begin_locked(struct page_cache *pc, u64 limit_ns, struct pass *pass)
{
	pass->io = NULL;
	while (!pass->io && !pc->quiet && !list_empty(&pc->dirty_files)) {
		struct iofile *io = list_first(&pc->dirty_files, struct iofile, dirty_node);

		if (io->dirtied_when_ns > limit_ns)
			break;
		list_del(&io->dirty_node);
		/* seq_cst against folio_set_dirty: either it sees the flag gone, or we see its
		 * folio. */
		(void)atomic_xchg(&io->dirty_listed, false);
		if (!io->ops->get(io))
			continue;
		pass->io = io;
		pass->seq = ++pc->pass_seq;
		list_add_tail(&pc->passes, &pass->node);
	}
	return pass->io != NULL;
}

/* As many small files as come one after the other, or one that is not. */
static unsigned passes_begin(struct page_cache *pc, u64 limit_ns, struct pass *passes)
{
	unsigned n = 0;
	bool small = true;

	os_mutex_lock(&pc->lock);
	while (small && n < PASSES_MAX && pass_begin_locked(pc, limit_ns, &passes[n])) {
		small = atomic_load_relaxed(&passes[n].io->dirty_count) <= SMALL_FOLIOS;
		n++;
	}
	os_mutex_unlock(&pc->lock);
	return n;
}

/* What could not even be tried, for want of memory, goes back on the list. */
static void passes_end(struct page_cache *pc, u64 limit_ns, struct pass *passes, unsigned count)
{
	for (unsigned k = 0; k < count; k++) {
		struct iofile *io = passes[k].io;

		if (iofile_is_dirty(io))
			file_list(io, max_of(os_clock_mono(), limit_ns + 1));
		io->ops->put(io); /* before: who waits for the pass counts on that */
	}
	os_mutex_lock(&pc->lock);
	for (unsigned k = 0; k < count; k++)
		list_del(&passes[k].node);
	os_cond_broadcast(&pc->progress);
	os_mutex_unlock(&pc->lock);
}

/* Side by side what is small, then each to its end. */
static int passes_run(struct page_cache *pc, struct pass *passes, unsigned count)
{
	struct iofile *files[PASSES_MAX];
	unsigned small = 0;
	int err;

	for (unsigned k = 0; k < count; k++)
		if (atomic_load_relaxed(&passes[k].io->dirty_count) <= SMALL_FOLIOS)
			files[small++] = passes[k].io;
	err = files_write_small(pc, files, small);
	for (unsigned k = 0; k < count; k++) {
		int one = iofile_write_range(
			passes[k].io, 0, UINT64_MAX, !MUTANT(PASS_FORGETS_WRITEBACK));

		err = err ? err : one;
	}
	return err;
}

/*
 * A pass waits for what others write of its file, too: a sync finds neither that file on the list
 * nor its writer among the passes (IO-94).
 */
static int write_files(struct page_cache *pc, u64 limit_ns)
{
	struct pass passes[PASSES_MAX];
	unsigned n;
	int err = 0;

	while ((n = passes_begin(pc, limit_ns, passes)) != 0) {
		int some = passes_run(pc, passes, n);

		err = err ? err : some;
		passes_end(pc, limit_ns, passes, n);
	}
	return err;
}

/* Files that others took off the list before us are not on it, nor durable yet (IO-94). */
static void passes_wait(struct page_cache *pc)
{
	u64 limit;

	os_mutex_lock(&pc->lock);
	limit = pc->pass_seq;
	while (!list_empty(&pc->passes) && list_first(&pc->passes, struct pass, node)->seq <= limit)
		os_cond_wait(&pc->progress, &pc->lock);
	os_mutex_unlock(&pc->lock);
}

void page_cache_quiesce(struct page_cache *pc)
{
	os_workqueue_flush(pc->readers);
	os_mutex_lock(&pc->lock);
	pc->quiet = true;
	while (!list_empty(&pc->passes))
		os_cond_wait(&pc->progress, &pc->lock);
	os_mutex_unlock(&pc->lock);
}

void page_cache_resume(struct page_cache *pc)
{
	os_mutex_lock(&pc->lock);
	pc->quiet = false;
	pc->kicked = true;
	os_cond_signal(&pc->kick);
	os_mutex_unlock(&pc->lock);
}

int page_cache_sync(struct page_cache *pc)
{
	int err = write_files(pc, os_clock_mono());

	passes_wait(pc);
	return err;
}

static bool too_much(const struct page_cache *pc)
{
	u64 limit = pc->p.max_bytes / 100 * pc->p.dirty_percent;

	return atomic_load_relaxed(&pc->dirty_bytes) > limit / 2;
}

static void flusher_thread(void *arg)
{
	struct page_cache *pc = arg;

	os_mutex_lock(&pc->lock);
	while (!pc->stopping) {
		u64 now = os_clock_mono(), expire = pc->p.expire_ms * NSEC_PER_MSEC;

		if (!pc->kicked)
			os_cond_wait_until(&pc->kick, &pc->lock, now + WAKE_MS * NSEC_PER_MSEC);
		pc->kicked = false;
		os_mutex_unlock(&pc->lock);
		now = os_clock_mono();
		write_files(pc, too_much(pc) ? now : now - min_of(expire, now));
		os_mutex_lock(&pc->lock);
		pc->rounds++;
		os_cond_broadcast(&pc->progress);
	}
	os_mutex_unlock(&pc->lock);
}

void flusher_kick(struct page_cache *pc)
{
	os_mutex_lock(&pc->lock);
	if (!pc->kicked) {
		pc->kicked = true;
		os_cond_signal(&pc->kick);
	}
	os_mutex_unlock(&pc->lock);
}

/* The round in progress may have passed the files by: only the next one counts. */
void flusher_wait_below(struct page_cache *pc, u64 limit)
{
	u64 until;

	os_mutex_lock(&pc->lock);
	until = pc->rounds + 2;
	while (atomic_load_relaxed(&pc->dirty_bytes) > limit && pc->rounds < until &&
		!pc->stopping) {
		pc->kicked = true;
		os_cond_signal(&pc->kick);
		os_cond_wait(&pc->progress, &pc->lock);
	}
	os_mutex_unlock(&pc->lock);
}

int flusher_start(struct page_cache *pc)
{
	return os_thread_create(&pc->flusher, "flusher", flusher_thread, pc);
}

void flusher_stop(struct page_cache *pc)
{
	os_mutex_lock(&pc->lock);
	pc->stopping = true;
	os_cond_signal(&pc->kick);
	os_mutex_unlock(&pc->lock);
	os_thread_join(pc->flusher);
}
