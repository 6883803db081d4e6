/* Many small files in one round of writeback: a cut at every write of the device, and failing ones.
 */
#include "disk.h"

#include <fcntl.h>

#include "base/trace.h"
#include "os/atomic.h"
#include "os/thread.h"

#define BYTES (12u << 20)
#define FILES 12u

static const char *name_of(unsigned k)
{
	static char name[16];

	snprintf(name, sizeof(name), "file-%u", k);
	return name;
}

static u64 bytes_of(unsigned k)
{
	return 700 + k * 1500;
}

static struct uext4_file *open_file(struct disk_test *d, unsigned k)
{
	return disk_open(d, name_of(k), O_RDWR);
}

/* Every third file, so that the others are its neighbours on the device. */
static u8 value_of(unsigned k, bool marked)
{
	return marked && k % 3 == 1 ? MARKED : (u8)(k + 1);
}

static void write_all(struct disk_test *d, bool marked)
{
	for (unsigned k = 0; k < FILES; k++) {
		struct uext4_file *file = open_file(d, k);

		disk_write(file, 0, bytes_of(k), value_of(k, marked));
		uext4_file_close(file);
	}
}

/* After a cut: all of it if a sync has said so, else a beginning, or zeros (IO-74). */
static void expect_after_cut(struct disk_test *d, unsigned k, bool synced)
{
	struct uext4_file *file = open_file(d, k);
	u64 size = disk_stat(file).size;
	u8 buf[700 + FILES * 1500];

	assert_true(size == bytes_of(k) || (!synced && size < bytes_of(k)));
	assert_int_equal(uext4_pread(file, buf, sizeof(buf), 0), size);
	for (u64 pos = 0; pos < size; pos++)
		if (buf[pos] != value_of(k, false) && (synced || buf[pos] != 0))
			fail_msg("file %u, byte %llu of %llu is %02x", k, (unsigned long long)pos,
				(unsigned long long)size, buf[pos]);
	uext4_file_close(file);
}

static struct disk_test *mounted;
static u32 syncing; /* thread */

/* Between the places of a round and its data. No size changes then: the commit awaits no data. */
static void commit_places(const char *name, u64 a, u64 b)
{
	struct journal *j;

	if (os_thread_self() != syncing || strcmp(name, "write_round"))
		return;
	j = mounted->t.v->journal;
	assert_int_equal(journal_commit(j, journal_running_tid(j), NULL), 0);
}

/* The files as holes of their sizes. */
static void make_sized(struct disk_test *d)
{
	disk_up(d);
	for (unsigned k = 0; k < FILES; k++) {
		struct uext4_file *file = open_file(d, k);

		assert_int_equal(uext4_ftruncate(file, bytes_of(k)), 0);
		uext4_file_close(file);
	}
	assert_int_equal(disk_down(d), 0);
}

static void sync_cut_after(struct disk_test *d, u64 writes, trace_hook_fn *hook)
{
	d->disk.writes = 0;
	d->disk.cut_after = writes;
	disk_up(d);
	write_all(d, false);
	syncing = os_thread_self();
	trace_hook = hook;
	assert_int_equal(uext4_sync(d->t.fs), 0);
	trace_hook = NULL;
}

static void cut_everywhere(const char *mke2fs_options, bool sized)
{
	struct disk_test d = {0};
	u8 *start = malloc(BYTES);
	bool more = true;

	mounted = &d;
	disk_make(&d, BYTES, mke2fs_options);
	if (sized)
		make_sized(&d);
	memcpy(start, d.disk.bytes, BYTES);
	for (u64 n = 1; more; n++) {
		memcpy(d.disk.bytes, start, BYTES);
		sync_cut_after(&d, n, sized ? commit_places : NULL);
		more = atomic_load_acq(&d.disk.writes) > n;
		disk_power_cut(&d);
		for (unsigned k = 0; k < FILES; k++)
			expect_after_cut(&d, k, !more);
		assert_int_equal(disk_down(&d), 0);
	}
	disk_up(&d);
	disk_end(&d);
	free(start);
}

static void test_IO_74_cut_at_every_write(void **state)
{
	for (unsigned sized = 0; sized < 2; sized++) {
		cut_everywhere("-b 1024", sized);
		cut_everywhere("-b 4096", sized);
	}
}

static void expect_loss(struct disk_test *d, struct uext4_file *file, unsigned k)
{
	bool lost = value_of(k, true) == MARKED;

	assert_int_equal(uext4_fsync(file), lost ? -EIO : 0);
	assert_int_equal(uext4_fsync(file), 0);
	uext4_file_close(file);
}

/* IO-91: who shared a request with what the device refuses loses nothing, and is told nothing. */
static void failing(const char *mke2fs_options)
{
	struct uext4_file *file[FILES];
	struct disk_test d = {0};

	disk_make(&d, BYTES, mke2fs_options);
	disk_up(&d);
	d.t.expect_errors = true;
	for (unsigned k = 0; k < FILES; k++)
		file[k] = open_file(&d, k);
	write_all(&d, true);
	atomic_store_rel(&d.disk.fail_marked, true);
	assert_int_equal(uext4_sync(d.t.fs), -EIO);
	assert_int_equal(uext4_sync(d.t.fs), 0);
	for (unsigned k = 0; k < FILES; k++)
		expect_loss(&d, file[k], k);
	disk_power_cut(&d);
	for (unsigned k = 0; k < FILES; k++) {
		u8 value = value_of(k, true);

		file[k] = open_file(&d, k);
		assert_int_equal(disk_stat(file[k]).size, bytes_of(k));
		disk_expect(file[k], 0, bytes_of(k), value == MARKED ? 0 : value);
		uext4_file_close(file[k]);
	}
	disk_end(&d);
}

static void test_IO_91_only_the_refused_is_lost(void **state)
{
	failing("-b 1024");
	failing("-b 4096");
	failing("-b 4096 -O ^has_journal");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_74_cut_at_every_write),
		cmocka_unit_test(test_IO_91_only_the_refused_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
