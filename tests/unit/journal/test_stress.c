/* Several threads on tiny journals: no stall, no torn block, every operation whole. */
#include "journal_fixture.h"

#include "base/util.h"
#include "journal/txn_priv.h"

#include <string.h>

#define THREADS 4
#define BLOCKS 24 /* per thread */

struct worker {
	struct fixture *f;
	struct os_thread *t;
	u32 id, ops;
	u32 seed;
	u64 expect[BLOCKS];
};

#define SHARED (THREADS * BLOCKS) /* a block that every operation counts up */
static struct os_mutex shared_lock = OS_MUTEX_INIT(RANK_GROUP, "shared");

static u32 rnd(struct worker *w, u32 n)
{
	w->seed = w->seed * 1664525 + 1013904223;
	return (w->seed >> 8) % n;
}

/* Frees block n and creates it anew, in one handle or in two. */
static void free_and_create(struct worker *w, u32 n, u64 value)
{
	struct fixture *f = w->f;
	struct handle h;
	struct buf *b;

	assert_int_equal(handle_start(f->j, &h, 2, 1), 0);
	assert_int_equal(journal_forget(&h, f->cache, FX_META + n, NULL), 0);
	assert_int_equal(buf_create(&h, f->cache, FX_META + n, &fx_type, &fx_ctx, &b), 0);
	fx_fill(b->data, b->pblk, value);
	assert_int_equal(buf_dirty(&h, b), 0);
	buf_put(b);
	assert_int_equal(handle_stop(&h), 0);
}

static void count_up(struct fixture *f, struct handle *h)
{
	struct buf *b;

	os_mutex_lock(&shared_lock);
	assert_int_equal(buf_read(f->cache, FX_META + SHARED, &fx_type, &fx_ctx, &b), 0);
	assert_int_equal(buf_write_access(h, b), 0);
	fx_fill(b->data, b->pblk, fx_value(b->data) + 1);
	assert_int_equal(buf_dirty(h, b), 0);
	buf_put(b);
	os_mutex_unlock(&shared_lock);
}

static void one_op(struct worker *w, u32 i)
{
	struct fixture *f = w->f;
	u32 base = w->id * BLOCKS, count = 1 + rnd(w, 4), n = rnd(w, BLOCKS - count);
	struct handle h;
	bool flushed;
	tid_nr tid;
	u32 k;

	if (rnd(w, 8) == 0) {
		free_and_create(w, base + n, i);
		w->expect[n] = i;
	}
	assert_int_equal(handle_start(f->j, &h, count + 1, 0), 0);
	for (k = 0; k < count; k++) {
		fx_set(f, &h, base + n + k, i);
		w->expect[n + k] = i;
	}
	count_up(f, &h);
	tid = handle_tid(&h);
	assert_int_equal(handle_stop(&h), 0);
	if (rnd(w, 16) == 0)
		assert_int_equal(journal_commit(f->j, tid, &flushed), 0);
}

static void work(void *arg)
{
	struct worker *w = arg;
	u32 i;

	for (i = 1; i <= w->ops; i++)
		one_op(w, i);
}

static void run(const struct fixture_options *opt, u32 ops)
{
	struct worker w[THREADS];
	struct journal_stats s;
	struct fixture f;
	u32 i, k;

	fx_open(&f, opt);
	for (i = 0; i < THREADS; i++) {
		w[i] = (struct worker){.f = &f, .id = i, .ops = ops, .seed = i * 977 + 1};
		assert_int_equal(os_thread_create(&w[i].t, "stress", work, &w[i]), 0);
	}
	for (i = 0; i < THREADS; i++)
		os_thread_join(w[i].t);
	journal_stats(f.j, &s);
	assert_true(opt->no_journal || s.commits > 1);
	assert_int_equal(fx_detach(&f), 0);
	for (i = 0; i < THREADS; i++)
		for (k = 0; k < BLOCKS; k++)
			assert_int_equal(
				fx_home_value(&f, FX_META + i * BLOCKS + k), w[i].expect[k]);
	assert_int_equal(fx_home_value(&f, FX_META + SHARED), (u64)THREADS * ops);
	fx_close(&f);
}

/* JB-2: handles of several threads while commits are under way; JB-42: nobody waits for himself. */
static void test_JB_4_tiny_journal(void **state)
{
	run(&(struct fixture_options){.ring = 64, .incompat = 0x12}, 600);
}

static void test_small_journal(void **state)
{
	run(&(struct fixture_options){.ring = 256, .incompat = 0x12, .split_log = true}, 1500);
}

static void test_usual_journal_small_cache(void **state)
{
	run(&(struct fixture_options){.incompat = 0x12, .cache_bytes = 40 * FX_BLOCK_SIZE}, 1500);
}

static void test_no_checksums_32bit(void **state)
{
	run(&(struct fixture_options){.ring = 128}, 600);
}

static void test_external(void **state)
{
	run(&(struct fixture_options){.ring = 128, .incompat = 0x12, .external = true}, 600);
}

static void test_without_journal(void **state)
{
	run(&(struct fixture_options){.no_journal = true, .cache_bytes = 40 * FX_BLOCK_SIZE}, 1500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_JB_4_tiny_journal),
		cmocka_unit_test(test_small_journal),
		cmocka_unit_test(test_usual_journal_small_cache),
		cmocka_unit_test(test_no_checksums_32bit),
		cmocka_unit_test(test_external),
		cmocka_unit_test(test_without_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
