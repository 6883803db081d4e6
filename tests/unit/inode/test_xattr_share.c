/* Sharing of attribute blocks (XA-4), and the accounting around it. */
#include "inode/inode_test.h"

#include "os/thread.h"

#define OPTIONS "-I 128 -b 1024 -N 4096"
#define VALUE 200
#define MANY 1300 /* more than one block may be shared by */

static u64 free_blocks(struct inode_test *t)
{
	struct space_counts c;

	assert_int_equal(journal_flush(t->f.v.journal), 0);
	space_counts(&t->f.v, &c);
	return c.free_blocks;
}

static void make_value(u8 *value, u32 kind)
{
	for (u32 k = 0; k < VALUE; k++)
		value[k] = (u8)(kind * 31 + k);
}

static void set(struct inode_test *t, u32 n, const char *name, u32 kind)
{
	struct inode *i = it_file(t, n);
	u8 value[VALUE];

	make_value(value, kind);
	os_rwsem_lock(&i->lock);
	assert_int_equal(xattr_set(i, &it_root, name, value, VALUE, 0), 0);
	os_rwsem_unlock(&i->lock);
	inode_put(i);
}

static void expect(struct inode_test *t, u32 n, const char *name, u32 kind)
{
	struct inode *i = it_file(t, n);
	u8 value[VALUE], want[VALUE];

	make_value(want, kind);
	assert_int_equal(xattr_get(i, name, value, VALUE), VALUE);
	assert_memory_equal(value, want, VALUE);
	inode_put(i);
}

static void drop(struct inode_test *t, u32 n, const char *name)
{
	struct inode *i = it_file(t, n);

	os_rwsem_lock(&i->lock);
	assert_int_equal(xattr_remove(i, &it_root, name), 0);
	os_rwsem_unlock(&i->lock);
	inode_put(i);
}

static void test_XA_4_share_and_copy(void **state)
{
	struct inode_test t;
	u64 before;

	it_make(&t, 32 << 20, OPTIONS, MANY, 0);
	it_up(&t, FIXTURE_MEMORY);
	before = free_blocks(&t);
	for (u32 n = 0; n < MANY; n++)
		set(&t, n, "user.x", 1);
	assert_int_equal(free_blocks(&t), before - 2); /* 1024 and the rest */
	set(&t, 7, "user.x", 2);
	assert_int_equal(free_blocks(&t), before - 3);
	expect(&t, 7, "user.x", 2);
	for (u32 n = 0; n < MANY; n += 100)
		expect(&t, n, "user.x", 1);
	it_down(&t);
	fixture_fsck(&t.f);
	it_up(&t, FIXTURE_MEMORY);
	set(&t, 7, "user.x", 1); /* its own block is known, the others' not yet */
	set(&t, 8, "user.x", 1);
	for (u32 n = 0; n < MANY; n++)
		drop(&t, n, "user.x");
	assert_int_equal(free_blocks(&t), before);
	it_end(&t);
}

/* The last of those who share a block frees it; the inode's own sectors are right (fsck). */
static void test_XA_4_delete_sharers(void **state)
{
	struct inode_test t;
	u64 before;

	it_make(&t, 16 << 20, OPTIONS, 8, 0);
	for (u32 n = 0; n < 8; n++)
		it_unname(&t, n);
	it_up(&t, FIXTURE_MEMORY);
	before = free_blocks(&t);
	for (u32 n = 0; n < 8; n++)
		set(&t, n, "user.x", 1);
	for (u32 n = 0; n < 8; n++) {
		struct inode *i = it_file(&t, n);

		assert_int_equal(free_blocks(&t), before - 1);
		it_unlink(i);
		inode_put(i);
	}
	assert_int_equal(free_blocks(&t), before);
	it_end(&t);
}

/* JB-15, JB-16: a block freed and taken again in one transaction. */
static void test_JB_16_free_and_take(void **state)
{
	struct inode_test t;

	it_make(&t, 16 << 20, OPTIONS, 2, 0);
	it_up(&t, FIXTURE_MEMORY);
	for (u32 round = 0; round < 50; round++) {
		set(&t, 0, "user.x", round);
		drop(&t, 0, "user.x");
		set(&t, 1, "user.y", round);
		if (round % 7 == 0)
			fixture_commit(&t.f);
	}
	expect(&t, 1, "user.y", 49);
	it_end(&t);
}

struct worker {
	struct inode_test *t;
	u32 number;
	u32 last[4];
};

static void work(void *arg)
{
	struct worker *w = arg;
	struct rng r;

	rng_init(&r, w->number);
	for (u32 round = 0; round < 400; round++) {
		u32 n = (u32)rng_below(&r, 4), kind = (u32)rng_below(&r, 3);

		if (w->last[n] && rng_below(&r, 3) == 0) {
			drop(w->t, w->number * 4 + n, "user.x");
			w->last[n] = 0;
		} else {
			set(w->t, w->number * 4 + n, "user.x", kind);
			w->last[n] = kind + 1;
		}
		if (w->last[n])
			expect(w->t, w->number * 4 + n, "user.x", w->last[n] - 1);
	}
}

static void test_XA_4_threads(void **state)
{
	struct worker w[4] = {0};
	struct os_thread *thread[4];
	struct inode_test t;
	u64 before;

	it_make(&t, 16 << 20, OPTIONS, 16, 0);
	it_up(&t, FIXTURE_MEMORY);
	before = free_blocks(&t);
	for (u32 k = 0; k < 4; k++) {
		w[k].t = &t;
		w[k].number = k;
		assert_int_equal(os_thread_create(&thread[k], "sharer", work, &w[k]), 0);
	}
	for (u32 k = 0; k < 4; k++)
		os_thread_join(thread[k]);
	it_down(&t);
	fixture_fsck(&t.f);
	it_up(&t, FIXTURE_MEMORY);
	for (u32 k = 0; k < 16; k++)
		if (w[k / 4].last[k % 4]) {
			expect(&t, k, "user.x", w[k / 4].last[k % 4] - 1);
			drop(&t, k, "user.x");
		}
	assert_int_equal(free_blocks(&t), before);
	it_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_XA_4_share_and_copy),
		cmocka_unit_test(test_XA_4_delete_sharers),
		cmocka_unit_test(test_JB_16_free_and_take),
		cmocka_unit_test(test_XA_4_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
