/* Ways to open an image, and what its superblock remembers. */
#include "dir/dir_test.h"

#include <fcntl.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/thread.h"

#define BYTES (16u << 20)

static void quiet(void *arg, enum uext4_log_level level, const char *message)
{
}

static struct uext4_options options(void)
{
	return (struct uext4_options){
		.size = sizeof(struct uext4_options), .no_direct_io = true, .log = quiet};
}

static void file_make(struct dir_test *t, const char *name, const void *data, size_t len, int flags)
{
	struct uext4_file *file;

	assert_int_equal(
		uext4_openat(t->fs, t->root, name, O_RDWR | O_CREAT | flags, 0644, NULL, &file), 0);
	assert_int_equal(uext4_pwrite(file, data, len, 0), len);
	uext4_file_close(file);
}

/* The file of that name in the image at path holds data. */
static void file_expect(const char *path, const struct uext4_options *o, const char *name,
	const void *data, size_t len)
{
	struct uext4_fs *fs;
	struct uext4_file *file;
	char got[256] = {0};

	assert_int_equal(uext4_open(path, o, &fs), 0);
	assert_int_equal(uext4_openat(fs, NULL, name, O_RDONLY, 0, NULL, &file), 0);
	assert_int_equal(uext4_pread(file, got, sizeof(got), 0), len);
	assert_memory_equal(got, data, len);
	uext4_file_close(file);
	assert_int_equal(uext4_close(fs), 0);
}

static void backup_serves(const char *mke2fs_options, u64 backup, size_t wipe)
{
	struct uext4_options o = options();
	struct uext4_fs *fs;
	struct dir_test t;
	char *zero = calloc(1, wipe);

	dt_make(&t, 64 << 20, mke2fs_options);
	dt_up(&t);
	file_make(&t, "file", "content", 7, 0);
	dt_down(&t);
	fixture_poke(&t.f, 0, zero, wipe);
	assert_true(uext4_open(t.f.path, &o, &fs) < 0);
	o.superblock = backup;
	file_expect(t.f.path, &o, "/file", "content", 7);
	assert_true(uext4_open(t.f.path, &(struct uext4_options){.size = sizeof(o)}, &fs) < 0);
	fixture_remove(&t.f);
	free(zero);
}

/* The primary superblock is gone, alone or with its descriptors; the image stays as it is. */
static void test_backup_superblock(void **state)
{
	backup_serves("-b 1024", 8193, 2048);
	backup_serves("-b 4096 -g 4096", 4096, 4096);
	backup_serves("-b 4096 -g 4096", 4096, 8192);
	backup_serves("-b 1024 -O ^metadata_csum,^uninit_bg", 8193, 3072);
}

static void test_partition_offset(void **state)
{
	struct uext4_options o = options();
	char command[200], path[128];
	struct dir_test t;

	dt_make(&t, BYTES, "");
	dt_up(&t);
	file_make(&t, "file", "content", 7, 0);
	dt_down(&t);
	snprintf(path, sizeof(path), "%s-disk", t.f.path);
	snprintf(command, sizeof(command), "dd if=%%s of=%s bs=1M seek=3 status=none", path);
	free(fixture_run(&t.f, command));
	o.offset = 3 << 20;
	file_expect(path, &o, "/file", "content", 7);
	unlink(path);
	fixture_remove(&t.f);
}

/* A copy of a live image is what a crash leaves. */
static void copy_live(struct dir_test *t, char path[128])
{
	char command[200];

	snprintf(path, 128, "%s-copy", t->f.path);
	snprintf(command, sizeof(command), "cp %%s %s", path);
	free(fixture_run(&t->f, command));
}

/* IO-83: what O_SYNC acknowledged survives. RC-12: a read-only open replays and changes nothing. */
static void test_RC_12_read_only_replay(void **state)
{
	struct uext4_options o = options();
	char path[128], command[300];
	struct dir_test t;
	struct fixture c;
	char *before, *after;

	dt_make(&t, BYTES, "");
	dt_up(&t);
	file_make(&t, "synced", "content", 7, O_SYNC);
	copy_live(&t, path);
	fixture_use(&c, path);
	snprintf(command, sizeof(command), "md5sum %%s");
	before = fixture_run(&c, command);
	o.read_only = true;
	file_expect(path, &o, "/synced", "content", 7);
	after = fixture_run(&c, command);
	assert_string_equal(before, after);
	o.read_only = false;
	file_expect(path, &o, "/synced", "content", 7);
	fixture_fsck(&c);
	fixture_remove(&c);
	dt_end(&t);
	free(before);
	free(after);
}

/* RC-14: without the replay only reading is possible. */
static void test_RC_14_noload(void **state)
{
	struct uext4_options o = options();
	struct uext4_fs *fs;
	char path[128];
	struct dir_test t;

	dt_make(&t, BYTES, "");
	dt_up(&t);
	file_make(&t, "synced", "content", 7, O_SYNC);
	copy_live(&t, path);
	o.no_recovery = o.read_only = true;
	assert_int_equal(uext4_open(path, &o, &fs), 0);
	assert_int_equal(uext4_remount(fs, false), -EROFS);
	assert_int_equal(uext4_close(fs), 0);
	unlink(path);
	dt_end(&t);
}

static void assert_in_output(struct fixture *f, const char *command, const char *text)
{
	char *out = fixture_run(f, command);

	if (!strstr(out, text))
		fail_msg("no \"%s\" in: %s", text, out);
	free(out);
}

/* MD-30: recorded whatever errors= does, and not undone by the replay of an older copy. */
static void error_recorded(const char *behaviour)
{
	char command[128];
	struct dir_test t;

	dt_make(&t, BYTES, "");
	snprintf(command, sizeof(command), "tune2fs -e %s %%s", behaviour);
	free(fixture_run(&t.f, command));
	{
		struct uext4_options o = options();

		assert_int_equal(uext4_open(t.f.path, &o, &t.fs), 0);
		assert_int_equal(uext4_root(t.fs, &t.root), 0);
		t.v = &t.fs->fs->volume;
	}
	file_make(&t, "synced", "content", 7, O_SYNC);
	assert_int_equal(volume_error(t.v, -EUCLEAN, 12, 345, "made up"), -EUCLEAN);
	if (!strcmp(behaviour, "continue"))
		assert_int_equal(uext4_sync(t.fs), 0);
	else
		while (!uext4_is_read_only(t.fs))
			os_sleep_ns(NSEC_PER_MSEC);
	uext4_inode_put(t.root);
	assert_int_equal(uext4_close(t.fs), strcmp(behaviour, "continue") ? -EIO : 0);
	assert_in_output(&t.f, "dumpe2fs -h %s", "FS Error count:           1");
	assert_in_output(&t.f, "dumpe2fs -h %s", "First error inode #:      12");
	t.expect_errors = true;
	dt_up(&t); /* replays */
	assert_int_equal(dt_lookup(t.root, "synced", NULL), 0);
	dt_down(&t);
	assert_in_output(&t.f, "dumpe2fs -h %s", "clean with errors");
	assert_in_output(&t.f, "dumpe2fs -h %s", "FS Error count:           1");
	fixture_remove(&t.f);
}

static void test_MD_30_continue(void **state)
{
	error_recorded("continue");
}

static void test_MD_30_remount_ro(void **state)
{
	error_recorded("remount-ro");
}

static void test_MD_30_stop(void **state)
{
	error_recorded("panic");
}

/* --- two engines on one device (MD-21) --- */

static u8 *shared;

static int shared_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	memcpy(buf, shared + offset, len);
	return 0;
}

static int shared_write(void *arg, uint64_t offset, const void *buf, size_t len)
{
	memcpy(shared + offset, buf, len);
	return 0;
}

static int shared_flush(void *arg)
{
	return 0;
}

static void test_MD_21_two_hosts(void **state)
{
	struct uext4_device_ops ops = {.size = sizeof(ops),
		.read = shared_read,
		.write = shared_write,
		.flush = shared_flush,
		.device_bytes = BYTES,
		.block_size = 512};
	struct uext4_options o = options();
	struct uext4_fs *a, *b;
	struct fixture f;

	fixture_make(&f, BYTES, "-O mmp -E mmp_update_interval=1");
	shared = malloc(BYTES);
	fixture_peek(&f, 0, shared, BYTES);
	assert_int_equal(uext4_open_device(&ops, NULL, &o, &a), 0);
	assert_int_equal(uext4_open_device(&ops, NULL, &o, &b), -EBUSY);
	assert_int_equal(uext4_close(a), 0);
	assert_int_equal(uext4_open_device(&ops, NULL, &o, &b), 0);
	assert_int_equal(uext4_close(b), 0);
	fixture_poke(&f, 0, shared, BYTES);
	fixture_fsck(&f);
	fixture_remove(&f);
	free(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backup_superblock),
		cmocka_unit_test(test_partition_offset),
		cmocka_unit_test(test_RC_12_read_only_replay),
		cmocka_unit_test(test_RC_14_noload),
		cmocka_unit_test(test_MD_30_continue),
		cmocka_unit_test(test_MD_30_remount_ro),
		cmocka_unit_test(test_MD_30_stop),
		cmocka_unit_test(test_MD_21_two_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
