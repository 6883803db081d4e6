/* What is told to the device about free blocks, and when (AL-5). */
#include "dir/dir_test.h"

#include <fcntl.h>

#include "os/atomic.h"

#define BYTES (24u << 20)
#define GONE 0xDD

/* A device in memory that destroys what it is told to forget. */
struct disk {
	struct dir_test t;
	u8 *bytes;
	u64 discarded; /* bytes, atomic */
	int error;     /* atomic */
};

static int disk_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	memcpy(buf, ((struct disk *)arg)->bytes + offset, len);
	return 0;
}

static int disk_write(void *arg, uint64_t offset, const void *buf, size_t len)
{
	memcpy(((struct disk *)arg)->bytes + offset, buf, len);
	return 0;
}

static int disk_flush(void *arg)
{
	return 0;
}

static int disk_discard(void *arg, uint64_t offset, uint64_t len)
{
	struct disk *d = arg;

	if (atomic_load_acq(&d->error))
		return atomic_load_acq(&d->error);
	memset(d->bytes + offset, GONE, len);
	atomic_add(&d->discarded, len);
	return 0;
}

static void disk_mount(struct disk *d, bool discard)
{
	static const struct uext4_device_ops ops = {.size = sizeof(ops),
		.read = disk_read,
		.write = disk_write,
		.flush = disk_flush,
		.discard = disk_discard,
		.device_bytes = BYTES,
		.block_size = 512};
	struct uext4_options o = {
		.size = sizeof(o), .discard = discard, .commit_interval_ms = 3600 * 1000};

	assert_int_equal(uext4_open_device(&ops, d, &o, &d->t.fs), 0);
	assert_int_equal(uext4_root(d->t.fs, &d->t.root), 0);
	d->t.v = &d->t.fs->fs->volume;
}

static void disk_up(struct disk *d, const char *mke2fs_options, bool discard)
{
	*d = (struct disk){.bytes = malloc(BYTES)};
	dt_make(&d->t, BYTES, mke2fs_options);
	fixture_peek(&d->t.f, 0, d->bytes, BYTES);
	disk_mount(d, discard);
}

static void disk_unmount(struct disk *d)
{
	uext4_inode_put(d->t.root);
	assert_int_equal(uext4_close(d->t.fs), 0);
}

static void disk_down(struct disk *d)
{
	disk_unmount(d);
	fixture_poke(&d->t.f, 0, d->bytes, BYTES);
	free(d->bytes);
	fixture_fsck(&d->t.f);
	fixture_remove(&d->t.f);
}

static struct uext4_file *make(struct disk *d, const char *name, size_t bytes, u8 value)
{
	struct uext4_file *file = NULL;
	u8 *data = malloc(bytes);

	memset(data, value, bytes);
	assert_int_equal(
		uext4_openat(d->t.fs, d->t.root, name, O_RDWR | O_CREAT, 0644, NULL, &file), 0);
	assert_int_equal(uext4_pwrite(file, data, bytes, 0), bytes);
	assert_int_equal(uext4_fsync(file), 0);
	free(data);
	return file;
}

/* Where the first extent of a file is on the device. */
static u64 place(struct uext4_file *file, u64 *len)
{
	struct uext4_extent e;

	assert_int_equal(uext4_extents(uext4_file_inode(file), 0, &e, 1), 1);
	*len = e.length;
	return e.physical;
}

static bool all(const struct disk *d, u64 at, u64 len, u8 value)
{
	while (len && d->bytes[at] == value)
		at++, len--;
	return len == 0;
}

static void commit(struct disk *d)
{
	assert_int_equal(uext4_sync(d->t.fs), 0);
	space_quiesce(d->t.v);
}

/* Nothing goes before the commit that frees it, all of it after. */
static void test_AL_5_after_the_commit(void **state)
{
	struct disk d;
	struct uext4_file *file, *other;
	u64 at, len, other_at, other_len;

	disk_up(&d, "-b 4096", true);
	file = make(&d, "file", 3 << 20, 'f');
	other = make(&d, "other", 1 << 20, 'o');
	at = place(file, &len);
	other_at = place(other, &other_len);
	assert_int_equal(uext4_unlink(d.t.root, NULL, "file"), 0);
	uext4_file_close(file);
	assert_true(all(&d, at, len, 'f'));
	assert_int_equal(atomic_load_acq(&d.discarded), 0);
	commit(&d);
	assert_true(all(&d, at, len, GONE));
	assert_in_range(atomic_load_acq(&d.discarded), 3 << 20, (3 << 20) + 65536);
	assert_true(all(&d, other_at, other_len, 'o'));
	uext4_file_close(other);
	disk_down(&d);
}

static void test_AL_5_only_when_asked(void **state)
{
	struct disk d;

	disk_up(&d, "-b 4096", false);
	uext4_file_close(make(&d, "file", 3 << 20, 'f'));
	assert_int_equal(uext4_unlink(d.t.root, NULL, "file"), 0);
	commit(&d);
	assert_int_equal(atomic_load_acq(&d.discarded), 0);
	disk_down(&d);
}

/* On a full device freed blocks can be had again, after they were discarded and not before. */
static void test_AL_5_before_reuse(void **state)
{
	struct disk d;

	disk_up(&d, "-b 1024", true);
	for (int round = 0; round < 20; round++) {
		struct uext4_file *file = make(&d, "file", 14 << 20, (u8)(1 + round));
		u8 byte;

		uext4_file_close(file);
		file = NULL;
		assert_int_equal(
			uext4_openat(d.t.fs, d.t.root, "file", O_RDONLY, 0, NULL, &file), 0);
		iofile_drop_range(&to_inode(uext4_file_inode(file))->io, 0, UINT64_MAX);
		for (u64 pos = 0; pos < 14 << 20; pos += 1024) {
			assert_int_equal(uext4_pread(file, &byte, 1, pos), 1);
			assert_int_equal(byte, 1 + round);
		}
		uext4_file_close(file);
		page_cache_quiesce(d.t.v->pages); /* readahead holds the file, too */
		page_cache_resume(d.t.v->pages);
		assert_int_equal(uext4_unlink(d.t.root, NULL, "file"), 0);
	}
	assert_true(atomic_load_acq(&d.discarded) >= 19ull * (14 << 20));
	disk_down(&d);
}

/* A device that can't is a nuisance, no error. */
static void test_discard_that_fails(void **state)
{
	struct disk d;

	disk_up(&d, "-b 4096", true);
	atomic_store_rel(&d.error, -EIO);
	uext4_file_close(make(&d, "file", 3 << 20, 'f'));
	assert_int_equal(uext4_unlink(d.t.root, NULL, "file"), 0);
	commit(&d);
	uext4_file_close(make(&d, "again", 17 << 20, 'g'));
	disk_down(&d);
}

static u64 trim(struct disk *d, u64 at, u64 len, u64 min)
{
	u64 done;

	assert_int_equal(uext4_trim(d->t.fs, at, len, min, &done), 0);
	return done;
}

static void test_trim(void **state)
{
	struct uext4_statfs st;
	struct uext4_file *file;
	struct disk d;
	u64 at, len, done, all_of_it;

	disk_up(&d, "-b 1024 -g 8192", false);
	file = make(&d, "file", 2 << 20, 'f');
	uext4_file_close(make(&d, "gone", 1 << 20, 'g'));
	at = place(file, &len);
	assert_int_equal(uext4_unlink(d.t.root, NULL, "gone"), 0);
	assert_int_equal(uext4_statfs(d.t.fs, &st), 0);
	/* Not what the commit to come frees; that later. */
	assert_true(trim(&d, 0, UINT64_MAX, 0) <= st.blocks_free * 1024 - (1 << 20));
	commit(&d);
	assert_int_equal(uext4_statfs(d.t.fs, &st), 0);
	all_of_it = trim(&d, 0, UINT64_MAX, 0);
	assert_in_range(all_of_it, (st.blocks_free - 1024) * 1024, st.blocks_free * 1024);
	assert_int_equal(all_of_it, trim(&d, 0, BYTES, 1)); /* it stays free */
	assert_true(all(&d, at, len, 'f'));
	/* Parts of it add up. */
	done = trim(&d, 0, 7 << 20, 0) + trim(&d, 7 << 20, 12345 << 10, 0) +
	       trim(&d, (7 << 20) + (12345 << 10), UINT64_MAX, 0);
	assert_int_equal(done, all_of_it);
	assert_true(trim(&d, 0, UINT64_MAX, 7900 << 10) < all_of_it);
	assert_int_equal(trim(&d, at, len, 0), 0);
	assert_int_equal(trim(&d, 0, 1024, 0), 0);
	assert_int_equal(uext4_trim(d.t.fs, 0, 1023, 0, &done), -EINVAL);
	assert_int_equal(uext4_trim(d.t.fs, BYTES, 4096, 0, &done), -EINVAL);
	assert_int_equal(uext4_trim(d.t.fs, 0, BYTES, 9000 << 10, &done), -EINVAL);
	atomic_store_rel(&d.error, -EIO);
	assert_int_equal(uext4_trim(d.t.fs, 0, BYTES, 0, &done), -EIO);
	atomic_store_rel(&d.error, 0);
	assert_int_equal(uext4_remount(d.t.fs, true), 0);
	assert_int_equal(uext4_trim(d.t.fs, 0, BYTES, 0, &done), -EROFS);
	uext4_file_close(file);
	disk_unmount(&d);
	disk_mount(&d, false);
	file = NULL;
	assert_int_equal(uext4_openat(d.t.fs, d.t.root, "file", O_RDONLY, 0, NULL, &file), 0);
	assert_int_equal(place(file, &len), at);
	uext4_file_close(file);
	disk_down(&d);
}

/* The image file itself loses the blocks. */
static void test_AL_5_image_stays_sparse(void **state)
{
	struct uext4_options o = {.size = sizeof(o), .discard = true};
	struct disk d = {0};
	struct stat before, after;

	dt_make(&d.t, BYTES, "-b 4096");
	assert_int_equal(uext4_open(d.t.f.path, &o, &d.t.fs), 0);
	assert_int_equal(uext4_root(d.t.fs, &d.t.root), 0);
	d.t.v = &d.t.fs->fs->volume;
	uext4_file_close(make(&d, "file", 8 << 20, 'f'));
	assert_int_equal(stat(d.t.f.path, &before), 0);
	assert_int_equal(uext4_unlink(d.t.root, NULL, "file"), 0);
	commit(&d);
	assert_int_equal(stat(d.t.f.path, &after), 0);
	if (d.t.v->dev->info.can_discard) /* the host's file system decides */
		assert_true(after.st_blocks + (7 << 11) <= before.st_blocks);
	dt_end(&d.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_AL_5_after_the_commit),
		cmocka_unit_test(test_AL_5_only_when_asked),
		cmocka_unit_test(test_AL_5_before_reuse),
		cmocka_unit_test(test_discard_that_fails),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_AL_5_image_stays_sparse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
