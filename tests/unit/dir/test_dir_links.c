/* Link counts and their limits (DR-14), unnamed and open unlinked files (DR-16, DR-17). */
#include "dir/dir_test.h"

#include "base/util.h"

static void restart(struct dir_test *t)
{
	dt_down(t);
	fixture_fsck(&t->f);
	dt_up(t);
}

static void test_DR_14_65001_subdirectories(void **state)
{
	struct uext4_inode *d;
	struct dir_test t;
	char name[32];

	dt_make(&t, 144 << 20, "-b 1024 -N 66000 -I 128 -E lazy_itable_init=1 -J size=8");
	dt_up(&t);
	d = dt_mkdir(t.root, "d");
	for (u32 k = 0; k < 65001; k++) {
		snprintf(name, sizeof(name), "%u", k);
		assert_int_equal(dt_create(d, name, S_IFDIR | 0755, NULL), 0);
		assert_int_equal(dt_links(d), k + 3 <= 65000 ? k + 3 : 1);
	}
	uext4_inode_put(d);
	restart(&t);
	d = dt_get(&t, "d");
	for (u32 k = 0; k < 65001; k++) {
		snprintf(name, sizeof(name), "%u", k);
		assert_int_equal(uext4_rmdir(d, NULL, name), 0);
	}
	assert_int_equal(dt_links(d), 1);
	uext4_inode_put(d);
	assert_int_equal(uext4_rmdir(t.root, NULL, "d"), 0);
	assert_int_equal(dt_links(t.root), 3); /* lost+found */
	dt_end(&t);
}

static void test_DR_14_links_of_a_file(void **state)
{
	struct uext4_inode *d, *file;
	struct dir_test t;
	char name[32];

	dt_make(&t, 16 << 20, "-b 1024 -N 64");
	dt_up(&t);
	d = dt_mkdir(t.root, "d");
	assert_int_equal(dt_create(d, "file", S_IFREG, &file), 0);
	for (u32 k = 1; k < 65000; k++) {
		snprintf(name, sizeof(name), "%u", k);
		assert_int_equal(uext4_link(file, NULL, d, name), 0);
	}
	assert_int_equal(uext4_link(file, NULL, d, "more"), -EMLINK);
	assert_int_equal(dt_lookup(d, "more", NULL), -ENOENT);
	assert_int_equal(dt_links(file), 65000);
	uext4_inode_put(file);
	uext4_inode_put(d);
	dt_end(&t);
}

/* A count of 65000 is planted; what the operations leave is put right before e2fsck looks. */
static void test_DR_14_full_parent(void **state)
{
	struct uext4_inode *d;
	struct dir_test t;

	dt_make(&t, 8 << 20, "-b 1024 -O ^dir_nlink");
	dt_up(&t);
	d = dt_mkdir(t.root, "d");
	uext4_inode_put(dt_mkdir(d, "empty"));
	uext4_inode_put(dt_mkdir(t.root, "in"));
	assert_int_equal(dt_create(d, "file", S_IFREG, NULL), 0);
	uext4_inode_put(d);
	dt_down(&t);
	free(dt_debugfs(&t, "sif d links_count 65000", true));
	dt_up(&t);
	d = dt_get(&t, "d");
	assert_int_equal(dt_create(d, "more", S_IFDIR | 0755, NULL), -EMLINK);
	assert_int_equal(uext4_rename(t.root, "in", d, "in", NULL, 0), -EMLINK);
	assert_int_equal(uext4_rename(t.root, "in", d, "file", NULL, RENAME_F_EXCHANGE), -EMLINK);
	assert_int_equal(uext4_rename(d, "file", t.root, "in", NULL, RENAME_F_EXCHANGE), -EMLINK);
	assert_int_equal(dt_lookup(t.root, "in", NULL), 0);
	assert_int_equal(dt_lookup(d, "file", NULL), 0);
	/* one comes, one goes */
	assert_int_equal(uext4_rename(t.root, "in", d, "empty", NULL, 0), 0);
	assert_int_equal(dt_links(d), 65000);
	assert_int_equal(dt_links(t.root), 4);
	uext4_inode_put(d);
	dt_down(&t);
	free(dt_debugfs(&t, "sif d links_count 3", true));
	dt_up(&t);
	dt_end(&t);
}

/* The right to link an inode without names ends with its first one. */
static void test_DR_17_tmpfile(void **state)
{
	static const char *const options[] = {"-b 1024", "-b 1024 -O orphan_file"};
	struct uext4_create req = {.mode = S_IFREG | 0600};
	struct uext4_inode *i, *j;
	struct dir_test t;

	for (u32 o = 0; o < array_len(options); o++) {
		dt_make(&t, 8 << 20, options[o]);
		dt_up(&t);
		assert_int_equal(uext4_tmpfile(t.root, NULL, &req, &i), 0);
		assert_int_equal(uext4_tmpfile(t.root, NULL, &req, &j), 0);
		assert_int_equal(dt_links(i), 0);
		assert_int_equal(uext4_link(i, NULL, t.root, "a"), 0);
		assert_int_equal(dt_links(i), 1);
		assert_int_equal(uext4_link(i, NULL, t.root, "b"), 0);
		assert_int_equal(uext4_unlink(t.root, NULL, "a"), 0);
		assert_int_equal(uext4_unlink(t.root, NULL, "b"), 0);
		assert_int_equal(uext4_link(i, NULL, t.root, "c"), -ENOENT);
		assert_int_equal(uext4_link(j, NULL, t.root, "d"), 0);
		uext4_inode_put(i);
		uext4_inode_put(j);
		restart(&t);
		assert_int_equal(dt_lookup(t.root, "d", NULL), 0);
		assert_int_equal(dt_lookup(t.root, "a", NULL), -ENOENT);
		dt_end(&t);
	}
}

static void test_DR_16_open_unlinked(void **state)
{
	struct uext4_inode *i, *d;
	struct uext4_statfs before, after;
	struct uext4_file *f;
	struct dir_test t;
	char data[3000], back[3000];

	memset(data, 'u', sizeof(data));
	dt_make(&t, 8 << 20, "-b 1024");
	dt_up(&t);
	d = dt_mkdir(t.root, "d");
	assert_int_equal(uext4_sync(t.fs), 0);
	assert_int_equal(uext4_statfs(t.fs, &before), 0);
	assert_int_equal(dt_create(d, "f", S_IFREG | 0600, &i), 0);
	assert_int_equal(uext4_file_open(i, NULL, 2 /* O_RDWR */, &f), 0);
	uext4_inode_put(i);
	assert_int_equal(uext4_pwrite(f, data, sizeof(data), 0), sizeof(data));
	assert_int_equal(uext4_unlink(d, NULL, "f"), 0);
	assert_int_equal(uext4_sync(t.fs), 0);
	assert_int_equal(uext4_pwrite(f, data, 1000, 2000), 1000);
	assert_int_equal(uext4_pread(f, back, sizeof(back), 0), sizeof(back));
	assert_memory_equal(back, data, sizeof(back));
	uext4_file_close(f);
	assert_int_equal(uext4_sync(t.fs), 0);
	assert_int_equal(uext4_statfs(t.fs, &after), 0);
	assert_int_equal(after.inodes_free, before.inodes_free);
	assert_int_equal(after.blocks_free, before.blocks_free);
	uext4_inode_put(d);
	dt_end(&t);
}

static void test_MD_25_types(void **state)
{
	struct uext4_create req = {.mode = 0644};
	struct uext4_stat st;
	struct uext4_inode *i;
	struct dir_test t;

	dt_make(&t, 8 << 20, "-b 1024");
	dt_up(&t);
	assert_int_equal(uext4_create(t.root, NULL, "plain", &req, &i), 0); /* as mknod(2) */
	assert_int_equal(uext4_stat(i, &st), 0);
	assert_int_equal(st.mode, S_IFREG | 0644);
	uext4_inode_put(i);
	req.mode = 0170000 | 0644;
	assert_int_equal(uext4_create(t.root, NULL, "none", &req, NULL), -EINVAL);
	req.mode = S_IFLNK | 0644;
	assert_int_equal(uext4_create(t.root, NULL, "none", &req, NULL), -EINVAL);
	assert_int_equal(uext4_inode_get(t.fs, 1, &i), -EINVAL);
	assert_int_equal(uext4_inode_get(t.fs, 8, &i), -EINVAL);
	assert_int_equal(uext4_inode_get(t.fs, 1000, &i), -ESTALE);
	dt_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_DR_14_65001_subdirectories),
		cmocka_unit_test(test_DR_14_links_of_a_file),
		cmocka_unit_test(test_DR_14_full_parent),
		cmocka_unit_test(test_DR_17_tmpfile),
		cmocka_unit_test(test_DR_16_open_unlinked),
		cmocka_unit_test(test_MD_25_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
