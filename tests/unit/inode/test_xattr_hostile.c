/* HD-7: every clause of the checks of attributes, on damaged images with valid checksums. */
#include "inode/inode_test.h"

#include "disk/xattr_format.h"

#define BLOCK 1024

struct poke {
	u32 offset; /* in the block or in the area behind the inode's fields */
	u8 bytes[4];
	u32 len;
};

static void set(struct inode_test *t, u32 n, const char *name, const void *value, size_t size)
{
	struct inode *i = it_file(t, n);

	os_rwsem_lock(&i->lock);
	assert_int_equal(xattr_set(i, &it_root, name, value, size, 0), 0);
	os_rwsem_unlock(&i->lock);
	inode_put(i);
}

/* Reading, listing, changing all refuse, and nothing is written. */
static void refuse(struct inode_test *t, int expect, const char *name)
{
	char names[256];
	u8 value[BLOCK];
	struct inode *i;

	it_up(t, FIXTURE_QUIET);
	i = it_file(t, 0);
	assert_int_equal(xattr_get(i, name, value, sizeof(value)), expect);
	assert_int_equal(xattr_list(i, &it_root, names, sizeof(names)), expect);
	os_rwsem_lock(&i->lock);
	assert_int_equal(xattr_set(i, &it_root, "user.new", "y", 1, 0), expect);
	assert_int_equal(xattr_remove(i, &it_root, name), expect);
	os_rwsem_unlock(&i->lock);
	inode_put(i);
	it_down(t);
}

static void poke_all(struct inode_test *t, u64 base, const struct poke *pokes, u32 count)
{
	for (u32 k = 0; k < count; k++) {
		u8 before[4];

		fixture_peek(&t->f, base + pokes[k].offset, before, pokes[k].len);
		fixture_poke(&t->f, base + pokes[k].offset, pokes[k].bytes, pokes[k].len);
		refuse(t, -EUCLEAN, "user.a");
		fixture_poke(&t->f, base + pokes[k].offset, before, pokes[k].len);
	}
	fixture_fsck(&t->f);
}

static u64 block_offset(struct inode_test *t)
{
	char *out = it_debugfs(t, "stat f0", false), *at = strstr(out, "File ACL: ");
	u64 pblk;

	assert_non_null(at);
	pblk = strtoull(at + 10, NULL, 10);
	assert_true(pblk > 0);
	free(out);
	return pblk * BLOCK;
}

static const u8 bytes[600] = {1, 2, 3};

static void test_HD_7_block(void **state)
{
	/* One entry at 20h: name "a" at 30h, value of 600 bytes at the end. */
	static const struct poke pokes[] = {
		{0, {0, 0, 0, 0}, 4},		     /* magic */
		{4, {0, 0, 0, 0}, 4},		     /* no reference */
		{4, {1, 4, 0, 0}, 4},		     /* 1025 references */
		{8, {2, 0, 0, 0}, 4},		     /* two blocks */
		{0x20, {255}, 1},		     /* long name, over the value */
		{0x22, {0xff, 0xff}, 2},	     /* value behind the block */
		{0x22, {0x30, 0}, 2},		     /* value over the names */
		{0x28, {0xff, 0xff, 0xff, 0xff}, 4}, /* size overflows when padded */
		{0x28, {0x59, 2, 0, 0}, 4},	     /* one byte beyond the end */
		{0x28, {0, 0, 1, 0}, 4},	     /* 64 KiB */
		{0x30, {0}, 1},			     /* NUL in the name */
		{0x34, {1, 1, 1, 1}, 4},	     /* the end of the list is missing */
	};
	struct inode_test t;

	it_make(&t, 8 << 20, "-I 128 -b 1024 -O ^metadata_csum", 2, 0);
	it_up(&t, 0);
	set(&t, 0, "user.a", bytes, sizeof(bytes));
	it_down(&t);
	poke_all(&t, block_offset(&t), pokes, array_len(pokes));
	fixture_remove(&t.f);
}

static void test_HD_7_inode(void **state)
{
	/* Area of 96 bytes: magic, entry at 4, name "a" at 14h, value of 40 bytes at the end. */
	static const struct poke pokes[] = {
		{4, {255}, 1},
		{6, {0xff, 0xff}, 2},
		{6, {0, 0}, 2},
		{0xc, {0xff, 0xff, 0xff, 0xff}, 4},
		{0xc, {41, 0, 0, 0}, 4},
		{0x14, {0}, 1},
		{0x18, {1, 1, 1, 1}, 4},
	};
	struct inode_test t;

	it_make(&t, 8 << 20, "-I 256 -b 1024 -O ^metadata_csum", 2, 0);
	it_up(&t, 0);
	set(&t, 0, "user.a", bytes, 40);
	it_down(&t);
	poke_all(&t, it_raw_offset(&t, t.file) + 128 + 32, pokes, array_len(pokes));
	fixture_remove(&t.f);
}

static void test_HD_7_checksum(void **state)
{
	struct inode_test t;
	u64 at;
	u8 b;

	it_make(&t, 8 << 20, "-I 128 -b 1024", 2, 0);
	it_up(&t, 0);
	set(&t, 0, "user.a", bytes, sizeof(bytes));
	it_down(&t);
	at = block_offset(&t) + BLOCK - 1;
	fixture_peek(&t.f, at, &b, 1);
	b ^= 1;
	fixture_poke(&t.f, at, &b, 1);
	refuse(&t, -EBADMSG, "user.a");
	b ^= 1;
	fixture_poke(&t.f, at, &b, 1);
	fixture_fsck(&t.f);
	fixture_remove(&t.f);
}

static void get_value(struct inode_test *t, int expect)
{
	static u8 value[65536];
	struct inode *i;

	it_up(t, FIXTURE_QUIET);
	i = it_file(t, 0);
	assert_int_equal(xattr_get(i, "user.a", value, sizeof(value)), expect);
	inode_put(i);
	it_down(t);
}

static void poke_value(struct inode_test *t, u64 at, u32 number, int expect)
{
	const struct le32 raw = cpu_to_le32(number);
	struct le32 before;

	fixture_peek(&t->f, at, &before, 4);
	fixture_poke(&t->f, at, &raw, 4);
	get_value(t, expect);
	fixture_poke(&t->f, at, &before, 4);
}

static void test_XA_6_hostile_value(void **state)
{
	static u8 value[5000];
	struct inode_test t;
	struct le32 inum;
	u64 area, ea;

	it_make(&t, 8 << 20, "-I 256 -b 1024 -O ea_inode,^metadata_csum", 2, 0);
	it_up(&t, 0);
	set(&t, 0, "user.a", value, sizeof(value));
	it_down(&t);
	fixture_fsck(&t.f);
	area = it_raw_offset(&t, t.file) + 128 + 32;
	fixture_peek(&t.f, area + 8, &inum, 4);
	assert_true(le32_to_cpu(inum) > t.file);
	ea = it_raw_offset(&t, le32_to_cpu(inum));
	get_value(&t, sizeof(value));
	poke_value(&t, area + 8, t.file, -EUCLEAN);	/* the file itself */
	poke_value(&t, area + 8, t.file + 1, -EUCLEAN); /* a file */
	poke_value(&t, area + 8, 2, -EUCLEAN);		/* the root */
	poke_value(&t, area + 8, 0x7fffffff, -EUCLEAN);
	poke_value(&t, area + 0xc, 0, -EUCLEAN); /* size 0 with an inode */
	poke_value(&t, area + 0xc, 4999, -EUCLEAN);
	poke_value(&t, area + 0x10, 0x12345678, -EBADMSG); /* e_hash */
	poke_value(&t, ea + 8, 1, -EBADMSG);		   /* the value's checksum */
	poke_value(&t, ea + 4, 0, -EUCLEAN);		   /* its size */
	poke_value(&t, ea + 0x20, 0x80000, -EUCLEAN);	   /* without the flag */
	fixture_fsck(&t.f);
	fixture_remove(&t.f);
}

/* HD-4, XA-6: an attribute value is no file. */
static void test_XA_6_not_by_number(void **state)
{
	static u8 value[5000];
	struct inode *i;
	struct inode_test t;

	it_make(&t, 8 << 20, "-I 256 -b 1024 -O ea_inode", 1, 0);
	it_up(&t, FIXTURE_QUIET);
	set(&t, 0, "user.a", value, sizeof(value));
	assert_int_equal(inode_get(&t.f.v, t.file + 1, &i), -EUCLEAN);
	it_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_HD_7_block),
		cmocka_unit_test(test_HD_7_inode),
		cmocka_unit_test(test_HD_7_checksum),
		cmocka_unit_test(test_XA_6_hostile_value),
		cmocka_unit_test(test_XA_6_not_by_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
