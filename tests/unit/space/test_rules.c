/* Delayed frees, reservations, windows: one rule each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/bits.h"
#include "base/err.h"
#include "model.h"

/* Allocates all that flags allow; returns the sum, and one of the runs. */
static u64 fill(struct fixture *f, u32 flags, struct alloc_result *last)
{
	struct alloc_request req = {.len = 1000, .flags = flags};
	struct alloc_result got;
	u64 sum = 0;
	int err;

	while ((err = alloc_blocks(f, &req, &got)) == 0) {
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

/* A freed block is handed out again only after its transaction is durable (also JB-10). */
static void test_AL_4_freed_blocks_wait_for_commit(void **unused)
{
	struct fixture f;
	struct alloc_request req = {.len = 1, .flags = SPACE_MUST};
	struct alloc_result last = {0}, got;
	unsigned attempts = 0;
	u64 sum;

	start(&f, 64 << 20, "-b 4096", 0);
	sum = fill(&f, SPACE_MUST, &last);
	assert_true(sum > 10000);
	assert_int_equal(drop_blocks(&f, last.pblk, last.len, 0), 0);
	assert_true(space_may_alloc(&f.v, last.len, SPACE_MUST)); /* counted as free */
	assert_int_equal(alloc_blocks(&f, &req, &got), -ENOSPC);
	assert_true(space_retry(&f.v, &attempts)); /* AL-6, IO-45 */
	assert_int_equal(alloc_blocks(&f, &req, &got), 0);
	assert_in_range(got.pblk, last.pblk, last.pblk + last.len - 1);
	end(&f);
}

static void test_AL_4_survives_eviction_of_the_buddy(void **unused)
{
	struct fixture f;
	struct alloc_request req = {.len = 1, .flags = SPACE_MUST};
	struct prealloc pa;
	struct alloc_request windowed = {.lblk = 64, .len = 1, .group_hint = 710, .pa = &pa};
	struct alloc_result got, other, first;

	/* 1400 groups: more than stay loaded */
	start(&f, 360 << 20, "-b 1024 -g 256 -I 128 -N 12000 -J size=64 -O ^resize_inode", 0);
	prealloc_init(&pa);
	assert_int_equal(alloc_blocks(&f, &windowed, &first), 0);
	assert_true(pa.len > 10);
	req.group_hint = 700;
	assert_int_equal(alloc_blocks(&f, &req, &got), 0);
	req.goal = got.pblk;
	assert_int_equal(drop_blocks(&f, got.pblk, 1, 0), 0);
	for (u32 i = 0; i < 1400; i++) {
		struct alloc_request far = {.len = 1, .group_hint = i, .flags = SPACE_MUST};

		if (i >= 690 && i < 730)
			continue;
		assert_int_equal(alloc_blocks(&f, &far, &other), 0);
		assert_true(other.pblk != got.pblk);
	}
	windowed.lblk++; /* the window outlived it as well */
	assert_int_equal(alloc_blocks(&f, &windowed, &other), 0);
	assert_int_equal(other.pblk, first.pblk + 1);
	prealloc_discard(&f.v, &pa);
	req.flags |= SPACE_EXACT;
	assert_int_equal(alloc_blocks(&f, &req, &other), -ENOSPC);
	fixture_commit(&f);
	req.len = 1;
	assert_int_equal(alloc_blocks(&f, &req, &other), 0);
	assert_int_equal(other.pblk, got.pblk);
	end(&f);
}

/* Without a journal nothing waits. */
static void test_JB_43_immediate_reuse_of_blocks(void **unused)
{
	struct fixture f;
	struct alloc_request req = {.len = 5, .flags = SPACE_MUST};
	struct alloc_result last = {0}, got;

	start(&f, 32 << 20, "-b 1024 -O ^has_journal", 0);
	fill(&f, SPACE_MUST, &last);
	assert_int_equal(drop_blocks(&f, last.pblk, 1, SPACE_METADATA), 0);
	assert_int_equal(alloc_blocks(&f, &req, &got), 0);
	assert_int_equal(got.len, 1);
	assert_int_equal(got.pblk, last.pblk);
	end(&f);
}

static void test_AL_6_retries_are_bounded(void **unused)
{
	struct fixture f;
	struct alloc_result last = {0};
	unsigned attempts = 0;

	start(&f, 32 << 20, "-b 1024", 0);
	fill(&f, SPACE_MUST, &last);
	assert_false(space_retry(&f.v, &attempts)); /* nothing to wait for */
	for (attempts = 0; attempts < SPACE_RETRIES;) {
		assert_int_equal(drop_blocks(&f, last.pblk++, 1, 0), 0);
		assert_true(space_retry(&f.v, &attempts));
	}
	assert_int_equal(drop_blocks(&f, last.pblk, 1, 0), 0);
	assert_false(space_retry(&f.v, &attempts));
	end(&f);
}

/* All that is free was claimed: for others there is nothing, for the claims there is. */
static void test_AL_18_claims_are_worth_a_retry(void **unused)
{
	struct fixture f;
	unsigned attempts = 0;
	u64 claims = 0;

	start(&f, 32 << 20, "-b 1024", 0);
	while (space_claim(&f.v, 1, SPACE_MUST) == 0)
		claims++;
	assert_false(space_retry(&f.v, &attempts));
	assert_true(space_retry_claimed(&f.v, &attempts));
	attempts = SPACE_RETRIES;
	assert_false(space_retry_claimed(&f.v, &attempts));
	space_unclaim(&f.v, claims);
	end(&f);
}

/* Windows give way before anyone gets ENOSPC. */
static void test_AL_6_windows_are_given_back(void **unused)
{
	struct fixture f;
	struct prealloc pa[4];
	struct alloc_result got, last = {0};
	struct alloc_request req = {.lblk = 100, .file_blocks = 100000, .len = 1};
	u64 before, sum;

	start(&f, 48 << 20, "-b 1024 -O ^has_journal", 0);
	before = (u64)f.v.sb.blocks_count;
	for (int i = 0; i < 4; i++) {
		prealloc_init(&pa[i]);
		req.pa = &pa[i];
		assert_int_equal(alloc_blocks(&f, &req, &got), 0);
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
	struct alloc_result last = {0};
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
	struct alloc_result last = {0}, got;
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
	assert_int_equal(alloc_blocks(&f, &req, &got), 0);
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
		assert_int_equal(alloc_blocks(&f, &req, &got), 0);
		extents[file] += got.pblk != req.goal;
		last[file] = got.pblk;
	}
	assert_true(extents[0] <= 8 && extents[1] <= 8);
	for (int i = 0; i < 2; i++)
		prealloc_discard(&f.v, &pa[i]);
	end(&f);
}

/* Small files of one thread lie side by side, also while all of them are open. */
static void test_AL_14_small_files_share_a_run(void **unused)
{
	enum { FILES = 400 };
	static struct prealloc pa[FILES];
	struct fixture f;
	pblk_t next = 0;
	u32 jumps = 0;

	start(&f, 128 << 20, "-b 4096 -O ^has_journal", 0);
	for (u32 n = 0; n < FILES; n++) {
		struct alloc_request req = {.len = 1 + n % 3, .group_hint = n % 4, .pa = &pa[n]};
		struct alloc_result got;

		prealloc_init(&pa[n]);
		assert_int_equal(alloc_blocks(&f, &req, &got), 0);
		jumps += got.pblk != next;
		next = got.pblk + got.len;
	}
	assert_true(jumps <= 12); /* a few more if the thread changes its shard */
	for (u32 n = 0; n < FILES; n++)
		prealloc_discard(&f.v, &pa[n]);
	end(&f);
}

static const struct buf_type plain_type = {.name = "test"};

/* JB-15: freed metadata is forgotten and revoked, so that its block can become data at once. */
static void test_JB_15_freed_metadata_is_revoked(void **unused)
{
	struct fixture f;
	struct alloc_request req = {.len = 1, .flags = SPACE_METADATA};
	struct alloc_result got, again;
	struct journal_stats before, after;
	struct buf_ctx ctx = {0};
	struct handle h;
	struct buf *b;

	start(&f, 64 << 20, "-b 1024", 0);
	fixture_start(&f, &h, SPACE_ALLOC_CREDITS + 1, 0);
	assert_int_equal(space_alloc(&h, &f.v, &req, &got), 0);
	assert_int_equal(buf_create(&h, f.v.bcache, got.pblk, &plain_type, &ctx, &b), 0);
	assert_int_equal(buf_dirty(&h, b), 0);
	buf_put(b);
	fixture_stop(&h);
	fixture_commit(&f);
	assert_int_equal(drop_blocks(&f, got.pblk, 1, SPACE_METADATA), 0);
	journal_stats(f.v.journal, &before);
	fixture_commit(&f);
	journal_stats(f.v.journal, &after);
	assert_int_equal(after.revokes + before.revokes > 0, 1);
	req = (struct alloc_request){.len = 1, .goal = got.pblk, .flags = SPACE_EXACT};
	for (int i = 0; i < 3; i++) { /* the callback may trail the commit */
		unsigned attempts = 0;

		if (alloc_blocks(&f, &req, &again) == 0)
			break;
		space_retry(&f.v, &attempts);
	}
	assert_int_equal(again.pblk, got.pblk);
	end(&f);
}

/* Without a journal a dirty image must not be written over the data either. */
static void test_JB_43_freed_metadata_is_forgotten(void **unused)
{
	struct fixture f;
	struct alloc_request req = {.len = 1, .flags = SPACE_METADATA};
	struct alloc_result got;
	struct buf_ctx ctx = {0};
	struct handle h;
	struct buf *b;
	u8 block[1024];

	start(&f, 64 << 20, "-b 1024 -O ^has_journal", 0);
	fixture_start(&f, &h, SPACE_ALLOC_CREDITS + 1, 0);
	assert_int_equal(space_alloc(&h, &f.v, &req, &got), 0);
	assert_int_equal(buf_create(&h, f.v.bcache, got.pblk, &plain_type, &ctx, &b), 0);
	memset(b->data, 0x77, 1024);
	assert_int_equal(buf_dirty(&h, b), 0);
	buf_put(b);
	fixture_stop(&h);
	assert_int_equal(drop_blocks(&f, got.pblk, 1, SPACE_METADATA), 0);
	req = (struct alloc_request){.len = 1, .goal = got.pblk, .flags = SPACE_EXACT};
	assert_int_equal(alloc_blocks(&f, &req, &got), 0);
	assert_int_equal(journal_write_dirty(f.v.journal), 0);
	assert_int_equal(dev_read(f.v.dev, got.pblk * 1024, block, sizeof(block)), 0);
	assert_int_equal(block[0], 0);
	end(&f);
}

/* IO-7: a cached metadata image must not outlive the block's change to data. */
static void test_IO_7_images_are_dropped(void **unused)
{
	struct fixture f;
	struct alloc_request req = {.len = 8, .flags = SPACE_MUST};
	struct alloc_result got;
	struct buf_ctx ctx = {0};
	struct buf *b;

	start(&f, 64 << 20, "-b 1024 -O ^has_journal", 0);
	assert_int_equal(alloc_blocks(&f, &req, &got), 0);
	req.goal = got.pblk + 8;
	req.flags |= SPACE_EXACT;
	assert_int_equal(buf_read(f.v.bcache, req.goal + 3, &plain_type, &ctx, &b), 0);
	buf_put(b);
	assert_int_equal(alloc_blocks(&f, &req, &got), 0);
	assert_null(buf_find(f.v.bcache, got.pblk + 3));
	end(&f);
}

static void test_alloc_exact(void **unused)
{
	struct fixture f;
	struct alloc_request req = {.len = 10, .flags = SPACE_MUST};
	struct alloc_result a, b;

	start(&f, 32 << 20, "-b 1024 -O ^has_journal", 0);
	assert_int_equal(alloc_blocks(&f, &req, &a), 0);
	assert_int_equal(a.len, 10);
	req.flags |= SPACE_EXACT;
	req.goal = a.pblk + 10;
	assert_int_equal(alloc_blocks(&f, &req, &b), 0);
	assert_int_equal(b.pblk, a.pblk + 10);
	req.goal = a.pblk + 5;
	assert_int_equal(alloc_blocks(&f, &req, &b), -ENOSPC);
	req.goal = f.v.sb.blocks_count; /* just past the end */
	assert_int_equal(alloc_blocks(&f, &req, &b), -ENOSPC);
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
	blocks = bitmap_place(&f, 4, "Block bitmap at ");
	inodes = bitmap_place(&f, 4, "Inode bitmap at ");
	fixture_poke(&f, bitmap_place(&f, 5, "Block bitmap at ") * 1024, garbage, 1024);
	fixture_poke(&f, inodes * 1024, garbage, 1024);
	assert_true(blocks > 0);
	model_read(&m, &f);
	fixture_mount(&f, 0);
	req.group_hint = 5;
	assert_int_equal(alloc_blocks(&f, &req, &got), 0);
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
	assert_int_equal(alloc_blocks(&f, &req, &got), 0);
	assert_true(pa.len > 100);
	model_move(&m, got.pblk, got.len, 0, 1);
	assert_int_equal(journal_write_dirty(f.v.journal), 0);
	fixture_crash(&f);
	model_compare_crashed(&m, &f);
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
		cmocka_unit_test(test_AL_18_claims_are_worth_a_retry),
		cmocka_unit_test(test_AL_6_windows_are_given_back),
		cmocka_unit_test(test_AL_14_interleaved_writers),
		cmocka_unit_test(test_AL_14_small_files_share_a_run),
		cmocka_unit_test(test_AL_15_crash_leaks_nothing),
		cmocka_unit_test(test_AL_17_reserves),
		cmocka_unit_test(test_AL_18_claims),
		cmocka_unit_test(test_alloc_exact),
		cmocka_unit_test(test_JB_15_freed_metadata_is_revoked),
		cmocka_unit_test(test_JB_43_freed_metadata_is_forgotten),
		cmocka_unit_test(test_IO_7_images_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
