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
	group_nr last;
	u32 bit = block_bit(sp, pblk);

	if (bit >= sp->base_max && len <= sp->blocks_per_group - bit)
		return false;
	last = block_group(sp, pblk + len - 1);
	for (group_nr nr = block_group(sp, pblk); nr <= last; nr++) {
		pblk_t first = group_first_block(sp, nr);
		u32 base = group_base_blocks(sp, nr);

		if (base && pblk < first + base && pblk + len > first)
			return true;
	}
	return false;
}

static bool in_meta_area(const struct space *sp, group_nr nr)
{
	return super_has_meta_bg(sp->sb) && nr / sp->descs_per_block >= sp->sb->first_meta_bg;
}

/* Blocks that a group holds because it has a superblock copy. */
static u64 super_copy_blocks(const struct space *sp, u64 nr)
{
	if (nr >= sp->group_count || !super_group_has_super(sp->sb, (group_nr)nr))
		return 0;
	return in_meta_area(sp, (group_nr)nr) ? 1 : group_base_blocks(sp, (group_nr)nr);
}

/* The descriptor copies of meta_bg: first, second and last group of each metagroup. */
static u64 meta_copies(const struct space *sp)
{
	u64 sum = 0, groups;

	if (!super_has_meta_bg(sp->sb))
		return 0;
	for (u64 i = sp->sb->first_meta_bg; i < sp->gdt_count; i++) {
		groups =
			min_of(sp->group_count - i * sp->descs_per_block, (u64)sp->descs_per_block);
		sum += min_of(groups, 2ull) + (groups > 2 && groups == sp->descs_per_block);
	}
	return sum;
}

static u64 all_super_copies(const struct space *sp)
{
	static const u32 bases[] = {3, 5, 7};
	const u32 *backup = sp->sb->backup_bgs;
	u64 sum = super_copy_blocks(sp, 0);

	if (super_has_sparse_super2(sp->sb)) {
		sum += backup[0] ? super_copy_blocks(sp, backup[0]) : 0;
		return sum +
		       (backup[1] && backup[1] != backup[0] ? super_copy_blocks(sp, backup[1]) : 0);
	}
	if (!super_has_sparse_super(sp->sb)) {
		for (u64 nr = 1; nr < sp->group_count; nr++)
			sum += super_copy_blocks(sp, nr);
		return sum;
	}
	sum += super_copy_blocks(sp, 1);
	for (size_t i = 0; i < array_len(bases); i++)
		for (u64 nr = bases[i]; nr < sp->group_count; nr *= bases[i])
			sum += super_copy_blocks(sp, nr);
	return sum;
}

/*
 * MD-13: computed, never taken from the superblock, and without a look at every
 * group. The journal is added as it becomes known.
 */
u64 space_overhead(const struct space *sp)
{
	return sp->sb->first_data_block + all_super_copies(sp) + meta_copies(sp) +
	       (u64)sp->group_count * (2 + sp->itable_blocks);
}
