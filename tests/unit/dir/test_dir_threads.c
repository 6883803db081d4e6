/*
 * Name operations of several threads on the same few directories: no deadlock,
 * no report of damage, no unexpected error, and e2fsck finds a sound tree
 * (DR-18; docs/LOCKING.md).
 */
#include "dir/dir_test.h"

#include "base/util.h"
#include "os/atomic.h"
#include "os/thread.h"

#define THREADS 4
#define DIRS 5
#define NAMES 12

struct worker {
	struct dir_test *t;
	struct uext4_inode **dir;
	u32 id, steps;
	bool dirs_only;
	u32 done;
	int unexpected; /* an error that no schedule explains */
};

static bool expected(int err)
{
	static const int ok[] = {0, -ENOENT, -EEXIST, -ENOTEMPTY, -EISDIR, -ENOTDIR, -EINVAL,
		-EPERM, -EXDEV, -EMLINK};

	for (u32 k = 0; k < array_len(ok); k++)
		if (err == ok[k])
			return true;
	return false;
}

static bool count_one(void *arg, const struct uext4_dirent *e)
{
	++*(u32 *)arg;
	return true;
}

static int use_lookup(struct uext4_inode *d, const char *name, struct uext4_inode *other)
{
	struct uext4_inode *i, *parent;
	struct uext4_stat st;
	int err = uext4_lookup(d, NULL, name, &i);

	if (err)
		return err;
	err = uext4_stat(i, &st);
	if (!err && S_ISDIR(st.mode)) {
		err = uext4_parent(i, &parent);
		if (!err)
			uext4_inode_put(parent);
	} else if (!err) {
		err = uext4_link(i, NULL, other, name);
	}
	if (!err)
		err = uext4_setattr(
			i, NULL, &(struct uext4_setattr){.valid = UEXT4_SET_MODE, .mode = 0751});
	uext4_inode_put(i);
	return err;
}

/* The directories themselves move, but something in each keeps it from being removed. */
static int move_any(struct rng *r, struct uext4_inode *a, struct uext4_inode *b, u32 flags)
{
	static const char *const names[] = {"a", "b", "p", "q", "n1", "n2"};

	return uext4_rename(a, names[rng_below(r, 6)], b, names[rng_below(r, 6)], NULL, flags);
}

static int step(struct worker *w, struct rng *r)
{
	static const u32 flags[] = {
		0, 0, 0, RENAME_F_EXCHANGE, RENAME_F_NOREPLACE, RENAME_F_WHITEOUT};
	struct uext4_inode *a = w->dir[rng_below(r, DIRS)], *b = w->dir[rng_below(r, DIRS)];
	char x[8], y[8];
	static const char *const special[] = {"a", "b", "p", "q"}; /* never empty */
	u32 n = 0, k = (u32)rng_below(r, 16);

	snprintf(x, sizeof(x), "n%u", (u32)rng_below(r, NAMES));
	snprintf(y, sizeof(y), "n%u", (u32)rng_below(r, NAMES));
	switch (rng_below(r, w->dirs_only ? 6 : 10)) {
	case 0:
		return move_any(r, a, b, flags[rng_below(r, 5)]);
	case 1:
		return uext4_rename(a, x, b, y, NULL, flags[rng_below(r, 6)]);
	case 2:
		return dt_create(a, x, S_IFDIR | 0755, NULL);
	case 3:
		return uext4_rmdir(a, NULL, k % 2 ? x : special[k / 4]);
	case 4:
		return use_lookup(a, x, b);
	case 5:
		return move_any(r, a, b, RENAME_F_EXCHANGE);
	case 6:
		return uext4_readdir(a, NULL, 0, count_one, &n);
	case 7:
		return uext4_unlink(a, NULL, x);
	case 8:
		return uext4_symlink(a, NULL, x, y, NULL);
	default:
		return dt_create(a, x, S_IFREG | 0644, NULL);
	}
}

static void work(void *arg)
{
	struct worker *w = arg;
	struct rng r;

	rng_init(&r, w->id + 1);
	for (u32 k = 0; k < w->steps; k++) {
		int err = step(w, &r);

		if (!expected(err))
			w->unexpected = err;
		w->done += err == 0;
	}
}

/* The directories lie in each other, so that renames meet ancestors and swap their order. */
static void open_dirs(struct dir_test *t, struct uext4_inode **dir)
{
	static const char *const where[DIRS] = {"", "a", "a/p", "b", "b/q"};

	uext4_inode_put(dt_mkdir(t->root, "a"));
	uext4_inode_put(dt_mkdir(t->root, "b"));
	dir[1] = dt_get(t, "a");
	dir[3] = dt_get(t, "b");
	uext4_inode_put(dt_mkdir(dir[1], "p"));
	uext4_inode_put(dt_mkdir(dir[3], "q"));
	for (u32 k = 0; k < DIRS; k++) {
		if (!dir[k])
			dir[k] = *where[k] ? dt_get(t, where[k]) : dt_get(t, "/");
		assert_int_equal(dt_create(dir[k], "keep", S_IFIFO, NULL), 0);
	}
}

static void run(const char *options, bool dirs_only, u32 steps)
{
	struct uext4_inode *dir[DIRS] = {NULL};
	struct os_thread *thread[THREADS];
	struct worker w[THREADS];
	struct dir_test t;

	dt_make(&t, 16 << 20, options);
	dt_up(&t);
	open_dirs(&t, dir);
	for (u32 k = 0; k < THREADS; k++) {
		w[k] = (struct worker){&t, dir, k, steps, dirs_only, 0, 0};
		assert_int_equal(os_thread_create(&thread[k], "names", work, &w[k]), 0);
	}
	for (u32 k = 0; k < THREADS; k++) {
		os_thread_join(thread[k]);
		assert_int_equal(w[k].unexpected, 0);
		assert_true(w[k].done > steps / 10);
	}
	for (u32 k = 0; k < DIRS; k++) {
		assert_int_equal(dt_lookup(dir[k], "keep", NULL), 0);
		uext4_inode_put(dir[k]);
	}
	dt_end(&t);
}

static void test_DR_18_cycles(void **state)
{
	for (u32 k = 0; k < 3; k++)
		run("-b 1024", true, 1500);
}

static void test_DR_18_all_operations(void **state)
{
	run("-b 1024 -O orphan_file", false, 2500);
	run("-b 1024 -O ^orphan_file -J size=1", false, 2500);
	run("-b 4096 -O ^has_journal", false, 2500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_DR_18_cycles),
		cmocka_unit_test(test_DR_18_all_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
