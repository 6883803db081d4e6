/* Extent nodes: every clause of the check, the checksum, entries both ways. */
#include "image.h"

#include "base/err.h"
#include "base/rng.h"
#include "base/util.h"

static const struct super_info sb = {
	.block_size = 1024,
	.block_bits = 10,
	.first_data_block = 1,
	.blocks_count = 1ull << 33,
	.feature_ro_compat = EXT4_FEATURE_RO_COMPAT_METADATA_CSUM,
};

struct node {
	struct ext4_extent_header h;
	u8 rest[1024 - sizeof(struct ext4_extent_header)];
};

static void make_leaf(struct node *n, u32 count)
{
	memset(n, 0, sizeof(*n));
	extent_node_init(n, sb.block_size, 0);
	n->h.eh_entries = cpu_to_le16((u16)count);
	for (u32 i = 0; i < count; i++)
		extent_leaf_set(
			n, i, &(struct extent_entry){100 + i * 10, 10, 5000 + i * 100, i % 2});
}

static void make_index(struct node *n, u32 count)
{
	make_leaf(n, count);
	n->h.eh_depth = cpu_to_le16(1);
	for (u32 i = 0; i < count; i++)
		extent_index_set(n, i, 100 + i * 10, 5000 + i);
}

static const struct extent_bounds wide = {.first = 100, .end = (u64)LBLK_MAX + 1};

static int verify(const struct node *n, int depth)
{
	const char *why = NULL;
	int err = extent_node_verify(&sb, n, sb.block_size, depth, &wide, &why);

	assert_true(err == 0 || (err == -EUCLEAN && why && *why));
	return err;
}

static void test_entries_both_ways(void **state)
{
	const struct extent_entry cases[] = {{0, 1, 2, false},
		{LBLK_MAX, 1, (1ull << 48) - 1, true}, {7, 32768, 1ull << 33, false},
		{7, 32767, 12345, true}, {7, 32767, 12345, false}};
	struct node n;
	lblk_t lblk;
	pblk_t pblk;

	for (u32 i = 0; i < array_len(cases); i++) {
		struct extent_entry e;

		extent_leaf_set(&n, 3, &cases[i]);
		e = extent_leaf_get(&n, 3);
		assert_int_equal(e.lblk, cases[i].lblk);
		assert_int_equal(e.len, cases[i].len);
		assert_int_equal(e.pblk, cases[i].pblk);
		assert_int_equal(e.unwritten, cases[i].unwritten);
		extent_index_set(&n, 2, cases[i].lblk, cases[i].pblk);
		extent_index_get(&n, 2, &lblk, &pblk);
		assert_int_equal(lblk, cases[i].lblk);
		assert_int_equal(pblk, cases[i].pblk);
	}
	assert_int_equal(extent_capacity(60), 4);
	assert_int_equal(extent_capacity(4096), 340);
	assert_int_equal(extent_capacity(65536), 5460);
}

static void test_HD_5_header(void **state)
{
	struct node n;

	make_leaf(&n, 84);
	assert_int_equal(verify(&n, 0), 0);
	assert_int_equal(verify(&n, EXTENT_DEPTH_ANY), 0);
	assert_int_equal(verify(&n, 1), -EUCLEAN);
	make_leaf(&n, 0);
	assert_int_equal(verify(&n, 0), 0);
	n.h.eh_magic = cpu_to_le16(0xf30b);
	assert_int_equal(verify(&n, 0), -EUCLEAN);
	make_leaf(&n, 3);
	n.h.eh_max = cpu_to_le16(85);
	assert_int_equal(verify(&n, 0), -EUCLEAN);
	n.h.eh_max = cpu_to_le16(0);
	n.h.eh_entries = cpu_to_le16(0);
	assert_int_equal(verify(&n, 0), -EUCLEAN);
	make_leaf(&n, 3);
	n.h.eh_max = cpu_to_le16(2);
	assert_int_equal(verify(&n, 0), -EUCLEAN);
	make_index(&n, 3);
	assert_int_equal(verify(&n, 1), 0);
	n.h.eh_depth = cpu_to_le16(5);
	assert_int_equal(verify(&n, EXTENT_DEPTH_ANY), 0);
	n.h.eh_depth = cpu_to_le16(6);
	assert_int_equal(verify(&n, EXTENT_DEPTH_ANY), -EUCLEAN);
	make_index(&n, 0);
	assert_int_equal(verify(&n, 1), -EUCLEAN);
}

static int with_leaf(u32 pos, struct extent_entry e)
{
	struct node n;

	make_leaf(&n, 3);
	extent_leaf_set(&n, pos, &e);
	return verify(&n, 0);
}

static void test_HD_5_leaf_entries(void **state)
{
	const char *why;
	struct node n;

	assert_int_equal(with_leaf(1, (struct extent_entry){110, 10, 7000, false}), 0);
	assert_int_equal(with_leaf(1, (struct extent_entry){109, 10, 7000, false}), -EUCLEAN);
	assert_int_equal(with_leaf(1, (struct extent_entry){110, 11, 7000, false}), -EUCLEAN);
	assert_int_equal(with_leaf(1, (struct extent_entry){130, 1, 7000, false}), -EUCLEAN);
	assert_int_equal(with_leaf(1, (struct extent_entry){110, 0, 7000, false}), -EUCLEAN);
	assert_int_equal(with_leaf(2, (struct extent_entry){LBLK_MAX, 1, 7000, false}), 0);
	assert_int_equal(with_leaf(2, (struct extent_entry){LBLK_MAX, 2, 7000, false}), -EUCLEAN);
	assert_int_equal(
		with_leaf(2, (struct extent_entry){LBLK_MAX + 1, 1, 7000, false}), -EUCLEAN);
	assert_int_equal(with_leaf(2, (struct extent_entry){4294900000u, 32768, 7000, false}), 0);
	assert_int_equal(
		with_leaf(2, (struct extent_entry){4294940000u, 32768, 7000, false}), -EUCLEAN);
	make_leaf(&n, 3); /* a root has no parent that bounds it */
	extent_leaf_set(&n, 2, &(struct extent_entry){LBLK_MAX, 2, 7000, false});
	assert_int_equal(extent_node_verify(&sb, &n, 1024, 0, NULL, &why), -EUCLEAN);
	assert_int_equal(with_leaf(1, (struct extent_entry){110, 10, 0, false}), -EUCLEAN);
	assert_int_equal(with_leaf(1, (struct extent_entry){110, 10, 1, false}), -EUCLEAN);
	assert_int_equal(with_leaf(1, (struct extent_entry){110, 10, (1ull << 33) - 10, false}), 0);
	assert_int_equal(
		with_leaf(1, (struct extent_entry){110, 10, (1ull << 33) - 9, false}), -EUCLEAN);
	assert_int_equal(with_leaf(1, (struct extent_entry){110, 10, 1ull << 40, true}), -EUCLEAN);
	/* IO-12 aside, an on-disk length of 0x8000 is 32768 written blocks, never 0 unwritten ones.
	 */
	make_leaf(&n, 1);
	((struct ext4_extent *)n.rest)->ee_len = cpu_to_le16(0x8000);
	assert_int_equal(extent_leaf_get(&n, 0).len, 32768);
	assert_false(extent_leaf_get(&n, 0).unwritten);
}

static void test_HD_5_index_entries(void **state)
{
	const char *why;
	struct node n;

	make_index(&n, 3);
	extent_index_set(&n, 1, 100, 7000);
	assert_int_equal(verify(&n, 1), -EUCLEAN);
	make_index(&n, 3);
	extent_index_set(&n, 1, 101, 7000);
	extent_index_set(&n, 2, LBLK_MAX, 7000);
	assert_int_equal(verify(&n, 1), 0);
	extent_index_set(&n, 2, LBLK_MAX + 1, 7000);
	assert_int_equal(extent_node_verify(&sb, &n, 1024, 1, NULL, &why), -EUCLEAN);
	make_index(&n, 3);
	extent_index_set(&n, 2, 500, sb.blocks_count);
	assert_int_equal(verify(&n, 1), -EUCLEAN);
	extent_index_set(&n, 2, 500, 0);
	assert_int_equal(verify(&n, 1), -EUCLEAN);
}

static void test_HD_5_bounds(void **state)
{
	struct extent_bounds b = {.first = 100, .end = 130};
	const char *why;
	struct node n;

	make_leaf(&n, 3);
	assert_int_equal(extent_node_verify(&sb, &n, 1024, 0, &b, &why), 0);
	b.end = 129;
	assert_int_equal(extent_node_verify(&sb, &n, 1024, 0, &b, &why), -EUCLEAN);
	b = (struct extent_bounds){.first = 99, .end = 200};
	assert_int_equal(extent_node_verify(&sb, &n, 1024, 0, &b, &why), -EUCLEAN);
	assert_int_equal(extent_node_verify(&sb, &n, 1024, 0, NULL, &why), 0);
	make_index(&n, 3);
	b = (struct extent_bounds){.first = 100, .end = 121};
	assert_int_equal(extent_node_verify(&sb, &n, 1024, 1, &b, &why), 0);
	b.end = 120;
	assert_int_equal(extent_node_verify(&sb, &n, 1024, 1, &b, &why), -EUCLEAN);
	/* A root has less room. */
	make_leaf(&n, 4);
	assert_int_equal(extent_node_verify(&sb, &n, 60, 0, NULL, &why), -EUCLEAN);
	n.h.eh_max = cpu_to_le16(4);
	assert_int_equal(extent_node_verify(&sb, &n, 60, 0, NULL, &why), 0);
}

static bool csum_ok(void *arg)
{
	return extent_csum_verify(&sb, 77, arg);
}

static void test_extent_checksum(void **state)
{
	const struct super_info none = {.block_size = 1024};
	struct node n, before;

	make_leaf(&n, 40);
	extent_csum_set(&sb, 77, &n);
	flip_every_bit(&n, 0, 12 + 84 * 12 + 4, csum_ok, &n);
	assert_false(extent_csum_verify(&sb, 78, &n));
	n.h.eh_magic.raw ^= 1;
	before = n;
	assert_true(extent_csum_verify(&none, 77, &n));
	extent_csum_set(&none, 77, &n);
	assert_memory_equal(&n, &before, sizeof(n));
}

/* Garbage must never be accepted silently wrong nor crash. */
static void test_HD_9_garbage(void **state)
{
	const char *why;
	struct node n;
	struct rng r;

	rng_init(&r, 3);
	for (u32 i = 0; i < 20000; i++) {
		for (u32 at = 0; at < sizeof(n); at++)
			((u8 *)&n)[at] = (u8)rng_u64(&r);
		n.h.eh_magic = cpu_to_le16(EXT4_EXTENT_MAGIC);
		n.h.eh_max = cpu_to_le16(84);
		n.h.eh_entries = cpu_to_le16((u16)rng_below(&r, 86));
		n.h.eh_depth = cpu_to_le16((u16)rng_below(&r, 3));
		extent_node_verify(&sb, &n, 1024, EXTENT_DEPTH_ANY, NULL, &why);
		n.h.eh_max.raw = (u16)rng_u64(&r);
		extent_csum_verify(&sb, 1, &n);
		extent_csum_set(&sb, 1, &n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries_both_ways),
		cmocka_unit_test(test_HD_5_header),
		cmocka_unit_test(test_HD_5_leaf_entries),
		cmocka_unit_test(test_HD_5_index_entries),
		cmocka_unit_test(test_HD_5_bounds),
		cmocka_unit_test(test_extent_checksum),
		cmocka_unit_test(test_HD_9_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
