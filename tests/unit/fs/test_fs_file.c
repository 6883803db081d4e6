/* Rules of single file operations, through the public interface. */
#include "dir/dir_test.h"

#include <fcntl.h>
#include <unistd.h>

#include "os/atomic.h"
#include "os/clock.h"
#include "os/thread.h"

#define BYTES (16u << 20)

static struct uext4_file *file_open(struct dir_test *t, const char *name, int flags)
{
	struct uext4_file *file = NULL;

	assert_int_equal(uext4_openat(t->fs, t->root, name, flags | O_CREAT, 0644, NULL, &file), 0);
	return file;
}

static void expect_bytes(struct uext4_file *file, u64 pos, u64 len, u8 value)
{
	u8 *buf = malloc(len);

	assert_int_equal(uext4_pread(file, buf, len, pos), len);
	for (u64 k = 0; k < len; k++)
		if (buf[k] != value)
			fail_msg("byte %llu is %02x", (unsigned long long)(pos + k), buf[k]);
	free(buf);
}

static u64 blocks_of(struct uext4_file *file)
{
	struct uext4_stat st;

	assert_int_equal(uext4_stat(uext4_file_inode(file), &st), 0);
	return st.blocks;
}

/* IO-1, IO-66: preallocated blocks read as zeros, also around a small write into them. */
static void preallocated(const char *mke2fs_options, u32 bs)
{
	struct uext4_file *file;
	struct uext4_extent e[16];
	struct dir_test t;
	char *poison = malloc(1 << 20);
	int n;

	dt_make(&t, BYTES, mke2fs_options);
	dt_up(&t);
	memset(poison, 0xEE, 1 << 20);
	file = file_open(&t, "poison", O_RDWR);
	for (u64 pos = 0; uext4_pwrite(file, poison, 1 << 20, pos) == 1 << 20;)
		pos += 1 << 20; /* until the device is full */
	uext4_file_close(file);
	uext4_file_close(file_open(&t, "file", O_RDWR));
	assert_int_equal(uext4_sync(t.fs), 0);
	assert_int_equal(uext4_unlink(t.root, NULL, "poison"), 0);
	dt_down(&t);
	free(dt_debugfs(&t, "fallocate /file 0 99", true));
	free(dt_debugfs(&t, "sif /file size 50000", true));
	dt_up(&t);
	file = file_open(&t, "file", O_RDWR);
	n = uext4_extents(uext4_file_inode(file), 0, e, 16);
	assert_true(n > 0);
	assert_int_equal(e[0].state, UEXT4_EXTENT_UNWRITTEN);
	assert_int_equal(uext4_seek(file, 0, SEEK_DATA), -ENXIO);
	expect_bytes(file, 0, 50000, 0);
	assert_int_equal(uext4_pwrite(file, "x", 1, 7 * bs + 5), 1);
	expect_bytes(file, 0, 7 * bs + 5, 0);
	expect_bytes(file, 7 * bs + 5, 1, 'x');
	expect_bytes(file, 7 * bs + 6, 50000 - 7 * bs - 6, 0);
	assert_int_equal(uext4_fsync(file), 0);
	uext4_file_close(file);
	dt_down(&t);
	dt_up(&t);
	file = file_open(&t, "file", O_RDWR);
	expect_bytes(file, 0, 7 * bs + 5, 0);
	expect_bytes(file, 7 * bs + 5, 1, 'x');
	expect_bytes(file, 7 * bs + 6, 50000 - 7 * bs - 6, 0);
	/* IO-35, IO-97: blocks behind the end go on truncate to the same size, not before. */
	assert_true(blocks_of(file) >= 100 * (bs / 512));
	assert_int_equal(uext4_ftruncate(file, 50000), 0);
	assert_in_range(blocks_of(file), 1, (50000 / bs + 3) * (bs / 512));
	uext4_file_close(file);
	free(poison);
	dt_end(&t);
}

static void test_IO_66_preallocated_4k(void **state)
{
	preallocated("-b 4096", 4096);
}

static void test_IO_66_preallocated_1k(void **state)
{
	preallocated("-b 1024", 1024);
}

/* --- a device that fails on demand --- */

static u8 *disk;
static u64 bad_start, bad_end; /* atomic */
static u64 slow_ns;	       /* of each write; atomic */

static int disk_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	memcpy(buf, disk + offset, len);
	return 0;
}

static int disk_write(void *arg, uint64_t offset, const void *buf, size_t len)
{
	if (atomic_load_acq(&slow_ns))
		os_sleep_ns(atomic_load_acq(&slow_ns));
	if (offset < atomic_load_acq(&bad_end) && offset + len > atomic_load_acq(&bad_start))
		return -EIO;
	memcpy(disk + offset, buf, len);
	return 0;
}

static int disk_flush(void *arg)
{
	return 0;
}

static void disk_up(struct dir_test *t, const char *mke2fs_options, u64 cache_bytes)
{
	static const struct uext4_device_ops ops = {.size = sizeof(ops),
		.read = disk_read,
		.write = disk_write,
		.flush = disk_flush,
		.device_bytes = BYTES,
		.block_size = 512};
	struct uext4_options o = {.size = sizeof(o), .cache_bytes = cache_bytes};

	dt_make(t, BYTES, mke2fs_options);
	disk = malloc(BYTES);
	bad_start = bad_end = slow_ns = 0;
	fixture_peek(&t->f, 0, disk, BYTES);
	assert_int_equal(uext4_open_device(&ops, NULL, &o, &t->fs), 0);
	assert_int_equal(uext4_root(t->fs, &t->root), 0);
}

static int disk_close(struct dir_test *t)
{
	uext4_inode_put(t->root);
	return uext4_close(t->fs);
}

static void disk_save(struct dir_test *t)
{
	fixture_poke(&t->f, 0, disk, BYTES);
	free(disk);
}

static int disk_down(struct dir_test *t)
{
	int err = disk_close(t);

	disk_save(t);
	return err;
}

static void test_IO_91_each_open_file_is_told_once(void **state)
{
	struct uext4_file *a, *b, *late;
	struct uext4_extent e;
	struct dir_test t;

	disk_up(&t, "", 0);
	a = file_open(&t, "file", O_RDWR);
	b = file_open(&t, "file", O_RDWR);
	assert_int_equal(uext4_pwrite(a, "old", 3, 0), 3);
	assert_int_equal(uext4_fsync(a), 0);
	assert_int_equal(uext4_extents(uext4_file_inode(a), 0, &e, 1), 1);
	atomic_store_rel(&bad_start, e.physical);
	atomic_store_rel(&bad_end, e.physical + e.length);
	assert_int_equal(uext4_pwrite(a, "new", 3, 0), 3);
	assert_int_equal(uext4_fsync(a), -EIO);
	assert_int_equal(uext4_fsync(a), 0);
	late = file_open(&t, "file", O_RDWR);
	assert_int_equal(uext4_fsync(late), 0);
	assert_int_equal(uext4_fdatasync(b), -EIO);
	assert_int_equal(uext4_fdatasync(b), 0);
	/* IO-83: a sync error replaces the count. */
	uext4_file_close(late);
	late = file_open(&t, "file", O_RDWR | O_DSYNC);
	assert_int_equal(uext4_pwrite(late, "new", 3, 0), -EIO);
	atomic_store_rel(&bad_end, 0);
	assert_int_equal(uext4_pwrite(late, "new", 3, 0), 3);
	uext4_file_close(a);
	uext4_file_close(b);
	uext4_file_close(late);
	/* And once to who syncs everything; an unmount would tell it, too. */
	assert_int_equal(uext4_sync(t.fs), -EIO);
	assert_int_equal(disk_down(&t), 0);
	fixture_fsck(&t.f);
	fixture_remove(&t.f);
}

/* IO-62: after the stop nothing reaches the device, and the image is what was committed. */
static void shut_down(enum uext4_shutdown how, bool name_kept, bool data_kept)
{
	struct uext4_file *file;
	struct dir_test t;
	static const char late[] = "nobody promised that this is kept";
	char byte, *out;

	disk_up(&t, "", 0);
	file = file_open(&t, "synced", O_RDWR | O_SYNC);
	assert_int_equal(uext4_pwrite(file, "content", 7, 0), 7);
	uext4_file_close(file);
	file = file_open(&t, "late", O_RDWR);
	assert_int_equal(uext4_pwrite(file, late, sizeof(late), 0), sizeof(late));
	assert_int_equal(uext4_shutdown(t.fs, how), 0);
	assert_int_equal(uext4_pwrite(file, "x", 1, 0), -EIO);
	assert_int_equal(uext4_pread(file, &byte, 1, 0), -EIO);
	assert_int_equal(uext4_fsync(file), -EIO);
	assert_int_equal(uext4_ftruncate(file, 0), -EIO);
	assert_int_equal(uext4_sync(t.fs), -EIO);
	uext4_file_close(file);
	disk_close(&t);
	assert_int_equal(memmem(disk, BYTES, late, sizeof(late)) != NULL, data_kept);
	disk_save(&t);
	dt_up(&t);
	assert_int_equal(dt_lookup(t.root, "synced", NULL), 0);
	file = file_open(&t, "synced", O_RDWR);
	expect_bytes(file, 0, 1, 'c');
	uext4_file_close(file);
	assert_int_equal(dt_lookup(t.root, "late", NULL), name_kept ? 0 : -ENOENT);
	dt_down(&t);
	out = fixture_run(&t.f, "e2fsck -fy %s || true");
	free(out);
	fixture_fsck(&t.f);
	fixture_remove(&t.f);
}

static void test_IO_62_shutdown(void **state)
{
	shut_down(UEXT4_SHUTDOWN_SYNC, true, true);
	shut_down(UEXT4_SHUTDOWN_LOGFLUSH, true,
		false); /* its data was delayed: none is in the log */
	shut_down(UEXT4_SHUTDOWN_NOLOGFLUSH, false, false);
}

/* A write by someone without privilege takes the suid bits along; one by root does not. */
static void test_suid_goes_on_write(void **state)
{
	struct uext4_cred user = {.uid = 5, .gid = 5}, root = {.privileged = true};
	struct uext4_file *file;
	struct uext4_stat st;
	struct dir_test t;
	struct uext4_inode *i;

	dt_make(&t, BYTES, "");
	dt_up(&t);
	assert_int_equal(dt_create(t.root, "prog", S_IFREG | 06777, &i), 0);
	assert_int_equal(uext4_file_open(i, &root, O_RDWR, &file), 0);
	assert_int_equal(uext4_pwrite(file, "x", 1, 0), 1);
	assert_int_equal(uext4_stat(i, &st), 0);
	assert_int_equal(st.mode & 07777, 06777);
	uext4_file_close(file);
	assert_int_equal(uext4_file_open(i, &user, O_RDWR, &file), 0);
	assert_int_equal(uext4_pwrite(file, "x", 1, 0), 1);
	assert_int_equal(uext4_stat(i, &st), 0);
	assert_int_equal(st.mode & 07777, 0777);
	uext4_file_close(file);
	uext4_inode_put(i);
	dt_end(&t);
}

/* relatime: the first read after a write is noted, the next is not. */
static void test_relatime(void **state)
{
	struct uext4_setattr old = {.valid = UEXT4_SET_ATIME, .atime = {.tv_sec = 1000}};
	struct uext4_file *file;
	struct uext4_stat a, b;
	struct dir_test t;

	dt_make(&t, BYTES, "");
	dt_up(&t);
	file = file_open(&t, "file", O_RDWR);
	assert_int_equal(uext4_pwrite(file, "x", 1, 0), 1);
	assert_int_equal(uext4_setattr(uext4_file_inode(file), NULL, &old), 0);
	os_sleep_ns(20 * NSEC_PER_MSEC); /* the clock of access times is coarse */
	expect_bytes(file, 0, 1, 'x');
	assert_int_equal(uext4_stat(uext4_file_inode(file), &a), 0);
	assert_true(a.atime.tv_sec > 1000);
	os_sleep_ns(20 * NSEC_PER_MSEC);
	expect_bytes(file, 0, 1, 'x');
	assert_int_equal(uext4_stat(uext4_file_inode(file), &b), 0);
	assert_memory_equal(&a.atime, &b.atime, sizeof(a.atime));
	uext4_file_close(file);
	dt_end(&t);
}

/* IO-12: the last legal byte, and the one behind it. */
static void large_offset(const char *mke2fs_options, u64 max)
{
	struct uext4_file *file;
	struct dir_test t;

	dt_make(&t, BYTES, mke2fs_options);
	dt_up(&t);
	file = file_open(&t, "file", O_RDWR);
	assert_int_equal(uext4_pwrite(file, "x", 1, max - 1), 1);
	expect_bytes(file, max - 5000, 4999, 0);
	expect_bytes(file, max - 1, 1, 'x');
	assert_int_equal(uext4_pwrite(file, "x", 1, max), -EFBIG);
	assert_int_equal(uext4_ftruncate(file, max + 1), -EFBIG);
	assert_in_range(uext4_seek(file, 0, SEEK_DATA), max - 4096, max - 1);
	assert_int_equal(uext4_fsync(file), 0);
	assert_int_equal(uext4_ftruncate(file, 10), 0);
	assert_int_equal(uext4_ftruncate(file, max), 0);
	expect_bytes(file, max - 5000, 5000, 0);
	uext4_file_close(file);
	dt_end(&t);
}

static void test_IO_12_large_offsets(void **state)
{
	large_offset("-b 4096", 0xffffffffull * 4096);
	large_offset("-b 1024", 0xffffffffull * 1024);
}

/* Many small dirty files stay within the bound: a writer waits for the flusher. */
static void test_memory_bound_of_many_dirty_files(void **state)
{
	struct uext4_stats st;
	struct dir_test t;
	char name[32], data[4096] = {1};
	u64 most = 0;

	disk_up(&t, "-b 4096 -N 2000", 4 << 20);
	atomic_store_rel(&slow_ns, NSEC_PER_MSEC / 4);
	for (int k = 0; k < 1000; k++) {
		struct uext4_file *file;

		snprintf(name, sizeof(name), "f%d", k);
		file = file_open(&t, name, O_RDWR);
		assert_int_equal(uext4_pwrite(file, data, sizeof(data), 0), sizeof(data));
		uext4_file_close(file);
		assert_int_equal(uext4_stats(t.fs, &st), 0);
		most = max_of(most, st.dirty_bytes);
	}
	atomic_store_rel(&slow_ns, 0);
	assert_in_range(most, 4096, 1 << 20);
	assert_int_equal(disk_down(&t), 0);
	fixture_fsck(&t.f);
	fixture_remove(&t.f);
}

/* --- remount read-only under writers --- */

struct writer {
	struct dir_test *t;
	struct uext4_file *file;
	u64 written; /* bytes that were acknowledged */
};

static void writer_run(void *arg)
{
	struct writer *w = arg;
	u8 data[3000];
	int err = 0;

	memset(data, 'w', sizeof(data));
	for (u64 k = 0; err == 0; k++) {
		char name[32];
		struct uext4_inode *i = NULL;
		ssize_t n = uext4_pwrite(w->file, data, sizeof(data), w->written % (1 << 20));

		err = n < 0 ? (int)n : 0;
		w->written += n > 0 ? (u64)n : 0;
		if (!err && k % 5 == 0)
			err = uext4_ftruncate(w->file, k * 777 % (1 << 20));
		snprintf(name, sizeof(name), "%p-%llu", arg, (unsigned long long)(k / 2));
		if (!err && k % 4 == 0)
			err = dt_create(w->t->root, name, S_IFREG | 0644, &i);
		else if (!err && k % 4 == 1)
			err = uext4_unlink(w->t->root, NULL, name);
		uext4_inode_put(i);
	}
	assert_int_equal(err, -EROFS);
}

static void test_IO_63_remount_under_writers(void **state)
{
	for (int round = 0; round < 8; round++) {
		struct writer w[3];
		struct os_thread *thread[3];
		struct dir_test t;
		char name[8];
		int err;

		dt_make(&t, BYTES, "-b 1024");
		dt_up(&t);
		for (int k = 0; k < 3; k++) {
			snprintf(name, sizeof(name), "w%d", k);
			w[k] = (struct writer){&t, file_open(&t, name, O_RDWR), 0};
			assert_int_equal(
				os_thread_create(&thread[k], "writer", writer_run, &w[k]), 0);
		}
		os_sleep_ns((u64)(5 + 3 * round) * NSEC_PER_MSEC);
		while ((err = uext4_remount(t.fs, true)) == -EBUSY)
			; /* a truncate or a deletion was under way */
		assert_int_equal(err, 0);
		for (int k = 0; k < 3; k++)
			os_thread_join(thread[k]);
		fixture_fsck(&t.f); /* on the device now, and stays so */
		for (int k = 0; k < 3; k++)
			uext4_file_close(w[k].file);
		dt_end(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_66_preallocated_4k),
		cmocka_unit_test(test_IO_66_preallocated_1k),
		cmocka_unit_test(test_IO_91_each_open_file_is_told_once),
		cmocka_unit_test(test_IO_62_shutdown),
		cmocka_unit_test(test_suid_goes_on_write),
		cmocka_unit_test(test_relatime),
		cmocka_unit_test(test_IO_12_large_offsets),
		cmocka_unit_test(test_memory_bound_of_many_dirty_files),
		cmocka_unit_test(test_IO_63_remount_under_writers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
