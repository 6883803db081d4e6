/* Folios: making, finding, state, removal. */
#include "base/err.h"
#include "iomap/folio.h"
#include "os/clock.h"
#include "os/mem.h"

#include <string.h>

void folio_get(struct folio *f)
{
	atomic_add_relaxed(&f->refs, 1);
}

void folio_put(struct folio *f)
{
	if (atomic_sub(&f->refs, 1) != 0)
		return;
	os_mutex_fini(&f->lock);
	os_free_pages(f->data, f->size);
	os_free(f);
}

struct folio *folio_find(struct iofile *io, u64 pos)
{
	struct folio *f;

	os_mutex_lock(&io->tree_lock);
	f = tree_find(io, pos / io->cache->page_bytes);
	if (f)
		folio_get(f);
	os_mutex_unlock(&io->tree_lock);
	if (f)
		atomic_store_relaxed(&f->referenced, true);
	return f;
}

struct folio *folio_next(struct iofile *io, u64 pos, u64 end, bool dirty_only)
{
	struct folio *f;

	os_mutex_lock(&io->tree_lock);
	f = tree_next(io, pos / io->cache->page_bytes, dirty_only);
	if (f && f->pos >= end)
		f = NULL;
	if (f)
		folio_get(f);
	os_mutex_unlock(&io->tree_lock);
	return f;
}

static struct folio *folio_alloc(struct iofile *io, u64 pos, u32 size, bool reading)
{
	struct folio *f = os_zalloc(sizeof(*f));

	if (!f)
		return NULL;
	f->data = os_alloc_pages(size);
	if (!f->data) {
		os_free(f);
		return NULL;
	}
	f->io = io;
	f->cache = io->cache;
	f->pos = round_down_to(pos, size);
	f->size = size;
	f->refs = 2; /* the tree's and the caller's */
	f->flags = reading ? FOLIO_READING : 0;
	f->referenced = true;
	os_mutex_init(&f->lock, RANK_PAGE, "folio");
	list_init(&f->lru);
	return f;
}

/* The largest legal size for a folio at pos that serves want bytes. */
static u32 folio_size_for(const struct iofile *io, u64 pos, u64 want)
{
	u32 unit = io->cache->page_bytes, size = unit;
	u32 max = min_of(max_of(unit, FOLIO_BYTES_MAX), io->cache->p.block_size * FOLIO_BITS_MAX);

	pos = round_down_to(pos, unit);
	while (size < max && want >= 2ull * size && pos % (2ull * size) == 0)
		size *= 2;
	return size;
}

static int folio_make(struct iofile *io, u64 pos, u32 size, bool reading, struct folio **out)
{
	struct page_cache *pc = io->cache;
	struct folio *f;
	int err;

	cache_make_room(pc, size);
	f = folio_alloc(io, pos, size, reading);
	if (!f)
		return ERR(ENOMEM);
	folio_lock(f); /* nobody removes it between tree and LRU */
	os_mutex_lock(&io->tree_lock);
	err = tree_insert(io, f);
	os_mutex_unlock(&io->tree_lock);
	if (!err) {
		atomic_add_relaxed(&pc->bytes, size);
		lru_add(f);
	}
	os_mutex_unlock(&f->lock);
	if (err) {
		f->refs = 1;
		folio_put(f);
		return err;
	}
	*out = f;
	return 0;
}

/* A smaller folio may fit where a large one meets a neighbour. */
int folio_get_or_make(
	struct iofile *io, u64 pos, u64 want, bool reading, struct folio **out, bool *made)
{
	u32 size = folio_size_for(io, pos, want);

	for (;;) {
		int err;

		*made = false;
		*out = folio_find(io, pos);
		if (*out)
			return 0;
		err = folio_make(io, pos, size, reading, out);
		if (err == 0)
			*made = true;
		if (err != -EEXIST)
			return err;
		if (size > io->cache->page_bytes)
			size /= 2;
	}
}

static struct os_cond *folio_cond(struct folio *f)
{
	return &f->cache->wait[((uintptr_t)f >> 7) % WAIT_BUCKETS];
}

void folio_wait_flags(struct folio *f, u32 flags)
{
	while (f->flags & flags)
		os_cond_wait(folio_cond(f), &f->lock);
}

void folio_clear_flags(struct folio *f, u32 flags)
{
	ASSERT(os_mutex_held(&f->lock));
	f->flags &= ~flags;
	os_cond_broadcast(folio_cond(f));
}

void folio_set_dirty(struct folio *f, u64 mask)
{
	struct iofile *io = f->io;
	bool was_clean = f->dirty == 0;

	ASSERT(os_mutex_held(&f->lock) && !(f->flags & FOLIO_GONE));
	f->dirty |= mask;
	if (!was_clean || mask == 0)
		return;
	os_mutex_lock(&io->tree_lock);
	tree_mark_dirty(io, f, true);
	atomic_add(&io->dirty_count, 1);
	os_mutex_unlock(&io->tree_lock);
	atomic_add_relaxed(&io->cache->dirty_bytes, f->size);
	dirty_file_note(io);
}

void folio_set_clean(struct folio *f, u64 mask)
{
	struct iofile *io = f->io;
	bool was_clean = f->dirty == 0;

	ASSERT(os_mutex_held(&f->lock));
	f->dirty &= ~mask;
	if (was_clean || f->dirty)
		return;
	os_mutex_lock(&io->tree_lock);
	tree_mark_dirty(io, f, false);
	atomic_sub(&io->dirty_count, 1);
	os_mutex_unlock(&io->tree_lock);
	atomic_sub(&io->cache->dirty_bytes, f->size);
}

void folio_remove(struct folio *f)
{
	struct iofile *io = f->io;

	ASSERT(os_mutex_held(&f->lock) && !(f->flags & FOLIO_GONE));
	folio_set_clean(f, f->dirty);
	os_mutex_lock(&io->tree_lock);
	tree_remove(io, f);
	os_mutex_unlock(&io->tree_lock);
	lru_remove(f);
	atomic_sub(&f->cache->bytes, f->size);
	folio_clear_flags(f, 0);
	f->flags |= FOLIO_GONE;
	folio_put(f); /* the tree's; the caller holds another */
}

static u64 bits_between(u32 from, u32 to)
{
	if (from >= to)
		return 0;
	return (to == 64 ? ~0ull : (1ull << to) - 1) & ~((1ull << from) - 1);
}

static u64 clip(const struct folio *f, u64 pos)
{
	return pos <= f->pos ? 0 : min_of(pos - f->pos, (u64)f->size);
}

u64 folio_mask_touched(const struct folio *f, u64 start, u64 end)
{
	u32 bs = f->cache->p.block_size;

	return bits_between((u32)(clip(f, start) / bs), (u32)div_up(clip(f, end), bs));
}

u64 folio_mask_inside(const struct folio *f, u64 start, u64 end)
{
	u32 bs = f->cache->p.block_size;

	return bits_between((u32)div_up(clip(f, start), bs), (u32)(clip(f, end) / bs));
}
