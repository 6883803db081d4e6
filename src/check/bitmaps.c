/* Bitmaps and counters against what is in use. */
#include "base/bits.h"
#include "base/util.h"
#include "check/check_priv.h"
#include "disk/dirent_format.h"
#include "os/atomic.h"

#include <string.h>

/* A bitmap as it is on disk and as it should be. */
struct pair {
	const char *what; /* "block" or "inode" */
	group_nr group;
	const u8 *disk, *used;
	u32 bits;
	u64 first, step; /* what bit 0 stands for, and how much each */
};

static bool equal(const struct pair *p)
{
	u32 bytes = p->bits / 8, rest = p->bits % 8;
	u8 mask = (u8)((1u << rest) - 1);

	return memcmp(p->disk, p->used, bytes) == 0 &&
	       (!rest || ((p->disk[bytes] ^ p->used[bytes]) & mask) == 0);
}

/* One message for each direction: how many, and the first of them. */
static void tell_difference(struct check *c, const struct pair *p, bool marked)
{
	u32 count = 0, first = 0, last = 0;

	for (u32 k = 0; k < p->bits; k++) {
		if (bit_test(p->disk, k) != marked || bit_test(p->used, k) == marked)
			continue;
		if (!count++)
			first = k;
		last = k;
	}
	if (count)
		check_found(c, CHECK_BITMAP, 0, 0, "group %u: %ss %s: %u, between %llu and %llu",
			p->group, p->what,
			marked ? "marked in use, but used by nobody" : "in use, but marked free",
			count, (unsigned long long)(p->first + first * p->step),
			(unsigned long long)(p->first + last * p->step));
}

static void compare(struct check *c, const struct pair *p)
{
	if (equal(p))
		return;
	tell_difference(c, p, false);
	tell_difference(c, p, true);
}

static void check_padding(struct check *c, const struct pair *p, u32 end)
{
	if (bits_next_zero(p->disk, p->bits, end) != end)
		check_found(c, CHECK_BITMAP, 0, 0,
			"group %u: the end of its %s bitmap is not filled", p->group, p->what);
}

/* --- blocks --- */

static u32 group_clusters(const struct check *c, group_nr g)
{
	return (u32)div_up(super_group_blocks(&c->sb, g), c->sb.blocks_per_cluster);
}

/* AL-2: what a bitmap that was never written means: the group's own metadata. */
static void set_own(const struct check *c, group_nr g, u8 *map, pblk_t pblk, u64 len)
{
	pblk_t first = super_group_first_block(&c->sb, g);
	u32 ratio = c->sb.blocks_per_cluster;

	for (; len; len--, pblk++)
		if (pblk >= first && pblk < first + super_group_blocks(&c->sb, g))
			bit_set(map, (u32)((pblk - first) / ratio));
}

static void synthesise(const struct check *c, group_nr g, u8 *map)
{
	const struct super_info *sb = &c->sb;
	const struct ext4_group_desc *d = check_desc(c, g);

	memset(map, 0, sb->block_size);
	set_own(c, g, map, super_group_first_block(sb, g), super_group_base_blocks(sb, g));
	set_own(c, g, map, group_desc_block_bitmap(sb, d), 1);
	set_own(c, g, map, group_desc_inode_bitmap(sb, d), 1);
	set_own(c, g, map, group_desc_inode_table(sb, d), sb->itable_blocks);
}

static bool load_block_map(struct scratch *s, group_nr g, struct pair *p)
{
	struct check *c = s->c;
	const struct ext4_group_desc *d = check_desc(c, g);

	if (check_has_group_csum(&c->sb) && group_desc_flags(d) & EXT4_BG_BLOCK_UNINIT) {
		synthesise(c, g, s->block);
		return true;
	}
	if (c->group_bad[g] & GROUP_NO_BLOCK_MAP ||
		check_read(c, group_desc_block_bitmap(&c->sb, d), 1, s->block, 0))
		return false;
	if (!group_block_bitmap_csum_ok(&c->sb, d, s->block))
		check_found(c, CHECK_BITMAP, 0, group_desc_block_bitmap(&c->sb, d),
			"group %u: wrong checksum of its block bitmap", g);
	check_padding(c, p, c->sb.clusters_per_group);
	return true;
}

static void check_blocks(struct scratch *s, group_nr g)
{
	struct check *c = s->c;
	const struct super_info *sb = &c->sb;
	u64 at = (u64)g * sb->clusters_per_group;
	struct pair p = {.what = "block",
		.group = g,
		.disk = s->block,
		.used = (const u8 *)c->used + at / 8,
		.bits = group_clusters(c, g),
		.first = super_group_first_block(sb, g),
		.step = sb->blocks_per_cluster};
	u32 free = p.bits - bits_weight(p.used, 0, p.bits);
	u32 said = group_desc_free_clusters(sb, check_desc(c, g));

	if (load_block_map(s, g, &p))
		compare(c, &p);
	if (free != said)
		check_found(c, CHECK_COUNT, 0, 0, "group %u counts %u free %s, but has %u", g, said,
			sb->blocks_per_cluster > 1 ? "clusters" : "blocks", free);
	atomic_add_relaxed(&c->free_blocks, (u64)free * sb->blocks_per_cluster);
}

/* --- inodes --- */

static bool load_inode_map(struct scratch *s, group_nr g, struct pair *p)
{
	struct check *c = s->c;
	const struct ext4_group_desc *d = check_desc(c, g);

	if (check_has_group_csum(&c->sb) && group_desc_flags(d) & EXT4_BG_INODE_UNINIT) {
		memset(s->block, 0, c->sb.block_size);
		return true;
	}
	if (c->group_bad[g] & GROUP_NO_INODE_MAP ||
		check_read(c, group_desc_inode_bitmap(&c->sb, d), 1, s->block, 0))
		return false;
	if (!group_inode_bitmap_csum_ok(&c->sb, d, s->block))
		check_found(c, CHECK_BITMAP, 0, group_desc_inode_bitmap(&c->sb, d),
			"group %u: wrong checksum of its inode bitmap", g);
	check_padding(c, p, c->sb.block_size * 8);
	return true;
}

static u32 count_dirs(const struct check *c, group_nr g)
{
	const struct fact *f = &c->facts[(u64)g * c->sb.inodes_per_group];
	u32 n = check_group_inodes(c, g), dirs = 0;

	for (u32 k = 0; k < n; k++)
		dirs += f[k].flags & FACT_USED && f[k].type == EXT4_FT_DIR;
	return dirs;
}

static void check_inodes(struct scratch *s, group_nr g)
{
	struct check *c = s->c;
	const struct super_info *sb = &c->sb;
	const struct ext4_group_desc *d = check_desc(c, g);
	struct pair p = {.what = "inode",
		.group = g,
		.disk = s->block,
		.used = c->inode_map + (u64)g * c->map_bytes,
		.bits = sb->inodes_per_group,
		.first = (u64)g * sb->inodes_per_group + 1,
		.step = 1};
	u32 free = p.bits - bits_weight(p.used, 0, p.bits), dirs = count_dirs(c, g);

	if (c->group_bad[g] & GROUP_NO_TABLE)
		return;
	if (load_inode_map(s, g, &p))
		compare(c, &p);
	if (free != group_desc_free_inodes(sb, d))
		check_found(c, CHECK_COUNT, 0, 0, "group %u counts %u free inodes, but has %u", g,
			group_desc_free_inodes(sb, d), free);
	if (dirs != group_desc_used_dirs(sb, d))
		check_found(c, CHECK_COUNT, 0, 0, "group %u counts %u directories, but has %u", g,
			group_desc_used_dirs(sb, d), dirs);
	atomic_add_relaxed(&c->free_inodes, free);
}

void check_bitmaps(struct scratch *s, u32 group)
{
	check_blocks(s, group);
	check_inodes(s, group);
}

/* MD-12: hints, which only an unmount makes right. */
void check_counts(struct check *c)
{
	c->res->blocks_used = c->sb.blocks_count - min_of(c->free_blocks, c->sb.blocks_count);
	if (c->res->unclean || c->res->incomplete)
		return;
	if (c->sb.free_blocks_hint != c->free_blocks)
		check_found(c, CHECK_COUNT, 0, 0,
			"the superblock counts %llu free blocks, but there are %llu",
			(unsigned long long)c->sb.free_blocks_hint,
			(unsigned long long)c->free_blocks);
	if (c->sb.free_inodes_hint != c->free_inodes)
		check_found(c, CHECK_COUNT, 0, 0,
			"the superblock counts %u free inodes, but there are %llu",
			c->sb.free_inodes_hint, (unsigned long long)c->free_inodes);
}
