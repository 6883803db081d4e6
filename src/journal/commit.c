/* The commit thread: takes a transaction from LOCKED to CHECKPOINT. */
#include "base/mutant.h"
#include "base/trace.h"
#include "journal/journal_locks.h"
#include "journal/txn_priv.h"
#include "os/clock.h"
#include "os/mem.h"

/* No handle is open any more: how much will be logged is known, so log space is taken now. */
static void take_log_space_locked(struct journal *j, struct txn *t)
{
	u32 revokes;

	journal_lists_lock(j);
	revokes = revoke_count(j, t->tid);
	journal_lists_unlock(j);
	t->logged = t->dirty || revokes;
	if (!t->logged)
		return;
	t->log_len = txn_log_blocks(j, t->dirty, revokes);
	BUG_ON(t->log_len > log_free_locked(j));
	t->seq = j->next_seq++;
	t->log_start = j->head;
	t->first = j->log_empty;
	j->log_empty = false;
	j->head = log_next(j, j->head, t->log_len);
	j->log_used += t->log_len;
	j->stats.blocks_logged += t->dirty;
	j->stats.revokes += revokes;
}

/* RUNNING -> LOCKED -> FLUSH. Caller holds journal->lock, released while handles are open. */
static void lock_down_locked(struct journal *j, struct txn *t)
{
	txn_advance_locked(t, TXN_LOCKED);
	while (t->open)
		os_cond_wait(&j->state_cond, &j->lock);
	if (!journal_aborted(j))
		take_log_space_locked(j, t);
	j->running = NULL;
	j->committing = t;
	txn_advance_locked(t, TXN_FLUSH);
}

static void advance(struct journal *j, struct txn *t, enum txn_state to)
{
	os_mutex_lock(&j->lock);
	txn_advance_locked(t, to);
	os_mutex_unlock(&j->lock);
}

static int check_abort(const struct journal *j)
{
	return journal_aborted(j) ? ERR(EIO) : 0;
}

/* JB-20, JB-21: data first; its errors belong to fsync unless data_err=abort. */
static int write_data(struct journal *j, struct txn *t)
{
	int err = MUTANT(ORDERED_SKIPPED) ? 0 : ordered_write(j, t);

	if (!err)
		return 0;
	log_msg(j->p.log, LOG_WARNING, "journal: error %d writing ordered data of transaction %u",
		-err, t->tid);
	return j->p.data_err_abort ? err : 0;
}

static int flush_fs(struct journal *j)
{
	int err;

	if (j->p.no_barrier)
		return 0;
	commit_flush_begins(j);
	err = dev_flush(j->p.fs_dev);
	if (!err)
		commit_flush_ended(j);
	return err;
}

/* JB-22: data, log, wait, record. JB-23: an external journal has the data flushed before. */
static int write_txn(struct journal *j, struct txn *t)
{
	int err = check_abort(j);

	if (!err)
		err = write_data(j, t);
	advance(j, t, TXN_COMMIT);
	if (!err && t->logged)
		err = commit_write_log(j, t);
	if (!err && t->logged && j->p.log_dev != j->p.fs_dev)
		err = flush_fs(j);
	if (!err)
		err = check_abort(j);
	advance(j, t, TXN_RECORD);
	if (!err && t->logged)
		err = commit_write_record(j, t);
	return err;
}

/* A freed buffer leaves every older checkpoint; its home write, if any, ends first (JB-19). */
static unsigned refile_forgotten_locked(struct journal *j, struct buf *b, struct buf_join *other)
{
	unsigned puts = !MUTANT(FORGET_KEEPS_CHECKPOINT) && checkpoint_remove_locked(j, b) ? 2 : 1;

	buf_wait_writeback_locked(b);
	if (!other->txn) /* else already created anew */
		buf_clear_flags(b, BUF_UPTODATE | BUF_VERIFIED | BUF_UNSEALED);
	return puts;
}

/* The newest copy is the one that checkpoint must bring home (JB-26). */
static unsigned refile_dirty_locked(
	struct journal *j, struct txn *t, struct buf *b, const struct buf_join *join)
{
	unsigned puts = checkpoint_remove_locked(j, b) ? 1 : 0;

	b->cp_txn = t;
	b->log_block = join->log_block;
	if (join->flags & JOIN_ESCAPED)
		buf_set_flags(b, BUF_ESCAPED);
	else
		buf_clear_flags(b, BUF_ESCAPED);
	journal_lists_lock(j);
	list_add_tail(&t->cp_bufs, &b->cp_node);
	atomic_add_relaxed(&j->cp_bufs, 1);
	journal_lists_unlock(j);
	return puts;
}

static void refile(struct journal *j, struct txn *t, struct buf *b)
{
	struct buf_join *join = &b->join[t->tid & 1], *other = &b->join[!(t->tid & 1)];
	unsigned puts = 1;

	os_mutex_lock(&b->lock);
	ASSERT(join->txn == t);
	if (join->flags & JOIN_FORGET)
		puts = refile_forgotten_locked(j, b, other);
	else if (join->flags & JOIN_DIRTY)
		puts = refile_dirty_locked(j, t, b, join);
	buf_clear_flags(b, BUF_FRESH); /* this copy is in the log, also if the next one has b */
	if (b->frozen) {
		bcache_data_free(b->cache, b->frozen);
		b->frozen = NULL;
	}
	list_del(&join->node);
	atomic_store_relaxed(&join->flags, 0);
	atomic_store_rel(&join->txn, NULL);
	os_mutex_unlock(&b->lock);
	while (puts--)
		buf_put(b);
}

static void run_callbacks(struct journal *j, struct txn *t, int err)
{
	struct commit_callback *cb;

	for (;;) {
		journal_lists_lock(j);
		cb = list_empty(&t->callbacks)
			     ? NULL
			     : list_first(&t->callbacks, struct commit_callback, node);
		if (cb)
			list_del(&cb->node);
		journal_lists_unlock(j);
		if (!cb)
			return;
		cb->fn(cb, err);
	}
}

/* The record is durable: JB-22 d. */
static void finish_txn(struct journal *j, struct txn *t)
{
	advance(j, t, TXN_CALLBACK);
	while (!list_empty(&t->bufs)) {
		struct buf_join *join = list_first(&t->bufs, struct buf_join, node);

		refile(j, t, buf_of_join(join, t->tid));
	}
	run_callbacks(j, t, 0);
	os_mutex_lock(&j->lock);
	j->committed_tid = t->tid;
	j->committing = NULL;
	j->stats.commits++;
	if (t->logged) {
		list_add_tail(&j->cp_txns, &t->node);
		txn_advance_locked(t, TXN_CHECKPOINT);
	} else {
		txn_free_locked(t);
	}
	checkpoint_consider_locked(j);
	if (!MUTANT(WAKE_LOST)) {
		os_cond_broadcast(&j->state_cond);
		os_cond_broadcast(&j->done_cond);
	}
	os_mutex_unlock(&j->lock);
}

/* JB-38: nothing of it goes home; the buffers stay pinned, so that readers see one state. */
static void kill_txn(struct journal *j, struct txn *t, int err)
{
	journal_abort(j, err);
	run_callbacks(j, t, ERR(EIO));
	ordered_drop(j, t);
	os_mutex_lock(&j->lock);
	j->committing = NULL;
	list_add_tail(&j->dead, &t->node);
	txn_advance_locked(t, TXN_DEAD);
	os_mutex_unlock(&j->lock);
}

/* Called and returns with journal->lock held. */
static void commit_txn_locked(struct journal *j)
{
	struct txn *t = j->running;
	int err;

	TRACE("commit_start", t->tid, 0);
	lock_down_locked(j, t);
	os_mutex_unlock(&j->lock);
	err = write_txn(j, t);
	if (err)
		kill_txn(j, t, err);
	else
		finish_txn(j, t);
	TRACE("commit_end", j->committed_tid, err);
	os_mutex_lock(&j->lock);
}

static bool commit_due_locked(const struct journal *j, u64 now)
{
	const struct txn *t = j->running;

	if (!t)
		return false;
	return j->stopping || journal_aborted(j) ||
	       (j->request_tid && tid_geq(j->request_tid, t->tid)) ||
	       now >= t->start_ns + j->interval_ns;
}

static void store_errno_locked(struct journal *j)
{
	int err = atomic_load_acq(&j->abort_err);

	j->errno_pending = false;
	os_mutex_unlock(&j->lock);
	journal_super_set_errno(j, err);
	os_mutex_lock(&j->lock);
}

void commit_main(void *journal)
{
	struct journal *j = journal;

	os_mutex_lock(&j->lock);
	for (;;) {
		if (j->errno_pending)
			store_errno_locked(j);
		else if (commit_due_locked(j, os_clock_mono()))
			commit_txn_locked(j);
		else if (j->stopping && !j->running)
			break;
		else if (j->running)
			os_cond_wait_until(
				&j->commit_cond, &j->lock, j->running->start_ns + j->interval_ns);
		else
			os_cond_wait(&j->commit_cond, &j->lock);
	}
	os_mutex_unlock(&j->lock);
}
