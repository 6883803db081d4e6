/*
 * Group descriptors: fields of the 32-byte and the 64-byte form, and the
 * checksums of descriptors and bitmaps. Pure functions; the caller owns the
 * descriptor. A setter does not update bg_checksum: group_desc_seal() does.
 */
#ifndef DISK_GROUP_H
#define DISK_GROUP_H

#include "disk/group_format.h"
#include "disk/super.h"

pblk_t group_desc_block_bitmap(const struct super_info *sb, const struct ext4_group_desc *d);
pblk_t group_desc_inode_bitmap(const struct super_info *sb, const struct ext4_group_desc *d);
pblk_t group_desc_inode_table(const struct super_info *sb, const struct ext4_group_desc *d);
u32 group_desc_free_clusters(const struct super_info *sb, const struct ext4_group_desc *d);
u32 group_desc_free_inodes(const struct super_info *sb, const struct ext4_group_desc *d);
u32 group_desc_used_dirs(const struct super_info *sb, const struct ext4_group_desc *d);
u32 group_desc_itable_unused(const struct super_info *sb, const struct ext4_group_desc *d);
u16 group_desc_flags(const struct ext4_group_desc *d);

void group_desc_set_block_bitmap(const struct super_info *sb, struct ext4_group_desc *d, pblk_t v);
void group_desc_set_inode_bitmap(const struct super_info *sb, struct ext4_group_desc *d, pblk_t v);
void group_desc_set_inode_table(const struct super_info *sb, struct ext4_group_desc *d, pblk_t v);
void group_desc_set_free_clusters(const struct super_info *sb, struct ext4_group_desc *d, u32 v);
void group_desc_set_free_inodes(const struct super_info *sb, struct ext4_group_desc *d, u32 v);
void group_desc_set_used_dirs(const struct super_info *sb, struct ext4_group_desc *d, u32 v);
void group_desc_set_itable_unused(const struct super_info *sb, struct ext4_group_desc *d, u32 v);
void group_desc_set_flags(struct ext4_group_desc *d, u16 v);

/* metadata_csum or uninit_bg; no-op and true without either. */
void group_desc_seal(const struct super_info *sb, group_nr group, struct ext4_group_desc *d);
bool group_desc_verify(
	const struct super_info *sb, group_nr group, const struct ext4_group_desc *d);

/*
 * Checksums of bitmaps, kept in the descriptor (seal it after). No-op and true
 * without metadata_csum. They mean nothing while the group is *_UNINIT.
 */
void group_set_block_bitmap_csum(
	const struct super_info *sb, struct ext4_group_desc *d, const void *bitmap);
void group_set_inode_bitmap_csum(
	const struct super_info *sb, struct ext4_group_desc *d, const void *bitmap);
bool group_block_bitmap_csum_ok(
	const struct super_info *sb, const struct ext4_group_desc *d, const void *bitmap);
bool group_inode_bitmap_csum_ok(
	const struct super_info *sb, const struct ext4_group_desc *d, const void *bitmap);

#endif
