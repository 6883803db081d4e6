/* Where groups, superblock copies and descriptor copies lie: arithmetic only. */
#include "space/space_priv.h"

group_nr block_group(const struct space *sp, pblk_t pblk)
{
	return (group_nr)((pblk - sp->sb->first_data_block) / sp->blocks_per_group);
}

u32 block_bit(const struct space *sp, pblk_t pblk)
{
	return (u32)((pblk - sp->sb->first_data_block) % sp->blocks_per_group);
}

pblk_t group_first_block(const struct space *sp, group_nr nr)
{
	return super_group_first_block(sp->sb, nr);
}

u32 group_blocks(const struct space *sp, group_nr nr)
{
	return (u32)min_of(
		(u64)sp->blocks_per_group, sp->sb->blocks_count - group_first_block(sp, nr));
}

u32 group_base_blocks(const struct space *sp, group_nr nr)
{
	return min_of(super_group_base_blocks(sp->sb, nr), group_blocks(sp, nr));
}

bool range_in_device(const struct space *sp, pblk_t pblk, u64 len)
{
	return pblk > sp->sb->first_data_block && pblk < sp->sb->blocks_count && len &&
	       len <= sp->sb->blocks_count - pblk;
}

/* The range lies inside the device. */
bool range_meets_copies(const struct space *sp, pblk_t pblk, u64 len)
{
	group_nr last = block_group(sp, pblk + len - 1);

	for (group_nr nr = block_group(sp, pblk); nr <= last; nr++) {
		pblk_t first = group_first_block(sp, nr);
		u32 base = group_base_blocks(sp, nr);

		if (base && pblk < first + base && pblk + len > first)
			return true;
	}
	return false;
}

/* MD-13: computed, never taken from the superblock. The journal is added as it becomes known. */
u64 space_overhead(const struct space *sp)
{
	u64 sum = sp->sb->first_data_block;

	for (group_nr nr = 0; nr < sp->group_count; nr++)
		sum += group_base_blocks(sp, nr);
	return sum + (u64)sp->group_count * (2 + sp->itable_blocks);
}
