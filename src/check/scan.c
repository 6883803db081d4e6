/* Reads inode tables, each by itself, and raw inodes one at a time. */
#include "base/err.h"
#include "base/util.h"
#include "check/check_priv.h"

#include <sys/stat.h>

static void scan_window(struct scratch *s, ino_nr first, u32 count)
{
	u32 size = s->c->sb.inode_size;

	for (u32 k = 0; k < count; k++)
		check_inode(s, first + k, (const void *)(s->window + (size_t)k * size));
}

/* A window that can't be read is read block by block, for what is sound in it. */
static void read_window(struct scratch *s, pblk_t pblk, u32 blocks, ino_nr first, u32 count)
{
	u32 per_block = s->c->sb.inodes_per_block;

	if (dev_read(s->c->dev, pblk * s->c->sb.block_size, s->window,
		    (size_t)blocks * s->c->sb.block_size) == 0) {
		scan_window(s, first, count);
		return;
	}
	for (u32 k = 0; k < blocks && count; k++) {
		u32 n = min_of(count, per_block);

		if (!check_read(s->c, pblk + k, 1, s->window, 0))
			scan_window(s, first, n);
		first += n;
		count -= n;
	}
}

void check_scan_group(struct scratch *s, u32 group)
{
	const struct super_info *sb = &s->c->sb;
	pblk_t table = group_desc_inode_table(sb, check_desc(s->c, group));
	u32 left = check_group_inodes(s->c, group);
	ino_nr ino = group * sb->inodes_per_group + 1;

	while (left) {
		u32 n = min_of(left, s->window_blocks * sb->inodes_per_block);
		u32 blocks = (u32)div_up(n, sb->inodes_per_block);

		read_window(s, table, blocks, ino, n);
		table += blocks;
		ino += n;
		left -= n;
	}
}

int check_read_inode(struct check *c, ino_nr ino, u8 *block, struct ext4_inode_disk **raw)
{
	const struct super_info *sb = &c->sb;
	group_nr g = (ino - 1) / sb->inodes_per_group;
	u32 index = (ino - 1) % sb->inodes_per_group;
	pblk_t pblk = group_desc_inode_table(sb, check_desc(c, g)) + index / sb->inodes_per_block;

	if (!check_block_ok(c, pblk, 1))
		return ERR(EUCLEAN);
	*raw = (void *)(block + (size_t)(index % sb->inodes_per_block) * sb->inode_size);
	return check_read(c, pblk, 1, block, ino);
}

bool check_walk_hidden(struct walk *w, struct inode_fields *f)
{
	struct check *c = w->s->c;
	struct ext4_inode_disk *raw;
	const char *why;

	if (check_read_inode(c, w->ino, w->s->block, &raw) || inode_unpack(&c->sb, raw, f, &why) ||
		!S_ISREG(f->mode) || f->links == 0 || f->flags & EXT4_INLINE_DATA_FL)
		return false;
	w->f = f;
	w->seed = inode_csum_seed(&c->sb, w->ino, f->generation);
	w->quiet = w->runs = true;
	check_walk_map(w);
	return true;
}
