/* Punching, zeroing, collapsing and inserting ranges of a file. */
#include "space_test.h"

/* The greatest file of 4 KiB blocks. */
#define TOP (0xffffffffll * 4096)

/* IO-102: edges keep their bytes, whole blocks go, the size stays. */
static void punch(const char *mke2fs_options)
{
	struct test x;

	setup(&x, mke2fs_options);
	fill(&x, 0, 12);
	assert_int_equal(uext4_ftruncate(x.file, 11 * x.bs + 50), 0);
	assert_int_equal(falloc(&x, PUNCH, 2 * x.bs + 5, 4 * x.bs), 0);
	assert_int_equal(blocks_of(&x), 12 - 3);
	for (int round = 0; round < 2; round++) {
		expect_blocks(&x, 0, 2, 0);
		expect(&x, 2 * x.bs, 5, 3);
		expect(&x, 2 * x.bs + 5, 4 * x.bs, 0);
		expect(&x, 6 * x.bs + 5, x.bs - 5, 7);
		expect_blocks(&x, 7, 4, 7);
		again(&x);
	}
	assert_int_equal(uext4_seek(x.file, 0, SEEK_HOLE), 3 * x.bs);
	assert_int_equal(uext4_seek(x.file, 3 * x.bs, SEEK_DATA), 6 * x.bs);
	/* The block that the end cuts goes when nothing of it is left; more behind it stays. */
	assert_int_equal(falloc(&x, PUNCH, 11 * x.bs, 50), 0);
	assert_int_equal(blocks_of(&x), 9);
	assert_int_equal(falloc(&x, PUNCH, 11 * x.bs, x.bs), 0);
	assert_int_equal(blocks_of(&x), 8);
	assert_int_equal(size_of(&x), 11 * x.bs + 50);
	expect(&x, 11 * x.bs, 50, 0);
	/* Inside one block. */
	assert_int_equal(falloc(&x, PUNCH, x.bs + 10, 20), 0);
	expect(&x, x.bs, 10, 2);
	expect(&x, x.bs + 10, 20, 0);
	expect(&x, x.bs + 30, x.bs - 30, 2);
	assert_int_equal(falloc(&x, PUNCH, 0, 100 * x.bs), 0);
	assert_int_equal(blocks_of(&x), 0);
	assert_int_equal(uext4_pwrite(x.file, "x", 1, 3 * x.bs + 1), 1);
	again(&x);
	expect(&x, 3 * x.bs + 1, 1, 'x');
	expect(&x, 0, 3 * x.bs + 1, 0);
	teardown(&x);
}

static void test_IO_102_punch(void **state)
{
	punch("-b 4096");
	punch("-b 1024");
	punch("-b 4096 -O ^extent,^64bit,^metadata_csum");
	punch("-b 1024 -O ^extent,^64bit");
}

/* Blocks kept behind the end are not the business of a punch. */
static void test_IO_102_punch_spares_blocks_behind_the_end(void **state)
{
	struct test x;

	setup(&x, "-b 4096");
	fill(&x, 0, 2);
	assert_int_equal(falloc(&x, KEEP, 0, 10 * x.bs), 0);
	assert_int_equal(falloc(&x, PUNCH, 4 * x.bs, 2 * x.bs), 0);
	assert_int_equal(blocks_of(&x), 10);
	assert_int_equal(falloc(&x, PUNCH, x.bs, 9 * x.bs), 0);
	assert_int_equal(blocks_of(&x), 9);
	teardown(&x);
}

/* IO-12: the page that ends there goes beyond what a block number can say. */
static void test_IO_12_punch_at_the_last_block(void **state)
{
	const s64 top = 0xffffffffll * 1024;
	struct test x;

	setup(&x, "-b 1024");
	assert_int_equal(uext4_pwrite(x.file, "0123456789", 10, (u64)top - 2000), 10);
	assert_int_equal(uext4_pwrite(x.file, "x", 1, (u64)top - 100), 1);
	assert_int_equal(uext4_fsync(x.file), 0);
	assert_int_equal(falloc(&x, PUNCH, top - 5000, 5000), 0);
	expect(&x, (u64)top - 2000, 10, 0);
	assert_int_equal(blocks_of(&x), 0);
	teardown(&x);
}

/* IO-105: hole, unwritten, written and dirty blocks, and the two edges. */
static void zero(const char *mke2fs_options, bool keep)
{
	struct test x;

	setup(&x, mke2fs_options);
	fill(&x, 0, 4);
	assert_int_equal(falloc(&x, 0, 6 * x.bs, 4 * x.bs), 0);
	again(&x);
	fill(&x, 8, 1);
	fill(&x, 11, 1);
	assert_int_equal(falloc(&x, ZERO | (keep ? KEEP : 0), x.bs + 9, 12 * x.bs), 0);
	assert_int_equal(size_of(&x), keep ? 12 * x.bs : 13 * x.bs + 9);
	assert_int_equal(blocks_of(&x), 14);
	for (int round = 0; round < 2; round++) {
		expect(&x, 0, x.bs, 1);
		expect(&x, x.bs, 9, 2);
		expect(&x, x.bs + 9, 11 * x.bs - 9, 0);
		if (!keep)
			expect(&x, 12 * x.bs, x.bs + 9, 0);
		again(&x);
	}
	/* Whole blocks are unwritten now. */
	assert_int_equal(uext4_seek(x.file, 3 * x.bs, SEEK_DATA), -ENXIO);
	fill(&x, 3, 1);
	again(&x);
	expect_blocks(&x, 3, 1, 3);
	assert_int_equal(falloc(&x, ZERO, 3 * x.bs + 1, x.bs - 2), 0);
	expect(&x, 3 * x.bs, 1, 4);
	expect(&x, 3 * x.bs + 1, x.bs - 2, 0);
	expect(&x, 4 * x.bs - 1, 1, 4);
	teardown(&x);
}

static void test_IO_105_zero(void **state)
{
	zero("-b 4096", false);
	zero("-b 4096", true);
	zero("-b 1024", false);
	zero("-b 1024", true);
}

static void shift(const char *mke2fs_options)
{
	struct test x;

	setup(&x, mke2fs_options);
	fill(&x, 0, 20);
	assert_int_equal(falloc(&x, KEEP, 20 * x.bs, 4 * x.bs), 0);
	assert_int_equal(falloc(&x, PUNCH, 15 * x.bs, x.bs), 0);
	assert_int_equal(falloc(&x, COLLAPSE, 4 * x.bs, 6 * x.bs), 0);
	assert_int_equal(size_of(&x), 14 * x.bs);
	assert_int_equal(blocks_of(&x), 17);
	for (int round = 0; round < 2; round++) {
		expect_blocks(&x, 0, 4, 0);
		expect_blocks(&x, 4, 5, 10);
		expect(&x, 9 * x.bs, x.bs, 0);
		expect_blocks(&x, 10, 4, 16);
		again(&x);
	}
	assert_int_equal(falloc(&x, INSERT, 2 * x.bs, 3 * x.bs), 0);
	assert_int_equal(size_of(&x), 17 * x.bs);
	assert_int_equal(blocks_of(&x), 17);
	for (int round = 0; round < 2; round++) {
		expect_blocks(&x, 0, 2, 0);
		expect(&x, 2 * x.bs, 3 * x.bs, 0);
		expect_blocks(&x, 5, 2, 2);
		expect_blocks(&x, 7, 5, 10);
		expect(&x, 12 * x.bs, x.bs, 0);
		expect_blocks(&x, 13, 4, 16);
		again(&x);
	}
	assert_int_equal(uext4_seek(x.file, 0, SEEK_HOLE), 2 * x.bs);
	/* Down again to what it was; then unaligned content at the very end moves, too. */
	assert_int_equal(falloc(&x, COLLAPSE, 2 * x.bs, 3 * x.bs), 0);
	expect_blocks(&x, 0, 4, 0);
	expect_blocks(&x, 4, 5, 10);
	assert_int_equal(uext4_pwrite(x.file, "end", 3, 14 * x.bs), 3);
	assert_int_equal(falloc(&x, INSERT, 0, x.bs), 0);
	assert_int_equal(size_of(&x), 15 * x.bs + 3);
	expect(&x, 0, x.bs, 0);
	expect(&x, 15 * x.bs, 1, 'e');
	teardown(&x);
}

static void test_IO_106_IO_107_shift(void **state)
{
	shift("-b 4096");
	shift("-b 1024");
}

/* IO-107: what can't move leaves everything as it was. */
static void test_IO_107_insert_refused(void **state)
{
	struct test x;

	setup(&x, "-b 4096");
	fill(&x, 0, 4);
	assert_int_equal(falloc(&x, KEEP, (u64)TOP - x.bs, x.bs), 0);
	assert_int_equal(falloc(&x, INSERT, x.bs, x.bs), -EINVAL);
	assert_int_equal(size_of(&x), 4 * x.bs);
	expect_blocks(&x, 0, 4, 0);
	again(&x);
	assert_int_equal(size_of(&x), 4 * x.bs);
	assert_int_equal(uext4_ftruncate(x.file, 4 * x.bs), 0);
	assert_int_equal(falloc(&x, INSERT, x.bs, x.bs), 0);
	assert_int_equal(uext4_ftruncate(x.file, (u64)TOP), 0);
	assert_int_equal(falloc(&x, INSERT, x.bs, x.bs), -EFBIG);
	assert_int_equal(falloc(&x, COLLAPSE, x.bs, x.bs), 0);
	assert_int_equal(size_of(&x), (u64)TOP - x.bs);
	expect_blocks(&x, 0, 4, 0);
	teardown(&x);
}

/* IO-107, IO-108: a tree of many full leaves moves through a small journal. */
static void test_IO_108_many_extents(void **state)
{
	enum { EXTENTS = 3000 };
	struct test x;

	setup(&x, "-b 1024 -J size=1");
	for (u64 k = 0; k < EXTENTS; k++)
		fill(&x, 2 * k, 1);
	again(&x);
	assert_int_equal(falloc(&x, INSERT, 1000 * x.bs, 37 * x.bs), 0);
	assert_int_equal(falloc(&x, COLLAPSE, 100 * x.bs, 37 * x.bs), 0);
	for (int round = 0; round < 2; round++) {
		for (u64 k = 0; k < 50; k++)
			expect_blocks(&x, 2 * k, 1, 2 * k);
		for (u64 k = 69; k < 500; k++) /* moved down only */
			expect_blocks(&x, 2 * k - 37, 1, 2 * k);
		for (u64 k = 500; k < EXTENTS; k++) /* up and down */
			expect_blocks(&x, 2 * k, 1, 2 * k);
		again(&x);
	}
	assert_int_equal(falloc(&x, PUNCH, 0, 2 * EXTENTS * x.bs), 0);
	assert_int_equal(blocks_of(&x), 0);
	teardown(&x);
}

/* IO-8: an extent of the greatest length turns unwritten in pieces. */
static void test_IO_8_zero_greatest_extent(void **state)
{
	struct uext4_extent e[8];
	struct test x;
	int n;

	dt_make(&x.t, 64 << 20, "-b 1024 -g 8192");
	dt_up(&x.t);
	x.bs = 1024;
	x.file = NULL;
	assert_int_equal(
		uext4_openat(x.t.fs, x.t.root, "file", O_RDWR | O_CREAT, 0644, NULL, &x.file), 0);
	assert_int_equal(falloc(&x, 0, 0, 40 << 20), 0);
	assert_int_equal(blocks_of(&x), 40 << 10);
	n = uext4_extents(uext4_file_inode(x.file), 0, e, 8);
	assert_true(n > 0);
	for (int k = 0; k < n; k++)
		assert_int_equal(e[k].state, UEXT4_EXTENT_UNWRITTEN);
	for (u64 pos = 0; pos < 40 << 20; pos += 1 << 20)
		fill(&x, pos / x.bs, 1024);
	assert_int_equal(falloc(&x, ZERO, 0, 40 << 20), 0);
	again(&x);
	expect(&x, 0, 40 << 20, 0);
	assert_int_equal(uext4_seek(x.file, 0, SEEK_DATA), 0); /* read into the cache just now */
	teardown(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_102_punch),
		cmocka_unit_test(test_IO_102_punch_spares_blocks_behind_the_end),
		cmocka_unit_test(test_IO_12_punch_at_the_last_block),
		cmocka_unit_test(test_IO_105_zero),
		cmocka_unit_test(test_IO_106_IO_107_shift),
		cmocka_unit_test(test_IO_107_insert_refused),
		cmocka_unit_test(test_IO_108_many_extents),
		cmocka_unit_test(test_IO_8_zero_greatest_extent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
