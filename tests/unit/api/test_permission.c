/* Permissions with credentials given by the caller, and what new files inherit (MD-24). */
#include "dir/dir_test.h"

#include <fcntl.h>

#include "base/util.h"

static struct dir_test t;

static const u32 team[] = {70, 71};
static const struct uext4_cred alice = {.uid = 10, .gid = 10},
			       bob = {.uid = 20, .gid = 20, .groups = team, .group_count = 2},
			       root = {.uid = 0, .gid = 0};

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

static void set_owner(const char *path, u32 uid, u32 gid, u32 mode)
{
	struct uext4_setattr a = {.valid = UEXT4_SET_UID | UEXT4_SET_GID, .uid = uid, .gid = gid};
	struct uext4_inode *i = dt_get(&t, path);

	assert_int_equal(uext4_setattr(i, NULL, &a), 0);
	a = (struct uext4_setattr){.valid = UEXT4_SET_MODE, .mode = mode};
	assert_int_equal(uext4_setattr(i, NULL, &a), 0);
	uext4_inode_put(i);
}

static void make(const char *path, u32 type, u32 uid, u32 gid, u32 mode)
{
	struct uext4_create req = {.mode = type | mode};

	assert_int_equal(uext4_mknodat(t.fs, NULL, path, NULL, &req, NULL), 0);
	set_owner(path, uid, gid, mode);
}

static int mknod_as(const struct uext4_cred *c, const char *path, u32 mode)
{
	struct uext4_create req = {.mode = mode};

	return uext4_mknodat(t.fs, NULL, path, c, &req, NULL);
}

static int stat_as(const struct uext4_cred *c, const char *path)
{
	struct uext4_stat st;

	return uext4_statat(t.fs, NULL, path, 0, c, &st);
}

static int open_as(const struct uext4_cred *c, const char *path, int flags)
{
	struct uext4_file *f;
	int err = uext4_openat(t.fs, NULL, path, flags, 0600, c, &f);

	if (!err)
		uext4_file_close(f);
	return err;
}

static struct uext4_stat stat_of(const char *path)
{
	struct uext4_stat st;

	assert_int_equal(uext4_statat(t.fs, NULL, path, 0, NULL, &st), 0);
	return st;
}

static void test_search(void **state)
{
	struct uext4_inode *i;

	make("home", S_IFDIR, 10, 70, 0710);
	make("home/f", S_IFREG, 10, 70, 0640);
	make("home/sub", S_IFDIR, 10, 70, 0755);
	assert_int_equal(stat_as(&alice, "home/f"), 0);
	assert_int_equal(stat_as(&bob, "home/f"), 0); /* by a supplementary group */
	i = dt_get(&t, "home");
	assert_int_equal(uext4_readdir(i, &bob, 0, NULL, NULL), -EACCES);
	uext4_inode_put(i);
	set_owner("home", 10, 70, 0700);
	assert_int_equal(stat_as(&bob, "home/f"), -EACCES);
	assert_int_equal(stat_as(&bob, "home/none"), -EACCES);
	assert_int_equal(stat_as(&bob, "home/."), -EACCES);
	assert_int_equal(stat_as(&bob, "home/.."), -EACCES);
	assert_int_equal(stat_as(&bob, "home"), 0);
	assert_int_equal(stat_as(&root, "home/f"), 0);
	set_owner("home", 10, 70, 0007); /* the owner's bits count, not the others' */
	assert_int_equal(stat_as(&alice, "home/f"), -EACCES);
	set_owner("home", 10, 70, 0710);
}

static void test_open(void **state)
{
	assert_int_equal(open_as(&bob, "home/f", O_RDONLY), 0);
	assert_int_equal(open_as(&bob, "home/f", O_RDWR), -EACCES);
	assert_int_equal(open_as(&bob, "home/f", O_RDONLY | O_TRUNC), -EACCES);
	assert_int_equal(open_as(&alice, "home/f", O_RDWR), 0);
	assert_int_equal(open_as(&bob, "home/new", O_RDWR | O_CREAT), -EACCES);
	assert_int_equal(open_as(&alice, "home/new", O_RDWR | O_CREAT), 0);
	assert_int_equal(stat_of("home/new").uid, 10);
	assert_int_equal(stat_of("home/new").gid, 10);
	set_owner("home/f", 20, 20, 0000);
	assert_int_equal(open_as(&root, "home/f", O_RDWR), 0);
	set_owner("home/f", 10, 70, 0640);
}

static void test_change_names(void **state)
{
	make("open", S_IFDIR, 0, 0, 0777);
	assert_int_equal(mknod_as(&bob, "home/sub/x", S_IFREG), -EACCES);
	assert_int_equal(mknod_as(&bob, "open/x", S_IFREG | 0644), 0);
	assert_int_equal(uext4_renameat(t.fs, NULL, "open/x", NULL, "home/x", 0, &bob), -EACCES);
	assert_int_equal(uext4_renameat(t.fs, NULL, "home/f", NULL, "open/f", 0, &bob), -EACCES);
	assert_int_equal(uext4_linkat(t.fs, NULL, "open/x", NULL, "home/x", &bob), -EACCES);
	assert_int_equal(uext4_unlinkat(t.fs, NULL, "home/f", 0, &bob), -EACCES);
	assert_int_equal(uext4_unlinkat(t.fs, NULL, "home/sub", AT_REMOVEDIR, &bob), -EACCES);
	/* moving a directory rewrites its "..", which asks for permission to write it */
	make("open/d", S_IFDIR, 10, 10, 0755);
	make("open/to", S_IFDIR, 0, 0, 0777);
	assert_int_equal(uext4_renameat(t.fs, NULL, "open/d", NULL, "open/e", 0, &bob), 0);
	assert_int_equal(uext4_renameat(t.fs, NULL, "open/e", NULL, "open/to/e", 0, &bob), -EACCES);
	assert_int_equal(uext4_renameat(t.fs, NULL, "open/e", NULL, "open/to/e", 0, &alice), 0);
}

static void test_sticky(void **state)
{
	make("tmp", S_IFDIR, 0, 0, 01777);
	assert_int_equal(mknod_as(&alice, "tmp/a", S_IFREG | 0666), 0);
	assert_int_equal(mknod_as(&bob, "tmp/b", S_IFREG | 0666), 0);
	assert_int_equal(uext4_unlinkat(t.fs, NULL, "tmp/a", 0, &bob), -EPERM);
	assert_int_equal(uext4_renameat(t.fs, NULL, "tmp/a", NULL, "tmp/c", 0, &bob), -EPERM);
	assert_int_equal(uext4_renameat(t.fs, NULL, "tmp/b", NULL, "tmp/a", 0, &bob), -EPERM);
	assert_int_equal(
		uext4_renameat(t.fs, NULL, "tmp/b", NULL, "tmp/a", RENAME_F_EXCHANGE, &bob),
		-EPERM);
	assert_int_equal(uext4_unlinkat(t.fs, NULL, "tmp/a", 0, &alice), 0);
	assert_int_equal(uext4_unlinkat(t.fs, NULL, "tmp/b", 0, &root), 0);
}

static void test_MD_24_setgid_directory(void **state)
{
	make("grp", S_IFDIR, 10, 70, 02777);
	assert_int_equal(mknod_as(&alice, "grp/d", S_IFDIR | 0755), 0);
	assert_int_equal(stat_of("grp/d").gid, 70);
	assert_int_equal(stat_of("grp/d").mode, S_IFDIR | 02755);
	assert_int_equal(mknod_as(&alice, "grp/f", S_IFREG | 02755), 0); /* not a member of 70 */
	assert_int_equal(stat_of("grp/f").gid, 70);
	assert_int_equal(stat_of("grp/f").mode, S_IFREG | 0755);
	assert_int_equal(mknod_as(&bob, "grp/g", S_IFREG | 02755), 0);
	assert_int_equal(stat_of("grp/g").mode, S_IFREG | 02755);
	assert_int_equal(mknod_as(&alice, "grp/h", S_IFREG | 02644), 0);
	assert_int_equal(stat_of("grp/h").mode, S_IFREG | 02644);
}

/* Version 2 of the attribute: user::rwx, user:20:r-x, group::---, mask::r-x, other::--- */
static const u8 acl[] = {2, 0, 0, 0, 1, 0, 7, 0, 0xff, 0xff, 0xff, 0xff, 2, 0, 5, 0, 20, 0, 0, 0, 4,
	0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x10, 0, 5, 0, 0xff, 0xff, 0xff, 0xff, 0x20, 0, 0, 0, 0xff,
	0xff, 0xff, 0xff};

static void test_acl(void **state)
{
	const struct uext4_cred carol = {.uid = 30, .gid = 30};
	struct uext4_inode *i;

	make("acl", S_IFDIR, 10, 10, 0700);
	i = dt_get(&t, "acl");
	assert_int_equal(
		uext4_setxattr(i, NULL, "system.posix_acl_access", acl, sizeof(acl), 0), 0);
	assert_int_equal(stat_as(&bob, "acl/none"), -ENOENT);
	assert_int_equal(stat_as(&carol, "acl/none"), -EACCES);
	assert_int_equal(mknod_as(&bob, "acl/x", S_IFREG), -EACCES);
	assert_int_equal(mknod_as(&alice, "acl/x", S_IFREG), 0);
	uext4_inode_put(i);
}

/* The umask counts only where there is no default ACL. */
static void test_umask(void **state)
{
	struct uext4_create req = {.mode = S_IFREG | 0666, .umask = 077};
	struct uext4_inode *i;

	make("um", S_IFDIR, 10, 10, 0777);
	i = dt_get(&t, "um");
	assert_int_equal(uext4_create(i, &alice, "plain", &req, NULL), 0);
	assert_int_equal(stat_of("um/plain").mode, S_IFREG | 0600);
	assert_int_equal(
		uext4_setxattr(i, NULL, "system.posix_acl_default", acl, sizeof(acl), 0), 0);
	assert_int_equal(uext4_create(i, &alice, "acl", &req, NULL), 0);
	/* user rw-, mask r-- in the place of the group's bits, other --- */
	assert_int_equal(stat_of("um/acl").mode, S_IFREG | 0640);
	assert_int_equal(open_as(&bob, "um/acl", O_RDONLY), 0);
	uext4_inode_put(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_change_names),
		cmocka_unit_test(test_sticky),
		cmocka_unit_test(test_MD_24_setgid_directory),
		cmocka_unit_test(test_acl),
		cmocka_unit_test(test_umask),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
