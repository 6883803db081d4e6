/*
 * AL-19, DR-9, DR-15, DR-16, DR-18, JB-1: each name, inode and attribute operation with its Nth
 * allocation of memory, or read of metadata, failing, N counted up until none fails. It ends as if
 * it had never begun, or done, or with the journal stopped; after recovery it is one of the first
 * two, always.
 */
#include "dir/dir_test.h"

#include "base/crc.h"
#include "base/trace.h"
#include "os/atomic.h"
#include "os/thread.h"

#include <fcntl.h>
#include <unistd.h>

#define BYTES (4u << 20)
#define SEED 0xffffffffu
#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#define RENAME_WHITEOUT 4
#endif

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

static struct uext4_fs *up(u8 *image)
{
	struct uext4_device_ops ops = {.size = sizeof(ops),
		.read = mem_read,
		.write = mem_write,
		.flush = mem_flush,
		.device_bytes = BYTES,
		.block_size = 512};
	struct uext4_options o = {.size = sizeof(o),
		.cache_bytes = 1 << 20,
		.commit_interval_ms = 3600000,
		.log = quiet};
	struct uext4_fs *fs = NULL;

	assert_int_equal(uext4_open_device(&ops, image, &o, &fs), 0);
	return fs;
}

/* --- the faults --- */

static u32 victim; /* atomic; the thread that meets them, 0 = none */
static const char *kind;
static u32 countdown;
static bool hit;

static bool fail_nth(const char *name)
{
	if (atomic_load_acq(&victim) != os_thread_self() || strcmp(name, kind) != 0 ||
		countdown == 0 || --countdown)
		return false;
	hit = true;
	return true;
}

static void arm(const char *what, u32 n)
{
	kind = what;
	countdown = n;
	hit = false;
	atomic_store_rel(&victim, os_thread_self());
}

static void disarm(void)
{
	atomic_store_rel(&victim, 0);
}

/* --- what the tree looks like: names, types, links, sizes, contents, attributes --- */

struct walk {
	struct uext4_fs *fs;
	u32 sum; /* the order of names does not matter */
};

static u32 xattr_sum(struct uext4_inode *i, u32 crc)
{
	static char list[4096], value[65536];
	ssize_t len = uext4_listxattr(i, NULL, list, sizeof(list));
	u32 sum = 0;

	assert_true(len >= 0);
	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(list + at) + 1) {
		ssize_t n = uext4_getxattr(i, NULL, list + at, value, sizeof(value));

		assert_true(n >= 0);
		sum += crc32c(crc32c(SEED, list + at, strlen(list + at)), value, (size_t)n);
	}
	return crc32c(crc, &sum, sizeof(sum));
}

static u32 content_sum(struct uext4_inode *i, u32 mode, u32 crc)
{
	static char data[65536];
	struct uext4_file *f;
	ssize_t n;

	if (S_ISLNK(mode)) {
		n = uext4_readlink(i, data, sizeof(data));
	} else {
		assert_int_equal(uext4_file_open(i, NULL, O_RDONLY | O_NOATIME, &f), 0);
		n = uext4_pread(f, data, sizeof(data), 0);
		uext4_file_close(f);
	}
	assert_true(n >= 0);
	return crc32c(crc, data, (size_t)n);
}

static void add_inode(struct walk *w, const char *path)
{
	struct uext4_inode *i;
	struct uext4_stat s;
	u32 crc = crc32c(SEED, path, strlen(path));

	assert_int_equal(uext4_resolve(w->fs, NULL, path, UEXT4_NOFOLLOW, NULL, &i), 0);
	assert_int_equal(uext4_stat(i, &s), 0);
	crc = crc32c(crc, &s.mode, sizeof(s.mode));
	crc = crc32c(crc, &s.links, sizeof(s.links));
	crc = crc32c(crc, &s.size, sizeof(s.size));
	crc = xattr_sum(i, crc);
	if (S_ISREG(s.mode) || S_ISLNK(s.mode))
		crc = content_sum(i, s.mode, crc);
	w->sum += crc;
	uext4_inode_put(i);
}

static struct names {
	char name[900][256];
	u32 count;
} listing[4];

static bool collect(void *arg, const struct uext4_dirent *e)
{
	struct names *n = arg;

	assert_true(n->count < array_len(n->name));
	snprintf(n->name[n->count++], 256, "%.*s", (int)e->name_len, e->name);
	return true;
}

static void add_tree(struct walk *w, const char *path, u32 depth)
{
	struct names *n = &listing[depth];
	struct uext4_inode *dir;
	struct uext4_stat s;

	add_inode(w, path);
	assert_int_equal(uext4_statat(w->fs, NULL, path, UEXT4_NOFOLLOW, NULL, &s), 0);
	if (!S_ISDIR(s.mode))
		return;
	assert_int_equal(uext4_resolve(w->fs, NULL, path, 0, NULL, &dir), 0);
	n->count = 0;
	assert_int_equal(uext4_readdir(dir, NULL, 0, collect, n), 0);
	uext4_inode_put(dir);
	for (u32 k = 0; k < n->count; k++) {
		char below[700];

		if (!strcmp(n->name[k], ".") || !strcmp(n->name[k], ".."))
			continue;
		snprintf(below, sizeof(below), "%s/%s", depth ? path : "", n->name[k]);
		add_tree(w, below, depth + 1);
	}
}

static u32 tree_sum(struct uext4_fs *fs)
{
	struct walk w = {.fs = fs};

	add_tree(&w, "/", 0);
	return w.sum;
}

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

static int name_tmpfile(struct uext4_fs *fs)
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

static const struct op {
	const char *name;
	int (*run)(struct uext4_fs *fs);
} ops[] = {
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
	static u8 image[BYTES];
	struct uext4_fs *fs;
	u64 before;

	memcpy(image, made, BYTES);
	fs = up(image);
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

static void populate(u8 *image)
{
	struct uext4_fs *fs = up(image);

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
}

/* --- judging --- */

static void fsck(const u8 *image)
{
	struct fixture f;
	char path[64];
	FILE *out;

	snprintf(path, sizeof(path), "/tmp/uext4-faults-%d.img", (int)getpid());
	out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(fwrite(image, 1, BYTES, out), BYTES);
	assert_int_equal(fclose(out), 0);
	fixture_use(&f, path);
	fixture_fsck(&f);
	fixture_remove(&f);
}

struct outcome {
	u32 failed, aborted, done;
};

/* False: the operation has fewer than n of these points. */
static bool once(const struct op *op, const char *what, u32 n, const u8 *made, u32 before,
	u32 after, struct outcome *sum)
{
	static u8 image[BYTES];
	struct uext4_fs *fs;
	bool stopped;
	u32 tree;
	int err;

	memcpy(image, made, BYTES);
	fs = up(image);
	arm(what, n);
	err = op->run(fs);
	disarm();
	stopped = uext4_is_read_only(fs);
	tree = tree_sum(fs);
	if (!stopped && tree != (err ? before : after))
		fail_msg("%s, %s %u: %d, and the tree is neither", op->name, what, n, err);
	sum->failed += err && !stopped;
	sum->aborted += stopped;
	sum->done += !err && hit;
	err = uext4_close(fs);
	assert_int_equal(err, stopped ? -EIO : 0);
	fs = up(image);
	if (tree_sum(fs) != before && tree_sum(fs) != after)
		fail_msg("%s, %s %u: half an operation after recovery", op->name, what, n);
	assert_int_equal(uext4_close(fs), 0);
	fsck(image);
	return hit;
}

static u32 sum_after(const struct op *op, const u8 *made)
{
	static u8 image[BYTES];
	struct uext4_fs *fs;
	u32 sum;

	memcpy(image, made, BYTES);
	fs = up(image);
	assert_int_equal(op ? op->run(fs) : 0, 0);
	sum = tree_sum(fs);
	assert_int_equal(uext4_close(fs), 0);
	return sum;
}

static void every_point(const char *what, const char *options)
{
	static u8 made[BYTES];
	struct outcome all = {0};
	struct fixture f;
	u32 before;

	fixture_make(&f, BYTES, options);
	fixture_peek(&f, 0, made, BYTES);
	fixture_remove(&f);
	populate(made);
	find_splitting(made);
	before = sum_after(NULL, made);
	for (size_t k = 0; k < array_len(ops); k++) {
		u32 after = sum_after(&ops[k], made), n = 1;

		assert_int_not_equal(before, after);
		while (once(&ops[k], what, n, made, before, after, &all))
			n++;
	}
	print_message("# %s: %u failed, %u stopped the journal, %u went on\n", what, all.failed,
		all.aborted, all.done);
	assert_true(all.failed > 0);
}

/* One hash seed: the names fall into the same leaves each time. */
#define OPTIONS                                                                                    \
	"-b 1024 -I 256 -O ea_inode -U 00112233-4455-6677-8899-aabbccddeeff "                      \
	"-E hash_seed=00112233-4455-6677-8899-aabbccddeeff"

static void test_AL_19_memory(void **unused)
{
	every_point("os_alloc", OPTIONS);
}

static void test_AL_19_reads(void **unused)
{
	every_point("buf_read", OPTIONS);
}

static void test_AL_19_buffers(void **unused)
{
	every_point("buf_alloc", OPTIONS);
}

/* Two steps, each of which may end it: created, then named. */
static void test_DR_17_tmpfile(void **unused)
{
	static const struct op op = {"named tmpfile", name_tmpfile};
	static u8 made[BYTES];
	struct outcome all = {0};
	struct fixture f;
	u32 before, after, n = 1;

	fixture_make(&f, BYTES, OPTIONS);
	fixture_peek(&f, 0, made, BYTES);
	fixture_remove(&f);
	before = sum_after(NULL, made);
	after = sum_after(&op, made);
	while (once(&op, "os_alloc", n, made, before, after, &all))
		n++;
	assert_true(n > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_AL_19_memory),
		cmocka_unit_test(test_AL_19_reads),
		cmocka_unit_test(test_AL_19_buffers),
		cmocka_unit_test(test_DR_17_tmpfile),
	};

	fault_hook = fail_nth;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
