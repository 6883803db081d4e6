/* DR-6: the known vectors, and names that debugfs hashes. */
#include "image.h"

#include "base/err.h"
#include "base/rng.h"
#include "base/util.h"
#include "disk/dirhash.h"

/* uuid 01020304-0506-0708-090a-0b0c0d0e0f10 as the superblock stores it. */
static const u32 seed[4] = {0x04030201, 0x08070605, 0x0c0b0a09, 0x100f0e0d};

static void check(u8 version, const char *name, u32 hash, u32 minor)
{
	struct dirhash h;

	assert_int_equal(dirhash_compute(version, seed, name, (u32)strlen(name), &h), 0);
	assert_int_equal(h.hash, hash);
	assert_int_equal(h.minor, minor);
}

static void test_DR_6_vectors(void **state)
{
	char long_name[41] = "";
	struct dirhash h;

	memset(long_name, 'a', 40);
	check(EXT4_HASH_HALF_MD4, "hello", 0xe2ddf968, 0xc8bc0924);
	check(EXT4_HASH_TEA, "hello", 0x1a5692b6, 0x2fd9857d);
	check(EXT4_HASH_LEGACY, "hello", 0x32252546, 0);
	assert_int_equal(dirhash_compute(EXT4_HASH_HALF_MD4, seed, "\xc3\xa9", 2, &h), 0);
	assert_int_equal(h.hash, 0x06b7908e);
	assert_int_equal(dirhash_compute(EXT4_HASH_HALF_MD4_UNSIGNED, seed, "\xc3\xa9", 2, &h), 0);
	assert_int_equal(h.hash, 0xc97500c4);
	assert_int_equal(dirhash_compute(EXT4_HASH_HALF_MD4, seed, long_name, 40, &h), 0);
	assert_int_equal(h.hash, 0xfa1c424e);
	assert_int_equal(dirhash_compute(EXT4_HASH_TEA, seed, long_name, 40, &h), 0);
	assert_int_equal(h.hash, 0xfa871bf8);
}

/* A name whose TEA hash is all ones: that value means the end of a directory. */
static void test_DR_6_end_value(void **state)
{
	check(EXT4_HASH_TEA, "qfakcwca", 0xfffffffc, 0xcfa65945);
}

static void test_DR_5_versions(void **state)
{
	struct super_info sb = {.hash_unsigned = true};
	struct dirhash a, b;

	memcpy(sb.hash_seed, seed, sizeof(seed));
	assert_int_equal(dirhash_name(&sb, EXT4_HASH_HALF_MD4, "\xc3\xa9", 2, &a), 0);
	assert_int_equal(a.hash, 0xc97500c4);
	sb.hash_unsigned = false;
	assert_int_equal(dirhash_name(&sb, EXT4_HASH_HALF_MD4, "\xc3\xa9", 2, &a), 0);
	assert_int_equal(a.hash, 0x06b7908e);
	for (u8 v = 3; v < 8; v++)
		assert_int_equal(dirhash_name(&sb, v, "x", 1, &a), -EOPNOTSUPP);
	assert_int_equal(dirhash_compute(6, seed, "x", 1, &a), -EOPNOTSUPP);
	for (u8 v = 0; v < 3; v++) {
		assert_int_equal(dirhash_compute(v, seed, "\xc3\xa9", 2, &a), 0);
		assert_int_equal(dirhash_compute(v + 3, seed, "\xc3\xa9", 2, &b), 0);
		assert_int_not_equal(a.hash, b.hash);
	}
	/* Signedness changes nothing for plain ASCII. */
	for (u8 v = 0; v < 3; v++) {
		assert_int_equal(dirhash_compute(v, seed, "plain", 5, &a), 0);
		assert_int_equal(dirhash_compute(v + 3, seed, "plain", 5, &b), 0);
		assert_int_equal(a.hash, b.hash);
	}
}

/* Against debugfs, which takes characters as signed. */
static void test_DR_6_against_debugfs(void **state)
{
	static const char *const algs[] = {"legacy", "half_md4", "tea"};
	const u32 none[4] = {0};
	struct image im;
	struct rng r;

	rng_init(&r, 5);
	image_make(&im, "-t ext4 -N 64", "4M");
	for (u32 n = 0; n < 60; n++) {
		char name[64], command[300];
		u32 len = 1 + (u32)rng_below(&r, 60), v = n % 3, hash, minor;
		bool zero = n % 2;
		struct dirhash h;
		FILE *p;

		for (u32 i = 0; i < len; i++)
			name[i] = (char)(rng_below(&r, 4) ? 'a' + rng_below(&r, 26)
							  : 0x80 + rng_below(&r, 0x80));
		name[len] = 0;
		snprintf(command, sizeof(command), "debugfs -R 'dx_hash -h %s%s %s' $I", algs[v],
			zero ? "" : " -s 01020304-0506-0708-090a-0b0c0d0e0f10", name);
		p = image_pipe(&im, command);
		assert_int_equal(fscanf(p, "Hash of %*s is %x (minor %x)", &hash, &minor), 2);
		pclose(p);
		assert_int_equal(dirhash_compute((u8)v, zero ? none : seed, name, len, &h), 0);
		assert_int_equal(h.hash, hash);
		assert_int_equal(h.minor, minor);
	}
	image_remove(&im);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_DR_6_vectors),
		cmocka_unit_test(test_DR_6_end_value),
		cmocka_unit_test(test_DR_5_versions),
		cmocka_unit_test(test_DR_6_against_debugfs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
