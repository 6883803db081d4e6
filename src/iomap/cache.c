/* The page cache of a volume and the per-file part: up and down. */
#include "base/err.h"
#include "iomap/folio.h"
#include "os/mem.h"

#define DIRTY_PERCENT 20
#define EXPIRE_MS 30000
#define READER_THREADS 4

static void cache_init(struct page_cache *pc, const struct page_cache_params *params)
{
	pc->p = *params;
	pc->p.dirty_percent = params->dirty_percent ? params->dirty_percent : DIRTY_PERCENT;
	pc->p.expire_ms = params->expire_ms ? params->expire_ms : EXPIRE_MS;
	pc->page_bytes = max_of(params->block_size, PAGE_BYTES_MIN);
	for (unsigned k = 0; k < LRU_SHARDS; k++) {
		os_mutex_init(&pc->lru[k].lock, RANK_LEAF, "folio lru");
		list_init(&pc->lru[k].list);
	}
	for (unsigned k = 0; k < WAIT_BUCKETS; k++)
		os_cond_init(&pc->wait[k], "folio flags");
	os_mutex_init(&pc->lock, RANK_JOURNAL, "page cache");
	os_cond_init(&pc->kick, "flusher");
	list_init(&pc->dirty_files);
	list_init(&pc->passes);
	os_cond_init(&pc->progress, "flusher progress");
}

int page_cache_create(const struct page_cache_params *params, struct page_cache **out)
{
	struct page_cache *pc = os_zalloc(sizeof(*pc));
	int err;

	if (!pc)
		return ERR(ENOMEM);
	cache_init(pc, params);
	err = reserve_init(pc);
	if (err)
		goto out_free;
	err = os_workqueue_create(&pc->readers, "readahead", READER_THREADS);
	if (err)
		goto out_reserve;
	err = flusher_start(pc);
	if (err)
		goto out_readers;
	*out = pc;
	return 0;
out_readers:
	os_workqueue_destroy(pc->readers);
out_reserve:
	reserve_fini(pc);
out_free:
	os_free(pc);
	return err;
}

void page_cache_destroy(struct page_cache *pc)
{
	flusher_stop(pc);
	os_workqueue_destroy(pc->readers);
	reserve_fini(pc);
	ASSERT(pc->bytes == 0 && pc->dirty_bytes == 0);
	os_free(pc);
}

void page_cache_stats(struct page_cache *pc, struct page_cache_stats *out)
{
	*out = (struct page_cache_stats){.bytes = atomic_load_relaxed(&pc->bytes),
		.dirty_bytes = atomic_load_relaxed(&pc->dirty_bytes),
		.hits = atomic_load_relaxed(&pc->stats.hits),
		.misses = atomic_load_relaxed(&pc->stats.misses),
		.evictions = atomic_load_relaxed(&pc->stats.evictions),
		.written_bytes = atomic_load_relaxed(&pc->stats.written_bytes),
		.read_bytes = atomic_load_relaxed(&pc->stats.read_bytes)};
}

void iofile_init(struct iofile *io, struct page_cache *cache, const struct iofile_ops *ops)
{
	*io = (struct iofile){.cache = cache, .ops = ops};
	os_mutex_init(&io->tree_lock, RANK_CACHE, "folio tree");
	list_init(&io->dirty_node);
}

void iofile_fini(struct iofile *io)
{
	dirty_file_forget(io);
	iofile_drop_range(io, 0, UINT64_MAX);
	dirty_file_forget(io);
	tree_free(io);
	os_mutex_fini(&io->tree_lock);
}
