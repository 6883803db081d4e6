/* Group descriptors: fields and checksums. */
#include "disk/group.h"

#include "base/crc.h"

/* The high halves exist with 64-byte descriptors only. */
static bool has_hi(const struct super_info *sb)
{
	return sb->desc_size >= EXT4_DESC_SIZE_64BIT;
}

#define FIELD(name, type, bits)                                                                    \
	type group_desc_##name(const struct super_info *sb, const struct ext4_group_desc *d)       \
	{                                                                                          \
		type v = le##bits##_to_cpu(d->bg_##name##_lo);                                     \
                                                                                                   \
		if (has_hi(sb))                                                                    \
			v |= (type)le##bits##_to_cpu(d->bg_##name##_hi) << bits;                   \
		return v;                                                                          \
	}                                                                                          \
	void group_desc_set_##name(const struct super_info *sb, struct ext4_group_desc *d, type v) \
	{                                                                                          \
		d->bg_##name##_lo = cpu_to_le##bits((u##bits)v);                                   \
		if (has_hi(sb))                                                                    \
			d->bg_##name##_hi = cpu_to_le##bits((u##bits)(v >> bits));                 \
	}

FIELD(block_bitmap, pblk_t, 32)
FIELD(inode_bitmap, pblk_t, 32)
FIELD(inode_table, pblk_t, 32)
FIELD(free_clusters, u32, 16)
FIELD(free_inodes, u32, 16)
FIELD(used_dirs, u32, 16)
FIELD(itable_unused, u32, 16)

u16 group_desc_flags(const struct ext4_group_desc *d)
{
	return le16_to_cpu(d->bg_flags);
}

void group_desc_set_flags(struct ext4_group_desc *d, u16 v)
{
	d->bg_flags = cpu_to_le16(v);
}

/* The part behind bg_checksum. */
static const u8 *behind_csum(const struct ext4_group_desc *d)
{
	return (const u8 *)d + EXT4_DESC_SIZE_MIN;
}

static u16 csum_of(const struct super_info *sb, group_nr group, const struct ext4_group_desc *d)
{
	const u32 head = offsetof(struct ext4_group_desc, bg_checksum);
	const u32 rest = sb->desc_size - EXT4_DESC_SIZE_MIN;
	const struct le32 nr = cpu_to_le32(group);
	const struct le16 zero = {0};
	u32 crc;
	u16 crc_old;

	if (super_has_metadata_csum(sb)) {
		crc = crc32c(sb->csum_seed, &nr, sizeof(nr));
		crc = crc32c(crc, d, head);
		crc = crc32c(crc, &zero, sizeof(zero));
		return (u16)crc32c(crc, behind_csum(d), rest);
	}
	/* uninit_bg: skips the checksum field, and never uses the stored seed. */
	crc_old = crc16(0xffff, sb->uuid, sizeof(sb->uuid));
	crc_old = crc16(crc_old, &nr, sizeof(nr));
	crc_old = crc16(crc_old, d, head);
	return crc16(crc_old, behind_csum(d), rest);
}

static bool has_csum(const struct super_info *sb)
{
	return super_has_metadata_csum(sb) || super_has_gdt_csum(sb);
}

void group_desc_seal(const struct super_info *sb, group_nr group, struct ext4_group_desc *d)
{
	if (has_csum(sb))
		d->bg_checksum = cpu_to_le16(csum_of(sb, group, d));
}

bool group_desc_verify(const struct super_info *sb, group_nr group, const struct ext4_group_desc *d)
{
	return !has_csum(sb) || le16_to_cpu(d->bg_checksum) == csum_of(sb, group, d);
}

static u32 block_bitmap_csum(const struct super_info *sb, const void *bitmap)
{
	return crc32c(sb->csum_seed, bitmap, sb->clusters_per_group / 8);
}

static u32 inode_bitmap_csum(const struct super_info *sb, const void *bitmap)
{
	return crc32c(sb->csum_seed, bitmap, (sb->inodes_per_group + 7) / 8);
}

static void store(const struct super_info *sb, struct le16 *lo, struct le16 *hi, u32 crc)
{
	*lo = cpu_to_le16((u16)crc);
	if (has_hi(sb))
		*hi = cpu_to_le16((u16)(crc >> 16));
}

static bool matches(
	const struct super_info *sb, const struct le16 *lo, const struct le16 *hi, u32 crc)
{
	if (has_hi(sb))
		return crc == (le16_to_cpu(*lo) | (u32)le16_to_cpu(*hi) << 16);
	return le16_to_cpu(*lo) == (u16)crc;
}

void group_set_block_bitmap_csum(
	const struct super_info *sb, struct ext4_group_desc *d, const void *bitmap)
{
	if (super_has_metadata_csum(sb))
		store(sb, &d->bg_block_bitmap_csum_lo, &d->bg_block_bitmap_csum_hi,
			block_bitmap_csum(sb, bitmap));
}

void group_set_inode_bitmap_csum(
	const struct super_info *sb, struct ext4_group_desc *d, const void *bitmap)
{
	if (super_has_metadata_csum(sb))
		store(sb, &d->bg_inode_bitmap_csum_lo, &d->bg_inode_bitmap_csum_hi,
			inode_bitmap_csum(sb, bitmap));
}

bool group_block_bitmap_csum_ok(
	const struct super_info *sb, const struct ext4_group_desc *d, const void *bitmap)
{
	return !super_has_metadata_csum(sb) ||
	       matches(sb, &d->bg_block_bitmap_csum_lo, &d->bg_block_bitmap_csum_hi,
		       block_bitmap_csum(sb, bitmap));
}

bool group_inode_bitmap_csum_ok(
	const struct super_info *sb, const struct ext4_group_desc *d, const void *bitmap)
{
	return !super_has_metadata_csum(sb) ||
	       matches(sb, &d->bg_inode_bitmap_csum_lo, &d->bg_inode_bitmap_csum_hi,
		       inode_bitmap_csum(sb, bitmap));
}
