/*
 * The resize inode (MD-14) owns the reserved descriptor blocks: its double
 * indirect block lists those of the first group, and each of these lists its
 * copies in the groups that have a superblock.
 */
#include "base/util.h"
#include "check/check_priv.h"

#include <string.h>

struct resize {
	struct scratch *s;
	ino_nr ino;
	u64 blocks;
};

#define tell(r, ...) check_compared((r)->s->c, CHECK_MAP, (r)->ino, 0, __VA_ARGS__)

/* Primary reserved block `pblk`: its copies, in the order of the groups. */
static bool check_copies(struct resize *r, pblk_t pblk)
{
	const struct super_info *sb = &r->s->c->sb;
	const struct le32 *ptr = (const void *)r->s->node[1];
	u32 k = 0, room = sb->block_size / 4;

	if (check_read(r->s->c, pblk, 1, r->s->node[1], r->ino))
		return false;
	for (group_nr g = 1; g < sb->group_count; g++) {
		if (!super_group_has_super(sb, g))
			continue;
		if (k == room || le32_to_cpu(ptr[k]) != pblk + (u64)g * sb->blocks_per_group)
			return false;
		k++;
	}
	r->blocks += 1 + k;
	while (k < room && !ptr[k].raw)
		k++;
	return k == room;
}

static bool check_reserved(struct resize *r)
{
	const struct super_info *sb = &r->s->c->sb;
	const struct le32 *ptr = (const void *)r->s->node[0];
	pblk_t first = super_gdt_block(sb, 0) + sb->gdt_blocks;
	u32 room = sb->block_size / 4;

	for (u32 k = 0; k < sb->reserved_gdt_blocks; k++) {
		pblk_t pblk = first + k;

		if (le32_to_cpu(ptr[(sb->gdt_blocks + k) % room]) != pblk || !check_copies(r, pblk))
			return false;
	}
	return true;
}

static bool check_root(struct resize *r, const struct inode_fields *f)
{
	const struct le32 *ptr = (const void *)f->i_block;
	pblk_t dind = le32_to_cpu(ptr[13]);

	for (u32 k = 0; k < EXT4_N_PTRS; k++)
		if (k != 13 && ptr[k].raw)
			return false;
	if (!check_block_ok(r->s->c, dind, 1))
		return false;
	check_claim(r->s->c, dind, r->s->c->sb.blocks_per_cluster, r->ino);
	r->blocks = 1;
	return !check_read(r->s->c, dind, 1, r->s->node[0], r->ino) && check_reserved(r);
}

void check_resize_inode(struct scratch *s, ino_nr ino, const struct inode_fields *f)
{
	struct resize r = {.s = s, .ino = ino};

	if ((f->flags & EXT4_EXTENTS_FL) || f->links == 0 || !check_root(&r, f)) {
		tell(&r, "the resize inode does not list the reserved descriptor blocks");
		return;
	}
	r.blocks *= s->c->sb.blocks_per_cluster;
	if (f->blocks != r.blocks * (s->c->sb.block_size / 512))
		tell(&r, "it counts %llu sectors, but owns %llu", (unsigned long long)f->blocks,
			(unsigned long long)r.blocks * (s->c->sb.block_size / 512));
}
