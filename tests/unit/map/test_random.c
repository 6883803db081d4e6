/*
 * Random operations against a model: an array with the state and place of each
 * block. After every operation the map must agree with the model, the cache
 * with the tree, the block count with both; at the end e2fsck must agree.
 */
#include "map_test.h"

#include <stdio.h>

enum { BLOCKS_MAX = 4096, WINDOWS_MAX = 6 };

struct window {
	lblk_t start;
	u32 len, first; /* first: its index in the model */
};

struct model {
	struct tmap *t;
	u8 state[BLOCKS_MAX];
	pblk_t pblk[BLOCKS_MAX];
	struct window w[WINDOWS_MAX];
	u32 windows, blocks;
	u64 seed;
};

/* One randomly chosen range inside a window. */
struct range {
	lblk_t lblk;
	u32 len, i; /* i: index of lblk in the model */
};

static void window_add(struct model *m, lblk_t start, u32 len)
{
	m->w[m->windows++] = (struct window){start, len, m->blocks};
	m->blocks += len;
	assert_true(m->blocks <= BLOCKS_MAX);
}

static struct range pick(struct model *m, u32 len_max)
{
	struct window *w = &m->w[tmap_random(&m->seed, m->windows)];
	u32 at = tmap_random(&m->seed, w->len), rest = w->len - at;

	return (struct range){w->start + at,
		1 + tmap_random(&m->seed, rest < len_max ? rest : len_max), w->first + at};
}

static u32 count_state(const struct model *m, u32 first, u32 len, enum map_state s)
{
	u32 n = 0, i;

	for (i = first; i < first + len; i++)
		n += m->state[i] == s;
	return n;
}

static void compare_window(struct model *m, const struct window *w)
{
	u32 at = 0, k;

	while (at < w->len) {
		struct mapping got = tmap_lookup(m->t, w->start + at, w->len - at);

		for (k = 0; k < got.len; k++) {
			u32 i = w->first + at + k;

			if (m->state[i] != got.state)
				fail_msg("block %u: %d, model %d", w->start + at + k, got.state,
					m->state[i]);
			if (got.state >= MAP_UNWRITTEN)
				assert_int_equal(m->pblk[i], got.pblk + k);
		}
		at += got.len;
	}
}

static void compare(struct model *m)
{
	struct space_counts counts;
	u64 data = 0;
	u32 i;

	for (i = 0; i < m->windows; i++)
		compare_window(m, &m->w[i]);
	for (i = 0; i < m->blocks; i++)
		data += m->state[i] >= MAP_UNWRITTEN;
	tmap_check(m->t, data);
	space_counts(&m->t->f.v, &counts);
	assert_int_equal(counts.claimed, count_state(m, 0, m->blocks, MAP_DELAYED));
}

static void op_create(struct model *m)
{
	static const u32 flags[] = {0, MAP_CREATE_UNWRITTEN, MAP_CREATE_ZERO, MAP_CREATE_CLAIMED};
	struct range r = pick(m, tmap_random(&m->seed, 3) ? 4 : 200);
	u32 flag = flags[tmap_random(&m->seed, 4)], k;
	enum map_state was = m->state[r.i], now = MAP_WRITTEN;
	struct mapping got;

	if (flag == MAP_CREATE_UNWRITTEN && m->t->extents)
		now = MAP_UNWRITTEN;
	assert_int_equal(tmap_create(m->t, r.lblk, r.len, flag, &got), 0);
	assert_int_equal(got.fresh, was < MAP_UNWRITTEN);
	assert_true(got.lblk == r.lblk && got.len >= 1 && got.len <= r.len);
	for (k = 0; k < got.len; k++) {
		assert_int_equal(m->state[r.i + k], was);
		if (!got.fresh)
			continue;
		m->state[r.i + k] = (u8)now;
		m->pblk[r.i + k] = got.pblk + k;
		if (flag == MAP_CREATE_ZERO)
			assert_true(tmap_block_is(m->t, got.pblk + k, 0));
	}
}

static void op_written(struct model *m)
{
	struct range r = pick(m, 20);
	u32 holes = count_state(m, r.i, r.len, MAP_HOLE) + count_state(m, r.i, r.len, MAP_DELAYED);
	u32 k;
	int err = tmap_written(m->t, r.lblk, r.len);

	assert_int_equal(err, holes && m->t->extents ? -ESTALE : 0);
	for (k = 0; k < r.len && m->state[r.i + k] >= MAP_UNWRITTEN; k++)
		m->state[r.i + k] = MAP_WRITTEN;
}

/* Blocks that the map allocated on its own: the model asks where. */
static void learn(struct model *m, lblk_t lblk, u32 i)
{
	struct mapping got = tmap_lookup(m->t, lblk, 1);

	m->pblk[i] = got.pblk;
}

static void op_unwritten(struct model *m)
{
	struct range r = pick(m, 20);
	u32 k;
	int err = tmap_unwritten(m->t, r.lblk, r.len);

	assert_int_equal(err, m->t->extents ? 0 : -EOPNOTSUPP);
	for (k = 0; k < r.len && !err; k++) {
		if (m->state[r.i + k] < MAP_UNWRITTEN)
			learn(m, r.lblk + k, r.i + k);
		m->state[r.i + k] = MAP_UNWRITTEN;
	}
}

static void op_remove(struct model *m)
{
	struct range r = pick(m, tmap_random(&m->seed, 8) ? 8 : 300);
	u32 k;

	assert_int_equal(tmap_remove(m->t, r.lblk, r.lblk + r.len), 0);
	for (k = 0; k < r.len; k++) {
		if (m->state[r.i + k] >= MAP_UNWRITTEN)
			m->state[r.i + k] = MAP_HOLE;
	}
}

static void op_delay(struct model *m)
{
	struct range r = pick(m, 30);
	u32 holes = count_state(m, r.i, r.len, MAP_HOLE), newly, k;

	assert_int_equal(space_claim(&m->t->f.v, r.len, 0), 0);
	assert_int_equal(map_delay(&m->t->fm, r.lblk, r.len, &newly), 0);
	assert_int_equal(newly, holes);
	space_unclaim(&m->t->f.v, r.len - newly);
	for (k = 0; k < r.len; k++) {
		if (m->state[r.i + k] == MAP_HOLE)
			m->state[r.i + k] = MAP_DELAYED;
	}
}

static void undelay(struct model *m, struct range r)
{
	u32 n = count_state(m, r.i, r.len, MAP_DELAYED), k;

	assert_int_equal(map_undelay(&m->t->fm, r.lblk, r.lblk + r.len), n);
	space_unclaim(&m->t->f.v, n);
	for (k = 0; k < r.len; k++) {
		if (m->state[r.i + k] == MAP_DELAYED)
			m->state[r.i + k] = MAP_HOLE;
	}
}

static void op_undelay(struct model *m)
{
	undelay(m, pick(m, 60));
}

/* Extent maps with one window: blocks that leave it on the right must be holes. */
static void op_shift(struct model *m)
{
	struct window *w = &m->w[0];
	u32 delta = 1 + tmap_random(&m->seed, 30);
	u32 from = delta + tmap_random(&m->seed, w->len - 2 * delta), n = w->len - from;
	bool left = tmap_random(&m->seed, 2);
	struct range all = {0, w->len, 0};
	u32 gap = left ? from - delta : w->len - delta, i;

	undelay(m, all);
	assert_int_equal(tmap_remove(m->t, gap, gap + delta), 0);
	assert_int_equal(tmap_shift(m->t, from, left ? -(s64)delta : (s64)delta), 0);
	if (left) {
		memmove(m->state + from - delta, m->state + from, n);
		memmove(m->pblk + from - delta, m->pblk + from, n * sizeof(pblk_t));
		gap = w->len - delta;
	} else {
		memmove(m->state + from + delta, m->state + from, n - delta);
		memmove(m->pblk + from + delta, m->pblk + from, (n - delta) * sizeof(pblk_t));
		gap = from;
	}
	for (i = gap; i < gap + delta; i++)
		m->state[i] = MAP_HOLE;
	m->t->size_blocks = w->len;
}

static void op_misc(struct model *m)
{
	switch (tmap_random(&m->seed, 4)) {
	case 0:
		map_shrink(&m->t->f.v, tmap_random(&m->seed, 50));
		break;
	case 1:
		fixture_commit(&m->t->f);
		break;
	case 2:
		if (count_state(m, 0, m->blocks, MAP_DELAYED) == 0)
			tmap_reopen(m->t);
		break;
	default:
		break;
	}
}

static void step(struct model *m)
{
	switch (tmap_random(&m->seed, 16)) {
	case 0:
	case 1:
		op_written(m);
		break;
	case 2:
	case 3:
		op_unwritten(m);
		break;
	case 4:
	case 5:
		op_remove(m);
		break;
	case 6:
	case 7:
		op_delay(m);
		break;
	case 8:
		op_undelay(m);
		break;
	case 9:
		op_misc(m);
		break;
	case 10:
		if (m->windows == 1 && m->t->extents)
			op_shift(m);
		break;
	default:
		op_create(m);
		break;
	}
}

static void run(struct model *m, u32 steps)
{
	u32 i;
	struct range r;

	for (i = 0; i < steps; i++) {
		step(m);
		compare(m);
		if (i % 40 == 0)
			fixture_commit(&m->t->f); /* freed blocks become free */
	}
	for (i = 0; i < m->windows; i++) {
		r = (struct range){m->w[i].start, m->w[i].len, m->w[i].first};
		undelay(m, r);
	}
	compare(m);
	tmap_finish(m->t);
	fixture_remove(&m->t->f);
}

static struct model *model_new(u64 seed, const char *mke2fs, bool extents)
{
	struct model *m = calloc(1, sizeof(*m));

	m->seed = seed;
	m->t = calloc(1, sizeof(*m->t));
	tmap_open(m->t, 48 << 20, mke2fs, extents, FIXTURE_MEMORY);
	return m;
}

static void model_free(struct model *m)
{
	tmap_fault_off();
	free(m->t);
	free(m);
}

static void random_extents(const char *mke2fs, u64 seed, u32 blocks, u32 steps, u32 restart_every)
{
	struct model *m = model_new(seed, mke2fs, true);

	window_add(m, 0, blocks);
	if (restart_every)
		tmap_fault_every("map_restart", restart_every);
	run(m, steps);
	model_free(m);
}

static void test_extents_1k(void **state)
{
	random_extents("-b 1024", 1, 1500, 1200, 0);
}

static void test_extents_1k_restarts(void **state)
{
	random_extents("-b 1024 -J size=1", 2, 1500, 800, 2);
}

static void test_extents_4k(void **state)
{
	random_extents("-b 4096", 3, 3000, 800, 3);
}

static void test_extents_no_journal(void **state)
{
	random_extents("-b 1024 -O ^has_journal,^metadata_csum", 4, 1000, 600, 2);
}

/* IO-12: the last legal block, and places so far apart that keys differ in every byte. */
static void test_IO_12_extents_sparse(void **state)
{
	struct model *m = model_new(5, "-b 1024", true);

	window_add(m, 0, 200);
	window_add(m, 0x01020304, 200);
	window_add(m, 0x7fffff80, 200);
	window_add(m, 0xfffffffe - 199, 200);
	run(m, 1000);
	model_free(m);
}

static void random_indirect(const char *mke2fs, u64 seed, u32 per, u32 restart_every)
{
	struct model *m = model_new(seed, mke2fs, false);
	u32 single = 12 + per, dbl = single + per * per;

	window_add(m, 0, 150);
	window_add(m, single - 60, 150);
	window_add(m, single + per - 60, 100);
	window_add(m, dbl - 60, 150);
	window_add(m, dbl + per * per - 40, 80);
	if (restart_every)
		tmap_fault_every("map_restart", restart_every);
	run(m, 1200);
	model_free(m);
}

static void test_indirect_1k(void **state)
{
	random_indirect("-b 1024", 6, 256, 2);
}

static void test_indirect_4k(void **state)
{
	random_indirect("-b 4096 -O ^has_journal", 7, 1024, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_extents_1k),
		cmocka_unit_test(test_extents_1k_restarts),
		cmocka_unit_test(test_extents_4k),
		cmocka_unit_test(test_extents_no_journal),
		cmocka_unit_test(test_IO_12_extents_sparse),
		cmocka_unit_test(test_indirect_1k),
		cmocka_unit_test(test_indirect_4k),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
