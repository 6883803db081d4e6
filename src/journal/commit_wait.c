/* Asking for commits, and waiting for them. */
#include "base/trace.h"
#include "journal/journal_locks.h"
#include "journal/txn_priv.h"

tid_nr journal_running_tid(struct journal *j)
{
	tid_nr tid;

	if (!journal_exists(j))
		return 0;
	os_mutex_lock(&j->lock);
	tid = j->running ? j->running->tid : j->committing ? j->committing->tid : 0;
	os_mutex_unlock(&j->lock);
	return tid;
}

void journal_commit_start(struct journal *j, tid_nr tid)
{
	if (!tid || !journal_exists(j))
		return;
	os_mutex_lock(&j->lock);
	if (j->running && tid_geq(tid, j->running->tid))
		journal_request_locked(j, j->running->tid);
	os_mutex_unlock(&j->lock);
}

static bool committed_locked(const struct journal *j, tid_nr tid)
{
	return tid_geq(j->committed_tid, tid);
}

bool journal_committed(struct journal *j, tid_nr tid)
{
	bool done;

	if (!journal_exists(j))
		return true;
	os_mutex_lock(&j->lock);
	done = !journal_aborted(j) && (!tid || committed_locked(j, tid));
	os_mutex_unlock(&j->lock);
	return done;
}

int journal_commit_wait(struct journal *j, tid_nr tid)
{
	int err = 0;

	if (!tid || !journal_exists(j))
		return 0;
	os_rank_assert_none_from(RANK_HANDLE);
	os_mutex_lock(&j->lock);
	while (!committed_locked(j, tid)) {
		if (journal_aborted(j)) {
			err = ERR(EIO);
			break;
		}
		os_cond_wait(&j->done_cond, &j->lock);
	}
	os_mutex_unlock(&j->lock);
	return err;
}

void commit_flush_begins(struct journal *j)
{
	os_mutex_lock(&j->lock);
	j->flush_started++;
	os_mutex_unlock(&j->lock);
}

void commit_flush_ended(struct journal *j)
{
	os_mutex_lock(&j->lock);
	j->flush_done = j->flush_started;
	os_mutex_unlock(&j->lock);
}

/* A flush with a higher number began later, so it also covers what was written before (JB-25). */
static u64 last_flush_started(struct journal *j)
{
	u64 number;

	os_mutex_lock(&j->lock);
	number = j->flush_started;
	os_mutex_unlock(&j->lock);
	return number;
}

int journal_commit(struct journal *j, tid_nr tid, bool *flushed)
{
	u64 before;
	int err;

	if (flushed)
		*flushed = false;
	if (!tid || !journal_exists(j))
		return 0;
	before = last_flush_started(j);
	journal_commit_start(j, tid);
	err = journal_commit_wait(j, tid);
	if (!err && flushed) {
		os_mutex_lock(&j->lock);
		*flushed = j->flush_done > before;
		os_mutex_unlock(&j->lock);
	}
	return err;
}

int journal_commit_all(struct journal *j, bool *flushed)
{
	tid_nr tid = journal_running_tid(j);

	if (flushed)
		*flushed = false;
	if (journal_exists(j) && journal_aborted(j))
		return ERR(EIO);
	return journal_commit(j, tid, flushed);
}

/* Waits until everything committed is home and the tail has passed it. */
static int checkpoint_all(struct journal *j)
{
	int err = 0;

	os_mutex_lock(&j->lock);
	while (j->log_used && !err) {
		if (journal_aborted(j)) {
			err = ERR(EIO);
			break;
		}
		checkpoint_kick_locked(j, 0);
		os_cond_wait(&j->state_cond, &j->lock);
	}
	os_mutex_unlock(&j->lock);
	return err;
}

int journal_flush(struct journal *j)
{
	bool empty = false;
	int err;

	if (!journal_exists(j))
		return journal_write_dirty(j);
	do {
		err = journal_commit_all(j, NULL);
		if (!err)
			err = checkpoint_all(j);
		if (!err)
			err = journal_mark_empty(j, 0, &empty);
		if (err)
			journal_abort(j, err);
	} while (!err && !empty);
	return err;
}
