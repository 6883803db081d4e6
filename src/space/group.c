/* Descriptor blocks and group objects: loading, checking, locking, eviction. */
#include "space/space_priv.h"

#include "os/assert.h"
#include "os/atomic.h"
#include "os/mem.h"

void group_lock(struct group *g)
{
	os_mutex_lock_nested(&g->lock, ORDER_GROUP);
	atomic_store_relaxed(&g->hot, true);
}

bool group_trylock(struct group *g)
{
	if (!os_mutex_trylock(&g->lock))
		return false;
	atomic_store_relaxed(&g->hot, true);
	return true;
}

bool group_is(const struct group *g, u32 flags)
{
	return (atomic_load_relaxed(&g->flags) & flags) != 0;
}

struct group *group_peek(const struct space *sp, group_nr nr)
{
	struct gdt_block *gb = atomic_load_acq(&sp->gdt[nr / sp->descs_per_block]);

	return gb ? &gb->groups[nr % sp->descs_per_block] : NULL;
}

int group_find(struct space *sp, group_nr nr, struct group **out)
{
	struct gdt_block *gb;
	int err;

	if (nr >= sp->group_count)
		return ERR(EUCLEAN);
	err = gdt_load_flex(sp, nr); /* what other groups keep in this one must be known */
	if (!err)
		err = gdt_load(sp, nr / sp->descs_per_block, &gb);
	if (err)
		return err;
	*out = &gb->groups[nr % sp->descs_per_block];
	return group_is(*out, GROUP_BAD_DESC) ? ERR(EUCLEAN) : 0;
}

struct buf *group_desc_buf(const struct space *sp, const struct group *g)
{
	return atomic_load_relaxed(&sp->gdt[g->idx.nr / sp->descs_per_block])->buf;
}

struct ext4_group_desc *group_desc(const struct space *sp, const struct group *g)
{
	u32 slot = g->idx.nr % sp->descs_per_block;

	return (void *)(group_desc_buf(sp, g)->data + (size_t)slot * sp->sb->desc_size);
}

bool group_uninit(const struct space *sp, const struct group *g, u16 flag)
{
	return sp->has_csum && (group_desc_flags(group_desc(sp, g)) & flag);
}

void group_index_locked(struct space *sp, struct group *g)
{
	u32 have = g->free_blocks - min_of(g->pending_blocks, g->free_blocks);
	int order;

	ASSERT(os_mutex_held(&g->lock));
	if (group_is(g, GROUP_BAD_BLOCKS) || !have) {
		index_place(&sp->index, &g->idx, INDEX_NONE, 0, 0);
	} else if (!g->buddy) {
		index_place(&sp->index, &g->idx, INDEX_UNREAD, log2_floor(have), 0);
	} else {
		order = buddy_largest_order(g->buddy);
		index_place(&sp->index, &g->idx, order < 0 ? INDEX_NONE : INDEX_EXACT,
			order < 0 ? 0 : (u32)order, log2_floor(buddy_average_fragment(g->buddy)));
	}
}

void group_desc_changed(struct space *sp, struct group *g)
{
	struct ext4_group_desc *d = group_desc(sp, g);

	group_desc_seal(sp->sb, g->idx.nr, d);
	atomic_store_relaxed(&g->free_blocks, group_desc_free_clusters(sp->sb, d));
	atomic_store_relaxed(&g->free_inodes, group_desc_free_inodes(sp->sb, d));
	atomic_store_relaxed(&g->dirs, group_desc_used_dirs(sp->sb, d));
}

int group_bad_locked(struct space *sp, struct group *g, u32 flags, int err, const char *why)
{
	u32 before = atomic_or(&g->flags, flags);
	u32 fresh = flags & ~before;
	pblk_t pblk = flags & GROUP_BAD_BLOCKS ? g->block_bitmap : g->inode_bitmap;

	if (fresh & GROUP_BAD_BLOCKS) {
		counter_add(&sp->free_blocks, -(s64)g->free_blocks);
		counter_add(&sp->avail, -(s64)g->free_blocks);
		group_index_locked(sp, g);
	}
	if (fresh & GROUP_BAD_INODES)
		counter_add(&sp->free_inodes, -(s64)g->free_inodes);
	return volume_error(sp->v, err, 0, pblk, "group %u: %s; run e2fsck", g->idx.nr, why);
}

static bool lru_pop_cold(struct space *sp, struct group **out)
{
	struct group *g = NULL;

	os_mutex_lock(&sp->lru_lock);
	for (unsigned tries = 0; sp->lru_count > sp->lru_max && tries < 64; tries++) {
		g = list_first(&sp->lru, struct group, lru);
		list_del(&g->lru);
		if (!atomic_xchg(&g->hot, false)) {
			atomic_store_relaxed(&sp->lru_count, sp->lru_count - 1);
			break;
		}
		list_add_tail(&sp->lru, &g->lru);
		g = NULL;
	}
	os_mutex_unlock(&sp->lru_lock);
	*out = g;
	return g != NULL;
}

void group_loaded_locked(struct space *sp, struct group *g)
{
	os_mutex_lock(&sp->lru_lock);
	if (list_empty(&g->lru)) {
		list_add_tail(&sp->lru, &g->lru);
		atomic_store_relaxed(&sp->lru_count, sp->lru_count + 1);
	}
	os_mutex_unlock(&sp->lru_lock);
}

static void drop_loaded(struct group *g)
{
	buddy_destroy(g->buddy);
	buf_put(g->bbuf);
	buf_put(g->ibuf);
	g->buddy = NULL;
	g->bbuf = g->ibuf = NULL;
}

void group_unlock(struct space *sp, struct group *g)
{
	os_mutex_unlock(&g->lock);
	if (likely(atomic_load_relaxed(&sp->lru_count) <= sp->lru_max) || !lru_pop_cold(sp, &g))
		return;
	os_mutex_lock_nested(&g->lock, ORDER_GROUP);
	if (g->windows)
		group_loaded_locked(sp, g); /* only the buddy knows its windows: stays */
	else
		drop_loaded(g);
	os_mutex_unlock(&g->lock);
}

/* NULL if the range is a place for what a descriptor names. */
static const char *place_check(struct space *sp, group_nr nr, pblk_t at, u32 len)
{
	if (!range_in_device(sp, at, len) || range_meets_copies(sp, at, len))
		return "bitmap or inode table in an impossible place";
	if (!super_has_flex_bg(sp->sb) &&
		(block_group(sp, at) != nr || block_group(sp, at + len - 1) != nr))
		return "bitmap or inode table outside its group";
	return NULL;
}

static const char *places_check(struct space *sp, const struct group *g)
{
	const pblk_t at[3] = {g->block_bitmap, g->inode_bitmap, g->inode_table};
	const u32 len[3] = {1, 1, sp->itable_blocks};

	for (int i = 0; i < 3; i++) {
		const char *why = place_check(sp, g->idx.nr, at[i], len[i]);

		if (why)
			return why;
		if (zone_overlaps(&sp->zone, at[i], len[i], 0))
			return "bitmap or inode table overlaps another one";
		for (int j = 0; j < i; j++)
			if (at[i] < at[j] + len[j] && at[j] < at[i] + len[i])
				return "bitmap and inode table overlap";
	}
	return NULL;
}

/* The flag and count of unused inodes must fit the rest: believed, they give inodes away (AL-7). */
static const char *unused_check(struct space *sp, group_nr nr, const struct ext4_group_desc *d)
{
	u32 free = group_desc_free_inodes(sp->sb, d);

	if (!sp->has_csum)
		return NULL;
	if (group_desc_itable_unused(sp->sb, d) > free)
		return "impossible count of unused inodes";
	if (group_desc_flags(d) & EXT4_BG_INODE_UNINIT && (nr == 0 || free < sp->inodes_per_group))
		return "a group said to be without inodes has some";
	return NULL;
}

/* HD-2. Returns NULL if the descriptor makes sense. */
static const char *desc_check(struct space *sp, struct group *g, const struct ext4_group_desc *d)
{
	const char *why;

	if (!group_desc_verify(sp->sb, g->idx.nr, d))
		return "bad descriptor checksum";
	why = places_check(sp, g);
	if (why)
		return why;
	if (group_desc_free_clusters(sp->sb, d) > group_blocks(sp, g->idx.nr) ||
		group_desc_free_inodes(sp->sb, d) > sp->inodes_per_group ||
		group_desc_used_dirs(sp->sb, d) > sp->inodes_per_group)
		return "impossible counts";
	return unused_check(sp, g->idx.nr, d);
}

/*
 * HD-2: a group with a bad descriptor is neither allocated from nor freed into. Its inodes can be
 * read on a read-only volume if the table lies in a possible place: each has checks of its own,
 * and rescue needs them. Nobody writes into a table that may be another's.
 */
static void desc_bad(struct space *sp, struct group *g, const char *why)
{
	bool writable = !(atomic_load_relaxed(&sp->v->flags) & VOLUME_READ_ONLY);

	g->flags = GROUP_BAD_BLOCKS | GROUP_BAD_INODES;
	if (writable || place_check(sp, g->idx.nr, g->inode_table, sp->itable_blocks))
		g->flags |= GROUP_BAD_DESC;
	sp->bad_descs++;
	volume_error(sp->v, -EUCLEAN, 0, 0, "group %u: %s; run e2fsck", g->idx.nr, why);
}

/* Its places have been checked: they meet nothing. */
static void zone_add_group(struct space *sp, const struct group *g, struct zone_spares *s)
{
	int err = zone_add(&sp->zone, s, g->block_bitmap, 1, 0);

	if (!err)
		err = zone_add(&sp->zone, s, g->inode_bitmap, 1, 0);
	if (!err)
		err = zone_add(&sp->zone, s, g->inode_table, sp->itable_blocks, 0);
	ASSERT(!err);
}

/* Can't fail: what it has entered in zone and counters no one could take back. */
static void group_init(struct space *sp, struct group *g, group_nr nr, const void *desc,
	struct zone_spares *spares)
{
	const struct ext4_group_desc *d = desc;
	const char *why;

	os_mutex_init(&g->lock, RANK_GROUP, "group");
	list_init(&g->pending);
	list_init(&g->lru);
	g->idx.nr = nr;
	g->block_bitmap = group_desc_block_bitmap(sp->sb, d);
	g->inode_bitmap = group_desc_inode_bitmap(sp->sb, d);
	g->inode_table = group_desc_inode_table(sp->sb, d);
	why = desc_check(sp, g, d);
	if (why) {
		desc_bad(sp, g, why);
		return;
	}
	zone_add_group(sp, g, spares);
	g->free_blocks = group_desc_free_clusters(sp->sb, d);
	g->free_inodes = group_desc_free_inodes(sp->sb, d);
	g->dirs = group_desc_used_dirs(sp->sb, d);
	counter_add(&sp->dirs, g->dirs);
	os_mutex_lock_nested(&g->lock, ORDER_GROUP);
	group_index_locked(sp, g);
	os_mutex_unlock(&g->lock);
}

static void gdt_block_destroy(struct gdt_block *gb, struct space *sp)
{
	for (u32 i = 0; i < gb->count; i++) {
		drop_loaded(&gb->groups[i]);
		index_place(&sp->index, &gb->groups[i].idx, INDEX_NONE, 0, 0);
		os_mutex_fini(&gb->groups[i].lock);
	}
	buf_put(gb->buf);
	os_free(gb);
}

static int gdt_load_locked(struct space *sp, u32 index)
{
	group_nr first = index * sp->descs_per_block;
	u32 count = min_of(sp->descs_per_block, sp->group_count - first);
	struct buf_ctx ctx = {.csum_seed = sp->sb->csum_seed, .arg = index};
	struct gdt_block *gb = os_zalloc(sizeof(*gb) + count * sizeof(gb->groups[0]));
	struct zone_spares spares = {NULL};
	int err;

	if (!gb)
		return ERR(ENOMEM);
	err = buf_read(
		sp->v->bcache, super_gdt_block(sp->sb, index), &gdt_buf_type, &ctx, &gb->buf);
	if (!err)
		err = zone_reserve(&spares, 3 * count);
	for (; !err && gb->count < count; gb->count++)
		group_init(sp, &gb->groups[gb->count], first + gb->count,
			gb->buf->data + (size_t)gb->count * sp->sb->desc_size, &spares);
	zone_spares_free(&spares);
	if (err) {
		gdt_block_destroy(gb, sp);
		return err;
	}
	atomic_store_rel(&sp->gdt[index], gb);
	atomic_store_rel(&sp->gdt_loaded, sp->gdt_loaded + 1);
	return 0;
}

int gdt_load(struct space *sp, u32 index, struct gdt_block **out)
{
	int err = 0;

	*out = atomic_load_acq(&sp->gdt[index]);
	if (likely(*out != NULL))
		return 0;
	os_mutex_lock_nested(&sp->gdt_lock, ORDER_GDT);
	if (!sp->gdt[index])
		err = gdt_load_locked(sp, index);
	*out = sp->gdt[index];
	os_mutex_unlock(&sp->gdt_lock);
	return err;
}

bool gdt_load_next(struct space *sp, group_nr nr)
{
	u32 first = nr / sp->descs_per_block;
	struct gdt_block *gb;

	if (atomic_load_acq(&sp->gdt_loaded) == sp->gdt_count)
		return false;
	for (u32 i = 0; i < sp->gdt_count; i++) {
		u32 index = (u32)(((u64)first + i) % sp->gdt_count);

		if (!atomic_load_acq(&sp->gdt[index]) && gdt_load(sp, index, &gb) == 0)
			return true;
	}
	return false;
}

void group_drop_all(struct space *sp)
{
	for (u32 i = 0; i < sp->gdt_count; i++)
		if (sp->gdt[i])
			gdt_block_destroy(sp->gdt[i], sp);
}
