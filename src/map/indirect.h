/*
 * Indirect maps (ext2, ext3): 12 direct pointers, then one block of pointers,
 * a block of such blocks, and one level more. 32-bit physical blocks, no
 * checksums: every pointer is checked before it is followed.
 */
#ifndef MAP_INDIRECT_H
#define MAP_INDIRECT_H

#include "base/endian.h"
#include "map/map_priv.h"

enum { INDIRECT_DIRECT = 12, INDIRECT_LEVELS = 4, INDIRECT_SLOTS = 15 };

/* Where a logical block stands: table 0 is the root, the last one holds the data pointer. */
struct indirect_path {
	u32 levels;		   /* 1..4: tables on the way */
	u32 slot[INDIRECT_LEVELS]; /* index in each table */
	u64 span[INDIRECT_LEVELS]; /* data blocks below one pointer of that table */
	lblk_t base;		   /* first logical block of this area (direct, single, ...) */
	u32 reached; /* tables that exist; step[reached-1] holds the zero or last pointer */
	struct {
		struct buf *buf; /* NULL: the root */
		struct le32 *table;
		u32 count; /* pointers of this table that belong to the area */
		u32 first; /* slot of the first of them */
	} step[INDIRECT_LEVELS];
};

extern const struct buf_type indirect_buf_type;

static inline u32 indirect_per_block(const struct filemap *fm)
{
	return fm->volume->sb.block_size / 4;
}

/* Data blocks that an indirect map can reach. */
u64 indirect_reach(u32 block_size);
/* Walks as far as tables exist. EFBIG beyond the reach. Release after use, also after errors. */
int indirect_walk(struct filemap *fm, lblk_t lblk, struct indirect_path *path);
void indirect_release(struct indirect_path *path);
u32 indirect_pointer(const struct indirect_path *path, u32 level);
/* Logical block of the first data block below slot of table `level`. */
u64 indirect_lblk(const struct indirect_path *path, u32 level, u32 slot);
/* Slots of the table around path's own that continue its hole or its run. */
void indirect_extend(const struct indirect_path *path, u32 level, u32 *first, u32 *count);
int indirect_access(struct handle *h, const struct indirect_path *path, u32 level);
int indirect_commit(
	struct handle *h, struct filemap *fm, const struct indirect_path *path, u32 level);

int indirect_lookup(struct filemap *fm, lblk_t lblk, struct mapping *out);
int indirect_create(
	struct handle *h, struct filemap *fm, const struct goal *g, struct mapping *out);
u32 indirect_create_tree_credits(void);
int indirect_remove(struct handle *h, struct filemap *fm, lblk_t from, lblk_t end);
u32 indirect_remove_credits(const struct filemap *fm);
int indirect_verify_all(struct filemap *fm);

#endif
