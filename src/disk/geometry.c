/* What follows from the geometry: groups, superblock copies, descriptor blocks (MD-14). */
#include "base/util.h"
#include "disk/super.h"

pblk_t super_group_first_block(const struct super_info *sb, group_nr group)
{
	return sb->first_data_block + (u64)group * sb->blocks_per_group;
}

u32 super_group_blocks(const struct super_info *sb, group_nr group)
{
	return (u32)min_of(
		(u64)sb->blocks_per_group, sb->blocks_count - super_group_first_block(sb, group));
}

static bool is_power_of(u64 n, u32 base)
{
	u64 p = base;

	while (p < n)
		p *= base;
	return p == n;
}

bool super_group_has_super(const struct super_info *sb, group_nr group)
{
	if (group == 0)
		return true;
	if (super_has_sparse_super2(sb))
		return group == sb->backup_bgs[0] || group == sb->backup_bgs[1];
	if (group == 1 || !super_has_sparse_super(sb))
		return true;
	return is_power_of(group, 3) || is_power_of(group, 5) || is_power_of(group, 7);
}

/* Only with 1 KiB blocks and first_data_block 0 (bigalloc): the boot block is part of group 0. */
static u32 boot_blocks(const struct super_info *sb, group_nr group)
{
	return group == 0 && sb->block_size == EXT4_SUPER_OFFSET && sb->first_data_block == 0;
}

pblk_t super_gdt_block(const struct super_info *sb, u32 index)
{
	group_nr group;

	if (!super_has_meta_bg(sb) || index < sb->first_meta_bg)
		return EXT4_SUPER_OFFSET / sb->block_size + 1 + (u64)index;
	group = index * sb->descs_per_block;
	return super_group_first_block(sb, group) + super_group_has_super(sb, group) +
	       boot_blocks(sb, group);
}

/* Superblock, boot block, descriptors (first_meta_bg is not more), room for more of them. */
u32 super_base_blocks_max(const struct super_info *sb)
{
	return 2 + sb->gdt_blocks + sb->reserved_gdt_blocks;
}

u32 super_group_base_blocks(const struct super_info *sb, group_nr group)
{
	bool super = super_group_has_super(sb, group);
	u32 blocks = super + boot_blocks(sb, group), slot;

	if (!super_has_meta_bg(sb))
		return blocks + (super ? sb->gdt_blocks + sb->reserved_gdt_blocks : 0);
	if (group / sb->descs_per_block < sb->first_meta_bg)
		return blocks + (super ? sb->first_meta_bg + sb->reserved_gdt_blocks : 0);
	slot = group % sb->descs_per_block;
	return blocks + (slot == 0 || slot == 1 || slot == sb->descs_per_block - 1);
}
