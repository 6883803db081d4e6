/* Block and inode bitmaps: loading, checking, synthesis (AL-2), write access, sealing. */
#include "space/space_priv.h"

#include <string.h>

#include "os/assert.h"
#include "os/atomic.h"
#include "os/mem.h"

/*
 * No verifier: each descriptor carries its own checksum, which group_init()
 * checks, so one bad descriptor costs one group; later each changes under its
 * own group's lock, so nobody may look at the block as a whole.
 */
const struct buf_type gdt_buf_type = {.name = "group descriptors"};

/* MD-29: padding bits are one. */
static int padding_verify(const struct super_info *sb, const void *data, u32 used, const char **why)
{
	u32 end = sb->block_size * 8;

	if (bits_next_zero(data, used, end) == end)
		return 0;
	*why = "padding of the bitmap is not set";
	return ERR(EUCLEAN);
}

static int block_bitmap_verify(const struct super_info *sb, const void *data, pblk_t pblk,
	const struct buf_ctx *ctx, const char **why)
{
	return padding_verify(sb, data, super_group_blocks(sb, ctx->arg), why);
}

static int inode_bitmap_verify(const struct super_info *sb, const void *data, pblk_t pblk,
	const struct buf_ctx *ctx, const char **why)
{
	return padding_verify(sb, data, sb->inodes_per_group, why);
}

/* The checksums live in the descriptor: set and compared here under the group's lock, no seal. */
const struct buf_type block_bitmap_buf_type = {
	.name = "block bitmap", .verify = block_bitmap_verify};
const struct buf_type inode_bitmap_buf_type = {
	.name = "inode bitmap", .verify = inode_bitmap_verify};

static struct buf_ctx bitmap_ctx(const struct space *sp, const struct group *g)
{
	return (struct buf_ctx){.csum_seed = sp->sb->csum_seed, .arg = g->idx.nr};
}

/* Sets the bits of the part of [pblk, pblk+len) inside group nr. */
static void mark_own(const struct space *sp, group_nr nr, void *map, pblk_t pblk, u64 len)
{
	pblk_t first = group_first_block(sp, nr), end = first + group_blocks(sp, nr);
	pblk_t from = max_of(pblk, first), to = min_of(pblk + len, end);

	if (from < to)
		bits_set(map, (u32)(from - first), (u32)(to - from));
}

/* AL-1, AL-3: everything the zone knows inside this group must be used. */
static const char *zone_check(struct space *sp, const struct group *g, const void *map)
{
	pblk_t first = group_first_block(sp, g->idx.nr), end, at = first;
	u32 base = group_base_blocks(sp, g->idx.nr);
	u64 len;

	if (bits_next_zero(map, 0, base) != base)
		return "block bitmap shows the superblock or descriptors as free";
	end = first + group_blocks(sp, g->idx.nr);
	for (; zone_next(&sp->zone, at, end, &at, &len); at += len)
		if (bits_weight(map, (u32)(at - first), (u32)len) != len)
			return "block bitmap shows metadata as free";
	return NULL;
}

/*
 * AL-2: the map of a group of which nothing but its own metadata is used. The
 * flag alone is not believed: set by mistake, it would give away what is in use.
 */
static const char *synthesise(struct space *sp, const struct group *g, void *map)
{
	group_nr nr = g->idx.nr;
	u32 used = group_blocks(sp, nr);

	memset(map, 0, sp->sb->block_size);
	bits_set(map, 0, group_base_blocks(sp, nr));
	mark_own(sp, nr, map, g->block_bitmap, 1);
	mark_own(sp, nr, map, g->inode_bitmap, 1);
	mark_own(sp, nr, map, g->inode_table, sp->itable_blocks);
	bits_set(map, used, sp->sb->block_size * 8 - used);
	if (g->free_blocks < used - bits_weight(map, 0, used))
		return "a group said to be unused counts blocks in use";
	return zone_check(sp, g, map);
}

static int bitmap_failed(struct space *sp, struct group *g, u32 flag, int err)
{
	if (err == -EUCLEAN || err == -EBADMSG)
		return group_bad_locked(sp, g, flag, err, "unusable bitmap");
	return err;
}

int group_load_block_bitmap(struct space *sp, struct group *g)
{
	struct buf_ctx ctx = bitmap_ctx(sp, g);
	u32 used = group_blocks(sp, g->idx.nr);
	const char *why;
	struct buf *b;
	int err;

	ASSERT(os_mutex_held(&g->lock));
	if (group_is(g, GROUP_BAD_BLOCKS))
		return ERR(EUCLEAN);
	if (g->bbuf)
		return 0;
	err = buf_read(sp->v->bcache, g->block_bitmap, &block_bitmap_buf_type, &ctx, &b);
	if (err)
		return bitmap_failed(sp, g, GROUP_BAD_BLOCKS, err);
	why = zone_check(sp, g, b->data);
	err = -EUCLEAN;
	if (!group_block_bitmap_csum_ok(sp->sb, group_desc(sp, g), b->data)) {
		why = "bad checksum of the block bitmap";
		err = -EBADMSG;
	} else if (!why && used - bits_weight(b->data, 0, used) != g->free_blocks) {
		why = "block bitmap and free count disagree";
	}
	if (why) {
		buf_put(b);
		return group_bad_locked(sp, g, GROUP_BAD_BLOCKS, err, why);
	}
	g->bbuf = b;
	group_loaded_locked(sp, g);
	return 0;
}

int group_load_inode_bitmap(struct space *sp, struct group *g)
{
	struct buf_ctx ctx = bitmap_ctx(sp, g);
	u32 count = sp->inodes_per_group;
	const char *why = NULL;
	struct buf *b;
	int err;

	ASSERT(os_mutex_held(&g->lock));
	if (group_is(g, GROUP_BAD_INODES))
		return ERR(EUCLEAN);
	if (g->ibuf)
		return 0;
	err = buf_read(sp->v->bcache, g->inode_bitmap, &inode_bitmap_buf_type, &ctx, &b);
	if (err)
		return bitmap_failed(sp, g, GROUP_BAD_INODES, err);
	err = -EUCLEAN;
	if (!group_inode_bitmap_csum_ok(sp->sb, group_desc(sp, g), b->data)) {
		why = "bad checksum of the inode bitmap";
		err = -EBADMSG;
	} else if (count - bits_weight(b->data, 0, count) != g->free_inodes) {
		why = "inode bitmap and free count disagree";
	}
	if (why) {
		buf_put(b);
		return group_bad_locked(sp, g, GROUP_BAD_INODES, err, why);
	}
	g->ibuf = b;
	g->inodes_from = 0;
	group_loaded_locked(sp, g);
	return 0;
}

/* Without I/O for a group never used (AL-16). */
static int buddy_from_nothing(struct space *sp, struct group *g, struct buddy *b)
{
	void *map = os_alloc(sp->sb->block_size);
	const char *why;
	int err = 0;

	if (!map)
		return ERR(ENOMEM);
	why = synthesise(sp, g, map);
	if (why)
		err = group_bad_locked(sp, g, GROUP_BAD_BLOCKS, -EUCLEAN, why);
	else
		buddy_build(b, map);
	os_free(map);
	return err;
}

int group_load_buddy(struct space *sp, struct group *g)
{
	struct pending_free *p;
	struct buddy *b;
	int err;

	if (group_is(g, GROUP_BAD_BLOCKS))
		return ERR(EUCLEAN);
	if (g->buddy)
		return 0;
	b = buddy_create(group_blocks(sp, g->idx.nr));
	if (!b)
		return ERR(ENOMEM);
	if (group_uninit(sp, g, EXT4_BG_BLOCK_UNINIT)) {
		err = buddy_from_nothing(sp, g, b);
	} else {
		err = group_load_block_bitmap(sp, g);
		if (!err)
			buddy_build(b, g->bbuf->data);
	}
	if (err) {
		buddy_destroy(b);
		return err;
	}
	list_for_each_entry (p, &g->pending, group_node) /* AL-4 */
		buddy_take(b, p->start, p->len);
	g->buddy = b;
	group_loaded_locked(sp, g);
	group_index_locked(sp, g);
	return 0;
}

static int dirty_both(struct handle *h, struct space *sp, struct group *g, struct buf *bitmap)
{
	int err;

	group_desc_changed(sp, g);
	err = buf_dirty(h, bitmap);
	if (!err)
		err = buf_dirty(h, group_desc_buf(sp, g));
	return err;
}

int group_dirty_blocks(struct handle *h, struct space *sp, struct group *g)
{
	group_set_block_bitmap_csum(sp->sb, group_desc(sp, g), g->bbuf->data);
	return dirty_both(h, sp, g, g->bbuf);
}

int group_dirty_inodes(struct handle *h, struct space *sp, struct group *g)
{
	group_set_inode_bitmap_csum(sp->sb, group_desc(sp, g), g->ibuf->data);
	return dirty_both(h, sp, g, g->ibuf);
}

static void clear_flag(struct space *sp, struct group *g, u16 flag)
{
	struct ext4_group_desc *d = group_desc(sp, g);

	group_desc_set_flags(d, (u16)(group_desc_flags(d) & ~flag));
}

/* First use of the block bitmap; desc write access is held. */
static int init_block_bitmap(struct handle *h, struct space *sp, struct group *g)
{
	struct buf_ctx ctx = bitmap_ctx(sp, g);
	u32 used = group_blocks(sp, g->idx.nr), free;
	const char *why;
	struct buf *b;
	s64 delta;
	int err;

	err = buf_create(h, sp->v->bcache, g->block_bitmap, &block_bitmap_buf_type, &ctx, &b);
	if (err)
		return err;
	why = synthesise(sp, g, b->data);
	if (why) {
		buf_put(b);
		return group_bad_locked(sp, g, GROUP_BAD_BLOCKS, -EUCLEAN, why);
	}
	buf_put(g->bbuf);
	g->bbuf = b;
	group_loaded_locked(sp, g);
	free = used - bits_weight(b->data, 0, used);
	delta = (s64)free - g->free_blocks;
	group_desc_set_free_clusters(sp->sb, group_desc(sp, g), free);
	clear_flag(sp, g, EXT4_BG_BLOCK_UNINIT);
	counter_add(&sp->free_blocks, delta);
	counter_add(&sp->avail, delta);
	return group_dirty_blocks(h, sp, g);
}

int group_write_blocks(struct handle *h, struct space *sp, struct group *g)
{
	int err;

	if (group_is(g, GROUP_BAD_BLOCKS))
		return ERR(EUCLEAN);
	err = buf_write_access(h, group_desc_buf(sp, g));
	if (err)
		return err;
	if (group_uninit(sp, g, EXT4_BG_BLOCK_UNINIT))
		return init_block_bitmap(h, sp, g);
	err = group_load_block_bitmap(sp, g);
	return err ? err : buf_write_access(h, g->bbuf);
}

static int init_inode_bitmap(struct handle *h, struct space *sp, struct group *g)
{
	struct buf_ctx ctx = bitmap_ctx(sp, g);
	u32 used = sp->inodes_per_group;
	struct buf *b;
	int err;

	err = buf_create(h, sp->v->bcache, g->inode_bitmap, &inode_bitmap_buf_type, &ctx, &b);
	if (err)
		return err;
	bits_set(b->data, used, sp->sb->block_size * 8 - used);
	buf_put(g->ibuf);
	g->ibuf = b;
	g->inodes_from = 0;
	group_loaded_locked(sp, g);
	clear_flag(sp, g, EXT4_BG_INODE_UNINIT);
	return group_dirty_inodes(h, sp, g);
}

int group_write_inodes(struct handle *h, struct space *sp, struct group *g)
{
	int err;

	if (group_is(g, GROUP_BAD_INODES))
		return ERR(EUCLEAN);
	err = buf_write_access(h, group_desc_buf(sp, g));
	if (err)
		return err;
	if (group_uninit(sp, g, EXT4_BG_INODE_UNINIT))
		return init_inode_bitmap(h, sp, g);
	err = group_load_inode_bitmap(sp, g);
	return err ? err : buf_write_access(h, g->ibuf);
}

/* AL-1: what is about to be handed out must be free on disk and no metadata. */
int group_set_blocks(struct handle *h, struct space *sp, struct group *g, u32 start, u32 len)
{
	struct ext4_group_desc *d = group_desc(sp, g);
	pblk_t pblk = group_first_block(sp, g->idx.nr) + start;

	ASSERT(os_mutex_held(&g->lock));
	if (bits_next_one(g->bbuf->data, start, start + len) != start + len)
		return group_bad_locked(sp, g, GROUP_BAD_BLOCKS, -EUCLEAN, "block already in use");
	if (zone_hits(sp, pblk, len, 0))
		return group_bad_locked(
			sp, g, GROUP_BAD_BLOCKS, -EUCLEAN, "metadata block marked free");
	bits_set(g->bbuf->data, start, len);
	group_desc_set_free_clusters(sp->sb, d, g->free_blocks - len);
	counter_add(&sp->free_blocks, -(s64)len);
	return group_dirty_blocks(h, sp, g);
}

/* AL-21: a bit that is clear already makes the group unusable; nothing is counted twice. */
int group_check_used(struct space *sp, struct group *g, u32 start, u32 len)
{
	ASSERT(os_mutex_held(&g->lock));
	if (bits_weight(g->bbuf->data, start, len) != len)
		return group_bad_locked(sp, g, GROUP_BAD_BLOCKS, -EUCLEAN, "block freed twice");
	return 0;
}

int group_clear_blocks(struct handle *h, struct space *sp, struct group *g, u32 start, u32 len)
{
	struct ext4_group_desc *d = group_desc(sp, g);

	ASSERT(os_mutex_held(&g->lock) && bits_weight(g->bbuf->data, start, len) == len);
	bits_clear(g->bbuf->data, start, len);
	group_desc_set_free_clusters(sp->sb, d, g->free_blocks + len);
	return group_dirty_blocks(h, sp, g);
}
