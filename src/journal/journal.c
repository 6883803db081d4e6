/* Life of a journal: memory, threads, stop, abort; and the waits for commits. */
#include "base/trace.h"
#include "journal/journal_locks.h"
#include "journal/txn_priv.h"
#include "os/clock.h"
#include "os/mem.h"

#include <string.h>

#define INTERVAL_MS_DEFAULT 5000

static int copy_runs(struct journal *j)
{
	const struct journal_run *from = j->p.runs;
	struct journal_run *runs = os_calloc(max_of(j->p.run_count, 1u), sizeof(*runs));

	j->p.runs = runs; /* never the caller's: this one is freed */
	if (!runs)
		return ERR(ENOMEM);
	if (j->p.run_count)
		memcpy(runs, from, j->p.run_count * sizeof(*runs));
	return 0;
}

int journal_alloc(const struct journal_params *params, struct journal **out)
{
	struct journal *j = os_zalloc(sizeof(*j));
	int err;

	if (!j)
		return ERR(ENOMEM);
	j->p = *params;
	j->block_size = params->bcache->p.block_size;
	j->next_tid = 1;
	j->interval_ns =
		(params->commit_interval_ms ? params->commit_interval_ms : INTERVAL_MS_DEFAULT) *
		NSEC_PER_MSEC;
	os_mutex_init(&j->super_lock, RANK_CACHE, "journal_super");
	os_mutex_init(&j->lock, RANK_JOURNAL, "journal");
	os_mutex_init(&j->list_lock, RANK_JOURNAL, "journal_lists");
	os_mutex_init(&j->tail_lock, RANK_HANDLE, "journal_tail");
	os_mutex_init(&j->nj_flush, RANK_HANDLE, "nojournal_flush");
	os_cond_init(&j->state_cond, "journal_state");
	os_cond_init(&j->done_cond, "journal_done");
	os_cond_init(&j->commit_cond, "journal_commit");
	os_cond_init(&j->cp_cond, "journal_checkpoint");
	os_cond_init(&j->ordered_cond, "journal_ordered");
	list_init(&j->cp_txns);
	list_init(&j->dead);
	list_init(&j->dirty);
	err = copy_runs(j);
	if (!err && params->log_dev) {
		j->super = os_alloc_pages(j->block_size);
		err = j->super ? 0 : ERR(ENOMEM);
	}
	if (err) {
		os_free((void *)j->p.runs);
		os_free(j);
		return err;
	}
	*out = j;
	return 0;
}

static void free_live(struct journal *j)
{
	revoke_tables_destroy(j);
	batch_destroy(j->commit_io);
	batch_destroy(j->cp_io);
	os_free(j->cp_items);
	if (j->block)
		os_free_pages(j->block, j->block_size);
	j->commit_io = j->cp_io = NULL;
	j->cp_items = NULL;
	j->block = NULL;
}

void journal_destroy(struct journal *j)
{
	if (!j)
		return;
	ASSERT(!j->running_threads);
	free_live(j);
	if (j->super)
		os_free_pages(j->super, j->block_size);
	os_free((void *)j->p.runs);
	os_free(j);
}

/* JB-3: the largest transaction, so that two of them and a backlog always fit. */
static void size_transactions(struct journal *j)
{
	j->max_log = (j->log_end - j->log_first) / 4;
	j->tags_per_block = commit_tags_per_block(j);
	j->revokes_per_block = commit_revokes_per_block(j);
	j->max_credits = j->max_log - 2 - (u32)div_up(j->max_log, j->tags_per_block);
}

/* Staging memory: each half takes the largest transaction, if that is small. */
static size_t staging_bytes(const struct journal *j)
{
	u64 largest = (u64)(j->log_end - j->log_first) / 4 * j->block_size;

	return journal_exists(j) ? (size_t)min_of(2 * largest, (u64)BATCH_BYTES) : BATCH_BYTES;
}

static int alloc_live(struct journal *j)
{
	bool journal = journal_exists(j);
	int err;

	j->cp_items = os_calloc(CP_WINDOW, checkpoint_item_size());
	j->block = os_alloc_pages(j->block_size);
	err = j->cp_items && j->block ? 0 : ERR(ENOMEM);
	if (!err)
		err = batch_create(j->p.fs_dev, j->block_size, staging_bytes(j), &j->cp_io);
	if (!err && journal)
		err = batch_create(j->p.log_dev, j->block_size, staging_bytes(j), &j->commit_io);
	if (!err && journal)
		err = revoke_tables_create(j);
	if (err)
		free_live(j);
	return err;
}

static void end_threads(struct journal *j)
{
	os_mutex_lock(&j->lock);
	j->stopping = true;
	os_cond_broadcast(&j->commit_cond);
	os_mutex_unlock(&j->lock);
	if (j->commit_thread)
		os_thread_join(j->commit_thread);
	os_mutex_lock(&j->lock);
	j->cp_stop = true;
	os_cond_broadcast(&j->cp_cond);
	os_mutex_unlock(&j->lock);
	if (j->cp_thread)
		os_thread_join(j->cp_thread);
	j->commit_thread = j->cp_thread = NULL;
	j->running_threads = false;
}

static int start_threads(struct journal *j)
{
	bool journal = journal_exists(j);
	int err;

	j->stopping = j->cp_stop = false;
	err = os_thread_create(&j->commit_thread, journal ? "journal-commit" : "journal-flush",
		journal ? commit_main : nojournal_main, j);
	if (!err && journal)
		err = os_thread_create(&j->cp_thread, "journal-checkpoint", checkpoint_main, j);
	j->running_threads = true;
	if (err)
		end_threads(j);
	return err;
}

int journal_run(struct journal *j)
{
	int err;

	ASSERT(!j->running_threads);
	if (journal_exists(j)) {
		err = journal_super_upgrade(j);
		if (err)
			return err;
		j->log_used = 0;
		j->log_empty = true;
	}
	err = alloc_live(j);
	if (!err && journal_exists(j))
		size_transactions(j);
	if (!err)
		err = start_threads(j);
	if (err)
		free_live(j);
	return err;
}

/* After an abort: the pins of what never reached its place are dropped. */
static void drop_txn(struct journal *j, struct txn *t)
{
	while (!list_empty(&t->bufs)) {
		struct buf_join *join = list_first(&t->bufs, struct buf_join, node);
		struct buf *b = buf_of_join(join, t->tid);

		os_mutex_lock(&b->lock);
		list_del(&join->node);
		join->flags = 0;
		atomic_store_rel(&join->txn, NULL);
		if (b->frozen)
			bcache_data_free(b->cache, b->frozen);
		b->frozen = NULL;
		os_mutex_unlock(&b->lock);
		buf_put(b);
	}
	while (!list_empty(&t->cp_bufs)) {
		struct buf *b = list_first(&t->cp_bufs, struct buf, cp_node);

		os_mutex_lock(&b->lock);
		checkpoint_remove_locked(j, b);
		os_mutex_unlock(&b->lock);
		buf_put(b);
	}
}

static void drop_list(struct journal *j, struct list *txns)
{
	while (!list_empty(txns)) {
		struct txn *t = list_first(txns, struct txn, node);

		drop_txn(j, t);
		list_del(&t->node);
		os_mutex_lock(&j->lock);
		txn_free_locked(t);
		os_mutex_unlock(&j->lock);
	}
}

/* Operations that are late get EROFS: what they changed now would miss the flush. */
static void refuse_handles(struct journal *j)
{
	os_mutex_lock(&j->lock);
	j->stopping = true;
	os_cond_broadcast(&j->state_cond);
	os_cond_broadcast(&j->commit_cond);
	while (j->nj_open)
		os_cond_wait(&j->state_cond, &j->lock);
	os_mutex_unlock(&j->lock);
}

int journal_stop(struct journal *j)
{
	bool empty;
	int err;

	if (!j->running_threads)
		return 0;
	refuse_handles(j);
	err = journal_exists(j) ? journal_flush(j) : journal_write_dirty(j);
	end_threads(j);
	if (!journal_exists(j)) {
		nojournal_drop(j);
	} else if (!err && !journal_aborted(j)) {
		err = journal_mark_empty(j, 1, &empty); /* JB-31 */
		if (err)
			journal_abort(j, err);
		ASSERT(empty);
	}
	if (j->errno_pending) /* aborted after the commit thread ended */
		journal_super_set_errno(j, atomic_load_acq(&j->abort_err));
	if (!err && journal_aborted(j))
		err = ERR(EIO);
	drop_list(j, &j->dead);
	drop_list(j, &j->cp_txns);
	free_live(j);
	return err;
}

void journal_set_interval(struct journal *j, u32 commit_interval_ms)
{
	os_mutex_lock(&j->lock);
	j->interval_ns =
		(commit_interval_ms ? commit_interval_ms : INTERVAL_MS_DEFAULT) * NSEC_PER_MSEC;
	os_cond_signal(&j->commit_cond);
	os_mutex_unlock(&j->lock);
}

/* JB-38. The errno goes to the journal superblock by the commit thread. */
void journal_abort(struct journal *j, int err)
{
	int none = 0;

	if (!atomic_cas(&j->abort_err, &none, err))
		return;
	TRACE("journal_abort", -err, 0);
	log_msg(j->p.log, LOG_ERROR,
		"journal: aborted by error %d: changes are refused, repair with a check", -err);
	os_mutex_lock(&j->lock);
	j->errno_pending = journal_exists(j) && err != -ESHUTDOWN; /* asked for: no damage */
	os_cond_broadcast(&j->state_cond);
	os_cond_broadcast(&j->done_cond);
	os_cond_broadcast(&j->commit_cond);
	os_cond_broadcast(&j->cp_cond);
	os_mutex_unlock(&j->lock);
	if (j->p.aborted)
		j->p.aborted(j->p.arg, err);
}

bool journal_aborted(const struct journal *j)
{
	return atomic_load_acq(&j->abort_err) != 0;
}

bool journal_exists(const struct journal *j)
{
	return j->p.log_dev != NULL;
}

void journal_stats(struct journal *j, struct journal_stats *out)
{
	os_mutex_lock(&j->lock);
	*out = j->stats;
	if (journal_exists(j)) {
		out->log_blocks = j->log_end - j->log_first;
		out->log_free = log_free_locked(j);
	}
	os_mutex_unlock(&j->lock);
}
