/*
 * Thousands of names with one hash, over many leaves and nodes (DR-8). The hash
 * itself is replaced in this program, so e2fsck has no say here.
 */
#include "dir/dir_test.h"

#include "disk/dirhash.h"

int __real_dirhash_compute(
	u8 version, const u32 seed[4], const void *name, u32 len, struct dirhash *out);
int __wrap_dirhash_compute(
	u8 version, const u32 seed[4], const void *name, u32 len, struct dirhash *out);

static const u32 one_hash = 0x76543210;

int __wrap_dirhash_compute(
	u8 version, const u32 seed[4], const void *name, u32 len, struct dirhash *out)
{
	int err = __real_dirhash_compute(version, seed, name, len, out);

	if (!err && len > 4 && memcmp(name, "same", 4) == 0)
		out->hash = one_hash;
	return err;
}

static void name_of(u32 k, char out[80])
{
	snprintf(out, 80, k % 3 ? "same%060u" : "other%060u", k * 7919 % 100003);
}

static void test_DR_8_thousands_of_one_hash(void **state)
{
	u32 n = 7500, left;
	struct uext4_inode *d, *file;
	struct dt_names list;
	struct dir_test t;
	char name[80];

	dt_make(&t, 32 << 20, "-b 1024 -N 64");
	dt_up(&t);
	d = dt_mkdir(t.root, "d");
	assert_int_equal(dt_create(t.root, "file", S_IFREG, &file), 0);
	for (u32 k = 0; k < n; k++) {
		name_of(k, name);
		assert_int_equal(uext4_link(file, NULL, d, name), 0);
	}
	for (u32 k = 0; k < n; k++) {
		name_of(k, name);
		assert_int_equal(uext4_link(file, NULL, d, name), -EEXIST);
	}
	for (left = n; left; left--) {
		name_of(left * 4999 % n, name);
		assert_int_equal(dt_lookup(d, name, NULL), 0);
		assert_int_equal(uext4_unlink(d, NULL, name), 0);
		assert_int_equal(dt_lookup(d, name, NULL), -ENOENT);
		if (left % 1500 == 0) {
			dt_list(d, 100, &list);
			assert_int_equal(list.count, left - 1 + 2);
			dt_names_free(&list);
		}
	}
	uext4_inode_put(file);
	uext4_inode_put(d);
	dt_down(&t);
	fixture_remove(&t.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_DR_8_thousands_of_one_hash)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
