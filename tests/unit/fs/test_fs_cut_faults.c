/* The nth allocation of memory or read of a block fails, n counted up, while blocks are cut out of
 * a file: what is cut is freed, so nothing is lost and the journal goes on (AL-19, IO-98).
 */
#include "space_test.h"

#include "base/trace.h"
#include "os/thread.h"

enum { BLOCKS = 300 };

static const char *point;
static u32 victim; /* thread */
static u64 countdown;
static bool hit;

static bool fail_nth(const char *name)
{
	if (os_thread_self() != victim || strcmp(name, point) || !countdown || --countdown)
		return false;
	hit = true;
	return true;
}

static int truncate_all(struct test *x)
{
	return uext4_ftruncate(x->file, 0);
}

static int truncate_half(struct test *x)
{
	return uext4_ftruncate(x->file, BLOCKS / 2 * x->bs);
}

static int punch_most(struct test *x)
{
	return falloc(x, PUNCH, 9 * x->bs, (BLOCKS - 12) * x->bs);
}

/* Every third block, so that the map has several leaves or tables; nothing of it in memory. */
static void spread(struct test *x)
{
	for (u64 k = 0; k < BLOCKS; k += 3)
		fill(x, k, 1);
	uext4_file_close(x->file);
	dt_down(&x->t);
	dt_up(&x->t);
	assert_int_equal(uext4_openat(x->t.fs, x->t.root, "file", O_RDWR, 0, NULL, &x->file), 0);
}

static void cut(const char *options, int (*change)(struct test *x), const char *name)
{
	struct test x;
	u64 n = 1;
	int err;

	victim = os_thread_self();
	point = name;
	setup(&x, options);
	x.t.expect_errors = strcmp(name, "buf_read") == 0; /* in the log */
	do {
		spread(&x);
		hit = false;
		countdown = n++;
		err = change(&x);
		countdown = 0;
		if (err)
			assert_true(hit && (err == -ENOMEM || err == -EIO));
		assert_false(journal_aborted(x.t.v->journal));
		assert_int_equal(change(&x), 0);
		expect_blocks(&x, 0, change != truncate_all, 0);
	} while (hit);
	assert_true(n > 2);
	teardown(&x);
}

static void cuts(const char *options)
{
	static const char *const names[] = {"os_alloc", "buf_read"};

	for (u32 k = 0; k < array_len(names); k++) {
		cut(options, truncate_all, names[k]);
		cut(options, truncate_half, names[k]);
		cut(options, punch_most, names[k]);
	}
}

static void test_AL_19_extents(void **state)
{
	cuts("-b 1024");
	cuts("-b 1024 -g 256");
}

static void test_AL_19_indirect(void **state)
{
	cuts("-b 1024 -O ^extents,^64bit");
}

/* Without a journal no record tells of a file that could not be deleted: e2fsck must be asked for.
 */
static void test_OR_7_no_journal(void **state)
{
	struct test x;
	u64 n = 1;
	bool told;

	victim = os_thread_self();
	point = "os_alloc";
	setup(&x, "-b 1024 -O ^has_journal");
	x.t.expect_errors = true;
	do {
		spread(&x);
		assert_int_equal(uext4_unlink(x.t.root, NULL, "file"), 0);
		hit = false;
		countdown = n++;
		uext4_file_close(x.file);
		countdown = 0;
		told = le16_to_cpu(volume_super(x.t.v)->s_state) & EXT4_STATE_ERROR;
		assert_int_equal(uext4_openat(x.t.fs, x.t.root, "file", O_RDWR | O_CREAT, 0644,
					 NULL, &x.file),
			0);
	} while (hit && !told);
	assert_true(told);
	uext4_file_close(x.file);
	dt_down(&x.t);
	fixture_remove(&x.t.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_AL_19_extents),
		cmocka_unit_test(test_AL_19_indirect),
		cmocka_unit_test(test_OR_7_no_journal),
	};

	fault_hook = fail_nth;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
