/* MD-2, MD-3, MD-4, MD-5: what each feature allows, and the messages. */
#include "image.h"

#include "base/err.h"

static const struct super_info default_sb = {
	.rev = 1,
	.feature_compat = EXT4_FEATURE_COMPAT_HAS_JOURNAL,
	.feature_incompat = EXT4_FEATURE_INCOMPAT_FILETYPE | EXT4_FEATURE_INCOMPAT_EXTENTS,
	.feature_ro_compat = EXT4_FEATURE_RO_COMPAT_METADATA_CSUM,
};

/* What may be opened with one more bit: 2 read-write, 1 read-only, 0 not at all. */
static int openable(u32 compat, u32 incompat, u32 ro_compat, char *msg, size_t size)
{
	struct super_info sb = default_sb;

	sb.feature_compat |= compat;
	sb.feature_incompat |= incompat;
	sb.feature_ro_compat |= ro_compat;
	if (super_check_features(&sb, true, msg, size) == 0) {
		assert_int_equal(super_check_features(&sb, false, NULL, 0), 0);
		return 2;
	}
	if (super_check_features(&sb, false, NULL, 0) == 0) {
		assert_int_equal(super_check_features(&sb, true, msg, size), -EROFS);
		return 1;
	}
	assert_int_equal(super_check_features(&sb, false, msg, size), -EOPNOTSUPP);
	return 0;
}

/* The bits that Linux knows and those that it refuses (MD-3, MD-4). */
static void test_MD_2_every_bit(void **state)
{
	const u32 rw_incompat =
		0x2 | 0x4 | 0x10 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x2000 | 0x4000;
	const u32 ro_incompat = 0x8000 | 0x10000 | 0x20000;
	const u32 rw_ro_compat = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x20 | 0x40 | 0x400 | 0x10000;
	char msg[128];

	for (u32 bit = 1; bit; bit <<= 1) {
		const char *name = feature_name(FEATURE_INCOMPAT, bit);
		int may = bit & rw_incompat ? 2 : bit & ro_incompat ? 1 : 0;

		assert_int_equal(openable(bit, 0, 0, msg, sizeof(msg)), 2);
		assert_string_equal(msg, "");
		assert_int_equal(openable(0, bit, 0, msg, sizeof(msg)), may);
		assert_true(may == 2 || strstr(msg, name ? name : "unknown incompatible"));
		name = feature_name(FEATURE_RO_COMPAT, bit);
		may = bit & rw_ro_compat ? 2 : 1;
		assert_int_equal(openable(0, 0, bit, msg, sizeof(msg)), may);
		assert_true(may == 2 || strstr(msg, name ? name : "unknown read-only-compatible"));
	}
}

static void test_MD_2_message(void **state)
{
	struct super_info sb = default_sb;
	char msg[200], tiny[8];

	sb.feature_ro_compat |=
		EXT4_FEATURE_RO_COMPAT_BIGALLOC | EXT4_FEATURE_RO_COMPAT_SHARED_BLOCKS;
	sb.feature_incompat |= EXT4_FEATURE_INCOMPAT_INLINE_DATA;
	assert_int_equal(super_check_features(&sb, true, msg, sizeof(msg)), -EROFS);
	assert_non_null(strstr(msg, "bigalloc"));
	assert_non_null(strstr(msg, "shared_blocks"));
	assert_non_null(strstr(msg, "inline_data"));
	assert_int_equal(super_check_features(&sb, true, tiny, sizeof(tiny)), -EROFS);
	assert_int_equal(strlen(tiny), sizeof(tiny) - 1);
	sb.feature_incompat |= 0x80000000;
	assert_int_equal(super_check_features(&sb, false, msg, sizeof(msg)), -EOPNOTSUPP);
	assert_non_null(strstr(msg, "0x80000000"));
}

static void test_revision(void **state)
{
	struct super_info sb = default_sb;
	char msg[128];

	sb.rev = 2;
	assert_int_equal(super_check_features(&sb, true, msg, sizeof(msg)), -EROFS);
	assert_int_equal(super_check_features(&sb, false, msg, sizeof(msg)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_MD_2_every_bit),
		cmocka_unit_test(test_MD_2_message),
		cmocka_unit_test(test_revision),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
