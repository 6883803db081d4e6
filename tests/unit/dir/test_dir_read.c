/* Reading a directory while it changes (DR-13), and after it was removed. */
#include "dir/dir_test.h"

#include "base/util.h"
#include "dir/same_hash.h"

#define NAMES 1500

struct config {
	const char *options, *tune;
	u32 start; /* names before reading begins */
	bool one_hash;
};

/* Even numbers stay all the time; odd ones come and go. */
static void name_of(const struct config *c, u32 k, char out[256])
{
	if (c->one_hash && k < array_len(same_hash))
		snprintf(out, 256, "%s", same_hash[k]);
	else
		dt_name(k, 40, out);
}

static void churn(const struct config *c, struct rng *r, struct uext4_inode *d)
{
	char name[256], other[256];

	for (u32 n = 0; n < 12; n++) {
		name_of(c, (u32)rng_below(r, NAMES) | 1, name);
		name_of(c, (u32)rng_below(r, NAMES) | 1, other);
		switch (rng_below(r, 4)) {
		case 0:
			(void)uext4_unlink(d, NULL, name);
			break;
		case 1:
			(void)uext4_rename(d, name, d, other, NULL, 0);
			break;
		default:
			(void)dt_create(d, name, S_IFIFO, NULL);
		}
	}
}

static void read_while_changing(const struct config *c, struct uext4_inode *d, struct rng *r)
{
	static u8 seen[NAMES];
	struct dt_names list = {0};
	u64 cookie = 0;
	char name[256];
	int n;

	memset(seen, 0, sizeof(seen));
	while ((n = dt_readdir(d, 7, &cookie, &list)) > 0)
		churn(c, r, d);
	assert_int_equal(n, 0);
	for (u32 k = 0; k < c->start; k += 2) {
		name_of(c, k, name);
		for (u32 i = 0; i < list.count; i++)
			seen[k] += strcmp(list.name[i], name) == 0;
		assert_int_equal(seen[k], 1);
	}
	dt_names_free(&list);
}

static void survivors_once(void **state)
{
	const struct config *c = *state;
	struct uext4_inode *d;
	struct dir_test t;
	struct rng r;
	char name[256];

	dt_make(&t, 24 << 20, c->options);
	if (c->tune)
		free(fixture_run(&t.f, c->tune));
	dt_up(&t);
	rng_init(&r, 7);
	d = dt_mkdir(t.root, "d");
	for (u32 k = 0; k < c->start; k++) {
		name_of(c, k, name);
		assert_int_equal(dt_create(d, name, S_IFIFO, NULL), 0);
	}
	for (u32 round = 0; round < 3; round++)
		read_while_changing(c, d, &r);
	uext4_inode_put(d);
	dt_end(&t);
}

static bool stop(void *arg, const struct uext4_dirent *e)
{
	return false;
}

static void expect_dead(struct dir_test *t, struct uext4_inode *d)
{
	struct uext4_create req = {.mode = S_IFREG};
	struct uext4_inode *i;

	assert_int_equal(uext4_readdir(d, NULL, 0, stop, NULL), -ENOENT);
	assert_int_equal(uext4_readdir(d, NULL, 77, stop, NULL), -ENOENT);
	assert_int_equal(uext4_lookup(d, NULL, "x", &i), -ENOENT);
	assert_int_equal(uext4_parent(d, &i), -ENOENT);
	assert_int_equal(uext4_create(d, NULL, "x", &req, NULL), -ENOENT);
	assert_int_equal(uext4_tmpfile(d, NULL, &req, &i), -ENOENT);
	assert_int_equal(uext4_symlink(d, NULL, "x", "y", NULL), -ENOENT);
	assert_int_equal(uext4_unlink(d, NULL, "x"), -ENOENT);
	assert_int_equal(uext4_rename(t->root, "other", d, "x", NULL, 0), -ENOENT);
	assert_int_equal(uext4_rename(d, "x", t->root, "y", NULL, 0), -ENOENT);
	assert_int_equal(uext4_rename(d, "x", d, "y", NULL, 0), -ENOENT);
}

/* Whoever still holds a removed directory gets ENOENT, and no report of damage. */
static void test_DR_16_removed_directory(void **state)
{
	struct uext4_inode *a, *d, *full;
	struct dir_test t;
	char name[256];

	dt_make(&t, 8 << 20, "-b 1024");
	dt_up(&t);
	uext4_inode_put(dt_mkdir(t.root, "other"));
	a = dt_mkdir(t.root, "a");
	d = dt_mkdir(a, "d");
	full = dt_mkdir(t.root, "full");
	for (u32 k = 0; k < 100; k++) {
		dt_name(k, 40, name);
		assert_int_equal(dt_create(full, name, S_IFIFO, NULL), 0);
	}
	for (u32 k = 0; k < 100; k++) {
		dt_name(k, 40, name);
		assert_int_equal(uext4_unlink(full, NULL, name), 0);
	}
	assert_int_equal(uext4_rmdir(a, NULL, "d"), 0);
	expect_dead(&t, d);
	assert_int_equal(uext4_rmdir(t.root, NULL, "a"), 0);
	uext4_inode_put(a);
	expect_dead(&t, d);
	assert_int_equal(uext4_rmdir(t.root, NULL, "full"), 0);
	expect_dead(&t, full);
	uext4_inode_put(d);
	uext4_inode_put(full);
	dt_end(&t);
}

int main(void)
{
	static const struct config c[] = {
		{"-b 1024", NULL, NAMES, false},
		{"-b 1024", NULL, 6, false}, /* one block, becomes indexed meanwhile */
		{"-b 4096", NULL, NAMES, false},
		{"-b 1024", "tune2fs -E hash_alg=legacy %s", NAMES, true},
		{"-b 1024 -O ^dir_index", NULL, 200, false},
	};
	const struct CMUnitTest tests[] = {
		{"DR-13 indexed", survivors_once, NULL, NULL, (void *)&c[0]},
		{"DR-13 one block", survivors_once, NULL, NULL, (void *)&c[1]},
		{"DR-13 blocks of 4 KiB", survivors_once, NULL, NULL, (void *)&c[2]},
		{"DR-13 many names of one hash", survivors_once, NULL, NULL, (void *)&c[3]},
		{"DR-13 linear", survivors_once, NULL, NULL, (void *)&c[4]},
		cmocka_unit_test(test_DR_16_removed_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
