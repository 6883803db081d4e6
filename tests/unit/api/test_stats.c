/* uext4_stats: each counter counts what it says. */
#include "dir/dir_test.h"

#include <fcntl.h>

#define BLOCK 4096u

static struct uext4_stats stats(struct dir_test *t)
{
	struct uext4_stats st;

	assert_int_equal(uext4_stats(t->fs, &st), 0);
	return st;
}

static struct uext4_file *file(struct dir_test *t, const char *name, int flags)
{
	struct uext4_file *f;

	assert_int_equal(uext4_openat(t->fs, t->root, name, O_RDWR | flags, 0644, NULL, &f), 0);
	return f;
}

/* --- operations --- */

static void test_operations_are_counted(void **state)
{
	struct uext4_stats before, after;
	struct uext4_file *f;
	struct uext4_stat st;
	struct dir_test t;
	char buf[100] = "";

	dt_make(&t, 32 << 20, "");
	dt_up(&t);
	before = stats(&t);
	f = file(&t, "a", O_CREAT);
	assert_int_equal(uext4_pwrite(f, buf, sizeof(buf), 0), sizeof(buf));
	assert_int_equal(uext4_pwrite(f, buf, sizeof(buf), 100), sizeof(buf));
	assert_int_equal(uext4_pread(f, buf, sizeof(buf), 0), sizeof(buf));
	assert_int_equal(uext4_fsync(f), 0);
	uext4_file_close(f);
	assert_int_equal(uext4_statat(t.fs, t.root, "a", 0, NULL, &st), 0);
	assert_int_equal(uext4_rename(t.root, "a", t.root, "b", NULL, 0), 0);
	assert_int_equal(uext4_unlink(t.root, NULL, "b"), 0);
	after = stats(&t);
	assert_int_equal(after.creates - before.creates, 1);
	assert_int_equal(after.opens - before.opens, 1);
	assert_int_equal(after.writes - before.writes, 2);
	assert_int_equal(after.reads - before.reads, 1);
	assert_int_equal(after.syncs - before.syncs, 1);
	assert_int_equal(after.renames - before.renames, 1);
	assert_int_equal(after.removes - before.removes, 1);
	assert_true(after.lookups > before.lookups);
	assert_true(after.name_hits > before.name_hits);
	assert_true(after.inode_hits > before.inode_hits);
	assert_true(after.commits > before.commits);
	assert_true(after.blocks_logged > before.blocks_logged);
	assert_true(after.device_writes > before.device_writes);
	assert_true(after.device_bytes_written >= before.device_bytes_written + BLOCK);
	dt_end(&t);
}

/* --- the device, and requests of a queue --- */

static void test_direct_requests_reach_the_device_one_by_one(void **state)
{
	struct uext4_queue_options o = {.size = sizeof(o), .depth = 4};
	u8 *buf = aligned_alloc(BLOCK, BLOCK);
	struct uext4_stats before, after;
	struct uext4_request r[4];
	struct uext4_completion c[4];
	struct uext4_queue *q;
	struct uext4_file *f;
	struct dir_test t;

	dt_make(&t, 32 << 20, "");
	dt_up(&t);
	f = file(&t, "f", O_CREAT | O_DIRECT);
	memset(buf, 'x', BLOCK);
	for (unsigned k = 0; k < 4; k++)
		assert_int_equal(uext4_pwrite(f, buf, BLOCK, k * BLOCK), BLOCK);
	assert_int_equal(uext4_sync(t.fs), 0);
	assert_int_equal(uext4_queue_create(t.fs, &o, &q), 0);
	for (unsigned k = 0; k < 4; k++)
		r[k] = (struct uext4_request){.op = UEXT4_OP_READ,
			.file = f,
			.buf = buf,
			.len = BLOCK,
			.offset = k * BLOCK};
	before = stats(&t);
	assert_int_equal(uext4_queue_submit(q, r, 4), 4);
	assert_int_equal(uext4_queue_reap(q, c, 4, 4, -1), 4);
	after = stats(&t);
	assert_int_equal(after.reads - before.reads, 4);
	assert_int_equal(after.device_reads - before.device_reads, 4);
	assert_int_equal(after.device_bytes_read - before.device_bytes_read, 4 * BLOCK);
	uext4_queue_destroy(q);
	uext4_file_close(f);
	dt_end(&t);
	free(buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operations_are_counted),
		cmocka_unit_test(test_direct_requests_reach_the_device_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
