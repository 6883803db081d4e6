/* Several threads on one map. Meant for the thread sanitizer as well. */
#include "map_test.h"

#include "os/thread.h"

enum { BLOCKS = 600, ROUNDS = 40 };

struct shared {
	struct tmap t;
	u32 fresh;   /* atomic: blocks allocated */
	u32 errors;  /* atomic */
	u32 at_gate; /* atomic: threads between the two lookups of map_create */
	bool stop;   /* atomic */
	u32 flags;
	pblk_t pblk[BLOCKS];
};

static struct shared *s;

static void create_all(void *arg)
{
	u32 step = (u32)(uintptr_t)arg, i;
	struct mapping m;
	struct handle h;

	for (i = 0; i < BLOCKS; i++) {
		lblk_t lblk = i * step % BLOCKS;

		if (handle_start(s->t.f.v.journal, &h, map_create_credits(&s->t.fm, 1), 0))
			atomic_add(&s->errors, 1);
		if (map_create(&h, &s->t.fm, lblk, 1, s->flags, &m) || m.state != MAP_WRITTEN)
			atomic_add(&s->errors, 1);
		else if (m.fresh)
			atomic_add(&s->fresh, m.len);
		if (handle_stop(&h))
			atomic_add(&s->errors, 1);
	}
}

static void shared_open(u32 flags)
{
	s = calloc(1, sizeof(*s));
	s->flags = flags;
	tmap_open(&s->t, 16 << 20, "-b 1024", true, FIXTURE_MEMORY);
}

static void shared_close(void)
{
	assert_int_equal(s->errors, 0);
	tmap_close(&s->t);
	free(s);
}

/* IO-5: whoever comes second finds the block. */
static void test_IO_5_allocated_once(void **state)
{
	static const u32 steps[] = {1, 1, 7, 599};
	struct os_thread *threads[array_len(steps)];
	u32 i;

	shared_open(0);
	s->t.size_blocks = BLOCKS;
	for (i = 0; i < array_len(steps); i++)
		assert_int_equal(os_thread_create(&threads[i], "create", create_all,
					 (void *)(uintptr_t)steps[i]),
			0);
	for (i = 0; i < array_len(steps); i++)
		os_thread_join(threads[i]);
	assert_int_equal(s->fresh, BLOCKS);
	tmap_check(&s->t, BLOCKS);
	shared_close();
}

/* IO-5, exactly: the second thread has seen the hole before the first one fills it. */
static void gate(const char *name, u64 a, u64 b)
{
	if (strcmp(name, "map_create_miss") != 0)
		return;
	atomic_add(&s->at_gate, 1);
	while (atomic_load_acq(&s->at_gate) < 2)
		os_yield();
}

static void create_first(void *arg)
{
	struct mapping m;
	struct handle h;

	if (handle_start(s->t.f.v.journal, &h, map_create_credits(&s->t.fm, 1), 0) ||
		map_create(&h, &s->t.fm, 5, 1, 0, &m) || handle_stop(&h))
		atomic_add(&s->errors, 1);
	atomic_add(&s->fresh, m.fresh);
}

static void test_IO_5_both_saw_the_hole(void **state)
{
	struct os_thread *a, *b;

	shared_open(0);
	s->t.size_blocks = 6;
	trace_hook = gate;
	assert_int_equal(os_thread_create(&a, "a", create_first, NULL), 0);
	assert_int_equal(os_thread_create(&b, "b", create_first, NULL), 0);
	os_thread_join(a);
	os_thread_join(b);
	trace_hook = NULL;
	assert_int_equal(s->at_gate, 2);
	assert_int_equal(s->fresh, 1);
	tmap_check(&s->t, 1);
	shared_close();
}

/* IO-6: as soon as a reader sees a block it reads zeros. */
static void read_all(void *arg)
{
	struct mapping m;
	u32 i = 0, k;

	while (!atomic_load_acq(&s->stop)) {
		i = (i + 17) % BLOCKS;
		if (map_lookup(&s->t.fm, i, BLOCKS - i, &m)) {
			atomic_add(&s->errors, 1);
			continue;
		}
		for (k = 0; m.state == MAP_WRITTEN && k < m.len; k += 50) {
			if (!tmap_block_is(&s->t, m.pblk + k, 0))
				atomic_add(&s->errors, 1);
		}
	}
}

static void test_IO_6_zeros_from_the_start(void **state)
{
	struct os_thread *readers[2], *writer;
	u32 i;

	shared_open(MAP_CREATE_ZERO);
	tmap_poison(&s->t, 2000, 0x5a);
	s->t.size_blocks = BLOCKS;
	for (i = 0; i < 2; i++)
		assert_int_equal(os_thread_create(&readers[i], "read", read_all, NULL), 0);
	assert_int_equal(os_thread_create(&writer, "create", create_all, (void *)(uintptr_t)7), 0);
	os_thread_join(writer);
	atomic_store_rel(&s->stop, true);
	for (i = 0; i < 2; i++)
		os_thread_join(readers[i]);
	tmap_check(&s->t, BLOCKS);
	shared_close();
}

/* Lookups, the shrinker, and another range that comes and goes: this range never changes. */
static void churn(void *arg)
{
	struct mapping m;
	struct handle h;
	u32 i;

	for (i = 0; i < ROUNDS; i++) {
		u32 k;

		for (k = 0; k < 20; k++) {
			if (handle_start(
				    s->t.f.v.journal, &h, map_create_credits(&s->t.fm, 4), 0) ||
				map_create(&h, &s->t.fm, BLOCKS + 3 * k, 2, MAP_CREATE_UNWRITTEN,
					&m) ||
				map_convert_written(&h, &s->t.fm, BLOCKS + 3 * k, 1) ||
				handle_stop(&h))
				atomic_add(&s->errors, 1);
		}
		if (handle_start(s->t.f.v.journal, &h, map_remove_credits(&s->t.fm),
			    map_remove_revokes(&s->t.fm)) ||
			map_remove(&h, &s->t.fm, BLOCKS, 0xffffffff) || handle_stop(&h))
			atomic_add(&s->errors, 1);
		map_shrink(&s->t.f.v, 5);
	}
}

static void watch(void *arg)
{
	struct mapping m;
	u32 i = 0, k;

	while (!atomic_load_acq(&s->stop)) {
		i = (i + 13) % BLOCKS;
		if (map_lookup(&s->t.fm, i, BLOCKS - i, &m) || m.state != MAP_WRITTEN) {
			atomic_add(&s->errors, 1);
			continue;
		}
		for (k = 0; k < m.len; k++) {
			if (s->pblk[i + k] != m.pblk + k)
				atomic_add(&s->errors, 1);
		}
	}
}

static void test_IO_20_lookups_during_changes(void **state)
{
	struct os_thread *watchers[2], *worker;
	struct mapping m;
	u32 i, k;

	shared_open(0);
	for (i = 0; i < BLOCKS; i += m.len) {
		assert_int_equal(tmap_create(&s->t, (i * 7) % BLOCKS, 1, 0, &m), 0);
		s->pblk[m.lblk] = m.pblk;
	}
	for (i = 0, k = 0; i < BLOCKS; i++)
		k += s->pblk[i] != 0;
	assert_int_equal(k, BLOCKS);
	s->t.size_blocks = BLOCKS + 100;
	for (i = 0; i < 2; i++)
		assert_int_equal(os_thread_create(&watchers[i], "watch", watch, NULL), 0);
	assert_int_equal(os_thread_create(&worker, "churn", churn, NULL), 0);
	os_thread_join(worker);
	atomic_store_rel(&s->stop, true);
	for (i = 0; i < 2; i++)
		os_thread_join(watchers[i]);
	tmap_check(&s->t, BLOCKS);
	shared_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_5_allocated_once),
		cmocka_unit_test(test_IO_5_both_saw_the_hole),
		cmocka_unit_test(test_IO_6_zeros_from_the_start),
		cmocka_unit_test(test_IO_20_lookups_during_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
