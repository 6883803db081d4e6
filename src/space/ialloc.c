/* Inode numbers: allocation, freeing, state and place of raw inodes (AL-7, AL-8, AL-10). */
#include "base/mutant.h"
#include "space/space_priv.h"

#include "os/assert.h"
#include "os/atomic.h"

struct inode_pick {
	struct handle *h;
	struct space *sp;
	const struct inode_alloc_request *req;
	bool allow_recent; /* last resort without a journal */
	ino_nr ino;	   /* result */
};

group_nr space_inode_group(const struct volume *v, ino_nr ino)
{
	return (ino - 1) / v->sb.inodes_per_group;
}

static u32 inode_index(const struct space *sp, ino_nr ino)
{
	return (ino - 1) % sp->inodes_per_group;
}

static bool inode_in_range(const struct space *sp, ino_nr ino)
{
	return ino >= 1 && ino <= sp->sb->inodes_count;
}

/* The first index of the group that may be given to users (MD-25). */
static u32 first_index(const struct space *sp, group_nr nr)
{
	u64 base = (u64)nr * sp->inodes_per_group, first = sp->sb->first_ino - 1;

	return first > base ? (u32)min_of(first - base, (u64)sp->inodes_per_group) : 0;
}

static ino_nr inode_number(const struct space *sp, group_nr nr, u32 index)
{
	return (ino_nr)((u64)nr * sp->inodes_per_group + index + 1);
}

static bool may_take(const struct inode_pick *p, const struct group *g, u32 index)
{
	struct space *sp = p->sp;

	if (bit_test(g->ibuf->data, index))
		return false;
	return p->allow_recent || journal_exists(sp->v->journal) ||
	       !recent_contains(&sp->recent, inode_number(sp, g->idx.nr, index));
}

/* A free index, or inodes_per_group. */
static u32 pick_index(const struct inode_pick *p, const struct group *g)
{
	struct space *sp = p->sp;
	u32 end = sp->inodes_per_group, from = first_index(sp, g->idx.nr), goal;

	if (p->req->goal && space_inode_group(sp->v, p->req->goal) == g->idx.nr) {
		goal = inode_index(sp, p->req->goal);
		if (goal >= from && may_take(p, g, goal))
			return goal;
	}
	from = max_of(from, g->inodes_from);
	for (u32 i = bits_next_zero(g->ibuf->data, from, end); i < end;
		i = bits_next_zero(g->ibuf->data, i + 1, end))
		if (may_take(p, g, i))
			return i;
	return end;
}

/* The next search need not look again at what is in use before the index just taken. */
static void full_up_to(const struct space *sp, struct group *g, u32 index)
{
	u32 from = max_of(g->inodes_from, first_index(sp, g->idx.nr));

	if (bits_next_zero(g->ibuf->data, from, index) == index)
		g->inodes_from = index + 1;
}

static void desc_add_inode(struct space *sp, struct group *g, u32 index, bool dir)
{
	struct ext4_group_desc *d = group_desc(sp, g);
	u32 unused = sp->inodes_per_group - (index + 1);

	group_desc_set_free_inodes(sp->sb, d, g->free_inodes - 1);
	if (dir)
		group_desc_set_used_dirs(sp->sb, d, g->dirs + 1);
	if (!MUTANT(ITABLE_UNUSED_STALE) && sp->has_csum &&
		unused < group_desc_itable_unused(sp->sb, d)) /* AL-8 */
		group_desc_set_itable_unused(sp->sb, d, unused);
}

/* Bitmap ready for changes and a free index found, or 0 with *index == inodes_per_group. */
static int prepare(struct inode_pick *p, struct group *g, u32 *index)
{
	struct space *sp = p->sp;
	int err = 0;

	*index = sp->inodes_per_group;
	if (group_is(g, GROUP_BAD_INODES) || !g->free_inodes)
		return 0;
	if (!group_uninit(sp, g, EXT4_BG_INODE_UNINIT)) {
		err = group_load_inode_bitmap(sp, g);
		if (err)
			return err;
		*index = pick_index(p, g);
		if (*index == sp->inodes_per_group)
			return 0;
	}
	err = group_write_inodes(p->h, sp, g);
	if (!err)
		*index = pick_index(p, g);
	/* AL-7: a group with inodes in use has a real block bitmap. */
	if (!err && group_uninit(sp, g, EXT4_BG_BLOCK_UNINIT))
		err = group_write_blocks(p->h, sp, g);
	return err;
}

static int take_in_group(void *arg, struct group *g)
{
	struct inode_pick *p = arg;
	struct space *sp = p->sp;
	u32 index;
	int err;

	group_lock(g);
	err = prepare(p, g, &index);
	if (!err && index < sp->inodes_per_group) {
		bit_set(g->ibuf->data, index);
		full_up_to(sp, g, index);
		desc_add_inode(sp, g, index, p->req->dir);
		counter_add(&sp->free_inodes, -1);
		counter_add(&sp->dirs, p->req->dir);
		err = group_dirty_inodes(p->h, sp, g);
		p->ino = inode_number(sp, g->idx.nr, index);
	}
	group_index_locked(sp, g);
	group_unlock(sp, g);
	if (err == -EUCLEAN || err == -EBADMSG)
		return 0; /* reported; another group will do */
	return err ? err : p->ino != 0;
}

int space_inode_alloc(
	struct handle *h, struct volume *v, const struct inode_alloc_request *req, ino_nr *out)
{
	struct inode_pick p = {.h = h, .sp = v->space, .req = req};
	int r;

	if (counter_sum(&p.sp->free_inodes) <= 0)
		return ERR(ENOSPC);
	r = orlov_walk(p.sp, req, take_in_group, &p);
	if (r == 0 && !journal_exists(v->journal)) {
		p.allow_recent = true;
		r = orlov_walk(p.sp, req, take_in_group, &p);
	}
	if (r <= 0)
		return r ? r : ERR(ENOSPC);
	TRACE("space_inode_alloc", p.ino, 0);
	*out = p.ino;
	return 0;
}

/* Caller has write access. */
static int clear_inode(struct handle *h, struct space *sp, struct group *g, u32 index, bool dir)
{
	struct ext4_group_desc *d = group_desc(sp, g);

	if (!bit_test(g->ibuf->data, index) || g->free_inodes >= sp->inodes_per_group ||
		(dir && !g->dirs))
		return group_bad_locked(
			sp, g, GROUP_BAD_INODES, -EUCLEAN, "inode freed twice or wrong counts");
	bit_clear(g->ibuf->data, index);
	g->inodes_from = min_of(g->inodes_from, index);
	group_desc_set_free_inodes(sp->sb, d, g->free_inodes + 1);
	if (dir)
		group_desc_set_used_dirs(sp->sb, d, g->dirs - 1);
	counter_add(&sp->free_inodes, 1);
	counter_add(&sp->dirs, -(s64)dir);
	return group_dirty_inodes(h, sp, g);
}

int space_inode_free(struct handle *h, struct volume *v, ino_nr ino, bool dir)
{
	struct space *sp = v->space;
	struct group *g;
	int err;

	if (!inode_in_range(sp, ino) || ino < sp->sb->first_ino)
		return volume_error(v, ERR(EUCLEAN), ino, 0, "freeing a reserved inode number");
	err = group_find(sp, space_inode_group(v, ino), &g);
	if (err)
		return err;
	group_lock(g);
	if (group_uninit(sp, g, EXT4_BG_INODE_UNINIT))
		err = group_bad_locked(
			sp, g, GROUP_BAD_INODES, -EUCLEAN, "freeing an inode never used");
	if (!err)
		err = group_write_inodes(h, sp, g);
	if (!err)
		err = clear_inode(h, sp, g, inode_index(sp, ino), dir);
	group_unlock(sp, g);
	if (!err && !journal_exists(v->journal))
		recent_add(&sp->recent, ino);
	return err;
}

int space_inode_free_prepare(struct handle *h, struct volume *v, ino_nr ino)
{
	struct space *sp = v->space;
	struct group *g;
	int err;

	if (!inode_in_range(sp, ino))
		return 0; /* space_inode_free says so */
	err = group_find(sp, space_inode_group(v, ino), &g);
	if (err)
		return err;
	group_lock(g);
	if (!group_uninit(sp, g, EXT4_BG_INODE_UNINIT))
		err = group_write_inodes(h, sp, g);
	group_unlock(sp, g);
	return err;
}

/* AL-10: beyond itable_unused nothing was ever used. */
static int in_use_locked(struct space *sp, struct group *g, u32 index)
{
	struct ext4_group_desc *d = group_desc(sp, g);
	int err;

	if (group_is(g, GROUP_BAD_INODES))
		return ERR(EUCLEAN);
	if (group_uninit(sp, g, EXT4_BG_INODE_UNINIT))
		return 0;
	err = group_load_inode_bitmap(sp, g);
	if (err || !bit_test(g->ibuf->data, index))
		return err;
	if (sp->has_csum && index >= sp->inodes_per_group - group_desc_itable_unused(sp->sb, d))
		return group_bad_locked(sp, g, GROUP_BAD_INODES, -EUCLEAN,
			"inode in use in the part of the table never used");
	return 1;
}

int space_inode_in_use(struct volume *v, ino_nr ino)
{
	struct space *sp = v->space;
	struct group *g;
	int r;

	if (!inode_in_range(sp, ino))
		return ERR(EUCLEAN);
	r = group_find(sp, space_inode_group(v, ino), &g);
	if (r)
		return r;
	group_lock(g);
	r = in_use_locked(sp, g, inode_index(sp, ino));
	group_unlock(sp, g);
	return r;
}

int space_inode_location(struct volume *v, ino_nr ino, pblk_t *pblk, u32 *offset)
{
	struct space *sp = v->space;
	struct group *g;
	u64 byte;
	int err;

	if (!inode_in_range(sp, ino))
		return ERR(EUCLEAN);
	err = group_find(sp, space_inode_group(v, ino), &g);
	if (err)
		return err;
	byte = (u64)inode_index(sp, ino) * sp->sb->inode_size;
	*pblk = g->inode_table + byte / sp->sb->block_size;
	*offset = (u32)(byte % sp->sb->block_size);
	return 0;
}

/* AL-13: with flex groups directories start at the first group, files at the second. */
pblk_t space_inode_goal(const struct volume *v, ino_nr ino, bool dir)
{
	const struct space *sp = v->space;
	group_nr nr = space_inode_group(v, ino);

	if (nr >= sp->group_count)
		nr = 0;
	if (sp->flex_log >= 2) {
		nr = nr >> sp->flex_log << sp->flex_log;
		if (!dir && nr + 1 < sp->group_count)
			nr++;
	}
	return group_first_block(sp, nr);
}
