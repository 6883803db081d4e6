/* The hash index of directories: roots, nodes, limits, checksums (DR-5, DR-7, DR-10). */
#include <string.h>

#include "base/crc.h"
#include "base/err.h"
#include "disk/dirent.h"

enum { DX_INFO_LENGTH = 8, DX_LEVELS_MAX = 1, DX_LEVELS_MAX_LARGEDIR = 2 };

static const struct ext4_dx_countlimit *countlimit_of(const void *block, u32 offset)
{
	return (const void *)((const u8 *)block + offset);
}

u32 dx_limit(const struct super_info *sb, u32 offset)
{
	u32 tail = super_has_metadata_csum(sb) ? (u32)sizeof(struct ext4_dx_tail) : 0;

	return (sb->block_size - offset - tail) / (u32)sizeof(struct ext4_dx_entry);
}

static const char *check_entries(
	const struct super_info *sb, const void *block, u32 offset, u32 dir_blocks)
{
	const struct ext4_dx_countlimit *cl = countlimit_of(block, offset);
	const struct ext4_dx_entry *e = (const void *)cl;
	u32 count = le16_to_cpu(cl->count), before = 0;

	if (le16_to_cpu(cl->limit) != dx_limit(sb, offset))
		return "wrong room of a directory index block";
	if (count == 0 || count > le16_to_cpu(cl->limit))
		return "impossible number of directory index entries";
	for (u32 i = 0; i < count; i++) {
		u32 block_nr = le32_to_cpu(e[i].block) & EXT4_DX_BLOCK_MASK;
		u32 hash = i ? le32_to_cpu(e[i].hash) : 0;

		if (hash < before)
			return "directory index entries are out of order";
		if (block_nr == 0 || block_nr >= dir_blocks)
			return "a directory index entry points behind the directory";
		before = hash;
	}
	return NULL;
}

int dx_entries_verify(const struct super_info *sb, const void *block, u32 offset, u32 dir_blocks,
	const char **why)
{
	*why = check_entries(sb, block, offset, dir_blocks);
	return *why ? ERR(EUCLEAN) : 0;
}

static const char *check_info(const struct super_info *sb, const struct ext4_dx_info *info)
{
	u32 levels = super_has_largedir(sb) ? DX_LEVELS_MAX_LARGEDIR : DX_LEVELS_MAX;

	if (info->hash_version > EXT4_HASH_TEA &&
		!(info->hash_version == EXT4_HASH_SIPHASH && super_has_encrypt(sb) &&
			super_has_casefold(sb)))
		return "unknown directory hash";
	if (le32_to_cpu(info->reserved_zero) || info->unused_flags & 1)
		return "unknown flags in a directory index";
	if (info->info_length != DX_INFO_LENGTH)
		return "unknown form of a directory index";
	if (info->indirect_levels > levels)
		return "a directory index is too deep";
	return NULL;
}

static const char *check_dots(const struct super_info *sb, const struct ext4_dx_root *r)
{
	const struct ext4_dirent *dotdot = (const void *)&r->dotdot_inode;

	if (le16_to_cpu(r->dot_rec_len) != EXT4_DIRENT_MIN || r->dot_name_len != 1 ||
		r->dot_name[0] != '.')
		return "an indexed directory does not begin with \".\"";
	if (dirent_rec_len(dotdot, sb->block_size) != sb->block_size - EXT4_DIRENT_MIN ||
		r->dotdot_name_len != 2 || memcmp(r->dotdot_name, "..", 2) != 0)
		return "an indexed directory has no \"..\" in its first block";
	if (le32_to_cpu(r->dot_inode) == 0 || le32_to_cpu(r->dot_inode) > sb->inodes_count ||
		le32_to_cpu(r->dotdot_inode) == 0 ||
		le32_to_cpu(r->dotdot_inode) > sb->inodes_count)
		return "\".\" or \"..\" names an impossible inode";
	return NULL;
}

int dx_root_verify(const struct super_info *sb, const void *block, u32 dir_blocks, const char **why)
{
	const struct ext4_dx_root *r = block;

	*why = check_dots(sb, r);
	if (!*why)
		*why = check_info(sb, &r->info);
	if (!*why)
		*why = check_entries(sb, block, EXT4_DX_ROOT_COUNT_OFFSET, dir_blocks);
	return *why ? ERR(EUCLEAN) : 0;
}

/* A node's fake entry spans the block, which no leaf's first entry does without a tail inside. */
bool dx_block_is_node(const struct super_info *sb, const void *block)
{
	const struct ext4_dirent *d = block;

	return le32_to_cpu(d->inode) == 0 && d->name_len == 0 &&
	       dirent_rec_len(d, sb->block_size) == sb->block_size;
}

int dx_node_verify(const struct super_info *sb, const void *block, u32 dir_blocks, const char **why)
{
	if (!dx_block_is_node(sb, block))
		*why = "a directory index node does not look like one";
	else
		*why = check_entries(sb, block, EXT4_DX_NODE_COUNT_OFFSET, dir_blocks);
	return *why ? ERR(EUCLEAN) : 0;
}

static struct ext4_dx_tail *tail_of(const void *block, u32 offset)
{
	u32 limit = le16_to_cpu(countlimit_of(block, offset)->limit);

	return (struct ext4_dx_tail *)((const u8 *)block + offset +
				       limit * sizeof(struct ext4_dx_entry));
}

/* The used entries and what precedes them, then the tail with zero in place of the checksum. */
static u32 csum_of(u32 seed, const void *block, u32 offset)
{
	u32 count = le16_to_cpu(countlimit_of(block, offset)->count);
	const struct ext4_dx_tail *t = tail_of(block, offset);
	const u32 zero = 0;
	u32 crc = crc32c(seed, block, offset + count * sizeof(struct ext4_dx_entry));

	crc = crc32c(crc, &t->dt_reserved, sizeof(t->dt_reserved));
	return crc32c(crc, &zero, sizeof(zero));
}

static bool sane(const struct super_info *sb, const void *block, u32 offset)
{
	const struct ext4_dx_countlimit *cl = countlimit_of(block, offset);

	return le16_to_cpu(cl->limit) == dx_limit(sb, offset) &&
	       le16_to_cpu(cl->count) <= le16_to_cpu(cl->limit);
}

void dx_csum_set(const struct super_info *sb, u32 seed, void *block, u32 offset)
{
	if (super_has_metadata_csum(sb) && sane(sb, block, offset))
		tail_of(block, offset)->dt_checksum = cpu_to_le32(csum_of(seed, block, offset));
}

bool dx_csum_verify(const struct super_info *sb, u32 seed, const void *block, u32 offset)
{
	if (!super_has_metadata_csum(sb))
		return true;
	return sane(sb, block, offset) &&
	       le32_to_cpu(tail_of(block, offset)->dt_checksum) == csum_of(seed, block, offset);
}
