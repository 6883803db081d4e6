#include "direct.h"

u8 *buf;

struct uext4_file *direct_open(struct dir_test *t, const char *name, int flags)
{
	struct uext4_file *file = NULL;

	assert_int_equal(uext4_openat(t->fs, t->root, name, flags | O_CREAT, 0644, NULL, &file), 0);
	return file;
}

void direct_up(struct dir_test *t, const char *mke2fs_options)
{
	buf = aligned_alloc(BLOCK, 64 * BLOCK);
	memset(buf, 'b', 64 * BLOCK);
	dt_make(t, 32 << 20, mke2fs_options);
	dt_up(t);
}

void direct_down(struct dir_test *t)
{
	free(buf);
	dt_end(t);
}

u64 direct_size(struct uext4_file *file)
{
	struct uext4_stat st;

	assert_int_equal(uext4_stat(uext4_file_inode(file), &st), 0);
	return st.size;
}

u64 direct_sectors(struct uext4_file *file)
{
	struct uext4_stat st;

	assert_int_equal(uext4_stat(uext4_file_inode(file), &st), 0);
	return st.blocks;
}

void direct_expect(struct uext4_file *file, u64 pos, u64 len, u8 value)
{
	u8 *got = aligned_alloc(BLOCK, round_up_to(len, BLOCK));

	assert_int_equal(uext4_pread(file, got, len, pos), len);
	for (u64 k = 0; k < len; k++)
		if (got[k] != value)
			fail_msg("byte %llu is %02x", (unsigned long long)(pos + k), got[k]);
	free(got);
}

ssize_t direct_rw(struct uext4_file *file, bool write, u64 pos, void *data, u64 len, unsigned flags)
{
	struct iovec iov = {data, len};

	return write ? uext4_pwritev2(file, &iov, 1, pos, flags)
		     : uext4_preadv2(file, &iov, 1, pos, flags);
}
