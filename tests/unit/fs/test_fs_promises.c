/* What sync calls promise after a punch, a rename, a move; and questions, which promise nothing. */
#include "disk.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES (12u << 20)
#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

static void make(struct disk_test *d, const char *mke2fs_options)
{
	*d = (struct disk_test){0};
	disk_make(d, BYTES, mke2fs_options);
	disk_up(d);
}

/* IO-31: the punch drops the data that would have carried the size to the disk. */
static void punched_tail(const char *mke2fs_options, u64 from)
{
	struct disk_test d;
	struct uext4_file *file;

	make(&d, mke2fs_options);
	file = disk_open(&d, "file", O_RDWR);
	disk_write(file, 0, 10000, 1);
	assert_int_equal(uext4_fsync(file), 0);
	disk_write(file, 10000, 30000, 1);				/* delayed */
	assert_int_equal(uext4_fallocate(file, PUNCH, from, 60000), 0); /* beyond the end */
	assert_int_equal(uext4_fsync(file), 0);
	uext4_file_close(file);
	disk_power_cut(&d);
	file = disk_open(&d, "file", O_RDWR);
	assert_int_equal(disk_stat(file).size, 40000);
	disk_expect(file, 0, from, 1);
	disk_expect(file, from, 40000 - from, 0);
	uext4_file_close(file);
	disk_end(&d);
}

static void test_IO_31_punched_tail(void **state)
{
	punched_tail("-b 4096", 10000);
	punched_tail("-b 4096", 12288);
	punched_tail("-b 1024", 20000);
	punched_tail("-b 1024 -O ^extent,^64bit", 20480);
}

static void sync_path(struct disk_test *d, const char *path)
{
	struct uext4_inode *i;

	assert_int_equal(uext4_resolve(d->t.fs, NULL, path, 0, NULL, &i), 0);
	assert_int_equal(uext4_inode_sync(i, false), 0);
	uext4_inode_put(i);
}

static void create(struct disk_test *d, const char *path)
{
	struct uext4_file *file;

	assert_int_equal(uext4_openat(d->t.fs, NULL, path, O_RDWR | O_CREAT, 0644, NULL, &file), 0);
	disk_write(file, 0, 5000, 1);
	uext4_file_close(file);
}

static void expect_links(struct disk_test *d, const char *path, u32 links)
{
	struct uext4_stat st;
	int err = uext4_statat(d->t.fs, NULL, path, 0, NULL, &st);

	if (err)
		fail_msg("%s: %d", path, err);
	assert_int_equal(st.links, links);
}

/* IO-90: the sync of one directory commits all names, link counts and new inodes there are. */
static void test_IO_90_synced_directory(void **state)
{
	struct disk_test d;
	struct uext4_stat st;

	make(&d, "-b 1024");
	assert_int_equal(uext4_mkdirat(d.t.fs, NULL, "a", 0755, NULL), 0);
	assert_int_equal(uext4_mkdirat(d.t.fs, NULL, "b", 0755, NULL), 0);
	assert_int_equal(uext4_sync(d.t.fs), 0);
	create(&d, "a/one");
	assert_int_equal(uext4_renameat(d.t.fs, NULL, "a/one", NULL, "b/two", 0, NULL), 0);
	assert_int_equal(uext4_linkat(d.t.fs, NULL, "b/two", NULL, "a/three", NULL), 0);
	assert_int_equal(uext4_renameat(d.t.fs, NULL, "a", NULL, "b/a", 0, NULL), 0);
	sync_path(&d, "b/a");
	assert_int_equal(uext4_mkdirat(d.t.fs, NULL, "b/a/new", 0755, NULL), 0);
	sync_path(&d, "/"); /* nothing was done to this one */
	disk_power_cut(&d);
	expect_links(&d, "b/two", 2);
	expect_links(&d, "b/a/three", 2);
	expect_links(&d, "b", 3);
	expect_links(&d, "b/a/new", 2);
	assert_int_equal(uext4_statat(d.t.fs, NULL, "a", 0, NULL, &st), -ENOENT);
	disk_end(&d);
}

/* IO-90: an fsync of a new file alone brings its name, and its new parents. */
static void test_IO_90_new_parents(void **state)
{
	struct uext4_file *file;
	struct disk_test d;

	make(&d, "-b 1024");
	assert_int_equal(uext4_mkdirat(d.t.fs, NULL, "a", 0755, NULL), 0);
	assert_int_equal(uext4_mkdirat(d.t.fs, NULL, "a/b", 0755, NULL), 0);
	create(&d, "a/b/first");
	assert_int_equal(uext4_renameat(d.t.fs, NULL, "a/b/first", NULL, "a/b/then", 0, NULL), 0);
	sync_path(&d, "a/b/then");
	disk_power_cut(&d);
	assert_int_equal(uext4_openat(d.t.fs, NULL, "a/b/then", O_RDONLY, 0, NULL, &file), 0);
	disk_expect(file, 0, 5000, 1);
	uext4_file_close(file);
	disk_end(&d);
}

/* IO-103: bytes that are written again where part of a page was punched have a place again. */
static void test_IO_103_written_again(void **state)
{
	struct disk_test d;
	struct uext4_file *file;

	make(&d, "-b 1024");
	file = disk_open(&d, "file", O_RDWR);
	disk_write(file, 0, 8192, 1);
	for (unsigned round = 0; round < 2; round++) { /* of a delayed block, of a written one */
		assert_int_equal(uext4_fallocate(file, PUNCH, 1000, 2100), 0);
		disk_write(file, 1500, 100, 2);
		disk_expect(file, 1000, 500, 0);
		disk_expect(file, 1500, 100, 2);
		disk_expect(file, 1600, 1500, 0);
		assert_int_equal(uext4_fsync(file), 0);
	}
	uext4_file_close(file);
	disk_power_cut(&d);
	file = disk_open(&d, "file", O_RDWR);
	disk_expect(file, 0, 1000, 1);
	disk_expect(file, 1000, 500, 0);
	disk_expect(file, 1500, 100, 2);
	disk_expect(file, 1600, 1500, 0);
	disk_expect(file, 3100, 8192 - 3100, 1);
	uext4_file_close(file);
	disk_end(&d);
}

/* IO-118: who only asks changes nothing: what is delayed stays so. */
static void test_IO_118_report(void **state)
{
	struct uext4_fiemap_extent e[4];
	struct disk_test d;
	struct uext4_file *file;

	make(&d, "-b 4096");
	file = disk_open(&d, "file", O_RDWR);
	disk_write(file, 4096, 8192, 1);
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(uext4_fiemap(uext4_file_inode(file), 0, UINT64_MAX, 0, e, 4), 1);
		assert_int_equal(e[0].flags,
			FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_LAST);
		assert_int_equal(e[0].logical, 4096);
		assert_int_equal(e[0].length, 8192);
		assert_int_equal(uext4_seek(file, 0, SEEK_DATA), 4096);
		assert_int_equal(uext4_seek(file, 0, SEEK_HOLE), 0);
		assert_int_equal(disk_claimed(&d), 2);
	}
	uext4_file_close(file);
	disk_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_31_punched_tail),
		cmocka_unit_test(test_IO_90_synced_directory),
		cmocka_unit_test(test_IO_90_new_parents),
		cmocka_unit_test(test_IO_103_written_again),
		cmocka_unit_test(test_IO_118_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
