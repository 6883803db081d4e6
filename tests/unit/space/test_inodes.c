/* Inode numbers on real images: bitmaps, counts, itable_unused, placement. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "model.h"

enum { MANY = 3000 };

struct run {
	struct fixture f;
	struct model m;
	ino_nr inos[MANY];
	bool dirs[MANY];
	u32 count;
};

static int make_inode(struct run *r, const struct inode_alloc_request *req, ino_nr *out)
{
	struct handle h;
	int err;

	fixture_start(&r->f, &h, SPACE_INODE_CREDITS, 0);
	err = space_inode_alloc(&h, &r->f.v, req, out);
	fixture_stop(&h);
	if (err)
		return err;
	assert_in_range(*out, 11, r->m.inodes);
	assert_int_equal(r->m.inode[*out], 0);
	r->m.inode[*out] = 1;
	r->m.dirs += req->dir;
	assert_int_equal(space_inode_in_use(&r->f.v, *out), 1);
	return 0;
}

static void drop_inode(struct run *r, u32 i)
{
	struct handle h;

	fixture_start(&r->f, &h, SPACE_INODE_CREDITS, 0);
	assert_int_equal(space_inode_free(&h, &r->f.v, r->inos[i], r->dirs[i]), 0);
	fixture_stop(&h);
	assert_int_equal(space_inode_in_use(&r->f.v, r->inos[i]), 0);
	r->m.inode[r->inos[i]] = 0;
	r->m.dirs -= r->dirs[i];
	r->inos[i] = r->inos[--r->count];
	r->dirs[i] = r->dirs[r->count];
}

static void random_inodes(struct run *r, u32 steps)
{
	for (u32 n = 0; n < steps; n++) {
		struct inode_alloc_request req = {.parent = 2,
			.dir = rnd(4) == 0,
			.parent_top = rnd(2),
			.name_hash = rnd(1u << 30)};
		u32 i = r->count;

		if (r->count && rnd(2))
			req.parent = r->inos[rnd(r->count)];
		if (r->count == MANY || (r->count && rnd(3) == 0)) {
			drop_inode(r, rnd(r->count));
			continue;
		}
		assert_int_equal(make_inode(r, &req, &r->inos[i]), 0);
		r->dirs[i] = req.dir;
		r->count++;
	}
}

/* AL-8: nothing in use beyond the part of the table that dumpe2fs says is unused. */
static void check_unused(struct run *r)
{
	char *out = fixture_run(&r->f, "dumpe2fs %s"), *save = NULL;
	u32 group = 0, ipg = 0, unused, n;

	for (char *line = strtok_r(out, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *at;

		sscanf(line, "Inodes per group: %u", &ipg);
		if (sscanf(line, "Group %u:", &group) == 1 && strstr(line, "BLOCK_UNINIT"))
			assert_non_null(strstr(line, "INODE_UNINIT")); /* AL-7 */
		if (sscanf(line, " %u free blocks", &n) != 1)
			continue;
		at = strstr(line, "directories");
		unused = at && sscanf(at, "directories, %u unused inodes", &n) == 1 ? n : 0;
		for (u32 i = ipg - unused; i < ipg; i++)
			assert_int_equal(r->m.inode[group * ipg + i + 1], 0);
	}
	free(out);
}

static void run_options(const char *options, u64 bytes)
{
	struct run *r = calloc(1, sizeof(*r));
	struct space_counts c;

	fixture_make(&r->f, bytes, options);
	model_read(&r->m, &r->f);
	fixture_mount(&r->f, 0);
	random_inodes(r, 2500);
	fixture_unmount(&r->f);
	assert_int_equal(r->f.errors, 0);
	model_compare(&r->m, &r->f);
	check_unused(r);
	fixture_mount(&r->f, 0);
	while (r->count)
		drop_inode(r, r->count - 1);
	space_counts(&r->f.v, &c);
	assert_int_equal(c.free_inodes, r->m.free_inodes);
	fixture_unmount(&r->f);
	model_compare(&r->m, &r->f);
	fixture_fsck(&r->f);
	fixture_remove(&r->f);
	model_free(&r->m);
	free(r);
}

static void test_AL_7_random_inodes(void **unused)
{
	rnd_seed(7);
	run_options("-b 4096", 256 << 20);
	run_options("-b 1024 -O ^has_journal", 64 << 20);
	run_options("-b 1024 -O ^flex_bg,^has_journal", 64 << 20);
	run_options(
		"-b 4096 -g 2048 -O ^metadata_csum,uninit_bg,^has_journal,^orphan_file", 128 << 20);
	run_options("-b 4096 -g 2048 -O ^metadata_csum,^uninit_bg,^has_journal,^orphan_file",
		128 << 20);
	run_options("-b 65536 -O ^has_journal", 600 << 20);
}

/* No ENOSPC while an inode is free. */
static void take_every_inode(u64 bytes, const char *options)
{
	struct run *r = calloc(1, sizeof(*r));
	struct inode_alloc_request req = {.parent = 2};
	ino_nr ino;
	u32 n = 0;
	int err;

	fixture_make(&r->f, bytes, options);
	model_read(&r->m, &r->f);
	fixture_mount(&r->f, 0);
	for (;; n++) {
		req.dir = n % 5 == 0;
		req.parent_top = n % 2;
		req.name_hash = n * 2654435761u;
		err = make_inode(r, &req, &ino);
		if (err)
			break;
		if (n < 100)
			req.parent = ino;
	}
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(n, r->m.free_inodes);
	fixture_unmount(&r->f);
	model_compare(&r->m, &r->f);
	fixture_remove(&r->f);
	model_free(&r->m);
	free(r);
}

static void test_AL_11_every_inode_is_found(void **unused)
{
	take_every_inode(32 << 20, "-b 1024 -N 2000 -O ^has_journal");
	take_every_inode(
		100 << 20, "-b 1024 -g 512 -N 3200 -O ^has_journal,^flex_bg,^resize_inode");
}

/* JB-43: without a journal a number deleted a moment ago is not used while others are free. */
static void test_JB_43_no_early_reuse(void **unused)
{
	struct run *r = calloc(1, sizeof(*r));
	struct inode_alloc_request req = {.parent = 2};
	struct handle h;
	ino_nr first, ino = 0;
	u32 n;
	int err;

	fixture_make(&r->f, 8 << 20, "-b 1024 -N 64 -O ^has_journal");
	model_read(&r->m, &r->f);
	fixture_mount(&r->f, 0);
	assert_int_equal(make_inode(r, &req, &first), 0);
	fixture_start(&r->f, &h, SPACE_INODE_CREDITS, 0);
	assert_int_equal(space_inode_free(&h, &r->f.v, first, false), 0);
	fixture_stop(&h);
	r->m.inode[first] = 0;
	for (n = 0; (err = make_inode(r, &req, &ino)) == 0; n++)
		assert_true((ino == first) == (n == r->m.free_inodes - 1));
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(n, r->m.free_inodes);
	fixture_unmount(&r->f);
	fixture_remove(&r->f);
	model_free(&r->m);
	free(r);
}

/* Children of the root spread over flex groups, deeper ones stay near their parent. */
static void test_AL_11_spread_and_stay(void **unused)
{
	struct run *r = calloc(1, sizeof(*r));
	struct inode_alloc_request req = {.parent = 2, .parent_top = true, .dir = true};
	u32 units = 0, seen = 0;
	ino_nr top = 0, ino;

	fixture_make(&r->f, 256 << 20, "-b 1024 -G 4 -O ^has_journal");
	model_read(&r->m, &r->f);
	fixture_mount(&r->f, 0);
	for (u32 i = 0; i < 16; i++) {
		req.name_hash = i * 2654435761u;
		assert_int_equal(make_inode(r, &req, &top), 0);
		if (!(seen & 1u << space_inode_group(&r->f.v, top) / 4))
			units++;
		seen |= 1u << space_inode_group(&r->f.v, top) / 4;
	}
	assert_true(units >= 6);
	req = (struct inode_alloc_request){.parent = top, .dir = true};
	assert_int_equal(make_inode(r, &req, &ino), 0);
	assert_int_equal(space_inode_group(&r->f.v, ino) / 4, space_inode_group(&r->f.v, top) / 4);
	req.dir = false;
	assert_int_equal(make_inode(r, &req, &ino), 0);
	assert_int_equal(space_inode_group(&r->f.v, ino), space_inode_group(&r->f.v, top));
	assert_int_equal(space_inode_goal(&r->f.v, ino, false),
		1 + 8192 * (u64)(space_inode_group(&r->f.v, ino) / 4 * 4 + 1));
	fixture_unmount(&r->f);
	fixture_remove(&r->f);
	model_free(&r->m);
	free(r);
}

static void test_inode_range(void **unused)
{
	struct run *r = calloc(1, sizeof(*r));
	struct handle h;
	pblk_t pblk;
	u32 offset;

	fixture_make(&r->f, 16 << 20, "-b 1024 -O ^has_journal");
	fixture_mount(&r->f, FIXTURE_QUIET);
	assert_int_equal(space_inode_in_use(&r->f.v, 0), -EUCLEAN);
	assert_int_equal(space_inode_in_use(&r->f.v, UINT32_MAX), -EUCLEAN);
	assert_int_equal(space_inode_in_use(&r->f.v, 2), 1);
	assert_int_equal(space_inode_location(&r->f.v, 0, &pblk, &offset), -EUCLEAN);
	assert_int_equal(space_inode_location(&r->f.v, 6, &pblk, &offset), 0);
	assert_int_equal(offset, 256);
	fixture_start(&r->f, &h, SPACE_INODE_CREDITS, 0);
	assert_int_equal(space_inode_free(&h, &r->f.v, 2, true), -EUCLEAN);    /* MD-25 */
	assert_int_equal(space_inode_free(&h, &r->f.v, 500, false), -EUCLEAN); /* never used */
	fixture_stop(&h);
	fixture_unmount(&r->f);
	fixture_remove(&r->f);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_AL_7_random_inodes),
		cmocka_unit_test(test_AL_11_every_inode_is_found),
		cmocka_unit_test(test_JB_43_no_early_reuse),
		cmocka_unit_test(test_AL_11_spread_and_stay),
		cmocka_unit_test(test_inode_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
