/*
 * The cache of names: whatever changes a name is seen by the next lookup, from memory or not.
 * dt_lookup compares both ways each time.
 */
#include "dir/dir_test.h"

#include <sys/stat.h>

#include "dir/name_cache.h"

static struct uext4_stats stats(struct dir_test *t)
{
	struct uext4_stats st;

	assert_int_equal(uext4_stats(t->fs, &st), 0);
	return st;
}

static u64 file(struct uext4_inode *dir, const char *name)
{
	struct uext4_inode *i = NULL;
	u64 ino;

	assert_int_equal(dt_create(dir, name, S_IFREG | 0644, &i), 0);
	ino = uext4_inode_number(i);
	uext4_inode_put(i);
	return ino;
}

/* 0: the name is not there. */
static void expect(struct uext4_inode *dir, const char *name, u64 ino)
{
	u64 found = 0;

	assert_int_equal(dt_lookup(dir, name, &found), ino ? 0 : -ENOENT);
	assert_int_equal(found, ino);
}

static bool from_memory(struct dir_test *t, struct uext4_inode *dir, const char *name)
{
	u64 before = stats(t).name_hits;

	assert_int_equal(dt_lookup(dir, name, NULL), 0);
	return stats(t).name_hits > before;
}

static void start(struct dir_test *t, struct uext4_inode **a, struct uext4_inode **b)
{
	dt_make(t, 16 << 20, "-b 1024");
	dt_up(t);
	*a = dt_mkdir(t->root, "a");
	*b = dt_mkdir(t->root, "b");
}

static void end(struct dir_test *t, struct uext4_inode *a, struct uext4_inode *b)
{
	uext4_inode_put(a);
	uext4_inode_put(b);
	dt_end(t);
}

static void test_made_and_found_names_are_kept(void **state)
{
	struct uext4_inode *a, *b;
	struct dir_test t;

	start(&t, &a, &b);
	file(a, "x");
	assert_true(from_memory(&t, a, "x"));
	end(&t, a, b);
}

static void test_DR_16_removed_names_are_gone(void **state)
{
	struct uext4_inode *a, *b, *i;
	struct dir_test t;
	u64 ino;

	start(&t, &a, &b);
	ino = file(a, "x");
	i = dt_get(&t, "a/x");
	assert_int_equal(uext4_link(i, NULL, b, "y"), 0);
	uext4_inode_put(i);
	expect(b, "y", ino);
	assert_int_equal(uext4_unlink(a, NULL, "x"), 0);
	expect(a, "x", 0);
	expect(b, "y", ino);
	uext4_inode_put(dt_mkdir(a, "d"));
	assert_int_equal(uext4_unlink(a, NULL, "d"), -EISDIR);
	assert_int_equal(dt_lookup(a, "d", NULL), 0);
	assert_int_equal(uext4_rmdir(a, NULL, "d"), 0);
	expect(a, "d", 0);
	ino = file(a, "d");
	expect(a, "d", ino);
	end(&t, a, b);
}

static void test_DR_18_moved_names(void **state)
{
	struct uext4_inode *a, *b;
	struct dir_test t;
	u64 x, y, white;

	start(&t, &a, &b);
	x = file(a, "x");
	y = file(b, "y");
	expect(a, "x", x);
	expect(b, "y", y);
	assert_int_equal(uext4_rename(a, "x", b, "y", NULL, RENAME_F_NOREPLACE), -EEXIST);
	expect(a, "x", x);
	expect(b, "y", y);
	assert_int_equal(uext4_rename(a, "x", b, "y", NULL, RENAME_F_EXCHANGE), 0);
	expect(a, "x", y);
	expect(b, "y", x);
	assert_int_equal(uext4_rename(a, "x", b, "y", NULL, 0), 0);
	expect(a, "x", 0);
	expect(b, "y", y);
	assert_int_equal(uext4_rename(b, "y", b, "z", NULL, 0), 0);
	expect(b, "y", 0);
	expect(b, "z", y);
	assert_int_equal(uext4_rename(b, "z", a, "w", NULL, RENAME_F_WHITEOUT), 0);
	expect(a, "w", y);
	assert_int_equal(dt_lookup(b, "z", &white), 0);
	assert_true(white != y);
	end(&t, a, b);
}

/* "." and ".." are never kept: the second changes with a move. */
static void test_DR_18_parents(void **state)
{
	struct uext4_inode *a, *b, *d;
	struct dir_test t;

	start(&t, &a, &b);
	d = dt_mkdir(a, "d");
	expect(d, "..", uext4_inode_number(a));
	assert_int_equal(uext4_rename(a, "d", b, "d", NULL, 0), 0);
	expect(d, "..", uext4_inode_number(b));
	expect(d, ".", uext4_inode_number(d));
	uext4_inode_put(d);
	end(&t, a, b);
}

/* With the directory its names leave memory; they are read and kept again. */
static void test_names_go_with_their_directory(void **state)
{
	struct uext4_inode *a, *b;
	struct dir_test t;
	u64 ino;

	start(&t, &a, &b);
	ino = file(a, "x");
	file(a, "y");
	uext4_inode_put(a);
	icache_shrink(t.v, 0);
	a = dt_get(&t, "a");
	assert_false(from_memory(&t, a, "y"));
	assert_false(from_memory(&t, a, "x"));
	assert_true(from_memory(&t, a, "x"));
	expect(a, "x", ino);
	end(&t, a, b);
}

/* A name that nobody dropped, against the rule: it must not outlive its directory. */
static void leave_behind(struct uext4_inode *dir, const char *name, u64 ino)
{
	struct inode *i = to_inode(dir);

	os_rwsem_lock(&i->lock);
	name_cache_enter(i, (struct name){name, (u32)strlen(name)}, (ino_nr)ino);
	os_rwsem_unlock(&i->lock);
}

/* A new directory under the number of a removed one has none of its names. */
static void test_numbers_used_again(void **state)
{
	struct uext4_inode *a, *b, *d;
	struct dir_test t;
	u64 first, x;

	start(&t, &a, &b);
	d = dt_mkdir(a, "d");
	first = uext4_inode_number(d);
	x = file(d, "x");
	expect(d, "x", x);
	assert_int_equal(uext4_unlink(d, NULL, "x"), 0);
	leave_behind(d, "x", x);
	uext4_inode_put(d);
	assert_int_equal(uext4_rmdir(a, NULL, "d"), 0);
	assert_int_equal(uext4_sync(t.fs), 0);
	d = dt_mkdir(a, "d");
	assert_int_equal(uext4_inode_number(d), first);
	file(d, "y"); /* from here on it has a key */
	expect(d, "x", 0);
	uext4_inode_put(d);
	end(&t, a, b);
}

/* What was found without a lock is asked for again when its inode is had. */
static void test_found_and_then_gone(void **state)
{
	const struct name x = {"x", 1};
	struct uext4_inode *a, *b;
	struct name_found f;
	struct dir_test t;
	u64 ino;

	start(&t, &a, &b);
	ino = file(a, "x");
	assert_true(name_cache_find(to_inode(a), x, &f));
	assert_int_equal(f.ino, ino);
	file(a, "y");
	assert_true(name_still_found(&f));
	assert_int_equal(uext4_unlink(a, NULL, "x"), 0);
	assert_false(name_still_found(&f));
	assert_false(name_cache_find(to_inode(a), x, &f));
	file(a, "x");
	assert_true(name_cache_find(to_inode(a), x, &f));
	assert_int_equal(uext4_rename(a, "x", b, "x", NULL, 0), 0);
	assert_false(name_still_found(&f));
	end(&t, a, b);
}

/* One name in more directories than a small table has sets. */
static void test_one_name_in_many_directories(void **state)
{
	struct uext4_inode *d[400];
	struct dir_test t;
	char name[16];
	u64 ino[400];

	dt_make(&t, 16 << 20, "-b 1024");
	t.cache_bytes = 1 << 20;
	dt_up(&t);
	for (u32 k = 0; k < 400; k++) {
		snprintf(name, sizeof(name), "%u", k);
		d[k] = dt_mkdir(t.root, name);
		ino[k] = file(d[k], "x");
		for (u32 n = k < 8 ? 0 : k - 8; n <= k; n++)
			expect(d[n], "x", ino[n]);
	}
	for (u32 k = 0; k < 400; k++) {
		expect(d[k], "x", ino[k]);
		uext4_inode_put(d[k]);
	}
	dt_end(&t);
}

/* Of a table of a few hundred names, and of names of every length. */
static void test_more_names_than_room(void **state)
{
	struct uext4_inode *d;
	struct dir_test t;
	char name[256];
	u64 ino[3000];

	dt_make(&t, 16 << 20, "-b 1024");
	t.cache_bytes = 1 << 20;
	dt_up(&t);
	d = dt_mkdir(t.root, "d");
	for (u32 k = 0; k < 3000; k++) {
		snprintf(name, sizeof(name), "%0*u", (int)(k % 80) + 4, k);
		ino[k] = file(d, name);
	}
	for (u32 k = 0; k < 3000; k += 2) {
		snprintf(name, sizeof(name), "%0*u", (int)(k % 80) + 4, k);
		assert_int_equal(uext4_unlink(d, NULL, name), 0);
	}
	for (u32 k = 0; k < 3000; k++) {
		snprintf(name, sizeof(name), "%0*u", (int)(k % 80) + 4, k);
		expect(d, name, k % 2 ? ino[k] : 0);
	}
	uext4_inode_put(d);
	dt_end(&t);
}

/* Permission to search is asked for whether the name is known or not. */
static void test_permission_to_search(void **state)
{
	const struct uext4_cred other = {.uid = 1000, .gid = 1000};
	struct uext4_setattr attr = {.valid = UEXT4_SET_MODE, .mode = 0700};
	struct uext4_inode *a, *b, *i;
	struct dir_test t;

	start(&t, &a, &b);
	file(a, "x");
	assert_int_equal(uext4_setattr(a, NULL, &attr), 0);
	assert_int_equal(uext4_lookup(a, &other, "x", &i), -EACCES);
	attr.mode = 0711;
	assert_int_equal(uext4_setattr(a, NULL, &attr), 0);
	assert_int_equal(uext4_lookup(a, &other, "x", &i), 0);
	uext4_inode_put(i);
	end(&t, a, b);
}

/* JB-38: what the abort gave up may be in memory; only blocks count then. */
static void test_JB_38_not_asked_after_an_abort(void **state)
{
	struct uext4_inode *a, *b;
	struct dir_test t;
	u64 hits;

	start(&t, &a, &b);
	t.expect_errors = true;
	file(a, "x");
	assert_int_equal(uext4_sync(t.fs), 0);
	hits = stats(&t).name_hits;
	journal_abort(t.v->journal, -EIO);
	assert_int_equal(dt_lookup(a, "x", NULL), 0);
	assert_int_equal(stats(&t).name_hits, hits);
	uext4_inode_put(a);
	uext4_inode_put(b);
	uext4_inode_put(t.root);
	(void)uext4_close(t.fs);
	fixture_remove(&t.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made_and_found_names_are_kept),
		cmocka_unit_test(test_DR_16_removed_names_are_gone),
		cmocka_unit_test(test_DR_18_moved_names),
		cmocka_unit_test(test_DR_18_parents),
		cmocka_unit_test(test_names_go_with_their_directory),
		cmocka_unit_test(test_numbers_used_again),
		cmocka_unit_test(test_found_and_then_gone),
		cmocka_unit_test(test_one_name_in_many_directories),
		cmocka_unit_test(test_more_names_than_room),
		cmocka_unit_test(test_permission_to_search),
		cmocka_unit_test(test_JB_38_not_asked_after_an_abort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
