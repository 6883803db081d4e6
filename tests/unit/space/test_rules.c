/* Delayed frees, reservations, windows, the system zone, hostile images: one rule each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/bits.h"
#include "base/err.h"
#include "model.h"

static int alloc(struct fixture *f, const struct alloc_request *req, struct alloc_result *got)
{
	struct handle h;
	int err;

	fixture_start(f, &h, SPACE_ALLOC_CREDITS, 0);
	err = space_alloc(&h, &f->v, req, got);
	fixture_stop(&h);
	return err;
}

static int drop(struct fixture *f, pblk_t pblk, u32 len, u32 flags)
{
	struct handle h;
	int err;

	fixture_start(f, &h, space_free_credits(&f->v, len), len);
	err = space_free(&h, &f->v, 12, pblk, len, flags);
	fixture_stop(&h);
	return err;
}

/* Allocates all that flags allow; returns the sum, and one of the runs. */
static u64 fill(struct fixture *f, u32 flags, struct alloc_result *last)
{
	struct alloc_request req = {.len = 1000, .flags = flags};
	struct alloc_result got;
	u64 sum = 0;
	int err;

	while ((err = alloc(f, &req, &got)) == 0) {
		sum += got.len;
		*last = got;
	}
	assert_int_equal(err, -ENOSPC);
	return sum;
}

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

/* A freed block is handed out again only after its transaction is durable. */
static void test_AL_4_freed_blocks_wait_for_commit(void **unused)
{
	struct fixture f;
	struct alloc_request req = {.len = 1, .flags = SPACE_MUST};
	struct alloc_result last, got;
	unsigned attempts = 0;
	u64 sum;

	start(&f, 64 << 20, "-b 4096", 0);
	sum = fill(&f, SPACE_MUST, &last);
	assert_true(sum > 10000);
	assert_int_equal(drop(&f, last.pblk, last.len, 0), 0);
	assert_true(space_may_alloc(&f.v, last.len, SPACE_MUST)); /* counted as free */
	assert_int_equal(alloc(&f, &req, &got), -ENOSPC);
	assert_true(space_retry(&f.v, &attempts)); /* AL-6, IO-45 */
	assert_int_equal(alloc(&f, &req, &got), 0);
	assert_in_range(got.pblk, last.pblk, last.pblk + last.len - 1);
	end(&f);
}

static void test_AL_4_survives_eviction_of_the_buddy(void **unused)
{
	struct fixture f;
	struct alloc_request req = {.len = 1, .flags = SPACE_MUST};
	struct alloc_result got, other;

	/* 1400 groups: more than stay loaded */
	start(&f, 360 << 20, "-b 1024 -g 256 -I 128 -N 12000 -J size=64 -O ^resize_inode", 0);
	req.group_hint = 700;
	assert_int_equal(alloc(&f, &req, &got), 0);
	req.goal = got.pblk;
	assert_int_equal(drop(&f, got.pblk, 1, 0), 0);
	for (u32 i = 0; i < 1400; i++) {
		struct alloc_request far = {.len = 1, .group_hint = i, .flags = SPACE_MUST};

		if (i >= 690 && i < 710)
			continue;
		assert_int_equal(alloc(&f, &far, &other), 0);
		assert_true(other.pblk != got.pblk);
	}
	req.flags |= SPACE_EXACT;
	assert_int_equal(alloc(&f, &req, &other), -ENOSPC);
	fixture_commit(&f);
	req.len = 1;
	assert_int_equal(alloc(&f, &req, &other), 0);
	assert_int_equal(other.pblk, got.pblk);
	end(&f);
}

/* Without a journal nothing waits. */
static void test_JB_43_immediate_reuse_of_blocks(void **unused)
{
	struct fixture f;
	struct alloc_request req = {.len = 5, .flags = SPACE_MUST};
	struct alloc_result last, got;

	start(&f, 32 << 20, "-b 1024 -O ^has_journal", 0);
	fill(&f, SPACE_MUST, &last);
	assert_int_equal(drop(&f, last.pblk, 1, SPACE_METADATA), 0);
	assert_int_equal(alloc(&f, &req, &got), 0);
	assert_int_equal(got.len, 1);
	assert_int_equal(got.pblk, last.pblk);
	end(&f);
}

static void test_AL_6_retries_are_bounded(void **unused)
{
	struct fixture f;
	struct alloc_result last;
	unsigned attempts = 0;

	start(&f, 32 << 20, "-b 1024", 0);
	fill(&f, SPACE_MUST, &last);
	assert_false(space_retry(&f.v, &attempts)); /* nothing to wait for */
	for (attempts = 0; attempts < 3;) {
		assert_int_equal(drop(&f, last.pblk++, 1, 0), 0);
		assert_true(space_retry(&f.v, &attempts));
	}
	assert_int_equal(drop(&f, last.pblk, 1, 0), 0);
	assert_false(space_retry(&f.v, &attempts));
	end(&f);
}

/* Windows give way before anyone gets ENOSPC. */
static void test_AL_6_windows_are_given_back(void **unused)
{
	struct fixture f;
	struct prealloc pa[4];
	struct alloc_result got, last;
	struct alloc_request req = {.lblk = 100, .file_blocks = 100000, .len = 1};
	u64 before, sum;

	start(&f, 48 << 20, "-b 1024 -O ^has_journal", 0);
	before = (u64)f.v.sb.blocks_count;
	for (int i = 0; i < 4; i++) {
		prealloc_init(&pa[i]);
		req.pa = &pa[i];
		assert_int_equal(alloc(&f, &req, &got), 0);
		assert_true(pa[i].len > 1000);
	}
	{
		struct space_counts c;

		space_counts(&f.v, &c);
		before = c.free_blocks;
	}
	sum = fill(&f, SPACE_MUST, &last);
	assert_int_equal(sum, before);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pa[i].len, 0);
	end(&f);
}

static void test_AL_17_reserves(void **unused)
{
	struct fixture f;
	struct alloc_result last;
	struct space_counts c;
	u64 before;

	start(&f, 64 << 20, "-b 1024 -m 10 -O ^has_journal", 0);
	space_counts(&f.v, &c);
	before = c.free_blocks;
	assert_int_equal(c.reserved_root, 6553);
	assert_int_equal(c.reserved_internal, 1310); /* 2 % */
	assert_int_equal(fill(&f, 0, &last), before - 6553 - 1310);
	assert_false(space_may_alloc(&f.v, 1, 0));
	assert_true(space_may_alloc(&f.v, 6553, SPACE_ROOT));
	assert_int_equal(fill(&f, SPACE_ROOT, &last), 6553);
	assert_false(space_may_alloc(&f.v, 1, SPACE_ROOT));
	assert_int_equal(fill(&f, SPACE_METADATA, &last), 0); /* metadata alone is no reason */
	assert_int_equal(fill(&f, SPACE_METADATA | SPACE_MUST, &last), 1310);
	end(&f);
}

static void test_AL_18_claims(void **unused)
{
	struct fixture f;
	struct alloc_request req = {.len = 300, .flags = SPACE_CLAIMED};
	struct alloc_result last, got;
	struct space_counts c;
	u64 room;

	start(&f, 48 << 20, "-b 1024 -m 0 -O ^has_journal", 0);
	space_counts(&f.v, &c);
	room = c.free_blocks - c.reserved_internal;
	assert_int_equal(space_claim(&f.v, room + 1, 0), -ENOSPC);
	assert_int_equal(space_claim(&f.v, 1000, 0), 0);
	assert_int_equal(space_claim(&f.v, room - 999, 0), -ENOSPC);
	assert_int_equal(space_claim(&f.v, UINT64_MAX, 0), -ENOSPC);
	assert_int_equal(fill(&f, 0, &last), room - 1000); /* others can't have it */
	space_counts(&f.v, &c);
	assert_int_equal(c.claimed, 1000);
	assert_int_equal(alloc(&f, &req, &got), 0);
	space_counts(&f.v, &c);
	assert_int_equal(c.claimed, 1000 - got.len);
	space_unclaim(&f.v, 1000 - got.len);
	space_counts(&f.v, &c);
	assert_int_equal(c.claimed, 0);
	assert_int_equal(fill(&f, 0, &last), 1000 - got.len);
	end(&f);
}

/* Two files written in turns stay in one piece each; the blocks come in file order. */
static void test_AL_14_interleaved_writers(void **unused)
{
	struct fixture f;
	struct prealloc pa[2];
	pblk_t last[2] = {0, 0};
	u32 extents[2] = {0, 0};

	start(&f, 128 << 20, "-b 4096 -O ^has_journal", 0);
	for (int i = 0; i < 2; i++)
		prealloc_init(&pa[i]);
	for (u32 n = 0; n < 2000; n++) {
		u32 file = n % 2, lblk = 16 + n / 2;
		struct alloc_request req = {
			.lblk = lblk, .file_blocks = lblk, .len = 1, .pa = &pa[file]};
		struct alloc_result got;

		req.goal = last[file] ? last[file] + 1 : 0;
		assert_int_equal(alloc(&f, &req, &got), 0);
		extents[file] += got.pblk != req.goal;
		last[file] = got.pblk;
	}
	assert_true(extents[0] <= 8 && extents[1] <= 8);
	for (int i = 0; i < 2; i++)
		prealloc_discard(&f.v, &pa[i]);
	end(&f);
}

/* Small files of one thread lie side by side. */
static void test_AL_14_small_files_share_a_run(void **unused)
{
	struct fixture f;
	pblk_t next = 0;
	u32 jumps = 0;

	start(&f, 128 << 20, "-b 4096 -O ^has_journal", 0);
	for (u32 n = 0; n < 400; n++) {
		struct prealloc pa;
		struct alloc_request req = {.len = 1 + n % 3, .group_hint = n % 4, .pa = &pa};
		struct alloc_result got;

		prealloc_init(&pa);
		assert_int_equal(alloc(&f, &req, &got), 0);
		jumps += got.pblk != next;
		next = got.pblk + got.len;
		prealloc_discard(&f.v, &pa);
	}
	assert_true(jumps <= 6);
	end(&f);
}

static void test_alloc_exact(void **unused)
{
	struct fixture f;
	struct alloc_request req = {.len = 10, .flags = SPACE_MUST};
	struct alloc_result a, b;

	start(&f, 32 << 20, "-b 1024 -O ^has_journal", 0);
	assert_int_equal(alloc(&f, &req, &a), 0);
	assert_int_equal(a.len, 10);
	req.flags |= SPACE_EXACT;
	req.goal = a.pblk + 10;
	assert_int_equal(alloc(&f, &req, &b), 0);
	assert_int_equal(b.pblk, a.pblk + 10);
	req.goal = a.pblk + 5;
	assert_int_equal(alloc(&f, &req, &b), -ENOSPC);
	req.goal = f.v.sb.blocks_count; /* just past the end */
	assert_int_equal(alloc(&f, &req, &b), -ENOSPC);
	end(&f);
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
	assert_int_equal(alloc(&f, &req, &got), 0);
	assert_true(space_range_valid(v, 12, got.pblk, 1));
	assert_false(space_range_valid(v, 12, 0, 1));
	assert_false(space_range_valid(v, 12, 1, 1));		       /* superblock */
	assert_false(space_range_valid(v, 12, 2, 1));		       /* descriptors */
	assert_false(space_range_valid(v, 12, 8193, 1));	       /* copy in group 1 */
	assert_false(space_range_valid(v, 12, v->sb.blocks_count, 1)); /* past the end */
	assert_false(space_range_valid(v, 12, v->sb.blocks_count - 1, 2));
	assert_false(space_range_valid(v, 12, got.pblk, 1ull << 40));
	assert_false(space_range_valid(v, 12, UINT64_MAX - 1, 4));
	assert_false(space_range_valid(v, 12, got.pblk, 0));
	assert_int_equal(space_inode_location(v, 2, &table, &offset), 0);
	assert_false(space_range_valid(v, 12, table, 1));
	assert_false(space_range_valid(v, 12, table - 1, 2));
	assert_false(space_range_valid(v, 8, table, 1));
	assert_int_equal(space_add_system_range(v, table, 1, 8), -EUCLEAN);
	assert_int_equal(space_add_system_range(v, 1ull << 33, 1, 8), -EUCLEAN);
	assert_int_equal(drop(&f, table, 1, 0), -EUCLEAN); /* AL-21: before anything is touched */
	assert_int_equal(drop(&f, v->sb.blocks_count - 1, 5, 0), -EUCLEAN);
	assert_int_equal(drop(&f, got.pblk, 1, 0), 0); /* the group is still good */
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
	assert_false(space_range_valid(&f.v, 12, pblk, 1));
	assert_true(space_range_valid(&f.v, 8, pblk, 1));
	end(&f);
}

static void test_AL_21_double_free(void **unused)
{
	struct fixture f;
	struct alloc_request req = {.len = 8};
	struct alloc_result got, other;
	struct space_counts c;

	start(&f, 64 << 20, "-b 1024 -O ^has_journal", FIXTURE_QUIET);
	assert_int_equal(alloc(&f, &req, &got), 0);
	assert_int_equal(drop(&f, got.pblk, 4, 0), 0);
	assert_int_equal(drop(&f, got.pblk + 2, 4, 0), -EUCLEAN);
	assert_int_equal(f.errors, 1);
	space_counts(&f.v, &c); /* AL-22: the group is out of the totals and of use */
	assert_true(c.free_blocks < f.v.sb.blocks_count - 8192);
	assert_int_equal(drop(&f, got.pblk + 6, 2, 0), -EUCLEAN);
	req.goal = got.pblk + 100;
	assert_int_equal(alloc(&f, &req, &other), 0);
	assert_true((other.pblk - 1) / 8192 != (got.pblk - 1) / 8192);
	end(&f);
}

/* Finds a bitmap's place by dumpe2fs; group as number. */
static pblk_t place(struct fixture *f, u32 group, const char *what)
{
	char command[128], *out, *at;
	pblk_t pblk;

	snprintf(command, sizeof(command), "dumpe2fs %%s | sed -n '/^Group %u:/,/^Group %u:/p'",
		group, group + 1);
	out = fixture_run(f, command);
	at = strstr(out, what);
	assert_non_null(at);
	pblk = strtoull(at + strlen(what), NULL, 10);
	free(out);
	return pblk;
}

static void test_AL_22_bad_block_bitmap(void **unused)
{
	static const struct {
		u32 byte;
		const char *options;
	} cases[] = {
		{600, "-b 1024 -O ^has_journal"}, /* checksum */
		{0, "-b 1024 -O ^has_journal,^metadata_csum,^uninit_bg,^orphan_file"},
		{600, "-b 1024 -O ^has_journal,^metadata_csum,^uninit_bg,^orphan_file"},
	};
	struct fixture f;
	struct alloc_request req = {.len = 4, .group_hint = 3};
	struct alloc_result got;
	struct space_counts before, c;
	pblk_t bitmap;

	for (size_t i = 0; i < array_len(cases); i++) {
		u8 bits;

		start(&f, 64 << 20, cases[i].options, FIXTURE_QUIET);
		assert_int_equal(alloc(&f, &req, &got), 0);
		assert_int_equal((got.pblk - 1) / 8192, 3);
		fixture_unmount(&f);
		bitmap = place(&f, 3, "Block bitmap at ");
		fixture_peek(&f, bitmap * 1024 + cases[i].byte, &bits, 1);
		bits ^= 0x10;
		fixture_poke(&f, bitmap * 1024 + cases[i].byte, &bits, 1);
		fixture_mount(&f, FIXTURE_QUIET);
		space_counts(&f.v, &before);
		assert_int_equal(alloc(&f, &req, &got), 0);
		assert_true((got.pblk - 1) / 8192 != 3);
		assert_int_equal(f.errors, 1);
		space_counts(&f.v, &c);
		assert_true(c.free_blocks < before.free_blocks - 1000);
		assert_int_equal(alloc(&f, &req, &got), 0);
		assert_int_equal(f.errors, 1); /* reported once */
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
	bitmap = place(&f, 0, "Inode bitmap at ");
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

/* A never-used bitmap on disk is garbage: nothing may depend on it. */
static void test_AL_2_garbage_in_uninit_bitmaps(void **unused)
{
	struct fixture f;
	struct model m;
	struct alloc_request req = {.len = 200, .flags = SPACE_MUST};
	struct inode_alloc_request ireq = {.parent = 2, .dir = true, .parent_top = true};
	struct alloc_result got;
	struct handle h;
	u8 garbage[1024];
	pblk_t blocks, inodes;
	ino_nr ino;

	memset(garbage, 0x5a, sizeof(garbage));
	fixture_make(&f, 64 << 20, "-b 1024 -G 2 -O ^has_journal");
	blocks = place(&f, 4, "Block bitmap at ");
	inodes = place(&f, 4, "Inode bitmap at ");
	fixture_poke(&f, place(&f, 5, "Block bitmap at ") * 1024, garbage, 1024);
	fixture_poke(&f, inodes * 1024, garbage, 1024);
	assert_true(blocks > 0);
	model_read(&m, &f);
	fixture_mount(&f, 0);
	req.group_hint = 5;
	assert_int_equal(alloc(&f, &req, &got), 0);
	assert_int_equal((got.pblk - 1) / 8192, 5);
	model_move(&m, got.pblk, got.len, 0, 1);
	ireq.goal = 4 * f.v.sb.inodes_per_group + 5;
	fixture_start(&f, &h, SPACE_INODE_CREDITS, 0);
	assert_int_equal(space_inode_alloc(&h, &f.v, &ireq, &ino), 0);
	fixture_stop(&h);
	assert_int_equal(ino, ireq.goal);
	m.inode[ino] = 1;
	m.dirs++;
	fixture_unmount(&f);
	assert_int_equal(f.errors, 0);
	model_compare(&m, &f);
	model_free(&m);
	fixture_remove(&f);
}

/* HD-2: without checksums, so that the fields themselves are what is checked. */
static void test_HD_2_hostile_descriptors(void **unused)
{
	static const struct {
		u32 offset, value, width;
	} pokes[] = {
		{0x00, 0, 4},
		{0x00, 1, 4},
		{0x00, 2, 4},
		{0x00, 0xffffffff, 4},
		{0x04, 0, 4},
		{0x04, 65537, 4},
		{0x08, 0, 4},
		{0x08, 0xfffffff0, 4},
		{0x08, 65535, 4},
		{0x0c, 0xffff, 2},
		{0x0e, 0xffff, 2},
		{0x10, 0xffff, 2},
		{0x00, 8193, 4},
	};

	for (size_t i = 0; i < array_len(pokes); i++) {
		struct fixture f;

		fixture_make(&f, 64 << 20,
			"-b 1024 -O "
			"^has_journal,^64bit,^metadata_csum,^uninit_bg,^orphan_file,^flex_bg");
		fixture_poke(&f, 2048 + 2 * 32 + pokes[i].offset, &pokes[i].value, pokes[i].width);
		if (fixture_try_mount(&f, FIXTURE_QUIET) != -EUCLEAN)
			fail_msg("poke %zu was accepted", i);
		fixture_mount(&f, FIXTURE_QUIET | FIXTURE_READ_ONLY); /* ro may go on */
		assert_true(f.errors >= 1);
		fixture_unmount(&f);
		fixture_remove(&f);
	}
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
		space_inode_location(&f.v, 3 * f.v.sb.inodes_per_group + 1, &pblk, &offset),
		-EUCLEAN);
	assert_int_equal(space_inode_location(&f.v, 2, &pblk, &offset), 0);
	fixture_unmount(&f);
	fixture_remove(&f);
}

/* What a crash loses was never on disk: windows leave no trace (AL-15). */
static void test_AL_15_crash_leaks_nothing(void **unused)
{
	struct fixture f;
	struct model m;
	struct prealloc pa;
	struct alloc_request req = {.lblk = 20, .file_blocks = 5000, .len = 3, .pa = &pa};
	struct alloc_result got;

	fixture_make(&f, 64 << 20, "-b 4096 -O ^has_journal");
	model_read(&m, &f);
	fixture_mount(&f, 0);
	prealloc_init(&pa);
	assert_int_equal(alloc(&f, &req, &got), 0);
	assert_true(pa.len > 100);
	model_move(&m, got.pblk, got.len, 0, 1);
	assert_int_equal(journal_write_dirty(f.v.journal), 0);
	fixture_crash(&f);
	model_compare(&m, &f);
	fixture_remove(&f);
	model_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_AL_2_garbage_in_uninit_bitmaps),
		cmocka_unit_test(test_AL_4_freed_blocks_wait_for_commit),
		cmocka_unit_test(test_AL_4_survives_eviction_of_the_buddy),
		cmocka_unit_test(test_JB_43_immediate_reuse_of_blocks),
		cmocka_unit_test(test_AL_6_retries_are_bounded),
		cmocka_unit_test(test_AL_6_windows_are_given_back),
		cmocka_unit_test(test_AL_14_interleaved_writers),
		cmocka_unit_test(test_AL_14_small_files_share_a_run),
		cmocka_unit_test(test_AL_15_crash_leaks_nothing),
		cmocka_unit_test(test_AL_17_reserves),
		cmocka_unit_test(test_AL_18_claims),
		cmocka_unit_test(test_alloc_exact),
		cmocka_unit_test(test_AL_20_system_zone),
		cmocka_unit_test(test_AL_20_journal_blocks_belong_to_inode_8),
		cmocka_unit_test(test_AL_21_double_free),
		cmocka_unit_test(test_AL_22_bad_block_bitmap),
		cmocka_unit_test(test_AL_22_bad_inode_bitmap),
		cmocka_unit_test(test_HD_2_hostile_descriptors),
		cmocka_unit_test(test_HD_2_descriptor_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
