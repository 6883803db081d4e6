/* Direct I/O through the public interface: side by side, the fast path, what goes through the
 * cache. */
#include "direct.h"

#include "base/trace.h"
#include "os/atomic.h"
#include "os/thread.h"

static struct uext4_file *watched;

/* --- IO-41 --- */

static void test_IO_41_one_block(void **state)
{
	struct uext4_completion c[8];
	struct uext4_request r[8];
	struct uext4_queue *q;
	struct dir_test t;

	direct_up(&t, "-b 4096");
	watched = direct_open(&t, "file", RW);
	assert_int_equal(uext4_queue_create(t.fs, NULL, &q), 0);
	for (unsigned round = 0; round < 60; round++) {
		u64 at = round * BLOCK;

		assert_int_equal(uext4_fallocate(watched, 0, at, BLOCK), 0);
		for (unsigned k = 0; k < 8; k++) {
			memset(buf + k * SECTOR, 'A' + (int)k, SECTOR);
			r[k] = (struct uext4_request){.op = UEXT4_OP_WRITE,
				.file = watched,
				.buf = buf + k * SECTOR,
				.len = SECTOR,
				.offset = at + k * SECTOR};
		}
		assert_int_equal(uext4_queue_submit(q, r, 8), 8);
		assert_int_equal(uext4_queue_reap(q, c, 8, 8, -1), 8);
		for (unsigned k = 0; k < 8; k++)
			direct_expect(watched, at + k * SECTOR, SECTOR, (u8)('A' + k));
	}
	uext4_queue_destroy(q);
	uext4_file_close(watched);
	direct_down(&t);
}

/*
 * Neighbours that share blocks, at once: some fall into holes and go through the cache. A page must
 * not bring back what a direct write has just replaced.
 */
static void neighbours(const char *mke2fs_options)
{
	struct uext4_completion c[16];
	struct uext4_request r[16];
	struct uext4_queue *q;
	struct dir_test t;

	direct_up(&t, mke2fs_options);
	watched = direct_open(&t, "file", RW);
	assert_int_equal(uext4_queue_create(t.fs, NULL, &q), 0);
	for (unsigned round = 0; round < 150; round++) {
		u64 at = round % 50 * 11 * SECTOR, pos = at;

		if (round % 50 == 0)
			assert_int_equal(uext4_ftruncate(watched, 0), 0);
		for (unsigned k = 0; k < 16; k++) {
			u64 len = SECTOR * (1 + (round + k) % 7);

			memset(buf + k * BLOCK, (int)(round + k), len);
			r[k] = (struct uext4_request){.op = UEXT4_OP_WRITE,
				.file = watched,
				.buf = buf + k * BLOCK,
				.len = len,
				.offset = pos};
			pos += len;
		}
		assert_int_equal(uext4_queue_submit(q, r, 16), 16);
		assert_int_equal(uext4_queue_reap(q, c, 16, 16, -1), 16);
		for (unsigned k = 0; k < 16; k++) {
			assert_true(c[k].result > 0);
			direct_expect(watched, r[k].offset, r[k].len, (u8)(round + k));
		}
	}
	assert_int_equal(uext4_fsync(watched), 0); /* IO-52: nothing was lost */
	uext4_queue_destroy(q);
	uext4_file_close(watched);
	direct_down(&t);
}

/* A buffered write waits for a direct one in flight, whoever reaps: no page of the range is
 * dirtied. */
static void test_IO_52_buffered_waits(void **state)
{
	struct uext4_completion c;
	struct uext4_file *cached;
	struct uext4_request r;
	struct uext4_queue *q;
	struct dir_test t;

	direct_up(&t, "-b 4096");
	watched = direct_open(&t, "file", RW);
	cached = direct_open(&t, "file", O_RDWR);
	assert_int_equal(uext4_pwrite(watched, buf, BLOCK, 0), BLOCK);
	assert_int_equal(uext4_queue_create(t.fs, NULL, &q), 0);
	memset(buf, 'd', SECTOR);
	r = (struct uext4_request){
		.op = UEXT4_OP_WRITE, .file = watched, .buf = buf, .len = SECTOR, .offset = SECTOR};
	assert_int_equal(uext4_queue_submit(q, &r, 1), 1);
	assert_int_equal(uext4_pwrite(cached, "c", 1, 0), 1);
	assert_int_equal(uext4_queue_reap(q, &c, 1, 1, -1), 1);
	assert_int_equal(c.result, SECTOR);
	assert_int_equal(uext4_fsync(cached), 0);
	direct_expect(watched, SECTOR, SECTOR, 'd');
	uext4_queue_destroy(q);
	uext4_file_close(cached);
	uext4_file_close(watched);
	direct_down(&t);
}

static void test_IO_48_neighbours(void **state)
{
	neighbours("-b 1024 -O ^extent,^64bit");
	neighbours("-b 4096 -O ^extent,^64bit");
	neighbours("-b 4096");
}

/* --- the fast path --- */

static u64 allocations;
static u32 self; /* only what this thread does counts */

static bool count_allocations(const char *name)
{
	allocations += os_thread_self() == self && !strcmp(name, "os_alloc");
	return false;
}

static u64 handles(struct dir_test *t)
{
	struct uext4_stats s;

	assert_int_equal(uext4_stats(t->fs, &s), 0);
	return s.handles;
}

static u64 misses;

static void count_misses(const char *name, u64 a, u64 b)
{
	misses += os_thread_self() == self &&
		  (!strcmp(name, "direct_upgrade") || !strcmp(name, "map_create_miss") ||
			  !strcmp(name, "dio_wait"));
}

/*
 * A read or overwrite of mapped blocks allocates nothing, opens no handle and takes no lock
 * exclusively. Only the first write of a tick of the clock has times to store.
 */
static void fast(struct dir_test *t, bool write, bool queued)
{
	struct uext4_completion c;
	struct uext4_queue *q;
	unsigned clean = 0;

	assert_int_equal(uext4_queue_create(t->fs, NULL, &q), 0);
	self = os_thread_self();
	fault_hook = count_allocations;
	trace_hook = count_misses;
	for (unsigned k = 0; k < 200000 && clean < 10; k++) {
		struct uext4_request r = {.op = write ? UEXT4_OP_WRITE : UEXT4_OP_READ,
			.file = watched,
			.buf = buf,
			.len = BLOCK,
			.offset = k % 16 * BLOCK};
		u64 before = handles(t);

		allocations = misses = 0;
		if (queued) {
			assert_int_equal(uext4_queue_submit(q, &r, 1), 1);
			assert_int_equal(uext4_queue_reap(q, &c, 1, 1, -1), 1);
			assert_int_equal(c.result, BLOCK);
		} else {
			assert_int_equal(direct_rw(watched, write, r.offset, buf, BLOCK, 0), BLOCK);
		}
		assert_int_equal(misses, 0);
		if (handles(t) != before)
			continue; /* a tick has passed */
		assert_int_equal(allocations, 0);
		clean++;
	}
	fault_hook = NULL;
	trace_hook = NULL;
	assert_int_equal(clean, 10);
	uext4_queue_destroy(q);
}

static void test_IO_39_fast_path(void **state)
{
	struct dir_test t;

	direct_up(&t, "-b 4096");
	watched = direct_open(&t, "file", RW);
	assert_int_equal(uext4_pwrite(watched, buf, 16 * BLOCK, 0), 16 * BLOCK);
	assert_int_equal(uext4_fsync(watched), 0);
	assert_int_equal(uext4_pread(watched, buf, BLOCK, 0), BLOCK);
	fast(&t, false, false);
	fast(&t, true, false);
	fast(&t, false, true);
	fast(&t, true, true);
	uext4_file_close(watched);
	direct_down(&t);
}

/* --- fallback --- */

/* IO-47, IO-44: holes of a file without extents go through the cache, and are on the device. */
static void test_IO_47_indirect(void **state)
{
	struct uext4_extent e[8];
	struct dir_test t;
	u64 sectors;

	direct_up(&t, "-b 1024 -O ^extent,^64bit");
	watched = direct_open(&t, "file", RW);
	assert_int_equal(uext4_pwrite(watched, buf, 2 * BLOCK, 0), 2 * BLOCK);
	assert_int_equal(uext4_ftruncate(watched, 8 * BLOCK), 0);
	memset(buf, 'c', 4 * BLOCK);
	assert_int_equal(uext4_pwrite(watched, buf, 4 * BLOCK, BLOCK), 4 * BLOCK);
	assert_false(iofile_is_dirty(&to_inode(uext4_file_inode(watched))->io));
	assert_true(uext4_extents(uext4_file_inode(watched), 0, e, 8) > 0);
	assert_int_equal(e[0].state, UEXT4_EXTENT_WRITTEN);
	assert_int_equal(direct_rw(watched, true, 0, buf, BLOCK, UEXT4_RWF_APPEND), BLOCK);
	assert_int_equal(direct_size(watched), 9 * BLOCK);
	direct_expect(watched, 0, BLOCK, 'b');
	direct_expect(watched, BLOCK, 4 * BLOCK, 'c');
	direct_expect(watched, 5 * BLOCK, 3 * BLOCK, 0);
	direct_expect(watched, 8 * BLOCK, BLOCK, 'c');
	sectors = direct_sectors(watched);
	assert_int_equal(uext4_pwrite(watched, buf, BLOCK, 0), BLOCK); /* directly */
	assert_int_equal(direct_sectors(watched), sectors);
	uext4_file_close(watched);
	direct_down(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_41_one_block),
		cmocka_unit_test(test_IO_52_buffered_waits),
		cmocka_unit_test(test_IO_48_neighbours),
		cmocka_unit_test(test_IO_39_fast_path),
		cmocka_unit_test(test_IO_47_indirect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
