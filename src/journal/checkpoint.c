/*
 * The checkpoint thread: brings committed blocks home, oldest transactions
 * first, and moves the tail. It waits for nothing but the devices: a block
 * that a newer transaction holds is written as its committed copy, read back
 * from the log (JB-26), so no commit is ever needed to make room for another.
 */
#include "base/mutant.h"
#include "base/trace.h"
#include "journal/journal_locks.h"
#include "journal/txn_priv.h"
#include "disk/jbd2.h"
#include "os/mem.h"

#include <stdlib.h>
#include <string.h>

struct cp_item {
	struct buf *b;
	struct txn *t;
	bool written;
};

size_t checkpoint_item_size(void)
{
	return sizeof(struct cp_item);
}

void checkpoint_kick_locked(struct journal *j, u32 goal)
{
	ASSERT(os_mutex_held(&j->lock));
	if (!j->cp_wanted || goal < j->cp_goal)
		j->cp_goal = goal;
	j->cp_wanted = true;
	os_cond_signal(&j->cp_cond);
}

void checkpoint_consider_locked(struct journal *j)
{
	u64 pinned_bytes = (u64)atomic_load_relaxed(&j->cp_bufs) * j->block_size;
	u32 size = j->log_end - j->log_first;

	if (j->log_used > size / 2)
		checkpoint_kick_locked(j, size / 4);
	else if (pinned_bytes > j->p.bcache->p.max_bytes / 2)
		checkpoint_kick_locked(j, j->log_used / 2);
}

bool checkpoint_remove_locked(struct journal *j, struct buf *b)
{
	ASSERT(os_mutex_held(&b->lock));
	if (!b->cp_txn)
		return false;
	journal_lists_lock(j);
	list_del(&b->cp_node);
	atomic_sub(&j->cp_bufs, 1);
	journal_lists_unlock(j);
	b->cp_txn = NULL;
	return true;
}

/* References to the buffers of the oldest transactions, as many as the goal needs and fit. */
static u32 collect(struct journal *j, u32 goal)
{
	struct txn *t;
	struct buf *b;
	u32 n = 0, used;

	os_mutex_lock(&j->lock);
	used = j->log_used;
	journal_lists_lock(j);
	list_for_each_entry (t, &j->cp_txns, node) {
		if (used <= goal || n == CP_WINDOW)
			break;
		list_for_each_entry (b, &t->cp_bufs, cp_node) {
			if (n == CP_WINDOW)
				break;
			buf_get(b);
			j->cp_items[n++] = (struct cp_item){.b = b, .t = t};
		}
		used -= t->log_len;
	}
	journal_lists_unlock(j);
	os_mutex_unlock(&j->lock);
	return n;
}

static int item_compare(const void *a, const void *b)
{
	pblk_t x = ((const struct cp_item *)a)->b->pblk, y = ((const struct cp_item *)b)->b->pblk;

	return x < y ? -1 : x > y;
}

static int read_log_copy(struct journal *j, u32 log_block, bool escaped, void *out)
{
	pblk_t pblk;
	int err = log_map(j, log_block, &pblk);

	if (!err)
		err = dev_read(j->p.log_dev, pblk * j->block_size, out, j->block_size);
	if (!err && escaped)
		jbd2_unescape(out);
	return err;
}

/* Puts the committed contents of one block into the batch; skips it if it need not go home. */
static int gather(struct journal *j, struct cp_item *item)
{
	struct buf *b = item->b;
	void *copy = batch_block(j->cp_io, b->pblk);
	bool hot, escaped;
	u32 log_block;

	os_mutex_lock(&b->lock);
	if (b->cp_txn != item->t) {
		os_mutex_unlock(&b->lock);
		batch_undo(j->cp_io);
		return 0;
	}
	item->written = true;
	buf_set_flags(b, BUF_WRITEBACK);
	hot = b->join[0].txn || b->join[1].txn;
	log_block = b->log_block;
	escaped = buf_test(b, BUF_ESCAPED);
	hot = hot && !MUTANT(HOME_BEFORE_COMMIT);
	if (!hot) {
		memcpy(copy, b->data, j->block_size);
		buf_seal_locked(b, copy);
	}
	os_mutex_unlock(&b->lock);
	TRACE("checkpoint_gather", b->pblk, hot);
	return hot ? read_log_copy(j, log_block, escaped, copy) : 0;
}

static void release(struct journal *j, struct cp_item *item, int err)
{
	struct buf *b = item->b;
	bool drop = false;

	os_mutex_lock(&b->lock);
	if (item->written) {
		buf_end_writeback_locked(b);
		if (!err && b->cp_txn == item->t)
			drop = checkpoint_remove_locked(j, b);
	}
	os_mutex_unlock(&b->lock);
	if (drop)
		buf_put(b);
	buf_put(b);
}

static int write_home(struct journal *j, u32 n)
{
	u32 i;
	int err, err2;

	err = batch_begin(j->cp_io);
	if (!err) {
		for (i = 0; i < n && !err && !journal_aborted(j); i++)
			err = gather(j, &j->cp_items[i]);
		/* A copy that could not be read must not go home: nothing of a failed window
		 * matters. */
		if (err)
			batch_undo(j->cp_io);
		err2 = batch_end(j->cp_io);
		err = err ? err : err2;
	}
	TRACE("checkpoint_written", n, err);
	for (i = 0; i < n; i++)
		release(j, &j->cp_items[i], err);
	return err;
}

/* Where recovery has to start, once the leading transactions without buffers are gone. */
static u32 find_tail_locked(struct journal *j, struct list *gone, u32 *start, u32 *seq)
{
	u32 freed = 0;

	journal_lists_lock(j);
	while (!list_empty(&j->cp_txns)) {
		struct txn *t = list_first(&j->cp_txns, struct txn, node);

		if (!list_empty(&t->cp_bufs) && !MUTANT(TAIL_SKIPS_LIVE))
			break;
		freed += t->log_len;
		list_move_tail(gone, &t->node);
	}
	journal_lists_unlock(j);
	*start = j->head;
	*seq = j->next_seq;
	if (!list_empty(&j->cp_txns)) {
		const struct txn *t = list_first(&j->cp_txns, struct txn, node);

		*start = t->log_start;
		*seq = t->seq;
	} else if (j->committing && j->committing->logged) {
		*start = j->committing->log_start;
		*seq = j->committing->seq;
	}
	return freed;
}

static void free_gone_locked(struct journal *j, struct list *gone, u32 freed)
{
	while (!list_empty(gone)) {
		struct txn *t = list_first(gone, struct txn, node);

		list_del(&t->node);
		txn_free_locked(t);
	}
	ASSERT(j->log_used >= freed);
	j->log_used -= freed;
	os_cond_broadcast(&j->state_cond);
}

/* JB-27: home writes durable, then the new tail durable, then the space is free. */
static int advance_tail(struct journal *j)
{
	struct list gone = LIST_INIT(gone);
	u32 freed, start, seq;
	int err = 0;

	os_mutex_lock(&j->tail_lock);
	os_mutex_lock(&j->lock);
	freed = find_tail_locked(j, &gone, &start, &seq);
	os_mutex_unlock(&j->lock);
	if (freed) {
		TRACE("tail_flush", seq, start);
		if (j->home_unflushed && !j->p.no_barrier && !MUTANT(TAIL_BEFORE_FLUSH))
			err = dev_flush(j->p.fs_dev);
		j->home_unflushed = false;
		TRACE("tail_write", seq, start);
		if (!err)
			err = journal_super_set_tail(j, start, seq, 0, DEV_FUA);
	}
	os_mutex_lock(&j->lock);
	free_gone_locked(j, &gone, err ? 0 : freed);
	os_mutex_unlock(&j->lock);
	os_mutex_unlock(&j->tail_lock);
	return err;
}

static void checkpoint_pass(struct journal *j, u32 goal)
{
	u32 n = collect(j, goal);
	int err = 0;

	TRACE("checkpoint_pass", n, goal);
	qsort(j->cp_items, n, sizeof(*j->cp_items), item_compare);
	if (n) {
		os_mutex_lock(&j->tail_lock);
		j->home_unflushed = true;
		os_mutex_unlock(&j->tail_lock);
		err = write_home(j, n);
	}
	if (!err && !journal_aborted(j))
		err = advance_tail(j);
	if (err)
		journal_abort(j, err); /* JB-39 */
	os_mutex_lock(&j->lock);
	j->stats.checkpointed += n;
	os_mutex_unlock(&j->lock);
}

int journal_mark_empty(struct journal *j, u32 seq_step, bool *empty)
{
	u32 head, seq;
	int err = 0;

	os_mutex_lock(&j->tail_lock);
	os_mutex_lock(&j->lock);
	*empty = j->log_used == 0;
	if (*empty)
		j->log_empty = true; /* the next commit writes the tail after us (JB-32) */
	head = j->head;
	seq = j->next_seq + seq_step;
	os_mutex_unlock(&j->lock);
	if (*empty)
		err = journal_super_set_tail(j, 0, seq, head, DEV_FUA);
	os_mutex_unlock(&j->tail_lock);
	return err;
}

void checkpoint_main(void *journal)
{
	struct journal *j = journal;

	os_mutex_lock(&j->lock);
	while (!j->cp_stop) {
		u32 goal = j->cp_goal;

		if (!j->cp_wanted) {
			os_cond_wait(&j->cp_cond, &j->lock);
			continue;
		}
		if (journal_aborted(j) || j->log_used <= goal || list_empty(&j->cp_txns)) {
			j->cp_wanted = false;
			os_cond_broadcast(&j->state_cond);
			continue;
		}
		os_mutex_unlock(&j->lock);
		checkpoint_pass(j, goal);
		os_mutex_lock(&j->lock);
	}
	os_mutex_unlock(&j->lock);
}
