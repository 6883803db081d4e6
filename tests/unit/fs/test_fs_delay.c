/* Delayed allocation and its writeback: space, sizes, errors. */
#include "disk.h"

#include <fcntl.h>
#include <unistd.h>

#include "os/atomic.h"

#define BYTES (12u << 20)
#define BS 4096u

static struct uext4_extent first_extent(struct uext4_file *file)
{
	struct uext4_extent e;

	assert_int_equal(uext4_extents(uext4_file_inode(file), 0, &e, 1), 1);
	return e;
}

static void make(struct disk_test *d, u64 bytes, const char *mke2fs_options)
{
	*d = (struct disk_test){0};
	disk_make(d, bytes, mke2fs_options);
	disk_up(d);
}

static void test_IO_25_disk_size_follows_data(void **state)
{
	struct disk_test d;
	struct uext4_file *file;

	make(&d, BYTES, "-b 4096");
	file = disk_open(&d, "file", O_RDWR);
	disk_write(file, 0, 10000, 1);
	assert_int_equal(first_extent(file).state, UEXT4_EXTENT_DELAYED);
	assert_int_equal(disk_stat(file).size, 10000);
	assert_int_equal(disk_stat(file).blocks, 3 * BS / 512); /* g614, g615 */
	disk_commit(&d);
	uext4_file_close(file);
	disk_power_cut(&d);
	file = disk_open(&d, "file", O_RDWR);
	assert_int_equal(disk_stat(file).size, 0);
	disk_write(file, 0, 10000, 2);
	assert_int_equal(uext4_fsync(file), 0);
	assert_int_equal(first_extent(file).state, UEXT4_EXTENT_WRITTEN);
	assert_int_equal(disk_stat(file).blocks, 3 * BS / 512);
	/* IO-26: the end lies in a written block; its new bytes are not on the device. */
	disk_write(file, 10000, 100, 2);
	disk_commit(&d);
	uext4_file_close(file);
	disk_power_cut(&d);
	file = disk_open(&d, "file", O_RDWR);
	assert_int_equal(disk_stat(file).size, 10000);
	disk_expect(file, 0, 10000, 2);
	disk_write(file, 10000, 100, 2);
	assert_int_equal(uext4_fdatasync(file), 0);
	uext4_file_close(file);
	disk_power_cut(&d);
	file = disk_open(&d, "file", O_RDWR);
	assert_int_equal(disk_stat(file).size, 10100);
	disk_expect(file, 0, 10100, 2);
	uext4_file_close(file);
	disk_end(&d);
}

/* IO-17: what the device refused is not converted, split or not. */
static void failed_first_write(const char *mke2fs_options, bool nodelalloc)
{
	struct disk_test d = {.options.nodelalloc = nodelalloc};
	struct uext4_file *file;

	disk_make(&d, BYTES, mke2fs_options);
	disk_up(&d);
	d.t.expect_errors = true;
	file = disk_open(&d, "file", O_RDWR);
	disk_write(file, 0, 20000, MARKED);
	atomic_store_rel(&d.disk.fail_marked, true);
	assert_int_equal(uext4_fsync(file), -EIO);
	assert_int_equal(uext4_fsync(file), 0); /* IO-91 */
	assert_int_equal(first_extent(file).state, UEXT4_EXTENT_UNWRITTEN);
	assert_int_equal(uext4_sync(d.t.fs), -EIO); /* syncfs has a cursor of its own */
	assert_int_equal(uext4_sync(d.t.fs), 0);
	uext4_file_close(file);
	disk_power_cut(&d);
	file = disk_open(&d, "file", O_RDWR);
	disk_expect(file, 0, disk_stat(file).size, 0);
	disk_write(file, 0, 20000, 3);
	assert_int_equal(uext4_fsync(file), 0);
	disk_expect(file, 0, 20000, 3);
	uext4_file_close(file);
	disk_end(&d);
}

static void test_IO_74_failed_first_write_shows_zeros(void **state)
{
	failed_first_write("-b 4096", false);
	failed_first_write("-b 1024", true);
	failed_first_write("-b 1024 -O ^has_journal", false);
}

/* Blocks of indirect files are readable at once; what the device held there must not be seen. */
static void failed_indirect(const char *mke2fs_options, bool in_commit, bool zeros_fail)
{
	struct disk_test d = {.options = {0}};
	struct uext4_file *file;

	disk_make(&d, BYTES, mke2fs_options);
	disk_up(&d);
	d.t.expect_errors = true;
	file = disk_open(&d, "file", O_RDWR);
	disk_write(file, 0, 8192, 1);
	assert_int_equal(uext4_fsync(file), 0);
	disk_write(file, 0, 20000, MARKED);
	atomic_store_rel(&d.disk.fail_marked, true);
	atomic_store_rel(&d.disk.fail_zeros, zeros_fail);
	if (in_commit)
		(void)journal_commit_all(d.t.v->journal, NULL);
	assert_int_equal(uext4_fsync(file), -EIO);
	uext4_file_close(file);
	disk_power_cut(&d);
	d.t.expect_errors = true;
	file = disk_open(&d, "file", O_RDWR);
	disk_expect(file, 0, 8192, 1); /* its first data was there before */
	disk_expect(file, 8192, disk_stat(file).size - 8192, 0);
	uext4_file_close(file);
	disk_end(&d);
}

static void test_IO_76_failed_first_write_of_indirect_files(void **state)
{
	failed_indirect("-b 4096 -O ^extent,^64bit", false, false);
	failed_indirect("-b 4096 -O ^extent,^64bit", true, false);
	failed_indirect("-b 1024 -O ^extent,^64bit", true, false);
	failed_indirect("-b 1024 -O ^extent,^64bit,^has_journal", false, false);
	failed_indirect("-b 4096 -O ^extent,^64bit", false, true);
	failed_indirect("-b 4096 -O ^extent,^64bit", true, true);
}

/* IO-23: promised exactly once, given back exactly once. */
static void test_IO_23_claims(void **state)
{
	struct disk_test d;
	struct uext4_file *file;

	make(&d, BYTES, "-b 4096");
	file = disk_open(&d, "file", O_RDWR);
	disk_write(file, 0, 100 * BS, 1);
	assert_int_equal(disk_claimed(&d), 100);
	disk_write(file, 50 * BS + 10, 100 * BS, 2); /* half of it anew */
	assert_int_equal(disk_claimed(&d), 151);
	assert_int_equal(uext4_ftruncate(file, 20 * BS + 1), 0);
	assert_int_equal(disk_claimed(&d), 21);
	assert_int_equal(disk_stat(file).blocks, 21 * BS / 512);
	assert_int_equal(uext4_fsync(file), 0);
	assert_int_equal(disk_claimed(&d), 0);
	disk_write(file, 0, 40 * BS, 3); /* 19 new ones */
	assert_int_equal(disk_claimed(&d), 19);
	assert_int_equal(uext4_unlink(d.t.root, NULL, "file"), 0);
	assert_int_equal(disk_claimed(&d), 19);
	uext4_file_close(file);
	disk_end(&d);
}

/* IO-71: ENOSPC belongs to the write; what was accepted gets its place. */
static void fill_up(struct disk_test *d, u32 seed)
{
	struct uext4_file *file[4];
	struct rng rng;
	u64 size[4] = {0};
	char name[8];
	unsigned full = 0;

	rng_init(&rng, seed);
	for (unsigned k = 0; k < 4; k++) {
		snprintf(name, sizeof(name), "n%u", k);
		file[k] = disk_open(d, name, O_RDWR);
	}
	while (full < 8) {
		unsigned k = (unsigned)rng_below(&rng, 4);
		u64 len = 1 + rng_below(&rng, 60000), gap = rng_below(&rng, 3) * 5000;
		u8 *buf = malloc(len);
		ssize_t n;

		memset(buf, (int)(k + 1), len);
		n = uext4_pwrite(file[k], buf, len, size[k] + gap);
		assert_true(n > 0 || n == -ENOSPC);
		if (n > 0)
			size[k] += gap + (u64)n;
		full += n != (ssize_t)len;
		free(buf);
	}
	for (unsigned k = 0; k < 4; k++)
		assert_int_equal(uext4_fsync(file[k]), 0);
	assert_int_equal(disk_claimed(d), 0);
	for (unsigned k = 0; k < 4; k++) {
		u8 *buf = malloc(size[k] + 1);

		assert_int_equal(uext4_pread(file[k], buf, size[k] + 1, 0), size[k]);
		for (u64 at = 0; at < size[k]; at++)
			assert_true(buf[at] == 0 || buf[at] == k + 1);
		free(buf);
		uext4_file_close(file[k]);
		snprintf(name, sizeof(name), "n%u", k);
		assert_int_equal(uext4_unlink(d->t.root, NULL, name), 0);
	}
}

static void test_IO_71_no_space(void **state)
{
	static const char *const options[] = {"-b 1024", "-b 4096", "-b 1024 -O ^has_journal"};

	for (unsigned k = 0; k < array_len(options); k++) {
		struct disk_test d;

		make(&d, 8 << 20, options[k]);
		for (u32 seed = 0; seed < 3; seed++)
			fill_up(&d, seed);
		disk_end(&d);
	}
}

/* IO-79: garbage behind the end, left by whoever wrote the image, never becomes the file's. */
static void test_IO_79_garbage_behind_the_end(void **state)
{
	for (unsigned how = 0; how < 3; how++) {
		struct disk_test d;
		struct uext4_file *file;
		u64 at;

		make(&d, BYTES, "-b 4096");
		file = disk_open(&d, "file", O_RDWR);
		disk_write(file, 0, 100, 1);
		assert_int_equal(uext4_fsync(file), 0);
		at = first_extent(file).physical;
		uext4_file_close(file);
		assert_int_equal(disk_down(&d), 0);
		memset(d.disk.bytes + at + 100, POISON, BS - 100);
		disk_up(&d);
		file = disk_open(&d, "file", O_RDWR);
		if (how == 0)
			assert_int_equal(uext4_ftruncate(file, 9000), 0);
		else
			disk_write(file, how == 1 ? 50000 : 300, 10, 2);
		disk_expect(file, 100, how == 2 ? 200 : 8900, 0);
		if (how == 0)
			disk_commit(&d);
		else
			assert_int_equal(
				iofile_write_range(&file->inode->io, BS, UINT64_MAX, true), 0);
		disk_commit(&d);
		uext4_file_close(file);
		disk_power_cut(&d);
		file = disk_open(&d, "file", O_RDWR);
		disk_expect(file, 0, 100, 1);
		if (disk_stat(file).size > 100)
			disk_expect(file, 100, how == 2 ? 200 : 8900, 0);
		else
			assert_int_equal(how, 2);
		uext4_file_close(file);
		disk_end(&d);
	}
}

/* IO-85: what takes the place of an old file is not empty after a cut. */
static void test_IO_85_replaced_files(void **state)
{
	struct disk_test d;
	struct uext4_file *file;

	make(&d, BYTES, "-b 4096");
	file = disk_open(&d, "kept", O_RDWR);
	disk_write(file, 0, 9000, 1);
	uext4_file_close(file);
	file = disk_open(&d, "cut", O_RDWR);
	disk_write(file, 0, 9000, 1);
	uext4_file_close(file);
	assert_int_equal(uext4_sync(d.t.fs), 0);
	file = disk_open(&d, "new", O_RDWR);
	disk_write(file, 0, 5000, 2);
	uext4_file_close(file);
	assert_int_equal(uext4_rename(d.t.root, "new", d.t.root, "kept", NULL, 0), 0);
	file = disk_open(&d, "cut", O_RDWR | O_TRUNC);
	disk_write(file, 0, 5000, 2);
	uext4_file_close(file);
	disk_commit(&d);
	disk_power_cut(&d);
	for (unsigned k = 0; k < 2; k++) {
		file = disk_open(&d, k ? "kept" : "cut", O_RDWR);
		assert_int_equal(disk_stat(file).size, 5000);
		disk_expect(file, 0, 5000, 2);
		uext4_file_close(file);
	}
	disk_end(&d);
}

static u64 commits(struct disk_test *d)
{
	struct journal_stats s;

	journal_stats(d->t.v->journal, &s);
	return s.commits;
}

/* IO-89: new times alone are no reason to commit; a size, or a block's first bytes, are. */
static void test_IO_89_fdatasync(void **state)
{
	struct disk_test d;
	struct uext4_file *file;
	struct uext4_stat first, st;
	u64 before;

	make(&d, BYTES, "-b 4096");
	file = disk_open(&d, "file", O_RDWR);
	disk_write(file, 0, 3 * BS, 1);
	assert_int_equal(uext4_fdatasync(file), 0);
	before = commits(&d);
	first = disk_stat(file);
	do { /* the coarse clock must have moved */
		disk_write(file, BS, BS, 2);
		st = disk_stat(file);
	} while (st.mtime.tv_sec == first.mtime.tv_sec && st.mtime.tv_nsec == first.mtime.tv_nsec);
	assert_int_equal(uext4_fdatasync(file), 0);
	assert_int_equal(commits(&d), before);
	assert_int_equal(uext4_fsync(file), 0);
	assert_int_equal(commits(&d), before + 1);
	disk_write(file, 3 * BS, 1, 2);
	assert_int_equal(uext4_fdatasync(file), 0);
	assert_int_equal(commits(&d), before + 2);
	uext4_file_close(file);
	disk_power_cut(&d);
	file = disk_open(&d, "file", O_RDWR);
	assert_int_equal(disk_stat(file).size, 3 * BS + 1);
	disk_expect(file, BS, BS, 2);
	uext4_file_close(file);
	disk_end(&d);
}

/*
 * IO-24: a conversion deep in the tree passes by the inode record, and must be committed all the
 * same, also if the record's own changes, the times, have been before.
 */
static void conversion_in_a_leaf(int (*sync)(struct uext4_file *file))
{
	struct disk_test d;
	struct uext4_file *file, *other;

	make(&d, BYTES, "-b 1024");
	file = disk_open(&d, "file", O_RDWR);
	for (u64 k = 0; k < 40; k++)
		disk_write(file, k * 4096, 1024, 1);
	assert_int_equal(uext4_fallocate(file, 0, 50 * 4096, 4096), 0);
	assert_int_equal(uext4_fsync(file), 0);
	disk_write(file, 50 * 4096, 4096, 2);
	other = disk_open(&d, "other", O_RDWR | O_CREAT);
	assert_int_equal(uext4_fsync(other), 0);
	uext4_file_close(other);
	assert_int_equal(sync(file), 0);
	uext4_file_close(file);
	disk_power_cut(&d);
	file = disk_open(&d, "file", O_RDWR);
	disk_expect(file, 50 * 4096, 4096, 2);
	uext4_file_close(file);
	disk_end(&d);
}

static void test_IO_24_conversion_in_a_leaf(void **state)
{
	conversion_in_a_leaf(uext4_fdatasync);
	conversion_in_a_leaf(uext4_fsync);
}

/* IO-9, AL: what was written in order lies in order. */
static void test_IO_9_sequential_write_is_contiguous(void **state)
{
	struct disk_test d;
	struct uext4_file *file;
	struct uext4_extent e[8];

	make(&d, 24 << 20, "-b 4096");
	file = disk_open(&d, "file", O_RDWR);
	for (u64 pos = 0; pos < 10 << 20; pos += BS)
		disk_write(file, pos, BS, 1);
	assert_int_equal(uext4_fsync(file), 0);
	assert_int_equal(uext4_extents(uext4_file_inode(file), 0, e, 8), 1);
	uext4_file_close(file);
	disk_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_25_disk_size_follows_data),
		cmocka_unit_test(test_IO_74_failed_first_write_shows_zeros),
		cmocka_unit_test(test_IO_76_failed_first_write_of_indirect_files),
		cmocka_unit_test(test_IO_23_claims),
		cmocka_unit_test(test_IO_71_no_space),
		cmocka_unit_test(test_IO_79_garbage_behind_the_end),
		cmocka_unit_test(test_IO_85_replaced_files),
		cmocka_unit_test(test_IO_89_fdatasync),
		cmocka_unit_test(test_IO_24_conversion_in_a_leaf),
		cmocka_unit_test(test_IO_9_sequential_write_is_contiguous),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
