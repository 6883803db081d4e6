/*
 * No-journal mode (JB-43): changed buffers are dirty at once. The flusher
 * copies them while no handle is open, so that no half-made change is written;
 * reserved handles do not wait for it as long as others are open, since the
 * flusher waits for those.
 */
#include "base/trace.h"
#include "journal/journal_locks.h"
#include "journal/txn_priv.h"
#include "os/clock.h"
#include "os/mem.h"

#include <stdlib.h>
#include <string.h>

int nojournal_handle_start(struct journal *j, struct handle *h, bool reserved)
{
	if (journal_aborted(j))
		return ERR(EROFS);
	os_mutex_lock(&j->lock);
	while (j->nj_locked && !(reserved && j->nj_open > 0))
		os_cond_wait(&j->state_cond, &j->lock);
	if (j->stopping) {
		os_mutex_unlock(&j->lock);
		return ERR(EROFS);
	}
	j->nj_open++;
	j->stats.handles++;
	os_mutex_unlock(&j->lock);
	os_rank_enter(RANK_HANDLE, h, "handle");
	return 0;
}

void nojournal_handle_stop(struct handle *h)
{
	struct journal *j = h->journal;

	os_rank_leave(RANK_HANDLE, h);
	os_mutex_lock(&j->lock);
	if (--j->nj_open == 0 && (j->nj_locked || j->stopping))
		os_cond_broadcast(&j->state_cond);
	os_mutex_unlock(&j->lock);
	while (!list_empty(&h->callbacks)) {
		struct commit_callback *cb =
			list_first(&h->callbacks, struct commit_callback, node);

		list_del(&cb->node);
		cb->fn(cb, 0);
	}
}

/* Puts b on the dirty list; true when that grows too long. Caller holds b->lock. */
static bool enlist_locked(struct journal *j, struct buf *b)
{
	bool full;

	buf_set_flags(b, BUF_DIRTY_HOME);
	buf_get(b);
	journal_lists_lock(j);
	list_add_tail(&j->dirty, &b->cp_node);
	j->dirty_count++;
	full = j->dirty_count * j->block_size > j->p.bcache->p.max_bytes / 2;
	journal_lists_unlock(j);
	return full;
}

int nojournal_dirty(struct handle *h, struct buf *b)
{
	struct journal *j = h->journal;
	bool full = false;

	if (journal_aborted(j))
		return ERR(EROFS);
	buf_assert_valid(b);
	os_mutex_lock(&b->lock);
	buf_set_flags(b, BUF_UNSEALED);
	if (!buf_test(b, BUF_DIRTY_HOME))
		full = enlist_locked(j, b);
	os_mutex_unlock(&b->lock);
	if (full) {
		os_mutex_lock(&j->lock);
		j->cp_wanted = true;
		os_cond_signal(&j->commit_cond);
		os_mutex_unlock(&j->lock);
	}
	return 0;
}

/* Takes b off the dirty list; true: the caller drops the list's reference. */
static bool undirty_locked(struct journal *j, struct buf *b)
{
	if (!buf_test(b, BUF_DIRTY_HOME))
		return false;
	buf_clear_flags(b, BUF_DIRTY_HOME);
	journal_lists_lock(j);
	list_del(&b->cp_node);
	j->dirty_count--;
	journal_lists_unlock(j);
	return true;
}

void nojournal_forget(struct journal *j, struct buf *b)
{
	bool drop;

	os_mutex_lock(&b->lock);
	drop = undirty_locked(j, b);
	buf_wait_writeback_locked(b);
	buf_clear_flags(b, BUF_UPTODATE | BUF_VERIFIED | BUF_UNSEALED);
	os_mutex_unlock(&b->lock);
	if (drop)
		buf_put(b);
}

/* Waits for open handles and holds new ones back, for the time of copying. */
static void gate_close(struct journal *j)
{
	os_mutex_lock(&j->lock);
	j->nj_locked = true;
	while (j->nj_open)
		os_cond_wait(&j->state_cond, &j->lock);
	os_mutex_unlock(&j->lock);
}

static void gate_open(struct journal *j)
{
	os_mutex_lock(&j->lock);
	j->nj_locked = false;
	os_cond_broadcast(&j->state_cond);
	os_mutex_unlock(&j->lock);
}

static int buf_compare(const void *a, const void *b)
{
	pblk_t x = (*(struct buf *const *)a)->pblk, y = (*(struct buf *const *)b)->pblk;

	return x < y ? -1 : x > y;
}

/* So few that copying them never waits for the batch's own I/O. */
#define NJ_WINDOW 256

static u32 window(const struct journal *j)
{
	return (u32)min_of((u64)NJ_WINDOW, max_of(BATCH_BYTES / j->block_size, 1u));
}

/* References to the first dirty buffers, at most *left of them. */
static u32 collect_dirty(struct journal *j, struct buf **bufs, u64 *left)
{
	struct buf *b;
	u32 n = 0;

	journal_lists_lock(j);
	list_for_each_entry (b, &j->dirty, cp_node) {
		if (n == window(j) || n == *left)
			break;
		buf_get(b);
		bufs[n++] = b;
	}
	journal_lists_unlock(j);
	*left -= n;
	return n;
}

/* Copies b for writing. False, and nothing to write, if it was forgotten meanwhile. */
static bool gather(struct journal *j, struct buf *b)
{
	void *copy = batch_block(j->cp_io, b->pblk);
	bool dirty;

	os_mutex_lock(&b->lock);
	dirty = undirty_locked(j, b);
	if (dirty) {
		buf_set_flags(b, BUF_WRITEBACK);
		memcpy(copy, b->data, j->block_size);
		buf_seal_locked(b, copy);
	}
	os_mutex_unlock(&b->lock);
	if (dirty)
		buf_put(b); /* the list's reference */
	else
		batch_undo(j->cp_io);
	return dirty;
}

/* A failed write leaves the buffer dirty, to be tried again. */
static void finish(struct journal *j, struct buf *b, int err)
{
	os_mutex_lock(&b->lock);
	buf_end_writeback_locked(b);
	if (err && buf_test(b, BUF_UPTODATE) && !buf_test(b, BUF_DIRTY_HOME))
		enlist_locked(j, b);
	os_mutex_unlock(&b->lock);
}

/* Writes those of n referenced buffers that are dirty; drops the references. Under nj_flush. */
static int write_bufs(struct journal *j, struct buf **bufs, u32 n)
{
	bool written[NJ_WINDOW] = {false};
	u32 i;
	int err = batch_begin(j->cp_io);

	ASSERT(os_mutex_held(&j->nj_flush) && n <= NJ_WINDOW);
	if (!err) {
		gate_close(j);
		for (i = 0; i < n; i++)
			written[i] = gather(j, bufs[i]);
		gate_open(j);
		err = batch_end(j->cp_io);
	}
	TRACE("nojournal_written", n, err);
	for (i = 0; i < n; i++) {
		if (written[i])
			finish(j, bufs[i], err);
		buf_put(bufs[i]);
	}
	return err;
}

int journal_write_dirty(struct journal *j)
{
	struct buf *bufs[NJ_WINDOW];
	u64 left;
	u32 n;
	int err = 0;

	if (journal_exists(j) || !j->running_threads)
		return 0;
	os_mutex_lock(&j->nj_flush);
	journal_lists_lock(j);
	left = j->dirty_count;
	journal_lists_unlock(j);
	while (!err && (n = collect_dirty(j, bufs, &left)) != 0) {
		qsort(bufs, n, sizeof(*bufs), buf_compare);
		err = write_bufs(j, bufs, n);
	}
	os_mutex_unlock(&j->nj_flush);
	if (err)
		log_msg(j->p.log, LOG_ERROR, "error %d writing metadata, will be tried again",
			-err);
	return err;
}

int journal_write_buf(struct journal *j, struct buf *b)
{
	int err;

	if (journal_exists(j))
		return 0;
	os_mutex_lock(&j->nj_flush); /* also waits for a write of b in flight */
	buf_get(b);
	err = write_bufs(j, &b, 1);
	os_mutex_unlock(&j->nj_flush);
	return err;
}

void nojournal_drop(struct journal *j)
{
	while (!list_empty(&j->dirty)) {
		struct buf *b = list_first(&j->dirty, struct buf, cp_node);

		os_mutex_lock(&b->lock);
		undirty_locked(j, b);
		os_mutex_unlock(&b->lock);
		buf_put(b);
	}
}

void nojournal_main(void *journal)
{
	struct journal *j = journal;

	os_mutex_lock(&j->lock);
	while (!j->stopping) {
		u64 deadline = os_clock_mono() + j->interval_ns;

		if (!j->cp_wanted)
			os_cond_wait_until(&j->commit_cond, &j->lock, deadline);
		j->cp_wanted = false;
		if (j->stopping)
			break;
		os_mutex_unlock(&j->lock);
		journal_write_dirty(j);
		os_mutex_lock(&j->lock);
	}
	os_mutex_unlock(&j->lock);
}
