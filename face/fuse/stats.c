/* -o stats: the counters of a mount, told when it ends. */
#include "server.h"

#include <stdio.h>

#include "report.h"

#define STAT(member)                                                                               \
	{                                                                                          \
#member, offsetof(struct uext4_stats, member)                                      \
	}

void stats_report(struct server *s, const char *image)
{
	static const struct {
		const char *name;
		size_t offset;
	} all[] = {STAT(lookups), STAT(creates), STAT(removes), STAT(renames), STAT(opens),
		STAT(reads), STAT(writes), STAT(syncs), STAT(name_hits), STAT(name_misses),
		STAT(inode_hits), STAT(inode_misses), STAT(page_hits), STAT(page_misses),
		STAT(page_bytes), STAT(dirty_bytes), STAT(bytes_read), STAT(bytes_written),
		STAT(meta_hits), STAT(meta_misses), STAT(meta_bytes), STAT(handles),
		STAT(journal_waits), STAT(commits), STAT(blocks_logged), STAT(revokes),
		STAT(checkpointed), STAT(device_reads), STAT(device_writes), STAT(device_flushes),
		STAT(device_discards), STAT(device_bytes_read), STAT(device_bytes_written),
		STAT(lock_waits)};
	struct uext4_stats st;

	if (uext4_stats(s->fs, &st))
		return;
	for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++)
		report(UEXT4_LOG_INFO, "mount: %s: %s %llu", image, all[k].name,
			(unsigned long long)*(const uint64_t *)((const char *)&st + all[k].offset));
}
