/* Decoding and checking the superblock: HD-1, MD-6. */
#include "disk/super.h"

#include <string.h>

#include "base/crc.h"
#include "base/err.h"
#include "base/util.h"
#include "disk/dirent_format.h"
#include "disk/group_format.h"
#include "disk/inode_format.h"

enum {
	LOG_BLOCK_SIZE_MAX = 6,
	LOG_CLUSTER_SIZE_MAX = 20,
	EXTRA_ISIZE = 32,	/* all fields known */
	STATE_REPLAYING = 0x20, /* Linux sets it in memory; on disk it means nothing */
	GROUPS_PER_FLEX_LOG_MAX = 31,
};

static u32 csum_of(const struct ext4_super *s)
{
	return crc32c(~0u, s, offsetof(struct ext4_super, s_checksum));
}

static bool has_metadata_csum(const struct ext4_super *s)
{
	return le32_to_cpu(s->s_feature_ro_compat) & EXT4_FEATURE_RO_COMPAT_METADATA_CSUM;
}

void super_csum_set(struct ext4_super *s)
{
	if (has_metadata_csum(s))
		s->s_checksum = cpu_to_le32(csum_of(s));
}

bool super_csum_verify(const struct ext4_super *s)
{
	return !has_metadata_csum(s) || le32_to_cpu(s->s_checksum) == csum_of(s);
}

static u64 join(struct le32 lo, struct le32 hi)
{
	return (u64)le32_to_cpu(hi) << 32 | le32_to_cpu(lo);
}

/* --- copying fields; nothing is checked here --- */

static void decode_features(const struct ext4_super *s, struct super_info *out)
{
	out->rev = le32_to_cpu(s->s_rev_level);
	out->feature_compat = le32_to_cpu(s->s_feature_compat);
	out->feature_incompat = le32_to_cpu(s->s_feature_incompat);
	out->feature_ro_compat = le32_to_cpu(s->s_feature_ro_compat);
	memcpy(out->uuid, s->s_uuid, sizeof(out->uuid));
	out->csum_seed = super_has_csum_seed(out) ? le32_to_cpu(s->s_checksum_seed)
						  : crc32c(~0u, s->s_uuid, sizeof(s->s_uuid));
}

static void decode_counts(const struct ext4_super *s, struct super_info *out)
{
	out->blocks_count = join(s->s_blocks_count_lo, s->s_blocks_count_hi);
	out->r_blocks_count =
		min_of(join(s->s_r_blocks_count_lo, s->s_r_blocks_count_hi), out->blocks_count);
	out->free_blocks_hint = join(s->s_free_blocks_count_lo, s->s_free_blocks_count_hi);
	out->free_inodes_hint = le32_to_cpu(s->s_free_inodes_count);
	out->inodes_count = le32_to_cpu(s->s_inodes_count);
	out->first_data_block = le32_to_cpu(s->s_first_data_block);
	out->blocks_per_group = le32_to_cpu(s->s_blocks_per_group);
	out->clusters_per_group = le32_to_cpu(s->s_clusters_per_group);
	out->inodes_per_group = le32_to_cpu(s->s_inodes_per_group);
	out->reserved_gdt_blocks = le16_to_cpu(s->s_reserved_gdt_blocks);
	out->first_meta_bg = le32_to_cpu(s->s_first_meta_bg);
	out->raid_stride = le16_to_cpu(s->s_raid_stride);
	out->raid_stripe_width = le32_to_cpu(s->s_raid_stripe_width);
	for (int i = 0; i < 2 && super_has_sparse_super2(out); i++)
		out->backup_bgs[i] = le32_to_cpu(s->s_backup_bgs[i]);
	if (super_has_flex_bg(out))
		out->log_groups_per_flex = s->s_log_groups_per_flex;
}

static void decode_inodes(const struct ext4_super *s, struct super_info *out)
{
	bool old = out->rev == EXT4_REV_ORIGINAL;

	out->inode_size = old ? EXT4_INODE_SIZE_OLD : le16_to_cpu(s->s_inode_size);
	out->first_ino = old ? EXT4_GOOD_OLD_FIRST_INO : le32_to_cpu(s->s_first_ino);
	if (out->inode_size > EXT4_INODE_SIZE_OLD) {
		out->want_extra_isize = le16_to_cpu(s->s_want_extra_isize);
		out->min_extra_isize = le16_to_cpu(s->s_min_extra_isize);
	}
	if (super_has_journal(out)) {
		out->journal_inum = le32_to_cpu(s->s_journal_inum);
		out->journal_dev = le32_to_cpu(s->s_journal_dev);
		memcpy(out->journal_uuid, s->s_journal_uuid, sizeof(out->journal_uuid));
	}
	if (super_has_orphan_file(out))
		out->orphan_file_inum = le32_to_cpu(s->s_orphan_file_inum);
	if (super_has_quota(out)) {
		out->quota_inum[0] = le32_to_cpu(s->s_usr_quota_inum);
		out->quota_inum[1] = le32_to_cpu(s->s_grp_quota_inum);
		if (super_has_project(out))
			out->quota_inum[2] = le32_to_cpu(s->s_prj_quota_inum);
	}
	out->lpf_inum = le32_to_cpu(s->s_lpf_ino);
}

static void decode_rest(const struct ext4_super *s, struct super_info *out)
{
	u32 flags = le32_to_cpu(s->s_flags);

	for (int i = 0; i < 4; i++)
		out->hash_seed[i] = le32_to_cpu(s->s_hash_seed[i]);
	out->def_hash_version = s->s_def_hash_version;
	out->hash_unsigned = flags & EXT4_SUPER_UNSIGNED_HASH && !(flags & EXT4_SUPER_SIGNED_HASH);
	out->hash_sign_known = flags & (EXT4_SUPER_SIGNED_HASH | EXT4_SUPER_UNSIGNED_HASH);
	out->state = le16_to_cpu(s->s_state) & ~(u32)STATE_REPLAYING;
	out->errors = le16_to_cpu(s->s_errors);
	out->last_orphan = le32_to_cpu(s->s_last_orphan);
	out->resuid = le16_to_cpu(s->s_def_resuid) | (u32)le16_to_cpu(s->s_def_resuid_hi) << 16;
	out->resgid = le16_to_cpu(s->s_def_resgid) | (u32)le16_to_cpu(s->s_def_resgid_hi) << 16;
	out->default_mount_opts = le32_to_cpu(s->s_default_mount_opts);
	out->mmp_block = le64_to_cpu(s->s_mmp_block);
	out->mmp_update_interval = le16_to_cpu(s->s_mmp_update_interval);
	out->encoding = le16_to_cpu(s->s_encoding);
	out->encoding_flags = le16_to_cpu(s->s_encoding_flags);
}

/* --- checks: each returns what is wrong, or NULL --- */

static const char *check_feature_pairs(const struct ext4_super *s, const struct super_info *sb)
{
	if (sb->feature_incompat & EXT4_FEATURE_INCOMPAT_JOURNAL_DEV)
		return "it belongs to an external journal, not to a file system";
	if (super_has_metadata_csum(sb) && super_has_gdt_csum(sb))
		return "features metadata_csum and uninit_bg exclude each other";
	if (super_has_csum_seed(sb) && !super_has_metadata_csum(sb))
		return "feature metadata_csum_seed needs metadata_csum";
	if (super_has_64bit(sb) && !super_has_extents(sb))
		return "feature 64bit needs extent";
	if (super_has_bigalloc(sb) && !super_has_extents(sb))
		return "feature bigalloc needs extent";
	if (super_has_resize_inode(sb) && super_has_meta_bg(sb))
		return "features resize_inode and meta_bg exclude each other";
	if (super_has_orphan_present(sb) && !super_has_orphan_file(sb))
		return "feature orphan_present needs orphan_file";
	if (super_has_orphan_file(sb) && !super_has_journal(sb))
		return "feature orphan_file needs has_journal";
	if (super_has_metadata_csum(sb) && s->s_checksum_type != EXT4_CHECKSUM_CRC32C)
		return "unknown kind of checksum";
	if (super_has_encrypt(sb) && s->s_encryption_level != 0)
		return "unknown encryption level";
	return NULL;
}

static const char *decode_block_size(const struct ext4_super *s, struct super_info *sb)
{
	u32 block = le32_to_cpu(s->s_log_block_size), cluster = le32_to_cpu(s->s_log_cluster_size);

	if (block > LOG_BLOCK_SIZE_MAX)
		return "impossible block size";
	sb->block_bits = 10 + block;
	sb->block_size = 1u << sb->block_bits;
	if (cluster > LOG_CLUSTER_SIZE_MAX || cluster < block)
		return "impossible cluster size";
	if (cluster != block && !super_has_bigalloc(sb))
		return "cluster size differs from block size without bigalloc";
	sb->cluster_size = 1024u << cluster;
	sb->blocks_per_cluster = 1u << (cluster - block);
	return NULL;
}

static const char *check_inode_size(struct super_info *sb)
{
	u32 extra = sb->inode_size - EXT4_INODE_SIZE_OLD;

	if (sb->first_ino < EXT4_GOOD_OLD_FIRST_INO)
		return "the first inode number is a reserved one";
	if (!is_pow2(sb->inode_size) || sb->inode_size < EXT4_INODE_SIZE_OLD ||
		sb->inode_size > sb->block_size)
		return "impossible inode size";
	if (sb->want_extra_isize > extra || sb->min_extra_isize > extra)
		return "extra inode fields are larger than the inode";
	/* From here on what new inodes get (MD-16): wishes count with the feature only. */
	if (!super_has_extra_isize(sb))
		sb->want_extra_isize = sb->min_extra_isize = 0;
	if (sb->inode_size > EXT4_INODE_SIZE_OLD)
		sb->want_extra_isize =
			max_of(max_of(sb->want_extra_isize, sb->min_extra_isize), (u32)EXTRA_ISIZE);
	if (sb->want_extra_isize % 4)
		return "the size of the extra inode fields is no multiple of 4";
	return NULL;
}

static const char *decode_desc_size(const struct ext4_super *s, struct super_info *sb)
{
	sb->desc_size = EXT4_DESC_SIZE_MIN;
	if (super_has_64bit(sb))
		sb->desc_size = le16_to_cpu(s->s_desc_size);
	if (super_has_64bit(sb) &&
		(sb->desc_size < EXT4_DESC_SIZE_64BIT || sb->desc_size > EXT4_DESC_SIZE_MAX ||
			!is_pow2(sb->desc_size)))
		return "impossible group descriptor size";
	sb->descs_per_block = sb->block_size / sb->desc_size;
	return NULL;
}

static const char *check_per_group(struct super_info *sb)
{
	u32 bits = sb->block_size * 8;

	sb->inodes_per_block = sb->block_size / sb->inode_size;
	if (sb->clusters_per_group == 0 || sb->clusters_per_group > bits ||
		sb->clusters_per_group % 8)
		return "impossible number of clusters per group";
	if ((u64)sb->clusters_per_group * sb->blocks_per_cluster != sb->blocks_per_group)
		return "numbers of blocks and clusters per group don't match";
	if (sb->inodes_per_group < sb->inodes_per_block || sb->inodes_per_group > bits)
		return "impossible number of inodes per group";
	sb->itable_blocks = (u32)div_up(sb->inodes_per_group, sb->inodes_per_block);
	return NULL;
}

static const char *check_size(struct super_info *sb, u64 device_size)
{
	bool small_blocks = sb->block_size == EXT4_SUPER_OFFSET;
	u64 groups;

	if (sb->blocks_count > device_size >> sb->block_bits)
		return "the file system is larger than the device";
	if (sb->first_data_block >= sb->blocks_count)
		return "the first data block is behind the end";
	if (!super_has_bigalloc(sb) && sb->first_data_block != small_blocks)
		return "the first data block does not fit the block size";
	if (super_has_bigalloc(sb) && sb->first_data_block > small_blocks)
		return "the first data block does not fit the block size";
	if (sb->log_groups_per_flex > GROUPS_PER_FLEX_LOG_MAX)
		return "too many groups in a flexible group";
	groups = div_up(sb->blocks_count - sb->first_data_block, sb->blocks_per_group);
	if (groups > UINT32_MAX)
		return "too many block groups";
	sb->group_count = (u32)groups;
	if (groups * sb->inodes_per_group != sb->inodes_count)
		return "the number of inodes does not match the number of groups";
	return NULL;
}

static const char *check_gdt(struct super_info *sb)
{
	u64 copies;

	sb->gdt_blocks = (u32)div_up(sb->group_count, sb->descs_per_block);
	if (sb->reserved_gdt_blocks > sb->block_size / 4)
		return "too many reserved descriptor blocks";
	if (sb->reserved_gdt_blocks && !super_has_resize_inode(sb))
		return "reserved descriptor blocks without resize_inode";
	if (super_has_meta_bg(sb) && sb->first_meta_bg > sb->gdt_blocks)
		return "the first meta block group is behind the descriptors";
	copies = super_has_meta_bg(sb) ? sb->first_meta_bg : sb->gdt_blocks;
	if (EXT4_SUPER_OFFSET / sb->block_size + 1 + copies + sb->reserved_gdt_blocks >
		sb->blocks_count)
		return "the group descriptors reach behind the end";
	return NULL;
}

static const char *check_hash(struct super_info *sb)
{
	if (sb->def_hash_version > EXT4_HASH_SIPHASH)
		return "unknown directory hash";
	if (sb->def_hash_version == EXT4_HASH_SIPHASH && !super_has_casefold(sb))
		return "directory hash siphash without casefold";
	/* 3..5 name the unsigned variants and never belong on disk; Linux lets them pass. */
	if (sb->def_hash_version >= EXT4_HASH_LEGACY_UNSIGNED &&
		sb->def_hash_version <= EXT4_HASH_TEA_UNSIGNED)
		sb->def_hash_version -= EXT4_HASH_LEGACY_UNSIGNED;
	return NULL;
}

/* HD-3, as far as numbers go: valid, not the root, the bad blocks or the journal, distinct. */
static const char *check_special_inodes(const struct super_info *sb)
{
	const u32 nr[4] = {
		sb->orphan_file_inum, sb->quota_inum[0], sb->quota_inum[1], sb->quota_inum[2]};

	if (sb->journal_inum && sb->journal_dev)
		return "both a journal inode and a journal device";
	if (sb->journal_inum > sb->inodes_count || sb->journal_inum == EXT4_ROOT_INO)
		return "impossible number of the journal inode";
	if (super_has_orphan_file(sb) && sb->orphan_file_inum == 0)
		return "the orphan file has no inode number";
	for (int i = 0; i < 4; i++) {
		if (nr[i] == 0)
			continue;
		if (nr[i] > sb->inodes_count || nr[i] <= EXT4_ROOT_INO || nr[i] == sb->journal_inum)
			return "impossible number of a quota or orphan file inode";
		for (int j = 0; j < i; j++)
			if (nr[i] == nr[j])
				return "two special files with the same inode number";
	}
	return NULL;
}

static const char *decode_checked(
	const struct ext4_super *s, u64 device_size, struct super_info *sb)
{
	const char *why = check_feature_pairs(s, sb);

	if (!why)
		why = decode_block_size(s, sb);
	if (!why)
		why = check_inode_size(sb);
	if (!why)
		why = decode_desc_size(s, sb);
	if (!why)
		why = check_per_group(sb);
	if (!why)
		why = check_size(sb, device_size);
	if (!why)
		why = check_gdt(sb);
	if (!why)
		why = check_hash(sb);
	if (!why)
		why = check_special_inodes(sb);
	if (!why && super_has_mmp(sb) &&
		(sb->mmp_block <= sb->first_data_block || sb->mmp_block >= sb->blocks_count))
		why = "the MMP block is outside the file system";
	return why;
}

int super_decode(
	const struct ext4_super *s, u64 device_size, struct super_info *out, const char **why)
{
	memset(out, 0, sizeof(*out));
	if (le16_to_cpu(s->s_magic) != EXT4_SUPER_MAGIC) {
		*why = "no ext4 magic number";
		return ERR(EINVAL);
	}
	if (!super_csum_verify(s)) {
		*why = "wrong checksum";
		return ERR(EBADMSG);
	}
	decode_features(s, out);
	decode_counts(s, out);
	decode_inodes(s, out);
	decode_rest(s, out);
	*why = decode_checked(s, device_size, out);
	return *why ? ERR(EUCLEAN) : 0;
}
