/*
 * Directory blocks: entries, leaf tails, index roots and nodes; checks and
 * checksums. Pure functions. Checks never read outside the region they get.
 */
#ifndef DISK_DIRENT_H
#define DISK_DIRENT_H

#include "disk/dirent_format.h"
#include "disk/super.h"

/* Only the length of a whole block of 64 KiB does not fit: it is stored as FFFF, 0 is accepted
 * (DR-1). */
static inline u32 dirent_rec_len(const struct ext4_dirent *d, u32 block_size)
{
	u32 len = le16_to_cpu(d->rec_len);

	return block_size > 0xffff && (len == 0xffff || len == 0) ? block_size : len;
}
void dirent_set_rec_len(struct ext4_dirent *d, u32 rec_len, u32 block_size);
/* Bytes an entry with a name of that length needs. */
static inline u32 dirent_need(u32 name_len)
{
	return (EXT4_DIRENT_HEAD + name_len + 3u) & ~3u;
}
u8 dirent_type_of_mode(u32 mode); /* EXT4_FT_* */
u32 dirent_mode_of_type(u8 type); /* S_IF* or 0 */

/*
 * DR-1 for the entry at offset of a region of `size` bytes: a block without
 * its tail, or an inline region.
 */
int dirent_verify(
	const struct super_info *sb, const void *region, u32 size, u32 offset, const char **why);
/* Every entry of the region, and the last one reaches its end. */
int dirent_verify_all(const struct super_info *sb, const void *region, u32 size, const char **why);

/* Bytes of a leaf for entries: less by the tail with metadata_csum. */
u32 dir_leaf_size(const struct super_info *sb);
/* Writes the tail's constant part. No-op without metadata_csum, like the next; verify is true then.
 */
void dir_leaf_tail_init(const struct super_info *sb, void *block);
/* seed is I(directory). */
void dir_leaf_csum_set(const struct super_info *sb, u32 seed, void *block);
bool dir_leaf_csum_verify(const struct super_info *sb, u32 seed, const void *block);

/*
 * Index. `offset` is EXT4_DX_ROOT_COUNT_OFFSET or EXT4_DX_NODE_COUNT_OFFSET.
 * Entries are an array from there; entry 0's hash is the countlimit.
 */
u32 dx_limit(const struct super_info *sb, u32 offset);
/* DR-7: limit, count, hash order, blocks in [1, dir_blocks). */
int dx_entries_verify(const struct super_info *sb, const void *block, u32 offset, u32 dir_blocks,
	const char **why);
/* Block 0: ".", "..", info (DR-5, DR-10), then the entries. */
int dx_root_verify(
	const struct super_info *sb, const void *block, u32 dir_blocks, const char **why);
int dx_node_verify(
	const struct super_info *sb, const void *block, u32 dir_blocks, const char **why);
/* A block with a wrong limit has no valid checksum. No-op and true without metadata_csum. */
void dx_csum_set(const struct super_info *sb, u32 seed, void *block, u32 offset);
bool dx_csum_verify(const struct super_info *sb, u32 seed, const void *block, u32 offset);
/* Is this block of an indexed directory a node (not a leaf), by its shape? */
bool dx_block_is_node(const struct super_info *sb, const void *block);

static inline struct ext4_dx_entry *dx_entries(void *block, u32 offset)
{
	return (struct ext4_dx_entry *)((u8 *)block + offset);
}

#endif
