/*
 * Extent tree nodes: check of one node, its checksum, its entries. Pure
 * functions; positions given to getters and setters must be in range.
 */
#ifndef DISK_EXTENT_H
#define DISK_EXTENT_H

#include "disk/extent_format.h"
#include "disk/super.h"

struct extent_entry {
	lblk_t lblk;
	u32 len;
	pblk_t pblk;
	bool unwritten;
};

/* What the parent says about a node; [first, end) is its share of the file. */
struct extent_bounds {
	lblk_t first; /* key in the parent */
	u64 end;      /* key of the parent's next entry, or 2^32 - 1 */
};

enum { EXTENT_DEPTH_ANY = -1 }; /* for roots */

/* Entries that a node of that many bytes has room for. */
static inline u32 extent_capacity(u32 bytes)
{
	return (bytes - (u32)sizeof(struct ext4_extent_header)) / (u32)sizeof(struct ext4_extent);
}

/*
 * All local checks (HD-5, IO-11) except the checksum. bytes: 60 for the root,
 * block_size for a node. bounds NULL: unknown. Physical blocks are checked
 * against the device, not against the system zone.
 */
int extent_node_verify(const struct super_info *sb, const void *node, u32 bytes, int depth,
	const struct extent_bounds *bounds, const char **why);

/* Of a node that fills a block; seed is I(n). No-op and true without metadata_csum. */
void extent_csum_set(const struct super_info *sb, u32 seed, void *node);
bool extent_csum_verify(const struct super_info *sb, u32 seed, const void *node);

struct extent_entry extent_leaf_get(const void *node, u32 pos);
void extent_leaf_set(void *node, u32 pos, const struct extent_entry *e);
/* lblk and the child's block. */
void extent_index_get(const void *node, u32 pos, lblk_t *lblk, pblk_t *child);
void extent_index_set(void *node, u32 pos, lblk_t lblk, pblk_t child);
/* Writes an empty header for a node of that many bytes. */
void extent_node_init(void *node, u32 bytes, u32 depth);

#endif
