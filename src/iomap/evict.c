/*
 * Keeping the cache within its bound: sharded lists with a second chance.
 * Only clean, unused folios go; when there are none, the flusher is woken.
 */
#include "iomap/folio.h"

#define SCAN_MAX 128

static struct lru_shard *lru_of(struct folio *f)
{
	return &f->cache->lru[((uintptr_t)f >> 8) % LRU_SHARDS];
}

void lru_add(struct folio *f)
{
	struct lru_shard *s = lru_of(f);

	os_mutex_lock(&s->lock);
	list_add_tail(&s->list, &f->lru);
	os_mutex_unlock(&s->lock);
}

void lru_remove(struct folio *f)
{
	struct lru_shard *s = lru_of(f);

	os_mutex_lock(&s->lock);
	if (!list_empty(&f->lru))
		list_del(&f->lru);
	os_mutex_unlock(&s->lock);
}

/* The oldest folio of a shard that was not used since the last look, with a reference. */
static struct folio *lru_victim(struct lru_shard *s)
{
	struct folio *f, *found = NULL;
	unsigned scanned = 0;

	os_mutex_lock(&s->lock);
	while (!list_empty(&s->list) && scanned++ < SCAN_MAX) {
		f = list_first(&s->list, struct folio, lru);
		list_move_tail(&s->list, &f->lru);
		if (atomic_xchg(&f->referenced, false) || atomic_load_relaxed(&f->refs) > 1)
			continue;
		folio_get(f);
		found = f;
		break;
	}
	os_mutex_unlock(&s->lock);
	return found;
}

/* Nobody may find it between the check and the removal: refs grow under tree_lock only. */
static bool folio_unused(struct folio *f)
{
	bool unused;

	os_mutex_lock(&f->io->tree_lock);
	unused = atomic_load_acq(&f->refs) == 2;
	os_mutex_unlock(&f->io->tree_lock);
	return unused;
}

static u64 evict(struct folio *f)
{
	u64 freed = 0;

	if (os_mutex_trylock(&f->lock)) {
		if (!f->flags && !f->dirty && folio_unused(f)) {
			folio_remove(f);
			freed = f->size;
		}
		os_mutex_unlock(&f->lock);
	}
	folio_put(f);
	return freed;
}

void cache_make_room(struct page_cache *pc, u64 bytes)
{
	unsigned misses = 0;

	while (atomic_load_relaxed(&pc->bytes) + bytes > pc->p.max_bytes && misses < LRU_SHARDS) {
		u32 hand = atomic_add_relaxed(&pc->lru_hand, 1) % LRU_SHARDS;
		struct folio *f = lru_victim(&pc->lru[hand]);

		if (f && evict(f))
			atomic_add_relaxed(&pc->stats.evictions, 1);
		else
			misses++;
	}
	if (misses == LRU_SHARDS)
		flusher_kick(pc);
}
