/*
 * The journal superblock: opening and checking a journal, its one writer, and
 * the map from log blocks to device blocks.
 *
 * Memory always holds the block as it was last written. All changes go through
 * journal_super_write, so checksum and contents can't part (JB-40).
 */
#include "base/err.h"
#include "disk/jbd2.h"
#include "disk/super.h"
#include "journal/journal_priv.h"

#include <string.h>

#define ERRNO_MAX 4095

/* --- the log's place on its device --- */

static const struct journal_run *find_run(const struct journal *j, u32 log_block)
{
	u32 low = 0, high = j->p.run_count;

	while (low < high) {
		u32 mid = low + (high - low) / 2;
		const struct journal_run *run = &j->p.runs[mid];

		if (log_block < run->lblk)
			high = mid;
		else if (log_block - run->lblk >= run->len)
			low = mid + 1;
		else
			return run;
	}
	return NULL;
}

int log_map(const struct journal *j, u32 log_block, pblk_t *pblk)
{
	const struct journal_run *run = find_run(j, log_block);

	if (!run || log_block >= j->maxlen)
		return ERR(EIO);
	*pblk = run->pblk + (log_block - run->lblk);
	return 0;
}

u32 log_contiguous(const struct journal *j, u32 log_block, u32 max)
{
	const struct journal_run *run = find_run(j, log_block);
	u32 n = 1;

	if (run)
		n = run->len - (log_block - run->lblk);
	if (log_block < j->log_end)
		n = min_of(n, j->log_end - log_block);
	return max_of(min_of(n, max), 1u);
}

/*
 * Without a hole, all on the device, and from block 0 on; an external log begins
 * with its superblock instead. The number of blocks, counted from 0, goes to *blocks.
 */
static int check_runs(const struct journal_params *p, u32 block_size, u32 *blocks)
{
	u64 device_blocks = p->log_dev->info.size / block_size, next = 0;
	u32 i;

	if (p->run_count && p->log_dev != p->fs_dev)
		next = p->runs[0].lblk;
	for (i = 0; i < p->run_count; i++) {
		const struct journal_run *run = &p->runs[i];

		if (run->lblk != next || !run->len || run->pblk >= device_blocks ||
			run->len > device_blocks - run->pblk)
			goto bad;
		next += run->len;
	}
	if (!p->run_count || next > UINT32_MAX)
		goto bad;
	*blocks = (u32)next;
	return 0;
bad:
	log_msg(p->log, LOG_ERROR,
		"journal: its blocks have holes or lie outside the device; run e2fsck");
	return ERR(EUCLEAN);
}

/* --- reading --- */

static void set_features(struct journal *j, u32 compat, u32 incompat)
{
	j->csum = (enum journal_csum)jbd2_csum_kind(compat, incompat);
	j->csum_seed = jbd2_csum_seed(j->super->s_uuid);
	j->is_64bit = incompat & JBD2_FEATURE_INCOMPAT_64BIT;
}

/* The superblock's first facts; the rest is in j->super. */
static void take_info(struct journal *j, const struct jbd2_info *info)
{
	u32 head = be32_to_cpu(j->super->s_head);
	bool v2 = be32_to_cpu(j->super->s_header.h_blocktype) == JBD2_SUPER_V2;

	j->log_first = info->first;
	j->log_end = info->end;
	j->maxlen = info->maxlen;
	j->fast_commit = info->incompat & JBD2_FEATURE_INCOMPAT_FAST_COMMIT;
	set_features(j, info->compat, info->incompat);
	j->head = j->log_first;
	j->next_seq = info->sequence + 1; /* JB-31 */
	if (info->start)
		j->next_seq += j->log_end - j->log_first; /* beyond what the log may hold */
	else if (v2 && head >= j->log_first && head < j->log_end)
		j->head = head; /* JB-33 */
}

static int load_super(struct journal *j)
{
	struct jbd2_info info;
	const char *why = "";
	u32 blocks = 0;
	int err = check_runs(&j->p, j->block_size, &blocks);

	if (err)
		return err;
	err = dev_read(j->p.log_dev, j->p.runs[0].pblk * j->block_size, j->super, j->block_size);
	if (err) {
		log_msg(j->p.log, LOG_ERROR, "journal superblock can't be read (error %d)", -err);
		return err;
	}
	err = jbd2_super_decode(j->super, j->block_size, blocks, &info, &why);
	if (!err && j->p.log_dev != j->p.fs_dev && info.nr_users != 1) {
		why = "it is shared by several file systems";
		err = ERR(EOPNOTSUPP);
	}
	if (!err && info.first <= j->p.runs[0].lblk) {
		why = "the log would overwrite it";
		err = ERR(EUCLEAN);
	}
	if (err) {
		log_msg(j->p.log, LOG_ERROR, "journal superblock (block %llu): %s; run e2fsck",
			(unsigned long long)j->p.runs[0].pblk, why);
		return err;
	}
	take_info(j, &info);
	return 0;
}

int journal_open(const struct journal_params *params, struct journal **out)
{
	struct journal *j;
	int err = journal_alloc(params, &j);

	if (err)
		return err;
	if (params->log_dev)
		err = load_super(j);
	if (err) {
		journal_destroy(j);
		return err;
	}
	*out = j;
	return 0;
}

bool journal_is_dirty(const struct journal *j)
{
	return j->super && be32_to_cpu(j->super->s_start) != 0;
}

int journal_stored_errno(const struct journal *j)
{
	s32 err = j->super ? (s32)be32_to_cpu(j->super->s_errno) : 0;

	if (err > 0)
		err = err <= ERRNO_MAX ? -err : -EIO;
	return err < -ERRNO_MAX ? -EIO : err;
}

/* --- writing --- */

int journal_super_write(struct journal *j, u32 dev_flags)
{
	ASSERT(os_mutex_held(&j->super_lock));
	jbd2_super_csum_set(j->super);
	if (j->p.no_barrier)
		dev_flags &= ~(u32)DEV_FUA;
	return dev_write(j->p.log_dev, j->p.runs[0].pblk * j->block_size, j->super, j->block_size,
		dev_flags);
}

static void set_position(struct journal *j, u32 start, u32 seq, u32 head)
{
	j->super->s_start = cpu_to_be32(start);
	j->super->s_sequence = cpu_to_be32(seq);
	if (be32_to_cpu(j->super->s_header.h_blocktype) == JBD2_SUPER_V2)
		j->super->s_head = cpu_to_be32(start ? 0 : head);
}

int journal_super_set_tail(struct journal *j, u32 start, u32 seq, u32 head, u32 dev_flags)
{
	int err;

	if (journal_aborted(j))
		return ERR(EROFS);
	os_mutex_lock(&j->super_lock);
	set_position(j, start, seq, head);
	err = journal_super_write(j, dev_flags);
	os_mutex_unlock(&j->super_lock);
	return err;
}

int journal_super_set_errno(struct journal *j, int err)
{
	int result;

	os_mutex_lock(&j->super_lock);
	j->super->s_errno = cpu_to_be32((u32)err);
	result = journal_super_write(j, DEV_FUA);
	os_mutex_unlock(&j->super_lock);
	return result;
}

int journal_discard(struct journal *j)
{
	int err;

	if (!journal_is_dirty(j))
		return 0;
	log_msg(j->p.log, LOG_WARNING,
		"journal: its transactions are thrown away: the file system says that it needs no "
		"recovery");
	err = journal_super_set_tail(j, 0, j->next_seq, j->head, DEV_FUA);
	if (!err)
		j->next_seq++;
	return err;
}

/* Version 1 has nothing behind s_errno. Caller holds super_lock. */
static void make_v2_locked(struct journal *j)
{
	struct jbd2_super *s = j->super;
	size_t keep = offsetof(struct jbd2_super, s_feature_compat);

	if (be32_to_cpu(s->s_header.h_blocktype) == JBD2_SUPER_V2)
		return;
	memset((u8 *)s + keep, 0, sizeof(*s) - keep);
	s->s_header.h_blocktype = cpu_to_be32(JBD2_SUPER_V2);
	s->s_nr_users = cpu_to_be32(1);
	memcpy(s->s_uuid, j->p.sb->uuid, sizeof(s->s_uuid));
}

static void upgrade_locked(struct journal *j)
{
	struct jbd2_super *s = j->super;
	u32 incompat;

	make_v2_locked(j);
	incompat = be32_to_cpu(s->s_feature_incompat);
	incompat &= ~(u32)(JBD2_FEATURE_INCOMPAT_64BIT | JBD2_FEATURE_INCOMPAT_ASYNC_COMMIT |
			   JBD2_FEATURE_INCOMPAT_CSUM_V2 | JBD2_FEATURE_INCOMPAT_CSUM_V3);
	incompat |= JBD2_FEATURE_INCOMPAT_REVOKE;
	if (super_has_64bit(j->p.sb))
		incompat |= JBD2_FEATURE_INCOMPAT_64BIT;
	if (super_has_metadata_csum(j->p.sb))
		incompat |= JBD2_FEATURE_INCOMPAT_CSUM_V3;
	s->s_checksum_type = super_has_metadata_csum(j->p.sb) ? JBD2_CHECKSUM_CRC32C : 0;
	s->s_feature_incompat = cpu_to_be32(incompat);
	s->s_feature_compat =
		cpu_to_be32(be32_to_cpu(s->s_feature_compat) & ~(u32)JBD2_FEATURE_COMPAT_CHECKSUM);
	if (!super_has_metadata_csum(j->p.sb))
		s->s_checksum = cpu_to_be32(0);
	s->s_errno = cpu_to_be32(0);
	set_features(j, be32_to_cpu(s->s_feature_compat), incompat);
}

int journal_super_upgrade(struct journal *j)
{
	int err = journal_discard(j);

	if (err)
		return err;
	os_mutex_lock(&j->super_lock);
	upgrade_locked(j);
	err = journal_super_write(j, DEV_FUA);
	os_mutex_unlock(&j->super_lock);
	if (err)
		log_msg(j->p.log, LOG_ERROR, "journal superblock can't be written (error %d)",
			-err);
	return err;
}
