/* Group descriptors: where things are, flags, checksums. */
#include "base/err.h"
#include "base/util.h"
#include "check/check_priv.h"

bool check_has_group_csum(const struct super_info *sb)
{
	return super_has_metadata_csum(sb) || super_has_gdt_csum(sb);
}

struct ext4_group_desc *check_desc(const struct check *c, group_nr g)
{
	return (struct ext4_group_desc *)(c->gdt + (u64)g * c->sb.desc_size);
}

u32 check_group_inodes(const struct check *c, group_nr g)
{
	const struct ext4_group_desc *d = check_desc(c, g);
	u32 ipg = c->sb.inodes_per_group, unused;

	if (c->group_bad[g] & GROUP_NO_TABLE)
		return 0;
	if (!check_has_group_csum(&c->sb))
		return ipg;
	if (group_desc_flags(d) & EXT4_BG_INODE_UNINIT)
		return 0;
	unused = group_desc_itable_unused(&c->sb, d);
	return unused > ipg ? ipg : ipg - unused;
}

/* Descriptors lie one behind the other in memory, whatever pads their blocks. */
static int read_descs(struct check *c)
{
	const struct super_info *sb = &c->sb;
	u32 bytes = sb->descs_per_block * sb->desc_size;
	int err = 0;

	if (!super_has_meta_bg(sb) && bytes == sb->block_size)
		return check_read(c, super_gdt_block(sb, 0), sb->gdt_blocks, c->gdt, 0);
	for (u32 k = 0; k < sb->gdt_blocks && !err; k++)
		err = check_read(c, super_gdt_block(sb, k), 1, c->gdt + (u64)k * bytes, 0);
	return err;
}

int check_load_groups(struct check *c)
{
	if (!c->gdt)
		c->gdt = check_alloc(c, c->sb.gdt_blocks, c->sb.block_size);
	if (!c->group_bad)
		c->group_bad = check_alloc(c, c->sb.group_count, 1);
	if (!c->gdt || !c->group_bad)
		return ERR(ENOMEM);
	return read_descs(c);
}

/* Inside the file system, and inside the group where groups are not flexible. */
static bool in_place(const struct check *c, group_nr g, pblk_t pblk, u64 len)
{
	pblk_t first = super_group_first_block(&c->sb, g);

	if (!check_block_ok(c, pblk, len))
		return false;
	return super_has_flex_bg(&c->sb) ||
	       (pblk >= first && pblk + len <= first + super_group_blocks(&c->sb, g));
}

static void check_places(struct check *c, group_nr g)
{
	const struct super_info *sb = &c->sb;
	const struct ext4_group_desc *d = check_desc(c, g);
	const struct {
		const char *what;
		pblk_t pblk;
		u32 len;
		u8 bad;
	} p[3] = {
		{"block bitmap", group_desc_block_bitmap(sb, d), 1, GROUP_NO_BLOCK_MAP},
		{"inode bitmap", group_desc_inode_bitmap(sb, d), 1, GROUP_NO_INODE_MAP},
		{"inode table", group_desc_inode_table(sb, d), sb->itable_blocks, GROUP_NO_TABLE},
	};

	for (int k = 0; k < 3; k++) {
		if (in_place(c, g, p[k].pblk, p[k].len))
			continue;
		c->group_bad[g] |= p[k].bad;
		c->res->incomplete = true;
		check_found(c, CHECK_GROUP, 0, p[k].pblk, "group %u: its %s can't be at block %llu",
			g, p[k].what, (unsigned long long)p[k].pblk);
	}
}

static void check_flags(struct check *c, group_nr g)
{
	const struct super_info *sb = &c->sb;
	const struct ext4_group_desc *d = check_desc(c, g);
	u16 flags = group_desc_flags(d);

	if (!check_has_group_csum(sb)) {
		if (flags & (EXT4_BG_BLOCK_UNINIT | EXT4_BG_INODE_UNINIT) ||
			group_desc_itable_unused(sb, d))
			check_found(c, CHECK_GROUP, 0, 0,
				"group %u is said to be unused in part, without the feature for it",
				g);
		return;
	}
	if (flags & EXT4_BG_BLOCK_UNINIT && g == sb->group_count - 1)
		check_found(c, CHECK_GROUP, 0, 0,
			"group %u is the last, and its block bitmap is unused", g);
	if (flags & EXT4_BG_INODE_UNINIT && g == 0)
		check_found(c, CHECK_GROUP, 0, 0, "group 0: its inode bitmap is said to be unused");
	if (group_desc_itable_unused(sb, d) > sb->inodes_per_group)
		check_found(c, CHECK_GROUP, 0, 0, "group %u: it has %u unused inodes of %u", g,
			group_desc_itable_unused(sb, d), sb->inodes_per_group);
}

void check_claim_group(struct check *c, group_nr g)
{
	const struct super_info *sb = &c->sb;
	const struct ext4_group_desc *d = check_desc(c, g);
	u32 base = super_group_base_blocks(sb, g);

	if (base)
		check_claim(c, super_group_first_block(sb, g),
			min_of(base, super_group_blocks(sb, g)), 0);
	if (!(c->group_bad[g] & GROUP_NO_BLOCK_MAP))
		check_claim(c, group_desc_block_bitmap(sb, d), 1, 0);
	if (!(c->group_bad[g] & GROUP_NO_INODE_MAP))
		check_claim(c, group_desc_inode_bitmap(sb, d), 1, 0);
	if (!(c->group_bad[g] & GROUP_NO_TABLE))
		check_claim(c, group_desc_inode_table(sb, d), sb->itable_blocks, 0);
}

void check_groups(struct check *c)
{
	for (group_nr g = 0; g < c->sb.group_count; g++) {
		if (!group_desc_verify(&c->sb, g, check_desc(c, g)))
			check_found(c, CHECK_GROUP, 0, 0,
				"group %u: wrong checksum of its descriptor", g);
		check_places(c, g);
		check_flags(c, g);
		check_claim_group(c, g);
	}
	if (super_has_mmp(&c->sb))
		check_claim(c, c->sb.mmp_block, 1, 0);
}
