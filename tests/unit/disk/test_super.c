/* Decoding the superblock, what is refused and why, checksum, geometry. */
#include "image.h"

#include "base/err.h"
#include "disk/dirent_format.h"

static struct image default_image, big_image, meta_image, old_image;

static int setup(void **state)
{
	image_make(&default_image, "-t ext4 -b 1024 -O metadata_csum,64bit,orphan_file,mmp -N 2048",
		"24M");
	image_make(&big_image, "-t ext4 -b 1024 -C 4096 -O bigalloc,metadata_csum -N 2048", "24M");
	image_make(&meta_image, "-t ext4 -b 1024 -g 256 -O meta_bg,^resize_inode -N 2048", "24M");
	image_make(&old_image, "-t ext2 -r 0 -b 1024 -N 1024", "16M");
	return 0;
}

static int teardown(void **state)
{
	image_remove(&default_image);
	image_remove(&big_image);
	image_remove(&meta_image);
	image_remove(&old_image);
	return 0;
}

static int decode(struct ext4_super *s, u64 size, const char **why)
{
	struct super_info sb;

	super_csum_set(s);
	*why = NULL;
	return super_decode(s, size, &sb, why);
}

static struct le32 *word(struct ext4_super *s, u32 offset)
{
	return (struct le32 *)((u8 *)s + offset);
}

#define F(field)                                                                                   \
	((u32)offsetof(struct ext4_super, field)), ((u32)sizeof(((struct ext4_super *)0)->field))

/* Pokes a little-endian value of 1, 2 or 4 bytes into a copy; it must be refused, with a message.
 */
static void refused(const struct image *im, u32 offset, u32 size, u32 value)
{
	struct ext4_super s = im->super;
	const char *why;
	int err;

	for (u32 i = 0; i < size; i++)
		((u8 *)&s)[offset + i] = (u8)((u64)value >> i * 8);
	err = decode(&s, im->size, &why);
	if (err != -EUCLEAN || !why || !*why)
		fail_msg("value 0x%x at 0x%x gave %d", value, offset, err);
}

static void accepted(const struct image *im, u32 offset, u32 size, u32 value)
{
	struct ext4_super s = im->super;
	const char *why;

	for (u32 i = 0; i < size; i++)
		((u8 *)&s)[offset + i] = (u8)((u64)value >> i * 8);
	if (decode(&s, im->size, &why))
		fail_msg("value 0x%x at 0x%x: %s", value, offset, why);
}

static void test_HD_1_not_ext4(void **state)
{
	struct ext4_super s = default_image.super;
	const char *why;

	assert_int_equal(decode(&s, default_image.size, &why), 0);
	s.s_magic = cpu_to_le16(0xef52);
	assert_int_equal(decode(&s, default_image.size, &why), -EINVAL);
	assert_non_null(why);
}

static void test_HD_1_checksum(void **state)
{
	struct ext4_super s = default_image.super;
	struct super_info sb;
	const char *why = NULL;

	s.s_volume_name[0] ^= 1;
	assert_int_equal(super_decode(&s, default_image.size, &sb, &why), -EBADMSG);
	assert_non_null(why);
}

static void test_HD_1_sizes(void **state)
{
	const struct image *im = &default_image;

	refused(im, F(s_log_block_size), 7);
	refused(im, F(s_log_block_size), 0xffffffff);
	refused(im, F(s_log_cluster_size), 21);
	refused(im, F(s_log_cluster_size), 2); /* without bigalloc */
	refused(&big_image, F(s_log_cluster_size), 21);
	refused(&big_image, F(s_log_cluster_size), 3); /* other than clusters_per_group says */
	refused(im, F(s_first_ino), 10);
	refused(im, F(s_inode_size), 0);
	refused(im, F(s_inode_size), 64);
	refused(im, F(s_inode_size), 320);
	refused(im, F(s_inode_size), 2048);
	refused(im, F(s_want_extra_isize), 132);
	refused(im, F(s_min_extra_isize), 132);
	accepted(im, F(s_want_extra_isize), 30); /* less than what is taken anyway */
	refused(im, F(s_want_extra_isize), 34);
	accepted(im, F(s_inode_size), 1024);
	accepted(im, F(s_desc_size), 1024);
	accepted(im, F(s_log_groups_per_flex), 31);
	refused(im, F(s_log_groups_per_flex), 32);
	refused(im, F(s_desc_size), 32);
	refused(im, F(s_desc_size), 96);
	refused(im, F(s_desc_size), 2048);
	refused(im, F(s_desc_size), 0);
	accepted(im, F(s_encryption_level), 1);
	refused(im, F(s_checksum_type), 0);
	refused(im, F(s_checksum_type), 2);
	refused(im, F(s_def_hash_version), 7);
	refused(im, F(s_def_hash_version), 6); /* without casefold */
}

static void test_HD_1_groups(void **state)
{
	const struct image *im = &default_image;
	const struct super_info *sb = &im->sb;

	refused(im, F(s_blocks_per_group), 0);
	refused(im, F(s_blocks_per_group), 8 * 1024 + 8);
	refused(im, F(s_clusters_per_group), 0);
	refused(im, F(s_clusters_per_group), 4096);
	refused(&big_image, F(s_clusters_per_group), 8 * 1024 + 8);
	refused(im, F(s_inodes_per_group), 0);
	refused(im, F(s_inodes_per_group), sb->inodes_per_block - 1);
	refused(im, F(s_inodes_per_group), 8 * 1024 + 1);
	refused(im, F(s_inodes_count), sb->inodes_count + 1);
	refused(im, F(s_blocks_count_lo), (u32)sb->blocks_count + 1);
	refused(im, F(s_blocks_count_lo), 0);
	refused(im, F(s_blocks_count_lo), 1);
	refused(im, F(s_blocks_count_hi), 1);
	refused(im, F(s_blocks_count_hi), 0xffffffff);
	refused(im, F(s_first_data_block), 0);
	refused(im, F(s_first_data_block), 2);
	refused(im, F(s_first_data_block), 0xffffffff);
	accepted(im, F(s_reserved_gdt_blocks), 256);
	refused(im, F(s_reserved_gdt_blocks), 257);
	refused(&meta_image, F(s_reserved_gdt_blocks), 1); /* without resize_inode */
	accepted(&meta_image, F(s_first_meta_bg), meta_image.sb.gdt_blocks);
	refused(&meta_image, F(s_first_meta_bg), meta_image.sb.gdt_blocks + 1);
	refused(im, F(s_mmp_block), 0);
	refused(im, F(s_mmp_block), 1);
	accepted(im, F(s_mmp_block), 2);
	refused(im, F(s_mmp_block), (u32)sb->blocks_count);
}

/* Several fields at once; what does not matter to the check in question is kept consistent. */
static void test_HD_1_combined(void **state)
{
	struct ext4_super s = default_image.super;
	const char *why;

	s.s_blocks_per_group = s.s_clusters_per_group = cpu_to_le32(0);
	assert_int_equal(decode(&s, default_image.size, &why), -EUCLEAN);
	s = default_image.super; /* as few and as many inodes as possible */
	s.s_inodes_per_group = cpu_to_le32(4);
	s.s_inodes_count = cpu_to_le32(3 * 4);
	s.s_orphan_file_inum = cpu_to_le32(12);
	assert_int_equal(decode(&s, default_image.size, &why), 0);
	s.s_inodes_per_group = cpu_to_le32(3);
	s.s_inodes_count = cpu_to_le32(3 * 3);
	assert_int_equal(decode(&s, default_image.size, &why), -EUCLEAN);
	s.s_inodes_per_group = cpu_to_le32(8192);
	s.s_inodes_count = cpu_to_le32(3 * 8192);
	assert_int_equal(decode(&s, default_image.size, &why), 0);
	s.s_inodes_per_group = cpu_to_le32(8193);
	s.s_inodes_count = cpu_to_le32(3 * 8193);
	assert_int_equal(decode(&s, default_image.size, &why), -EUCLEAN);
	s = default_image.super; /* descriptors and their reserve do not fit */
	s.s_blocks_count_lo = cpu_to_le32(200);
	s.s_inodes_count = s.s_inodes_per_group;
	s.s_reserved_gdt_blocks = cpu_to_le16(197);
	s.s_mmp_block = cpu_to_le64(100);
	assert_int_equal(decode(&s, default_image.size, &why), 0);
	s.s_reserved_gdt_blocks = cpu_to_le16(198);
	assert_int_equal(decode(&s, default_image.size, &why), -EUCLEAN);
}

/* What counts only together with another feature. */
static void test_HD_1_with_features(void **state)
{
	struct ext4_super s = default_image.super;
	const char *why;
	u32 incompat = le32_to_cpu(s.s_feature_incompat);

	s.s_def_hash_version = EXT4_HASH_SIPHASH;
	assert_int_equal(decode(&s, default_image.size, &why), -EUCLEAN);
	s.s_feature_incompat = cpu_to_le32(incompat | EXT4_FEATURE_INCOMPAT_CASEFOLD);
	assert_int_equal(decode(&s, default_image.size, &why), 0);
	s.s_feature_incompat = cpu_to_le32(incompat | EXT4_FEATURE_INCOMPAT_ENCRYPT);
	s.s_def_hash_version = EXT4_HASH_TEA;
	assert_int_equal(decode(&s, default_image.size, &why), 0);
	s.s_encryption_level = 1;
	assert_int_equal(decode(&s, default_image.size, &why), -EUCLEAN);
}

static void test_HD_1_clusters(void **state)
{
	struct ext4_super s = big_image.super;
	const char *why;

	s.s_log_cluster_size = cpu_to_le32(20);
	s.s_clusters_per_group = cpu_to_le32(8);
	s.s_blocks_per_group = cpu_to_le32(8 << 20);
	assert_int_equal(decode(&s, big_image.size, &why), 0);
	s.s_clusters_per_group = cpu_to_le32(9);
	s.s_blocks_per_group = cpu_to_le32(9 << 20);
	assert_int_equal(decode(&s, big_image.size, &why), -EUCLEAN);
	s = big_image.super;
	s.s_log_block_size = cpu_to_le32(3);
	assert_int_equal(decode(&s, big_image.size, &why), -EUCLEAN);
	assert_non_null(strstr(why, "cluster size"));
	accepted(&big_image, F(s_first_data_block), 0);
	accepted(&big_image, F(s_first_data_block), 1);
	refused(&big_image, F(s_first_data_block), 2);
}

/* Group counts beyond 32 bits need a device that large. */
static void test_HD_1_too_many_groups(void **state)
{
	struct ext4_super s = default_image.super;
	const char *why;

	s.s_blocks_per_group = s.s_clusters_per_group = cpu_to_le32(8);
	s.s_blocks_count_hi = cpu_to_le32(8);
	assert_int_equal(decode(&s, ~0ull, &why), -EUCLEAN);
	assert_non_null(strstr(why, "groups"));
}

static void test_HD_1_device_size(void **state)
{
	struct ext4_super s = default_image.super;
	const char *why;
	u64 need = default_image.sb.blocks_count * 1024;

	assert_int_equal(decode(&s, need, &why), 0);
	assert_int_equal(decode(&s, need - 1, &why), -EUCLEAN);
	assert_int_equal(decode(&s, ~0ull, &why), 0);
}

static void test_HD_3_special_inode_numbers(void **state)
{
	const struct image *im = &default_image;
	struct ext4_super s = im->super;
	const char *why;

	refused(im, F(s_journal_inum), 2);
	refused(im, F(s_journal_inum), im->sb.inodes_count + 1);
	accepted(im, F(s_journal_inum), im->sb.inodes_count);
	accepted(im, F(s_orphan_file_inum), im->sb.inodes_count);
	refused(im, F(s_journal_dev), 0x801); /* JB-37: both */
	refused(im, F(s_orphan_file_inum), 0);
	refused(im, F(s_orphan_file_inum), 2);
	refused(im, F(s_orphan_file_inum), 8);
	refused(im, F(s_orphan_file_inum), im->sb.inodes_count + 1);
	*word(&s, 0x64) =
		cpu_to_le32(le32_to_cpu(s.s_feature_ro_compat) | EXT4_FEATURE_RO_COMPAT_QUOTA);
	s.s_usr_quota_inum = cpu_to_le32(3);
	s.s_grp_quota_inum = cpu_to_le32(4);
	assert_int_equal(decode(&s, im->size, &why), 0);
	s.s_grp_quota_inum = cpu_to_le32(3);
	assert_int_equal(decode(&s, im->size, &why), -EUCLEAN);
	s.s_grp_quota_inum = s.s_orphan_file_inum;
	assert_int_equal(decode(&s, im->size, &why), -EUCLEAN);
}

/* Sets and clears feature bits of a copy. */
static int with_features(const struct image *im, u32 offset, u32 set, u32 clear, const char **why)
{
	struct ext4_super s = im->super;

	*word(&s, offset) = cpu_to_le32((le32_to_cpu(*word(&s, offset)) | set) & ~clear);
	return decode(&s, im->size, why);
}

#define COMPAT 0x5c
#define INCOMPAT 0x60
#define RO_COMPAT 0x64

static void test_MD_6_pairs(void **state)
{
	const struct image *im = &default_image;
	const char *why;

	assert_int_equal(
		with_features(im, RO_COMPAT, EXT4_FEATURE_RO_COMPAT_GDT_CSUM, 0, &why), -EUCLEAN);
	assert_int_equal(with_features(im, INCOMPAT, EXT4_FEATURE_INCOMPAT_CSUM_SEED, 0, &why), 0);
	assert_int_equal(with_features(&meta_image, INCOMPAT, 0, 0, &why), 0);
	assert_int_equal(
		with_features(im, INCOMPAT, 0, EXT4_FEATURE_INCOMPAT_EXTENTS, &why), -EUCLEAN);
	assert_non_null(strstr(why, "64bit"));
	assert_int_equal(with_features(&big_image, INCOMPAT, 0,
				 EXT4_FEATURE_INCOMPAT_EXTENTS | EXT4_FEATURE_INCOMPAT_64BIT, &why),
		-EUCLEAN);
	assert_non_null(strstr(why, "bigalloc"));
	assert_int_equal(
		with_features(im, INCOMPAT, EXT4_FEATURE_INCOMPAT_META_BG, 0, &why), -EUCLEAN);
	assert_int_equal(
		with_features(im, RO_COMPAT, EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT, 0, &why), 0);
	assert_int_equal(with_features(&meta_image, RO_COMPAT,
				 EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT, 0, &why),
		-EUCLEAN);
	assert_int_equal(
		with_features(im, COMPAT, 0, EXT4_FEATURE_COMPAT_HAS_JOURNAL, &why), -EUCLEAN);
	assert_non_null(strstr(why, "orphan_file"));
	assert_int_equal(
		with_features(im, RO_COMPAT, 0, EXT4_FEATURE_RO_COMPAT_METADATA_CSUM, &why), 0);
	assert_int_equal(
		with_features(&old_image, INCOMPAT, EXT4_FEATURE_INCOMPAT_CSUM_SEED, 0, &why),
		-EUCLEAN);
	assert_int_equal(
		with_features(im, INCOMPAT, EXT4_FEATURE_INCOMPAT_JOURNAL_DEV, 0, &why), -EUCLEAN);
}

static bool super_ok(void *arg)
{
	return super_csum_verify(arg);
}

/* The bit of metadata_csum itself aside, which switches checking off. */
static void test_superblock_checksum_covers_all(void **state)
{
	struct ext4_super s = default_image.super;

	flip_every_bit(&s, 0, 0x65, super_ok, &s);
	flip_every_bit(&s, 0x66, 0x400, super_ok, &s);
}

static void test_fields(void **state)
{
	const struct super_info *sb = &default_image.sb;
	struct ext4_super s = default_image.super;
	struct super_info out;
	const char *why;

	assert_int_equal(sb->block_size, 1024);
	assert_int_equal(sb->block_bits, 10);
	assert_int_equal(sb->blocks_count, 24 * 1024);
	assert_int_equal(sb->first_data_block, 1);
	assert_int_equal(sb->group_count, 3);
	assert_int_equal(sb->desc_size, 64);
	assert_int_equal(sb->descs_per_block, 16);
	assert_int_equal(sb->inode_size, 256);
	assert_int_equal(sb->want_extra_isize, 32);
	assert_int_equal(sb->journal_inum, 8);
	assert_int_equal(sb->log_groups_per_flex, 4);
	assert_int_equal(big_image.sb.blocks_per_cluster, 4);
	assert_int_equal(big_image.sb.cluster_size, 4096);
	assert_int_equal(old_image.sb.inode_size, 128);
	assert_int_equal(old_image.sb.first_ino, 11);
	assert_int_equal(old_image.sb.want_extra_isize, 0);
	s.s_state = cpu_to_le16(0x21);
	s.s_def_resuid = cpu_to_le16(5);
	s.s_def_resuid_hi = cpu_to_le16(1);
	s.s_flags = cpu_to_le32(EXT4_SUPER_UNSIGNED_HASH);
	s.s_def_hash_version = EXT4_HASH_TEA_UNSIGNED;
	s.s_def_resgid_hi = cpu_to_le16(2);
	super_csum_set(&s);
	assert_int_equal(super_decode(&s, default_image.size, &out, &why), 0);
	assert_int_equal(out.state, 1);
	assert_int_equal(out.resuid, 0x10005);
	assert_true(out.hash_unsigned && out.hash_sign_known);
	assert_int_equal(out.def_hash_version, EXT4_HASH_TEA);
	assert_int_equal(out.resgid, 0x20000);
	s.s_flags = cpu_to_le32(0);
	s.s_def_hash_version = EXT4_HASH_LEGACY_UNSIGNED;
	super_csum_set(&s);
	assert_int_equal(super_decode(&s, default_image.size, &out, &why), 0);
	assert_false(out.hash_unsigned || out.hash_sign_known);
	assert_int_equal(out.def_hash_version, EXT4_HASH_LEGACY);
	s.s_flags = cpu_to_le32(EXT4_SUPER_UNSIGNED_HASH | EXT4_SUPER_SIGNED_HASH);
	super_csum_set(&s);
	assert_int_equal(super_decode(&s, default_image.size, &out, &why), 0);
	assert_false(out.hash_unsigned);
}

static void test_MD_14_backups(void **state)
{
	struct super_info sb = default_image.sb;

	for (group_nr g = 0; g < 400; g++) {
		bool power = g <= 1 || g == 3 || g == 5 || g == 7 || g == 9 || g == 25 || g == 27 ||
			     g == 49 || g == 81 || g == 125 || g == 243 || g == 343;

		assert_int_equal(super_group_has_super(&sb, g), power);
	}
	assert_false(super_group_has_super(&sb, 0xffffffff));
	sb.feature_compat |= EXT4_FEATURE_COMPAT_SPARSE_SUPER2;
	sb.backup_bgs[0] = 1;
	sb.backup_bgs[1] = 77;
	assert_true(super_group_has_super(&sb, 0) && super_group_has_super(&sb, 1));
	assert_true(super_group_has_super(&sb, 77) && !super_group_has_super(&sb, 3));
	sb.feature_compat &= ~EXT4_FEATURE_COMPAT_SPARSE_SUPER2;
	sb.feature_ro_compat &= ~EXT4_FEATURE_RO_COMPAT_SPARSE_SUPER;
	assert_true(super_group_has_super(&sb, 2));
}

/* Growing adds meta_bg behind descriptor blocks of the plain kind; mke2fs never makes that. */
static void test_MD_14_first_meta_bg(void **state)
{
	struct super_info sb = meta_image.sb; /* groups of 256 blocks */
	u32 d = sb.descs_per_block;

	sb.first_meta_bg = 2;
	assert_int_equal(super_gdt_block(&sb, 0), 2);
	assert_int_equal(super_gdt_block(&sb, 1), 3);
	assert_int_equal(super_gdt_block(&sb, 2),
		super_group_first_block(&sb, 2 * d) + super_group_has_super(&sb, 2 * d));
	assert_int_equal(super_group_base_blocks(&sb, 0), 1 + 2);
	assert_int_equal(super_group_base_blocks(&sb, 2), 0);
	assert_int_equal(super_group_base_blocks(&sb, 3), 1 + 2);
	assert_int_equal(super_group_base_blocks(&sb, d), super_group_has_super(&sb, d) ? 3 : 0);
	assert_int_equal(
		super_group_base_blocks(&sb, 2 * d), 1 + super_group_has_super(&sb, 2 * d));
	assert_int_equal(
		super_group_base_blocks(&sb, 2 * d + 1), 1 + super_group_has_super(&sb, 2 * d + 1));
	assert_int_equal(
		super_group_base_blocks(&sb, 2 * d + 2), super_group_has_super(&sb, 2 * d + 2));
	assert_int_equal(
		super_group_base_blocks(&sb, 3 * d - 1), 1 + super_group_has_super(&sb, 3 * d - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_HD_1_not_ext4),
		cmocka_unit_test(test_HD_1_checksum),
		cmocka_unit_test(test_HD_1_sizes),
		cmocka_unit_test(test_HD_1_groups),
		cmocka_unit_test(test_HD_1_combined),
		cmocka_unit_test(test_HD_1_clusters),
		cmocka_unit_test(test_HD_1_with_features),
		cmocka_unit_test(test_HD_1_too_many_groups),
		cmocka_unit_test(test_HD_1_device_size),
		cmocka_unit_test(test_HD_3_special_inode_numbers),
		cmocka_unit_test(test_MD_6_pairs),
		cmocka_unit_test(test_superblock_checksum_covers_all),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_MD_14_backups),
		cmocka_unit_test(test_MD_14_first_meta_bg),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
