/* Walking paths as POSIX and Linux do: symlinks, dots, slashes, lengths. */
#include "dir/dir_test.h"

#include <fcntl.h>
#include <limits.h>

static struct dir_test t;

static int group_setup(void **state)
{
	dt_make(&t, 8 << 20, "-b 1024");
	dt_up(&t);
	return 0;
}

static int group_teardown(void **state)
{
	dt_end(&t);
	return 0;
}

static int resolve(const char *path, unsigned flags, u64 *ino)
{
	struct uext4_inode *i;
	int err = uext4_resolve(t.fs, NULL, path, flags, NULL, &i);

	if (err)
		return err;
	if (ino)
		*ino = uext4_inode_number(i);
	uext4_inode_put(i);
	return 0;
}

static u64 number(const char *path)
{
	u64 ino = 0;

	assert_int_equal(resolve(path, 0, &ino), 0);
	return ino;
}

static int mknod_at(const char *path, u32 mode)
{
	struct uext4_create req = {.mode = mode};

	return uext4_mknodat(t.fs, NULL, path, NULL, &req, NULL);
}

static int link_to(const char *target, const char *path)
{
	return uext4_symlinkat(t.fs, target, NULL, path, NULL);
}

static int unlink_at(const char *path, int flags)
{
	return uext4_unlinkat(t.fs, NULL, path, flags, NULL);
}

static int rename_at(const char *from, const char *to, unsigned flags)
{
	return uext4_renameat(t.fs, NULL, from, NULL, to, flags, NULL);
}

static void test_dots_and_slashes(void **state)
{
	assert_int_equal(uext4_mkdirat(t.fs, NULL, "a", 0755, NULL), 0);
	assert_int_equal(uext4_mkdirat(t.fs, NULL, "/a/b/", 0755, NULL), 0);
	assert_int_equal(mknod_at("a/f", S_IFREG | 0644), 0);
	assert_int_equal(number("/"), UEXT4_ROOT_INO);
	assert_int_equal(number("//"), UEXT4_ROOT_INO);
	assert_int_equal(number("/.."), UEXT4_ROOT_INO);
	assert_int_equal(number("/../../a/.."), UEXT4_ROOT_INO);
	assert_int_equal(number("a/b/../b/./"), number("a//b"));
	assert_int_equal(number("./a/f"), number("a/f"));
	assert_int_equal(resolve("", 0, NULL), -ENOENT);
	assert_int_equal(resolve("a/f/", 0, NULL), -ENOTDIR);
	assert_int_equal(resolve("a/f/..", 0, NULL), -ENOTDIR);
	assert_int_equal(resolve("a/f/.", 0, NULL), -ENOTDIR);
	assert_int_equal(resolve("a/none/..", 0, NULL), -ENOENT);
	assert_int_equal(resolve("none", 0, NULL), -ENOENT);
}

static void test_relative(void **state)
{
	struct uext4_inode *at, *i;

	assert_int_equal(uext4_resolve(t.fs, NULL, "a/b", 0, NULL, &at), 0);
	assert_int_equal(uext4_resolve(t.fs, at, "../f", 0, NULL, &i), 0);
	assert_int_equal(uext4_inode_number(i), number("a/f"));
	uext4_inode_put(i);
	assert_int_equal(uext4_resolve(t.fs, at, "/a", 0, NULL, &i), 0);
	assert_int_equal(uext4_inode_number(i), number("a"));
	uext4_inode_put(i);
	uext4_inode_put(at);
	assert_int_equal(uext4_resolve(t.fs, NULL, "a/f", 0, NULL, &at), 0);
	assert_int_equal(uext4_resolve(t.fs, at, "x", 0, NULL, &i), -ENOTDIR);
	uext4_inode_put(at);
}

static void test_symlinks(void **state)
{
	char name[16], target[16];

	assert_int_equal(link_to("b", "a/rel"), 0);
	assert_int_equal(link_to("/a/b", "a/abs"), 0);
	assert_int_equal(link_to("../a/./f", "a/up"), 0);
	assert_int_equal(link_to("nowhere", "dangling"), 0);
	assert_int_equal(link_to("loop2", "loop1"), 0);
	assert_int_equal(link_to("loop1", "loop2"), 0);
	assert_int_equal(link_to("", "empty"), -ENOENT);
	assert_int_equal(number("a/rel"), number("a/b"));
	assert_int_equal(number("a/abs"), number("a/b"));
	assert_int_equal(number("a/rel/../f"), number("a/f"));
	assert_int_equal(number("a/up"), number("a/f"));
	assert_int_equal(resolve("a/up/", 0, NULL), -ENOTDIR);
	assert_int_equal(resolve("dangling", 0, NULL), -ENOENT);
	assert_int_equal(resolve("dangling", UEXT4_NOFOLLOW, NULL), 0);
	assert_int_equal(resolve("dangling/", UEXT4_NOFOLLOW, NULL), -ENOENT);
	assert_int_equal(resolve("loop1", 0, NULL), -ELOOP);
	assert_int_equal(resolve("loop1/x", UEXT4_NOFOLLOW, NULL), -ELOOP);
	for (u32 k = 0; k < 41; k++) { /* c0 -> a, c1 -> c0, ...: 40 is the most that is followed */
		snprintf(name, sizeof(name), "c%u", k);
		snprintf(target, sizeof(target), "c%u", k - 1);
		assert_int_equal(link_to(k ? target : "a", name), 0);
	}
	assert_int_equal(number("c39"), number("a"));
	assert_int_equal(resolve("c40", 0, NULL), -ELOOP);
}

static void test_long_paths(void **state)
{
	static char path[PATH_MAX + 2], target[1025];
	u32 n = 0;

	memset(path, 'x', 256);
	path[256] = 0;
	assert_int_equal(resolve(path, 0, NULL), -ENAMETOOLONG);
	path[255] = 0;
	assert_int_equal(mknod_at(path, S_IFREG), 0);
	assert_int_equal(resolve(path, 0, NULL), 0);
	while (n + 2 < PATH_MAX) {
		path[n++] = '.';
		path[n++] = '/';
	}
	path[n - 1] = 0;
	assert_int_equal(number(path), UEXT4_ROOT_INO);
	memset(path, '/', PATH_MAX);
	path[PATH_MAX] = 0;
	assert_int_equal(resolve(path, 0, NULL), -ENAMETOOLONG);
	memset(target, 'y', 1024);
	assert_int_equal(link_to(target, "long"), -ENAMETOOLONG); /* a block, MD-19 */
	target[1023] = 0;
	assert_int_equal(link_to(target, "long"), 0);
	assert_int_equal(resolve("long", 0, NULL), -ENAMETOOLONG); /* one component of 1023 */
}

/* Operations whose last component is special. */
static void test_last_component(void **state)
{
	char name[256];
	struct uext4_inode *dir;

	assert_int_equal(uext4_mkdirat(t.fs, NULL, "/", 0755, NULL), -EEXIST);
	assert_int_equal(uext4_mkdirat(t.fs, NULL, "a/.", 0755, NULL), -EEXIST);
	assert_int_equal(uext4_mkdirat(t.fs, NULL, "a/..", 0755, NULL), -EEXIST);
	assert_int_equal(unlink_at("a/.", 0), -EISDIR);
	assert_int_equal(unlink_at("/", 0), -EISDIR);
	assert_int_equal(unlink_at("/", AT_REMOVEDIR), -EBUSY);
	assert_int_equal(unlink_at("a/.", AT_REMOVEDIR), -EINVAL);
	assert_int_equal(unlink_at("a/b/..", AT_REMOVEDIR), -ENOTEMPTY);
	assert_int_equal(rename_at("a/.", "z", 0), -EBUSY);
	assert_int_equal(rename_at("a", "a/b/..", 0), -EBUSY);
	assert_int_equal(rename_at("/", "z", 0), -EBUSY);
	assert_int_equal(rename_at("a", "/", 0), -EBUSY);
	assert_int_equal(uext4_resolve_parent(t.fs, NULL, "a/..", NULL, &dir, name), -EINVAL);
	assert_int_equal(uext4_resolve_parent(t.fs, NULL, "/", NULL, &dir, name), -EEXIST);
	assert_int_equal(uext4_resolve_parent(t.fs, NULL, "a/new/", NULL, &dir, name), 0);
	assert_string_equal(name, "new");
	uext4_inode_put(dir);
}

static void test_trailing_slash(void **state)
{
	assert_int_equal(mknod_at("new/", S_IFREG), -ENOENT);
	assert_int_equal(mknod_at("a/f/", S_IFREG), -EEXIST);
	assert_int_equal(link_to("x", "new/"), -ENOENT);
	assert_int_equal(uext4_linkat(t.fs, NULL, "a/f", NULL, "new/", NULL), -ENOENT);
	assert_int_equal(uext4_linkat(t.fs, NULL, "a/f/", NULL, "new", NULL), -ENOTDIR);
	assert_int_equal(unlink_at("a/f/", 0), -ENOTDIR);
	assert_int_equal(unlink_at("a/b/", 0), -EISDIR);
	assert_int_equal(unlink_at("new/", 0), -ENOENT);
	assert_int_equal(rename_at("a/f/", "new", 0), -ENOTDIR);
	assert_int_equal(rename_at("a/f", "new/", 0), -ENOTDIR);
	assert_int_equal(resolve("new", 0, NULL), -ENOENT);
	assert_int_equal(rename_at("a/b/", "moved/", 0), 0);
	assert_int_equal(rename_at("moved", "a/b", 0), 0);
	assert_int_equal(uext4_mkdirat(t.fs, NULL, "gone/", 0755, NULL), 0);
	assert_int_equal(unlink_at("gone/", AT_REMOVEDIR), 0);
}

static int open_at(const char *path, int flags)
{
	struct uext4_file *f;
	int err = uext4_openat(t.fs, NULL, path, flags, 0644, NULL, &f);

	if (!err)
		uext4_file_close(f);
	return err;
}

static void test_open(void **state)
{
	assert_int_equal(open_at("o1", O_RDWR), -ENOENT);
	assert_int_equal(open_at("o1", O_RDWR | O_CREAT), 0);
	assert_int_equal(open_at("o1", O_RDWR | O_CREAT), 0);
	assert_int_equal(open_at("o1", O_RDWR | O_CREAT | O_EXCL), -EEXIST);
	assert_int_equal(open_at("o2/", O_RDWR | O_CREAT), -EISDIR);
	assert_int_equal(open_at("no/o2", O_RDWR | O_CREAT), -ENOENT);
	assert_int_equal(open_at("a", O_RDONLY | O_CREAT), -EISDIR);
	assert_int_equal(open_at("a/f", O_RDONLY | O_DIRECTORY), -ENOTDIR);
	assert_int_equal(open_at("loop1", O_RDWR | O_CREAT), -ELOOP);
	/* a new file goes to where a dangling symlink points, unless that is forbidden */
	assert_int_equal(link_to("a/made", "to_new"), 0);
	assert_int_equal(open_at("to_new", O_RDWR), -ENOENT);
	assert_int_equal(open_at("to_new", O_RDWR | O_CREAT | O_EXCL), -EEXIST);
	assert_int_equal(open_at("to_new", O_RDWR | O_CREAT | O_NOFOLLOW), -ELOOP);
	assert_int_equal(open_at("to_new", O_RDWR | O_CREAT), 0);
	assert_int_equal(resolve("a/made", UEXT4_NOFOLLOW, NULL), 0);
	assert_int_equal(open_at("to_new", O_RDWR | O_NOFOLLOW), -ELOOP);
	assert_int_equal(open_at("to_new", O_RDWR | O_CREAT), 0);
}

/* "." and ".." are names of every directory, also of an indexed one. */
static void test_lookup_of_dots(void **state)
{
	struct uext4_inode *d, *i;
	char name[256];

	assert_int_equal(uext4_mkdirat(t.fs, NULL, "big", 0755, NULL), 0);
	d = dt_get(&t, "big");
	for (u32 k = 0; k < 120; k++) {
		dt_name(k, 60, name);
		assert_int_equal(dt_create(d, name, S_IFIFO, NULL), 0);
	}
	assert_int_equal(uext4_lookup(d, NULL, ".", &i), 0);
	assert_ptr_equal(i, d);
	uext4_inode_put(i);
	assert_int_equal(uext4_lookup(d, NULL, "..", &i), 0);
	assert_ptr_equal(i, t.root);
	uext4_inode_put(i);
	uext4_inode_put(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dots_and_slashes),
		cmocka_unit_test(test_relative),
		cmocka_unit_test(test_symlinks),
		cmocka_unit_test(test_long_paths),
		cmocka_unit_test(test_last_component),
		cmocka_unit_test(test_trailing_slash),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_lookup_of_dots),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
