/* AL-19: the Nth allocation of memory or read of a buffer fails, N counted up until nothing fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "fail_nth.h"
#include "model.h"

struct owned {
	struct alloc_result run[3];
	ino_nr dir, file;
};

static int take_blocks(struct fixture *f, struct handle *h, struct owned *o, struct prealloc *pa)
{
	struct alloc_request req = {
		.lblk = 100, .file_blocks = 100, .len = 5, .group_hint = 1, .pa = pa};
	int err = space_alloc(h, &f->v, &req, &o->run[0]);

	if (err)
		return err;
	req = (struct alloc_request){.len = 1, .group_hint = 3, .flags = SPACE_METADATA};
	err = space_alloc(h, &f->v, &req, &o->run[1]);
	if (err)
		return err;
	req = (struct alloc_request){.len = 2, .group_hint = 5, .pa = pa}; /* locality group */
	return space_alloc(h, &f->v, &req, &o->run[2]);
}

static int take_inodes(struct fixture *f, struct handle *h, struct owned *o)
{
	struct inode_alloc_request req = {
		.parent = 2, .parent_top = true, .dir = true, .name_hash = 4};
	int err = space_inode_alloc(h, &f->v, &req, &o->dir);

	if (err)
		return err;
	req = (struct inode_alloc_request){.parent = o->dir};
	return space_inode_alloc(h, &f->v, &req, &o->file);
}

/* Gives back all that is still owned; stops at the first error. */
static int give_back(struct fixture *f, struct handle *h, struct owned *o)
{
	int err = 0;

	for (u32 i = 0; i < 3 && !err; i++) {
		if (!o->run[i].len)
			continue;
		err = space_free(
			h, &f->v, 12, o->run[i].pblk, o->run[i].len, i == 1 ? SPACE_METADATA : 0);
		if (!err)
			o->run[i].len = 0;
	}
	if (!err && o->dir) {
		err = space_inode_free(h, &f->v, o->dir, true);
		o->dir = err ? o->dir : 0;
	}
	if (!err && o->file) {
		err = space_inode_free(h, &f->v, o->file, false);
		o->file = err ? o->file : 0;
	}
	return err;
}

/* Everything with the Nth point failing; false once there was no Nth. */
static bool round_n(const char *options, u64 n)
{
	struct fixture f;
	struct owned o = {0};
	struct prealloc pa;
	struct handle h;
	struct space_counts before, after;
	int err;

	fixture_make(&f, 64 << 20, options);
	fixture_mount(&f, FIXTURE_TRUST);
	space_counts(&f.v, &before);
	prealloc_init(&pa);
	fixture_start(&f, &h, 64, 64);
	hit = false;
	countdown = n;
	err = take_blocks(&f, &h, &o, &pa);
	if (!err)
		err = take_inodes(&f, &h, &o);
	if (!err)
		err = give_back(&f, &h, &o);
	countdown = 0;
	if (err)
		assert_true(hit && (err == -ENOMEM || err == -EIO));
	handle_stop(&h);
	fixture_start(&f, &h, 64, 64);
	assert_int_equal(give_back(&f, &h, &o), 0);
	fixture_stop(&h);
	prealloc_discard(&f.v, &pa);
	space_counts(&f.v, &after);
	assert_int_equal(after.free_blocks, before.free_blocks);
	assert_int_equal(after.free_inodes, before.free_inodes);
	assert_int_equal(after.claimed, 0);
	fixture_unmount(&f);
	assert_int_equal(f.errors, 0);
	fixture_fsck(&f);
	fixture_remove(&f);
	return hit;
}

static void count_to_success(const char *options)
{
	u64 n = 1;

	victim = os_thread_self();
	fault_hook = fail_nth;
	while (round_n(options, n))
		n++;
	fault_hook = NULL;
	print_message("%llu points\n", (unsigned long long)n - 1);
	assert_true(n > 5);
}

static void test_AL_19_nothing_lost_with_journal(void **unused)
{
	count_to_success("-b 1024 -G 2");
}

static void test_AL_19_nothing_lost_without_journal(void **unused)
{
	count_to_success("-b 1024 -G 2 -O ^has_journal");
}

static void test_AL_19_nothing_lost_without_checksums(void **unused)
{
	count_to_success("-b 1024 -O ^has_journal,^metadata_csum,^uninit_bg,^orphan_file");
}

/* A mount that fails at any point leaves nothing behind (the leak checker looks). */
static void test_mount_fails_cleanly(void **unused)
{
	struct fixture f;
	u64 n = 1;

	fixture_make(&f, 16 << 20, "-b 1024 -O ^has_journal");
	victim = os_thread_self();
	fault_hook = fail_nth;
	for (;; n++) {
		fixture_mount(&f, FIXTURE_NO_SPACE | FIXTURE_QUIET);
		hit = false;
		countdown = n;
		if (space_create(&f.v, true) == 0)
			assert_false(hit && f.v.space == NULL);
		else
			assert_null(f.v.space);
		countdown = 0;
		fixture_unmount(&f);
		if (!hit)
			break;
	}
	fault_hook = NULL;
	assert_true(n > 3);
	fixture_fsck(&f);
	fixture_remove(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_AL_19_nothing_lost_with_journal),
		cmocka_unit_test(test_AL_19_nothing_lost_without_journal),
		cmocka_unit_test(test_AL_19_nothing_lost_without_checksums),
		cmocka_unit_test(test_mount_fails_cleanly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
