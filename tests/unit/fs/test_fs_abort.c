/* What the mounted file system says once its journal has stopped, and what the next mount sees. */
#include "dir/dir_test.h"

#include "base/err.h"
#include "journal/volume.h"

#include <fcntl.h>

static struct uext4_file *create_file(struct dir_test *t, struct uext4_inode **i)
{
	const struct uext4_cred *nobody = NULL;
	struct uext4_file *file = NULL;

	assert_int_equal(dt_create(t->root, "file", S_IFREG | 0644, i), 0);
	assert_int_equal(uext4_file_open(*i, nobody, O_RDWR, &file), 0);
	assert_int_equal(uext4_pwrite(file, "data", 4, 0), 4);
	return file;
}

/* The close of a stopped file system says so. */
static void down(struct dir_test *t, struct uext4_file *file, struct uext4_inode *i)
{
	uext4_file_close(file);
	uext4_inode_put(i);
	uext4_inode_put(t->root);
	assert_int_equal(uext4_close(t->fs), -EIO);
}

/* JB-38: what was not committed is lost, so no sync may claim that it is safe. */
static void test_JB_38_sync_after_abort(void **state)
{
	struct uext4_file *file;
	struct uext4_inode *i;
	struct dir_test t;

	dt_make(&t, 8 << 20, "");
	dt_up(&t);
	t.expect_errors = true;
	file = create_file(&t, &i);
	journal_abort(t.v->journal, -EIO);
	assert_int_equal(uext4_pwrite(file, "more", 4, 4), -EROFS);
	assert_int_equal(uext4_fsync(file), -EIO);
	assert_int_equal(uext4_fdatasync(file), -EIO);
	assert_int_equal(uext4_inode_sync(t.root, false), -EIO);
	assert_int_equal(uext4_sync(t.fs), -EIO);
	down(&t, file, i);
	dt_up(&t);
	assert_int_equal(dt_lookup(t.root, "file", NULL), -ENOENT);
	dt_down(&t);
	fixture_remove(&t.f);
}

/* A shutdown that was asked for is no damage: no error is left for the next mount. */
static void test_shutdown_is_no_error(void **state)
{
	struct uext4_file *file;
	struct uext4_inode *i;
	struct dir_test t;

	dt_make(&t, 8 << 20, "");
	dt_up(&t);
	t.expect_errors = true;
	file = create_file(&t, &i);
	assert_int_equal(uext4_shutdown(t.fs, UEXT4_SHUTDOWN_LOGFLUSH), 0);
	assert_int_equal(uext4_fsync(file), -EIO);
	down(&t, file, i);
	t.expect_errors = false;
	dt_up(&t);
	assert_int_equal(dt_lookup(t.root, "file", NULL), 0);
	assert_int_equal(le16_to_cpu(volume_super(t.v)->s_state) & EXT4_STATE_ERROR, 0);
	dt_end(&t);
}

/* A held file without a name would be deleted under its holder by the next remount. */
static void test_remount_waits_for_unnamed_files(void **state)
{
	struct uext4_inode *i;
	struct dir_test t;

	dt_make(&t, 8 << 20, "");
	dt_up(&t);
	assert_int_equal(dt_create(t.root, "file", S_IFREG | 0644, &i), 0);
	assert_int_equal(uext4_unlink(t.root, NULL, "file"), 0);
	assert_int_equal(uext4_remount(t.fs, true), -EBUSY);
	assert_false(uext4_is_read_only(t.fs));
	uext4_inode_put(i);
	assert_int_equal(uext4_remount(t.fs, true), 0);
	assert_true(uext4_is_read_only(t.fs));
	assert_int_equal(uext4_remount(t.fs, false), 0);
	assert_int_equal(dt_create(t.root, "other", S_IFREG | 0644, &i), 0);
	uext4_inode_put(i);
	dt_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_JB_38_sync_after_abort),
		cmocka_unit_test(test_shutdown_is_no_error),
		cmocka_unit_test(test_remount_waits_for_unnamed_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
