/* fallocate(2): its errors and plain allocation, through the public interface. */
#include "space_test.h"

#include <linux/fiemap.h>

struct call {
	int mode;
	s64 pos, len; /* bytes; the file is 10 blocks and 100 bytes long */
	int err, indirect_err;
};

/* The file has blocks of 4 KiB. */
#define B 4096ll
#define TOP (0xffffffffll * B)

static const struct call table[] = {
	/* Arguments come first, also before the mode. */
	{0, -1, B, -EINVAL, -EINVAL},
	{0, 0, 0, -EINVAL, -EINVAL},
	{PUNCH, 0, -B, -EINVAL, -EINVAL},
	{0x4000, 0, 0, -EINVAL, -EINVAL},
	/* Modes that there are not, or not together. */
	{0x4000, 0, B, -EOPNOTSUPP, -EOPNOTSUPP},
	{0x04, 0, B, -EOPNOTSUPP, -EOPNOTSUPP},
	{0x80, 0, B, -EOPNOTSUPP, -EOPNOTSUPP},
	{FALLOC_FL_PUNCH_HOLE, 0, B, -EOPNOTSUPP, -EOPNOTSUPP},
	{PUNCH | ZERO, 0, B, -EOPNOTSUPP, -EOPNOTSUPP},
	{COLLAPSE | KEEP, 0, B, -EOPNOTSUPP, -EOPNOTSUPP},
	{INSERT | KEEP, 0, B, -EOPNOTSUPP, -EOPNOTSUPP},
	{COLLAPSE | INSERT, 0, B, -EOPNOTSUPP, -EOPNOTSUPP},
	/* Beyond the largest file, before what kind of file it is. */
	{0, TOP, B, -EFBIG, -EFBIG},
	{PUNCH, TOP - B, B + 1, -EFBIG, -EFBIG},
	{KEEP, INT64_MAX, B, -EFBIG, -EFBIG},
	{COLLAPSE, 1ll << 62, B, -EFBIG, -EFBIG},
	{UNSHARE, TOP, 1, -EFBIG, -EFBIG},
	/* Whole blocks, inside the file. */
	{COLLAPSE, B + 1, B, -EINVAL, -EOPNOTSUPP},
	{COLLAPSE, B, B - 1, -EINVAL, -EOPNOTSUPP},
	{COLLAPSE, 9 * B, 2 * B, -EINVAL, -EOPNOTSUPP},
	{COLLAPSE, 10 * B, B, -EINVAL, -EOPNOTSUPP},
	{COLLAPSE, 20 * B, B, -EINVAL, -EOPNOTSUPP},
	{INSERT, B + 1, B, -EINVAL, -EOPNOTSUPP},
	{INSERT, B, B + 512, -EINVAL, -EOPNOTSUPP},
	{INSERT, 11 * B, B, -EINVAL, -EOPNOTSUPP},
	{INSERT, B, TOP - 10 * B, -EFBIG, -EOPNOTSUPP},
	{INSERT, 0, TOP - 10 * B, -EFBIG, -EOPNOTSUPP},
	/* What works. */
	{UNSHARE, 0, 20 * B, 0, -EOPNOTSUPP},
	{UNSHARE | KEEP, 0, B, 0, -EOPNOTSUPP},
	{PUNCH, 30 * B, B, 0, 0},
	{PUNCH, 3, 2, 0, 0},
	{KEEP, TOP - B, B, 0, -EOPNOTSUPP},
	{ZERO | KEEP, 5, 3 * B, 0, -EOPNOTSUPP},
};

static void call_table(const char *mke2fs_options, bool extents)
{
	struct test x;

	setup(&x, mke2fs_options);
	fill(&x, 0, 10);
	assert_int_equal(uext4_ftruncate(x.file, 10 * B + 100), 0);
	for (size_t k = 0; k < array_len(table); k++) {
		const struct call *c = &table[k];
		int err = falloc(&x, c->mode, (u64)c->pos, (u64)c->len);

		if (err != (extents ? c->err : c->indirect_err))
			fail_msg("mode %x at %lld, %lld bytes: %d", c->mode, (long long)c->pos,
				(long long)c->len, err);
		assert_int_equal(size_of(&x), 10 * B + 100);
	}
	teardown(&x);
}

static void test_IO_100_IO_122_errors(void **state)
{
	call_table("-b 4096", true);
	call_table("-b 4096 -O ^extent,^64bit,^metadata_csum", false);
}

static void test_IO_100_flags_and_open_mode(void **state)
{
	struct uext4_setattr set = {.valid = UEXT4_SET_FLAGS};
	struct uext4_file *reader;
	struct test x;
	u32 flags;

	setup(&x, "");
	fill(&x, 0, 10);
	flags = stat_of(&x).flags;
	assert_int_equal(uext4_file_open(uext4_file_inode(x.file), NULL, O_RDONLY, &reader), 0);
	assert_int_equal(uext4_fallocate(reader, 0, 0, x.bs), -EBADF);
	assert_int_equal(uext4_fallocate(reader, 0x80, 0, x.bs), -EOPNOTSUPP);
	assert_int_equal(uext4_fallocate(reader, 0, 0, 0), -EINVAL);
	uext4_file_close(reader);
	set.flags = flags | 0x20; /* append-only: data can't be changed, but space got */
	assert_int_equal(uext4_setattr(uext4_file_inode(x.file), NULL, &set), 0);
	assert_int_equal(falloc(&x, 0, 0, x.bs), 0);
	assert_int_equal(falloc(&x, KEEP, 0, x.bs), 0);
	assert_int_equal(falloc(&x, PUNCH, 0, x.bs), -EPERM);
	assert_int_equal(falloc(&x, ZERO, 0, x.bs), -EPERM);
	assert_int_equal(falloc(&x, COLLAPSE, 0, x.bs), -EPERM);
	assert_int_equal(falloc(&x, INSERT, 0, x.bs), -EPERM);
	assert_int_equal(falloc(&x, UNSHARE, 0, x.bs), -EPERM);
	set.flags = flags | 0x10; /* immutable */
	assert_int_equal(uext4_setattr(uext4_file_inode(x.file), NULL, &set), 0);
	assert_int_equal(falloc(&x, 0, 0, x.bs), -EPERM);
	assert_int_equal(falloc(&x, PUNCH, 0, x.bs), -EPERM);
	expect_blocks(&x, 0, 10, 0);
	assert_int_equal(uext4_shutdown(x.t.fs, UEXT4_SHUTDOWN_SYNC), 0);
	assert_int_equal(falloc(&x, 0, 0, x.bs), -EIO); /* IO-62 */
	uext4_file_close(x.file);
	uext4_inode_put(x.t.root);
	uext4_close(x.t.fs);
	fixture_remove(&x.t.f);
}

/* Each mode is a change by someone: suid and sgid go, times move. */
static void test_IO_100_suid_and_times(void **state)
{
	static const int modes[] = {0, KEEP, PUNCH, ZERO, COLLAPSE, INSERT};
	struct uext4_cred user = {.uid = 5, .gid = 5};
	struct uext4_setattr set = {.valid = UEXT4_SET_MODE | UEXT4_SET_MTIME, .mode = 06777};
	struct test x;

	setup(&x, "");
	for (size_t k = 0; k < array_len(modes); k++) {
		struct uext4_stat st;
		struct uext4_inode *i = uext4_file_inode(x.file);
		struct uext4_file *file;

		fill(&x, 0, 10);
		set.mtime.tv_sec = 1000;
		assert_int_equal(uext4_setattr(i, NULL, &set), 0);
		assert_int_equal(uext4_file_open(i, &user, O_RDWR, &file), 0);
		assert_int_equal(uext4_fallocate(file, modes[k], x.bs, x.bs), 0);
		uext4_file_close(file);
		st = stat_of(&x);
		assert_int_equal(st.mode & 07777, 0777);
		assert_true(st.mtime.tv_sec > 1000 && st.ctime.tv_sec > 1000);
	}
	teardown(&x);
}

/* IO-35, IO-97, IO-101: what is there stays; blocks behind the end live until a truncate. */
static void allocate(const char *mke2fs_options)
{
	struct test x;

	setup(&x, mke2fs_options);
	fill(&x, 4, 2);
	assert_int_equal(falloc(&x, 0, 2 * x.bs + 7, 5 * x.bs), 0);
	assert_int_equal(size_of(&x), 7 * x.bs + 7);
	assert_int_equal(blocks_of(&x), 6);
	expect(&x, 0, 4 * x.bs, 0);
	expect_blocks(&x, 4, 2, 4);
	expect(&x, 6 * x.bs, x.bs + 7, 0);
	assert_int_equal(falloc(&x, KEEP, 6 * x.bs, 10 * x.bs), 0);
	assert_int_equal(size_of(&x), 7 * x.bs + 7);
	assert_int_equal(blocks_of(&x), 14);
	again(&x);
	assert_int_equal(blocks_of(&x), 14);
	expect_blocks(&x, 4, 2, 4);
	assert_int_equal(falloc(&x, 0, 10 * x.bs, x.bs), 0); /* nothing new but the size */
	assert_int_equal(size_of(&x), 11 * x.bs);
	assert_int_equal(blocks_of(&x), 14);
	expect(&x, 6 * x.bs, 5 * x.bs, 0);
	assert_int_equal(uext4_ftruncate(x.file, 11 * x.bs), 0);
	assert_int_equal(blocks_of(&x), 9);
	teardown(&x);
}

static void test_IO_101_allocate(void **state)
{
	allocate("-b 4096");
	allocate("-b 1024");
}

/* IO-79: growth by fallocate doesn't show what was behind the end. */
static void test_IO_79_growth_by_fallocate(void **state)
{
	static const int modes[] = {0, ZERO};

	for (size_t k = 0; k < array_len(modes); k++) {
		struct test x;

		setup(&x, "-b 4096");
		fill(&x, 0, 2);
		uext4_file_close(x.file);
		dt_down(&x.t);
		/* Bytes behind the end, as a mapped store of another driver may leave them. */
		free(dt_debugfs(&x.t, "sif /file size 4196", true));
		dt_up(&x.t);
		assert_int_equal(
			uext4_openat(x.t.fs, x.t.root, "file", O_RDWR, 0, NULL, &x.file), 0);
		assert_int_equal(falloc(&x, modes[k], 3 * x.bs, x.bs), 0);
		assert_int_equal(size_of(&x), 4 * x.bs);
		expect(&x, x.bs, 100, 2);
		expect(&x, x.bs + 100, 3 * x.bs - 100, 0);
		again(&x);
		expect(&x, x.bs + 100, 3 * x.bs - 100, 0);
		teardown(&x);
	}
}

/* IO-101: a request that does not fit keeps what it got, and the size covers just that. */
static void test_IO_101_no_space(void **state)
{
	struct test x;
	u64 size, blocks;

	setup(&x, "-b 1024");
	assert_int_equal(falloc(&x, 0, 0, 1ull << 40), -ENOSPC);
	size = size_of(&x);
	blocks = blocks_of(&x);
	assert_true(size > 20 << 20);
	assert_int_equal(size % x.bs, 0);
	assert_int_equal(blocks, size / x.bs);
	assert_int_equal(uext4_seek(x.file, 0, SEEK_DATA), -ENXIO);
	again(&x);
	assert_int_equal(size_of(&x), size);
	/* IO-104: a hole in the middle of an extent, with no block left anywhere. */
	assert_int_equal(falloc(&x, PUNCH, 5 << 20, 2048), 0);
	assert_int_equal(falloc(&x, PUNCH, 7 << 20, 2048), 0);
	assert_int_equal(falloc(&x, KEEP, 2ull << 30, 1ull << 30), -ENOSPC);
	assert_int_equal(size_of(&x), size);
	again(&x);
	assert_int_equal(uext4_ftruncate(x.file, 0), 0);
	assert_int_equal(blocks_of(&x), 0);
	assert_int_equal(falloc(&x, KEEP, 0, 20 << 20), 0); /* freed blocks count (AL-6) */
	teardown(&x);
}

static int fiemap(
	struct test *x, u64 start, u64 len, u32 flags, struct uext4_fiemap_extent *e, size_t n)
{
	return uext4_fiemap(uext4_file_inode(x->file), start, len, flags, e, n);
}

/* IO-125: with SYNC delayed blocks get their place first. */
static void test_IO_124_fiemap(void **state)
{
	struct uext4_fiemap_extent e[8];
	struct test x;

	setup(&x, "-b 4096");
	fill(&x, 0, 3);
	assert_int_equal(falloc(&x, KEEP, 5 * x.bs, 4 * x.bs), 0);
	assert_int_equal(fiemap(&x, 0, 100 * x.bs, FIEMAP_FLAG_SYNC, e, 8), 2);
	assert_int_equal(e[0].length, 3 * x.bs);
	assert_int_equal(e[0].flags, 0);
	assert_int_equal(e[1].logical, 5 * x.bs);
	assert_int_equal(e[1].flags, FIEMAP_EXTENT_UNWRITTEN | FIEMAP_EXTENT_LAST);
	assert_true(e[0].physical && e[1].physical);
	/* Whole blocks of the range; LAST is said of its last extent. */
	assert_int_equal(fiemap(&x, x.bs + 1, 1, 0, e, 8), 1);
	assert_int_equal(e[0].logical, x.bs);
	assert_int_equal(e[0].length, x.bs);
	assert_int_equal(e[0].flags, FIEMAP_EXTENT_LAST);
	assert_int_equal(fiemap(&x, 3 * x.bs, x.bs, 0, e, 8), 0);
	assert_int_equal(fiemap(&x, 0, UINT64_MAX, 0, NULL, 0), 2);
	assert_int_equal(fiemap(&x, 0, UINT64_MAX, 0, e, 1), 1);
	assert_int_equal(e[0].flags, 0);
	assert_int_equal(fiemap(&x, 0, 0, 0, e, 8), -EINVAL);
	assert_int_equal(fiemap(&x, TOP + 1, 1, 0, e, 8), -EFBIG);
	assert_int_equal(fiemap(&x, 0, 1, 8, e, 8), -EBADR);
	teardown(&x);
}

/* As Linux 6.18 says it: the inode's own space if any attribute is there, else the block. */
static void test_IO_124_fiemap_of_attributes(void **state)
{
	struct uext4_inode *i;
	struct uext4_fiemap_extent e[8];
	char value[2000] = "v";
	struct test x;

	setup(&x, "-b 4096 -I 256");
	i = uext4_file_inode(x.file);
	fill(&x, 0, 1);
	assert_int_equal(fiemap(&x, 0, 1, FIEMAP_FLAG_XATTR, e, 8), 0);
	assert_int_equal(uext4_setxattr(i, NULL, "user.big", value, sizeof(value), 0), 0);
	assert_int_equal(fiemap(&x, 0, 100, FIEMAP_FLAG_XATTR, e, 8), 1);
	assert_int_equal(e[0].flags, FIEMAP_EXTENT_LAST);
	assert_int_equal(e[0].length, x.bs);
	assert_int_equal(e[0].physical, to_inode(i)->f.file_acl * x.bs);
	assert_int_equal(fiemap(&x, x.bs, 100, FIEMAP_FLAG_XATTR, e, 8), 0);
	assert_int_equal(uext4_setxattr(i, NULL, "user.small", value, 10, 0), 0);
	assert_int_equal(fiemap(&x, 0, UINT64_MAX, FIEMAP_FLAG_XATTR, e, 8), 1);
	assert_int_equal(e[0].flags,
		FIEMAP_EXTENT_LAST | FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_NOT_ALIGNED);
	assert_int_equal(e[0].logical, 0);
	assert_int_equal(e[0].length, 256 - 128 - 32);
	assert_int_equal(e[0].physical % 256, 128 + 32);
	teardown(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_100_IO_122_errors),
		cmocka_unit_test(test_IO_100_flags_and_open_mode),
		cmocka_unit_test(test_IO_100_suid_and_times),
		cmocka_unit_test(test_IO_101_allocate),
		cmocka_unit_test(test_IO_79_growth_by_fallocate),
		cmocka_unit_test(test_IO_101_no_space),
		cmocka_unit_test(test_IO_124_fiemap),
		cmocka_unit_test(test_IO_124_fiemap_of_attributes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
