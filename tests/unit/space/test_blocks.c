/* Random allocation and freeing on real images of many shapes against a model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "model.h"

enum { FILES = 8, EXTENTS = 400, STEPS = 1500 };

struct extent {
	pblk_t pblk;
	u32 len;
};

struct run {
	struct fixture f;
	struct model m;
	struct prealloc pa[FILES];
	u32 next[FILES];
	pblk_t last[FILES];
	struct extent extents[EXTENTS];
	u32 count;
	u64 owned;
};

struct shape {
	const char *name, *options;
	u64 bytes;
};

static const struct shape shapes[] = {
	{"4k default", "-b 4096", 256ull << 20},
	{"4k no journal", "-b 4096 -O ^has_journal", 300ull << 20},
	{"1k odd last group", "-b 1024 -O ^has_journal", (50ull << 20) + 77 * 1024},
	{"1k 32-byte descriptors", "-b 1024 -O ^64bit,^has_journal", 40ull << 20},
	{"2k small groups", "-b 2048 -g 2048 -O ^resize_inode", 64ull << 20},
	{"64k", "-b 65536 -O ^has_journal", 600ull << 20},
	{"meta_bg", "-b 1024 -O meta_bg,^resize_inode,^has_journal", 200ull << 20},
	{"no flex_bg", "-b 4096 -g 8192 -O ^flex_bg,^has_journal", 256ull << 20},
	{"flex 64", "-b 1024 -G 64 -O ^has_journal", 128ull << 20},
	{"uninit_bg", "-b 4096 -g 4096 -O ^metadata_csum,uninit_bg,^has_journal,^orphan_file",
		128ull << 20},
	{"no checksums", "-b 4096 -g 4096 -O ^metadata_csum,^uninit_bg,^has_journal,^orphan_file",
		128ull << 20},
	{"sparse_super2",
		"-b 1024 -E num_backup_sb=2 -O "
		"sparse_super2,^sparse_super,^has_journal,^resize_inode",
		64ull << 20},
	{"no sparse_super", "-b 1024 -O ^sparse_super,^resize_inode,^has_journal", 64ull << 20},
};

static void take(struct run *r)
{
	u32 file = rnd(FILES), len = rnd(4) ? 1 + rnd(12) : 1 + rnd(600);
	struct alloc_request req = {.lblk = r->next[file],
		.file_blocks = r->next[file],
		.len = len,
		.group_hint = file,
		.goal = rnd(3) ? r->last[file] : 0,
		.pa = rnd(5) ? &r->pa[file] : NULL,
		.flags = SPACE_ROOT};
	struct alloc_result got;
	struct handle h;
	int err;

	if (r->count == EXTENTS)
		return;
	if (rnd(10) == 0)
		req.flags |= SPACE_METADATA;
	fixture_start(&r->f, &h, SPACE_ALLOC_CREDITS, 0);
	err = space_alloc(&h, &r->f.v, &req, &got);
	fixture_stop(&h);
	if (err) {
		assert_int_equal(err, -ENOSPC);
		return;
	}
	assert_in_range(got.len, 1, len);
	model_move(&r->m, got.pblk, got.len, 0, 1);
	r->extents[r->count++] = (struct extent){got.pblk, got.len};
	r->next[file] += rnd(8) ? got.len : got.len + 5;
	r->last[file] = got.pblk + got.len;
	r->owned += got.len;
}

/* Frees a part or all of an extent. */
static void give(struct run *r)
{
	struct extent *e = &r->extents[rnd(max_of(r->count, 1u))];
	bool journal = journal_exists(r->f.v.journal);
	u32 n;
	struct handle h;

	if (!r->count)
		return;
	n = rnd(3) ? e->len : 1 + rnd(e->len);
	fixture_start(&r->f, &h, space_free_credits(&r->f.v, n), n);
	assert_int_equal(space_free(&h, &r->f.v, 12, e->pblk, n, rnd(4) ? 0 : SPACE_METADATA), 0);
	fixture_stop(&h);
	model_move(&r->m, e->pblk, n, 1, journal ? 2 : 0);
	e->pblk += n;
	e->len -= n;
	r->owned -= n;
	if (!e->len)
		*e = r->extents[--r->count];
}

static void step(struct run *r)
{
	u32 dice = rnd(100);

	if (dice < 55)
		take(r);
	else if (dice < 97)
		give(r);
	else if (dice < 98)
		prealloc_discard(&r->f.v, &r->pa[rnd(FILES)]);
	else {
		fixture_commit(&r->f);
		model_commit(&r->m);
	}
}

static void free_everything(struct run *r)
{
	struct handle h;

	while (r->count) {
		struct extent *e = &r->extents[--r->count];

		fixture_start(&r->f, &h, space_free_credits(&r->f.v, e->len), 0);
		assert_int_equal(space_free(&h, &r->f.v, 12, e->pblk, e->len, 0), 0);
		fixture_stop(&h);
		model_move(&r->m, e->pblk, e->len, 1, 0);
	}
}

static void run_shape(const struct shape *s)
{
	struct run *r = calloc(1, sizeof(*r));
	struct space_counts before, now;

	fixture_make(&r->f, s->bytes, s->options);
	model_read(&r->m, &r->f);
	fixture_mount(&r->f, 0);
	for (int i = 0; i < FILES; i++)
		prealloc_init(&r->pa[i]);
	space_counts(&r->f.v, &before);
	assert_int_equal(before.free_blocks, r->m.free_blocks);
	assert_int_equal(before.free_inodes, r->m.free_inodes);
	assert_int_equal(before.dirs, r->m.dirs);
	assert_int_equal(before.overhead, r->m.overhead); /* MD-13 */
	for (int i = 0; i < STEPS; i++)
		step(r);
	space_counts(&r->f.v, &now);
	assert_int_equal(now.free_blocks, before.free_blocks - r->owned);
	assert_int_equal(now.claimed, 0);
	for (int i = 0; i < FILES; i++)
		prealloc_discard(&r->f.v, &r->pa[i]);
	fixture_unmount(&r->f);
	assert_int_equal(r->f.errors, 0);
	model_compare(&r->m, &r->f); /* windows left nothing behind (AL-15) */
	model_commit(&r->m);
	fixture_mount(&r->f, 0);
	free_everything(r);
	fixture_unmount(&r->f);
	model_compare(&r->m, &r->f);
	fixture_fsck(&r->f); /* OC-2 */
	fixture_remove(&r->f);
	model_free(&r->m);
	free(r);
}

/* e2fsck also says whether a group that holds what is not its own is called unused (AL-3). */
static void test_AL_1_random_on_all_shapes(void **unused)
{
	for (size_t i = 0; i < array_len(shapes); i++) {
		print_message("shape: %s\n", shapes[i].name);
		rnd_seed(i + 1);
		run_shape(&shapes[i]);
	}
}

/* Everything can be allocated, down to the last block, each block once. */
static void fill(struct run *r, u32 len, u32 flags)
{
	struct alloc_request req = {.len = len, .flags = flags};
	struct alloc_result got;
	struct handle h;
	int err;

	for (;;) {
		fixture_start(&r->f, &h, SPACE_ALLOC_CREDITS, 0);
		err = space_alloc(&h, &r->f.v, &req, &got);
		fixture_stop(&h);
		if (err)
			break;
		model_move(&r->m, got.pblk, got.len, 0, 1);
		r->owned += got.len;
	}
	assert_int_equal(err, -ENOSPC);
}

static void test_AL_12_fill_to_the_last_block(void **unused)
{
	static const char *const options[] = {
		"-b 1024 -O ^has_journal -m 0", "-b 4096 -g 1024 -m 0"};

	for (size_t i = 0; i < array_len(options); i++) {
		struct run *r = calloc(1, sizeof(*r));
		struct space_counts c;

		fixture_make(&r->f, 48 << 20, options[i]);
		model_read(&r->m, &r->f);
		fixture_mount(&r->f, 0);
		fill(r, 300, SPACE_MUST);
		assert_int_equal(r->owned, r->m.free_blocks);
		space_counts(&r->f.v, &c);
		assert_int_equal(c.free_blocks, 0);
		fixture_unmount(&r->f);
		model_compare(&r->m, &r->f);
		fixture_remove(&r->f);
		model_free(&r->m);
		free(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_AL_1_random_on_all_shapes),
		cmocka_unit_test(test_AL_12_fill_to_the_last_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
