/*
 * HD-5, HD-10, IO-11: every clause about extent nodes, each broken alone and with a good checksum,
 * is found before use, reported, and leads to no write.
 */
#include "map_test.h"

#include "disk/extent.h"
#include "map/extent_tree.h"
#include "map/indirect.h"

enum { COUNT = 400 };

struct victim {
	struct tmap t;
	pblk_t leaf, index, other_leaf; /* of a tree of depth 2 */
	lblk_t key;			/* first block of the leaf */
	u8 good[1024];
};

static void victim_open(struct victim *x)
{
	struct extent_path path;
	struct mapping m;
	u32 i;

	tmap_open(&x->t, 16 << 20, "-b 1024 -N 64", true, FIXTURE_MEMORY | FIXTURE_QUIET);
	for (i = 0; i < COUNT; i++)
		assert_int_equal(tmap_create(&x->t, 4 * i, 1, 0, &m), 0);
	assert_int_equal(tmap_depth(&x->t), 2);
	os_rwsem_lock_shared(&x->t.fm.lock);
	assert_int_equal(extent_walk(&x->t.fm, 0, &path), 0);
	x->other_leaf = extent_leaf(&path)->buf->pblk;
	x->key = (lblk_t)path.end;
	extent_release(&path);
	assert_int_equal(extent_walk(&x->t.fm, x->key, &path), 0);
	x->leaf = extent_leaf(&path)->buf->pblk;
	x->index = path.step[1].buf->pblk;
	assert_int_equal(path.step[1].pos, 1);
	extent_release(&path);
	os_rwsem_unlock_shared(&x->t.fm.lock);
	assert_int_equal(journal_flush(x->t.f.v.journal), 0);
	assert_int_equal(journal_write_dirty(x->t.f.v.journal), 0);
}

static void forget_caches(struct victim *x)
{
	bcache_invalidate(x->t.f.v.bcache, x->leaf, 1);
	bcache_invalidate(x->t.f.v.bcache, x->index, 1);
	map_shrink(&x->t.f.v, 0);
}

static u8 *begin(struct victim *x, pblk_t pblk, u8 *bad)
{
	assert_int_equal(dev_read(x->t.f.v.dev, pblk * 1024, x->good, 1024), 0);
	memcpy(bad, x->good, 1024);
	return bad;
}

/* The damaged block is refused by lookups and changes alike; then the good one is back. */
static void expect_refused(struct victim *x, pblk_t pblk, u8 *bad, bool reseal, int want)
{
	struct mapping m;
	s64 blocks = x->t.blocks;

	if (reseal)
		extent_csum_set(&x->t.f.v.sb, x->t.fm.csum_seed, bad);
	assert_memory_not_equal(bad, x->good, 1024);
	assert_int_equal(dev_write(x->t.f.v.dev, pblk * 1024, bad, 1024, 0), 0);
	forget_caches(x);
	assert_int_equal(map_lookup(&x->t.fm, x->key, 1, &m), want);
	assert_int_equal(tmap_remove(&x->t, x->key, x->key + 1), want);
	assert_int_equal(map_verify_all(&x->t.fm), want);
	assert_int_equal(x->t.blocks, blocks);
	fixture_commit(&x->t.f);
	assert_int_equal(dev_write(x->t.f.v.dev, pblk * 1024, x->good, 1024, 0), 0);
	forget_caches(x);
	assert_int_equal(map_lookup(&x->t.fm, x->key, 1, &m), 0);
}

static struct ext4_extent_header *header(u8 *block)
{
	return (struct ext4_extent_header *)block;
}

static struct ext4_extent *extent_at(u8 *block, u32 i)
{
	return (struct ext4_extent *)(block + 12 + 12 * i);
}

static struct ext4_extent_idx *index_at(u8 *block, u32 i)
{
	return (struct ext4_extent_idx *)(block + 12 + 12 * i);
}

#define LEAF(x, bad, change)                                                                       \
	do {                                                                                       \
		begin(x, (x)->leaf, bad);                                                          \
		change;                                                                            \
		expect_refused(x, (x)->leaf, bad, true, -EUCLEAN);                                 \
	} while (0)

#define INDEX(x, bad, change)                                                                      \
	do {                                                                                       \
		begin(x, (x)->index, bad);                                                         \
		change;                                                                            \
		expect_refused(x, (x)->index, bad, true, -EUCLEAN);                                \
	} while (0)

static void close_victim(struct victim *x)
{
	x->t.f.errors = 0; /* they were planted */
	tmap_close(&x->t);
}

static void test_HD_5_leaf(void **state)
{
	struct victim x;
	u8 bad[1024];
	u32 last;

	victim_open(&x);
	begin(&x, x.leaf, bad);
	last = node_count(bad) - 1;
	LEAF(&x, bad, header(bad)->eh_magic = cpu_to_le16(0xf30b));
	LEAF(&x, bad, header(bad)->eh_depth = cpu_to_le16(1));
	LEAF(&x, bad, header(bad)->eh_depth = cpu_to_le16(6));
	LEAF(&x, bad, header(bad)->eh_max = cpu_to_le16((u16)last));
	LEAF(&x, bad, header(bad)->eh_entries = cpu_to_le16(85));
	LEAF(&x, bad, extent_at(bad, 0)->ee_block = cpu_to_le32(x.key + 1));
	LEAF(&x, bad, extent_at(bad, 0)->ee_block = cpu_to_le32(x.key - 1));
	LEAF(&x, bad, extent_at(bad, 2)->ee_block = extent_at(bad, 1)->ee_block);
	LEAF(&x, bad, extent_at(bad, 0)->ee_len = cpu_to_le16(5));
	LEAF(&x, bad, extent_at(bad, 0)->ee_len = cpu_to_le16(0));
	LEAF(&x, bad, extent_at(bad, last)->ee_len = cpu_to_le16(5));
	LEAF(&x, bad, extent_at(bad, last)->ee_block = cpu_to_le32(0xffffffff));
	LEAF(&x, bad, extent_at(bad, 0)->ee_start_lo = cpu_to_le32(16384));
	LEAF(&x, bad, extent_at(bad, 0)->ee_start_hi = cpu_to_le16(1));
	LEAF(&x, bad, extent_at(bad, 0)->ee_start_lo = cpu_to_le32(0));
	/* a block of the group descriptors: inside the device, but nobody's data */
	LEAF(&x, bad, extent_at(bad, 0)->ee_start_lo = cpu_to_le32(2));
	close_victim(&x);
}

/* max also says where the checksum stands: a wrong one must not lead outside the block. */
static void test_HD_5_max_outside_block(void **state)
{
	struct victim x;
	u8 bad[1024];

	victim_open(&x);
	begin(&x, x.leaf, bad);
	header(bad)->eh_max = cpu_to_le16(0xffff);
	expect_refused(&x, x.leaf, bad, false, -EBADMSG);
	begin(&x, x.leaf, bad);
	header(bad)->eh_max = cpu_to_le16(85);
	expect_refused(&x, x.leaf, bad, false, -EBADMSG);
	close_victim(&x);
}

static void test_HD_5_index(void **state)
{
	struct victim x;
	u8 bad[1024];

	victim_open(&x);
	INDEX(&x, bad, header(bad)->eh_magic = cpu_to_le16(0));
	INDEX(&x, bad, header(bad)->eh_entries = cpu_to_le16(0));
	INDEX(&x, bad, header(bad)->eh_depth = cpu_to_le16(0));
	INDEX(&x, bad, header(bad)->eh_depth = cpu_to_le16(2));
	INDEX(&x, bad, index_at(bad, 1)->ei_leaf_lo = cpu_to_le32(16384));
	INDEX(&x, bad, index_at(bad, 1)->ei_leaf_hi = cpu_to_le16(7));
	INDEX(&x, bad, index_at(bad, 1)->ei_leaf_lo = cpu_to_le32(2));
	INDEX(&x, bad, index_at(bad, 1)->ei_block = index_at(bad, 0)->ei_block);
	INDEX(&x, bad, index_at(bad, 1)->ei_block = cpu_to_le32(x.key - 1));
	/* its own ancestor; and a leaf that has two parents */
	INDEX(&x, bad, index_at(bad, 1)->ei_leaf_lo = cpu_to_le32((u32)x.index));
	INDEX(&x, bad, index_at(bad, 1)->ei_leaf_lo = cpu_to_le32((u32)x.other_leaf));
	close_victim(&x);
}

static void test_IO_11_checksum(void **state)
{
	struct victim x;
	u8 bad[1024];

	victim_open(&x);
	begin(&x, x.leaf, bad);
	bad[20] ^= 1;
	expect_refused(&x, x.leaf, bad, false, -EBADMSG);
	begin(&x, x.leaf, bad);
	bad[12 + 12 * 84] ^= 1;
	expect_refused(&x, x.leaf, bad, false, -EBADMSG);
	begin(&x, x.index, bad);
	bad[16] ^= 1;
	expect_refused(&x, x.index, bad, false, -EBADMSG);
	close_victim(&x);
}

static int init_with(struct tmap *t, const u8 root[60])
{
	struct filemap fm;
	int err = filemap_init(&fm, &t->f.v, t->fm.ops, 12, t->fm.csum_seed, root, true);

	if (!err)
		filemap_fini(&fm);
	return err;
}

static void test_HD_5_root(void **state)
{
	struct victim x;
	u8 root[60], good[60];

	victim_open(&x);
	memcpy(good, x.t.fm.root, 60);
	assert_int_equal(init_with(&x.t, good), 0);
	memset(root, 0, 60);
	assert_int_equal(init_with(&x.t, root), -EUCLEAN);
	memcpy(root, good, 60);
	header(root)->eh_depth = cpu_to_le16(6);
	assert_int_equal(init_with(&x.t, root), -EUCLEAN);
	memcpy(root, good, 60);
	header(root)->eh_max = cpu_to_le16(5);
	assert_int_equal(init_with(&x.t, root), -EUCLEAN);
	memcpy(root, good, 60);
	header(root)->eh_entries = cpu_to_le16(5);
	assert_int_equal(init_with(&x.t, root), -EUCLEAN);
	memcpy(root, good, 60);
	header(root)->eh_entries = cpu_to_le16(0);
	assert_int_equal(init_with(&x.t, root), -EUCLEAN);
	close_victim(&x);
}

/* A foreign leaf without entries does no harm, and goes with the range it stands in. */
static void empty_leaf(lblk_t from, s64 shift)
{
	struct victim x;
	u8 bad[1024];
	u32 lost;

	victim_open(&x);
	if (shift < 0)
		assert_int_equal(tmap_remove(&x.t, (lblk_t)(from + shift), from), 0);
	assert_int_equal(journal_flush(x.t.f.v.journal), 0);
	begin(&x, x.leaf, bad);
	lost = node_count(bad);
	header(bad)->eh_entries = cpu_to_le16(0);
	extent_csum_set(&x.t.f.v.sb, x.t.fm.csum_seed, bad);
	assert_int_equal(dev_write(x.t.f.v.dev, x.leaf * 1024, bad, 1024, 0), 0);
	forget_caches(&x);
	tmap_expect(&x.t, x.key, 4, MAP_HOLE);
	if (shift)
		assert_int_equal(tmap_shift(&x.t, from, shift), 0);
	assert_int_equal(map_verify_all(&x.t.fm), 0);
	assert_int_equal(tmap_remove(&x.t, 0, 0xffffffff), 0);
	assert_int_equal(x.t.blocks, lost); /* the data of the lost entries */
	filemap_fini(&x.t.fm);
	map_cache_destroy(&x.t.f.v);
	fixture_unmount(&x.t.f);
	fixture_remove(&x.t.f);
}

static void test_empty_leaf_is_removed(void **state)
{
	empty_leaf(0, 0);
	empty_leaf(8, 50);
	empty_leaf(332, -332); /* the leaf behind it gets its key */
}

/* Indirect tables have no checksum: each pointer is checked. */
static void test_HD_indirect(void **state)
{
	static const u32 wrong[] = {0xffffffff, 16384, 2, 1};
	struct tmap t;
	struct mapping m;
	struct le32 table[256], bad[256], *root = (struct le32 *)t.fm.root;
	pblk_t pblk, itable;
	u32 i;

	tmap_open(&t, 16 << 20, "-b 1024 -N 64", false, FIXTURE_MEMORY | FIXTURE_QUIET);
	assert_int_equal(tmap_create(&t, 20, 2, 0, &m), 0);
	assert_int_equal(journal_flush(t.f.v.journal), 0);
	pblk = le32_to_cpu(root[12]);
	assert_int_equal(dev_read(t.f.v.dev, pblk * 1024, table, 1024), 0);
	for (i = 0; i < array_len(wrong); i++) {
		memcpy(bad, table, 1024);
		bad[8] = cpu_to_le32(wrong[i]);
		assert_int_equal(dev_write(t.f.v.dev, pblk * 1024, bad, 1024, 0), 0);
		bcache_invalidate(t.f.v.bcache, pblk, 1);
		map_shrink(&t.f.v, 0);
		assert_int_equal(map_lookup(&t.fm, 20, 1, &m), -EUCLEAN);
		assert_int_equal(tmap_remove(&t, 20, 21), -EUCLEAN);
		fixture_commit(&t.f);
		assert_int_equal(dev_write(t.f.v.dev, pblk * 1024, table, 1024, 0), 0);
		bcache_invalidate(t.f.v.bcache, pblk, 1);
		root[12] = cpu_to_le32(wrong[i]);
		map_shrink(&t.f.v, 0);
		assert_int_equal(map_lookup(&t.fm, 20, 1, &m), -EUCLEAN);
		root[12] = cpu_to_le32((u32)pblk);
	}
	/* refused as a whole: another pointer than the wanted one */
	memcpy(bad, table, 1024);
	bad[100] = cpu_to_le32(0xffffffff);
	assert_int_equal(dev_write(t.f.v.dev, pblk * 1024, bad, 1024, 0), 0);
	bcache_invalidate(t.f.v.bcache, pblk, 1);
	map_shrink(&t.f.v, 0);
	assert_int_equal(map_lookup(&t.fm, 20, 1, &m), -EUCLEAN);
	assert_int_equal(dev_write(t.f.v.dev, pblk * 1024, table, 1024, 0), 0);
	bcache_invalidate(t.f.v.bcache, pblk, 1);
	/* an unused block of the inode table looks like a table of holes */
	assert_int_equal(space_inode_location(&t.f.v, 64, &itable, &i), 0);
	root[12] = cpu_to_le32((u32)itable);
	assert_int_equal(map_lookup(&t.fm, 20, 1, &m), -EUCLEAN);
	root[12] = cpu_to_le32((u32)pblk);
	tmap_expect(&t, 20, 2, MAP_WRITTEN);
	t.f.errors = 0;
	tmap_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_HD_5_leaf),
		cmocka_unit_test(test_HD_5_max_outside_block),
		cmocka_unit_test(test_HD_5_index),
		cmocka_unit_test(test_IO_11_checksum),
		cmocka_unit_test(test_HD_5_root),
		cmocka_unit_test(test_empty_leaf_is_removed),
		cmocka_unit_test(test_HD_indirect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
