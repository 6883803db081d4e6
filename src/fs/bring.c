/*
 * The rooms of one volume, up and down in floor order. A mount that replays
 * the journal brings everything down and up again, so that nothing read before
 * the replay survives it (RC-1).
 */
#include "base/err.h"
#include "fs/fs_priv.h"
#include "os/assert.h"

#define CACHE_BYTES_DEFAULT (256ull << 20)

static u64 cache_bytes(const struct fs *fs)
{
	return fs->options.cache_bytes ? fs->options.cache_bytes : CACHE_BYTES_DEFAULT;
}

/*
 * Of the bound a quarter serves metadata, an eighth inodes that nobody holds
 * and as much what is known of their maps, a 32nd names, the rest file pages.
 */
#define INODE_BYTES 1280 /* an inode, about; its map and attributes have bounds of their own */
#define MAP_ENTRY_BYTES 64

static int bcache_up(struct fs *fs)
{
	struct volume *v = &fs->volume;
	struct bcache_params p = {.dev = v->dev,
		.sb = &v->sb,
		.block_size = v->sb.block_size,
		.max_bytes = cache_bytes(fs) / 4,
		.log = &v->log};

	return bcache_create(&p, &v->bcache);
}

static int pages_up(struct fs *fs)
{
	struct volume *v = &fs->volume;
	struct page_cache_params p = {.dev = v->dev,
		.block_size = v->sb.block_size,
		.max_bytes = cache_bytes(fs) / 32 * 15,
		.log = &v->log};

	return page_cache_create(&p, &v->pages);
}

static void bcache_down(struct volume *v)
{
	bcache_destroy(v->bcache);
	v->bcache = NULL;
}

static void pages_down(struct volume *v)
{
	page_cache_destroy(v->pages);
	v->pages = NULL;
}

static u32 unused_inodes(const struct fs *fs)
{
	return (u32)min_of(max_of(cache_bytes(fs) / 8 / INODE_BYTES, 1ull), (u64)UINT32_MAX);
}

int volume_up(struct fs *fs, bool trust_counts)
{
	struct volume *v = &fs->volume;
	struct icache_params ip = {.max_unused = unused_inodes(fs)};
	int err = bcache_up(fs);

	if (err)
		return err;
	err = super_pin(fs);
	if (err)
		goto out_bcache;
	err = pages_up(fs);
	if (err)
		goto out_super;
	err = space_create(v, trust_counts);
	if (err)
		goto out_pages;
	err = map_cache_create(v, max_of(cache_bytes(fs) / 8 / MAP_ENTRY_BYTES, 1ull));
	if (err)
		goto out_space;
	err = icache_create(v, &ip);
	if (err)
		goto out_maps;
	icache_set_io_ops(v, &file_io_ops);
	err = dir_init(v, cache_bytes(fs) / 32);
	if (err)
		goto out_icache;
	dir_set_replace_hook(v, file_before_replace);
	return 0;
out_icache:
	icache_destroy(v);
out_maps:
	map_cache_destroy(v);
out_space:
	space_destroy(v);
out_pages:
	pages_down(v);
out_super:
	super_unpin(fs);
out_bcache:
	bcache_down(v);
	return err;
}

/* IO-23: with the last inode every promise of space is kept or given back. */
static void claims_check(struct volume *v)
{
	struct space_counts c;

	space_counts(v, &c);
	ASSERT(c.claimed == 0);
	(void)c;
}

void volume_down(struct fs *fs)
{
	struct volume *v = &fs->volume;

	dir_fini(v);
	icache_destroy(v);
	claims_check(v);
	map_cache_destroy(v);
	space_destroy(v);
	pages_down(v);
	super_unpin(fs);
	bcache_down(v);
}
