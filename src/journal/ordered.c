/* Ordered data: byte ranges of files that must be on the device before a commit record (JB-20). */
#include "base/trace.h"
#include "journal/journal_locks.h"
#include "journal/txn_priv.h"

void ordered_inode_init(
	struct ordered_inode *oi, int (*write)(struct ordered_inode *, u64 start, u64 end))
{
	*oi = (struct ordered_inode){.write = write};
	list_init(&oi->node);
}

static void widen(u64 *start, u64 *end, u64 from, u64 to)
{
	*start = min_of(*start, from);
	*end = max_of(*end, to);
}

int journal_order_data(struct handle *h, struct ordered_inode *oi, u64 start, u64 end)
{
	struct journal *j = h->journal;
	struct txn *t = h->txn;

	if (!t)
		return journal_exists(j) ? ERR(EROFS) : 0;
	journal_lists_lock(j);
	if (oi->txn == t) {
		widen(&oi->start, &oi->end, start, end);
	} else if (!oi->txn) {
		oi->txn = t;
		oi->start = start;
		oi->end = end;
		list_add_tail(&t->ordered, &oi->node);
	} else if (oi->next_txn == t) {
		widen(&oi->next_start, &oi->next_end, start, end);
	} else {
		ASSERT(!oi->next_txn);
		oi->next_txn = t;
		oi->next_start = start;
		oi->next_end = end;
	}
	journal_lists_unlock(j);
	return 0;
}

bool journal_data_committing(struct journal *j, struct ordered_inode *oi)
{
	bool listed;

	journal_lists_lock(j);
	listed = oi->txn != NULL;
	journal_lists_unlock(j);
	return listed;
}

bool journal_data_promised(struct journal *j, struct ordered_inode *oi, tid_nr tid)
{
	bool promised;

	if (!j || !journal_exists(j))
		return false;
	journal_lists_lock(j);
	promised = oi->txn && !tid_geq(oi->txn->tid, tid);
	journal_lists_unlock(j);
	return promised;
}

/* The committing transaction is done with oi: what the running one asked for moves up. */
static void pass_on_locked(struct ordered_inode *oi)
{
	list_del(&oi->node);
	oi->txn = oi->next_txn;
	oi->next_txn = NULL;
	if (!oi->txn)
		return;
	oi->start = oi->next_start;
	oi->end = oi->next_end;
	list_add_tail(&oi->txn->ordered, &oi->node);
}

int ordered_write(struct journal *j, struct txn *t)
{
	int first = 0;

	journal_lists_lock(j);
	while (!list_empty(&t->ordered)) {
		struct ordered_inode *oi = list_first(&t->ordered, struct ordered_inode, node);
		u64 start = oi->start, end = oi->end;
		int err;

		oi->writing = true;
		journal_lists_unlock(j);
		TRACE("ordered_write", start, end);
		err = oi->write(oi, start, end);
		if (err && !first)
			first = err;
		journal_lists_lock(j);
		oi->writing = false;
		pass_on_locked(oi);
		os_cond_broadcast(&j->ordered_cond);
	}
	journal_lists_unlock(j);
	return first;
}

void ordered_drop(struct journal *j, struct txn *t)
{
	journal_lists_lock(j);
	while (!list_empty(&t->ordered))
		pass_on_locked(list_first(&t->ordered, struct ordered_inode, node));
	journal_lists_unlock(j);
}

void journal_release_inode(struct journal *j, struct ordered_inode *oi)
{
	if (!j || !journal_exists(j)) /* a mount that was refused has none yet */
		return;
	journal_lists_lock(j);
	while (oi->writing)
		os_cond_wait(&j->ordered_cond, &j->list_lock);
	if (oi->txn)
		list_del(&oi->node);
	oi->txn = oi->next_txn = NULL;
	journal_lists_unlock(j);
}
