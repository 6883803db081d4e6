/* The status cache: bounded over all maps, delayed blocks untouchable, answers without the tree. */
#include "map_test.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "map/map_priv.h"

enum { FILES = 8 };

static int no_dirty(struct handle *h, struct filemap *fm, bool record)
{
	return 0;
}

static void no_blocks(struct filemap *fm, s64 blocks)
{
}

static const struct filemap_ops quiet_ops = {.dirty = no_dirty, .add_blocks = no_blocks};

static void set(struct filemap *fm, lblk_t lblk, u32 len, pblk_t pblk, enum map_state state)
{
	os_rwsem_lock(&fm->lock);
	assert_int_equal(status_reserve(fm), 0);
	status_set(fm, lblk, len, pblk, state);
	os_rwsem_unlock(&fm->lock);
}

static void expect(struct filemap *fm, lblk_t lblk, u32 len, pblk_t pblk, enum map_state state)
{
	struct mapping m;

	assert_true(status_lookup(fm, lblk, &m));
	assert_int_equal(m.state, state);
	assert_int_equal(m.len, len);
	assert_int_equal(m.pblk, pblk);
}

static void setup(struct tmap *t, u64 max_entries)
{
	tmap_open(t, 16 << 20, "-b 1024", true, FIXTURE_MEMORY);
	filemap_fini(&t->fm);
	map_cache_destroy(&t->f.v);
	assert_int_equal(map_cache_create(&t->f.v, max_entries), 0);
	filemap_init_empty(&t->fm, &t->f.v, &quiet_ops, 12, tmap_seed(t), true);
}

static void teardown(struct tmap *t)
{
	filemap_fini(&t->fm);
	map_cache_destroy(&t->f.v);
	fixture_unmount(&t->f);
	fixture_remove(&t->f);
}

static void test_merge_and_split(void **state)
{
	struct tmap t;
	struct mapping m;

	setup(&t, 0);
	set(&t.fm, 10, 5, 100, MAP_WRITTEN);
	set(&t.fm, 15, 5, 105, MAP_WRITTEN);
	expect(&t.fm, 10, 10, 100, MAP_WRITTEN);
	set(&t.fm, 20, 5, 111, MAP_WRITTEN); /* a gap on the device */
	expect(&t.fm, 10, 10, 100, MAP_WRITTEN);
	set(&t.fm, 12, 2, 102, MAP_UNWRITTEN); /* another state */
	expect(&t.fm, 10, 2, 100, MAP_WRITTEN);
	expect(&t.fm, 13, 1, 103, MAP_UNWRITTEN);
	expect(&t.fm, 14, 6, 104, MAP_WRITTEN);
	assert_int_equal(t.fm.status.count, 4);
	set(&t.fm, 12, 2, 102, MAP_WRITTEN);
	assert_int_equal(t.fm.status.count, 2);
	set(&t.fm, 0, 0xffffffff, 0, MAP_HOLE);
	expect(&t.fm, 1, 0xfffffffe, 0, MAP_HOLE);
	assert_int_equal(t.fm.status.count, 1);
	assert_int_equal(map_cache_entries(&t.f.v), 1);
	os_rwsem_lock(&t.fm.lock);
	assert_int_equal(status_reserve(&t.fm), 0);
	status_forget(&t.fm, 5, 10);
	os_rwsem_unlock(&t.fm.lock);
	assert_false(status_lookup(&t.fm, 7, &m));
	expect(&t.fm, 0, 5, 0, MAP_HOLE);
	expect(&t.fm, 10, 0xfffffff5, 0, MAP_HOLE);
	teardown(&t);
}

/* IO-20: what is filled from the tree never overrides anything; delayed blocks clip it. */
static void test_IO_20_fill_conflicts(void **state)
{
	struct tmap t;
	struct mapping m = {.lblk = 0, .len = 100, .state = MAP_HOLE};

	setup(&t, 0);
	set(&t.fm, 20, 5, 0, MAP_DELAYED);
	set(&t.fm, 40, 5, 0, MAP_DELAYED);
	os_rwsem_lock_shared(&t.fm.lock);
	status_fill(&t.fm, 30, &m);
	assert_true(m.lblk == 25 && m.len == 15);
	m = (struct mapping){.lblk = 0, .len = 100, .state = MAP_HOLE};
	status_fill(&t.fm, 50, &m);
	assert_true(m.lblk == 45 && m.len == 55);
	/* Another thread was faster: its answer, not the tree's, which knows no delayed blocks. */
	m = (struct mapping){.lblk = 0, .len = 100, .state = MAP_HOLE};
	status_fill(&t.fm, 30, &m);
	assert_true(m.lblk == 25 && m.len == 15);
	/* What touches known ranges of the same state comes back together with them. */
	m = (struct mapping){.lblk = 100, .len = 7, .state = MAP_HOLE};
	status_fill(&t.fm, 103, &m);
	assert_true(m.lblk == 45 && m.len == 62);
	os_rwsem_unlock_shared(&t.fm.lock);
	expect(&t.fm, 20, 5, 0, MAP_DELAYED);
	assert_int_equal(map_undelay(&t.fm, 0, 100), 10);
	teardown(&t);
}

/* IO-20: shrinking takes from every map, second chance first, but never delayed blocks. */
static void test_IO_20_shrink(void **state)
{
	struct tmap t;
	struct filemap *fm = calloc(FILES, sizeof(*fm));
	struct mapping m;
	u32 i, k;

	setup(&t, 0);
	for (i = 0; i < FILES; i++) {
		filemap_init_empty(&fm[i], &t.f.v, &quiet_ops, 12, 0, true);
		for (k = 0; k < 1000; k++)
			set(&fm[i], 2 * k, 1, 5000 + 2 * k, MAP_WRITTEN);
		set(&fm[i], 5000, 3, 0, MAP_DELAYED);
	}
	assert_int_equal(map_cache_entries(&t.f.v), FILES * 1001);
	map_shrink(&t.f.v, FILES * 500);
	assert_true(map_cache_entries(&t.f.v) <= FILES * 500);
	for (i = 0; i < FILES; i++)
		assert_true(fm[i].status.count < 1001);
	map_shrink(&t.f.v, 0);
	assert_int_equal(map_cache_entries(&t.f.v), FILES);
	for (i = 0; i < FILES; i++) {
		expect(&fm[i], 5000, 3, 0, MAP_DELAYED);
		assert_int_equal(map_undelay(&fm[i], 5001, 5002), 1);
		assert_int_equal(map_undelay(&fm[i], 0, 6000), 2);
		assert_false(status_lookup(&fm[i], 5000, &m));
		filemap_fini(&fm[i]);
	}
	free(fm);
	teardown(&t);
}

/* A range in use survives a pass of the shrinker that drops the others. */
static void test_shrink_second_chance(void **state)
{
	struct tmap t;
	struct mapping m;
	u32 k;

	setup(&t, 0);
	for (k = 0; k < 400; k++)
		set(&t.fm, 2 * k, 1, 5000 + 2 * k, MAP_WRITTEN);
	map_shrink(&t.f.v, 399); /* every entry loses its mark, one goes */
	for (k = 100; k < 110; k++)
		assert_true(status_lookup(&t.fm, 2 * k, &m));
	map_shrink(&t.f.v, 15);
	for (k = 100; k < 110; k++)
		assert_true(status_lookup(&t.fm, 2 * k, &m));
	teardown(&t);
}

/* Lookups alone keep the cache below its bound. */
static void test_bound(void **state)
{
	struct tmap t;
	struct mapping m;
	struct handle h;
	u32 i;

	setup(&t, 200);
	for (i = 0; i < 1000; i++) {
		fixture_start(&t.f, &h, map_create_credits(&t.fm, 1), 0);
		assert_int_equal(map_create(&h, &t.fm, 3 * i, 1, 0, &m), 0);
		fixture_stop(&h);
	}
	for (i = 0; i < 3000; i++) {
		assert_int_equal(map_lookup(&t.fm, i, 1, &m), 0);
		assert_int_equal(m.state, i % 3 ? MAP_HOLE : MAP_WRITTEN);
	}
	assert_true(map_cache_entries(&t.f.v) <= 201);
	assert_int_equal(map_verify_all(&t.fm), 0);
	fixture_start(&t.f, &h, map_remove_credits(&t.fm), map_remove_revokes(&t.fm));
	assert_int_equal(map_remove(&h, &t.fm, 0, 0xffffffff), 0);
	fixture_stop(&h);
	teardown(&t);
}

/* For callers that must not block: what the cache does not know is EAGAIN, not read. */
/* IO-4: who asks for what the cache knows is not made to read the tree. */
static void test_cached_only(void **state)
{
	struct tmap t;
	struct mapping m;

	setup(&t, 0);
	assert_int_equal(map_lookup_cached(&t.fm, 5, 1, &m), -EAGAIN);
	assert_int_equal(map_lookup(&t.fm, 5, 1, &m), 0);
	assert_int_equal(map_lookup_cached(&t.fm, 7, 10, &m), 0);
	assert_true(m.state == MAP_HOLE && m.len == 10 && m.lblk == 7);
	assert_int_equal(map_lookup_cached(&t.fm, 0xffffffff, 1, &m), -EFBIG);
	teardown(&t);
}

/* True when block 10, in one state, may become another, perhaps at another place. */
static bool may_follow(struct filemap *fm, enum map_state from, enum map_state to, pblk_t to_pblk)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)!freopen("/dev/null", "w", stderr); /* what the assertion says */
		set(fm, 10, 1, 100, from);
		set(fm, 10, 1, to_pblk, to);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) || WTERMSIG(status) == SIGABRT);
	return WIFEXITED(status);
}

/* IO-2: delayed comes of a hole alone, and a block does not move by changing its state. */
static void test_IO_2_states(void **state)
{
#ifdef UEXT4_DEBUG
	bool checked = true;
#else
	bool checked = false;
#endif
	struct tmap t;

	setup(&t, 0);
	for (int from = MAP_HOLE; from <= MAP_WRITTEN; from++)
		for (int to = MAP_HOLE; to <= MAP_WRITTEN; to++) {
			bool moves = map_state_mapped(from) && map_state_mapped(to);

			assert_int_equal(may_follow(&t.fm, from, to, 100),
				!checked || to != MAP_DELAYED || !map_state_mapped(from));
			assert_int_equal(may_follow(&t.fm, from, to, 200),
				!checked ||
					(!moves && (to != MAP_DELAYED || !map_state_mapped(from))));
		}
	teardown(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge_and_split),
		cmocka_unit_test(test_IO_20_fill_conflicts),
		cmocka_unit_test(test_IO_20_shrink),
		cmocka_unit_test(test_shrink_second_chance),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_cached_only),
		cmocka_unit_test(test_IO_2_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
