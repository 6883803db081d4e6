/* The nth allocation of memory fails, n counted up, or no block of a map is to be had, while a
 * range of a file is moved.
 */
#include "space_test.h"

#include "base/trace.h"
#include "os/thread.h"

static u32 victim; /* thread */
static u64 countdown;
static bool hit;
static bool full;

static bool fail_nth(const char *name)
{
	if (full && strcmp(name, "map_alloc_tree") == 0)
		return true;
	if (os_thread_self() != victim || strcmp(name, "os_alloc") || !countdown || --countdown)
		return false;
	hit = true;
	return true;
}

/* Every second block, so that the map has a leaf below its root. */
static void spread(struct test *x)
{
	for (u64 k = 0; k < 12; k += 2)
		fill(x, k, 1);
	assert_int_equal(uext4_ftruncate(x->file, 12 * x->bs), 0);
	assert_int_equal(uext4_fsync(x->file), 0);
}

static void expect_spread(struct test *x)
{
	assert_int_equal(size_of(x), 12 * x->bs);
	for (u64 k = 0; k < 12; k++)
		if (k % 2)
			expect(x, k * x->bs, x->bs, 0);
		else
			expect_blocks(x, k, 1, k);
}

/* The image as it is without what was not committed: the journal has stopped. */
static void after_a_stop(struct test *x)
{
	uext4_file_close(x->file);
	uext4_inode_put(x->t.root);
	(void)uext4_close(x->t.fs);
	free(fixture_run(&x->t.f, "e2fsck -fy %s || true"));
	dt_up(&x->t);
	assert_int_equal(uext4_openat(x->t.fs, x->t.root, "file", O_RDWR, 0, NULL, &x->file), 0);
}

/* All of it, or nothing. */
static void moves(int mode)
{
	u64 n = 1;

	victim = os_thread_self();
	do {
		struct test x;
		int err;

		setup(&x, "-b 4096");
		spread(&x);
		again(&x);
		x.t.expect_errors = true;
		hit = false;
		countdown = n++;
		err = falloc(&x, mode, 4 * x.bs, 4 * x.bs);
		countdown = 0;
		if (journal_aborted(x.t.v->journal))
			after_a_stop(&x);
		else
			again(&x);
		if (err)
			expect_spread(&x);
		else
			assert_int_not_equal(size_of(&x), 12 * x.bs);
		teardown(&x);
	} while (hit);
}

static void test_IO_107_insert(void **state)
{
	moves(INSERT);
}

static void test_IO_106_collapse(void **state)
{
	moves(COLLAPSE);
}

/* A full root or leaf, whose first extent has twelve blocks. */
static void crowded(struct test *x, u64 extents)
{
	fill(x, 0, 12);
	for (u64 k = 1; k < extents; k++)
		fill(x, 12 + 2 * k, 1);
	assert_int_equal(uext4_fsync(x->file), 0);
}

/* A range inside an extent takes a new place in the map: without one nothing changes. */
static void without_room(int mode, u64 extents)
{
	struct test x;
	struct uext4_stat before, after;

	setup(&x, "-b 1024");
	crowded(&x, extents);
	again(&x);
	before = stat_of(&x);
	full = true;
	assert_int_equal(falloc(&x, mode, 4 * x.bs, 3 * x.bs), -ENOSPC);
	full = false;
	assert_false(journal_aborted(x.t.v->journal));
	after = stat_of(&x);
	assert_int_equal(after.size, before.size);
	assert_int_equal(after.blocks, before.blocks);
	again(&x);
	expect_blocks(&x, 0, 12, 0);
	for (u64 k = 1; k < extents; k++)
		expect_blocks(&x, 12 + 2 * k, 1, 12 + 2 * k);
	assert_int_equal(falloc(&x, mode, 4 * x.bs, 3 * x.bs), 0);
	assert_int_equal(
		size_of(&x), mode == INSERT ? before.size + 3 * x.bs : before.size - 3 * x.bs);
	teardown(&x);
}

static void test_IO_106_no_room_in_the_map(void **state)
{
	without_room(COLLAPSE, 4);
	without_room(COLLAPSE, 84);
}

static void test_IO_107_no_room_in_the_map(void **state)
{
	without_room(INSERT, 4);
	without_room(INSERT, 84);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_107_insert),
		cmocka_unit_test(test_IO_106_collapse),
		cmocka_unit_test(test_IO_106_no_room_in_the_map),
		cmocka_unit_test(test_IO_107_no_room_in_the_map),
	};

	fault_hook = fail_nth;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
