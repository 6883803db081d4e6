/* The system zone, double frees, bad bitmaps and descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/bits.h"
#include "base/err.h"
#include "model.h"

static void start(struct fixture *f, u64 bytes, const char *options, u32 flags)
{
	fixture_make(f, bytes, options);
	fixture_mount(f, flags);
}

static void end(struct fixture *f)
{
	fixture_unmount(f);
	fixture_remove(f);
}

static void test_AL_20_system_zone(void **unused)
{
	struct fixture f;
	struct alloc_request req = {.len = 1};
	struct alloc_result got;
	struct volume *v = &f.v;
	pblk_t table;
	u32 offset;

	start(&f, 64 << 20, "-b 1024 -G 4", FIXTURE_QUIET);
	assert_int_equal(alloc_blocks(&f, &req, &got), 0);
	assert_int_equal(space_range_check(v, 12, got.pblk, 1), 0);
	assert_int_equal(space_range_check(v, 12, 0, 1), -EUCLEAN);
	assert_int_equal(space_range_check(v, 12, 1, 1), -EUCLEAN);    /* superblock */
	assert_int_equal(space_range_check(v, 12, 2, 1), -EUCLEAN);    /* descriptors */
	assert_int_equal(space_range_check(v, 12, 8193, 1), -EUCLEAN); /* copy in group 1 */
	assert_int_equal(
		space_range_check(v, 12, v->sb.blocks_count, 1), -EUCLEAN); /* past the end */
	assert_int_equal(space_range_check(v, 12, v->sb.blocks_count - 1, 2), -EUCLEAN);
	assert_int_equal(space_range_check(v, 12, got.pblk, 1ull << 40), -EUCLEAN);
	assert_int_equal(space_range_check(v, 12, UINT64_MAX - 1, 4), -EUCLEAN);
	assert_int_equal(space_range_check(v, 12, got.pblk, 0), -EUCLEAN);
	assert_int_equal(space_inode_location(v, 2, &table, &offset), 0);
	assert_int_equal(space_range_check(v, 12, table, 1), -EUCLEAN);
	assert_int_equal(space_range_check(v, 12, table - 1, 2), -EUCLEAN);
	assert_int_equal(space_range_check(v, 8, table, 1), -EUCLEAN);
	assert_int_equal(space_add_system_range(v, table, 1, 8), -EUCLEAN);
	assert_int_equal(space_add_system_range(v, 1ull << 33, 1, 8), -EUCLEAN);
	assert_int_equal(
		drop_blocks(&f, table, 1, 0), -EUCLEAN); /* AL-21: before anything is touched */
	assert_int_equal(drop_blocks(&f, v->sb.blocks_count - 1, 5, 0), -EUCLEAN);
	assert_int_equal(drop_blocks(&f, got.pblk, 1, 0), 0); /* the group is still good */
	fixture_unmount(&f);
	fixture_fsck(&f);
	fixture_remove(&f);
}

static void test_AL_20_journal_blocks_belong_to_inode_8(void **unused)
{
	struct fixture f;
	char *out;
	unsigned long long pblk;

	start(&f, 64 << 20, "-b 4096", FIXTURE_QUIET);
	out = fixture_run(&f, "debugfs -R 'blocks <8>' %s | grep '^[0-9]'");
	assert_int_equal(sscanf(out, "%llu", &pblk), 1);
	free(out);
	assert_int_equal(space_range_check(&f.v, 12, pblk, 1), -EUCLEAN);
	assert_int_equal(space_range_check(&f.v, 8, pblk, 1), 0);
	end(&f);
}

static void test_AL_21_double_free(void **unused)
{
	struct fixture f;
	struct alloc_request req = {.len = 8};
	struct alloc_result got, other;
	struct space_counts c;

	start(&f, 64 << 20, "-b 1024 -O ^has_journal", FIXTURE_QUIET);
	assert_int_equal(alloc_blocks(&f, &req, &got), 0);
	assert_int_equal(drop_blocks(&f, got.pblk, 4, 0), 0);
	assert_int_equal(drop_blocks(&f, got.pblk + 2, 4, 0), -EUCLEAN);
	assert_int_equal(f.errors, 1);
	space_counts(&f.v, &c); /* AL-22: the group is out of the totals and of use */
	assert_true(c.free_blocks < f.v.sb.blocks_count - 8192);
	assert_int_equal(drop_blocks(&f, got.pblk + 6, 2, 0), -EUCLEAN);
	req.goal = got.pblk + 100;
	assert_int_equal(alloc_blocks(&f, &req, &other), 0);
	assert_true((other.pblk - 1) / 8192 != (got.pblk - 1) / 8192);
	end(&f);
}

static void flip(struct fixture *f, pblk_t bitmap, u32 bit)
{
	u8 bits;

	fixture_peek(f, bitmap * 1024 + bit / 8, &bits, 1);
	bits ^= (u8)(1u << bit % 8);
	fixture_poke(f, bitmap * 1024 + bit / 8, &bits, 1);
}

/* Each case is caught by one check only. */
static void test_AL_22_bad_block_bitmap(void **unused)
{
	static const char csum[] = "-b 1024 -O ^has_journal";
	static const char plain[] =
		"-b 1024 -O ^has_journal,^metadata_csum,^uninit_bg,^orphan_file";
	static const struct {
		u32 bits[2]; /* 0: the block in use */
		const char *options;
	} cases[] = {
		{{0, 8000}, csum},     /* used and free blocks swapped: checksum */
		{{4, 8000}, plain},    /* a descriptor block is free: the zone */
		{{8000, 8000}, csum},  /* nothing changed */
		{{8000, 8001}, plain}, /* counts */
	};
	struct fixture f;
	struct alloc_request req = {.len = 4, .group_hint = 3};
	struct alloc_result got;
	struct space_counts before, c;

	for (size_t i = 0; i < array_len(cases); i++) {
		bool bad = cases[i].bits[0] != cases[i].bits[1];
		pblk_t bitmap;

		start(&f, 64 << 20, cases[i].options, FIXTURE_QUIET);
		assert_int_equal(alloc_blocks(&f, &req, &got), 0);
		assert_int_equal((got.pblk - 1) / 8192, 3);
		fixture_unmount(&f);
		bitmap = bitmap_place(&f, 3, "Block bitmap at ");
		for (int n = 0; n < 2; n++)
			flip(&f, bitmap,
				cases[i].bits[n] ? cases[i].bits[n] : (got.pblk - 1) % 8192);
		fixture_mount(&f, FIXTURE_QUIET);
		space_counts(&f.v, &before);
		assert_int_equal(alloc_blocks(&f, &req, &got), 0);
		assert_int_equal((got.pblk - 1) / 8192 != 3, bad);
		assert_int_equal(f.errors, bad);
		space_counts(&f.v, &c);
		assert_int_equal(c.free_blocks < before.free_blocks - 1000, bad);
		assert_int_equal(alloc_blocks(&f, &req, &got), 0);
		assert_int_equal(f.errors, bad); /* reported once */
		end(&f);
	}
}

static void test_AL_22_bad_inode_bitmap(void **unused)
{
	struct fixture f;
	struct inode_alloc_request req = {.parent = 2};
	struct handle h;
	ino_nr ino;
	pblk_t bitmap;
	u8 bits;

	fixture_make(&f, 64 << 20, "-b 1024 -O ^has_journal");
	bitmap = bitmap_place(&f, 0, "Inode bitmap at ");
	fixture_peek(&f, bitmap * 1024 + 20, &bits, 1);
	bits ^= 1;
	fixture_poke(&f, bitmap * 1024 + 20, &bits, 1);
	fixture_mount(&f, FIXTURE_QUIET);
	assert_int_equal(space_inode_in_use(&f.v, 12), -EBADMSG);
	assert_int_equal(space_inode_in_use(&f.v, 12), -EUCLEAN);
	fixture_start(&f, &h, SPACE_INODE_CREDITS, 0);
	assert_int_equal(space_inode_alloc(&h, &f.v, &req, &ino), 0);
	assert_true(space_inode_group(&f.v, ino) != 0);
	assert_int_equal(space_inode_free(&h, &f.v, 12, false), -EUCLEAN);
	fixture_stop(&h);
	end(&f);
}

/* A bit where the table was never used: the raw inode there must not be believed. */
static void test_AL_10_in_use_but_never_written(void **unused)
{
	struct fixture f;
	pblk_t bitmap;

	fixture_make(&f, 64 << 20, "-b 1024 -O ^has_journal,^metadata_csum,uninit_bg");
	bitmap = bitmap_place(&f, 0, "Inode bitmap at ");
	flip(&f, bitmap, 10); /* for lost+found, so that the free ones are as many as before */
	flip(&f, bitmap, 100);
	fixture_mount(&f, FIXTURE_QUIET);
	assert_int_equal(space_inode_in_use(&f.v, 10), 1);
	assert_int_equal(space_inode_in_use(&f.v, 100), 0);
	assert_int_equal(f.errors, 0);
	assert_int_equal(space_inode_in_use(&f.v, 101), -EUCLEAN);
	assert_int_equal(f.errors, 1);
	end(&f);
}

/* HD-10: a bitmap that gives away a directory block, say, while it is being changed. */
static void given_twice(u32 flags)
{
	static const struct buf_type any = {.name = "test block"};
	struct alloc_request req = {.len = 1, .flags = SPACE_METADATA};
	struct buf_ctx ctx = {0};
	struct alloc_result got;
	struct fixture f;
	struct handle h;
	struct buf *b;

	start(&f, 64 << 20, "-b 1024", FIXTURE_QUIET);
	fixture_start(&f, &h, 20, 4);
	assert_int_equal(space_alloc(&h, &f.v, &req, &got), 0);
	assert_int_equal(space_free(&h, &f.v, 12, got.pblk, 1, 0), 0);
	fixture_stop(&h);
	fixture_commit(&f);
	fixture_start(&f, &h, 20, 4);
	assert_int_equal(buf_create(&h, f.v.bcache, got.pblk, &any, &ctx, &b), 0);
	assert_int_equal(buf_dirty(&h, b), 0);
	buf_put(b);
	req = (struct alloc_request){.len = 1, .goal = got.pblk, .flags = flags | SPACE_EXACT};
	assert_int_equal(space_alloc(&h, &f.v, &req, &got), -EUCLEAN);
	assert_int_equal(f.errors, 1);
	fixture_stop(&h);
	assert_int_equal(alloc_blocks(&f, &req, &got), -ENOSPC); /* nothing more from this group */
	end(&f);
}

static void test_HD_10_metadata_given_twice(void **unused)
{
	given_twice(0);
	given_twice(SPACE_METADATA);
}

static const char plain_flex[] =
	"-b 1024 -G 4 -O ^has_journal,^64bit,^metadata_csum,^uninit_bg,^orphan_file";
static const char plain_no_flex[] =
	"-b 1024 -O ^has_journal,^64bit,^metadata_csum,^uninit_bg,^orphan_file,^flex_bg";

/* HD-2: without checksums, so that the fields themselves are what is checked. */
static void test_HD_2_hostile_descriptors(void **unused)
{
	static const struct {
		u32 offset, value, width;
		const char *options;
	} pokes[] = {
		{0x00, 0, 4, plain_flex}, {0x00, 1, 4, plain_flex},
		{0x00, 2, 4, plain_flex},    /* descriptors */
		{0x00, 8193, 4, plain_flex}, /* a superblock copy */
		{0x00, 0xffffffff, 4, plain_flex}, {0x04, 0, 4, plain_flex},
		{0x04, 65537, 4, plain_flex}, {0x08, 0, 4, plain_flex},
		{0x08, 0xfffffff0, 4, plain_flex},
		{0x08, 65535, 4, plain_flex}, /* the end of the table is outside */
		{0x08, 8000, 4, plain_flex},  /* into the copy in group 1 */
		{0x0c, 0xffff, 2, plain_flex}, {0x0e, 0xffff, 2, plain_flex},
		{0x10, 0xffff, 2, plain_flex}, {0x00, 50000, 4, plain_no_flex}, /* another group */
		{0x08, 24570, 4, plain_no_flex}, /* ends in the next group */
	};

	for (size_t i = 0; i < array_len(pokes); i++) {
		struct fixture f;

		fixture_make(&f, 64 << 20, pokes[i].options);
		fixture_poke(&f, 2048 + 2 * 32 + pokes[i].offset, &pokes[i].value, pokes[i].width);
		if (fixture_try_mount(&f, FIXTURE_QUIET) != -EUCLEAN)
			fail_msg("poke %zu was accepted", i);
		fixture_mount(&f, FIXTURE_QUIET | FIXTURE_READ_ONLY); /* ro may go on */
		assert_true(f.errors >= 1);
		fixture_unmount(&f);
		fixture_remove(&f);
	}
}

/* Two groups claim one bitmap block; and MD-28: anywhere in the device is fine. */
static void test_AL_20_overlap_while_building(void **unused)
{
	struct fixture f;
	u32 other, place = 50000;

	fixture_make(&f, 64 << 20, plain_flex);
	fixture_peek(&f, 2048 + 1 * 32 + 0x00, &other, 4);
	fixture_poke(&f, 2048 + 2 * 32 + 0x00, &other, 4);
	assert_int_equal(fixture_try_mount(&f, FIXTURE_QUIET), -EUCLEAN);
	fixture_poke(&f, 2048 + 2 * 32 + 0x00, &place, 4);
	fixture_mount(&f, FIXTURE_QUIET);
	assert_int_equal(space_range_check(&f.v, 12, place, 1), -EUCLEAN);
	end(&f);
}

/* MD-25: even if the bitmap says that they are free. */
static void test_MD_25_reserved_inodes_are_never_given(void **unused)
{
	struct fixture f;
	struct inode_alloc_request req = {.parent = 2, .goal = 9};
	struct handle h;
	ino_nr ino;

	fixture_make(&f, 64 << 20, plain_flex);
	flip(&f, bitmap_place(&f, 0, "Inode bitmap at "), 8);
	fixture_mount(&f, 0);
	fixture_start(&f, &h, SPACE_INODE_CREDITS, 0);
	assert_int_equal(space_inode_alloc(&h, &f.v, &req, &ino), 0);
	fixture_stop(&h);
	assert_true(ino >= 11);
	end(&f);
}

static void test_HD_2_descriptor_checksum(void **unused)
{
	struct fixture f;
	u8 byte;
	pblk_t pblk;
	u32 offset;

	fixture_make(&f, 64 << 20, "-b 1024 -O ^has_journal");
	fixture_peek(&f, 2048 + 3 * 64 + 0x14, &byte, 1);
	byte ^= 1;
	fixture_poke(&f, 2048 + 3 * 64 + 0x14, &byte, 1);
	assert_int_equal(fixture_try_mount(&f, FIXTURE_QUIET), -EUCLEAN);
	fixture_mount(&f, FIXTURE_QUIET | FIXTURE_READ_ONLY);
	assert_int_equal(
		space_inode_location(&f.v, 3 * f.v.sb.inodes_per_group + 1, &pblk, &offset), 0);
	assert_int_equal(space_inode_in_use(&f.v, 3 * f.v.sb.inodes_per_group + 1), -EUCLEAN);
	assert_int_equal(space_inode_location(&f.v, 2, &pblk, &offset), 0);
	fixture_unmount(&f);
	fixture_remove(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_AL_20_system_zone),
		cmocka_unit_test(test_AL_20_journal_blocks_belong_to_inode_8),
		cmocka_unit_test(test_AL_21_double_free),
		cmocka_unit_test(test_AL_22_bad_block_bitmap),
		cmocka_unit_test(test_AL_22_bad_inode_bitmap),
		cmocka_unit_test(test_AL_10_in_use_but_never_written),
		cmocka_unit_test(test_HD_10_metadata_given_twice),
		cmocka_unit_test(test_HD_2_hostile_descriptors),
		cmocka_unit_test(test_HD_2_descriptor_checksum),
		cmocka_unit_test(test_AL_20_overlap_while_building),
		cmocka_unit_test(test_MD_25_reserved_inodes_are_never_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
