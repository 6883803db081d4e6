/* The nth allocation of memory fails, n counted up, or no block of a map is to be had, while a
 * range of a file is moved.
 */
#include "space_test.h"

#include "base/trace.h"
#include "journal/txn_priv.h"
#include "os/thread.h"

enum { MANY = 600 };

static const char *point = "os_alloc";
static u32 victim; /* thread */
static u64 countdown;
static bool hit;
static bool full;
static struct journal *restarting; /* at every step of the victim, or NULL */
static bool restart_next;

static bool fail_nth(const char *name)
{
	if (full && strcmp(name, "map_alloc_tree") == 0)
		return true;
	if (os_thread_self() != victim)
		return false;
	if (restarting && strcmp(name, "shift_sizes") == 0)
		return true;
	if (restarting && strcmp(name, "map_restart") == 0)
		return restart_next = !restart_next;
	if (strcmp(name, point) || !countdown || --countdown)
		return false;
	hit = true;
	return true;
}

/* What restarts finds its transaction closed, and opens the next one. */
static void close_txn(const char *name, u64 tid, u64 b)
{
	struct journal *j;

	if (os_thread_self() != victim || strcmp(name, "handle_restart") || !restarting)
		return;
	j = restarting;
	journal_commit_start(j, (tid_nr)tid);
	os_mutex_lock(&j->lock);
	while (j->running && j->running->tid == tid && j->running->state == TXN_RUNNING)
		os_cond_wait(&j->state_cond, &j->lock);
	os_mutex_unlock(&j->lock);
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
		assert_false(journal_aborted(x.t.v->journal));
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

/* Blocks from `at` on are those that were at `from`. */
static void expect_many(struct test *x, u64 at, u64 from)
{
	for (u64 k = from; k < MANY; k++)
		if (k % 2)
			expect(x, (at + k - from) * x->bs, x->bs, 0);
		else
			expect_blocks(x, at + k - from, 1, k);
}

static void look_and_undo(struct test *x, int mode)
{
	expect_blocks(x, 0, 1, 0);
	expect_blocks(x, 2, 1, 2);
	if (mode == INSERT) {
		assert_int_equal(size_of(x), (MANY + 4) * x->bs);
		expect(x, 4 * x->bs, 4 * x->bs, 0);
		expect_many(x, 8, 4);
		assert_int_equal(falloc(x, COLLAPSE, 4 * x->bs, 4 * x->bs), 0);
		return;
	}
	assert_int_equal(size_of(x), (MANY - 4) * x->bs);
	expect_many(x, 4, 8);
	assert_int_equal(falloc(x, INSERT, 4 * x->bs, 4 * x->bs), 0);
	fill(x, 4, 1);
	fill(x, 6, 1);
}

static void again_unchecked(struct test *x)
{
	uext4_file_close(x->file);
	dt_down(&x->t);
	dt_up(&x->t);
	assert_int_equal(uext4_openat(x->t.fs, x->t.root, "file", O_RDWR, 0, NULL, &x->file), 0);
}

/* Leaf by leaf, in one transaction or many: neither fails in its middle for want of memory. */
static void moves_of_leaves(const char *options, int mode, bool restart)
{
	struct test x;
	u64 n = 1;
	int err;

	victim = os_thread_self();
	setup(&x, options);
	for (u64 k = 0; k < MANY; k += 2)
		fill(&x, k, 1);
	assert_int_equal(uext4_ftruncate(x.file, MANY * x.bs), 0);
	do {
		again_unchecked(&x);
		hit = false;
		restarting = restart ? x.t.v->journal : NULL;
		countdown = n++;
		err = falloc(&x, mode, 4 * x.bs, 4 * x.bs);
		countdown = 0;
		restarting = NULL;
		assert_false(journal_aborted(x.t.v->journal));
		if (!err)
			look_and_undo(&x, mode);
		else
			assert_true(hit && err == -ENOMEM && size_of(&x) == MANY * x.bs);
		expect_many(&x, 0, 0);
	} while (hit);
	again(&x);
	teardown(&x);
}

static void test_IO_106_IO_107_leaf_by_leaf(void **state)
{
	moves_of_leaves("-b 1024", INSERT, false);
	moves_of_leaves("-b 1024", COLLAPSE, false);
	moves_of_leaves("-b 1024 -O ^has_journal", INSERT, false);
	moves_of_leaves("-b 1024 -O ^has_journal", COLLAPSE, false);
}

static void test_IO_106_IO_107_restarts(void **state)
{
	static const char *const names[] = {"os_alloc", "buf_freeze"};

	trace_hook = close_txn;
	for (u32 k = 0; k < array_len(names); k++) {
		point = names[k];
		moves_of_leaves("-b 1024", INSERT, true);
		moves_of_leaves("-b 1024", COLLAPSE, true);
	}
	point = names[0];
	trace_hook = NULL;
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
		cmocka_unit_test(test_IO_106_IO_107_leaf_by_leaf),
		cmocka_unit_test(test_IO_106_IO_107_restarts),
		cmocka_unit_test(test_IO_106_no_room_in_the_map),
		cmocka_unit_test(test_IO_107_no_room_in_the_map),
	};

	fault_hook = fail_nth;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
