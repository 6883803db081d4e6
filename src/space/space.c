/* Setting up and tearing down; totals. */
#include "space/space_priv.h"

#include "os/assert.h"
#include "os/mem.h"

enum { SCAN_CHUNK = 1 << 20 };

struct totals {
	u64 blocks, inodes;
	u32 bad;
};

static void space_init(struct space *sp, struct volume *v)
{
	const struct super_info *sb = &v->sb;
	u64 blocks = sb->blocks_count;

	sp->v = v;
	sp->sb = sb;
	sp->group_count = sb->group_count;
	sp->blocks_per_group = sb->blocks_per_group;
	sp->inodes_per_group = sb->inodes_per_group;
	sp->descs_per_block = sb->descs_per_block;
	sp->gdt_count = sb->gdt_blocks;
	sp->itable_blocks = sb->itable_blocks;
	sp->base_max = super_base_blocks_max(sb);
	sp->flex_log = super_has_flex_bg(sb) ? min_of((u32)sb->log_groups_per_flex, 7u) : 0;
	sp->has_csum = super_has_metadata_csum(sb) || super_has_gdt_csum(sb);
	sp->reserved_root = min_of(sb->r_blocks_count, blocks);
	sp->reserved_internal =
		super_has_extents(sb) ? min_of(blocks / 50, 4096ull) : 0; /* AL-17 */
	sp->overhead = space_overhead(sp);
	sp->lru_max = min_of(max_of((32u << 20) / (sb->block_size * 4), 64u), 1024u);
	os_mutex_init(&sp->gdt_lock, RANK_GROUP, "group descriptors");
	os_mutex_init(&sp->lru_lock, RANK_LEAF, "group lru");
	os_mutex_init(&sp->window_lock, RANK_LEAF, "windows");
	os_mutex_init(&sp->batch_lock, RANK_LEAF, "free batches");
	os_cond_init(&sp->batch_cond, "free batches");
	list_init(&sp->lru);
	list_init(&sp->windows);
	list_init(&sp->batches);
	list_init(&sp->spare_frees);
	zone_init(&sp->zone);
	index_init(&sp->index);
	recent_init(&sp->recent);
	counter_init(&sp->dirs, 0);
	for (u32 i = 0; i < SPACE_SHARDS; i++)
		prealloc_init(&sp->locality[i]);
}

/* Descriptors as they are on the device, many at a time: nothing is kept. */
static void sum_block(struct space *sp, u32 index, const u8 *data, struct totals *t)
{
	u64 nr = (u64)index * sp->descs_per_block;

	for (u32 i = 0; i < sp->descs_per_block && nr < sp->group_count; i++, nr++) {
		const void *d = data + (size_t)i * sp->sb->desc_size;

		if (!group_desc_verify(sp->sb, (group_nr)nr, d)) {
			t->bad++;
			continue;
		}
		t->blocks += (u64)group_desc_free_clusters(sp->sb, d) * sp->sb->blocks_per_cluster;
		t->inodes += group_desc_free_inodes(sp->sb, d);
	}
}

/* How many descriptor blocks from index on lie side by side, at most max. */
static u32 contiguous(const struct space *sp, u32 index, u32 max)
{
	pblk_t first = super_gdt_block(sp->sb, index);
	u32 n = 1;

	while (n < max && index + n < sp->gdt_count &&
		super_gdt_block(sp->sb, index + n) == first + n)
		n++;
	return n;
}

static int sum_device(struct space *sp, struct totals *t)
{
	u32 bs = sp->sb->block_size, max = min_of((u32)SCAN_CHUNK / bs, sp->gdt_count), n;
	u8 *data = os_alloc_pages((size_t)max * bs);
	int err = 0;

	if (!data)
		return ERR(ENOMEM);
	for (u32 index = 0; index < sp->gdt_count && !err; index += n) {
		n = contiguous(sp, index, max);
		err = dev_read(
			sp->v->dev, super_gdt_block(sp->sb, index) * bs, data, (size_t)n * bs);
		for (u32 i = 0; i < n && !err; i++)
			sum_block(sp, index + i, data + (size_t)i * bs, t);
	}
	os_free_pages(data, (size_t)max * bs);
	return err;
}

static int sum_loaded(struct space *sp, struct totals *t)
{
	struct gdt_block *gb;
	int err;

	buf_readahead(sp->v->bcache, super_gdt_block(sp->sb, 0), contiguous(sp, 0, sp->gdt_count));
	for (u32 index = 0; index < sp->gdt_count; index++) {
		err = gdt_load(sp, index, &gb);
		if (err)
			return err;
		for (u32 i = 0; i < gb->count; i++) {
			t->blocks += gb->groups[i].free_blocks;
			t->inodes += gb->groups[i].free_inodes;
		}
	}
	return 0;
}

static bool super_counts(struct space *sp, struct totals *t)
{
	t->blocks = sp->sb->free_blocks_hint;
	t->inodes = sp->sb->free_inodes_hint;
	return t->blocks <= sp->sb->blocks_count && t->inodes <= sp->sb->inodes_count;
}

static int count_free(struct space *sp, bool trust)
{
	struct totals t = {0, 0, 0};
	int err = 0;

	if (sp->group_count <= SPACE_EAGER_GROUPS)
		err = sum_loaded(sp, &t);
	else if (!trust || !super_counts(sp, &t)) {
		t = (struct totals){0, 0, 0};
		err = sum_device(sp, &t);
	}
	if (err)
		return err;
	sp->bad_descs = max_of(sp->bad_descs, t.bad);
	counter_init(&sp->free_blocks, (s64)t.blocks);
	counter_init(&sp->avail, (s64)t.blocks);
	counter_init(&sp->free_inodes, (s64)t.inodes);
	return 0;
}

int space_create(struct volume *v, bool trust_super_counts)
{
	struct space *sp;
	int err;

	sp = os_zalloc(sizeof(*sp));
	if (!sp)
		return ERR(ENOMEM);
	space_init(sp, v);
	v->space = sp;
	counter_init(&sp->free_blocks, 0);
	counter_init(&sp->avail, 0);
	counter_init(&sp->free_inodes, 0);
	sp->gdt = os_calloc(sp->gdt_count, sizeof(sp->gdt[0]));
	err = sp->gdt ? batches_init(sp) : ERR(ENOMEM);
	if (!err)
		err = count_free(sp, trust_super_counts);
	if (!err && v->flags & VOLUME_DISCARD)
		err = os_workqueue_create(&sp->discards, "discard", 1);
	if (err)
		space_destroy(v);
	return err;
}

int space_check_writable(struct volume *v)
{
	struct space *sp = v->space;
	u32 bad;

	os_mutex_lock_nested(&sp->gdt_lock, ORDER_GDT);
	bad = sp->bad_descs;
	os_mutex_unlock(&sp->gdt_lock);
	return bad ? volume_error(v, ERR(EUCLEAN), 0, 0,
			     "%u bad group descriptors; run e2fsck or mount read-only", bad)
		   : 0;
}

void space_destroy(struct volume *v)
{
	struct space *sp = v->space;

	if (!sp)
		return;
	if (sp->discards)
		os_workqueue_destroy(sp->discards);
	if (sp->gdt) {
		windows_reclaim(sp, 0);
		batches_destroy(sp);
		group_drop_all(sp);
	}
	recent_fini(&sp->recent);
	zone_fini(&sp->zone);
	os_free(sp->gdt);
	os_free(sp);
	v->space = NULL;
}

static u64 positive(s64 n)
{
	return n > 0 ? (u64)n : 0;
}

void space_counts(struct volume *v, struct space_counts *out)
{
	struct space *sp = v->space;
	s64 free = counter_sum(&sp->free_blocks), avail = counter_sum(&sp->avail);

	*out = (struct space_counts){.blocks = sp->sb->blocks_count,
		.free_blocks = positive(free),
		.reserved_root = sp->reserved_root,
		.reserved_internal = sp->reserved_internal,
		.claimed = positive(free - avail),
		.inodes = sp->sb->inodes_count,
		.free_inodes = positive(counter_sum(&sp->free_inodes)),
		.overhead = sp->overhead,
		.dirs = positive(counter_sum(&sp->dirs))};
}

void space_store_counts(struct volume *v)
{
	struct space *sp = v->space;
	struct ext4_super *s = volume_super(v);
	u64 blocks = positive(counter_sum(&sp->free_blocks));

	ASSERT(os_mutex_held(&v->super_lock));
	s->s_free_blocks_count_lo = cpu_to_le32((u32)blocks);
	if (super_has_64bit(sp->sb))
		s->s_free_blocks_count_hi = cpu_to_le32((u32)(blocks >> 32));
	s->s_free_inodes_count = cpu_to_le32((u32)positive(counter_sum(&sp->free_inodes)));
}
