/* What happens when there is no space, no memory or no device in the middle of a change. */
#include "map_test.h"

static u64 free_blocks(struct tmap *t)
{
	struct space_counts c;

	fixture_commit(&t->f);
	space_counts(&t->f.v, &c);
	return c.free_blocks;
}

static u64 claimed(struct tmap *t)
{
	struct space_counts c;

	space_counts(&t->f.v, &c);
	return c.claimed;
}

/* Four extents in the root: the next one needs a tree block. */
static void fill_root(struct tmap *t, lblk_t lblk, u32 count)
{
	struct mapping m;
	u32 i;

	for (i = 0; i < count; i++)
		assert_int_equal(tmap_create(t, lblk + 2 * i, 1, 0, &m), 0);
}

static void open_small(struct tmap *t)
{
	tmap_open(t, 16 << 20, "-b 1024 -N 64", true, FIXTURE_MEMORY);
}

/* IO-13: no tree block, so the data blocks go back. */
static void test_IO_13_insertion_without_space(void **state)
{
	struct tmap t;
	struct mapping m;
	u64 before;

	open_small(&t);
	fill_root(&t, 0, 4);
	before = free_blocks(&t);
	tmap_fault("map_alloc_tree", 1, true);
	assert_int_equal(tmap_create(&t, 100, 10, 0, &m), -ENOSPC);
	assert_int_equal(tmap_fault_hits(), 1);
	tmap_fault_off();
	assert_int_equal(free_blocks(&t), before);
	tmap_expect(&t, 100, 10, MAP_HOLE);
	tmap_check(&t, 4);
	tmap_close(&t);
}

/* IO-13, IO-23: delayed blocks stay delayed and keep their claims. */
static void test_IO_13_claims_survive(void **state)
{
	struct tmap t;
	struct mapping m;
	u32 newly;

	open_small(&t);
	fill_root(&t, 0, 4);
	assert_int_equal(space_claim(&t.f.v, 10, 0), 0);
	assert_int_equal(map_delay(&t.fm, 100, 10, &newly), 0);
	tmap_fault("map_alloc_tree", 1, true);
	assert_int_equal(tmap_create(&t, 100, 10, MAP_CREATE_CLAIMED, &m), -ENOSPC);
	tmap_fault_off();
	tmap_expect(&t, 100, 10, MAP_DELAYED);
	assert_int_equal(claimed(&t), 10);
	assert_int_equal(tmap_create(&t, 100, 10, MAP_CREATE_CLAIMED, &m), 0);
	assert_int_equal(claimed(&t), 0);
	tmap_check(&t, 14);
	tmap_close(&t);
}

/* IO-6: blocks that could not be zeroed never become visible. */
static void test_IO_6_zeroing_fails(void **state)
{
	struct tmap t;
	struct mapping m;
	u64 before;

	open_small(&t);
	before = free_blocks(&t);
	tmap_fault("map_zero", 1, true);
	assert_int_equal(tmap_create(&t, 0, 10, MAP_CREATE_ZERO, &m), -EIO);
	tmap_fault_off();
	assert_int_equal(free_blocks(&t), before);
	tmap_expect(&t, 0, 10, MAP_HOLE);
	tmap_check(&t, 0);
	tmap_close(&t);
}

/* Twenty poisoned unwritten blocks at `lblk` and a full root. */
static pblk_t poisoned(struct tmap *t, lblk_t lblk, u32 flags)
{
	struct mapping m;

	open_small(t);
	tmap_poison(t, 200, 0x5a);
	assert_int_equal(tmap_create(t, lblk, 20, flags, &m), 0);
	assert_int_equal(m.len, 20);
	assert_true(tmap_block_is(t, m.pblk, 0x5a));
	fill_root(t, lblk + 50, 3);
	return m.pblk;
}

static void expect_bytes(struct tmap *t, pblk_t pblk, u32 len, u8 byte)
{
	for (; len > 0; len--, pblk++)
		assert_true(tmap_block_is(t, pblk, byte));
}

static void write_blocks(struct tmap *t, pblk_t pblk, u32 len, u8 byte)
{
	u8 block[1024];

	memset(block, byte, sizeof(block));
	for (; len > 0; len--, pblk++)
		assert_int_equal(dev_write(t->f.v.dev, pblk * 1024, block, 1024, 0), 0);
}

/* IO-15: the split finds no room: zeroes around the written range, then all is written. */
static void around(u32 from, u32 len)
{
	struct tmap t;
	pblk_t p = poisoned(&t, 0, MAP_CREATE_UNWRITTEN);

	t.fm.size_blocks_hint = 100;
	write_blocks(&t, p + from, len, 0x77);
	tmap_fault("map_alloc_tree", 1, true);
	assert_int_equal(tmap_written(&t, from, len), 0);
	assert_int_equal(tmap_fault_hits(), 1);
	tmap_fault_off();
	tmap_expect(&t, 0, 20, MAP_WRITTEN);
	expect_bytes(&t, p, from, 0);
	expect_bytes(&t, p + from, len, 0x77);
	expect_bytes(&t, p + from + len, 20 - from - len, 0);
	tmap_check(&t, 23);
	tmap_close(&t);
}

static void test_IO_15_middle(void **state)
{
	around(5, 7);
}

static void test_IO_15_head(void **state)
{
	around(0, 3);
}

static void test_IO_15_tail(void **state)
{
	around(16, 4);
}

/* IO-15: to unwritten: zeroes the range alone and leaves it written. */
static void test_IO_15_to_unwritten(void **state)
{
	struct tmap t;
	pblk_t p = poisoned(&t, 0, 0);

	tmap_fault("map_alloc_tree", 1, true);
	assert_int_equal(tmap_unwritten(&t, 5, 7), 0);
	assert_int_equal(tmap_fault_hits(), 1);
	tmap_fault_off();
	tmap_expect(&t, 0, 20, MAP_WRITTEN);
	expect_bytes(&t, p, 5, 0x5a);
	expect_bytes(&t, p + 5, 7, 0);
	expect_bytes(&t, p + 12, 8, 0x5a);
	tmap_check(&t, 23);
	tmap_close(&t);
}

/*
 * IO-16: beyond the file's end nothing is marked written. A free slot keeps the tail apart; without
 * one the conversion fails and changes nothing.
 */
static void test_IO_16_not_beyond_the_end(void **state)
{
	struct tmap t;
	pblk_t p = poisoned(&t, 60, MAP_CREATE_UNWRITTEN);

	t.fm.size_blocks_hint = 66;
	tmap_fault("map_alloc_tree", 1, true);
	assert_int_equal(tmap_written(&t, 64, 2), -ENOSPC);
	tmap_expect(&t, 60, 20, MAP_UNWRITTEN);
	expect_bytes(&t, p, 20, 0x5a);
	assert_int_equal(tmap_remove(&t, 110, 111), 0);
	tmap_fault("map_alloc_tree", 1, true);
	assert_int_equal(tmap_written(&t, 64, 2), 0);
	assert_int_equal(tmap_fault_hits(), 1);
	tmap_fault_off();
	tmap_expect(&t, 60, 6, MAP_WRITTEN);
	tmap_expect(&t, 66, 14, MAP_UNWRITTEN);
	expect_bytes(&t, p, 4, 0);
	expect_bytes(&t, p + 4, 16, 0x5a);
	tmap_check(&t, 22);
	tmap_close(&t);
}

/* IO-18: neither room nor a device that zeroes: nothing has changed, and the cache says so. */
static bool no_room_no_zero(const char *name)
{
	return strcmp(name, "map_alloc_tree") == 0 || strcmp(name, "map_zero") == 0;
}

static void test_IO_18_failed_conversion(void **state)
{
	struct tmap t;
	pblk_t p = poisoned(&t, 0, MAP_CREATE_UNWRITTEN);

	t.fm.size_blocks_hint = 100;
	tmap_expect(&t, 0, 20, MAP_UNWRITTEN);
	fault_hook = no_room_no_zero;
	assert_int_equal(tmap_written(&t, 5, 7), -EIO);
	fault_hook = NULL;
	tmap_expect(&t, 0, 20, MAP_UNWRITTEN);
	expect_bytes(&t, p, 20, 0x5a);
	tmap_check(&t, 23);
	assert_int_equal(tmap_written(&t, 5, 7), 0);
	tmap_expect(&t, 5, 7, MAP_WRITTEN);
	tmap_expect(&t, 12, 8, MAP_UNWRITTEN);
	tmap_check(&t, 23);
	tmap_close(&t);
}

/* IO-18: each tree allocation of a deep split fails once; the tree stays whole every time. */
static void test_IO_18_each_allocation_fails(void **state)
{
	struct tmap t;
	struct mapping m;
	u32 i, nth, data = 0;

	tmap_open(&t, 32 << 20, "-b 1024 -N 64", true, FIXTURE_MEMORY);
	for (i = 0; i < 4 * 84; i++, data++)
		assert_int_equal(tmap_create(&t, 10 * i, 1, 0, &m), 0);
	for (i = 0; i < 200; i++) {
		lblk_t lblk = 10 * (i * 37 % 336) + 1 + i / 100;

		for (nth = 1;; nth++) {
			int err;

			tmap_fault("map_alloc_tree", nth, false);
			err = tmap_create(&t, lblk + 2, 1, 0, &m);
			tmap_check(&t, data + !err);
			if (!err)
				break;
			assert_int_equal(err, -ENOSPC);
			assert_true(nth < 8);
		}
		data++;
	}
	tmap_fault_off();
	assert_int_equal(tmap_depth(&t), 2);
	tmap_close(&t);
}

/* IO-18: the tree write of each kind of change fails: afterwards the cache agrees with the tree. */
static void write_fails(const char *point)
{
	struct tmap t;
	struct mapping m;
	struct handle h;
	u32 kind;
	int err = 0;

	open_small(&t);
	assert_int_equal(tmap_create(&t, 0, 100, MAP_CREATE_UNWRITTEN, &m), 0);
	assert_int_equal(tmap_written(&t, 20, 20), 0);
	fill_root(&t, 200, 4);
	for (kind = 0; kind < 5; kind++) {
		(void)tmap_lookup(&t, 0, 100); /* so that the cache has something to forget */
		(void)tmap_lookup(&t, 30, 100);
		(void)tmap_lookup(&t, 300, 100);
		fixture_start(&t.f, &h, 200, 10);
		tmap_fault(point, 1, false);
		if (kind == 0)
			err = map_convert_written(&h, &t.fm, 50, 2);
		else if (kind == 1)
			err = map_convert_unwritten(&h, &t.fm, 30, 2);
		else if (kind == 2)
			err = map_remove(&h, &t.fm, 60, 62);
		else if (kind == 3)
			err = map_create(&h, &t.fm, 300, 1, 0, &m);
		else
			err = map_shift(&h, &t.fm, 200, 3);
		assert_int_equal(tmap_fault_hits(), 1);
		tmap_fault_off();
		assert_int_equal(err, -EIO);
		assert_int_equal(map_verify_all(&t.fm), 0);
		fixture_stop(&h);
	}
	/* What it was is lost on purpose (IO-13): no e2fsck here. */
	filemap_fini(&t.fm);
	map_cache_destroy(&t.f.v);
	fixture_unmount(&t.f);
	fixture_remove(&t.f);
}

static void test_IO_18_tree_write_fails(void **state)
{
	write_fails("map_tree_access");
	write_fails("map_tree_write");
}

/* An unwritten file that leaves no block to ordinary users, and has no room in its root. */
static u32 open_full(struct tmap *t)
{
	struct space_counts c;
	struct mapping m;
	u32 len = 0;

	tmap_open(t, 8 << 20, "-b 1024 -N 64 -m 0", true, FIXTURE_MEMORY);
	fill_root(t, 100000, 3);
	while (tmap_create(t, len, 100000, MAP_CREATE_UNWRITTEN, &m) == 0)
		len += m.len;
	assert_true(len > 3000);
	space_counts(&t->f.v, &c);
	assert_true(c.free_blocks <= c.reserved_internal && c.reserved_internal > 100);
	assert_int_equal(tmap_create(t, 200000, 1, 0, &m), -ENOSPC);
	return len;
}

/* IO-104: a hole can be punched into an extent although that needs a block. */
static void test_IO_104_punch_on_full(void **state)
{
	struct tmap t;
	u32 len = open_full(&t), i;

	for (i = 0; i < 200; i++)
		assert_int_equal(tmap_remove(&t, 10 * i + 3, 10 * i + 4), 0);
	assert_true(tmap_tree_blocks(&t) > 2);
	tmap_check(&t, len + 3 - 200);
	tmap_close(&t);
}

/* IO-14: so can written data be marked; it is split, not zeroed. */
static void test_IO_14_conversion_on_full(void **state)
{
	struct tmap t;
	u32 len = open_full(&t), i;

	t.fm.size_blocks_hint = 200000;
	for (i = 0; i < 200; i++) {
		assert_int_equal(tmap_written(&t, 10 * i + 4, 2), 0);
		tmap_expect(&t, 10 * i, 4, MAP_UNWRITTEN);
	}
	assert_true(tmap_tree_blocks(&t) > 4);
	tmap_check(&t, len + 3);
	tmap_close(&t);
}

/* The nth allocation of memory fails in a creation that splits: all or nothing. */
static bool create_without_memory(u32 nth, u32 *failures)
{
	struct tmap t;
	struct mapping m;
	struct handle h;
	bool hit;
	int err;

	open_small(&t);
	fill_root(&t, 0, 4);
	tmap_reopen(&t);
	fixture_start(&t.f, &h, map_create_credits(&t.fm, 10), 0);
	tmap_fault("os_alloc", nth, false);
	err = map_create(&h, &t.fm, 20, 10, 0, &m);
	tmap_fault_off();
	hit = tmap_fault_hits() > 0;
	assert_true(!err || err == -ENOMEM);
	assert_true(handle_stop(&h) == 0 || err == -ENOMEM);
	tmap_check(&t, err ? 4 : 14);
	*failures += err != 0;
	t.size_blocks = 30;
	tmap_close(&t);
	return hit;
}

static void test_creation_without_memory(void **state)
{
	u32 nth = 1, failures = 0;

	while (create_without_memory(nth, &failures))
		assert_true(++nth < 100);
	assert_true(failures > 0);
}

/* Delaying fails without memory, undelaying never: memory for its split was set aside. */
static void test_IO_23_delay_without_memory(void **state)
{
	struct tmap t;
	struct mapping m;
	u32 nth, newly, delayed = 0, failures = 0;
	int err = -ENOMEM;

	open_small(&t);
	assert_int_equal(tmap_create(&t, 0, 10, 0, &m), 0);
	tmap_reopen(&t);
	assert_int_equal(space_claim(&t.f.v, 20, 0), 0);
	for (nth = 1; err; nth++) {
		tmap_fault("os_alloc", nth, true);
		err = map_delay(&t.fm, 5, 25, &newly);
		tmap_fault_off();
		assert_true(!err || err == -ENOMEM);
		delayed += newly;
		failures += err != 0;
	}
	assert_true(failures > 0);
	assert_int_equal(delayed, 20);
	tmap_fault("os_alloc", 1, true);
	assert_int_equal(map_undelay(&t.fm, 15, 16), 1);
	map_shrink(&t.f.v, 0);
	tmap_expect(&t, 0, 10, MAP_WRITTEN); /* lookups don't need memory */
	tmap_expect(&t, 10, 5, MAP_DELAYED);
	tmap_expect(&t, 15, 1, MAP_HOLE);
	tmap_expect(&t, 16, 14, MAP_DELAYED);
	tmap_fault_off();
	assert_int_equal(map_undelay(&t.fm, 0, 100), 19);
	space_unclaim(&t.f.v, 20);
	tmap_close(&t);
}

/* IO-7: a block that was a tree node becomes data: its cached image is gone. */
static void test_IO_7_node_becomes_data(void **state)
{
	struct tmap t;
	struct mapping m;
	struct buf *b;
	pblk_t node;
	lblk_t lblk;
	bool reused = false;

	tmap_open(&t, 8 << 20, "-b 1024 -N 64 -O ^has_journal -m 0", true, FIXTURE_MEMORY);
	fill_root(&t, 0, 6);
	assert_int_equal(tmap_depth(&t), 1);
	memcpy(&node, t.fm.root + 16, 4); /* child of the first index entry */
	node &= 0xffffffff;
	b = buf_find(t.f.v.bcache, node);
	assert_non_null(b);
	buf_put(b);
	assert_int_equal(tmap_remove(&t, 0, 0xffffffff), 0);
	fixture_commit(&t.f);
	for (lblk = 0; tmap_create(&t, lblk, 100000, 0, &m) == 0; lblk += m.len) {
		if (node < m.pblk || node >= m.pblk + m.len)
			continue;
		reused = true;
		assert_null(buf_find(t.f.v.bcache, node));
		write_blocks(&t, node, 1, 0x33);
		assert_int_equal(journal_write_dirty(t.f.v.journal), 0);
		assert_true(tmap_block_is(&t, node, 0x33));
	}
	assert_true(reused);
	tmap_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_13_insertion_without_space),
		cmocka_unit_test(test_IO_13_claims_survive),
		cmocka_unit_test(test_IO_6_zeroing_fails),
		cmocka_unit_test(test_IO_15_middle),
		cmocka_unit_test(test_IO_15_head),
		cmocka_unit_test(test_IO_15_tail),
		cmocka_unit_test(test_IO_15_to_unwritten),
		cmocka_unit_test(test_IO_16_not_beyond_the_end),
		cmocka_unit_test(test_IO_18_failed_conversion),
		cmocka_unit_test(test_IO_18_each_allocation_fails),
		cmocka_unit_test(test_IO_18_tree_write_fails),
		cmocka_unit_test(test_IO_104_punch_on_full),
		cmocka_unit_test(test_IO_14_conversion_on_full),
		cmocka_unit_test(test_creation_without_memory),
		cmocka_unit_test(test_IO_23_delay_without_memory),
		cmocka_unit_test(test_IO_7_node_becomes_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
