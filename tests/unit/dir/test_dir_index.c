/* The hash index: collisions, depth, its birth, moving it (DR-8..12). */
#include "dir/dir_test.h"

#include "base/util.h"
#include "dir/same_hash.h"

static bool indexed(struct uext4_inode *dir)
{
	return to_inode(dir)->f.flags & EXT4_INDEX_FL;
}

static u32 levels_of(struct dir_test *t, const char *dir)
{
	char command[64], *out, *at;
	u32 levels;

	snprintf(command, sizeof(command), "htree %s", dir);
	out = dt_debugfs(t, command, false);
	at = strstr(out, "Indirect levels: ");
	assert_non_null(at);
	levels = (u32)atoi(at + 17);
	free(out);
	return levels;
}

static void restart(struct dir_test *t)
{
	dt_down(t);
	fixture_fsck(&t->f);
	dt_up(t);
}

static void test_DR_8_one_hash(void **state)
{
	u32 n = array_len(same_hash);
	struct uext4_inode *d;
	struct dt_names list;
	struct dir_test t;

	dt_make(&t, 8 << 20, "-b 1024");
	free(fixture_run(&t.f, "tune2fs -E hash_alg=legacy %s"));
	dt_up(&t);
	d = dt_mkdir(t.root, "d");
	for (u32 k = 0; k < n; k++)
		assert_int_equal(dt_create(d, same_hash[k], S_IFREG, NULL), 0);
	dt_list(d, 5, &list);
	assert_int_equal(list.count, n + 2);
	dt_names_free(&list);
	uext4_inode_put(d);
	restart(&t);
	d = dt_get(&t, "d");
	for (u32 k = 0; k < n; k++)
		assert_int_equal(dt_create(d, same_hash[k], S_IFREG, NULL), -EEXIST);
	for (u32 k = 0; k < n; k += 2)
		assert_int_equal(uext4_unlink(d, NULL, same_hash[k]), 0);
	for (u32 k = 0; k < n; k++)
		assert_int_equal(dt_lookup(d, same_hash[k], NULL), k % 2 ? 0 : -ENOENT);
	uext4_inode_put(d);
	restart(&t);
	d = dt_get(&t, "d");
	for (u32 k = 1; k < n; k += 2)
		assert_int_equal(uext4_unlink(d, NULL, same_hash[k]), 0);
	assert_int_equal(uext4_rmdir(t.root, NULL, "d"), 0);
	uext4_inode_put(d);
	dt_end(&t);
}

static void long_name(u32 n, char out[256])
{
	memset(out, 'x', 250);
	snprintf(out, 9, "%08x", n * 2654435761u);
	out[8] = '_';
	out[250] = 0;
}

/* Links to one file: names without inodes. Returns how many fitted. */
static u32 fill(struct uext4_inode *d, struct uext4_inode *file, u32 from, u32 to)
{
	char name[256];

	for (u32 k = from; k < to; k++) {
		int err;

		long_name(k, name);
		err = uext4_link(file, NULL, d, name);
		if (err) {
			assert_int_equal(err, -ENOSPC);
			return k;
		}
	}
	return to;
}

static void expect_names(struct uext4_inode *d, u32 from, u32 count, int want)
{
	char name[256];

	for (u32 k = from; k < count; k++) {
		long_name(k, name);
		assert_int_equal(dt_lookup(d, name, NULL), want);
	}
}

static void remove_names(struct uext4_inode *d, u32 from, u32 count)
{
	char name[256];

	for (u32 k = from; k < count; k++) {
		long_name(k, name);
		assert_int_equal(uext4_unlink(d, NULL, name), 0);
	}
}

static u32 start_tree(struct dir_test *t, const char *options, u32 names)
{
	struct uext4_inode *d, *file;
	u32 n;

	dt_make(t, 64 << 20, options);
	dt_up(t);
	d = dt_mkdir(t->root, "d");
	assert_int_equal(dt_create(t->root, "file", S_IFREG, &file), 0);
	n = fill(d, file, 0, names);
	uext4_inode_put(d);
	uext4_inode_put(file);
	restart(t);
	return n;
}

/* Without largedir a root and one level of nodes is all there may be. */
static void test_DR_10_full_index(void **state)
{
	struct uext4_inode *d;
	struct dir_test t;
	u32 n = start_tree(&t, "-b 1024 -N 64", 64000);

	assert_in_range(n, 15000, 50000);
	assert_int_equal(levels_of(&t, "d"), 1);
	d = dt_get(&t, "d");
	expect_names(d, 0, n, 0);
	expect_names(d, n, n + 1, -ENOENT);
	remove_names(d, 0, n);
	uext4_inode_put(d);
	dt_end(&t);
}

static void test_DR_10_three_levels(void **state)
{
	u32 n = 42000, half = 21000;
	struct uext4_inode *d;
	struct dt_names list;
	struct dir_test t;

	assert_int_equal(start_tree(&t, "-b 1024 -N 64 -O large_dir", n), n);
	assert_int_equal(levels_of(&t, "d"), 2);
	d = dt_get(&t, "d");
	expect_names(d, 0, n, 0);
	dt_list(d, 1000, &list);
	assert_int_equal(list.count, n + 2);
	dt_names_free(&list);
	remove_names(d, 0, half);
	uext4_inode_put(d);
	restart(&t);
	d = dt_get(&t, "d");
	expect_names(d, 0, half, -ENOENT);
	expect_names(d, half, n, 0);
	remove_names(d, half, n);
	uext4_inode_put(d);
	dt_end(&t);
}

/* The image is checked with every number of entries around the change of format. */
static void test_DR_11_becomes_indexed(void **state)
{
	static const char *const options[] = {
		"-b 1024", "-b 1024 -O ^metadata_csum,^64bit", "-b 4096 -O ^has_journal"};

	for (u32 o = 0; o < array_len(options); o++) {
		struct dir_test t;
		u32 after = 0, n = 0;

		dt_make(&t, 8 << 20, options[o]);
		dt_up(&t);
		uext4_inode_put(dt_mkdir(t.root, "d"));
		while (after < 2) {
			struct uext4_inode *d = dt_get(&t, "d");
			char name[256];

			dt_name(n++, 255, name);
			assert_int_equal(dt_create(d, name, S_IFREG, NULL), 0);
			after += indexed(d);
			for (u32 k = 0; k < n; k++) {
				dt_name(k, 255, name);
				assert_int_equal(dt_lookup(d, name, NULL), 0);
			}
			assert_int_equal(inode_size(to_inode(d)) > t.v->sb.block_size, indexed(d));
			uext4_inode_put(d);
			if (after)
				restart(&t);
		}
		dt_end(&t);
	}
}

/* ".." lies in the root of the index, whose checksum is another one than a leaf's. */
static void test_DR_12_move_indexed(void **state)
{
	struct uext4_inode *a, *b, *d;
	u64 parent = 0;
	struct dir_test t;
	char name[256];

	dt_make(&t, 8 << 20, "-b 1024");
	dt_up(&t);
	a = dt_mkdir(t.root, "a");
	b = dt_mkdir(t.root, "b");
	d = dt_mkdir(a, "d");
	for (u32 k = 0; k < 200; k++) {
		dt_name(k, 60, name);
		assert_int_equal(dt_create(d, name, S_IFREG, NULL), 0);
	}
	assert_true(indexed(d));
	assert_int_equal(uext4_rename(a, "d", b, "d", NULL, 0), 0);
	assert_int_equal(dt_links(a), 2);
	assert_int_equal(dt_links(b), 3);
	assert_int_equal(dt_lookup(d, "..", &parent), 0);
	assert_int_equal(parent, uext4_inode_number(b));
	uext4_inode_put(a);
	uext4_inode_put(b);
	uext4_inode_put(d);
	restart(&t);
	d = dt_get(&t, "b/d");
	for (u32 k = 0; k < 200; k++) {
		dt_name(k, 60, name);
		assert_int_equal(dt_lookup(d, name, NULL), 0);
	}
	uext4_inode_put(d);
	dt_end(&t);
}

/* No copy of a deleted name stays in its directory. */
static void test_DR_3_names_are_erased(void **state)
{
	struct dir_test t;
	char name[32], *out;

	dt_make(&t, 8 << 20, "-b 1024 -O ^has_journal");
	dt_up(&t);
	for (u32 k = 0; k < 60; k++) {
		snprintf(name, sizeof(name), "secret-%u", k);
		assert_int_equal(dt_create(t.root, name, S_IFIFO, NULL), 0);
	}
	assert_int_equal(uext4_rename(t.root, "secret-7", t.root, "open", NULL, 0), 0);
	for (u32 k = 0; k < 60; k++) {
		snprintf(name, sizeof(name), "secret-%u", k);
		if (k != 7)
			assert_int_equal(uext4_unlink(t.root, NULL, name), 0);
	}
	dt_down(&t);
	out = fixture_run(&t.f, "grep -a -c secret- %s || true");
	assert_string_equal(out, "0\n");
	free(out);
	dt_up(&t);
	dt_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_DR_3_names_are_erased),
		cmocka_unit_test(test_DR_8_one_hash),
		cmocka_unit_test(test_DR_10_full_index),
		cmocka_unit_test(test_DR_10_three_levels),
		cmocka_unit_test(test_DR_11_becomes_indexed),
		cmocka_unit_test(test_DR_12_move_indexed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
