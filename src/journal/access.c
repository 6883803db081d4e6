/* What a handle does to buffers: write access, dirty, create, forget. */
#include "base/mutant.h"
#include "base/trace.h"
#include "journal/journal_locks.h"
#include "journal/txn_priv.h"
#include "os/mem.h"

#include <string.h>

static struct buf_join *join_of(struct buf *b, const struct txn *t)
{
	return &b->join[t->tid & 1];
}

static struct buf_join *join_other(struct buf *b, const struct txn *t)
{
	return &b->join[!(t->tid & 1)];
}

static int fail(struct handle *h, int err)
{
	if (!h->error)
		h->error = err;
	return err;
}

/* Is the handle able to change anything? */
static int check_handle(struct handle *h)
{
	if (likely(h->txn && !journal_aborted(h->journal)))
		return 0;
	return fail(h, ERR(EROFS));
}

static bool needs_freeze_locked(const struct buf *b, const struct buf_join *other)
{
	return !MUTANT(FROZEN_SKIPPED) && other->txn &&
	       (other->flags & (JOIN_DIRTY | JOIN_STAGED)) == JOIN_DIRTY && !b->frozen;
}

/*
 * JB-7: what the committing transaction must log is set aside, sealed as the
 * kind of block that it is now, before the running one changes it.
 */
static int freeze_locked(struct buf *b)
{
	void *copy = FAULT("buf_freeze") ? NULL : bcache_data_alloc(b->cache);

	if (!copy)
		return ERR(ENOMEM);
	TRACE("buf_freeze", b->pblk, 0);
	memcpy(copy, b->data, b->cache->p.block_size);
	buf_seal_locked(b, copy);
	b->frozen = copy;
	return 0;
}

/*
 * Without memory for a frozen copy: once the log writes run they depend on
 * nothing that the caller may hold, so their end can be awaited. Before that
 * the commit may wait for pages that the caller has locked.
 */
static int wait_staged(struct handle *h)
{
	struct journal *j = h->journal;
	struct txn *t;
	tid_nr tid;
	int err = 0;

	os_mutex_lock(&j->lock);
	t = j->committing;
	if (t && t->state == TXN_FLUSH)
		err = ERR(ENOMEM);
	tid = t ? t->tid : 0;
	while (!err && (t = j->committing) && t->tid == tid && t->state == TXN_COMMIT)
		os_cond_wait(&j->state_cond, &j->lock);
	os_mutex_unlock(&j->lock);
	return err;
}

static void enlist_locked(struct handle *h, struct buf *b, struct buf_join *join)
{
	struct journal *j = h->journal;

	journal_lists_lock(j);
	list_add_tail(&h->txn->bufs, &join->node);
	journal_lists_unlock(j);
	buf_get(b);
	atomic_store_relaxed(&join->flags, 0);
	atomic_store_rel(&join->txn, h->txn);
}

/* JB-16: logged again in the transaction that revoked it: the revoke must go. */
static void cancel_revoke_locked(struct handle *h, struct buf *b)
{
	struct journal *j = h->journal;
	bool cancelled;

	journal_lists_lock(j);
	cancelled = revoke_cancel_locked(j, h->txn->tid, b->pblk);
	journal_lists_unlock(j);
	if (cancelled)
		buf_clear_flags(b, BUF_FRESH);
}

/* One attempt: -EAGAIN when there was no memory to freeze. Caller holds buf->lock. */
static int try_join_locked(struct handle *h, struct buf *b, bool create)
{
	struct buf_join *join = join_of(b, h->txn), *other = join_other(b, h->txn);

	ASSERT(!join->txn || join->txn == h->txn);
	if (needs_freeze_locked(b, other) && freeze_locked(b) != 0)
		return -EAGAIN;
	if (create && !join->txn && !other->txn && !b->cp_txn)
		buf_set_flags(b, BUF_FRESH);
	if (!join->txn)
		enlist_locked(h, b, join);
	else
		atomic_and(&join->flags, ~(u32)JOIN_FORGET);
	cancel_revoke_locked(h, b);
	return 0;
}

int access_join(struct handle *h, struct buf *b, bool create)
{
	int err;

	for (;;) {
		os_mutex_lock(&b->lock);
		if (create)
			buf_wait_writeback_locked(b); /* JB-9, JB-19 */
		err = try_join_locked(h, b, create);
		if (err != -EAGAIN)
			return err; /* with b locked */
		os_mutex_unlock(&b->lock);
		err = wait_staged(h);
		if (!err)
			err = check_handle(h);
		if (err) {
			os_mutex_lock(&b->lock);
			return err;
		}
	}
}

int buf_write_access(struct handle *h, struct buf *b)
{
	struct buf_join *join;
	int err;

	if (!journal_exists(h->journal))
		return 0;
	err = check_handle(h);
	if (err)
		return err;
	join = join_of(b, h->txn);
	if (likely(atomic_load_acq(&join->txn) == h->txn &&
		    !(atomic_load_relaxed(&join->flags) & JOIN_FORGET)))
		return 0;
	TRACE("buf_write_access", b->pblk, h->txn->tid);
	err = access_join(h, b, false);
	os_mutex_unlock(&b->lock);
	return err ? fail(h, err) : 0;
}

/* JB-3: running out is a bug of the caller; release builds take what is left. */
static void take_credit(struct handle *h)
{
	struct journal *j = h->journal;

	ASSERT(h->credits > 0);
	if (likely(h->credits > 0)) {
		h->credits--;
		return;
	}
	os_mutex_lock(&j->lock);
	h->txn->credits++;
	os_mutex_unlock(&j->lock);
}

int buf_dirty(struct handle *h, struct buf *b)
{
	struct buf_join *join;
	bool first = false;
	int err;

	if (!journal_exists(h->journal))
		return nojournal_dirty(h, b);
	err = check_handle(h);
	if (err)
		return err;
	join = join_of(b, h->txn);
	ASSERT(atomic_load_acq(&join->txn) == h->txn);
	buf_assert_valid(b);
	if (atomic_load_acq(&join->flags) & JOIN_DIRTY)
		return 0;
	os_mutex_lock(&b->lock);
	if (!(join->flags & JOIN_DIRTY)) {
		ASSERT(!(join->flags & JOIN_FORGET));
		atomic_or(&join->flags, JOIN_DIRTY);
		buf_set_flags(b, BUF_UNSEALED);
		atomic_add(&h->txn->dirty, 1);
		first = true;
	}
	os_mutex_unlock(&b->lock);
	if (first)
		take_credit(h);
	return 0;
}

static void create_contents_locked(
	struct buf *b, const struct buf_type *type, const struct buf_ctx *ctx)
{
	memset(b->data, 0, b->cache->p.block_size);
	b->type = type;
	b->ctx = *ctx;
	buf_set_flags(b, BUF_UPTODATE | BUF_VERIFIED | BUF_UNSEALED);
}

int buf_create(struct handle *h, struct bcache *c, pblk_t pblk, const struct buf_type *type,
	const struct buf_ctx *ctx, struct buf **out)
{
	bool journal = journal_exists(h->journal);
	struct buf *b;
	int err = journal ? check_handle(h) : 0;

	if (err)
		return err;
	b = bcache_get(c, pblk, true);
	if (!b)
		return fail(h, ERR(ENOMEM));
	if (journal) {
		err = access_join(h, b, true);
	} else {
		os_mutex_lock(&b->lock);
		buf_wait_writeback_locked(b);
	}
	if (!err)
		create_contents_locked(b, type, ctx);
	os_mutex_unlock(&b->lock);
	if (err) {
		buf_put(b);
		return fail(h, err);
	}
	*out = b;
	return 0;
}

/*
 * JB-19: the buffer stays with the transaction as forgotten, so that an older
 * copy remains recoverable (and may go home) until this one is durable. True
 * when no copy in the log needs a revoke: it was born and freed in here.
 */
static bool forget_locked(struct handle *h, struct buf *b)
{
	struct buf_join *join = join_of(b, h->txn);

	if (!join->txn)
		enlist_locked(h, b, join);
	if (join->flags & JOIN_DIRTY) {
		atomic_sub(&h->txn->dirty, 1);
		h->credits++;
	}
	atomic_store_rel(&join->flags, JOIN_FORGET);
	return buf_test(b, BUF_FRESH) && !join_other(b, h->txn)->txn;
}

static void revoke(struct handle *h, pblk_t pblk, struct revoke_rec *r)
{
	struct journal *j = h->journal;
	bool added;

	TRACE("revoke", h->txn->tid, pblk);
	journal_lists_lock(j);
	added = revoke_add_locked(j, h->txn->tid, r);
	journal_lists_unlock(j);
	ASSERT(!added || h->revoke_credits > 0);
	if (added && h->revoke_credits > 0)
		h->revoke_credits--;
}

/* The record comes first: without memory for it nothing has changed. */
static int forget_journaled(struct handle *h, struct buf *b, pblk_t pblk)
{
	struct revoke_rec *r;
	bool fresh = false;
	int err = check_handle(h);

	if (err)
		return err;
	r = revoke_rec_alloc(h->journal, pblk);
	if (!r)
		return fail(h, ERR(ENOMEM));
	if (b) {
		os_mutex_lock(&b->lock);
		fresh = forget_locked(h, b);
		os_mutex_unlock(&b->lock);
	}
	if (fresh || MUTANT(REVOKE_SKIPPED))
		revoke_rec_free(r);
	else
		revoke(h, pblk, r);
	return 0;
}

int journal_forget(struct handle *h, struct bcache *c, pblk_t pblk, struct buf *b)
{
	int err = 0;

	if (!b)
		b = bcache_get(c, pblk, false);
	if (journal_exists(h->journal))
		err = forget_journaled(h, b, pblk);
	else if (b)
		nojournal_forget(h->journal, b);
	buf_put(b);
	return err;
}
