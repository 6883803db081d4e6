/* Blocks of the orphan file (OR-2): checks and checksum. Pure functions. */
#ifndef DISK_ORPHAN_H
#define DISK_ORPHAN_H

#include "disk/orphan_format.h"
#include "disk/super.h"

/* Slots in a block, as le32 from its start. */
u32 orphan_block_slots(const struct super_info *sb);
struct ext4_orphan_tail *orphan_block_tail(const struct super_info *sb, void *block);
/* Zeroes the slots and writes the magic. */
void orphan_block_init(const struct super_info *sb, void *block);
/* Magic, and numbers in range. The checksum apart. */
int orphan_block_verify(const struct super_info *sb, const void *block, const char **why);
/* seed is I(orphan file). No-op and true without metadata_csum. */
void orphan_csum_set(const struct super_info *sb, u32 seed, pblk_t pblk, void *block);
bool orphan_csum_verify(const struct super_info *sb, u32 seed, pblk_t pblk, const void *block);

#endif
