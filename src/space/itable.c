/*
 * Zeroing what mke2fs left of the inode tables (AL-9). The end of a table that was never used
 * is zeroed in pieces, each under the group's lock, which allocations of inodes need to reach
 * further into the table; then the device flushes; then a transaction sets the flag.
 */
#include "space/space_priv.h"

#include "os/atomic.h"

enum { PIECE_BYTES = 256 << 10 };

static bool is_zeroed(const struct space *sp, const struct group *g)
{
	return group_desc_flags(group_desc(sp, g)) & EXT4_BG_INODE_ZEROED;
}

static bool is_for_us(const struct group *g)
{
	return g && !group_is(g, GROUP_BAD_BLOCKS | GROUP_BAD_INODES | GROUP_BAD_DESC);
}

bool space_itables_pending(struct volume *v)
{
	struct space *sp = v->space;

	for (group_nr nr = 0; sp->has_csum && nr < sp->group_count; nr++) {
		const struct group *g = group_peek(sp, nr);

		if (!g)
			nr |= sp->descs_per_block - 1; /* none of this block is loaded */
		else if (is_for_us(g) && !is_zeroed(sp, g))
			return true;
	}
	return false;
}

/* Blocks at the start of the table that hold, or may hold, inodes. */
static u32 used_blocks(const struct space *sp, const struct group *g)
{
	u32 unused = group_desc_itable_unused(sp->sb, group_desc(sp, g));

	if (group_uninit(sp, g, EXT4_BG_INODE_UNINIT))
		return 0;
	return (u32)div_up(
		(u64)(sp->inodes_per_group - unused) * sp->sb->inode_size, sp->sb->block_size);
}

/* What was read of the blocks before is dropped: nobody has used it (AL-8). */
static int zero_piece_locked(struct space *sp, struct group *g, u32 *pos)
{
	u32 bs = sp->sb->block_size, from = max_of(*pos, used_blocks(sp, g)), n;
	int err;

	if (from >= sp->itable_blocks)
		return 0;
	n = min_of(max_of(PIECE_BYTES / bs, 1u), sp->itable_blocks - from);
	TRACE("space_itable_zero", g->inode_table + from, n);
	err = dev_write_zeroes(sp->v->dev, (g->inode_table + from) * bs, (u64)n * bs, 0);
	if (!err)
		err = bcache_invalidate(sp->v->bcache, g->inode_table + from, n);
	*pos = from + n;
	return err ? err : 1;
}

static int flag_set(struct handle *h, struct space *sp, struct group *g)
{
	struct buf *b = group_desc_buf(sp, g);
	struct ext4_group_desc *d = group_desc(sp, g);
	int err;

	group_lock(g);
	err = buf_write_access(h, b);
	if (!err) {
		group_desc_set_flags(d, (u16)(group_desc_flags(d) | EXT4_BG_INODE_ZEROED));
		group_desc_changed(sp, g);
		err = buf_dirty(h, b);
	}
	group_unlock(sp, g);
	return err;
}

static int finish(struct space *sp, struct group *g)
{
	struct volume *v = sp->v;
	struct handle h;
	int err = 0;

	if (!(atomic_load_relaxed(&v->flags) & VOLUME_NO_BARRIER))
		err = dev_flush(v->dev);
	if (!err)
		err = handle_start(v->journal, &h, 1, 0);
	return err ? err : handle_end(&h, flag_set(&h, sp, g));
}

int space_itable_zero(struct volume *v, group_nr nr, u32 *pos)
{
	struct space *sp = v->space;
	struct group *g = group_peek(sp, nr);
	bool done;
	int r = 0;

	if (!is_for_us(g))
		return 0;
	group_lock(g);
	done = is_zeroed(sp, g);
	if (!done)
		r = zero_piece_locked(sp, g, pos);
	group_unlock(sp, g);
	return r || done ? r : finish(sp, g);
}
