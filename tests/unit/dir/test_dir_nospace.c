/*
 * Every step of a name operation meets a full file system (DR-9, DR-15): all
 * blocks but a few are taken, then names are made until none fits.
 */
#include "dir/dir_test.h"

#include <fcntl.h>

#include "base/util.h"

#define BS 1024

static const char *const options[] = {"-b 1024 -N 600 -m 0 -J size=1",
	"-b 1024 -N 600 -m 0 -O ^has_journal", "-b 1024 -N 600 -m 0 -O ^extent,^64bit -J size=1"};

/* Grows until nothing more fits; returns its size. */
static u64 hog(struct uext4_file *f)
{
	static char data[BS];
	u64 size = 0;

	memset(data, 'h', sizeof(data));
	while (uext4_pwrite(f, data, BS, size) == BS)
		size += BS;
	assert_int_equal(uext4_fsync(f), 0);
	return size;
}

static int one_name(struct uext4_inode *d, struct uext4_inode *file, struct rng *r, u32 n)
{
	char name[256], target[500];
	u32 kind = (u32)rng_below(r, 6);

	dt_name(n, 255, name);
	memset(target, 't', 300);
	target[300] = 0;
	switch (kind) {
	case 0:
		return dt_create(d, name, S_IFDIR | 0755, NULL);
	case 1:
		return uext4_symlink(d, NULL, name, target, NULL);
	case 2:
		return uext4_rename(d, "moving", d, name, NULL, RENAME_F_WHITEOUT);
	case 3:
		return dt_create(d, name, S_IFREG | 0644, NULL);
	default:
		return uext4_link(file, NULL, d, name);
	}
}

/* WHITEOUT renames need their source back. */
static void source_again(struct uext4_inode *d)
{
	int err = dt_create(d, "moving", S_IFREG, NULL);

	assert_true(err == 0 || err == -EEXIST || err == -ENOSPC);
}

static u32 names_until_full(struct uext4_inode *d, struct uext4_inode *file, struct rng *r, u32 n)
{
	for (u32 failures = 0; failures < 12; n++) {
		int err = one_name(d, file, r, n);

		source_again(d);
		if (err == -ENOENT)
			continue; /* no source for the rename */
		assert_true(err == 0 || err == -ENOSPC);
		failures += err == -ENOSPC;
	}
	return n;
}

static void full(void **state)
{
	struct uext4_inode *d, *file;
	struct uext4_file *f;
	struct dir_test t;
	struct rng r;
	u32 n = 0;
	u64 size;

	dt_make(&t, 4 << 20, *state);
	dt_up(&t);
	rng_init(&r, 3);
	uext4_inode_put(dt_mkdir(t.root, "d"));
	assert_int_equal(dt_create(t.root, "hog", S_IFREG | 0600, &file), 0);
	assert_int_equal(uext4_file_open(file, NULL, O_RDWR, &f), 0);
	size = hog(f);
	for (u32 blocks = 0; blocks < 14; blocks++) {
		size -= min_of(blocks / 3 * BS, size);
		assert_int_equal(uext4_ftruncate(f, size), 0);
		assert_int_equal(uext4_sync(t.fs), 0);
		d = dt_get(&t, "d");
		n = names_until_full(d, file, &r, n);
		uext4_inode_put(d);
		uext4_file_close(f);
		uext4_inode_put(file);
		dt_down(&t);
		fixture_fsck(&t.f);
		dt_up(&t);
		file = dt_get(&t, "hog");
		assert_int_equal(uext4_file_open(file, NULL, O_RDWR, &f), 0);
	}
	uext4_file_close(f);
	uext4_inode_put(file);
	dt_end(&t);
}

/* Out of inodes: nothing of the name may stay. */
static void test_DR_15_no_inodes(void **state)
{
	struct uext4_create req = {.mode = S_IFREG};
	struct uext4_inode *i;
	struct dir_test t;
	char name[32];
	int err = 0;

	dt_make(&t, 4 << 20, "-b 1024 -N 64 -m 0");
	dt_up(&t);
	for (u32 k = 0; !err; k++) {
		snprintf(name, sizeof(name), "%u", k);
		err = dt_create(t.root, name, k % 2 ? S_IFREG : S_IFDIR, NULL);
	}
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(dt_lookup(t.root, name, NULL), -ENOENT);
	assert_int_equal(uext4_tmpfile(t.root, NULL, &req, &i), -ENOSPC);
	assert_int_equal(
		uext4_rename(t.root, "0", t.root, "new", NULL, RENAME_F_WHITEOUT), -ENOSPC);
	assert_int_equal(dt_lookup(t.root, "0", NULL), 0);
	dt_end(&t);
}

/* Only root may use the reserved blocks, for its new directories too. */
static void test_DR_15_reserved_blocks(void **state)
{
	struct uext4_cred user = {.uid = 5, .gid = 5, .trusted = true};
	struct uext4_create dir = {.mode = S_IFDIR | 0755};
	struct uext4_inode *file;
	struct uext4_file *f;
	struct dir_test t;

	dt_make(&t, 8 << 20, "-b 1024 -m 10");
	dt_up(&t);
	assert_int_equal(dt_create(t.root, "hog", S_IFREG | 0666, &file), 0);
	assert_int_equal(uext4_file_open(file, &user, O_RDWR, &f), 0);
	hog(f);
	assert_int_equal(uext4_create(t.root, &user, "user", &dir, NULL), -ENOSPC);
	assert_int_equal(uext4_create(t.root, NULL, "root", &dir, NULL), 0);
	assert_int_equal(uext4_create(t.root, &user, "user", &dir, NULL), -ENOSPC);
	uext4_file_close(f);
	uext4_inode_put(file);
	dt_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"DR-9 journal", full, NULL, NULL, (void *)options[0]},
		{"DR-9 no journal", full, NULL, NULL, (void *)options[1]},
		{"DR-9 indirect maps", full, NULL, NULL, (void *)options[2]},
		cmocka_unit_test(test_DR_15_no_inodes),
		cmocka_unit_test(test_DR_15_reserved_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
