/* The inode cache: one object per number, eviction, deletion, many threads. */
#include "inode/inode_test.h"

#include "base/err.h"
#include "os/thread.h"

#define THREADS 4
#define FILES 40

static void test_one_object(void **state)
{
	struct inode_test t;
	struct inode *a, *b;

	it_make(&t, 8 << 20, "-b 1024", 2, 0);
	it_up(&t, 0);
	a = it_file(&t, 0);
	b = it_file(&t, 0);
	assert_ptr_equal(a, b);
	assert_int_equal(icache_shrink(&t.f.v, 0), 1);
	inode_put(b);
	inode_put(a);
	b = it_file(&t, 1);
	assert_ptr_not_equal(b, NULL);
	inode_put(b);
	assert_int_equal(icache_shrink(&t.f.v, 0), 0);
	it_end(&t);
}

static void test_HD_4_numbers(void **state)
{
	struct inode_test t;
	struct inode *i;

	it_make(&t, 8 << 20, "-b 1024", 1, 0);
	it_up(&t, FIXTURE_QUIET);
	assert_int_equal(inode_get(&t.f.v, 0, &i), -EUCLEAN);
	assert_int_equal(inode_get(&t.f.v, 8, &i), -EUCLEAN);
	assert_int_equal(inode_get(&t.f.v, t.f.v.sb.inodes_count + 1, &i), -EUCLEAN);
	assert_int_equal(inode_get(&t.f.v, t.file + 1, &i), -ESTALE);
	assert_int_equal(inode_get_special(&t.f.v, 8, &i), 0);
	inode_put(i);
	assert_int_equal(inode_get(&t.f.v, 2, &i), 0);
	inode_put(i);
	it_end(&t);
}

/* A deleted inode gives back its number and blocks; who asks for it meanwhile gets ESTALE. */
static void test_OR_7_delete(void **state)
{
	struct space_counts before, after;
	struct inode_test t;
	struct inode *i;

	it_make(&t, 16 << 20, "-b 1024", 2, 0);
	it_up(&t, 0);
	space_counts(&t.f.v, &before);
	it_down(&t);
	it_fill_file(&t, 1, 300000);
	it_unname(&t, 1);
	it_up(&t, 0);
	i = it_file(&t, 1);
	it_unlink(i);
	inode_put(i);
	assert_int_equal(inode_get(&t.f.v, t.file + 1, &i), -ESTALE);
	assert_int_equal(space_inode_in_use(&t.f.v, t.file + 1), 0);
	fixture_commit(&t.f);
	space_counts(&t.f.v, &after);
	assert_int_equal(after.free_blocks, before.free_blocks);
	assert_int_equal(after.free_inodes, before.free_inodes + 1);
	it_end(&t);
}

struct worker {
	struct inode_test *t;
	u32 number;
	u32 failures;
};

static void touch_one(struct worker *w, struct inode *i, struct rng *r)
{
	struct handle h;

	os_rwsem_lock(&i->lock);
	if (handle_start(i->volume->journal, &h, INODE_DIRTY_CREDITS, 0)) {
		w->failures++;
	} else {
		i->f.projid++; /* counts the changes: none may be lost to eviction */
		inode_touch(i, INODE_MTIME);
		w->failures += inode_dirty(&h, i) != 0;
		w->failures += handle_stop(&h) != 0;
	}
	os_rwsem_unlock(&i->lock);
}

static void visit(void *arg)
{
	struct worker *w = arg;
	struct rng r;

	rng_init(&r, w->number);
	for (u32 round = 0; round < 2000; round++) {
		struct inode *i;

		if (inode_get(&w->t->f.v, w->t->file + (ino_nr)rng_below(&r, round % 3 ? 2 : FILES),
			    &i)) {
			w->failures++;
			continue;
		}
		w->failures += i->f.links != 1; /* complete from the first moment */
		if (round % 2)
			touch_one(w, i, &r);
		inode_put(i);
		if (round % 10 == 0)
			icache_shrink(&w->t->f.v, 0);
	}
}

static void run_threads(struct inode_test *t, void (*fn)(void *))
{
	struct os_thread *thread[THREADS];
	struct worker w[THREADS];

	for (u32 k = 0; k < THREADS; k++) {
		w[k] = (struct worker){.t = t, .number = k};
		assert_int_equal(os_thread_create(&thread[k], "visitor", fn, &w[k]), 0);
	}
	for (u32 k = 0; k < THREADS; k++) {
		os_thread_join(thread[k]);
		assert_int_equal(w[k].failures, 0);
	}
}

static void test_threads_evict(void **state)
{
	struct inode_test t;
	u32 changes = 0;

	it_make(&t, 8 << 20, "-b 1024 -I 256 -O project", FILES, 0);
	t.max_unused = 1;
	it_up(&t, FIXTURE_MEMORY);
	run_threads(&t, visit);
	for (u32 k = 0; k < FILES; k++) {
		struct inode *i = it_file(&t, k);

		changes += i->f.projid;
		i->f.projid = 0;
		inode_put(i);
	}
	assert_int_equal(changes, THREADS * 1000);
	it_end(&t);
}

static int make_one(struct inode *dir, u32 mode, struct inode **out)
{
	struct inode_new req = {.mode = mode, .cred = &it_root, .no_link = true};
	struct handle h;
	int err, stop_err;

	*out = NULL;
	err = handle_start(dir->volume->journal, &h, inode_new_credits(dir), 0);
	if (err)
		return err;
	err = inode_new(&h, dir, &req, out);
	stop_err = handle_stop(&h);
	return err ? err : stop_err;
}

static void create_and_drop(void *arg)
{
	struct worker *w = arg;
	struct inode *dir, *i;

	if (inode_get(&w->t->f.v, w->t->dir + w->number, &dir)) {
		w->failures++;
		return;
	}
	for (u32 round = 0; round < 300; round++) {
		os_rwsem_lock(&dir->lock);
		w->failures += make_one(dir, S_IFREG | 0600, &i) != 0;
		os_rwsem_unlock(&dir->lock);
		if (i)
			inode_put(i);
	}
	inode_put(dir);
}

static void run_create(const char *options)
{
	struct space_counts before, after;
	struct inode_test t;

	it_make(&t, 8 << 20, options, 0, THREADS);
	it_up(&t, FIXTURE_MEMORY);
	space_counts(&t.f.v, &before);
	run_threads(&t, create_and_drop);
	fixture_commit(&t.f);
	space_counts(&t.f.v, &after);
	assert_int_equal(after.free_inodes, before.free_inodes);
	assert_true(orphans_empty(&t.f.v));
	it_end(&t);
}

static void test_DR_17_threads_create(void **state)
{
	run_create("-b 1024 -O ^orphan_file");
	run_create("-b 1024 -O orphan_file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_object),
		cmocka_unit_test(test_HD_4_numbers),
		cmocka_unit_test(test_OR_7_delete),
		cmocka_unit_test(test_threads_evict),
		cmocka_unit_test(test_DR_17_threads_create),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
