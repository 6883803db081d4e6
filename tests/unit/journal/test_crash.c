/*
 * Cut the power at every point of the recorded stream: after recovery the
 * blocks are the state after some prefix of the operations, and that prefix
 * holds everything acknowledged before the cut.
 */
#include "crash.h"

#include "journal/journal_priv.h"

#include <stdlib.h>
#include <string.h>

#define BLOCKS 20
#define OPS 90

struct op {
	u32 n, count;
	bool anew;    /* frees the blocks and creates them again */
	size_t acked; /* stream length when a commit of it was acknowledged; SIZE_MAX = never */
};

static struct op ops[OPS + 1]; /* 1-based: the value that an operation writes is its number */
static u32 seed;

static u32 rnd(u32 n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static void create_anew(struct fixture *f, struct handle *h, u32 n, u64 value)
{
	struct buf *b;

	assert_int_equal(journal_forget(h, f->cache, FX_META + n, NULL), 0);
	assert_int_equal(buf_create(h, f->cache, FX_META + n, &fx_type, &fx_ctx, &b), 0);
	fx_fill(b->data, b->pblk, value);
	assert_int_equal(buf_dirty(h, b), 0);
	buf_put(b);
}

static void do_op(struct fixture *f, u32 i)
{
	struct op *op = &ops[i];
	const struct dev_record_entry *e;
	struct handle h;
	u32 k, acked;
	tid_nr tid;

	*op = (struct op){.count = 1 + rnd(4), .anew = rnd(4) == 0, .acked = SIZE_MAX};
	op->n = rnd(BLOCKS - op->count);
	assert_int_equal(handle_start(f->j, &h, op->count, op->count), 0);
	for (k = 0; k < op->count; k++) {
		if (op->anew)
			create_anew(f, &h, op->n + k, i);
		else
			fx_set(f, &h, op->n + k, i);
	}
	tid = handle_tid(&h);
	assert_int_equal(handle_stop(&h), 0);
	if (rnd(3) == 0) {
		assert_int_equal(journal_commit(f->j, tid, NULL), 0);
		for (acked = i; acked > 0 && ops[acked].acked == SIZE_MAX; acked--)
			ops[acked].acked = dev_record_entries(f->rec, &e);
	}
	if (rnd(12) == 0)
		fx_checkpoint(f);
	if (rnd(30) == 0)
		assert_int_equal(journal_flush(f->j), 0);
}

static void check_state(struct fixture *f, size_t cut)
{
	u64 value[BLOCKS], newest = 0;
	u32 expect[BLOCKS] = {0}, i, k;

	for (k = 0; k < BLOCKS; k++) {
		value[k] = fx_home_value(f, FX_META + k);
		newest = value[k] > newest ? value[k] : newest;
	}
	for (i = 1; i <= newest; i++)
		for (k = 0; k < ops[i].count; k++)
			expect[ops[i].n + k] = i;
	for (k = 0; k < BLOCKS; k++)
		assert_int_equal(value[k], expect[k]);
	for (i = 1; i <= OPS; i++)
		if (ops[i].acked <= cut)
			assert_true(i <= newest);
}

static void check_cut(const struct fixture_options *opt, const struct crash_log *c, size_t cut,
	enum crash_kind kind)
{
	struct fixture f;

	fx_format(&f, opt);
	crash_image(c, cut, kind, (u32)cut, dev_mem_data(f.mem));
	assert_int_equal(fx_attach(&f, false), 0);
	if (journal_is_dirty(f.j))
		assert_int_equal(journal_recover(f.j, f.dev, true), 0);
	check_state(&f, cut);
	fx_close(&f);
}

static void run(const struct fixture_options *opt, u32 first_seed)
{
	struct crash_log c;
	struct fixture f;
	size_t cut;
	u32 i;

	seed = first_seed;
	memset(ops, 0, sizeof(ops));
	fx_open(&f, opt);
	crash_begin(&c, f.mem, f.rec);
	for (i = 1; i <= OPS; i++)
		do_op(&f, i);
	assert_int_equal(fx_detach(&f), 0);
	crash_end(&c, f.rec);
	fx_close(&f);
	for (cut = 0; cut <= c.count; cut++) {
		if (cut < c.count && c.entries[cut].kind == DEV_REC_SUBMIT_WRITE)
			continue;
		check_cut(opt, &c, cut, CRASH_ALL_COMPLETED);
		check_cut(opt, &c, cut, CRASH_ONLY_DURABLE);
		check_cut(opt, &c, cut, CRASH_RANDOM);
	}
	crash_free(&c);
}

static void test_every_cut_tiny_log(void **state)
{
	run(&(struct fixture_options){.ring = 48, .incompat = 0x12}, 1);
}

static void test_every_cut_no_checksums(void **state)
{
	run(&(struct fixture_options){.ring = 64}, 2);
}

static void test_every_cut_v2(void **state)
{
	run(&(struct fixture_options){.ring = 64, .incompat = 0xa, .split_log = true}, 3);
}

static void test_every_cut_v1(void **state)
{
	run(&(struct fixture_options){.ring = 64, .compat = 1, .incompat = 2}, 4);
}

static void test_every_cut_larger_log(void **state)
{
	run(&(struct fixture_options){.ring = 300, .incompat = 0x12}, 5);
}

/* JB-29: a transaction that wraps after any of its blocks is replayed whole. */
static void test_JB_29_wrap_at_each_offset(void **state)
{
	struct fixture_options opt = {.ring = 48, .incompat = 0x12};
	struct crash_log c;
	u32 start, k;

	for (start = 1; start < opt.ring; start++) {
		struct fixture f, g;

		fx_open(&f, &opt);
		crash_begin(&c, f.mem, f.rec);
		os_mutex_lock(&f.j->lock);
		f.j->head = start;
		os_mutex_unlock(&f.j->lock);
		assert_int_equal(journal_commit(f.j, fx_op(&f, 0, 6, 3), NULL), 0);
		assert_int_equal(journal_commit(f.j, fx_op(&f, 4, 2, 4), NULL), 0);
		crash_end(&c, f.rec);
		fx_format(&g, &opt);
		crash_image(&c, c.count, CRASH_ONLY_DURABLE, 0, dev_mem_data(g.mem));
		fx_close(&f);
		assert_int_equal(fx_attach(&g, true), 0);
		for (k = 0; k < 6; k++)
			assert_int_equal(fx_home_value(&g, FX_META + k), k < 4 ? 3 : 4);
		fx_close(&g);
		crash_free(&c);
	}
}

/* The same with threads: each one's blocks are a prefix of its operations, all counted in one
 * block. */
#define THREADS 3
#define THREAD_BLOCKS 6
#define THREAD_OPS 60
#define COUNTER (THREADS * THREAD_BLOCKS)

struct worker {
	struct fixture *f;
	struct os_thread *t;
	u32 id, seed;
	struct op ops[THREAD_OPS + 1];
};

static struct os_mutex counter_lock = OS_MUTEX_INIT(RANK_GROUP, "counter");

static void count_up(struct fixture *f, struct handle *h)
{
	os_mutex_lock(&counter_lock);
	fx_set(f, h, COUNTER, fx_get(f, COUNTER) + 1);
	os_mutex_unlock(&counter_lock);
}

static u32 worker_rnd(struct worker *w, u32 n)
{
	w->seed = w->seed * 1664525 + 1013904223;
	return (w->seed >> 8) % n;
}

static void worker_op(struct worker *w, u32 i)
{
	struct op *op = &w->ops[i];
	struct handle h;
	tid_nr tid;
	u32 k;

	*op = (struct op){.count = 1 + worker_rnd(w, 3), .acked = SIZE_MAX};
	op->n = worker_rnd(w, THREAD_BLOCKS - op->count + 1);
	assert_int_equal(handle_start(w->f->j, &h, op->count + 1, 0), 0);
	for (k = 0; k < op->count; k++)
		fx_set(w->f, &h, w->id * THREAD_BLOCKS + op->n + k, i);
	count_up(w->f, &h);
	tid = handle_tid(&h);
	assert_int_equal(handle_stop(&h), 0);
	if (worker_rnd(w, 4) == 0) {
		assert_int_equal(journal_commit(w->f->j, tid, NULL), 0);
		op->acked = dev_record_count(w->f->rec);
	}
}

static void worker_main(void *arg)
{
	struct worker *w = arg;
	u32 i;

	for (i = 1; i <= THREAD_OPS; i++)
		worker_op(w, i);
}

/* Returns how many of w's operations the image holds. */
static u64 check_worker(const struct fixture *f, const struct worker *w, size_t cut)
{
	u64 value[THREAD_BLOCKS], newest = 0;
	u32 expect[THREAD_BLOCKS] = {0}, i, k;

	for (k = 0; k < THREAD_BLOCKS; k++) {
		value[k] = fx_home_value(f, FX_META + w->id * THREAD_BLOCKS + k);
		newest = value[k] > newest ? value[k] : newest;
	}
	for (i = 1; i <= newest; i++)
		for (k = 0; k < w->ops[i].count; k++)
			expect[w->ops[i].n + k] = i;
	for (k = 0; k < THREAD_BLOCKS; k++)
		assert_int_equal(value[k], expect[k]);
	for (i = 1; i <= THREAD_OPS; i++)
		assert_true(w->ops[i].acked > cut || i <= newest);
	return newest;
}

static void check_workers(const struct fixture_options *opt, const struct crash_log *c,
	const struct worker *w, size_t cut, enum crash_kind kind)
{
	struct fixture f;
	u64 sum = 0;
	u32 i;

	fx_format(&f, opt);
	crash_image(c, cut, kind, (u32)cut, dev_mem_data(f.mem));
	assert_int_equal(fx_attach(&f, false), 0);
	if (journal_is_dirty(f.j))
		assert_int_equal(journal_recover(f.j, f.dev, true), 0);
	for (i = 0; i < THREADS; i++)
		sum += check_worker(&f, &w[i], cut);
	assert_int_equal(fx_home_value(&f, FX_META + COUNTER), sum);
	fx_close(&f);
}

static void test_every_cut_threads(void **state)
{
	struct fixture_options opt = {.ring = 64, .incompat = 0x12};
	struct worker w[THREADS];
	struct crash_log c;
	struct fixture f;
	size_t cut;
	u32 i;

	fx_open(&f, &opt);
	crash_begin(&c, f.mem, f.rec);
	for (i = 0; i < THREADS; i++) {
		w[i] = (struct worker){.f = &f, .id = i, .seed = i + 99};
		assert_int_equal(os_thread_create(&w[i].t, "worker", worker_main, &w[i]), 0);
	}
	for (i = 0; i < THREADS; i++)
		os_thread_join(w[i].t);
	assert_int_equal(fx_detach(&f), 0);
	crash_end(&c, f.rec);
	fx_close(&f);
	for (cut = 0; cut <= c.count; cut++) {
		check_workers(&opt, &c, w, cut, CRASH_ALL_COMPLETED);
		check_workers(&opt, &c, w, cut, CRASH_ONLY_DURABLE);
		check_workers(&opt, &c, w, cut, CRASH_RANDOM);
	}
	crash_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_JB_29_wrap_at_each_offset),
		cmocka_unit_test(test_every_cut_tiny_log),
		cmocka_unit_test(test_every_cut_no_checksums),
		cmocka_unit_test(test_every_cut_v2),
		cmocka_unit_test(test_every_cut_v1),
		cmocka_unit_test(test_every_cut_larger_log),
		cmocka_unit_test(test_every_cut_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
