/*
 * Targets: a log is data from outside. Each home block must lie in the file
 * system and not in the log, before the first of them is written (RC-10).
 *
 * The file system ends where its superblock says. A log that carries the
 * growth of the file system also carries a superblock with the new size, so
 * that copy counts too.
 */
#include "base/err.h"
#include "disk/super.h"
#include "journal/recover.h"
#include "os/mem.h"

#include <stdlib.h>
#include <string.h>

static int compare_runs(const void *a, const void *b)
{
	const struct journal_run *x = a, *y = b;

	return x->pblk < y->pblk ? -1 : x->pblk > y->pblk;
}

static u64 size_in_super(const struct ext4_super *s)
{
	u64 blocks = le32_to_cpu(s->s_blocks_count_lo);

	if (le16_to_cpu(s->s_magic) != EXT4_SUPER_MAGIC)
		return 0;
	if (le32_to_cpu(s->s_feature_incompat) & EXT4_FEATURE_INCOMPAT_64BIT)
		blocks |= (u64)le32_to_cpu(s->s_blocks_count_hi) << 32;
	return blocks;
}

/* Size that the log's newest superblock gives the file system; 0 if it has none. */
static int size_in_log(struct recovery *r, u64 *blocks)
{
	pblk_t home = EXT4_SUPER_OFFSET / r->block_size;
	const u8 *block;
	u32 i;
	int err;

	*blocks = 0;
	for (i = 0; i < r->tag_count && r->tags[i].pblk < home;)
		i++;
	if (i == r->tag_count || r->tags[i].pblk != home)
		return 0;
	err = recover_read(r, r->tags[i].pos, 1, &block);
	if (!err)
		*blocks = size_in_super((const void *)(block + EXT4_SUPER_OFFSET % r->block_size));
	return err;
}

/* First block behind the file system. */
static int find_limit(struct recovery *r, u64 *limit)
{
	u64 logged;
	int err = size_in_log(r, &logged);

	*limit = min_of(
		max_of(r->j->p.sb->blocks_count, logged), r->target->info.size / r->block_size);
	return err;
}

static int refuse(struct recovery *r, const struct recover_tag *tag, const char *where)
{
	log_msg(r->log, LOG_ERROR,
		"journal: transaction %u, log block %u is to go to block %llu, %s; nothing was "
		"replayed",
		tag->seq, recover_log_block(r, tag->pos), (unsigned long long)tag->pblk, where);
	return ERR(EUCLEAN);
}

/* Both lists ascend: the blocks of the log by place, the copies by home. */
static int check_against_log(struct recovery *r, const struct journal_run *runs, u32 count)
{
	u32 i, k = 0;

	for (i = 0; i < r->tag_count; i++) {
		pblk_t pblk = r->tags[i].pblk;

		while (k < count && runs[k].pblk + runs[k].len <= pblk)
			k++;
		if (k < count && runs[k].pblk <= pblk)
			return refuse(r, &r->tags[i], "inside the journal");
	}
	return 0;
}

int recover_check_targets(struct recovery *r)
{
	const struct journal_params *p = &r->j->p;
	struct journal_run *runs;
	u64 limit;
	int err;

	if (!r->tag_count)
		return 0;
	err = find_limit(r, &limit);
	if (err)
		return err;
	if (r->tags[r->tag_count - 1].pblk >= limit)
		return refuse(r, &r->tags[r->tag_count - 1], "outside the file system");
	if (p->log_dev != p->fs_dev)
		return 0;
	runs = os_calloc(p->run_count, sizeof(*runs));
	if (!runs)
		return ERR(ENOMEM);
	memcpy(runs, p->runs, p->run_count * sizeof(*runs));
	qsort(runs, p->run_count, sizeof(*runs), compare_runs);
	err = check_against_log(r, runs, p->run_count);
	os_free(runs);
	return err;
}
