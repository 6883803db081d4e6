/* Damaged indexes with good checksums (DR-7, DR-12): names are still found, nothing is entered. */
#include "dir/hostile.h"

#include "base/util.h"

static struct ext4_dx_root *root_of(u8 *b)
{
	return (struct ext4_dx_root *)b;
}

static struct ext4_dx_entry *entries_of(u8 *b)
{
	return dx_entries(b, EXT4_DX_ROOT_COUNT_OFFSET);
}

static void hash_order(u8 *b)
{
	entries_of(b)[2].hash = cpu_to_le32(2);
}

static void count_zero(u8 *b)
{
	root_of(b)->countlimit.count = cpu_to_le16(0);
}

static void block_outside(u8 *b)
{
	for (u32 k = 0; k < le16_to_cpu(root_of(b)->countlimit.count); k++)
		entries_of(b)[k].block = cpu_to_le32(5000);
}

static void block_zero(u8 *b)
{
	entries_of(b)[1].block = cpu_to_le32(0);
}

static void levels(u8 *b)
{
	root_of(b)->info.indirect_levels = 2;
}

static void levels_without_nodes(u8 *b)
{
	root_of(b)->info.indirect_levels = 1;
}

static void version(u8 *b)
{
	root_of(b)->info.hash_version = 3;
}

static void info_length(u8 *b)
{
	root_of(b)->info.info_length = 12;
}

static void flags(u8 *b)
{
	root_of(b)->info.unused_flags = 1;
}

static void dot(u8 *b)
{
	root_of(b)->dot_name[0] = 'x';
}

static void dotdot_len(u8 *b)
{
	root_of(b)->dotdot_rec_len = cpu_to_le16(24);
}

static const struct plan index_plans[] = {
	{"order of hashes", hash_order, 0},
	{"no entry", count_zero, 0},
	{"block outside", block_outside, 0},
	{"block 0", block_zero, 0},
	{"three levels", levels, 0},
	{"nodes that are leaves", levels_without_nodes, -EUCLEAN},
	{"hash version", version, 0},
	{"length of info", info_length, 0},
	{"flags", flags, 0},
	{"no dot", dot, 0},
	{"no dotdot", dotdot_len, 0},
};

/* DR-12: names are still found one by one; with checksums nothing may be entered. */
static void test_DR_12_bad_index(void **state)
{
	struct hostile *h = calloc(1, sizeof(*h));

	hostile_make(h, "-b 1024");
	hostile_choose(h, "d", 0);
	for (u32 k = 0; k < array_len(index_plans); k++) {
		struct uext4_inode *d;
		u8 block[BS];

		memcpy(block, h->block, BS);
		index_plans[k].damage(block);
		dx_csum_set(&h->sb, h->seed, block, EXT4_DX_ROOT_COUNT_OFFSET);
		fixture_poke(&h->t.f, h->offset, block, BS);
		dt_up(&h->t);
		d = dt_get(&h->t, "d");
		if (index_plans[k].want == 0)
			hostile_lookup_all(d, 0);
		assert_int_equal(dt_create(d, "new", S_IFREG, NULL), -EUCLEAN);
		assert_int_equal(uext4_readdir(d, NULL, 0, give_all, NULL), -EUCLEAN);
		uext4_inode_put(d);
		assert_int_equal(uext4_rmdir(h->t.root, NULL, "d"), -ENOTEMPTY);
		assert_true(h->t.errors > 0);
		hostile_down(h, block);
	}
	fixture_remove(&h->t.f);
	free(h);
}

/* DR-12: without checksums the index is given up. */
static void test_DR_12_goes_linear(void **state)
{
	struct hostile *h = calloc(1, sizeof(*h));
	struct uext4_inode *d;

	hostile_make(h, "-b 1024 -O ^metadata_csum,^64bit");
	hostile_choose(h, "d", 0);
	root_of(h->block)->info.hash_version = 3;
	fixture_poke(&h->t.f, h->offset, h->block, BS);
	dt_up(&h->t);
	d = dt_get(&h->t, "d");
	hostile_lookup_all(d, 0);
	assert_int_equal(dt_create(d, "new", S_IFREG, NULL), 0);
	assert_false(to_inode(d)->f.flags & EXT4_INDEX_FL);
	hostile_lookup_all(d, 0);
	assert_int_equal(dt_lookup(d, "new", NULL), 0);
	uext4_inode_put(d);
	dt_down(&h->t);
	free(fixture_run(&h->t.f, "debugfs -w -R 'ssv state 1' %s"));
	h->t.expect_errors = false;
	dt_up(&h->t);
	dt_end(&h->t);
	free(h);
}

/* DR-7: every entry names the same leaf, and says that the one before goes on in it. */
static void test_DR_7_leaf_named_twice(void **state)
{
	struct hostile *h = calloc(1, sizeof(*h));
	struct ext4_dx_countlimit *cl;
	struct uext4_inode *d;

	hostile_make(h, "-b 1024");
	hostile_choose(h, "d", 0);
	cl = &root_of(h->block)->countlimit;
	cl->count = cl->limit;
	for (u32 k = 1; k < le16_to_cpu(cl->limit); k++)
		entries_of(h->block)[k] =
			(struct ext4_dx_entry){cpu_to_le32(1), entries_of(h->block)[0].block};
	dx_csum_set(&h->sb, h->seed, h->block, EXT4_DX_ROOT_COUNT_OFFSET);
	fixture_poke(&h->t.f, h->offset, h->block, BS);
	dt_up(&h->t);
	d = dt_get(&h->t, "d");
	assert_int_equal(uext4_readdir(d, NULL, 0, give_all, NULL), -EUCLEAN);
	uext4_inode_put(d);
	assert_int_equal(uext4_rmdir(h->t.root, NULL, "d"), -ENOTEMPTY);
	hostile_down(h, h->block);
	fixture_remove(&h->t.f);
	free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_DR_12_bad_index),
		cmocka_unit_test(test_DR_12_goes_linear),
		cmocka_unit_test(test_DR_7_leaf_named_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
