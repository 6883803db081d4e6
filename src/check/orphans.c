/*
 * Inodes that the next mount deletes or truncates (OR-1, OR-2): on the list
 * that begins in the superblock, and in the orphan file.
 */
#include "base/util.h"
#include "check/check_priv.h"
#include "disk/orphan.h"

#define tell(c, ino, ...) check_found(c, CHECK_ORPHAN, ino, 0, __VA_ARGS__)

static bool may_be_orphan(const struct check *c, ino_nr ino)
{
	return ino >= c->sb.first_ino && ino <= c->sb.inodes_count && !check_is_hidden(c, ino);
}

/* False: it can't be, or it is one already. */
static bool take_orphan(struct check *c, ino_nr ino, const char *where)
{
	struct fact *f;

	if (!may_be_orphan(c, ino)) {
		tell(c, 0, "%s names inode %u, which can't be an orphan", where, ino);
		return false;
	}
	f = &c->facts[ino - 1];
	if (f->flags & FACT_ORPHAN) {
		tell(c, ino, "%s names it a second time", where);
		return false;
	}
	if (!c->res->unclean)
		tell(c, ino, "%s names it, though the file system was unmounted", where);
	f->flags |= FACT_ORPHAN;
	c->res->orphans++;
	return true;
}

static void check_list(struct check *c, struct scratch *s)
{
	ino_nr ino = c->sb.last_orphan;
	struct ext4_inode_disk *raw;

	while (ino && take_orphan(c, ino, "the orphan list")) {
		if (check_read_inode(c, ino, s->block, &raw))
			return;
		ino = le32_to_cpu(raw->i_dtime);
	}
}

/* --- the orphan file --- */

static void check_slots(struct check *c, struct scratch *s)
{
	const struct le32 *slot = (const void *)s->block;

	for (u32 k = 0; k < orphan_block_slots(&c->sb); k++)
		if (slot[k].raw)
			take_orphan(c, le32_to_cpu(slot[k]), "the orphan file");
}

static void check_block(struct check *c, struct scratch *s, pblk_t pblk, u32 seed)
{
	const char *why = "";

	if (check_read(c, pblk, 1, s->block, c->sb.orphan_file_inum))
		return;
	if (orphan_block_verify(&c->sb, s->block, &why))
		tell(c, c->sb.orphan_file_inum, "block %llu of the orphan file: %s",
			(unsigned long long)pblk, why);
	else if (!orphan_csum_verify(&c->sb, seed, pblk, s->block))
		tell(c, c->sb.orphan_file_inum, "block %llu of the orphan file: wrong checksum",
			(unsigned long long)pblk);
	else
		check_slots(c, s);
}

static void check_file(struct check *c, struct scratch *s)
{
	ino_nr ino = c->sb.orphan_file_inum;
	struct inode_fields f;
	struct walk w = {.s = s, .ino = ino};
	u32 blocks = 0;

	if (!check_walk_hidden(&w, &f)) {
		tell(c, ino, "the orphan file is no regular file");
		return;
	}
	for (u32 k = 0; k < s->run_count; k++)
		for (u32 b = 0; b < s->runs[k].len; b++, blocks++)
			check_block(c, s, s->runs[k].pblk + b, w.seed);
	if (w.last + 1 != blocks || f.size != (u64)blocks * c->sb.block_size)
		tell(c, ino, "the orphan file has holes, or a size that is not that of its blocks");
}

void check_orphans(struct check *c, struct scratch *s)
{
	if (c->sb.last_orphan)
		check_list(c, s);
	if (super_has_orphan_file(&c->sb))
		check_file(c, s);
	if (super_has_orphan_present(&c->sb) && !c->res->unclean)
		tell(c, 0, "the superblock says that there are orphans, though it was unmounted");
}
