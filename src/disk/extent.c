/* One extent tree node: checks (HD-5, IO-11), checksum, entries. */
#include "disk/extent.h"

#include <string.h>

#include "base/crc.h"
#include "base/err.h"
#include "base/util.h"

static const struct ext4_extent *leaf_at(const void *node, u32 pos)
{
	return (const struct ext4_extent *)((const u8 *)node + sizeof(struct ext4_extent_header)) +
	       pos;
}

static const struct ext4_extent_idx *index_at(const void *node, u32 pos)
{
	return (const struct ext4_extent_idx *)leaf_at(node, pos);
}

struct extent_entry extent_leaf_get(const void *node, u32 pos)
{
	const struct ext4_extent *x = leaf_at(node, pos);
	u32 len = le16_to_cpu(x->ee_len);
	bool unwritten = len > EXT4_EXTENT_LEN_MAX;

	return (struct extent_entry){
		.lblk = le32_to_cpu(x->ee_block),
		.len = unwritten ? len - EXT4_EXTENT_LEN_MAX : len,
		.pblk = (u64)le16_to_cpu(x->ee_start_hi) << 32 | le32_to_cpu(x->ee_start_lo),
		.unwritten = unwritten,
	};
}

void extent_leaf_set(void *node, u32 pos, const struct extent_entry *e)
{
	struct ext4_extent *x = (struct ext4_extent *)leaf_at(node, pos);

	x->ee_block = cpu_to_le32(e->lblk);
	x->ee_len = cpu_to_le16((u16)(e->len + (e->unwritten ? EXT4_EXTENT_LEN_MAX : 0)));
	x->ee_start_hi = cpu_to_le16((u16)(e->pblk >> 32));
	x->ee_start_lo = cpu_to_le32((u32)e->pblk);
}

void extent_index_get(const void *node, u32 pos, lblk_t *lblk, pblk_t *child)
{
	const struct ext4_extent_idx *x = index_at(node, pos);

	*lblk = le32_to_cpu(x->ei_block);
	*child = (u64)le16_to_cpu(x->ei_leaf_hi) << 32 | le32_to_cpu(x->ei_leaf_lo);
}

void extent_index_set(void *node, u32 pos, lblk_t lblk, pblk_t child)
{
	struct ext4_extent_idx *x = (struct ext4_extent_idx *)index_at(node, pos);

	x->ei_block = cpu_to_le32(lblk);
	x->ei_leaf_lo = cpu_to_le32((u32)child);
	x->ei_leaf_hi = cpu_to_le16((u16)(child >> 32));
	x->ei_unused = cpu_to_le16(0);
}

void extent_node_init(void *node, u32 bytes, u32 depth)
{
	struct ext4_extent_header *h = node;

	*h = (struct ext4_extent_header){
		.eh_magic = cpu_to_le16(EXT4_EXTENT_MAGIC),
		.eh_max = cpu_to_le16((u16)extent_capacity(bytes)),
		.eh_depth = cpu_to_le16((u16)depth),
	};
}

static const char *check_header(const struct ext4_extent_header *h, u32 bytes, int depth)
{
	u32 entries = le16_to_cpu(h->eh_entries), max = le16_to_cpu(h->eh_max);
	u32 stored = le16_to_cpu(h->eh_depth);

	if (le16_to_cpu(h->eh_magic) != EXT4_EXTENT_MAGIC)
		return "no extent magic number";
	if (stored > EXT4_EXTENT_DEPTH_MAX || (depth != EXTENT_DEPTH_ANY && stored != (u32)depth))
		return "wrong depth of an extent node";
	if (max == 0 || max > extent_capacity(bytes))
		return "impossible room of an extent node";
	if (entries > max)
		return "too many entries in an extent node";
	if (entries == 0 && stored > 0)
		return "an extent index node is empty";
	return NULL;
}

static bool range_in_device(const struct super_info *sb, pblk_t pblk, u64 len)
{
	return pblk > sb->first_data_block && pblk < sb->blocks_count &&
	       len <= sb->blocks_count - pblk;
}

/* *end: where the entries before end; becomes this one's end. */
static const char *check_leaf_entry(
	const struct super_info *sb, const void *node, u32 pos, u64 *end)
{
	struct extent_entry e = extent_leaf_get(node, pos);

	if (e.len == 0)
		return "an extent is empty";
	if (e.lblk < *end)
		return "extents overlap or are out of order";
	*end = (u64)e.lblk + e.len;
	if (*end > (u64)LBLK_MAX + 1)
		return "an extent is behind the largest file block";
	if (!range_in_device(sb, e.pblk, e.len))
		return "an extent is outside the file system";
	return NULL;
}

static const char *check_index_entry(
	const struct super_info *sb, const void *node, u32 pos, u64 *end)
{
	lblk_t lblk;
	pblk_t child;

	extent_index_get(node, pos, &lblk, &child);
	if (lblk < *end)
		return "extent index entries are out of order";
	*end = (u64)lblk + 1;
	if (*end > (u64)LBLK_MAX + 1)
		return "an extent index entry is behind the largest file block";
	if (!range_in_device(sb, child, 1))
		return "an extent node is outside the file system";
	return NULL;
}

int extent_node_verify(const struct super_info *sb, const void *node, u32 bytes, int depth,
	const struct extent_bounds *bounds, const char **why)
{
	const struct ext4_extent_header *h = node;
	u32 entries = le16_to_cpu(h->eh_entries);
	u64 end = 0;

	*why = check_header(h, bytes, depth);
	for (u32 pos = 0; !*why && pos < entries; pos++)
		*why = le16_to_cpu(h->eh_depth) ? check_index_entry(sb, node, pos, &end)
						: check_leaf_entry(sb, node, pos, &end);
	/* The key is the first member of both kinds of entries. */
	if (!*why && bounds && entries) {
		if (le32_to_cpu(leaf_at(node, 0)->ee_block) != bounds->first)
			*why = "an extent node does not begin at its parent's key";
		else if (end > bounds->end)
			*why = "an extent node reaches into the next one";
	}
	return *why ? ERR(EUCLEAN) : 0;
}

/* Bytes before the tail, 0 if they don't leave room for it. */
static u32 csum_bytes(const struct super_info *sb, const void *node)
{
	const struct ext4_extent_header *h = node;
	u32 bytes = (u32)sizeof(*h) + le16_to_cpu(h->eh_max) * (u32)sizeof(struct ext4_extent);

	return bytes + sizeof(struct ext4_extent_tail) <= sb->block_size ? bytes : 0;
}

void extent_csum_set(const struct super_info *sb, u32 seed, void *node)
{
	u32 bytes = csum_bytes(sb, node);
	struct ext4_extent_tail *tail = (void *)((u8 *)node + bytes);

	if (super_has_metadata_csum(sb) && bytes)
		tail->et_checksum = cpu_to_le32(crc32c(seed, node, bytes));
}

bool extent_csum_verify(const struct super_info *sb, u32 seed, const void *node)
{
	u32 bytes = csum_bytes(sb, node);
	const struct ext4_extent_tail *tail = (const void *)((const u8 *)node + bytes);

	if (!super_has_metadata_csum(sb))
		return true;
	return bytes && le32_to_cpu(tail->et_checksum) == crc32c(seed, node, bytes);
}
