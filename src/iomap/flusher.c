/*
 * The list of dirty files and the thread that writes them: what is older than
 * expire_ms, everything when there is too much, all of it for a sync.
 */
#include "iomap/folio.h"
#include "os/clock.h"

#define WAKE_MS 1000

void dirty_file_note(struct iofile *io)
{
	struct page_cache *pc = io->cache;

	if (atomic_load_acq(&io->dirty_listed))
		return;
	os_mutex_lock(&pc->lock);
	if (!io->dirty_listed) {
		atomic_store_rel(&io->dirty_listed, true);
		io->dirtied_when_ns = os_clock_mono();
		list_add_tail(&pc->dirty_files, &io->dirty_node);
	}
	os_mutex_unlock(&pc->lock);
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

/*
 * Takes the oldest file dirtied before the limit off the list, pinned. One on
 * its way out is left to its own end, but taken off so that the walk goes on.
 */
static struct iofile *dirty_file_take(struct page_cache *pc, u64 limit_ns)
{
	struct iofile *found = NULL;

	os_mutex_lock(&pc->lock);
	while (!found && !list_empty(&pc->dirty_files)) {
		struct iofile *io = list_first(&pc->dirty_files, struct iofile, dirty_node);

		if (io->dirtied_when_ns > limit_ns)
			break;
		list_del(&io->dirty_node);
		/* seq_cst against folio_set_dirty: either it sees the flag gone, or we see its
		 * folio. */
		(void)atomic_xchg(&io->dirty_listed, false);
		if (io->ops->get(io))
			found = io;
	}
	os_mutex_unlock(&pc->lock);
	return found;
}

static int write_files(struct page_cache *pc, u64 limit_ns, bool wait)
{
	struct iofile *io;
	int err = 0;

	while ((io = dirty_file_take(pc, limit_ns)) != NULL) {
		int one = iofile_write_range(io, 0, UINT64_MAX, wait);

		err = err ? err : one;
		io->ops->put(io);
	}
	return err;
}

int page_cache_sync(struct page_cache *pc)
{
	return write_files(pc, os_clock_mono(), true);
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
		write_files(pc, too_much(pc) ? now : now - min_of(expire, now), false);
		os_mutex_lock(&pc->lock);
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
