/*
 * Space operations against readers and writers, buffered and direct, of the same file (IO-58,
 * IO-100, IO-106): the device is full of old bytes, and none of them is ever seen.
 */
#include "space_test.h"

#include "os/atomic.h"
#include "os/thread.h"

#define OLD 0xEE
#define FILE_BYTES (1u << 20)
enum { OPS = 400, WRITERS = 2, READERS = 2 };

struct actor {
	struct test *x;
	u32 *stop; /* atomic */
	u32 number;
	u32 seen; /* bytes that nobody wrote; atomic */
	int error;
};

static struct uext4_file *reopen(struct test *x, int flags)
{
	struct uext4_file *file = NULL;

	assert_int_equal(
		uext4_openat(x->t.fs, x->t.root, "file", O_RDWR | flags, 0, NULL, &file), 0);
	return file;
}

static void note(struct actor *a, ssize_t n)
{
	if (n < 0 && n != -ENOSPC && !a->error)
		a->error = (int)n;
}

static void write_loop(void *arg)
{
	struct actor *a = arg;
	bool direct = a->number % 2;
	struct uext4_file *file = reopen(a->x, direct ? O_DIRECT : 0);
	u8 *buf = aligned_alloc(4096, 65536);
	struct rng rng;

	rng_init(&rng, a->number + 1);
	memset(buf, 1 + (int)a->number, 65536);
	while (!atomic_load_acq(a->stop)) {
		u64 pos = rng_below(&rng, FILE_BYTES), len = 1 + rng_below(&rng, 60000);

		if (direct) {
			pos &= ~4095ull;
			len = round_up_to(len, 4096);
		}
		note(a, uext4_pwrite(file, buf, len, pos));
	}
	free(buf);
	uext4_file_close(file);
}

static void read_loop(void *arg)
{
	struct actor *a = arg;
	struct uext4_file *file = reopen(a->x, a->number % 2 ? O_DIRECT : 0);
	struct uext4_fiemap_extent extents[4];
	u8 *buf = aligned_alloc(4096, 65536);
	struct rng rng;

	rng_init(&rng, a->number + 100);
	while (!atomic_load_acq(a->stop)) {
		u64 pos = rng_below(&rng, FILE_BYTES) & ~4095ull;
		ssize_t n = uext4_pread(file, buf, 65536, pos);

		note(a, n);
		for (ssize_t k = 0; k < n; k++)
			if (buf[k] > WRITERS)
				atomic_add(&a->seen, 1);
		note(a, uext4_fiemap(uext4_file_inode(file), pos, FILE_BYTES, 0, extents, 4));
		(void)uext4_seek(file, pos, SEEK_HOLE);
	}
	free(buf);
	uext4_file_close(file);
}

static void space_ops(struct test *x, u32 seed)
{
	static const int modes[] = {0, KEEP, PUNCH, PUNCH, ZERO, ZERO | KEEP, COLLAPSE, INSERT};
	struct rng rng;

	rng_init(&rng, seed);
	for (int k = 0; k < OPS; k++) {
		int mode = modes[rng_below(&rng, array_len(modes))], err;
		u64 pos = rng_below(&rng, FILE_BYTES), len = 1 + rng_below(&rng, 60000);

		if (mode & (COLLAPSE | INSERT)) {
			pos = round_down_to(pos, 4096);
			len = round_up_to(len, 4096);
		}
		err = falloc(x, mode, pos, len);
		if (err != -EINVAL && err != -ENOSPC)
			assert_int_equal(err, 0);
		if (k % 16 == 0)
			assert_int_equal(uext4_ftruncate(x->file, rng_below(&rng, FILE_BYTES)), 0);
		if (k % 50 == 0) {
			err = uext4_fsync(x->file);
			if (err != -EIO) /* IO-52: both kinds of writes in one place */
				assert_int_equal(err, 0);
		}
	}
}

/* Every free block holds old bytes. */
static void poison(struct test *x)
{
	struct uext4_file *file = NULL;
	u8 *buf = malloc(1 << 20);

	memset(buf, OLD, 1 << 20);
	assert_int_equal(
		uext4_openat(x->t.fs, x->t.root, "old", O_RDWR | O_CREAT, 0644, NULL, &file), 0);
	for (u64 pos = 0; uext4_pwrite(file, buf, 1 << 20, pos) == 1 << 20;)
		pos += 1 << 20;
	assert_int_equal(uext4_fsync(file), 0);
	uext4_file_close(file);
	assert_int_equal(uext4_unlink(x->t.root, NULL, "old"), 0);
	assert_int_equal(uext4_sync(x->t.fs), 0);
	free(buf);
}

static void storm(const char *mke2fs_options, u32 seed)
{
	struct actor actors[WRITERS + READERS];
	struct os_thread *threads[WRITERS + READERS];
	struct test x;
	u32 stop = 0;

	setup(&x, mke2fs_options);
	poison(&x);
	for (u32 k = 0; k < array_len(actors); k++) {
		actors[k] = (struct actor){.x = &x, .stop = &stop, .number = k};
		assert_int_equal(os_thread_create(&threads[k], "actor",
					 k < WRITERS ? write_loop : read_loop, &actors[k]),
			0);
	}
	space_ops(&x, seed);
	atomic_store_rel(&stop, 1);
	for (u32 k = 0; k < array_len(actors); k++) {
		os_thread_join(threads[k]);
		assert_int_equal(actors[k].error, 0);
		assert_int_equal(actors[k].seen, 0);
	}
	teardown(&x);
}

static void test_IO_106_storm_4k(void **state)
{
	storm("-b 4096", 1);
}

static void test_IO_106_storm_1k(void **state)
{
	storm("-b 1024", 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_106_storm_4k),
		cmocka_unit_test(test_IO_106_storm_1k),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
