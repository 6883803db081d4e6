#include "faults.h"

/* --- a device in memory --- */

static int mem_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	memcpy(buf, (u8 *)arg + offset, len);
	return 0;
}

static int mem_write(void *arg, uint64_t offset, const void *buf, size_t len)
{
	memcpy((u8 *)arg + offset, buf, len);
	return 0;
}

static int mem_flush(void *arg)
{
	return 0;
}

static void quiet(void *arg, enum uext4_log_level level, const char *message)
{
}

struct uext4_fs *faults_up(u8 *image)
{
	struct uext4_device_ops ops = {.size = sizeof(ops),
		.read = mem_read,
		.write = mem_write,
		.flush = mem_flush,
		.device_bytes = FAULTS_BYTES,
		.block_size = 512};
	struct uext4_options o = {.size = sizeof(o),
		.cache_bytes = 1 << 20,
		.commit_interval_ms = 3600000,
		.log = quiet};
	struct uext4_fs *fs = NULL;

	assert_int_equal(uext4_open_device(&ops, image, &o, &fs), 0);
	return fs;
}

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#define RENAME_WHITEOUT 4
#endif

/* --- the operations --- */

static char big[20000];

static int make(struct uext4_fs *fs, const char *path, u32 mode)
{
	struct uext4_create req = {.mode = mode, .rdev_major = 300, .rdev_minor = 70000};
	struct uext4_inode *i = NULL;
	int err = uext4_mknodat(fs, NULL, path, NULL, &req, &i);

	if (!err)
		uext4_inode_put(i);
	return err;
}

static int set_attr(struct uext4_fs *fs, const char *path, const char *name, size_t size)
{
	struct uext4_inode *i;
	int err = uext4_resolve(fs, NULL, path, UEXT4_NOFOLLOW, NULL, &i);

	if (err)
		return err;
	err = size ? uext4_setxattr(i, NULL, name, big, size, 0) : uext4_removexattr(i, NULL, name);
	uext4_inode_put(i);
	return err;
}

static int create_plain(struct uext4_fs *fs)
{
	return make(fs, "/lin/new", S_IFREG | 0644);
}

static int create_makes_index(struct uext4_fs *fs)
{
	return make(fs, "/full/one-more-of-a-longer-name", S_IFREG | 0644);
}

static char splitting[300]; /* a name that its leaf has no room for */

static int create_splits_leaf(struct uext4_fs *fs)
{
	return make(fs, splitting, S_IFREG | 0644);
}

static int create_inherits_acl(struct uext4_fs *fs)
{
	return make(fs, "/acl/new", S_IFREG | 0644);
}

static int create_device(struct uext4_fs *fs)
{
	return make(fs, "/lin/new", S_IFCHR | 0600);
}

static int make_directory(struct uext4_fs *fs)
{
	return uext4_mkdirat(fs, NULL, "/lin/new", 0755, NULL);
}

static int make_symlink(struct uext4_fs *fs)
{
	return uext4_symlinkat(fs, "target", NULL, "/lin/new", NULL);
}

static int make_slow_symlink(struct uext4_fs *fs)
{
	char target[300];

	memset(target, 't', sizeof(target));
	target[299] = 0;
	return uext4_symlinkat(fs, target, NULL, "/lin/new", NULL);
}

static int add_link(struct uext4_fs *fs)
{
	return uext4_linkat(fs, NULL, "/file", NULL, "/full/one-more-of-a-longer-name", NULL);
}

static int remove_file(struct uext4_fs *fs)
{
	return uext4_unlinkat(fs, NULL, "/file", 0, NULL);
}

static int remove_link(struct uext4_fs *fs)
{
	return uext4_unlinkat(fs, NULL, "/lin/link", 0, NULL);
}

static int remove_directory(struct uext4_fs *fs)
{
	return uext4_unlinkat(fs, NULL, "/lin/empty", AT_REMOVEDIR, NULL);
}

static int rename_file(struct uext4_fs *fs)
{
	return uext4_renameat(fs, NULL, "/file", NULL, "/full/one-more-of-a-longer-name", 0, NULL);
}

static int rename_over_file(struct uext4_fs *fs)
{
	return uext4_renameat(fs, NULL, "/lin/a", NULL, "/file", 0, NULL);
}

static int rename_directory(struct uext4_fs *fs)
{
	return uext4_renameat(
		fs, NULL, "/lin/sub", NULL, "/full/one-more-of-a-longer-name", 0, NULL);
}

static int rename_over_directory(struct uext4_fs *fs)
{
	return uext4_renameat(fs, NULL, "/index", NULL, "/lin/empty", 0, NULL);
}

static int rename_exchange(struct uext4_fs *fs)
{
	return uext4_renameat(fs, NULL, "/lin/sub", NULL, "/file", RENAME_EXCHANGE, NULL);
}

static int rename_whiteout(struct uext4_fs *fs)
{
	return uext4_renameat(
		fs, NULL, "/file", NULL, "/full/one-more-of-a-longer-name", RENAME_WHITEOUT, NULL);
}

int name_tmpfile(struct uext4_fs *fs)
{
	struct uext4_create req = {.mode = S_IFREG | 0600};
	struct uext4_inode *root, *i;
	int err = uext4_root(fs, &root);

	if (err)
		return err;
	err = uext4_tmpfile(root, NULL, &req, &i);
	if (!err) {
		err = uext4_link(i, NULL, root, "named");
		uext4_inode_put(i);
	}
	uext4_inode_put(root);
	return err;
}

static int change_mode(struct uext4_fs *fs)
{
	struct uext4_setattr a = {.valid = UEXT4_SET_MODE, .mode = 0600};
	struct uext4_inode *i;
	int err = uext4_resolve(fs, NULL, "/acl", 0, NULL, &i);

	if (err)
		return err;
	err = uext4_setattr(i, NULL, &a);
	uext4_inode_put(i);
	return err;
}

static int attr_first(struct uext4_fs *fs)
{
	return set_attr(fs, "/lin/a", "user.new", 20);
}

static int attr_new_block(struct uext4_fs *fs)
{
	return set_attr(fs, "/lin/a", "user.new", 500);
}

static int attr_replace(struct uext4_fs *fs)
{
	return set_attr(fs, "/file", "user.block", 600);
}

static int attr_unshare(struct uext4_fs *fs)
{
	return set_attr(fs, "/lin/twin", "user.block", 600);
}

static int attr_to_inode(struct uext4_fs *fs)
{
	return set_attr(fs, "/file", "user.block", 19000);
}

static int attr_from_inode(struct uext4_fs *fs)
{
	return set_attr(fs, "/lin/ea", "user.huge", 30);
}

static int attr_remove(struct uext4_fs *fs)
{
	return set_attr(fs, "/file", "user.block", 0);
}

const struct fault_op fault_ops[] = {
	{"create", create_plain},
	{"create, index", create_makes_index},
	{"create, leaf split", create_splits_leaf},
	{"create, default ACL", create_inherits_acl},
	{"mknod", create_device},
	{"mkdir", make_directory},
	{"symlink", make_symlink},
	{"slow symlink", make_slow_symlink},
	{"link", add_link},
	{"unlink", remove_file},
	{"unlink, other name", remove_link},
	{"rmdir", remove_directory},
	{"rename", rename_file},
	{"rename over a file", rename_over_file},
	{"rename a directory", rename_directory},
	{"rename over a directory", rename_over_directory},
	{"exchange", rename_exchange},
	{"whiteout", rename_whiteout},
	{"chmod", change_mode},
	{"first attribute", attr_first},
	{"attribute block", attr_new_block},
	{"attribute replaced", attr_replace},
	{"attribute block unshared", attr_unshare},
	{"attribute to its inode", attr_to_inode},
	{"attribute from its inode", attr_from_inode},
	{"attribute removed", attr_remove},
};

const unsigned fault_op_count = array_len(fault_ops);

/* --- the image that they work on --- */

static u64 size_of(struct uext4_fs *fs, const char *path)
{
	struct uext4_stat s;

	assert_int_equal(uext4_statat(fs, NULL, path, 0, NULL, &s), 0);
	return s.size;
}

static void put_name(struct uext4_fs *fs, const char *dir, u32 k)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/name-%04u-xxxxxxxxxxxxxxxx", dir, k);
	assert_int_equal(uext4_linkat(fs, NULL, "/lin/a", NULL, path, NULL), 0);
}

/* One of the names splits a leaf; each is tried on a copy. */
static void find_splitting(const u8 *made)
{
	static u8 image[FAULTS_BYTES];
	struct uext4_fs *fs;
	u64 before;

	memcpy(image, made, FAULTS_BYTES);
	fs = faults_up(image);
	before = size_of(fs, "/index");
	for (u32 k = 0; size_of(fs, "/index") == before; k++) {
		assert_true(k < 1000);
		snprintf(splitting, sizeof(splitting), "/index/%04u-%.*s", k, 200, big);
		assert_int_equal(create_splits_leaf(fs), 0);
		if (size_of(fs, "/index") == before)
			assert_int_equal(uext4_unlinkat(fs, NULL, splitting, 0, NULL), 0);
	}
	assert_int_equal(uext4_close(fs), 0);
}

static void put_file(struct uext4_fs *fs, const char *path)
{
	struct uext4_file *f;

	assert_int_equal(uext4_openat(fs, NULL, path, O_RDWR | O_CREAT, 0644, NULL, &f), 0);
	assert_int_equal(uext4_pwrite(f, big, 5000, 0), 5000);
	uext4_file_close(f);
}

static const u8 acl_bytes[] = {2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 7, 0, 232, 3, 0, 0,
	4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 7, 0, 255, 255, 255, 255, 32, 0, 4, 0, 255, 255, 255,
	255};

static void put_acl(struct uext4_fs *fs, const char *path, const char *which)
{
	struct uext4_inode *i;

	assert_int_equal(uext4_resolve(fs, NULL, path, 0, NULL, &i), 0);
	assert_int_equal(uext4_setxattr(i, NULL, which, acl_bytes, sizeof(acl_bytes), 0), 0);
	uext4_inode_put(i);
}

void faults_populate(u8 *image)
{
	struct uext4_fs *fs = faults_up(image);

	memset(big, 'b', sizeof(big));
	assert_int_equal(uext4_mkdirat(fs, NULL, "/lin", 0755, NULL), 0);
	assert_int_equal(uext4_mkdirat(fs, NULL, "/lin/sub", 0755, NULL), 0);
	assert_int_equal(uext4_mkdirat(fs, NULL, "/lin/empty", 0755, NULL), 0);
	assert_int_equal(uext4_mkdirat(fs, NULL, "/full", 0755, NULL), 0);
	assert_int_equal(uext4_mkdirat(fs, NULL, "/index", 0755, NULL), 0);
	assert_int_equal(uext4_mkdirat(fs, NULL, "/acl", 0755, NULL), 0);
	put_file(fs, "/file");
	put_file(fs, "/lin/a");
	put_file(fs, "/lin/twin");
	put_file(fs, "/lin/ea");
	put_file(fs, "/lin/sub/deep");
	assert_int_equal(uext4_linkat(fs, NULL, "/lin/a", NULL, "/lin/link", NULL), 0);
	assert_int_equal(set_attr(fs, "/file", "user.block", 500), 0);
	assert_int_equal(set_attr(fs, "/lin/twin", "user.block", 500), 0);
	assert_int_equal(set_attr(fs, "/lin/ea", "user.huge", 19000), 0);
	put_acl(fs, "/acl", "system.posix_acl_default");
	put_acl(fs, "/acl", "system.posix_acl_access");
	for (u32 k = 0; size_of(fs, "/full") == 1024 && k < 27; k++)
		put_name(fs, "/full", k);
	assert_int_equal(size_of(fs, "/full"), 1024);
	for (u32 k = 100; k < 220; k++)
		put_name(fs, "/index", k);
	assert_int_equal(uext4_close(fs), 0);
	find_splitting(image);
}
