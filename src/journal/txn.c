/* The state machine of a transaction, and what a transaction costs in log blocks. */
#include "base/mutant.h"
#include "base/trace.h"
#include "journal/txn_priv.h"
#include "os/clock.h"
#include "os/mem.h"

void txn_check(const struct txn *t)
{
	const struct journal *j = t->journal;

	ASSERT(os_mutex_held(&j->lock));
	ASSERT(t->tid != 0);
	switch (t->state) {
	case TXN_RUNNING:
	case TXN_LOCKED:
		ASSERT(j->running == t);
		ASSERT(!j->committing || j->committing->tid != t->tid);
		ASSERT(t->state != TXN_LOCKED || !j->committing);
		ASSERT(!t->logged);
		break;
	case TXN_FLUSH:
	case TXN_COMMIT:
	case TXN_RECORD:
	case TXN_CALLBACK:
		ASSERT(j->committing == t && j->running != t);
		ASSERT(t->open == 0);
		ASSERT(!t->logged || t->log_len >= 2);
		ASSERT(tid_geq(t->tid, j->committed_tid));
		break;
	case TXN_CHECKPOINT:
		ASSERT(j->committing != t && j->running != t && t->logged);
		ASSERT(tid_geq(j->committed_tid, t->tid));
		break;
	case TXN_DEAD:
		ASSERT(atomic_load_relaxed(&j->abort_err) != 0);
		break;
	}
}

void txn_advance_locked(struct txn *t, enum txn_state to)
{
	ASSERT(os_mutex_held(&t->journal->lock));
	ASSERT(to == t->state + 1 || to == TXN_DEAD);
	TRACE("txn_state", t->tid, to);
	t->state = to;
	txn_check(t);
	if (!MUTANT(WAKE_LOST) || to != TXN_CHECKPOINT)
		os_cond_broadcast(&t->journal->state_cond);
}

struct txn *txn_alloc(struct journal *j)
{
	struct txn *t = FAULT("txn_alloc") ? NULL : os_zalloc(sizeof(*t));

	if (!t)
		return NULL;
	t->journal = j;
	list_init(&t->bufs);
	list_init(&t->callbacks);
	list_init(&t->ordered);
	list_init(&t->cp_bufs);
	list_init(&t->node);
	return t;
}

void txn_free_locked(struct txn *t)
{
	ASSERT(list_empty(&t->bufs) && list_empty(&t->cp_bufs) && list_empty(&t->callbacks));
	os_free(t);
}

u32 txn_log_blocks(const struct journal *j, u32 blocks, u32 revokes)
{
	return blocks + (u32)div_up(blocks, j->tags_per_block) +
	       (u32)div_up(revokes, j->revokes_per_block) + 1;
}

bool txn_fits_locked(const struct txn *t, u32 credits, u32 revokes, u32 limit)
{
	const struct journal *j = t->journal;
	u64 need =
		(u64)t->credits + credits + div_up((u64)t->revokes + revokes, j->revokes_per_block);

	ASSERT(os_mutex_held(&j->lock));
	return need <= limit;
}

void journal_request_locked(struct journal *j, tid_nr tid)
{
	ASSERT(os_mutex_held(&j->lock));
	if (!j->request_tid || tid_geq(tid, j->request_tid))
		j->request_tid = tid;
	os_cond_signal(&j->commit_cond);
}
