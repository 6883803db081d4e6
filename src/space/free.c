/*
 * Freeing (AL-4, AL-21). The bits are cleared on disk in the freeing
 * transaction; in memory the blocks stay used, recorded per group and per
 * transaction, until its commit is durable.
 *
 * A batch holds the frees of one transaction. Frees are added under the lock
 * of their group while the handle is open; the commit callback runs when no
 * handle can add any more, so it walks the batch's list without a lock.
 */
#include "base/mutant.h"
#include "space/space_priv.h"

#include "os/assert.h"
#include "os/atomic.h"
#include "os/mem.h"

struct free_batch {
	struct commit_callback callback;
	struct os_work work; /* discards first */
	struct list node;    /* lock: space->batch_lock */
	struct list frees;   /* lock: space->batch_lock; struct pending_free */
	struct space *sp;
	tid_nr tid;
};

/*
 * When blocks are freed they have left their file already: for want of memory they would be lost
 * until e2fsck comes. So a few objects are kept for that moment.
 */
enum { SPARE_FREES = 16 };

int batches_init(struct space *sp)
{
	sp->spare_batch = os_zalloc(sizeof(*sp->spare_batch));
	if (!sp->spare_batch)
		return ERR(ENOMEM);
	for (; sp->spare_count < SPARE_FREES; sp->spare_count++) {
		struct pending_free *p = os_zalloc(sizeof(*p));

		if (!p)
			return ERR(ENOMEM);
		list_add_tail(&sp->spare_frees, &p->batch_node);
	}
	return 0;
}

static void spares_destroy(struct space *sp)
{
	struct pending_free *p, *tmp;

	list_for_each_entry_safe (p, tmp, &sp->spare_frees, batch_node)
		os_free(p);
	os_free(sp->spare_batch);
}

static struct pending_free *pending_alloc(struct space *sp)
{
	struct pending_free *p = os_zalloc(sizeof(*p));

	if (p)
		return p;
	os_mutex_lock(&sp->batch_lock);
	if (sp->spare_count) {
		p = list_first(&sp->spare_frees, struct pending_free, batch_node);
		list_del(&p->batch_node);
		sp->spare_count--;
	}
	os_mutex_unlock(&sp->batch_lock);
	return p;
}

static void pending_put(struct space *sp, struct pending_free *p)
{
	*p = (struct pending_free){0};
	os_mutex_lock(&sp->batch_lock);
	if (sp->spare_count < SPARE_FREES) {
		list_add_tail(&sp->spare_frees, &p->batch_node);
		sp->spare_count++;
		p = NULL;
	}
	os_mutex_unlock(&sp->batch_lock);
	os_free(p);
}

static struct free_batch *batch_alloc(struct space *sp)
{
	struct free_batch *b = os_zalloc(sizeof(*b));

	if (b)
		return b;
	os_mutex_lock(&sp->batch_lock);
	b = sp->spare_batch;
	sp->spare_batch = NULL;
	os_mutex_unlock(&sp->batch_lock);
	return b;
}

/* Gives back what the caller may not keep: then the caller frees it. */
static struct free_batch *batch_keep_locked(struct space *sp, struct free_batch *b)
{
	if (sp->spare_batch)
		return b;
	*b = (struct free_batch){.tid = 0};
	sp->spare_batch = b;
	return NULL;
}

u32 space_free_credits(struct volume *v, u32 len)
{
	return 2 * (len / v->sb.blocks_per_group + 2);
}

/* The run becomes allocatable. */
static void release(struct space *sp, struct pending_free *p, bool committed)
{
	struct group *g = p->group;

	group_lock(g);
	list_del(&p->group_node);
	g->pending_blocks -= p->len;
	if (g->buddy && committed)
		buddy_give(g->buddy, p->start, p->len);
	group_index_locked(sp, g);
	group_unlock(sp, g);
	atomic_sub(&sp->pending_blocks, (u64)p->len);
	TRACE("space_release", group_first_block(sp, g->idx.nr) + p->start, p->len);
	pending_put(sp, p);
}

static void batch_release(struct free_batch *b, bool committed)
{
	struct pending_free *p, *tmp;

	list_for_each_entry_safe (p, tmp, &b->frees, batch_node)
		release(b->sp, p, committed);
}

static void batch_end(struct free_batch *b, bool committed)
{
	struct space *sp = b->sp;

	batch_release(b, committed);
	os_mutex_lock(&sp->batch_lock);
	list_del(&b->node);
	b = batch_keep_locked(sp, b);
	os_cond_broadcast(&sp->batch_cond);
	os_mutex_unlock(&sp->batch_lock);
	os_free(b);
}

static void batch_discard(struct os_work *work)
{
	struct free_batch *b = container_of(work, struct free_batch, work);

	discard_freed(b->sp, &b->frees);
	batch_end(b, true);
}

/* The blocks stay unallocatable while the device is told (AL-5). */
static void batch_committed(struct commit_callback *cb, int err)
{
	struct free_batch *b = container_of(cb, struct free_batch, callback);

	if (err == 0 && discard_wanted(b->sp))
		os_work_queue(b->sp->discards, &b->work);
	else
		batch_end(b, err == 0);
}

static struct free_batch *batch_find_locked(struct space *sp, tid_nr tid)
{
	struct free_batch *b;

	list_for_each_entry (b, &sp->batches, node)
		if (b->tid == tid)
			return b;
	return NULL;
}

/* The handle's batch; NULL when out of memory. */
static struct free_batch *batch_get(struct handle *h, struct space *sp)
{
	struct free_batch *fresh = NULL, *b;

	os_mutex_lock(&sp->batch_lock);
	b = batch_find_locked(sp, handle_tid(h));
	os_mutex_unlock(&sp->batch_lock);
	if (b)
		return b;
	fresh = batch_alloc(sp);
	if (!fresh)
		return NULL;
	list_init(&fresh->frees);
	fresh->sp = sp;
	fresh->tid = handle_tid(h);
	fresh->callback.fn = batch_committed;
	os_work_init(&fresh->work, batch_discard);
	os_mutex_lock(&sp->batch_lock);
	b = batch_find_locked(sp, fresh->tid);
	if (!b)
		list_add_tail(&sp->batches, &fresh->node);
	else
		fresh = batch_keep_locked(sp, fresh);
	os_mutex_unlock(&sp->batch_lock);
	if (b) {
		os_free(fresh);
		return b;
	}
	handle_on_commit(h, &fresh->callback);
	return fresh;
}

void batches_destroy(struct space *sp)
{
	struct free_batch *b, *tmp;

	list_for_each_entry_safe (b, tmp, &sp->batches, node) {
		batch_release(b, false);
		list_del(&b->node);
		os_free(b);
	}
	spares_destroy(sp);
}

/* Extends the group's newest run of the same batch, or adds p. Takes p over. */
static void pend_locked(
	struct space *sp, struct group *g, struct free_batch *b, struct pending_free *p)
{
	struct pending_free *last = list_entry(g->pending.prev, struct pending_free, group_node);

	g->pending_blocks += p->len;
	atomic_add(&sp->pending_blocks, (u64)p->len);
	if (!list_empty(&g->pending) && last->batch == b &&
		(last->start + last->len == p->start || p->start + p->len == last->start)) {
		last->start = min_of(last->start, p->start);
		last->len += p->len;
		pending_put(sp, p);
		return;
	}
	list_add_tail(&g->pending, &p->group_node);
	os_mutex_lock(&sp->batch_lock);
	list_add_tail(&b->frees, &p->batch_node);
	os_mutex_unlock(&sp->batch_lock);
}

/* Without a journal the blocks are free once nothing of them can be written any more (JB-43). */
static void pend_unjournaled_locked(struct space *sp, struct group *g, struct pending_free *p)
{
	g->pending_blocks += p->len;
	atomic_add(&sp->pending_blocks, (u64)p->len);
	list_add_tail(&g->pending, &p->group_node);
}

/* All that can fail comes before the bits: an error means that nothing was freed. */
static int clear_locked(struct handle *h, struct space *sp, struct pending_free *p, u32 flags)
{
	pblk_t pblk = group_first_block(sp, p->group->idx.nr) + p->start;
	int err = group_write_blocks(h, sp, p->group);

	if (!err)
		err = group_check_used(sp, p->group, p->start, p->len);
	if (!err && p->batch && flags & SPACE_METADATA)
		err = journal_forget(h, sp->v->bcache, pblk, NULL);
	return err ? err : group_clear_blocks(h, sp, p->group, p->start, p->len);
}

static int clear_in_group(struct handle *h, struct space *sp, struct pending_free *p, u32 flags)
{
	struct group *g = p->group;
	struct free_batch *b = p->batch;
	int err;

	group_lock(g);
	err = clear_locked(h, sp, p, flags);
	if (!err) {
		counter_add(&sp->free_blocks, p->len);
		counter_add(&sp->avail, p->len);
		if (b)
			pend_locked(sp, g, b, p);
		else
			pend_unjournaled_locked(sp, g, p);
		group_index_locked(sp, g);
	}
	group_unlock(sp, g);
	return err;
}

/* A run inside one group; one block if it is metadata. */
static int free_run(struct handle *h, struct volume *v, pblk_t pblk, u32 len, u32 flags)
{
	struct space *sp = v->space;
	struct pending_free *p = pending_alloc(sp);
	bool journal = journal_exists(v->journal) && !MUTANT(FREED_AT_ONCE);
	int err;

	if (!p)
		return ERR(ENOMEM);
	p->start = block_bit(sp, pblk);
	p->len = len;
	p->batch = journal ? batch_get(h, sp) : NULL;
	err = journal && !p->batch ? ERR(ENOMEM) : group_find(sp, block_group(sp, pblk), &p->group);
	if (!err)
		err = clear_in_group(h, sp, p, flags);
	if (err) {
		pending_put(sp, p);
		return err;
	}
	if (journal)
		return 0;
	/* JB-43: nobody can have the blocks before their last write home has ended. */
	if (flags & SPACE_METADATA)
		err = journal_forget(h, v->bcache, pblk, NULL);
	release(sp, p, true);
	return err;
}

int space_free(struct handle *h, struct volume *v, ino_nr owner, pblk_t pblk, u32 len, u32 flags)
{
	struct space *sp = v->space;
	u32 n;
	int err;

	if (!len)
		return 0;
	err = space_range_check(v, 0, pblk, len); /* AL-21: before anything is touched */
	if (err == -EUCLEAN)
		return volume_error(v, ERR(EUCLEAN), owner, pblk,
			"freeing %u blocks that no file may own; run e2fsck", len);
	TRACE("space_free", pblk, len);
	for (; len && !err; pblk += n, len -= n) {
		n = min_of(len, sp->blocks_per_group - block_bit(sp, pblk));
		if (flags & SPACE_METADATA)
			n = 1; /* forgotten and freed together, or not at all */
		err = free_run(h, v, pblk, n, flags);
	}
	return err;
}

int space_free_prepare(struct handle *h, struct volume *v, pblk_t pblk, u32 len)
{
	struct space *sp = v->space;
	int err = space_range_check(v, 0, pblk, len);

	if (err == -EUCLEAN)
		return 0; /* space_free says so */
	for (u32 n; len && !err; pblk += n, len -= n) {
		struct group *g;

		n = min_of(len, sp->blocks_per_group - block_bit(sp, pblk));
		err = group_find(sp, block_group(sp, pblk), &g);
		if (err)
			break;
		group_lock(g);
		err = group_write_blocks(h, sp, g);
		group_unlock(sp, g);
	}
	return err;
}

/* Waits until every batch up to tid was released: the callback may trail the commit a little. */
static void wait_released(struct space *sp, tid_nr tid)
{
	struct free_batch *b;

	os_mutex_lock(&sp->batch_lock);
	for (;;) {
		b = list_first(&sp->batches, struct free_batch, node);
		if (list_empty(&sp->batches) || (s32)(b->tid - tid) > 0)
			break;
		os_cond_wait(&sp->batch_cond, &sp->batch_lock);
	}
	os_mutex_unlock(&sp->batch_lock);
}

static bool newest_batch(struct space *sp, tid_nr *tid)
{
	bool any;

	os_mutex_lock(&sp->batch_lock);
	any = !list_empty(&sp->batches);
	if (any)
		*tid = list_entry(sp->batches.prev, struct free_batch, node)->tid;
	os_mutex_unlock(&sp->batch_lock);
	return any;
}

static bool retry(struct volume *v, unsigned *attempts, bool claimed)
{
	struct space *sp = v->space;
	tid_nr tid;

	if ((*attempts)++ >= SPACE_RETRIES || MUTANT(SPACE_NOT_RETRIED))
		return false;
	/* None left: the last may have been released since the attempt that failed. */
	if (!newest_batch(sp, &tid))
		return windows_reclaim(sp, 0) || (claimed ? counter_sum(&sp->free_blocks) > 0
							  : space_may_alloc(v, 1, SPACE_ROOT));
	if (journal_commit(v->journal, tid, NULL) < 0)
		return false;
	wait_released(sp, tid);
	return true;
}

bool space_retry(struct volume *v, unsigned *attempts)
{
	return retry(v, attempts, false);
}

bool space_retry_claimed(struct volume *v, unsigned *attempts)
{
	return retry(v, attempts, true);
}
