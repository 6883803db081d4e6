/* Attribute lists: bounds, hashes, checksum. */
#include "image.h"

#include "base/err.h"
#include "base/rng.h"
#include "disk/xattr.h"

static const struct super_info sb = {
	.block_size = 1024,
	.inodes_count = 1000,
	.feature_incompat = EXT4_FEATURE_INCOMPAT_EA_INODE,
	.feature_ro_compat = EXT4_FEATURE_RO_COMPAT_METADATA_CSUM,
};

static struct ext4_xattr_entry *entry_at(u8 *block, u32 at)
{
	return (struct ext4_xattr_entry *)(block + at);
}

static void put(u8 *at, const char *name, u32 offs, u32 size)
{
	struct ext4_xattr_entry *e = (void *)at;

	e->e_name_len = (u8)strlen(name);
	e->e_name_index = EXT4_XATTR_INDEX_USER;
	e->e_value_offs = cpu_to_le16((u16)offs);
	e->e_value_size = cpu_to_le32(size);
	memcpy(e->e_name, name, strlen(name));
}

/* Entries at 0x20 ("abc", 10 bytes) and 0x34 ("x", empty) and 0x48 ("long name", 6 bytes). */
static void make_block(u8 *block)
{
	struct ext4_xattr_header *h = (void *)block;
	struct ext4_xattr_entry *e;

	memset(block, 0, 1024);
	h->h_magic = cpu_to_le32(EXT4_XATTR_MAGIC);
	h->h_refcount = cpu_to_le32(1);
	h->h_blocks = cpu_to_le32(1);
	put(block + 0x20, "abc", 1012, 10);
	memcpy(block + 1012, "0123456789", 10);
	put(block + 0x34, "x", 0, 0);
	put(block + 0x48, "long name", 1004, 6);
	memcpy(block + 1004, "abcdef", 6);
	for (e = entry_at(block, 0x20); !xattr_is_last(e); e = xattr_next(e))
		e->e_hash = cpu_to_le32(xattr_entry_hash(e->e_name, e->e_name_len,
			block + le16_to_cpu(e->e_value_offs), le32_to_cpu(e->e_value_size), false));
	h->h_hash = cpu_to_le32(xattr_block_hash(entry_at(block, 0x20)));
	xattr_block_csum_set(&sb, 555, block);
}

static int verify(const u8 *block)
{
	const char *why = NULL;
	int err = xattr_block_verify(&sb, block, &why);

	assert_true(err == 0 || (err == -EUCLEAN && why && *why));
	return err;
}

static bool csum_ok(void *block)
{
	return xattr_block_csum_verify(&sb, 555, block);
}

static void test_block_checksum(void **state)
{
	u8 block[1024];

	make_block(block);
	assert_int_equal(verify(block), 0);
	flip_every_bit(block, 0, 1024, csum_ok, block);
	assert_false(xattr_block_csum_verify(&sb, 556, block));
}

#define BAD(change)                                                                                \
	do {                                                                                       \
		make_block(block);                                                                 \
		change;                                                                            \
		assert_int_equal(verify(block), -EUCLEAN);                                         \
	} while (0)
#define GOOD(change)                                                                               \
	do {                                                                                       \
		make_block(block);                                                                 \
		change;                                                                            \
		assert_int_equal(verify(block), 0);                                                \
	} while (0)

static void test_HD_7_block(void **state)
{
	u8 block[1024];
	struct ext4_xattr_header *h = (void *)block;
	struct ext4_xattr_entry *first = entry_at(block, 0x20), *last = entry_at(block, 0x48);

	BAD(h->h_magic = cpu_to_le32(0xea020001));
	BAD(h->h_blocks = cpu_to_le32(2));
	BAD(h->h_blocks = cpu_to_le32(0));
	BAD(h->h_refcount = cpu_to_le32(0));
	GOOD(h->h_refcount = cpu_to_le32(1024));
	BAD(h->h_refcount = cpu_to_le32(1025));
	BAD(first->e_name[1] = 0);
	BAD(first->e_value_size = cpu_to_le32(65537));
	BAD(first->e_value_size = cpu_to_le32(0xfffffffe)); /* padding would wrap */
	GOOD(first->e_value_size = cpu_to_le32(12));
	BAD(first->e_value_size = cpu_to_le32(13));
	BAD(first->e_value_offs = cpu_to_le16(1024));
	BAD(first->e_value_offs = cpu_to_le16(0xffff));
	GOOD(first->e_value_offs = cpu_to_le16(0x68)); /* right behind the names' end */
	BAD(first->e_value_offs = cpu_to_le16(0x64));
	BAD(first->e_value_inum = cpu_to_le32(1001));
	GOOD(first->e_value_inum = cpu_to_le32(1000); first->e_value_size = cpu_to_le32(65536));
	BAD(first->e_value_inum = cpu_to_le32(12); first->e_value_size = cpu_to_le32(0));
	BAD(last->e_name_len = 255; memset(last->e_name, 'n', 1024 - 0x48 - 16));
	BAD(memset(block + 0x20, 'n', 1024 - 0x20)); /* no end */
	GOOD(memset(block + 0x20, 0, 1024 - 0x20));
}

/* XA-1: up to the last bytes of the area, counted from the first entry. */
static void test_HD_7_in_inode(void **state)
{
	u8 *area = calloc(1, 96); /* an inode of 256 with extra_isize 32 */
	struct ext4_xattr_ibody_header *h = (void *)area;
	const char *why;

	assert_false(xattr_ibody_present(area, 96));
	assert_int_equal(xattr_ibody_verify(&sb, area, 96, &why), -EUCLEAN);
	h->h_magic = cpu_to_le32(EXT4_XATTR_MAGIC);
	assert_true(xattr_ibody_present(area, 96));
	assert_false(xattr_ibody_present(area, 4));
	assert_int_equal(xattr_ibody_verify(&sb, area, 96, &why), 0);
	put(area + 4, "abc", 88, 4);
	assert_int_equal(xattr_ibody_verify(&sb, area, 96, &why), 0);
	put(area + 4, "abc", 89, 4);
	assert_int_equal(xattr_ibody_verify(&sb, area, 96, &why), -EUCLEAN);
	put(area + 4, "abc", 24, 68); /* 20 bytes of entry and 4 of end */
	assert_int_equal(xattr_ibody_verify(&sb, area, 96, &why), 0);
	put(area + 4, "abc", 20, 68);
	assert_int_equal(xattr_ibody_verify(&sb, area, 96, &why), -EUCLEAN);
	put(area + 4, "abc", 0, 0); /* nothing but the entry and the end */
	assert_int_equal(xattr_ibody_verify(&sb, area, 4 + 20 + 4, &why), 0);
	assert_int_equal(xattr_ibody_verify(&sb, area, 4 + 20 + 3, &why), -EUCLEAN);
	assert_int_equal(xattr_ibody_verify(&sb, area, 4 + 20, &why), -EUCLEAN);
	memset(area + 24, 'n', 4); /* the list goes on */
	assert_int_equal(xattr_ibody_verify(&sb, area, 4 + 20 + 4, &why), -EUCLEAN);
	memset(area + 4, 0, 4);
	assert_true(xattr_ibody_present(area, 8));
	assert_false(xattr_ibody_present(area, 7));
	memset(area + 4, 'n', 4);
	for (u32 size = 0; size < 20; size++) /* cut anywhere: no end */
		assert_int_equal(xattr_ibody_verify(&sb, area, size, &why), -EUCLEAN);
	free(area);
}

static void test_XA_3_hashes(void **state)
{
	u8 block[1024];
	struct ext4_xattr_entry *e = entry_at(block, 0x20);

	/* "a" with "b": rol16(0x61) ^ 0x62. */
	assert_int_equal(xattr_entry_hash("a", 1, "b", 1, false), 0x00610062);
	assert_int_equal(xattr_entry_hash("ab", 2, "", 0, false), (0x61 << 5) ^ 0x62);
	assert_int_equal(xattr_entry_hash("\x80", 1, "", 0, false), 0x80);
	assert_int_equal(xattr_entry_hash("\x80", 1, "", 0, true), 0xffffff80);
	assert_int_equal(
		xattr_entry_hash_inode("a", 1, 0x11223344, false), 0x00610000 ^ 0x11223344);
	assert_int_equal(
		xattr_entry_hash("selinux.long", 12, "unconfined_u", 12, false), 0x2798eeb7);
	assert_int_equal(xattr_entry_hash("sch\xc3\xb6n", 6, "abcdefghi", 9, false), 0x18a8ea68);
	assert_int_equal(xattr_entry_hash("sch\xc3\xb6n", 6, "abcdefghi", 9, true), 0xfb48ea6b);
	make_block(block);
	assert_true(xattr_entry_hash_ok(block, e));
	e->e_hash.raw ^= 1;
	assert_false(xattr_entry_hash_ok(block, e));
	e->e_name[0] = (char)0x80;
	e->e_hash = cpu_to_le32(xattr_entry_hash(e->e_name, 3, block + 1012, 10, true));
	assert_true(xattr_entry_hash_ok(block, e)); /* the legacy variant */
	e->e_value_inum = cpu_to_le32(12); /* the value is elsewhere: nothing to compare here */
	e->e_hash.raw ^= 1;
	assert_true(xattr_entry_hash_ok(block, e));
	e->e_hash = cpu_to_le32(0);
	assert_int_equal(xattr_block_hash(e), 0);
	make_block(block);
	assert_int_not_equal(xattr_block_hash(e), 0);
}

static void test_HD_9_garbage(void **state)
{
	u8 *block = malloc(1024);
	const char *why;
	struct rng r;

	rng_init(&r, 6);
	for (u32 n = 0; n < 30000; n++) {
		make_block(block);
		for (u32 k = 0; k < 3; k++)
			block[rng_below(&r, n % 2 ? 0x68 : 1024)] = (u8)rng_u64(&r);
		if (xattr_block_verify(&sb, block, &why) == 0) {
			struct ext4_xattr_entry *e = entry_at(block, 0x20);

			for (; !xattr_is_last(e); e = xattr_next(e))
				if (le32_to_cpu(e->e_value_size))
					xattr_entry_hash_ok(block, e);
			xattr_block_hash(entry_at(block, 0x20));
		}
		xattr_ibody_verify(&sb, block, (u32)rng_below(&r, 1025), &why);
	}
	free(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block_checksum),
		cmocka_unit_test(test_HD_7_block),
		cmocka_unit_test(test_HD_7_in_inode),
		cmocka_unit_test(test_XA_3_hashes),
		cmocka_unit_test(test_HD_9_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
