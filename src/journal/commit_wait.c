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
		os_cond_wait(&j->state_cond, &j->lock);
	}
	os_mutex_unlock(&j->lock);
	return err;
}

/* A flush that starts from now on also covers what the caller wrote before (JB-25). */
static bool flush_to_come(struct journal *j, tid_nr tid, u64 *count)
{
	bool to_come;

	os_mutex_lock(&j->lock);
	to_come = !committed_locked(j, tid) && !(j->committing && j->committing->tid == tid &&
						       j->committing->state >= TXN_RECORD);
	*count = j->flushes;
	os_mutex_unlock(&j->lock);
	return to_come;
}

int journal_commit(struct journal *j, tid_nr tid, bool *flushed)
{
	u64 before = 0;
	bool to_come;
	int err;

	if (flushed)
		*flushed = false;
	if (!tid || !journal_exists(j))
		return 0;
	to_come = flush_to_come(j, tid, &before);
	journal_commit_start(j, tid);
	err = journal_commit_wait(j, tid);
	if (!err && to_come && flushed) {
		os_mutex_lock(&j->lock);
		*flushed = j->flushes != before;
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
