/*
 * Random reads, writes, truncates and space operations of one file through the public interface,
 * against bytes.
 */
#include "dir/dir_test.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#define MAX_BYTES (320u << 10)

#define SECTOR 512u

/* Through the page cache, past it, or either at random. */
enum fsx_mode { BUFFERED, DIRECT, MIXED };

struct fsx {
	u8 buf[MAX_BYTES] __attribute__((aligned(4096)));
	struct dir_test t;
	struct uext4_file *file, *direct;
	enum fsx_mode mode;
	struct rng rng;
	u8 model[MAX_BYTES];
	u64 size;
	u32 block_size;
	bool extents;
};

static bool pick_direct(struct fsx *x)
{
	return x->mode == DIRECT || (x->mode == MIXED && rng_below(&x->rng, 2));
}

static void fsx_open(struct fsx *x)
{
	assert_int_equal(
		uext4_openat(x->t.fs, x->t.root, "file", O_RDWR | O_CREAT, 0644, NULL, &x->file),
		0);
	assert_int_equal(
		uext4_openat(x->t.fs, x->t.root, "file", O_RDWR | O_DIRECT, 0, NULL, &x->direct),
		0);
}

static void fsx_close(struct fsx *x)
{
	uext4_file_close(x->file);
	uext4_file_close(x->direct);
}

static void check(struct fsx *x, u64 pos, u64 len)
{
	bool direct = pick_direct(x);
	u64 expect;
	ssize_t n;

	if (direct) {
		pos = round_down_to(pos, SECTOR);
		len = round_up_to(len, SECTOR);
	}
	expect = pos < x->size ? min_of(len, x->size - pos) : 0;
	n = uext4_pread(direct ? x->direct : x->file, x->buf, len, pos);

	assert_int_equal(n, expect);
	for (u64 k = 0; k < expect; k++)
		if (x->buf[k] != x->model[pos + k])
			fail_msg("byte %llu of %llu is %02x, not %02x",
				(unsigned long long)(pos + k), (unsigned long long)x->size,
				x->buf[k], x->model[pos + k]);
}

static void op_write(struct fsx *x, bool append)
{
	u64 pos = append ? x->size : rng_below(&x->rng, MAX_BYTES);
	u64 len = 1 + rng_below(&x->rng, rng_below(&x->rng, 8) ? 9000 : 90000);
	bool direct = pick_direct(x);

	if (direct) {
		pos = round_down_to(pos, SECTOR);
		len = round_up_to(len, SECTOR);
	}
	len = min_of(len, MAX_BYTES - pos);
	if (!len)
		return;
	for (u64 k = 0; k < len; k++)
		x->buf[k] = (u8)(1 + rng_below(&x->rng, 255));
	assert_int_equal(uext4_pwrite(direct ? x->direct : x->file, x->buf, len, pos), len);
	memcpy(x->model + pos, x->buf, len);
	x->size = max_of(x->size, pos + len);
}

static void op_truncate(struct fsx *x)
{
	u64 size = rng_below(&x->rng, MAX_BYTES);

	assert_int_equal(uext4_ftruncate(x->file, size), 0);
	if (size < x->size)
		memset(x->model + size, 0, x->size - size);
	x->size = size;
}

static int space_op(struct fsx *x, int mode, u64 pos, u64 len)
{
	int err = uext4_fallocate(x->file, mode, pos, len);

	if (x->extents || mode & FALLOC_FL_PUNCH_HOLE)
		return err;
	assert_int_equal(err, -EOPNOTSUPP);
	return err;
}

/* IO-101, IO-102, IO-105 */
static void op_allocate_or_zero(struct fsx *x, int mode)
{
	u64 pos = rng_below(&x->rng, MAX_BYTES);
	u64 len = 1 + rng_below(&x->rng, rng_below(&x->rng, 4) ? 9000 : 90000);

	len = min_of(len, MAX_BYTES - pos);
	if (rng_below(&x->rng, 3) == 0) {
		pos = round_down_to(pos, x->block_size);
		len = round_up_to(len, x->block_size);
		len = min_of(len, MAX_BYTES - pos);
	}
	if (mode != FALLOC_FL_PUNCH_HOLE && rng_below(&x->rng, 2))
		mode |= FALLOC_FL_KEEP_SIZE;
	if (mode == FALLOC_FL_PUNCH_HOLE)
		mode |= FALLOC_FL_KEEP_SIZE;
	if (space_op(x, mode, pos, len))
		return;
	if (mode & ~FALLOC_FL_KEEP_SIZE && pos < x->size)
		memset(x->model + pos, 0, min_of(len, x->size - pos));
	if (!(mode & FALLOC_FL_KEEP_SIZE))
		x->size = max_of(x->size, pos + len);
}

/* IO-106 */
static void op_collapse(struct fsx *x)
{
	u32 bs = x->block_size;
	u64 pos = round_down_to(rng_below(&x->rng, MAX_BYTES), bs);
	u64 len = (1 + rng_below(&x->rng, 20)) * bs;

	if (pos + len >= x->size) {
		if (x->extents)
			assert_int_equal(space_op(x, FALLOC_FL_COLLAPSE_RANGE, pos, len), -EINVAL);
		return;
	}
	if (space_op(x, FALLOC_FL_COLLAPSE_RANGE, pos, len))
		return;
	memmove(x->model + pos, x->model + pos + len, x->size - pos - len);
	memset(x->model + x->size - len, 0, len);
	x->size -= len;
}

/* IO-107 */
static void op_insert(struct fsx *x)
{
	u32 bs = x->block_size;
	u64 pos = round_down_to(rng_below(&x->rng, MAX_BYTES), bs);
	u64 len = (1 + rng_below(&x->rng, 20)) * bs;

	if (pos >= x->size || x->size + len > MAX_BYTES)
		return;
	if (space_op(x, FALLOC_FL_INSERT_RANGE, pos, len))
		return;
	memmove(x->model + pos + len, x->model + pos, x->size - pos);
	memset(x->model + pos, 0, len);
	x->size += len;
}

/* IO-123: nothing but zeros is called a hole. */
static void op_seek(struct fsx *x)
{
	u64 pos = rng_below(&x->rng, MAX_BYTES);
	s64 data = uext4_seek(x->file, pos, SEEK_DATA);
	u64 end = data < 0 ? x->size : (u64)data;

	if (pos >= x->size) {
		assert_int_equal(data, -ENXIO);
		return;
	}
	assert_true(data >= (s64)pos || data == -ENXIO);
	for (u64 k = pos; k < end; k++)
		assert_int_equal(x->model[k], 0);
	assert_in_range(uext4_seek(x->file, pos, SEEK_HOLE), pos, x->size);
}

static void op_remount(struct fsx *x)
{
	fsx_close(x);
	dt_down(&x->t);
	fixture_fsck(&x->t.f);
	dt_up(&x->t);
	fsx_open(x);
	check(x, 0, MAX_BYTES);
}

static void fsx_op(struct fsx *x)
{
	switch (rng_below(&x->rng, 22)) {
	case 0:
		op_truncate(x);
		break;
	case 1:
		assert_int_equal(uext4_fsync(x->file), 0);
		break;
	case 2:
		fsx_close(x);
		fsx_open(x);
		break;
	case 3:
		op_seek(x);
		break;
	case 4:
		op_write(x, true);
		break;
	case 5 ... 9:
		op_write(x, false);
		break;
	case 10:
		op_allocate_or_zero(x, 0);
		break;
	case 11 ... 12:
		op_allocate_or_zero(x, FALLOC_FL_PUNCH_HOLE);
		break;
	case 13 ... 14:
		op_allocate_or_zero(x, FALLOC_FL_ZERO_RANGE);
		break;
	case 15:
		op_collapse(x);
		break;
	case 16:
		op_insert(x);
		break;
	default:
		check(x, rng_below(&x->rng, MAX_BYTES), 1 + rng_below(&x->rng, 60000));
	}
}

/* squeezed: a cache so small that writeback and eviction never rest. */
static void fsx_run_with(const char *mke2fs_options, enum fsx_mode mode, u32 seed, unsigned ops,
	bool nodelalloc, bool squeezed)
{
	struct fsx *x = aligned_alloc(4096, round_up_to(sizeof(*x), 4096));

	memset(x, 0, sizeof(*x));
	x->mode = mode;
	rng_init(&x->rng, seed);
	dt_make(&x->t, 24 << 20, mke2fs_options);
	x->t.nodelalloc = nodelalloc;
	x->t.cache_bytes = squeezed ? 512 << 10 : 0;
	dt_up(&x->t);
	x->block_size = x->t.v->sb.block_size;
	x->extents = !strstr(mke2fs_options, "^extent");
	fsx_open(x);
	for (unsigned k = 1; k <= ops; k++) {
		fsx_op(x);
		if (k % 4000 == 0)
			op_remount(x);
	}
	check(x, 0, MAX_BYTES);
	fsx_close(x);
	dt_end(&x->t);
	free(x);
}

static void fsx_run(const char *mke2fs_options, enum fsx_mode mode, u32 seed, unsigned ops)
{
	fsx_run_with(mke2fs_options, mode, seed, ops, false, false);
}

static void test_IO_79_fsx_4k(void **state)
{
	fsx_run("-b 4096", BUFFERED, 1, 25000);
}

static void test_IO_79_fsx_1k(void **state)
{
	fsx_run("-b 1024", BUFFERED, 2, 25000);
}

static void test_IO_79_fsx_1k_indirect(void **state)
{
	fsx_run("-b 1024 -O ^extent,^64bit", BUFFERED, 3, 20000);
}

static void test_IO_79_fsx_4k_indirect(void **state)
{
	fsx_run("-b 4096 -O ^extent,^64bit,^metadata_csum", BUFFERED, 4, 20000);
}

static void test_IO_79_fsx_no_journal(void **state)
{
	fsx_run("-b 1024 -O ^has_journal", BUFFERED, 5, 10000);
}

static void test_IO_48_fsx_direct_4k(void **state)
{
	fsx_run("-b 4096", DIRECT, 11, 20000);
}

static void test_IO_48_fsx_mixed_4k(void **state)
{
	fsx_run("-b 4096", MIXED, 12, 20000);
}

static void test_IO_48_fsx_mixed_1k(void **state)
{
	fsx_run("-b 1024", MIXED, 13, 20000);
}

static void test_IO_47_fsx_mixed_indirect(void **state)
{
	fsx_run("-b 1024 -O ^extent,^64bit", MIXED, 14, 15000);
}

static void test_IO_93_fsx_mixed_no_journal(void **state)
{
	fsx_run("-b 1024 -O ^has_journal", MIXED, 15, 10000);
}

static void test_IO_26_fsx_nodelalloc(void **state)
{
	fsx_run_with("-b 1024", MIXED, 21, 10000, true, false);
}

static void test_IO_74_fsx_squeezed(void **state)
{
	fsx_run_with("-b 1024", MIXED, 22, 10000, false, true);
	fsx_run_with("-b 4096", BUFFERED, 23, 10000, true, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_79_fsx_4k),
		cmocka_unit_test(test_IO_79_fsx_1k),
		cmocka_unit_test(test_IO_79_fsx_1k_indirect),
		cmocka_unit_test(test_IO_79_fsx_4k_indirect),
		cmocka_unit_test(test_IO_79_fsx_no_journal),
		cmocka_unit_test(test_IO_48_fsx_direct_4k),
		cmocka_unit_test(test_IO_48_fsx_mixed_4k),
		cmocka_unit_test(test_IO_48_fsx_mixed_1k),
		cmocka_unit_test(test_IO_47_fsx_mixed_indirect),
		cmocka_unit_test(test_IO_26_fsx_nodelalloc),
		cmocka_unit_test(test_IO_74_fsx_squeezed),
		cmocka_unit_test(test_IO_93_fsx_mixed_no_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
