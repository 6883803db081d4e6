/* Revoke records of the running and of the committing transaction (JB-16, JB-17). */
#include "base/err.h"
#include "base/trace.h"
#include "journal/journal_locks.h"
#include "journal/txn_priv.h"
#include "os/atomic.h"
#include "os/mem.h"

#define BUCKETS_MIN 256

/*
 * A tree block has left its map already when it is revoked: without a record the transaction would
 * have to be given up. So a few are kept for when there is no memory.
 */
#define SPARES 64

struct revoke_rec {
	pblk_t pblk;
	struct revoke_rec *next;
};

struct revoke_table {
	struct revoke_rec **bucket;
	u32 mask;
	u32 count;
	u32 scan; /* where revoke_pop looks next */
};

static struct revoke_table *table_create(void)
{
	struct revoke_table *t = os_zalloc(sizeof(*t));

	if (!t)
		return NULL;
	t->mask = BUCKETS_MIN - 1;
	t->bucket = os_calloc(BUCKETS_MIN, sizeof(*t->bucket));
	if (!t->bucket) {
		os_free(t);
		return NULL;
	}
	return t;
}

static void table_destroy(struct revoke_table *t)
{
	u32 i;

	if (!t)
		return;
	for (i = 0; i <= t->mask; i++)
		while (t->bucket[i]) {
			struct revoke_rec *r = t->bucket[i];

			t->bucket[i] = r->next;
			os_free(r);
		}
	os_free(t->bucket);
	os_free(t);
}

static struct revoke_rec **slot_of(struct revoke_table *t, pblk_t pblk)
{
	return &t->bucket[(pblk * 0x9e3779b97f4a7c15ull) >> 32 & t->mask];
}

static bool spare_keep(struct journal *j, struct revoke_rec *r)
{
	bool kept;

	journal_lists_lock(j);
	kept = j->revoke_spare_count < SPARES;
	if (kept) {
		r->next = j->revoke_spares;
		j->revoke_spares = r;
		atomic_store_relaxed(&j->revoke_spare_count, j->revoke_spare_count + 1);
	}
	journal_lists_unlock(j);
	return kept;
}

static struct revoke_rec *spare_take(struct journal *j)
{
	struct revoke_rec *r;

	journal_lists_lock(j);
	r = j->revoke_spares;
	if (r) {
		j->revoke_spares = r->next;
		atomic_store_relaxed(&j->revoke_spare_count, j->revoke_spare_count - 1);
	}
	journal_lists_unlock(j);
	return r;
}

static struct revoke_rec *rec_alloc(void)
{
	return FAULT("revoke_alloc") ? NULL : os_alloc(sizeof(struct revoke_rec));
}

static void spares_fill(struct journal *j)
{
	while (atomic_load_relaxed(&j->revoke_spare_count) < SPARES) {
		struct revoke_rec *r = rec_alloc();

		if (!r)
			return;
		if (!spare_keep(j, r))
			os_free(r);
	}
}

int revoke_tables_create(struct journal *j)
{
	j->revoke[0] = table_create();
	j->revoke[1] = table_create();
	spares_fill(j);
	if (j->revoke[0] && j->revoke[1] && j->revoke_spare_count == SPARES)
		return 0;
	revoke_tables_destroy(j);
	return ERR(ENOMEM);
}

void revoke_tables_destroy(struct journal *j)
{
	struct revoke_rec *r;

	while ((r = j->revoke_spares) != NULL) {
		j->revoke_spares = r->next;
		os_free(r);
	}
	j->revoke_spare_count = 0;
	table_destroy(j->revoke[0]);
	table_destroy(j->revoke[1]);
	j->revoke[0] = j->revoke[1] = NULL;
}

struct revoke_rec *revoke_rec_alloc(struct journal *j, pblk_t pblk)
{
	struct revoke_rec *r = rec_alloc();

	if (likely(r))
		spares_fill(j);
	else
		r = spare_take(j);
	if (r)
		*r = (struct revoke_rec){.pblk = pblk};
	return r;
}

void revoke_rec_free(struct revoke_rec *r)
{
	os_free(r);
}

/* Best effort: longer chains when there is no memory. */
static void table_grow(struct revoke_table *t)
{
	u32 old_count = t->mask + 1, i;
	struct revoke_rec **old = t->bucket, *r;
	struct revoke_rec **fresh = os_calloc((size_t)old_count * 4, sizeof(*fresh));

	if (!fresh)
		return;
	t->bucket = fresh;
	t->mask = old_count * 4 - 1;
	for (i = 0; i < old_count; i++)
		while ((r = old[i])) {
			struct revoke_rec **slot = slot_of(t, r->pblk);

			old[i] = r->next;
			r->next = *slot;
			*slot = r;
		}
	os_free(old);
}

static struct revoke_rec **table_find(struct revoke_table *t, pblk_t pblk)
{
	struct revoke_rec **slot = slot_of(t, pblk);

	while (*slot && (*slot)->pblk != pblk)
		slot = &(*slot)->next;
	return slot;
}

bool revoke_add_locked(struct journal *j, tid_nr tid, struct revoke_rec *r)
{
	struct revoke_table *t = j->revoke[tid & 1];
	struct revoke_rec **slot;

	ASSERT(os_mutex_held(&j->list_lock));
	if (t->count > 2 * t->mask)
		table_grow(t);
	slot = table_find(t, r->pblk);
	if (*slot) {
		os_free(r);
		return false;
	}
	*slot = r;
	t->count++;
	return true;
}

bool revoke_cancel_locked(struct journal *j, tid_nr tid, pblk_t pblk)
{
	struct revoke_table *t = j->revoke[tid & 1];
	struct revoke_rec **slot, *r;

	ASSERT(os_mutex_held(&j->list_lock));
	if (t->count == 0)
		return false;
	slot = table_find(t, pblk);
	r = *slot;
	if (!r)
		return false;
	TRACE("revoke_cancel", tid, pblk);
	*slot = r->next;
	t->count--;
	os_free(r);
	return true;
}

u32 revoke_count(const struct journal *j, tid_nr tid)
{
	return j->revoke[tid & 1]->count;
}

bool revoke_pop(struct journal *j, tid_nr tid, pblk_t *pblk)
{
	struct revoke_table *t = j->revoke[tid & 1];
	struct revoke_rec *r;

	if (t->count == 0)
		return false;
	while (!t->bucket[t->scan & t->mask])
		t->scan++;
	r = t->bucket[t->scan & t->mask];
	t->bucket[t->scan & t->mask] = r->next;
	t->count--;
	*pblk = r->pblk;
	os_free(r);
	return true;
}
