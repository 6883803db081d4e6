/* Delayed allocation: a cut at every write of the device, and everything at once. */
#include "disk.h"

#include <fcntl.h>

#include "os/atomic.h"
#include "os/thread.h"

#define BYTES (12u << 20)

/* --- a cut at every write of the device --- */

struct history {
	u64 synced; /* bytes that an fsync has covered */
};

/* File k holds bytes k+1 wherever it holds any; big is never cut, small shrinks and grows. */
static void scenario(struct disk_test *d, struct history *h)
{
	struct uext4_file *big = disk_open(d, "big", O_RDWR),
			  *small = disk_open(d, "small", O_RDWR);

	for (unsigned k = 0; k < 6; k++) {
		disk_write(big, k * 30011, 30011, 1);
		disk_write(small, k * 7001 + 3000, 500, 2);
		if (k % 2)
			assert_int_equal(uext4_ftruncate(small, k * 2000 + 700), 0);
		if (k == 2)
			disk_write(big, 1000, 50000, 1);
		if (k % 3 == 1)
			assert_int_equal(uext4_fsync(big), 0);
		if (k % 3 == 1 && !(d->disk.cut_after && d->disk.writes > d->disk.cut_after))
			h->synced = (k + 1) * 30011;
		if (k == 3)
			disk_commit(d);
	}
	uext4_file_close(big);
	uext4_file_close(small);
}

static void only(struct disk_test *d, const char *name, u8 value, u64 whole)
{
	struct uext4_file *file;
	u64 size;
	u8 *buf;

	if (dt_lookup(d->t.root, name, NULL) != 0) {
		assert_int_equal(whole, 0);
		return;
	}
	file = disk_open(d, name, O_RDWR);
	size = disk_stat(file).size;
	assert_true(size >= whole);
	buf = malloc(size + 1);
	assert_int_equal(uext4_pread(file, buf, size, 0), size);
	for (u64 k = 0; k < size; k++)
		if (buf[k] != value && (buf[k] != 0 || k < whole))
			fail_msg("%s: byte %llu of %llu is %02x", name, (unsigned long long)k,
				(unsigned long long)size, buf[k]);
	free(buf);
	uext4_file_close(file);
}

static void cut_everywhere(const char *mke2fs_options, bool nodelalloc)
{
	struct disk_test d = {.options.nodelalloc = nodelalloc};
	u8 *start = malloc(BYTES);
	bool more = true;

	disk_make(&d, BYTES, mke2fs_options);
	memcpy(start, d.disk.bytes, BYTES);
	for (u64 n = 1; more; n++) {
		struct history h = {0};

		memcpy(d.disk.bytes, start, BYTES);
		d.disk.writes = 0;
		d.disk.cut_after = n;
		disk_up(&d);
		scenario(&d, &h);
		more = atomic_load_acq(&d.disk.writes) > n;
		disk_power_cut(&d);
		only(&d, "big", 1, h.synced);
		only(&d, "small", 2, 0);
		assert_int_equal(disk_down(&d), 0);
	}
	disk_up(&d);
	disk_end(&d);
	free(start);
}

static void test_IO_74_cut_at_every_write(void **state)
{
	cut_everywhere("-b 1024", false);
	cut_everywhere("-b 4096", true);
}

/* --- everything at once --- */

struct storm {
	struct disk_test d;
	bool stop; /* atomic */
};

static void storm_writer(void *arg)
{
	struct storm *s = arg;
	struct uext4_file *file;
	struct rng rng;
	char name[16];
	u64 size = 0;

	rng_init(&rng, os_thread_self());
	snprintf(name, sizeof(name), "w%u", os_thread_self());
	file = disk_open(&s->d, name, O_RDWR);
	for (unsigned k = 0; k < 150; k++) {
		u64 pos = rng_below(&rng, 200000), len = 1 + rng_below(&rng, 20000);

		if (k % 7 == 3) {
			assert_int_equal(uext4_ftruncate(file, pos), 0);
			size = pos;
		} else {
			disk_write(file, pos, len, 5);
			size = max_of(size, pos + len);
		}
		if (k % 5 == 0)
			assert_int_equal(uext4_fsync(file), 0);
	}
	assert_int_equal(disk_stat(file).size, size);
	uext4_file_close(file);
}

static void storm_syncer(void *arg)
{
	struct storm *s = arg;

	while (!atomic_load_acq(&s->stop)) {
		assert_int_equal(uext4_sync(s->d.t.fs), 0);
		disk_commit(&s->d);
	}
}

/* IO-134: commits, conversions and throttled writers, in a small log and a small cache. */
static void test_IO_134_writeback_against_commit(void **state)
{
	struct storm s = {.d.options.cache_bytes = 2 << 20};
	struct os_thread *writer[3], *syncer;

	disk_make(&s.d, 16 << 20, "-b 1024 -J size=1");
	disk_up(&s.d);
	assert_int_equal(os_thread_create(&syncer, "syncer", storm_syncer, &s), 0);
	for (unsigned k = 0; k < 3; k++)
		assert_int_equal(os_thread_create(&writer[k], "writer", storm_writer, &s), 0);
	for (unsigned k = 0; k < 3; k++)
		os_thread_join(writer[k]);
	atomic_store_rel(&s.stop, true);
	os_thread_join(syncer);
	assert_int_equal(uext4_sync(s.d.t.fs), 0); /* what came after the syncer's last turn */
	disk_end(&s.d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_74_cut_at_every_write),
		cmocka_unit_test(test_IO_134_writeback_against_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
