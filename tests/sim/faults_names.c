/* Count to failure: the calls on names, inodes and attributes. */
#include "faults.h"

#include <dirent.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/util.h"

/* As uid 1000, to whom permissions apply. */
static const struct uext4_cred user = {.uid = 1000, .gid = 1000};

/* --- by path --- */

static s64 run_openat(struct stage *s, const struct call *c)
{
	return uext4_openat(s->fs, NULL, c->name, c->mode, 0644, NULL, &s->opened);
}

static s64 run_statat(struct stage *s, const struct call *c)
{
	struct uext4_stat st;

	return uext4_statat(s->fs, NULL, c->name, (unsigned)c->mode, NULL, &st);
}

static s64 run_resolve(struct stage *s, const struct call *c)
{
	return uext4_resolve(s->fs, NULL, c->name, (unsigned)c->mode, NULL, &s->made);
}

static s64 run_resolve_parent(struct stage *s, const struct call *c)
{
	char name[256];

	return uext4_resolve_parent(s->fs, NULL, c->name, NULL, &s->made, name);
}

static s64 run_mknodat(struct stage *s, const struct call *c)
{
	struct uext4_create req = {
		.mode = (u32)c->mode | 0640, .rdev_major = 300, .rdev_minor = 70000};

	return uext4_mknodat(s->fs, NULL, c->name, NULL, &req, &s->made);
}

static s64 run_mkdirat(struct stage *s, const struct call *c)
{
	return uext4_mkdirat(s->fs, NULL, c->name, 0750, NULL);
}

static s64 run_symlinkat(struct stage *s, const struct call *c)
{
	return uext4_symlinkat(s->fs, c->to, NULL, c->name, NULL);
}

static s64 run_linkat(struct stage *s, const struct call *c)
{
	return uext4_linkat(s->fs, NULL, c->name, NULL, c->to, NULL);
}

static s64 run_unlinkat(struct stage *s, const struct call *c)
{
	return uext4_unlinkat(s->fs, NULL, c->name, c->mode, NULL);
}

static s64 run_renameat(struct stage *s, const struct call *c)
{
	return uext4_renameat(s->fs, NULL, c->name, NULL, c->to, (unsigned)c->mode, NULL);
}

/* --- by inode --- */

static s64 run_root(struct stage *s, const struct call *c)
{
	return uext4_root(s->fs, &s->made);
}

static void know_number(struct stage *s, const struct call *c)
{
	struct uext4_stat st;

	if (uext4_statat(s->fs, NULL, c->name, UEXT4_NOFOLLOW, NULL, &st))
		sim_fail("no %s", c->name);
	s->number = st.ino;
}

static s64 run_inode_get(struct stage *s, const struct call *c)
{
	return uext4_inode_get(s->fs, s->number, &s->made);
}

static void hold_orphan(struct stage *s, const struct call *c)
{
	if (uext4_resolve(s->fs, NULL, c->name, UEXT4_NOFOLLOW, NULL, &s->made) ||
		uext4_unlinkat(s->fs, NULL, c->name, 0, NULL))
		sim_fail("no %s", c->name);
}

static s64 run_inode_put(struct stage *s, const struct call *c)
{
	uext4_inode_put(s->made);
	s->made = NULL;
	return 0;
}

static s64 run_stat(struct stage *s, const struct call *c)
{
	struct uext4_stat st;

	return uext4_stat(s->dir, &st);
}

static s64 run_setattr(struct stage *s, const struct call *c)
{
	struct uext4_setattr a = {.valid = (u32)c->mode,
		.mode = 0600,
		.uid = 70000,
		.gid = 70000,
		.size = c->len,
		.flags = FS_NOATIME_FL};

	return uext4_setattr(c->name ? s->acl : uext4_file_inode(s->file), NULL, &a);
}

static s64 run_access(struct stage *s, const struct call *c)
{
	return uext4_access(s->acl, &user, R_OK | X_OK);
}

static s64 run_lookup(struct stage *s, const struct call *c)
{
	return uext4_lookup(s->dir, NULL, c->name, &s->made);
}

static s64 run_parent(struct stage *s, const struct call *c)
{
	return uext4_parent(s->dir, &s->made);
}

static s64 run_create(struct stage *s, const struct call *c)
{
	struct uext4_create req = {.mode = (u32)c->mode | 0666, .umask = 022};

	return uext4_create(c->to ? s->acl : s->dir, &user, c->name, &req, &s->made);
}

static s64 run_tmpfile(struct stage *s, const struct call *c)
{
	struct uext4_create req = {.mode = S_IFREG | 0600};

	return uext4_tmpfile(s->dir, NULL, &req, &s->made);
}

static void have_tmpfile(struct stage *s, const struct call *c)
{
	if (run_tmpfile(s, c))
		sim_fail("no unnamed file");
}

static s64 run_link(struct stage *s, const struct call *c)
{
	return uext4_link(s->made ? s->made : uext4_file_inode(s->file), NULL, s->dir, c->name);
}

static s64 run_symlink(struct stage *s, const struct call *c)
{
	return uext4_symlink(s->dir, NULL, c->name, c->to, &s->made);
}

static s64 run_readlink(struct stage *s, const struct call *c)
{
	char to[300];
	s64 n = uext4_readlink(s->link, to, sizeof(to));

	if (n > 0 && (n != 200 || to[0] != 't' || to[199] != 't'))
		sim_fail("readlink gave something else");
	return n;
}

static s64 run_unlink(struct stage *s, const struct call *c)
{
	return uext4_unlink(s->dir, NULL, c->name);
}

static s64 run_rmdir(struct stage *s, const struct call *c)
{
	return uext4_rmdir(s->root, NULL, c->name);
}

static s64 run_rename(struct stage *s, const struct call *c)
{
	return uext4_rename(s->root, c->name, s->dir, c->to, NULL, (unsigned)c->mode);
}

static bool count_name(void *arg, const struct uext4_dirent *d)
{
	++*(s64 *)arg;
	return true;
}

static s64 run_readdir(struct stage *s, const struct call *c)
{
	s64 names = 0;
	int err = uext4_readdir(s->dir, NULL, 0, count_name, &names);

	return err ? err : names;
}

static s64 run_inode_sync(struct stage *s, const struct call *c)
{
	return uext4_inode_sync(s->dir, c->mode);
}

static void change_dir(struct stage *s, const struct call *c)
{
	if (uext4_mkdirat(s->fs, NULL, "/dir/before", 0755, NULL))
		sim_fail("no directory");
}

/* --- attributes --- */

static char value[4000];

static s64 run_getxattr(struct stage *s, const struct call *c)
{
	char got[sizeof(value)];

	return uext4_getxattr(
		c->to ? s->acl : uext4_file_inode(s->other), NULL, c->name, got, sizeof(got));
}

static s64 run_listxattr(struct stage *s, const struct call *c)
{
	char names[1000];

	return uext4_listxattr(uext4_file_inode(s->other), NULL, names, sizeof(names));
}

static const u8 acl_bytes[] = {2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 7, 0, 232, 3, 0, 0,
	4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 7, 0, 255, 255, 255, 255, 32, 0, 4, 0, 255, 255, 255,
	255};

static s64 run_setxattr(struct stage *s, const struct call *c)
{
	if (c->to)
		return uext4_setxattr(s->acl, NULL, c->name, acl_bytes, sizeof(acl_bytes), c->mode);
	return uext4_setxattr(uext4_file_inode(s->other), NULL, c->name, value, c->len, c->mode);
}

static s64 run_removexattr(struct stage *s, const struct call *c)
{
	return uext4_removexattr(c->to ? s->acl : uext4_file_inode(s->other), NULL, c->name);
}

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
#define LONG                                                                                       \
	"tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"

const struct call faults_names[] = {
	CALL("uext4_openat", "read", run_openat, CALL_READS, .name = "/dir/a", .mode = O_RDONLY),
	CALL("uext4_openat", "create", run_openat, CALL_WHOLE, .name = "/dir/new",
		.mode = O_RDWR | O_CREAT),
	CALL("uext4_openat", "exclusive", run_openat, CALL_READS, .name = "/dir/a",
		.mode = O_RDWR | O_CREAT | O_EXCL),
	CALL("uext4_openat", "truncate", run_openat, 0, .name = "/file", .mode = O_RDWR | O_TRUNC),
	CALL("uext4_openat", "direct", run_openat, CALL_READS, .name = "/other",
		.mode = O_RDWR | O_DIRECT),
	CALL("uext4_openat", "through links", run_openat, CALL_READS, .name = "/short",
		.mode = O_RDONLY),
	CALL("uext4_openat", "no directory", run_openat, CALL_READS, .name = "/dir/a",
		.mode = O_RDONLY | O_DIRECTORY),
	CALL("uext4_openat", "link", run_openat, CALL_READS, .name = "/short",
		.mode = O_RDONLY | O_NOFOLLOW),
	CALL("uext4_statat", "file", run_statat, CALL_READS, .name = "/dir/sub/deep"),
	CALL("uext4_resolve", "through links", run_resolve, CALL_READS, .name = "/short"),
	CALL("uext4_resolve_parent", "deep", run_resolve_parent, CALL_READS,
		.name = "/dir/sub/new"),
	CALL("uext4_mknodat", "device", run_mknodat, CALL_WHOLE, .name = "/dir/new",
		.mode = S_IFCHR),
	CALL("uext4_mknodat", "pipe", run_mknodat, CALL_WHOLE, .name = "/new", .mode = S_IFIFO),
	CALL("uext4_mkdirat", "", run_mkdirat, CALL_WHOLE, .name = "/dir/new"),
	CALL("uext4_symlinkat", "short", run_symlinkat, CALL_WHOLE, .name = "/dir/new",
		.to = "file"),
	CALL("uext4_symlinkat", "long", run_symlinkat, CALL_WHOLE, .name = "/dir/new", .to = LONG),
	CALL("uext4_linkat", "", run_linkat, CALL_WHOLE, .name = "/dir/a", .to = "/empty/new"),
	CALL("uext4_unlinkat", "file", run_unlinkat, CALL_WHOLE, .name = "/dir/a"),
	CALL("uext4_unlinkat", "directory", run_unlinkat, CALL_WHOLE, .name = "/empty",
		.mode = AT_REMOVEDIR),
	CALL("uext4_renameat", "file", run_renameat, CALL_WHOLE, .name = "/dir/a",
		.to = "/empty/new"),
	CALL("uext4_renameat", "over", run_renameat, CALL_WHOLE, .name = "/dir/a",
		.to = "/dir/sub/deep"),
	CALL("uext4_renameat", "directory over directory", run_renameat, CALL_WHOLE,
		.name = "/dir/sub", .to = "/empty"),
	CALL("uext4_renameat", "exchange", run_renameat, CALL_WHOLE, .name = "/dir/a",
		.to = "/empty", .mode = RENAME_EXCHANGE),
	CALL("uext4_renameat", "whiteout", run_renameat, CALL_WHOLE, .name = "/dir/a",
		.to = "/empty/new", .mode = RENAME_WHITEOUT),
	CALL("uext4_renameat", "no replace", run_renameat, CALL_WHOLE, .name = "/dir/a",
		.to = "/empty/new", .mode = RENAME_NOREPLACE),
	CALL("uext4_root", "", run_root, CALL_READS),
	CALL("uext4_inode_get", "", run_inode_get, CALL_READS, .prepare = know_number,
		.name = "/dir/sub/deep"),
	CALL("uext4_inode_put", "last of a deleted file", run_inode_put, CALL_WHOLE,
		.prepare = hold_orphan, .name = "/dir/a"),
	CALL("uext4_stat", "", run_stat, CALL_READS),
	CALL("uext4_setattr", "mode with an ACL", run_setattr, CALL_WHOLE, .name = "acl",
		.mode = UEXT4_SET_MODE),
	CALL("uext4_setattr", "owner", run_setattr, CALL_WHOLE,
		.mode = UEXT4_SET_UID | UEXT4_SET_GID),
	CALL("uext4_setattr", "times and flags", run_setattr, CALL_WHOLE,
		.mode = UEXT4_SET_ATIME_NOW | UEXT4_SET_MTIME | UEXT4_SET_FLAGS),
	CALL("uext4_setattr", "shrink", run_setattr, 0, .mode = UEXT4_SET_SIZE, .len = 2500),
	CALL("uext4_access", "by ACL", run_access, CALL_READS),
	CALL("uext4_lookup", "", run_lookup, CALL_READS, .name = "a"),
	CALL("uext4_parent", "", run_parent, CALL_READS),
	CALL("uext4_create", "file", run_create, CALL_WHOLE, .name = "new", .mode = S_IFREG),
	CALL("uext4_create", "with an ACL", run_create, CALL_WHOLE, .name = "new", .to = "acl",
		.mode = S_IFREG),
	CALL("uext4_create", "directory with an ACL", run_create, CALL_WHOLE, .name = "new",
		.to = "acl", .mode = S_IFDIR),
	CALL("uext4_tmpfile", "", run_tmpfile, CALL_WHOLE),
	CALL("uext4_link", "", run_link, CALL_WHOLE, .name = "new"),
	CALL("uext4_link", "unnamed file", run_link, CALL_WHOLE, .prepare = have_tmpfile,
		.name = "new"),
	CALL("uext4_symlink", "long", run_symlink, CALL_WHOLE, .name = "new", .to = LONG),
	CALL("uext4_readlink", "", run_readlink, CALL_READS),
	CALL("uext4_unlink", "", run_unlink, CALL_WHOLE, .name = "a"),
	CALL("uext4_rmdir", "", run_rmdir, CALL_WHOLE, .name = "empty"),
	CALL("uext4_rename", "open file", run_rename, CALL_WHOLE, .name = "other", .to = "new"),
	CALL("uext4_rename", "over", run_rename, CALL_WHOLE, .name = "other", .to = "a"),
	CALL("uext4_readdir", "", run_readdir, CALL_READS),
	CALL("uext4_inode_sync", "all", run_inode_sync, CALL_SYNCS, .prepare = change_dir),
	CALL("uext4_inode_sync", "data", run_inode_sync, CALL_SYNCS, .prepare = change_dir,
		.mode = 1),
	CALL("uext4_getxattr", "in the inode", run_getxattr, CALL_READS, .name = "user.small"),
	CALL("uext4_getxattr", "in a block", run_getxattr, CALL_READS, .name = "user.block"),
	CALL("uext4_getxattr", "in an inode", run_getxattr, CALL_READS, .name = "user.huge"),
	CALL("uext4_getxattr", "ACL", run_getxattr, CALL_READS, .name = ACCESS, .to = "acl"),
	CALL("uext4_listxattr", "", run_listxattr, CALL_READS),
	CALL("uext4_setxattr", "in the inode", run_setxattr, CALL_WHOLE, .name = "user.new",
		.len = 20),
	CALL("uext4_setxattr", "in a block", run_setxattr, CALL_WHOLE, .name = "user.new",
		.mode = XATTR_CREATE, .len = 300),
	CALL("uext4_setxattr", "in an inode", run_setxattr, CALL_WHOLE, .name = "user.block",
		.mode = XATTR_REPLACE, .len = 3000),
	CALL("uext4_setxattr", "out of an inode", run_setxattr, CALL_WHOLE, .name = "user.huge",
		.len = 30),
	CALL("uext4_setxattr", "ACL", run_setxattr, CALL_WHOLE, .name = ACCESS, .to = "acl"),
	CALL("uext4_setxattr", "default ACL", run_setxattr, CALL_WHOLE, .name = DEFAULT,
		.to = "acl"),
	CALL("uext4_removexattr", "in a block", run_removexattr, CALL_WHOLE, .name = "user.block"),
	CALL("uext4_removexattr", "ACL", run_removexattr, CALL_WHOLE, .name = DEFAULT, .to = "acl"),
	{0},
};
