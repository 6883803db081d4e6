/* What each change leaves in the inode besides itself: its version (MD-23); generations (MD-22). */
#include "dir/dir_test.h"

#include <fcntl.h>

static u64 version_of(struct uext4_inode *i)
{
	return to_inode(i)->f.version;
}

/* As debugfs tells it: low and high half together. */
static u64 stored_version(struct dir_test *t, const char *path)
{
	char command[64], *out, *at;
	u64 version;

	snprintf(command, sizeof(command), "stat %s", path);
	out = dt_debugfs(t, command, false);
	at = strstr(out, "Version: 0x");
	assert_non_null(at);
	version = strtoull(at + 9, &at, 16);
	if (*at == ':') /* 0xHIGH:LOW */
		version = version << 32 | strtoull(at + 1, NULL, 16);
	free(out);
	return version;
}

#define GROWS(inode, call)                                                                         \
	do {                                                                                       \
		u64 grows_before = version_of(inode);                                              \
		assert_true((call) >= 0);                                                          \
		assert_true(version_of(inode) > grows_before);                                     \
	} while (0)

static void change_file(struct dir_test *t, struct uext4_inode *d, struct uext4_inode *i)
{
	struct uext4_setattr mode = {.valid = UEXT4_SET_MODE, .mode = 0600};
	struct uext4_setattr size = {.valid = UEXT4_SET_SIZE, .size = 77};
	struct uext4_file *file;

	assert_int_equal(uext4_file_open(i, NULL, O_RDWR, &file), 0);
	for (int k = 0; k < 3; k++) /* also in the same tick of the clock */
		GROWS(i, uext4_pwrite(file, "content", 7, 0));
	GROWS(i, uext4_setattr(i, NULL, &mode));
	GROWS(i, uext4_setattr(i, NULL, &size));
	GROWS(i, uext4_setxattr(i, NULL, "user.a", "b", 1, 0));
	GROWS(i, uext4_link(i, NULL, d, "second"));
	GROWS(i, uext4_unlink(d, NULL, "second"));
	GROWS(i, uext4_rename(d, "file", d, "moved", NULL, 0));
	uext4_file_close(file);
}

/* What changes nothing else in the inode is stored at the latest when it leaves memory. */
static void overwrite(struct uext4_inode *i)
{
	struct uext4_file *file;

	assert_int_equal(uext4_file_open(i, NULL, O_RDWR, &file), 0);
	assert_int_equal(uext4_fsync(file), 0);
	for (int k = 0; k < 3; k++)
		GROWS(i, uext4_pwrite(file, "changed", 7, 0));
	uext4_file_close(file);
}

static void change_dir(struct dir_test *t, struct uext4_inode *d)
{
	GROWS(d, dt_create(d, "new", S_IFIFO, NULL));
	GROWS(d, uext4_rename(d, "new", d, "newer", NULL, 0));
	GROWS(d, uext4_unlink(d, NULL, "newer"));
	GROWS(d, dt_create(d, "sub", S_IFDIR | 0755, NULL));
	GROWS(d, uext4_rmdir(d, NULL, "sub"));
}

static void test_MD_23_every_change(void **state)
{
	struct uext4_inode *d, *i;
	struct dir_test t;
	u64 file, dir;

	dt_make(&t, 8 << 20, "-b 1024 -I 256");
	dt_up(&t);
	d = dt_mkdir(t.root, "d");
	assert_int_equal(dt_create(d, "file", S_IFREG | 0644, &i), 0);
	change_file(&t, d, i);
	change_dir(&t, d);
	to_inode(i)->f.version += 7ull << 32; /* both halves */
	GROWS(i, uext4_setxattr(i, NULL, "user.a", "c", 1, 0));
	overwrite(i);
	file = version_of(i);
	dir = version_of(d);
	uext4_inode_put(i);
	uext4_inode_put(d);
	dt_down(&t);
	assert_int_equal(stored_version(&t, "d/moved"), file);
	assert_int_equal(stored_version(&t, "d"), dir);
	fixture_fsck(&t.f);
	fixture_remove(&t.f);
}

/* MD-22: a number that is used again comes with another generation, checksums and all. */
static void test_MD_22_generations_differ(void **state)
{
	enum { ROUNDS = 8 };
	u32 generation[ROUNDS], same = 0;
	struct uext4_inode *i;
	struct dir_test t;
	char name[256];
	u64 ino = 0;

	dt_make(&t, 8 << 20, "-b 1024 -I 256");
	dt_up(&t);
	for (u32 n = 0; n < ROUNDS; n++) {
		u64 now;

		i = dt_mkdir(t.root, "d");
		for (u32 k = 0; k < 60; k++) { /* blocks of its own, sealed by the generation */
			dt_name(k, 40, name);
			assert_int_equal(dt_create(i, name, S_IFIFO, NULL), 0);
		}
		generation[n] = uext4_inode_generation(i);
		assert_int_equal(dt_lookup(t.root, "d", &now), 0);
		assert_true(n == 0 || now == ino);
		ino = now;
		for (u32 k = 0; n < ROUNDS - 1 && k < 60; k++) {
			dt_name(k, 40, name);
			assert_int_equal(uext4_unlink(i, NULL, name), 0);
		}
		uext4_inode_put(i);
		if (n < ROUNDS - 1)
			assert_int_equal(uext4_rmdir(t.root, NULL, "d"), 0);
	}
	for (u32 n = 1; n < ROUNDS; n++)
		same += generation[n] == generation[n - 1];
	assert_true(same < 2); /* by chance once in 600 million runs */
	dt_end(&t);
}

/* OR-8: a file without a name lives as long as it is held; a crash ends both. */
static void test_OR_8_held_at_a_crash(void **state)
{
	static const char *const options[] = {"-b 1024 -O orphan_file", "-b 1024 -O ^orphan_file"};

	for (u32 k = 0; k < 2; k++) {
		struct uext4_statfs before, after;
		struct uext4_file *file;
		struct dir_test t, c;
		struct uext4_inode *i;
		char path[128], command[200], buf[8];

		dt_make(&t, 8 << 20, options[k]);
		dt_up(&t);
		assert_int_equal(uext4_statfs(t.fs, &before), 0);
		assert_int_equal(dt_create(t.root, "f", S_IFREG | 0644, &i), 0);
		assert_int_equal(uext4_file_open(i, NULL, O_RDWR, &file), 0);
		assert_int_equal(uext4_pwrite(file, "content", 7, 50000), 7);
		assert_int_equal(uext4_unlink(t.root, NULL, "f"), 0);
		assert_int_equal(uext4_sync(t.fs), 0);
		assert_int_equal(uext4_pread(file, buf, 7, 50000), 7);
		assert_memory_equal(buf, "content", 7);
		snprintf(path, sizeof(path), "%s-crash", t.f.path);
		snprintf(command, sizeof(command), "cp %%s %s", path);
		free(fixture_run(&t.f, command));
		c = t;
		fixture_use(&c.f, path);
		dt_up(&c);
		assert_int_equal(uext4_statfs(c.fs, &after), 0);
		assert_int_equal(after.inodes_free, before.inodes_free);
		assert_int_equal(after.blocks_free, before.blocks_free);
		dt_end(&c);
		uext4_file_close(file);
		uext4_inode_put(i);
		dt_end(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_MD_23_every_change),
		cmocka_unit_test(test_MD_22_generations_differ),
		cmocka_unit_test(test_OR_8_held_at_a_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
