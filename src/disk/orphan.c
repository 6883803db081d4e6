/* Blocks of the orphan file (OR-2). */
#include "disk/orphan.h"

#include <string.h>

#include "base/crc.h"
#include "base/err.h"

static u32 slot_bytes(const struct super_info *sb)
{
	return sb->block_size - (u32)sizeof(struct ext4_orphan_tail);
}

u32 orphan_block_slots(const struct super_info *sb)
{
	return slot_bytes(sb) / (u32)sizeof(struct le32);
}

struct ext4_orphan_tail *orphan_block_tail(const struct super_info *sb, void *block)
{
	return (struct ext4_orphan_tail *)((u8 *)block + slot_bytes(sb));
}

void orphan_block_init(const struct super_info *sb, void *block)
{
	memset(block, 0, sb->block_size);
	orphan_block_tail(sb, block)->ob_magic = cpu_to_le32(EXT4_ORPHAN_MAGIC);
}

int orphan_block_verify(const struct super_info *sb, const void *block, const char **why)
{
	const struct ext4_orphan_tail *t = (const void *)((const u8 *)block + slot_bytes(sb));
	const struct le32 *slot = block;

	*why = NULL;
	if (le32_to_cpu(t->ob_magic) != EXT4_ORPHAN_MAGIC)
		*why = "no orphan file magic number";
	for (u32 i = 0; !*why && i < orphan_block_slots(sb); i++)
		if (le32_to_cpu(slot[i]) > sb->inodes_count)
			*why = "the orphan file names an impossible inode";
	return *why ? ERR(EUCLEAN) : 0;
}

static u32 csum_of(const struct super_info *sb, u32 seed, pblk_t pblk, const void *block)
{
	const struct le64 nr = cpu_to_le64(pblk);

	return crc32c(crc32c(seed, &nr, sizeof(nr)), block, slot_bytes(sb));
}

void orphan_csum_set(const struct super_info *sb, u32 seed, pblk_t pblk, void *block)
{
	if (super_has_metadata_csum(sb))
		orphan_block_tail(sb, block)->ob_checksum =
			cpu_to_le32(csum_of(sb, seed, pblk, block));
}

bool orphan_csum_verify(const struct super_info *sb, u32 seed, pblk_t pblk, const void *block)
{
	const struct ext4_orphan_tail *t = (const void *)((const u8 *)block + slot_bytes(sb));

	return !super_has_metadata_csum(sb) ||
	       le32_to_cpu(t->ob_checksum) == csum_of(sb, seed, pblk, block);
}
