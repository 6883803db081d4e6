/*
 * A truncation that failed in its middle: the file is shorter than its blocks, an orphan record
 * says so, and neither may get lost while the file system goes on (OR-1, OR-2, law 1).
 */
#include "disk.h"

#include <fcntl.h>

#include "base/trace.h"
#include "os/atomic.h"

#define BYTES (12u << 20)

static u32 no_tree_access; /* atomic */

static bool refuse_tree_access(const char *name)
{
	return atomic_load_acq(&no_tree_access) && strcmp(name, "map_tree_access") == 0;
}

static void make(struct disk_test *d, const char *mke2fs_options)
{
	*d = (struct disk_test){0};
	disk_make(d, BYTES, mke2fs_options);
	disk_up(d);
}

static void fill(struct disk_test *d, const char *name)
{
	struct uext4_file *file = disk_open(d, name, O_RDWR);

	disk_write(file, 0, 100000, 'A');
	assert_int_equal(uext4_fsync(file), 0);
	uext4_file_close(file);
}

static void truncate_badly(struct disk_test *d, const char *name)
{
	struct uext4_file *file = disk_open(d, name, O_RDWR);

	atomic_store_rel(&no_tree_access, 1);
	assert_int_equal(uext4_ftruncate(file, 1000), -EIO);
	atomic_store_rel(&no_tree_access, 0);
	uext4_file_close(file);
}

static void grow(struct disk_test *d, const char *name)
{
	struct uext4_file *file = disk_open(d, name, O_RDWR);

	assert_int_equal(uext4_ftruncate(file, 50000), 0);
	disk_expect(file, 0, 1000, 'A');
	disk_expect(file, 1000, 49000, 0);
	uext4_file_close(file);
}

/* The inode leaves the cache between the failure and the growth. */
static void forgotten(const char *mke2fs_options)
{
	struct disk_test d;

	make(&d, mke2fs_options);
	fill(&d, "file");
	truncate_badly(&d, "file");
	(void)icache_shrink(d.t.v, 0);
	grow(&d, "file");
	assert_int_equal(uext4_unlink(d.t.root, NULL, "file"), 0);
	fill(&d, "file");
	disk_power_cut(&d);
	disk_end(&d);
}

static void test_OR_4_evicted(void **state)
{
	forgotten("-b 4096 -O ^orphan_file");
	forgotten("-b 4096 -O orphan_file");
	forgotten("-b 4096 -O ^has_journal");
}

/* Unlinked, but open until after the cut: their records are the next mount's business. */
static void cut_first(struct disk_test *d, struct uext4_file *first, struct uext4_file *last)
{
	disk_commit(d);
	d->t.expect_errors = true;
	assert_int_equal(uext4_shutdown(d->t.fs, UEXT4_SHUTDOWN_NOLOGFLUSH), 0);
	uext4_file_close(first);
	uext4_file_close(last);
	disk_power_cut(d);
	d->t.expect_errors = false;
}

static void close_first(struct disk_test *d, struct uext4_file *first, struct uext4_file *last)
{
	uext4_file_close(first);
	uext4_file_close(last);
	disk_commit(d);
	disk_power_cut(d);
}

/* On the list others come and go on both sides of it, which stays or has left by then. */
static void neighbours(bool stays, bool cut)
{
	struct disk_test d;
	struct uext4_file *first, *last;

	make(&d, "-b 4096 -O ^orphan_file");
	fill(&d, "file");
	first = disk_open(&d, "first", O_RDWR);
	last = disk_open(&d, "last", O_RDWR);
	assert_int_equal(uext4_unlink(d.t.root, NULL, "first"), 0);
	truncate_badly(&d, "file");
	assert_int_equal(uext4_unlink(d.t.root, NULL, "last"), 0);
	if (!stays)
		(void)icache_shrink(d.t.v, 0);
	if (cut)
		cut_first(&d, first, last);
	else
		close_first(&d, first, last);
	grow(&d, "file");
	disk_end(&d);
}

static void test_OR_1_neighbours(void **state)
{
	for (unsigned k = 0; k < 4; k++)
		neighbours(k & 1, k & 2);
}

/* A mount that can't finish some of them loses none, and those behind them neither. */
static void test_OR_5_unfinished_at_mount(void **state)
{
	struct disk_test d;
	struct uext4_file *file;

	make(&d, "-b 4096 -O ^orphan_file");
	fill(&d, "file");
	fill(&d, "gone");
	truncate_badly(&d, "file");
	file = disk_open(&d, "gone", O_RDWR);
	assert_int_equal(uext4_unlink(d.t.root, NULL, "gone"), 0);
	disk_commit(&d);
	uext4_file_close(disk_open(&d, "empty", O_RDWR));
	atomic_store_rel(&no_tree_access, 1);
	uext4_file_close(file); /* its deletion fails */
	disk_commit(&d);
	disk_power_cut(&d);
	atomic_store_rel(&no_tree_access, 0);
	grow(&d, "file");
	assert_int_equal(uext4_unlink(d.t.root, NULL, "empty"), 0);
	disk_commit(&d);
	disk_power_cut(&d);
	grow(&d, "file");
	disk_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_OR_4_evicted),
		cmocka_unit_test(test_OR_1_neighbours),
		cmocka_unit_test(test_OR_5_unfinished_at_mount),
	};

	fault_hook = refuse_tree_access;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
