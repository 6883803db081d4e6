/* Descriptors and bitmaps, orphan blocks: fields and checksums. */
#include "image.h"

#include "base/err.h"
#include "base/rng.h"
#include "disk/orphan.h"

static struct super_info info(u32 desc_size, u32 ro_compat)
{
	return (struct super_info){
		.block_size = 1024,
		.desc_size = desc_size,
		.clusters_per_group = 4096,
		.inodes_per_group = 1003,
		.inodes_count = 5000,
		.csum_seed = 0x1234,
		.uuid = {1, 2, 3},
		.feature_ro_compat = ro_compat,
	};
}

struct group_case {
	struct super_info sb;
	u8 desc[128];
	u8 bitmap[1024];
};

static struct ext4_group_desc *desc_of(struct group_case *c)
{
	return (struct ext4_group_desc *)c->desc;
}

static bool desc_ok(void *arg)
{
	struct group_case *c = arg;

	return group_desc_verify(&c->sb, 7, desc_of(c));
}

static bool block_bitmap_ok(void *arg)
{
	struct group_case *c = arg;

	return group_block_bitmap_csum_ok(&c->sb, desc_of(c), c->bitmap);
}

static bool inode_bitmap_ok(void *arg)
{
	struct group_case *c = arg;

	return group_inode_bitmap_csum_ok(&c->sb, desc_of(c), c->bitmap);
}

static void randomise(struct group_case *c, u32 desc_size, u32 ro_compat, u64 seed)
{
	struct rng r;

	rng_init(&r, seed);
	c->sb = info(desc_size, ro_compat);
	for (u32 i = 0; i < sizeof(c->desc); i++)
		c->desc[i] = (u8)rng_u64(&r);
	for (u32 i = 0; i < sizeof(c->bitmap); i++)
		c->bitmap[i] = (u8)rng_u64(&r);
}

static void test_descriptor_checksums(void **state)
{
	static const u32 sizes[] = {32, 64, 128};
	static const u32 kinds[] = {
		EXT4_FEATURE_RO_COMPAT_METADATA_CSUM, EXT4_FEATURE_RO_COMPAT_GDT_CSUM};
	struct group_case c;

	for (int s = 0; s < 3; s++)
		for (int k = 0; k < 2; k++) {
			randomise(&c, sizes[s], kinds[k], (u64)(s * 2 + k));
			assert_false(desc_ok(&c));
			group_desc_seal(&c.sb, 7, desc_of(&c));
			flip_every_bit(c.desc, 0, sizes[s], desc_ok, &c);
			assert_false(group_desc_verify(&c.sb, 8, desc_of(&c)));
		}
	randomise(&c, 64, 0, 9);
	assert_true(desc_ok(&c));
}

/* The old kind goes by the uuid, the new one by the seed. */
static void test_descriptor_seeds(void **state)
{
	struct group_case c;

	randomise(&c, 64, EXT4_FEATURE_RO_COMPAT_GDT_CSUM, 1);
	group_desc_seal(&c.sb, 7, desc_of(&c));
	c.sb.csum_seed++;
	assert_true(desc_ok(&c));
	c.sb.uuid[15]++;
	assert_false(desc_ok(&c));
	c.sb.feature_ro_compat = EXT4_FEATURE_RO_COMPAT_METADATA_CSUM;
	group_desc_seal(&c.sb, 7, desc_of(&c));
	c.sb.uuid[15]++;
	assert_true(desc_ok(&c));
	c.sb.csum_seed++;
	assert_false(desc_ok(&c));
}

static void test_bitmap_checksums(void **state)
{
	struct group_case c;

	for (u32 size = 32; size <= 64; size += 32) {
		randomise(&c, size, EXT4_FEATURE_RO_COMPAT_METADATA_CSUM, size);
		group_set_block_bitmap_csum(&c.sb, desc_of(&c), c.bitmap);
		flip_every_bit(c.bitmap, 0, 512, block_bitmap_ok, &c);
		flip_every_bit(c.desc, 0x18, 0x1a, block_bitmap_ok, &c);
		c.bitmap[512]++; /* padding is not covered */
		assert_true(block_bitmap_ok(&c));
		group_set_inode_bitmap_csum(&c.sb, desc_of(&c), c.bitmap);
		flip_every_bit(c.bitmap, 0, 126, inode_bitmap_ok, &c);
		flip_every_bit(c.desc, 0x1a, 0x1c, inode_bitmap_ok, &c);
		c.bitmap[126]++;
		assert_true(inode_bitmap_ok(&c));
	}
	flip_every_bit(c.desc, 0x3a, 0x3c, inode_bitmap_ok, &c); /* 64 bytes: the high half too */
}

#define CHECK(name, value)                                                                         \
	do {                                                                                       \
		group_desc_set_##name(&sb, d, (value));                                            \
		assert_int_equal(group_desc_##name(&sb, d), (value));                              \
	} while (0)

static void test_fields(void **state)
{
	struct super_info sb = info(64, 0);
	u8 raw[64] = {0};
	struct ext4_group_desc *d = (void *)raw;

	CHECK(block_bitmap, 0x123456789abull);
	CHECK(inode_bitmap, 0xfffffffffffull);
	CHECK(inode_table, 0x100000000ull);
	CHECK(free_clusters, 0x12345);
	CHECK(free_inodes, 0x10000);
	CHECK(used_dirs, 0x23456);
	CHECK(itable_unused, 0x7ffff);
	group_desc_set_flags(d, 5);
	assert_int_equal(group_desc_flags(d), 5);
	sb = info(32, 0); /* the high halves are another descriptor's bytes */
	memset(raw, 0xff, sizeof(raw));
	CHECK(free_clusters, 3);
	CHECK(block_bitmap, 0x1234);
	for (u32 i = 32; i < 64; i++)
		assert_int_equal(raw[i], 0xff);
}

static u8 orphan_block[1024];
static struct super_info orphan_sb;

static bool orphan_ok(void *arg)
{
	return orphan_csum_verify(&orphan_sb, 5, 77, arg);
}

static void test_OR_2_orphan_block(void **state)
{
	struct le32 *slot = (void *)orphan_block;
	const char *why = NULL;

	orphan_sb = info(64, EXT4_FEATURE_RO_COMPAT_METADATA_CSUM);
	assert_int_equal(orphan_block_slots(&orphan_sb), 254);
	orphan_block_init(&orphan_sb, orphan_block);
	slot[253] = cpu_to_le32(5000);
	orphan_csum_set(&orphan_sb, 5, 77, orphan_block);
	assert_int_equal(orphan_block_verify(&orphan_sb, orphan_block, &why), 0);
	/* All but the magic, which is checked apart. */
	flip_every_bit(orphan_block, 0, 1016, orphan_ok, orphan_block);
	flip_every_bit(orphan_block, 1020, 1024, orphan_ok, orphan_block);
	assert_false(orphan_csum_verify(&orphan_sb, 5, 78, orphan_block));
	assert_false(orphan_csum_verify(&orphan_sb, 6, 77, orphan_block));
	slot[253] = cpu_to_le32(5001);
	assert_int_equal(orphan_block_verify(&orphan_sb, orphan_block, &why), -EUCLEAN);
	assert_non_null(why);
	slot[253] = cpu_to_le32(0);
	orphan_block[1016] ^= 1;
	assert_int_equal(orphan_block_verify(&orphan_sb, orphan_block, &why), -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptor_checksums),
		cmocka_unit_test(test_descriptor_seeds),
		cmocka_unit_test(test_bitmap_checksums),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_OR_2_orphan_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
