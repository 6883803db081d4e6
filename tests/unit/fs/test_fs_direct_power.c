/* Direct I/O and a device that fails or loses power: IO-27, 28, 32, 53, 54. */
#include "dir/dir_test.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/trace.h"
#include "os/atomic.h"

#define BYTES (8u << 20)
#define BLOCK 4096u
#define SECTOR 512u
#define POISON 0xEE

/* Every write since the image was made, in order; flush: all before it is durable. */
struct entry {
	u64 offset;
	u32 len; /* 0 = a flush */
	u8 *data;
};

static u8 *start, *disk;
static struct entry *log_entries; /* lock: log_lock */
static u32 log_count, log_room;
static bool recording; /* lock: log_lock. Not what mounts after a cut write */
static struct os_mutex log_lock = OS_MUTEX_INIT(RANK_LEAF, "test log");
static u64 bad_start, bad_end; /* atomic */

static void log_add_locked(u64 offset, const void *data, u32 len)
{
	if (log_count == log_room) {
		log_room = log_room ? 2 * log_room : 1024;
		log_entries = realloc(log_entries, log_room * sizeof(*log_entries));
	}
	log_entries[log_count] = (struct entry){offset, len, len ? malloc(len) : NULL};
	if (len)
		memcpy(log_entries[log_count].data, data, len);
	log_count++;
}

static void log_add(u64 offset, const void *data, u32 len)
{
	os_mutex_lock(&log_lock);
	if (recording)
		log_add_locked(offset, data, len);
	if (len)
		memcpy(disk + offset, data, len);
	os_mutex_unlock(&log_lock);
}

static int disk_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	os_mutex_lock(&log_lock);
	memcpy(buf, disk + offset, len);
	os_mutex_unlock(&log_lock);
	return 0;
}

static int disk_write(void *arg, uint64_t offset, const void *buf, size_t len)
{
	if (offset < atomic_load_acq(&bad_end) && offset + len > atomic_load_acq(&bad_start))
		return -EIO;
	log_add(offset, buf, (u32)len);
	return 0;
}

static int disk_flush(void *arg)
{
	log_add(0, NULL, 0);
	return 0;
}

static const struct uext4_device_ops disk_ops = {.size = sizeof(disk_ops),
	.read = disk_read,
	.write = disk_write,
	.flush = disk_flush,
	.device_bytes = BYTES,
	.block_size = SECTOR};

static void disk_mount(struct dir_test *t)
{
	assert_int_equal(uext4_open_device(&disk_ops, NULL, NULL, &t->fs), 0);
	assert_int_equal(uext4_root(t->fs, &t->root), 0);
	t->v = &t->fs->fs->volume;
}

static void log_clear_locked(void)
{
	for (u32 k = 0; k < log_count; k++)
		free(log_entries[k].data);
	log_count = 0;
}

static void record_from_here(void)
{
	os_mutex_lock(&log_lock);
	log_clear_locked();
	memcpy(start, disk, BYTES);
	recording = true;
	os_mutex_unlock(&log_lock);
}

/* How many entries there are, the last ones. */
static u32 record_stop(void)
{
	u32 count;

	os_mutex_lock(&log_lock);
	recording = false;
	count = log_count;
	os_mutex_unlock(&log_lock);
	return count;
}

/* Free blocks hold poison. */
static void disk_up(struct dir_test *t, const char *mke2fs_options)
{
	struct uext4_file *file = NULL;
	u8 *poison = malloc(1 << 20);

	dt_make(t, BYTES, mke2fs_options);
	start = malloc(BYTES);
	disk = malloc(BYTES);
	bad_start = bad_end = 0;
	fixture_peek(&t->f, 0, disk, BYTES);
	disk_mount(t);
	memset(poison, POISON, 1 << 20);
	assert_int_equal(
		uext4_openat(t->fs, t->root, "poison", O_RDWR | O_CREAT, 0600, NULL, &file), 0);
	for (u64 pos = 0; uext4_pwrite(file, poison, 1 << 16, pos) == 1 << 16;)
		pos += 1 << 16;
	(void)uext4_fsync(file);
	uext4_file_close(file);
	assert_int_equal(uext4_unlink(t->root, NULL, "poison"), 0);
	assert_int_equal(uext4_sync(t->fs), 0);
	free(poison);
	record_from_here();
}

static void disk_close(struct dir_test *t)
{
	uext4_inode_put(t->root);
	assert_int_equal(uext4_close(t->fs), 0);
}

static void disk_down(struct dir_test *t)
{
	fixture_poke(&t->f, 0, disk, BYTES);
	fixture_fsck(&t->f);
	fixture_remove(&t->f);
	log_clear_locked();
	recording = false;
	free(log_entries);
	log_entries = NULL;
	log_room = 0;
	free(disk);
	free(start);
}

/* The device after a cut when `count` entries had been seen: all before the last flush, some after.
 */
static void disk_after_cut(u8 *out, u32 count, struct rng *g, unsigned survive_of_4)
{
	u32 flushed = 0;

	memcpy(out, start, BYTES);
	for (u32 k = 0; k < count; k++)
		if (!log_entries[k].len)
			flushed = k;
	for (u32 k = 0; k < count; k++) {
		const struct entry *e = &log_entries[k];

		if (e->len && (k < flushed || rng_below(g, 4) < survive_of_4))
			memcpy(out + e->offset, e->data, e->len);
	}
}

/* Mounts what a cut left in place of the disk. */
static struct uext4_file *after_cut(struct dir_test *t, u8 *image)
{
	struct uext4_file *file = NULL;

	disk = image;
	disk_mount(t);
	(void)uext4_openat(t->fs, t->root, "file", O_RDONLY, 0, NULL, &file);
	return file;
}

static struct uext4_file *file_open(struct dir_test *t, int flags)
{
	struct uext4_file *file = NULL;

	assert_int_equal(
		uext4_openat(t->fs, t->root, "file", flags | O_CREAT, 0644, NULL, &file), 0);
	return file;
}

static u64 size_of(struct uext4_file *file)
{
	struct uext4_stat st;

	assert_int_equal(uext4_stat(uext4_file_inode(file), &st), 0);
	return st.size;
}

/* --- IO-28, IO-54: what O_DSYNC acknowledged is there --- */

struct dsync_case {
	const char *name;
	u64 written, reserved; /* bytes of the file before, synced */
	u64 cached;	       /* then appended through the cache, not synced */
	u64 pos, len;
};

static void dsync_case_run(const char *options, const struct dsync_case *c)
{
	u8 *data = aligned_alloc(BLOCK, 16 * BLOCK), *image = malloc(BYTES);
	struct uext4_file *file, *cached;
	struct iovec iov = {data, c->len};
	struct dir_test t;
	struct rng g;
	u8 got[16 * BLOCK];

	rng_init(&g, 3);
	disk_up(&t, options);
	memset(data, 'o', 16 * BLOCK);
	file = file_open(&t, O_RDWR | O_DIRECT);
	cached = file_open(&t, O_RDWR);
	if (c->written)
		assert_int_equal(uext4_pwrite(file, data, c->written, 0), c->written);
	if (c->reserved)
		assert_int_equal(uext4_fallocate(file, 0, 0, c->reserved), 0);
	assert_int_equal(uext4_sync(t.fs), 0);
	if (c->cached)
		assert_int_equal(uext4_pwrite(cached, data, c->cached, c->written), c->cached);
	memset(data, 'n', 16 * BLOCK);
	assert_int_equal(uext4_pwritev2(file, &iov, 1, c->pos, UEXT4_RWF_DSYNC), c->len);
	disk_after_cut(image, record_stop(), &g, 0);
	uext4_file_close(file);
	uext4_file_close(cached);
	disk_close(&t);
	free(disk);
	disk = NULL;
	file = after_cut(&t, image);
	assert_non_null(file);
	assert_true(size_of(file) >= c->pos + c->len);
	assert_int_equal(uext4_pread(file, got, c->len, c->pos), c->len);
	for (u64 k = 0; k < c->len; k++)
		if (got[k] != 'n')
			fail_msg("%s: byte %llu is %02x", c->name, (unsigned long long)k, got[k]);
	uext4_file_close(file);
	disk_close(&t);
	disk_down(&t);
	free(data);
}

static void test_IO_54_dsync(void **state)
{
	static const struct dsync_case cases[] = {
		{"overwrite", 8 * BLOCK, 0, 0, 2 * BLOCK, BLOCK},
		{"part of a block", 8 * BLOCK, 0, 0, 2 * BLOCK + SECTOR, SECTOR},
		{"unwritten", BLOCK, 8 * BLOCK, 0, 2 * BLOCK, 3 * BLOCK},
		{"part of an unwritten block", BLOCK, 8 * BLOCK, 0, 2 * BLOCK, SECTOR},
		{"extending", BLOCK, 0, 0, BLOCK, 4 * BLOCK},
		{"behind a hole", BLOCK, 0, 0, 9 * BLOCK, BLOCK},
		{"IO-28: behind the size on disk", BLOCK, 0, 8 * BLOCK, 6 * BLOCK, BLOCK},
	};

	for (unsigned k = 0; k < array_len(cases); k++) {
		dsync_case_run("-b 4096", &cases[k]);
		dsync_case_run("-b 1024", &cases[k]);
	}
}

/* --- IO-27, IO-56: no cut shows what nobody wrote --- */

#define SCRIPT_BLOCKS 24u
#define STEPS 40

struct cut_point {
	u32 entries;		  /* of the log when it was noted */
	u8 synced[SCRIPT_BLOCKS]; /* per block: what an fsync covers; 0 = zeros or not there */
};

static u8 value_of(unsigned step)
{
	return (u8)(1 + step);
}

static unsigned script(struct dir_test *t, struct rng *g, struct cut_point *points)
{
	u8 *data = aligned_alloc(BLOCK, SCRIPT_BLOCKS * BLOCK), now[SCRIPT_BLOCKS] = {0};
	struct uext4_file *file = file_open(t, O_RDWR | O_DIRECT);
	struct cut_point p = {0};
	unsigned n = 0;

	for (unsigned step = 0; step < STEPS; step++) {
		u64 first = rng_below(g, SCRIPT_BLOCKS);
		u64 count = 1 + rng_below(g, min_of(SCRIPT_BLOCKS - first, 5u));

		if (rng_below(g, 6) == 0) {
			int err = uext4_fallocate(file, 0, first * BLOCK, count * BLOCK);

			assert_true(err == 0 || err == -EOPNOTSUPP);
		}
		memset(data, value_of(step), count * BLOCK);
		assert_int_equal(
			uext4_pwrite(file, data, count * BLOCK, first * BLOCK), count * BLOCK);
		memset(now + first, value_of(step), count);
		if (rng_below(g, 4) == 0) {
			assert_int_equal(uext4_fdatasync(file), 0);
			memcpy(p.synced, now, sizeof(now));
			os_mutex_lock(&log_lock);
			p.entries = log_count;
			os_mutex_unlock(&log_lock);
			points[n++] = p;
		}
	}
	uext4_file_close(file);
	free(data);
	return n;
}

static void check_cut(struct uext4_file *file, const struct cut_point *p)
{
	u8 *got = calloc(SCRIPT_BLOCKS, BLOCK);
	ssize_t n = file ? uext4_pread(file, got, SCRIPT_BLOCKS * BLOCK, 0) : 0;

	if (n < 0)
		fail_msg("reading gives %zd", n);
	for (u64 k = 0; k < SCRIPT_BLOCKS; k++)
		for (u64 at = 0; at < BLOCK; at += SECTOR) {
			u8 v = got[k * BLOCK + at];

			for (u64 b = 1; b < SECTOR; b++)
				assert_int_equal(got[k * BLOCK + at + b], v);
			if (v > value_of(STEPS - 1) || v < p->synced[k])
				fail_msg("block %llu holds %02x; %02x was synced; %zd bytes",
					(unsigned long long)k, v, p->synced[k], n);
		}
	free(got);
}

static void power_run(const char *options, u32 seed)
{
	static const struct cut_point none = {0};
	struct cut_point points[STEPS];
	unsigned count, cuts = 60;
	struct dir_test t;
	struct rng g;
	u32 entries;
	u8 *image;

	rng_init(&g, seed);
	disk_up(&t, options);
	count = script(&t, &g, points);
	disk_close(&t);
	entries = record_stop();
	image = disk;
	for (unsigned k = 0; k < cuts; k++) {
		u32 at = 1 + (u32)rng_below(&g, entries);
		const struct cut_point *last = &none;
		struct uext4_file *file;

		for (unsigned p = 0; p < count; p++)
			if (points[p].entries <= at)
				last = &points[p];
		disk_after_cut(image, at, &g, (unsigned)rng_below(&g, 5));
		file = after_cut(&t, image);
		check_cut(file, last);
		uext4_file_close(file);
		disk_close(&t);
		if (k % 10 == 0) {
			fixture_poke(&t.f, 0, image, BYTES);
			fixture_fsck(&t.f);
		}
	}
	disk_down(&t);
}

static void test_IO_27_power(void **state)
{
	power_run("-b 4096", 1);
	power_run("-b 4096", 2);
	power_run("-b 1024", 3);
	power_run("-b 1024", 4);
	power_run("-b 1024 -O ^extent,^64bit", 5);
}

/* --- IO-32, IO-53: writes that fail --- */

static u64 sectors_of(struct uext4_file *file)
{
	struct uext4_stat st;

	assert_int_equal(uext4_stat(uext4_file_inode(file), &st), 0);
	return st.blocks;
}

static void all_data_bad(const char *name, u64 a, u64 b)
{
	if (!strcmp(name, "direct_started"))
		atomic_store_rel(&bad_end, BYTES);
	if (!strcmp(name, "direct_written"))
		atomic_store_rel(&bad_end, 0);
}

static void test_IO_32_extending_fails(void **state)
{
	u8 *data = aligned_alloc(BLOCK, 8 * BLOCK);
	struct uext4_file *file;
	struct dir_test t;
	u64 sectors;

	memset(data, 'x', 8 * BLOCK);
	disk_up(&t, "-b 4096");
	file = file_open(&t, O_RDWR | O_DIRECT);
	assert_int_equal(uext4_pwrite(file, data, BLOCK, 0), BLOCK);
	assert_int_equal(uext4_sync(t.fs), 0);
	sectors = sectors_of(file);
	trace_hook = all_data_bad;
	assert_int_equal(uext4_pwrite(file, data, 4 * BLOCK, BLOCK), -EIO);
	assert_int_equal(uext4_pwrite(file, data, 2 * BLOCK, 0), -EIO);
	trace_hook = NULL;
	assert_int_equal(size_of(file), BLOCK);
	assert_int_equal(sectors_of(file), sectors);
	assert_false(orphans_pending(t.v));
	/* The same without a name: the record stays until the file goes. */
	assert_int_equal(uext4_unlink(t.root, NULL, "file"), 0);
	trace_hook = all_data_bad;
	assert_int_equal(uext4_pwrite(file, data, 4 * BLOCK, BLOCK), -EIO);
	trace_hook = NULL;
	assert_true(orphans_pending(t.v));
	assert_int_equal(uext4_pwrite(file, data, 4 * BLOCK, BLOCK), 4 * BLOCK);
	assert_true(orphans_pending(t.v));
	uext4_file_close(file);
	assert_false(orphans_pending(t.v));
	disk_close(&t);
	disk_down(&t);
	free(data);
}

/* IO-53, IO-45: no space half-way: an error, no count, and the blocks are given back. */
static void test_IO_53_no_space(void **state)
{
	u8 *data = aligned_alloc(BLOCK, 1 << 20);
	struct uext4_file *file;
	struct dir_test t;
	u64 sectors, pos = 0;
	ssize_t n;

	memset(data, 'x', 1 << 20);
	disk_up(&t, "-b 4096");
	file = file_open(&t, O_RDWR | O_DIRECT);
	while ((n = uext4_pwrite(file, data, 1 << 20, pos)) == 1 << 20)
		pos += 1 << 20;
	assert_int_equal(n, -ENOSPC);
	assert_int_equal(size_of(file), pos);
	sectors = sectors_of(file);
	assert_in_range(sectors, pos / 512, pos / 512 + 64);
	assert_false(orphans_pending(t.v));
	/* What was freed a moment ago can be had. */
	assert_int_equal(uext4_ftruncate(file, 0), 0);
	assert_int_equal(uext4_pwrite(file, data, 1 << 20, 0), 1 << 20);
	uext4_file_close(file);
	disk_close(&t);
	disk_down(&t);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_54_dsync),
		cmocka_unit_test(test_IO_27_power),
		cmocka_unit_test(test_IO_32_extending_fails),
		cmocka_unit_test(test_IO_53_no_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
