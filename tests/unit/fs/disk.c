#include "disk.h"

#include <fcntl.h>

#include "os/atomic.h"

static int on_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	struct disk *k = arg;

	os_mutex_lock(&k->lock);
	memcpy(buf, k->bytes + offset, len);
	os_mutex_unlock(&k->lock);
	return 0;
}

static int on_write(void *arg, uint64_t offset, const void *buf, size_t len)
{
	struct disk *k = arg;
	u64 nr = atomic_add(&k->writes, 1), cut = atomic_load_acq(&k->cut_after);

	if (atomic_load_acq(&k->fail_marked) && *(const u8 *)buf == MARKED)
		return -EIO;
	if (atomic_load_acq(&k->fail_zeros) && *(const u8 *)buf == 0)
		return -EIO;
	if (cut && nr > cut)
		return 0;
	os_mutex_lock(&k->lock);
	memcpy(k->bytes + offset, buf, len);
	os_mutex_unlock(&k->lock);
	return 0;
}

static int on_flush(void *arg)
{
	return 0;
}

static void on_log(void *arg, enum uext4_log_level level, const char *message)
{
	struct disk_test *d = arg;

	if (!d->t.expect_errors && level == UEXT4_LOG_ERROR)
		fail_msg("%s", message);
}

void disk_up(struct disk_test *d)
{
	struct uext4_device_ops ops = {.size = sizeof(ops),
		.read = on_read,
		.write = on_write,
		.flush = on_flush,
		.device_bytes = d->disk.size,
		.block_size = 512};

	d->options.size = sizeof(d->options);
	d->options.log = on_log;
	d->options.log_arg = d;
	assert_int_equal(uext4_open_device(&ops, &d->disk, &d->options, &d->t.fs), 0);
	assert_int_equal(uext4_root(d->t.fs, &d->t.root), 0);
	d->t.v = &d->t.fs->fs->volume;
}

int disk_down(struct disk_test *d)
{
	uext4_inode_put(d->t.root);
	return uext4_close(d->t.fs);
}

static void poison(struct disk_test *d)
{
	struct uext4_file *file;
	u8 *buf = malloc(64 << 10);
	u64 pos = 0;

	memset(buf, POISON, 64 << 10);
	file = disk_open(d, "poison", O_RDWR);
	while (uext4_pwrite(file, buf, 64 << 10, pos) > 0)
		pos += 64 << 10;
	assert_int_equal(uext4_fsync(file), 0);
	uext4_file_close(file);
	assert_int_equal(uext4_unlink(d->t.root, NULL, "poison"), 0);
	free(buf);
}

void disk_make(struct disk_test *d, u64 bytes, const char *mke2fs_options)
{
	struct uext4_options options = d->options;

	dt_make(&d->t, bytes, mke2fs_options);
	d->disk = (struct disk){.bytes = malloc(bytes), .size = bytes};
	os_mutex_init(&d->disk.lock, RANK_LEAF, "disk");
	fixture_peek(&d->t.f, 0, d->disk.bytes, bytes);
	d->options = (struct uext4_options){0};
	disk_up(d);
	poison(d);
	assert_int_equal(disk_down(d), 0);
	d->options = options;
}

void disk_power_cut(struct disk_test *d)
{
	u8 *now = malloc(d->disk.size);
	bool expected = d->t.expect_errors;

	os_mutex_lock(&d->disk.lock);
	memcpy(now, d->disk.bytes, d->disk.size);
	os_mutex_unlock(&d->disk.lock);
	d->t.expect_errors = true;
	(void)uext4_shutdown(d->t.fs, UEXT4_SHUTDOWN_NOLOGFLUSH);
	(void)disk_down(d);
	d->t.expect_errors = expected;
	free(d->disk.bytes);
	d->disk.bytes = now;
	d->disk.fail_marked = d->disk.fail_zeros = false;
	d->disk.writes = d->disk.cut_after = 0;
	disk_up(d);
}

void disk_end(struct disk_test *d)
{
	(void)uext4_sync(d->t.fs);
	assert_int_equal(disk_claimed(d), 0);
	assert_int_equal(disk_down(d), 0);
	fixture_poke(&d->t.f, 0, d->disk.bytes, d->disk.size);
	free(d->disk.bytes);
	fixture_fsck(&d->t.f);
	fixture_remove(&d->t.f);
}

struct uext4_file *disk_open(struct disk_test *d, const char *name, int flags)
{
	struct uext4_file *file = NULL;

	assert_int_equal(
		uext4_openat(d->t.fs, d->t.root, name, flags | O_CREAT, 0644, NULL, &file), 0);
	return file;
}

void disk_commit(struct disk_test *d)
{
	assert_int_equal(uext4_inode_sync(d->t.root, false), 0);
}

u64 disk_claimed(struct disk_test *d)
{
	struct space_counts c;

	space_counts(d->t.v, &c);
	return c.claimed;
}

void disk_expect(struct uext4_file *file, u64 pos, u64 len, u8 value)
{
	u8 *buf = malloc(len);

	assert_int_equal(uext4_pread(file, buf, len, pos), len);
	for (u64 k = 0; k < len; k++)
		if (buf[k] != value)
			fail_msg("byte %llu is %02x, not %02x", (unsigned long long)(pos + k),
				buf[k], value);
	free(buf);
}

void disk_write(struct uext4_file *file, u64 pos, u64 len, u8 value)
{
	u8 *buf = malloc(len);

	memset(buf, value, len);
	assert_int_equal(uext4_pwrite(file, buf, len, pos), len);
	free(buf);
}

struct uext4_stat disk_stat(struct uext4_file *file)
{
	struct uext4_stat st;

	assert_int_equal(uext4_stat(uext4_file_inode(file), &st), 0);
	return st;
}
