/* uext4_stats: what the rooms counted. */
#include "api/api_priv.h"

static void rooms(struct volume *v, struct uext4_stats *out)
{
	struct page_cache_stats pages;
	struct journal_stats journal;
	struct bcache_stats meta;
	struct dev_stats dev;

	page_cache_stats(v->pages, &pages);
	bcache_stats(v->bcache, &meta);
	journal_stats(v->journal, &journal);
	dev_stats(v->dev, &dev);
	*out = (struct uext4_stats){
		.page_hits = pages.hits,
		.page_misses = pages.misses,
		.page_bytes = pages.bytes,
		.dirty_bytes = pages.dirty_bytes,
		.meta_hits = meta.hits,
		.meta_misses = meta.misses,
		.meta_bytes = meta.bytes,
		.commits = journal.commits,
		.blocks_logged = journal.blocks_logged,
		.revokes = journal.revokes,
		.checkpointed = journal.checkpointed,
		.handles = journal.handles,
		.journal_waits = journal.waits,
		.bytes_read = pages.read_bytes,
		.bytes_written = pages.written_bytes,
		.device_reads = dev.reads,
		.device_writes = dev.writes,
		.device_flushes = dev.flushes,
		.device_discards = dev.discards,
		.device_bytes_read = dev.bytes_read,
		.device_bytes_written = dev.bytes_written,
		.lock_waits = os_lock_waits(),
	};
}

int uext4_stats(struct uext4_fs *fs, struct uext4_stats *out)
{
	struct volume *v = &fs->fs->volume;
	const struct tally *t = &v->operations;

	rooms(v, out);
	name_cache_stats(v, &out->name_hits, &out->name_misses);
	icache_stats(v, &out->inode_hits, &out->inode_misses);
	out->lookups = tally_sum(t, OP_LOOKUP);
	out->creates = tally_sum(t, OP_CREATE);
	out->removes = tally_sum(t, OP_REMOVE);
	out->renames = tally_sum(t, OP_RENAME);
	out->opens = tally_sum(t, OP_OPEN);
	out->reads = tally_sum(t, OP_READ);
	out->writes = tally_sum(t, OP_WRITE);
	out->syncs = tally_sum(t, OP_SYNC);
	return 0;
}
