/* Indirect maps: shape, limits, empty tables, revokes. */
#include "map_test.h"

#include "base/endian.h"
#include "map/indirect.h"

enum { PER = 256 }; /* pointers per 1 KiB block */

static void create_one(struct tmap *t, lblk_t lblk)
{
	struct mapping m;

	assert_int_equal(tmap_create(t, lblk, 1, 0, &m), 0);
	assert_true(m.fresh && m.state == MAP_WRITTEN && m.len == 1);
}

static void open_1k(struct tmap *t, const char *mke2fs)
{
	tmap_open(t, 32 << 20, mke2fs, false, FIXTURE_MEMORY);
}

/* Each level needs so many tables, and gives them back when its last block goes (IO-102). */
static void test_levels(void **state)
{
	static const struct {
		u64 lblk;
		u32 tables;
	} at[] = {{0, 0}, {11, 0}, {12, 1}, {12 + PER - 1, 1}, {12 + PER, 2},
		{12 + PER + PER * PER - 1, 2}, {12 + PER + PER * PER, 3},
		{12 + PER + PER * PER + PER * PER * PER - 1ull, 3}};
	struct tmap t;
	u32 i;

	open_1k(&t, "-b 1024");
	for (i = 0; i < array_len(at); i++) {
		create_one(&t, (lblk_t)at[i].lblk);
		assert_int_equal(tmap_tree_blocks(&t), at[i].tables);
		tmap_check(&t, 1);
		assert_int_equal(tmap_remove(&t, (lblk_t)at[i].lblk, (lblk_t)at[i].lblk + 1), 0);
		assert_int_equal(t.blocks, 0);
	}
	for (i = 0; i < array_len(at); i++)
		create_one(&t, (lblk_t)at[i].lblk);
	tmap_check(&t, array_len(at));
	assert_int_equal(tmap_remove(&t, 12, 0xffffffff), 0);
	tmap_check(&t, 2);
	assert_int_equal(tmap_tree_blocks(&t), 0);
	t.size_blocks = 12;
	tmap_close(&t);
}

/* IO-12, IO-3: beyond the reach there is a hole of full length, and no allocation. */
static void test_IO_12_reach(void **state)
{
	struct tmap t;
	struct mapping m;
	u32 reach = 12 + PER + PER * PER + PER * PER * PER, newly;

	open_1k(&t, "-b 1024");
	assert_int_equal(tmap_create(&t, reach, 1, 0, &m), -EFBIG);
	assert_int_equal(map_delay(&t.fm, reach - 1, 2, &newly), -EFBIG);
	assert_int_equal(newly, 0);
	m = tmap_lookup(&t, reach, 0xffffffff);
	assert_true(m.state == MAP_HOLE && m.len == 0xffffffff - reach);
	m = tmap_lookup(&t, 0, 0xffffffff);
	assert_true(m.state == MAP_HOLE && m.len >= 12);
	assert_int_equal(tmap_unwritten(&t, 0, 1), -EOPNOTSUPP);
	assert_int_equal(tmap_shift(&t, 1, 1), -EOPNOTSUPP);
	assert_int_equal(tmap_remove(&t, reach, 0xffffffff), 0);
	tmap_close(&t);
}

/* A run of pointers is one mapping, as long as it stays in one table. */
static void test_runs(void **state)
{
	struct tmap t;
	struct mapping m;
	lblk_t lblk;
	u32 steps = 0;

	open_1k(&t, "-b 1024 -O ^has_journal");
	for (lblk = 0; lblk < 2000; lblk += m.len, steps++)
		assert_int_equal(tmap_create(&t, lblk, 2000 - lblk, 0, &m), 0);
	assert_true(steps < 20);
	assert_int_equal(tmap_tree_blocks(&t), 1 + 1 + 7);
	map_shrink(&t.f.v, 0);
	m = tmap_lookup(&t, 12, 1000);
	assert_int_equal(m.len, PER);
	tmap_check(&t, 2000);
	/* A hole in the middle; its tables stay as long as they hold anything. */
	assert_int_equal(tmap_remove(&t, 100, 1900), 0);
	tmap_check(&t, 200);
	assert_int_equal(tmap_tree_blocks(&t), 1 + 1 + 1);
	tmap_close(&t);
}

/* Tables without a pointer, left by others, are freed with the range they stand in. */
static void test_empty_tables_go(void **state)
{
	struct tmap t;
	struct le32 zero[PER] = {{0}};
	lblk_t lblk = 12 + PER + 5 * PER;
	struct buf *b;
	struct handle h;
	struct indirect_path path;
	s64 data = 1;

	open_1k(&t, "-b 1024");
	create_one(&t, lblk);
	create_one(&t, 0);
	fixture_start(&t.f, &h, 4, 0);
	os_rwsem_lock_shared(&t.fm.lock);
	assert_int_equal(indirect_walk(&t.fm, lblk, &path), 0);
	assert_int_equal(path.reached, 3);
	b = path.step[2].buf;
	assert_int_equal(
		space_free(&h, &t.f.v, 12, le32_to_cpu(path.step[2].table[path.slot[2]]), 1, 0), 0);
	assert_int_equal(buf_write_access(&h, b), 0);
	memcpy(b->data, zero, sizeof(zero));
	assert_int_equal(buf_dirty(&h, b), 0);
	indirect_release(&path);
	os_rwsem_unlock_shared(&t.fm.lock);
	t.blocks -= data;
	fixture_stop(&h);
	map_shrink(&t.f.v, 0);
	tmap_check(&t, 1);
	assert_int_equal(tmap_tree_blocks(&t), 2);
	assert_int_equal(tmap_remove(&t, 0, 0xffffffff), 0);
	assert_int_equal(t.blocks, 0);
	t.size_blocks = 0;
	tmap_close(&t);
}

/* IO-13: a table that can't be allocated: nothing of the call remains. */
static void test_IO_13_tables_without_space(void **state)
{
	struct tmap t;
	struct mapping m;
	u32 nth;

	open_1k(&t, "-b 1024");
	for (nth = 1; nth <= 3; nth++) {
		tmap_fault("map_alloc_tree", nth, false);
		assert_int_equal(tmap_create(&t, 12 + PER + PER * PER, 9, 0, &m), -ENOSPC);
		assert_int_equal(t.blocks, 0);
	}
	tmap_fault("map_alloc_data", 1, false);
	assert_int_equal(tmap_create(&t, 12 + PER + PER * PER, 9, 0, &m), -ENOSPC);
	tmap_fault_off();
	tmap_check(&t, 0);
	tmap_close(&t);
}

/* JB-15: freed tables are revoked, plain data blocks are not; metadata data blocks are. */
static void revokes(bool metadata, bool extents, u32 len, u64 want)
{
	struct tmap t;
	struct mapping m;
	struct journal_stats before, after;
	struct buf_ctx ctx = {.csum_seed = 1};
	struct buf *b;
	struct handle h;
	u32 i;

	tmap_open(&t, 32 << 20, "-b 1024", extents, FIXTURE_MEMORY);
	t.fm.metadata_data = metadata;
	for (i = 0; i < len; i++) {
		lblk_t lblk = len > 100 ? i : 4 * i; /* one long run, or many short ones */

		assert_int_equal(tmap_create(&t, lblk, 1, MAP_CREATE_METADATA, &m), 0);
		if (!metadata)
			continue;
		fixture_start(&t.f, &h, 1, 0);
		assert_int_equal(
			buf_create(&h, t.f.v.bcache, m.pblk, &indirect_buf_type, &ctx, &b), 0);
		assert_int_equal(buf_dirty(&h, b), 0);
		buf_put(b);
		fixture_stop(&h);
	}
	fixture_commit(&t.f);
	journal_stats(t.f.v.journal, &before);
	assert_int_equal(tmap_remove(&t, 0, 0xffffffff), 0);
	fixture_commit(&t.f);
	journal_stats(t.f.v.journal, &after);
	assert_int_equal(after.revokes - before.revokes, want);
	t.size_blocks = 0;
	tmap_close(&t);
}

static void test_JB_15_revokes(void **state)
{
	revokes(false, true, 20, 1);
	revokes(false, false, 20, 1);
	revokes(true, true, 20, 21);
	revokes(true, false, 20, 21);
	/* longer than one step of a removal */
	revokes(true, true, 250, 250);
	revokes(true, false, 250, 251);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_IO_12_reach),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_empty_tables_go),
		cmocka_unit_test(test_IO_13_tables_without_space),
		cmocka_unit_test(test_JB_15_revokes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
