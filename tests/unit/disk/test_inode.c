/* Inodes: fields both ways, sizes, times, device numbers, checksum. No images. */
#include "image.h"

#include <sys/stat.h>

#include "base/crc.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/util.h"

static struct super_info info(u32 inode_size)
{
	struct super_info sb = {
		.block_size = 4096,
		.block_bits = 12,
		.inode_size = inode_size,
		.inodes_count = 1000,
		.blocks_count = 1u << 20,
		.first_data_block = 1,
		.csum_seed = 0x12345678,
		.feature_incompat = EXT4_FEATURE_INCOMPAT_EXTENTS | EXT4_FEATURE_INCOMPAT_64BIT,
		.feature_ro_compat = EXT4_FEATURE_RO_COMPAT_METADATA_CSUM |
				     EXT4_FEATURE_RO_COMPAT_HUGE_FILE |
				     EXT4_FEATURE_RO_COMPAT_PROJECT,
	};

	return sb;
}

static void fill_random(struct rng *r, void *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((u8 *)p)[i] = (u8)rng_u64(r);
}

/* A raw inode in the one form in which packing writes it. */
static void canonical(struct rng *r, u8 *raw, u32 size, u32 extra)
{
	struct ext4_inode_disk *d = (void *)raw;

	fill_random(r, raw, size);
	d->i_mode = cpu_to_le16(S_IFREG | (rng_u64(r) & 07777));
	d->i_flags = cpu_to_le32(le32_to_cpu(d->i_flags) & ~EXT4_HUGE_FILE_FL);
	if (size == 128)
		return;
	d->i_extra_isize = cpu_to_le16((u16)extra);
	if (extra >= 8)
		d->i_ctime_extra =
			cpu_to_le32((u32)rng_below(r, 1000000000) << 2 | rng_below(r, 4));
	if (extra >= 12)
		d->i_mtime_extra =
			cpu_to_le32((u32)rng_below(r, 1000000000) << 2 | rng_below(r, 4));
	if (extra >= 16)
		d->i_atime_extra =
			cpu_to_le32((u32)rng_below(r, 1000000000) << 2 | rng_below(r, 4));
	if (extra >= 24)
		d->i_crtime_extra =
			cpu_to_le32((u32)rng_below(r, 1000000000) << 2 | rng_below(r, 4));
}

static void test_MD_16_pack_after_unpack(void **state)
{
	static const u32 extras[] = {0, 4, 8, 12, 16, 20, 24, 28, 32, 64, 128};
	u8 raw[256], copy[256];
	struct inode_fields f;
	const char *why;
	struct rng r;

	rng_init(&r, 1);
	for (u32 n = 0; n < 2000; n++) {
		u32 size = n % 2 ? 256 : 128;
		struct super_info sb = info(size);

		canonical(&r, raw, size, extras[n % array_len(extras)]);
		assert_int_equal(inode_unpack(&sb, (void *)raw, &f, &why), 0);
		assert_int_equal(f.extra_isize, size == 128 ? 0 : extras[n % array_len(extras)]);
		if (f.extra_isize < 32)
			assert_int_equal(f.projid, 0);
		/* Over itself: nothing may change. Over other bytes: fields only, no more. */
		memcpy(copy, raw, size);
		assert_int_equal(inode_pack(&sb, &f, (void *)copy), 0);
		assert_memory_equal(copy, raw, size);
		memset(copy, 0, size);
		assert_int_equal(inode_pack(&sb, &f, (void *)copy), 0);
		for (u32 at = 128 + f.extra_isize; at < size; at++)
			assert_int_equal(copy[at], 0);
	}
}

static void test_MD_16_extra_isize(void **state)
{
	static const u32 bad[] = {1, 2, 30, 132, 300, 0xfffc};
	struct super_info sb = info(256);
	struct ext4_inode_disk *raw = calloc(1, 256);
	struct inode_fields f;
	const char *why;

	for (u32 i = 0; i < array_len(bad); i++) {
		raw->i_extra_isize = cpu_to_le16((u16)bad[i]);
		why = NULL;
		assert_int_equal(inode_unpack(&sb, raw, &f, &why), -EUCLEAN);
		assert_non_null(why);
	}
	sb = info(128); /* no such field */
	assert_int_equal(inode_unpack(&sb, raw, &f, &why), 0);
	assert_int_equal(f.extra_isize, 0);
	free(raw);
}

static void test_MD_17_blocks(void **state)
{
	struct super_info sb = info(256);
	struct ext4_inode_disk *raw = calloc(1, 256);
	struct inode_fields f = {.mode = S_IFREG}, back;
	const char *why;

	f.blocks = 0xffffffff;
	assert_int_equal(inode_pack(&sb, &f, raw), 0);
	assert_int_equal(le16_to_cpu(raw->i_blocks_hi), 0);
	sb.feature_ro_compat &= ~EXT4_FEATURE_RO_COMPAT_HUGE_FILE;
	assert_int_equal(inode_pack(&sb, &f, raw), 0);
	sb.feature_ro_compat |= EXT4_FEATURE_RO_COMPAT_HUGE_FILE;
	f.blocks = 0xffffffffffffull;
	assert_int_equal(inode_pack(&sb, &f, raw), 0);
	assert_int_equal(le32_to_cpu(raw->i_flags), 0);
	f.blocks = 0x100000008ull;
	assert_int_equal(inode_pack(&sb, &f, raw), 0);
	assert_int_equal(le16_to_cpu(raw->i_blocks_hi), 1);
	assert_int_equal(le32_to_cpu(raw->i_flags), 0);
	f.blocks = 0x1000000000000ull;
	assert_int_equal(inode_pack(&sb, &f, raw), 0);
	assert_int_equal(le32_to_cpu(raw->i_flags), EXT4_HUGE_FILE_FL);
	assert_int_equal(inode_unpack(&sb, raw, &back, &why), 0);
	assert_int_equal(back.blocks, f.blocks);
	back.blocks = 8; /* small again: the flag goes */
	assert_int_equal(inode_pack(&sb, &back, raw), 0);
	assert_int_equal(le32_to_cpu(raw->i_flags), 0);
	f.blocks = ~0ull;
	assert_int_equal(inode_pack(&sb, &f, raw), -EFBIG);
	sb.feature_ro_compat &= ~EXT4_FEATURE_RO_COMPAT_HUGE_FILE;
	f.blocks = 0x100000000ull;
	assert_int_equal(inode_pack(&sb, &f, raw), -EFBIG);
	free(raw);
}

static void test_MD_18_size_high(void **state)
{
	struct super_info sb = info(256);
	struct ext4_inode_disk *raw = calloc(1, 256);
	struct inode_fields f;
	const char *why;

	raw->i_size_lo = cpu_to_le32(5);
	raw->i_size_hi = cpu_to_le32(3);
	raw->i_mode = cpu_to_le16(S_IFREG);
	assert_int_equal(inode_unpack(&sb, raw, &f, &why), 0);
	assert_int_equal(f.size, 0x300000005ull);
	raw->i_mode = cpu_to_le16(S_IFDIR);
	assert_int_equal(inode_unpack(&sb, raw, &f, &why), 0);
	assert_int_equal(f.size, 5);
	f.size = 0x100000000ull;
	assert_int_equal(inode_pack(&sb, &f, raw), 0);
	assert_int_equal(le32_to_cpu(raw->i_size_hi), 0);
	raw->i_size_hi = cpu_to_le32(3);
	sb.feature_incompat |= EXT4_FEATURE_INCOMPAT_LARGEDIR;
	assert_int_equal(inode_unpack(&sb, raw, &f, &why), 0);
	assert_int_equal(f.size, 0x300000000ull);
	free(raw);
}

static void check_time(s64 sec, u32 nsec, bool extra, s64 want_sec, u32 want_nsec)
{
	struct le32 lo, hi = {0};
	struct os_time t;

	inode_time_encode((struct os_time){sec, nsec}, extra, &lo, &hi);
	t = inode_time_decode(lo, hi, extra);
	assert_int_equal(t.sec, want_sec);
	assert_int_equal(t.nsec, want_nsec);
}

static void test_MD_15_times(void **state)
{
	const s64 max = (1ll << 34) - 1 - (1ll << 31), min = -(1ll << 31);
	const s64 exact[] = {0, -1, 1ll << 31, 1ll << 32, (1ll << 31) - 1, (1ll << 32) - 1, max,
		min, 1ll << 33, 3ll << 32, 1700000000};
	struct le32 lo, hi;

	for (u32 i = 0; i < array_len(exact); i++) {
		check_time(exact[i], 999999999, true, exact[i], 999999999);
		check_time(exact[i], 1, true, exact[i], 1);
	}
	check_time(max + 1, 5, true, max, 5);
	check_time(min - 1, 5, true, min, 5);
	check_time(1ll << 31, 7, false, (1ll << 31) - 1, 0);
	check_time(min - 1, 7, false, min, 0);
	check_time(-1, 7, false, -1, 0);
	/* The bits themselves: 2^32 is lo 0, epoch 1. */
	inode_time_encode((struct os_time){1ll << 32, 3}, true, &lo, &hi);
	assert_int_equal(le32_to_cpu(lo), 0);
	assert_int_equal(le32_to_cpu(hi), 3 << 2 | 1);
	inode_time_encode((struct os_time){1ll << 31, 0}, true, &lo, &hi);
	assert_int_equal(le32_to_cpu(lo), 0x80000000);
	assert_int_equal(le32_to_cpu(hi), 1);
}

static void test_MD_20_devices(void **state)
{
	static const u32 dev[][2] = {{1, 3}, {300, 70000}, {0, 0}, {255, 255}, {256, 0}, {0, 256},
		{4095, 1048575}, {8, 65535}};
	u8 block[60];
	u32 major, minor;

	for (u32 i = 0; i < array_len(dev); i++) {
		memset(block, 0xff, sizeof(block));
		assert_int_equal(inode_dev_encode(block, dev[i][0], dev[i][1]), 0);
		inode_dev_decode(block, &major, &minor);
		assert_int_equal(major, dev[i][0]);
		assert_int_equal(minor, dev[i][1]);
	}
	assert_int_equal(inode_dev_encode(block, 1, 3), 0);
	assert_memory_equal(block, "\x03\x01\0\0\0\0\0\0\0\0\0\0", 12);
	assert_int_equal(inode_dev_encode(block, 300, 70000), 0);
	assert_memory_equal(block, "\0\0\0\0\x70\x2c\x11\x11\0\0\0\0", 12);
	assert_int_equal(inode_dev_encode(block, 4096, 0), -EINVAL);
	assert_int_equal(inode_dev_encode(block, 0, 1048576), -EINVAL);
}

struct csum_case {
	struct super_info sb;
	u32 seed;
	u8 raw[256];
};

static bool inode_ok(void *arg)
{
	struct csum_case *c = arg;

	return inode_csum_verify(&c->sb, c->seed, (void *)c->raw);
}

static void test_inode_checksum(void **state)
{
	static const u32 extras[] = {0, 4, 32};
	struct csum_case c;
	struct rng r;

	rng_init(&r, 2);
	for (u32 i = 0; i < array_len(extras); i++) {
		c.sb = info(256);
		c.seed = inode_csum_seed(&c.sb, 12, 0xdeadbeef);
		canonical(&r, c.raw, 256, extras[i]);
		inode_csum_set(&c.sb, c.seed, (void *)c.raw);
		/* extra_isize itself decides where the checksum lies: all but its bits. */
		flip_every_bit(c.raw, 0, 0x80, inode_ok, &c);
		flip_every_bit(c.raw, 0x82, 256, inode_ok, &c);
		c.seed ^= 1;
		assert_false(inode_ok(&c));
	}
	memset(c.raw, 0, 256);
	assert_true(inode_ok(&c)); /* never used */
	c.raw[255] = 1;
	assert_false(inode_ok(&c));
}

static void fields_refused(const struct super_info *sb, struct inode_fields f)
{
	const char *why = NULL;

	assert_int_equal(inode_fields_verify(sb, &f, &why), -EUCLEAN);
	assert_non_null(why);
}

static void test_HD_4_fields(void **state)
{
	struct super_info sb = info(256);
	const u64 max = 0xffffffffull * 4096;
	struct inode_fields f = {
		.mode = S_IFREG | 0644, .flags = EXT4_EXTENTS_FL, .extra_isize = 32};
	const char *why;

	sb.feature_incompat |= EXT4_FEATURE_INCOMPAT_INLINE_DATA;
	f.size = max;
	f.file_acl = 1234;
	assert_int_equal(inode_fields_verify(&sb, &f, &why), 0);
#define BAD(...) fields_refused(&sb, (struct inode_fields){__VA_ARGS__})
#define GOOD(...)                                                                                  \
	do {                                                                                       \
		struct inode_fields good = {__VA_ARGS__};                                          \
                                                                                                   \
		assert_int_equal(inode_fields_verify(&sb, &good, &why), 0);                        \
	} while (0)
	GOOD(.mode = S_IFREG, .flags = EXT4_INLINE_DATA_FL, .extra_isize = 32);
	GOOD(.mode = S_IFREG, .flags = EXT4_EA_INODE_FL);
	GOOD(.mode = S_IFREG, .flags = EXT4_INDEX_FL); /* means something for directories only */
	GOOD(.mode = S_IFLNK);
	GOOD(.mode = S_IFREG, .file_acl = 2);
	BAD(.mode = S_IFREG, .file_acl = 1);
	sb.feature_compat = EXT4_FEATURE_COMPAT_DIR_INDEX;
	GOOD(.mode = S_IFDIR, .flags = EXT4_INDEX_FL);
	sb.feature_compat = 0;
	BAD(.mode = 0);
	BAD(.mode = 0xf000);
	BAD(.mode = S_IFREG, .flags = EXT4_EXTENTS_FL, .size = max + 1);
	BAD(.mode = S_IFREG, .flags = EXT4_EXTENTS_FL, .size = ~0ull);
	BAD(.mode = S_IFREG, .size = inode_max_size(&sb, false) + 1);
	BAD(.mode = S_IFREG, .file_acl = sb.blocks_count);
	BAD(.mode = S_IFLNK, .flags = EXT4_IMMUTABLE_FL);
	BAD(.mode = S_IFLNK, .flags = EXT4_APPEND_FL);
	BAD(.mode = S_IFDIR, .flags = EXT4_CASEFOLD_FL);
	BAD(.mode = S_IFDIR, .flags = EXT4_ENCRYPT_FL);
	BAD(.mode = S_IFDIR, .flags = EXT4_INDEX_FL);
	BAD(.mode = S_IFREG, .flags = EXT4_INLINE_DATA_FL | EXT4_EXTENTS_FL, .extra_isize = 32);
	BAD(.mode = S_IFREG, .flags = EXT4_INLINE_DATA_FL, .extra_isize = 0);
	BAD(.mode = S_IFDIR, .flags = EXT4_EA_INODE_FL);
	sb.feature_incompat = 0;
	BAD(.mode = S_IFREG, .flags = EXT4_INLINE_DATA_FL, .extra_isize = 32);
	BAD(.mode = S_IFREG, .flags = EXT4_EXTENTS_FL);
	GOOD(.mode = S_IFREG);
	assert_int_equal(inode_max_size(&sb, false),
		(12 + 1024 + 1024 * 1024 + 1024ull * 1024 * 1024) * 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_MD_16_pack_after_unpack),
		cmocka_unit_test(test_MD_16_extra_isize),
		cmocka_unit_test(test_MD_17_blocks),
		cmocka_unit_test(test_MD_18_size_high),
		cmocka_unit_test(test_MD_15_times),
		cmocka_unit_test(test_MD_20_devices),
		cmocka_unit_test(test_inode_checksum),
		cmocka_unit_test(test_HD_4_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
