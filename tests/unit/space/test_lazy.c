/* Descriptors that load on demand, as on large volumes: what fails there for lack of memory or of a
 * readable block is no damage, and can be tried again (HD-2, AL-20).
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

enum { GROUP_BLOCKS = 256, FAR_GROUP = 3000 };

/* More groups than are loaded at mount. */
static void make(struct fixture *f, const char *options)
{
	char all[200];

	snprintf(all, sizeof(all), "-b 1024 -g %d -N 34000 %s", GROUP_BLOCKS, options);
	fixture_make(f, 4200ull * GROUP_BLOCKS * 1024, all);
}

static int range_of_far_group(struct fixture *f)
{
	return space_range_check(&f->v, 12, (pblk_t)FAR_GROUP * GROUP_BLOCKS + 200, 1);
}

static int alloc_in_far_group(struct fixture *f)
{
	struct alloc_request req = {.len = 3, .group_hint = FAR_GROUP, .flags = SPACE_NO_PREALLOC};
	struct alloc_result got;
	struct handle h;
	int err;

	fixture_start(f, &h, 16, 0);
	err = space_alloc(&h, &f->v, &req, &got);
	countdown = 0;
	if (!err) {
		assert_int_equal(space_free(&h, &f->v, 12, got.pblk, got.len, 0), 0);
	}
	fixture_stop(&h);
	return err;
}

static int table_of_far_group(struct fixture *f)
{
	pblk_t pblk;
	u32 offset;

	return space_inode_location(
		&f->v, FAR_GROUP * f->v.sb.inodes_per_group + 1, &pblk, &offset);
}

/* The nth point fails; then all is well. False: there was no nth. */
static bool round_n(struct fixture *f, int (*use)(struct fixture *f), u64 n)
{
	struct space_counts counts;
	int err;

	fixture_mount(f, FIXTURE_TRUST);
	hit = false;
	countdown = n;
	err = use(f);
	countdown = 0;
	if (err)
		assert_true(hit && (err == -ENOMEM || err == -EIO));
	assert_int_equal(use(f), 0);
	space_counts(&f->v, &counts);
	assert_true(counts.dirs <= 2);
	assert_int_equal(space_check_writable(&f->v), 0);
	fixture_unmount(f);
	assert_int_equal(f->errors, 0);
	return hit;
}

static void count_to_success(const char *options, int (*use)(struct fixture *f))
{
	struct fixture f;
	u64 n = 1;

	make(&f, options);
	victim = os_thread_self();
	fault_hook = fail_nth;
	while (round_n(&f, use, n))
		n++;
	fault_hook = NULL;
	assert_true(n > 5);
	fixture_fsck(&f);
	fixture_remove(&f);
}

static void test_HD_2_failed_load_is_no_damage(void **unused)
{
	count_to_success("-O ^has_journal", alloc_in_far_group);
	count_to_success("-O ^has_journal,^flex_bg", table_of_far_group);
}

static void test_AL_20_unknown_is_not_outside(void **unused)
{
	count_to_success("-O ^has_journal", range_of_far_group);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_HD_2_failed_load_is_no_damage),
		cmocka_unit_test(test_AL_20_unknown_is_not_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
