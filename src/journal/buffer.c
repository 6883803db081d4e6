/* The cache itself: shards, lookup, references, eviction. */
#include "journal/buffer_priv.h"
#include "base/trace.h"
#include "os/mem.h"

#include <string.h>

#define SHARD_BUCKETS_MIN 64
#define EVICT_STEPS 32
#define EVICT_VICTIMS 4

static u64 pblk_hash(pblk_t pblk)
{
	return pblk * 0x9e3779b97f4a7c15ull;
}

static struct bcache_shard *shard_of(struct bcache *c, pblk_t pblk)
{
	return &c->shards[pblk_hash(pblk) >> 58];
}

static struct buf **bucket_of(struct bcache_shard *s, pblk_t pblk)
{
	return &s->hash[(pblk_hash(pblk) >> 20) & s->mask];
}

u32 bcache_region(pblk_t pblk)
{
	return (u32)(pblk_hash(pblk >> BCACHE_REGION_SHIFT) >> 40) % BCACHE_REGIONS;
}

/* Whole pages where direct I/O can use them, else the exact size. */
void *bcache_data_alloc(const struct bcache *c)
{
	return c->p.block_size >= 4096 ? os_alloc_pages(c->p.block_size)
				       : os_alloc(c->p.block_size);
}

void bcache_data_free(const struct bcache *c, void *data)
{
	if (c->p.block_size >= 4096)
		os_free_pages(data, c->p.block_size);
	else
		os_free(data);
}

int bcache_create(const struct bcache_params *params, struct bcache **out)
{
	struct bcache *c = os_zalloc(sizeof(*c));
	u64 per_shard = params->max_bytes / params->block_size / BCACHE_SHARDS;
	unsigned i;
	int err;

	if (!c)
		return ERR(ENOMEM);
	c->p = *params;
	c->shard_max = (u32)max_of(min_of(per_shard, 1u << 30), 2u);
	os_cond_init(&c->io_cond, "bcache_io");
	for (i = 0; i < BCACHE_SHARDS; i++) {
		struct bcache_shard *s = &c->shards[i];

		os_mutex_init(&s->lock, RANK_CACHE, "bcache_shard");
		list_init(&s->clock);
		s->mask = SHARD_BUCKETS_MIN - 1;
		s->hash = os_calloc(SHARD_BUCKETS_MIN, sizeof(*s->hash));
		if (!s->hash)
			goto out_free;
	}
	err = os_workqueue_create(&c->readahead, "buf-readahead", 2);
	if (err)
		goto out_err;
	*out = c;
	return 0;
out_free:
	err = ERR(ENOMEM);
out_err:
	for (i = 0; i < BCACHE_SHARDS; i++)
		os_free(c->shards[i].hash);
	os_free(c);
	return err;
}

static void buf_destroy(struct buf *b)
{
	ASSERT(!b->join[0].txn && !b->join[1].txn && !b->cp_txn && !b->frozen);
	bcache_data_free(b->cache, b->data);
	os_free(b);
}

static struct buf *buf_alloc(struct bcache *c, pblk_t pblk)
{
	struct buf *b = FAULT("buf_alloc") ? NULL : os_zalloc(sizeof(*b));

	if (!b)
		return NULL;
	b->data = bcache_data_alloc(c);
	if (!b->data) {
		os_free(b);
		return NULL;
	}
	b->pblk = pblk;
	b->cache = c;
	b->refs = 1;
	os_mutex_init(&b->lock, RANK_BUFFER, "buf");
	list_init(&b->lru);
	list_init(&b->cp_node);
	list_init(&b->join[0].node);
	list_init(&b->join[1].node);
	return b;
}

static struct buf *shard_find_locked(struct bcache_shard *s, pblk_t pblk)
{
	struct buf *b = *bucket_of(s, pblk);

	while (b && b->pblk != pblk)
		b = b->hash_next;
	return b;
}

/* Best effort: longer chains when there is no memory. */
static void shard_grow_locked(struct bcache_shard *s)
{
	u32 buckets = (s->mask + 1) * 4, i;
	struct buf **fresh = os_calloc(buckets, sizeof(*fresh));
	struct buf **old = s->hash, *b;
	u32 old_count = s->mask + 1;

	if (!fresh)
		return;
	s->hash = fresh;
	s->mask = buckets - 1;
	for (i = 0; i < old_count; i++)
		while ((b = old[i])) {
			struct buf **slot = bucket_of(s, b->pblk);

			old[i] = b->hash_next;
			b->hash_next = *slot;
			*slot = b;
		}
	os_free(old);
}

static void shard_insert_locked(struct bcache *c, struct bcache_shard *s, struct buf *b)
{
	struct buf **slot;

	if (s->count > 2 * s->mask)
		shard_grow_locked(s);
	slot = bucket_of(s, b->pblk);
	b->hash_next = *slot;
	*slot = b;
	list_add_tail(&s->clock, &b->lru);
	s->count++;
	atomic_add_relaxed(&c->regions[bcache_region(b->pblk)], 1);
}

static void shard_remove_locked(struct bcache *c, struct bcache_shard *s, struct buf *b)
{
	struct buf **slot = bucket_of(s, b->pblk);

	while (*slot != b)
		slot = &(*slot)->hash_next;
	*slot = b->hash_next;
	list_del(&b->lru);
	s->count--;
	atomic_sub(&c->regions[bcache_region(b->pblk)], 1);
}

/* Second-chance eviction of unreferenced buffers; what leaves is chained through hash_next. */
static struct buf *shard_evict_locked(struct bcache *c, struct bcache_shard *s)
{
	struct buf *victims = NULL;
	unsigned steps = 0, found = 0;

	while (s->count > c->shard_max && steps++ < EVICT_STEPS && found < EVICT_VICTIMS) {
		struct buf *b = list_first(&s->clock, struct buf, lru);

		if (atomic_load_acq(&b->refs) != 0 || atomic_load_relaxed(&b->recent)) {
			atomic_store_relaxed(&b->recent, false);
			list_move_tail(&s->clock, &b->lru);
			continue;
		}
		shard_remove_locked(c, s, b);
		b->hash_next = victims;
		victims = b;
		found++;
	}
	s->evictions += found;
	return victims;
}

static void destroy_chain(struct buf *b)
{
	while (b) {
		struct buf *next = b->hash_next;

		buf_destroy(b);
		b = next;
	}
}

static struct buf *lookup_locked(struct bcache_shard *s, pblk_t pblk)
{
	struct buf *b = shard_find_locked(s, pblk);

	if (!b)
		return NULL;
	atomic_add(&b->refs, 1);
	if (!atomic_load_relaxed(&b->recent))
		atomic_store_relaxed(&b->recent, true);
	s->hits++;
	return b;
}

struct buf *bcache_get(struct bcache *c, pblk_t pblk, bool create)
{
	struct bcache_shard *s = shard_of(c, pblk);
	struct buf *b, *fresh, *victims;

	os_mutex_lock(&s->lock);
	b = lookup_locked(s, pblk);
	os_mutex_unlock(&s->lock);
	if (b || !create)
		return b;
	fresh = buf_alloc(c, pblk);
	if (!fresh)
		return NULL;
	os_mutex_lock(&s->lock);
	b = lookup_locked(s, pblk);
	if (!b) {
		shard_insert_locked(c, s, fresh);
		s->misses++;
	}
	victims = shard_evict_locked(c, s);
	os_mutex_unlock(&s->lock);
	destroy_chain(victims);
	if (b)
		buf_destroy(fresh);
	return b ? b : fresh;
}

struct buf *buf_find(struct bcache *c, pblk_t pblk)
{
	struct buf *b = bcache_get(c, pblk, false);

	if (b && !buf_test(b, BUF_UPTODATE)) {
		buf_put(b);
		b = NULL;
	}
	return b;
}

void buf_get(struct buf *b)
{
	u32 refs = atomic_add(&b->refs, 1);

	ASSERT(refs > 1);
	(void)refs;
}

void buf_put(struct buf *b)
{
	struct bcache_shard *s;
	bool last;
	u32 refs;

	if (!b)
		return;
	refs = atomic_load_relaxed(&b->refs);
	while (refs > 1)
		if (atomic_cas(&b->refs, &refs, refs - 1))
			return;
	s = shard_of(b->cache, b->pblk);
	os_mutex_lock(&s->lock);
	refs = atomic_sub(&b->refs, 1);
	ASSERT(refs != UINT32_MAX);
	last = refs == 0 && b->unhashed;
	os_mutex_unlock(&s->lock);
	if (last)
		buf_destroy(b);
}

/* Nobody finds b any more; the last reference frees it. The caller holds one. */
static void buf_unhash(struct buf *b)
{
	struct bcache_shard *s = shard_of(b->cache, b->pblk);

	os_mutex_lock(&s->lock);
	if (!b->unhashed) {
		shard_remove_locked(b->cache, s, b);
		b->unhashed = true;
	}
	os_mutex_unlock(&s->lock);
}

/* Somebody's change that has not been brought home and was not forgotten either. */
static bool live_locked(const struct buf *b)
{
	return ((b->join[0].flags | b->join[1].flags) & JOIN_DIRTY) || b->cp_txn ||
	       buf_test(b, BUF_DIRTY_HOME);
}

static int invalidate_one(struct bcache *c, pblk_t pblk, bool keep)
{
	struct buf *b = bcache_get(c, pblk, false);
	bool live;

	if (!b)
		return 0;
	TRACE("bcache_invalidate", pblk, keep);
	os_mutex_lock(&b->lock);
	if (!keep)
		buf_wait_writeback_locked(b);
	live = live_locked(b);
	os_mutex_unlock(&b->lock);
	if (!live && !keep)
		buf_unhash(b);
	buf_put(b);
	return live ? ERR(EUCLEAN) : 0;
}

static int for_cached(struct bcache *c, pblk_t pblk, u32 len, bool keep)
{
	pblk_t end = pblk + len;
	int err = 0;

	while (pblk < end && !err) {
		pblk_t region_end = ((pblk >> BCACHE_REGION_SHIFT) + 1) << BCACHE_REGION_SHIFT;
		pblk_t stop = min_of(region_end, end);

		if (atomic_load_acq(&c->regions[bcache_region(pblk)]) != 0)
			for (; pblk < stop && !err; pblk++)
				err = invalidate_one(c, pblk, keep);
		pblk = stop;
	}
	return err;
}

int bcache_invalidate(struct bcache *c, pblk_t pblk, u32 len)
{
	return for_cached(c, pblk, len, false);
}

int bcache_check_unused(struct bcache *c, pblk_t pblk, u32 len)
{
	return for_cached(c, pblk, len, true);
}

static int shard_reset_locked(struct bcache *c, struct bcache_shard *s, struct buf **out)
{
	struct buf *b;

	list_for_each_entry (b, &s->clock, lru)
		if (atomic_load_acq(&b->refs) != 0)
			return ERR(EBUSY);
	while (!list_empty(&s->clock)) {
		b = list_first(&s->clock, struct buf, lru);
		shard_remove_locked(c, s, b);
		b->hash_next = *out;
		*out = b;
	}
	return 0;
}

int bcache_reset(struct bcache *c)
{
	int err = 0;
	unsigned i;

	os_workqueue_flush(c->readahead);
	for (i = 0; i < BCACHE_SHARDS && !err; i++) {
		struct bcache_shard *s = &c->shards[i];
		struct buf *chain = NULL;

		os_mutex_lock(&s->lock);
		err = shard_reset_locked(c, s, &chain);
		os_mutex_unlock(&s->lock);
		destroy_chain(chain);
	}
	return err;
}

void bcache_destroy(struct bcache *c)
{
	unsigned i;
	int err;

	if (!c)
		return;
	os_workqueue_destroy(c->readahead);
	c->readahead = NULL;
	for (i = 0; i < BCACHE_SHARDS; i++) {
		struct buf *chain = NULL;

		err = shard_reset_locked(c, &c->shards[i], &chain);
		ASSERT(!err);
		(void)err;
		destroy_chain(chain);
		os_free(c->shards[i].hash);
		os_mutex_fini(&c->shards[i].lock);
	}
	os_free(c);
}

void bcache_stats(struct bcache *c, struct bcache_stats *out)
{
	unsigned i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < BCACHE_SHARDS; i++) {
		struct bcache_shard *s = &c->shards[i];

		os_mutex_lock(&s->lock);
		out->bytes += (u64)s->count * c->p.block_size;
		out->hits += s->hits;
		out->misses += s->misses;
		out->evictions += s->evictions;
		os_mutex_unlock(&s->lock);
	}
}
