/* One file in a fresh image, for the tests of space operations. */
#ifndef SPACE_TEST_H
#define SPACE_TEST_H

#include "dir/dir_test.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#define BYTES (32u << 20)
#define KEEP FALLOC_FL_KEEP_SIZE
#define PUNCH (FALLOC_FL_PUNCH_HOLE | KEEP)
#define ZERO FALLOC_FL_ZERO_RANGE
#define COLLAPSE FALLOC_FL_COLLAPSE_RANGE
#define INSERT FALLOC_FL_INSERT_RANGE
#define UNSHARE FALLOC_FL_UNSHARE_RANGE

struct test {
	struct dir_test t;
	struct uext4_file *file;
	u32 bs;
};

static inline void setup(struct test *x, const char *mke2fs_options)
{
	dt_make(&x->t, BYTES, mke2fs_options);
	dt_up(&x->t);
	x->bs = x->t.v->sb.block_size;
	x->file = NULL;
	assert_int_equal(
		uext4_openat(x->t.fs, x->t.root, "file", O_RDWR | O_CREAT, 0644, NULL, &x->file),
		0);
}

static inline void teardown(struct test *x)
{
	uext4_file_close(x->file);
	dt_end(&x->t);
}

/* Everything from memory to the device and back. */
static inline void again(struct test *x)
{
	uext4_file_close(x->file);
	dt_down(&x->t);
	fixture_fsck(&x->t.f);
	dt_up(&x->t);
	assert_int_equal(uext4_openat(x->t.fs, x->t.root, "file", O_RDWR, 0, NULL, &x->file), 0);
}

/* Each block gets its number as content. */
static inline void fill(struct test *x, u64 first, u64 blocks)
{
	u8 *buf = malloc(x->bs);

	for (u64 k = first; k < first + blocks; k++) {
		memset(buf, (int)(1 + k % 255), x->bs);
		assert_int_equal(uext4_pwrite(x->file, buf, x->bs, k * x->bs), x->bs);
	}
	free(buf);
}

static inline void expect(struct test *x, u64 pos, u64 len, u8 value)
{
	u8 *buf = malloc(len);

	assert_int_equal(uext4_pread(x->file, buf, len, pos), len);
	for (u64 k = 0; k < len; k++)
		if (buf[k] != value)
			fail_msg("byte %llu is %02x, not %02x", (unsigned long long)(pos + k),
				buf[k], value);
	free(buf);
}

static inline void expect_blocks(struct test *x, u64 at, u64 blocks, u64 first)
{
	for (u64 k = 0; k < blocks; k++)
		expect(x, (at + k) * x->bs, x->bs, (u8)(1 + (first + k) % 255));
}

static inline int falloc(struct test *x, int mode, u64 pos, u64 len)
{
	return uext4_fallocate(x->file, mode, pos, len);
}

static inline struct uext4_stat stat_of(struct test *x)
{
	struct uext4_stat st;

	assert_int_equal(uext4_stat(uext4_file_inode(x->file), &st), 0);
	return st;
}

static inline u64 size_of(struct test *x)
{
	return stat_of(x).size;
}

/* Blocks with a place on the device, those of the tree not counted. */
static inline u64 blocks_of(struct test *x)
{
	struct uext4_extent e;
	u64 pos = 0, blocks = 0;

	while (uext4_extents(uext4_file_inode(x->file), pos, &e, 1) == 1) {
		blocks += e.length / x->bs;
		pos = e.offset + e.length;
	}
	return blocks;
}

#endif
