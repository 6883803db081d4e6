/* Handles: joining, growing and leaving the running transaction. */
#include "base/trace.h"
#include "journal/journal_locks.h"
#include "journal/txn_priv.h"
#include "os/clock.h"

static tid_nr tid_after(tid_nr tid)
{
	return tid + 1 ? tid + 1 : 2; /* never 0, and the parity still alternates */
}

/* JB-4: a transaction starts only when the log has room for the largest one. */
static int open_txn_locked(struct journal *j)
{
	u32 size = j->log_end - j->log_first;
	struct txn *t;

	if (log_free_locked(j) < txn_log_max(j)) {
		TRACE("handle_wait_space", j->log_used, size);
		j->stats.waits++;
		checkpoint_kick_locked(j, size - 1 - txn_log_max(j));
		os_cond_wait(&j->state_cond, &j->lock);
		return 0;
	}
	if ((u64)atomic_load_relaxed(&j->cp_bufs) * j->block_size > j->p.bcache->p.max_bytes) {
		TRACE("handle_wait_memory", j->cp_bufs, 0);
		j->stats.waits++;
		checkpoint_kick_locked(j, j->log_used / 2);
		os_cond_wait(&j->state_cond, &j->lock);
		return 0;
	}
	t = txn_alloc(j);
	if (!t)
		return ERR(ENOMEM);
	t->tid = j->next_tid;
	t->start_ns = os_clock_mono();
	j->next_tid = tid_after(t->tid);
	j->running = t;
	txn_check(t);
	TRACE("txn_start", t->tid, j->log_used);
	os_cond_signal(&j->commit_cond);
	return 0;
}

/* JB-6: a reserved handle may still join while others keep the transaction open. */
static bool joinable_locked(struct txn *t, struct handle *h, u32 credits, u32 revokes)
{
	bool open = t->state == TXN_RUNNING || (h->reserved && t->open > 0);

	if (open && txn_fits_locked(t, credits, revokes, txn_limit(t->journal, h->reserved)))
		return true;
	if (t->state == TXN_RUNNING)
		journal_request_locked(t->journal, t->tid);
	return false;
}

/* Waits until the handle may join, or something fails. Caller holds journal->lock. */
static int join_locked(struct handle *h, u32 credits, u32 revokes)
{
	struct journal *j = h->journal;

	for (;;) {
		struct txn *t = j->running;
		int err = 0;

		if (journal_aborted(j) || j->stopping)
			return ERR(EROFS);
		if (!t) {
			err = open_txn_locked(j);
			if (err)
				return err;
			continue;
		}
		if (joinable_locked(t, h, credits, revokes)) {
			t->open++;
			t->credits += credits;
			t->revokes += revokes;
			h->txn = t;
			return 0;
		}
		TRACE("handle_wait", t->tid, t->state);
		j->stats.waits++;
		os_cond_wait(&j->state_cond, &j->lock);
	}
}

static int join_txn(struct journal *j, struct handle *h, u32 credits, u32 revokes)
{
	int err;

	os_mutex_lock(&j->lock);
	err = join_locked(h, credits, revokes);
	j->stats.handles++;
	os_mutex_unlock(&j->lock);
	if (err)
		return err;
	h->credits = credits;
	h->revoke_credits = revokes;
	os_rank_enter(RANK_HANDLE, h, "handle");
	return 0;
}

static int start(struct journal *j, struct handle *h, u32 credits, u32 revokes, bool reserved)
{
	*h = (struct handle){.journal = j, .requested = credits, .reserved = reserved};
	list_init(&h->callbacks);
	os_rank_assert_none_from(RANK_HANDLE);
	if (!journal_exists(j))
		return nojournal_handle_start(j, h, reserved);
	if (credits + div_up(revokes, j->revokes_per_block) > j->max_credits)
		return ERR(ENOSPC);
	return join_txn(j, h, credits, revokes);
}

int handle_start(struct journal *j, struct handle *h, u32 credits, u32 revokes)
{
	return start(j, h, credits, revokes, false);
}

int handle_start_reserved(struct journal *j, struct handle *h, u32 credits)
{
	return start(j, h, credits, 0, true);
}

/* Nearly full, or pinning much of the cache: time to commit. */
static bool big_locked(const struct txn *t)
{
	const struct journal *j = t->journal;

	return t->credits > j->max_credits - j->max_credits / 8 ||
	       (u64)atomic_load_relaxed(&t->dirty) * j->block_size > j->p.bcache->p.max_bytes / 4;
}

/* Leaves the transaction; the commit thread may be waiting for the last handle. */
static void leave_txn(struct handle *h, bool request)
{
	struct journal *j = h->journal;
	struct txn *t = h->txn;

	os_rank_leave(RANK_HANDLE, h);
	os_mutex_lock(&j->lock);
	txn_check(t);
	ASSERT(t->open > 0 && t->credits >= h->credits && t->revokes >= h->revoke_credits);
	t->open--;
	t->credits -= h->credits;
	t->revokes -= h->revoke_credits;
	if (t->state == TXN_LOCKED && t->open == 0)
		os_cond_broadcast(&j->state_cond);
	if (request || big_locked(t))
		journal_request_locked(j, t->tid);
	os_mutex_unlock(&j->lock);
	h->txn = NULL;
	h->credits = h->revoke_credits = 0;
}

int handle_extend(struct handle *h, u32 credits, u32 revokes)
{
	struct journal *j = h->journal;
	struct txn *t = h->txn;
	int ret = 1;

	if (!journal_exists(j))
		return 0;
	if (!t || journal_aborted(j))
		return ERR(EROFS);
	os_mutex_lock(&j->lock);
	if (t->state == TXN_RUNNING &&
		txn_fits_locked(t, credits, revokes, txn_limit(j, h->reserved))) {
		t->credits += credits;
		t->revokes += revokes;
		h->credits += credits;
		h->revoke_credits += revokes;
		ret = 0;
	}
	os_mutex_unlock(&j->lock);
	return ret;
}

int handle_ensure(struct handle *h, u32 credits, u32 revokes)
{
	u32 more = credits > h->credits ? credits - h->credits : 0;
	u32 more_revokes = revokes > h->revoke_credits ? revokes - h->revoke_credits : 0;

	if (!journal_exists(h->journal) || (!more && !more_revokes))
		return 0;
	return handle_extend(h, more, more_revokes);
}

#define MEMORY_TRIES 8 /* a quarter of a second in all */

/* Want of memory passes: is it worth another try? */
static bool memory_awaited(int err, unsigned *tries)
{
	if (err != -ENOMEM || *tries == MEMORY_TRIES)
		return false;
	os_sleep_ns(NSEC_PER_MSEC << (*tries)++);
	return true;
}

bool handle_try_again(struct handle *h, int err, unsigned *tries)
{
	bool usable = !journal_exists(h->journal) || h->txn;

	if (!usable || journal_aborted(h->journal) || !memory_awaited(err, tries))
		return false;
	if (h->error == err)
		h->error = 0;
	return true;
}

int handle_restart(struct handle *h, u32 credits, u32 revokes)
{
	struct journal *j = h->journal;
	unsigned tries = 0;
	int err;

	if (!journal_exists(j)) {
		bool sync = h->sync;
		int error = h->error;

		nojournal_handle_stop(h);
		err = nojournal_handle_start(j, h, h->reserved);
		h->sync = sync;
		h->error = error;
		return err;
	}
	if (credits + div_up(revokes, j->revokes_per_block) > j->max_credits)
		return ERR(ENOSPC);
	if (!h->txn)
		return ERR(EROFS);
	TRACE("handle_restart", h->txn->tid, credits);
	leave_txn(h, false);
	h->requested = credits;
	do
		err = join_txn(j, h, credits, revokes);
	while (memory_awaited(err, &tries));
	if (err && !h->error)
		h->error = err;
	return err;
}

int handle_stop(struct handle *h)
{
	struct journal *j = h->journal;
	int err = h->error;
	tid_nr tid;

	if (!journal_exists(j)) {
		nojournal_handle_stop(h);
		return err ? err : (h->sync ? journal_write_dirty(j) : 0);
	}
	if (!h->txn) /* a restart failed */
		return err ? err : ERR(EROFS);
	tid = h->txn->tid;
	leave_txn(h, h->sync);
	if (err)
		return err;
	if (h->sync)
		return journal_commit(j, tid, NULL);
	return journal_aborted(j) ? ERR(EROFS) : 0;
}

int handle_end(struct handle *h, int err)
{
	int stop_err = handle_stop(h);

	return err ? err : stop_err;
}

tid_nr handle_tid(const struct handle *h)
{
	return h->txn ? h->txn->tid : 0;
}

void handle_on_commit(struct handle *h, struct commit_callback *cb)
{
	struct journal *j = h->journal;

	if (!h->txn) {
		list_add_tail(&h->callbacks, &cb->node);
		return;
	}
	journal_lists_lock(j);
	list_add_tail(&h->txn->callbacks, &cb->node);
	journal_lists_unlock(j);
}

int handle_must(struct handle *h, int err)
{
	if (err && err != -EUCLEAN && err != -EBADMSG)
		journal_abort(h->journal, err);
	return err;
}
