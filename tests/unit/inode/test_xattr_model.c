/* Random sets and removals against a model, over inode sizes and features. */
#include "inode/inode_test.h"

#include "os/mem.h"

#define NAMES 24
#define ROUNDS 1200
#define VALUE_MAX 65536

struct model {
	bool present;
	u8 *value;
	size_t size;
};

static void name_of(u32 n, char *name)
{
	static const char *const prefix[] = {"user.", "trusted.", "security."};

	/* Lengths from 1 to 255; bytes beyond 7f matter for the hash (XA-3). */
	u32 len = n % 8 == 7 ? 255 - strlen(prefix[n % 3]) : 1 + n % 11;

	strcpy(name, prefix[n % 3]);
	name += strlen(name);
	memset(name, n % 2 ? 'a' + (int)n % 26 : 0xc3, len);
	name[0] = 'A' + (char)n;
	name[len] = 0;
}

static size_t random_size(struct rng *r, u32 max)
{
	static const u32 steps[] = {0, 8, 40, 100, 600, 1000, 4000, 20000, VALUE_MAX};
	u32 top = steps[rng_below(r, array_len(steps))];

	return rng_below(r, min_of(top, max) + 1);
}

static void fill(struct rng *r, u8 *value, size_t size)
{
	for (size_t k = 0; k < size; k++)
		value[k] = (u8)rng_u64(r);
}

static void check_one(struct inode *i, u32 n, const struct model *m)
{
	static u8 value[VALUE_MAX];
	char name[300];
	ssize_t len;

	name_of(n, name);
	len = xattr_get(i, name, NULL, 0);
	if (!m->present) {
		assert_int_equal(len, -ENODATA);
		return;
	}
	assert_int_equal(len, m->size);
	if (m->size == 0)
		return;
	assert_int_equal(xattr_get(i, name, value, sizeof(value)), m->size);
	assert_memory_equal(value, m->value, m->size);
	if (m->size > 1)
		assert_int_equal(xattr_get(i, name, value, m->size - 1), -ERANGE);
}

static void check_list(struct inode *i, const struct model *models)
{
	char names[NAMES * 300], name[300];
	ssize_t len = xattr_list(i, &it_root, names, sizeof(names)), expect = 0;

	assert_true(len >= 0);
	assert_int_equal(xattr_list(i, &it_root, NULL, 0), len);
	for (u32 n = 0; n < NAMES; n++) {
		bool found = false;

		name_of(n, name);
		for (char *p = names; p < names + len; p += strlen(p) + 1)
			found |= strcmp(p, name) == 0;
		assert_int_equal(found, models[n].present);
		expect += models[n].present ? (ssize_t)strlen(name) + 1 : 0;
	}
	assert_int_equal(len, expect);
}

static void check_all(struct inode *i, const struct model *models)
{
	for (u32 n = 0; n < NAMES; n++)
		check_one(i, n, &models[n]);
	check_list(i, models);
}

static void forget(struct model *m)
{
	free(m->value);
	*m = (struct model){0};
}

static void change(struct inode *i, struct rng *r, struct model *models, u32 max)
{
	u32 n = (u32)rng_below(r, NAMES);
	size_t size = random_size(r, max);
	u8 *value = malloc(size + 1);
	char name[300];
	int err;

	name_of(n, name);
	fill(r, value, size);
	os_rwsem_lock(&i->lock);
	if (rng_below(r, 4) == 0) {
		err = xattr_remove(i, &it_root, name);
		assert_int_equal(err, models[n].present ? 0 : -ENODATA);
		forget(&models[n]);
		free(value);
	} else {
		err = xattr_set(i, &it_root, name, value, size, 0);
		if (err) {
			assert_int_equal(err, -ENOSPC);
			free(value);
		} else {
			forget(&models[n]);
			models[n] = (struct model){true, value, size};
		}
	}
	os_rwsem_unlock(&i->lock);
	check_one(i, n, &models[n]); /* XA-5: also after a failure */
}

static void run(const char *options, u32 max, u64 seed)
{
	enum { FILES = 3 };
	static struct model models[FILES][NAMES];
	struct inode_test t;
	struct rng r;

	rng_init(&r, seed);
	it_make(&t, 32 << 20, options, FILES, 0);
	it_up(&t, FIXTURE_MEMORY);
	for (u32 round = 0; round < ROUNDS; round++) {
		u32 k = (u32)rng_below(&r, FILES);
		struct inode *i = it_file(&t, k);

		change(i, &r, models[k], max);
		if (round % 100 == 99)
			check_all(i, models[k]);
		inode_put(i);
		if (round % 300 == 299) {
			it_down(&t);
			fixture_fsck(&t.f);
			it_up(&t, FIXTURE_MEMORY);
		}
	}
	for (u32 k = 0; k < FILES; k++) {
		struct inode *i = it_file(&t, k);

		check_all(i, models[k]);
		inode_put(i);
		for (u32 n = 0; n < NAMES; n++)
			forget(&models[k][n]);
	}
	it_end(&t);
}

static void test_XA_1_inode_128(void **state)
{
	run("-I 128 -b 1024", 2000, 1);
}

static void test_XA_1_inode_256(void **state)
{
	run("-I 256 -b 4096", 5000, 2);
}

static void test_XA_1_inode_1024(void **state)
{
	run("-I 1024 -b 2048", 3000, 3);
}

static void test_XA_1_no_journal_no_csum(void **state)
{
	run("-I 256 -b 1024 -O ^has_journal,^metadata_csum,^64bit", 2000, 4);
}

static void test_XA_6_inode_128(void **state)
{
	run("-I 128 -b 4096 -O ea_inode", VALUE_MAX, 5);
}

static void test_XA_6_inode_256(void **state)
{
	run("-I 256 -b 1024 -O ea_inode", VALUE_MAX, 6);
}

static void test_XA_6_inode_1024_indirect(void **state)
{
	run("-I 1024 -b 1024 -O ea_inode,^extents,^64bit,^has_journal", VALUE_MAX, 7);
}

static void test_XA_6_orphan_file(void **state)
{
	run("-I 256 -b 4096 -O ea_inode,orphan_file", VALUE_MAX, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_XA_1_inode_128),
		cmocka_unit_test(test_XA_1_inode_256),
		cmocka_unit_test(test_XA_1_inode_1024),
		cmocka_unit_test(test_XA_1_no_journal_no_csum),
		cmocka_unit_test(test_XA_6_inode_128),
		cmocka_unit_test(test_XA_6_inode_256),
		cmocka_unit_test(test_XA_6_inode_1024_indirect),
		cmocka_unit_test(test_XA_6_orphan_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
