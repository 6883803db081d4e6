/* uext4_info: what the superblock says. */
#include "api/api_priv.h"

#include <string.h>

static s64 time_of(struct le32 lo, u8 hi)
{
	return (s64)((u64)le32_to_cpu(lo) | (u64)hi << 32);
}

static void superblock_part(struct volume *v, struct uext4_info *out)
{
	const struct ext4_super *s = volume_super(v);

	os_mutex_lock(&v->super_lock);
	memcpy(out->uuid, s->s_uuid, sizeof(out->uuid));
	memcpy(out->label, s->s_volume_name, sizeof(s->s_volume_name));
	memcpy(out->last_mounted, s->s_last_mounted, sizeof(s->s_last_mounted));
	out->state = le16_to_cpu(s->s_state);
	out->mount_count = le16_to_cpu(s->s_mnt_count);
	out->error_count = le32_to_cpu(s->s_error_count);
	out->first_inode = le32_to_cpu(s->s_first_ino);
	out->journal_inode = le32_to_cpu(s->s_journal_inum);
	out->feature_compat = le32_to_cpu(s->s_feature_compat);
	out->feature_incompat = le32_to_cpu(s->s_feature_incompat);
	out->feature_ro_compat = le32_to_cpu(s->s_feature_ro_compat);
	out->created = time_of(s->s_mkfs_time, s->s_mkfs_time_hi);
	out->mounted = time_of(s->s_mtime, s->s_mtime_hi);
	out->written = time_of(s->s_wtime, s->s_wtime_hi);
	out->checked = time_of(s->s_lastcheck, s->s_lastcheck_hi);
	os_mutex_unlock(&v->super_lock);
}

int uext4_info(struct uext4_fs *fs, struct uext4_info *out)
{
	struct volume *v = &fs->fs->volume;
	struct journal_stats journal;
	struct space_counts counts;

	memset(out, 0, sizeof(*out));
	superblock_part(v, out);
	journal_stats(v->journal, &journal);
	space_counts(v, &counts);
	out->block_size = v->sb.block_size;
	out->inode_size = v->sb.inode_size;
	out->group_count = v->sb.group_count;
	out->blocks_per_group = v->sb.blocks_per_group;
	out->inodes_per_group = v->sb.inodes_per_group;
	out->desc_size = v->sb.desc_size;
	out->blocks = counts.blocks;
	out->free_blocks = counts.free_blocks;
	out->reserved_blocks = counts.reserved_root;
	out->inodes = counts.inodes;
	out->free_inodes = counts.free_inodes;
	out->journal_blocks = journal.log_blocks;
	out->needed_recovery = fs->fs->replayed;
	return 0;
}
