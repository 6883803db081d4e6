/* How many pieces a file is in after it was written in the usual ways. */
#include "dir/dir_test.h"

#include <fcntl.h>

enum { BYTES = 48 << 20, PIECE = 1 << 20, WINDOW = 8 << 20 };

static struct uext4_file *open_file(struct dir_test *t, const char *name, int flags)
{
	struct uext4_file *f;

	assert_int_equal(
		uext4_openat(t->fs, t->root, name, O_RDWR | O_CREAT | flags, 0644, NULL, &f), 0);
	return f;
}

static unsigned close_file(struct uext4_file *f)
{
	struct uext4_fiemap_extent list[64];
	unsigned count = 0;
	int n;

	assert_int_equal(uext4_fsync(f), 0);
	n = uext4_fiemap(uext4_file_inode(f), 0, UINT64_MAX, 0, list, 64);
	assert_in_range(n, 1, 63);
	for (int k = 0; k < n; k++)
		count += k == 0 || list[k].physical != list[k - 1].physical + list[k - 1].length;
	uext4_file_close(f);
	return count;
}

static void put_piece(struct uext4_file *f, u64 pos)
{
	static u8 data[PIECE] __attribute__((aligned(4096)));

	memset(data, 'x', PIECE);
	assert_int_equal(uext4_pwrite(f, data, PIECE, pos), PIECE);
}

static void put_pieces(struct uext4_file *f, u64 from, u64 to)
{
	for (u64 pos = from; pos < to; pos += PIECE)
		put_piece(f, pos);
}

static void remove_file(struct dir_test *t, const char *name)
{
	assert_int_equal(uext4_unlink(t->root, NULL, name), 0);
	assert_int_equal(uext4_sync(t->fs), 0);
}

/*
 * AL-13: rounds of writeback, by the flusher and by a throttled writer, continue where the one
 * before ended, whatever has become free before that, and whoever has forgotten the file meanwhile.
 */
static void test_AL_13_sequential(void **state)
{
	static const int flags[] = {0, O_DIRECT, O_DSYNC, 0};
	struct dir_test t;

	dt_make(&t, 256 << 20, "-b 4096 -J size=4");
	t.cache_bytes = 16 << 20;
	dt_up(&t);
	for (unsigned k = 0; k < sizeof(flags) / sizeof(flags[0]); k++) {
		struct uext4_file *before = open_file(&t, "before", O_DIRECT), *f;

		put_pieces(before, 0, BYTES);
		(void)close_file(before);
		f = open_file(&t, "file", flags[k]);
		put_pieces(f, 0, BYTES / 2);
		assert_int_equal(uext4_fsync(f), 0);
		remove_file(&t, "before");
		if (k == 3) {
			uext4_file_close(f);
			(void)icache_shrink(t.v, 0);
			f = open_file(&t, "file", flags[k]);
		}
		put_pieces(f, BYTES / 2, BYTES);
		assert_int_equal(close_file(f), 1);
		remove_file(&t, "file");
	}
	dt_end(&t);
}

/* AL-14: files that grow side by side grow in windows, of 8 MiB after the first few. */
static void test_AL_14_side_by_side(void **state)
{
	struct uext4_file *f[3];
	struct dir_test t;

	dt_make(&t, 256 << 20, "-b 4096 -J size=4");
	dt_up(&t);
	f[0] = open_file(&t, "a", O_DIRECT);
	f[1] = open_file(&t, "b", O_DIRECT);
	f[2] = open_file(&t, "c", O_DSYNC);
	for (u64 pos = 0; pos < BYTES; pos += PIECE)
		for (unsigned k = 0; k < 3; k++)
			put_piece(f[k], pos);
	for (unsigned k = 0; k < 3; k++)
		assert_in_range(close_file(f[k]), 1, BYTES / WINDOW + 4);
	dt_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_AL_13_sequential),
		cmocka_unit_test(test_AL_14_side_by_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
