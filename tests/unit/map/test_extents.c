/* Extent trees: shape, limits, merging, and the same list of extents as debugfs sees. */
#include "map_test.h"

#include "map/extent_tree.h"

#include <stdio.h>

static const char MKE2FS_1K[] = "-b 1024 -N 64";

static void create_all(struct tmap *t, lblk_t lblk, u32 len, u32 flags)
{
	struct mapping m;

	for (; len > 0; lblk += m.len, len -= m.len) {
		assert_int_equal(tmap_create(t, lblk, len, flags, &m), 0);
		assert_true(m.fresh);
	}
}

/* One long handle per many blocks keeps deep trees affordable. */
static void create_every_second(struct tmap *t, u32 count, bool descending)
{
	struct handle h;
	struct mapping m;
	u32 i;

	fixture_start(&t->f, &h, 100, 0);
	for (i = 0; i < count; i++) {
		u32 lblk = 2 * (descending ? count - 1 - i : i);
		int r = handle_ensure(&h, map_create_credits(&t->fm, 1), 0);

		assert_true(r >= 0);
		if (r > 0)
			assert_int_equal(handle_restart(&h, 100, 0), 0);
		assert_int_equal(map_create(&h, &t->fm, lblk, 1, 0, &m), 0);
	}
	fixture_stop(&h);
	t->size_blocks = 2ull * count;
}

/*
 * IO-10: 84 entries per node, 4 in the root. Ascending and descending leave nearly full nodes, so
 * depth 3 begins behind 4 * 84 * 84 entries.
 */
static void deep(bool descending)
{
	struct tmap t;
	u32 count = 29000, i;

	tmap_open(&t, 160 << 20, MKE2FS_1K, true, FIXTURE_MEMORY);
	create_every_second(&t, count, descending);
	assert_int_equal(tmap_depth(&t), 3);
	assert_int_equal(tmap_extents(&t), count);
	assert_true(tmap_tree_blocks(&t) < count / 82 + count / (82 * 82) + 6);
	tmap_check(&t, count);
	map_shrink(&t.f.v, 0);
	for (i = 0; i < count; i += 97) {
		tmap_expect(&t, 2 * i, 1, MAP_WRITTEN);
		tmap_expect(&t, 2 * i + 1, 1, MAP_HOLE);
	}
	tmap_finish(&t);
	fixture_remove(&t.f);
}

static void test_IO_10_ascending_to_depth_3(void **state)
{
	deep(false);
}

static void test_IO_10_descending_to_depth_3(void **state)
{
	deep(true);
}

/* IO-98, IO-21: a deep tree goes away in many small transactions; nothing is left. */
static void test_IO_98_remove_deep_tree(void **state)
{
	struct tmap t;

	tmap_open(&t, 64 << 20, "-b 1024 -N 64 -J size=1", true, FIXTURE_MEMORY);
	create_every_second(&t, 8000, false);
	assert_int_equal(tmap_depth(&t), 2);
	assert_int_equal(tmap_remove(&t, 1001, 9001), 0);
	tmap_check(&t, 4000);
	tmap_expect(&t, 1001, 8000, MAP_HOLE);
	tmap_expect(&t, 1000, 1, MAP_WRITTEN);
	tmap_expect(&t, 9002, 1, MAP_WRITTEN);
	tmap_fault_every("map_restart", 2);
	assert_int_equal(tmap_remove(&t, 0, 0xffffffff), 0);
	assert_true(tmap_fault_hits() > 100);
	tmap_check(&t, 0);
	assert_int_equal(t.blocks, 0);
	assert_int_equal(tmap_depth(&t), 0);
	tmap_close(&t);
}

/* IO-8: a written extent holds 32768 blocks, an unwritten one 32767. */
static void test_IO_8_longest_extents(void **state)
{
	struct tmap t;

	/* One flex group with its metadata in front: more than 65536 blocks in a row. */
	tmap_open(&t, 640 << 20, "-b 4096 -N 64 -G 8 -J size=4", true, 0);
	create_all(&t, 0, 70000, 0);
	tmap_check(&t, 70000);
	assert_int_equal(tmap_unwritten(&t, 0, 70000), 0);
	tmap_check(&t, 70000);
	map_shrink(&t.f.v, 0);
	tmap_expect(&t, 0, 70000, MAP_UNWRITTEN);
	tmap_reopen(&t);
	tmap_expect(&t, 0, 70000, MAP_UNWRITTEN);
	assert_int_equal(tmap_written(&t, 0, 70000), 0);
	tmap_check(&t, 70000);
	tmap_expect(&t, 0, 70000, MAP_WRITTEN);
	tmap_close(&t);
}

/* The splice itself at the limit: 32768 unwritten would read as written. */
static void test_IO_8_merge_stops_at_limit(void **state)
{
	struct tmap t;
	struct mapping m;
	u32 i, len;

	tmap_open(&t, 640 << 20, "-b 4096 -N 64 -G 8 -J size=4", true, 0);
	create_all(&t, 0, 40000, MAP_CREATE_UNWRITTEN);
	map_shrink(&t.f.v, 0);
	for (i = 0; i < 40000; i += len) {
		assert_int_equal(map_lookup(&t.fm, i, 40000, &m), 0);
		assert_int_equal(m.state, MAP_UNWRITTEN);
		len = m.len;
		map_shrink(&t.f.v, 0);
	}
	tmap_check(&t, 40000);
	tmap_close(&t);
}

/* IO-12: the last legal block works in every operation; the sentinel is refused. */
static void test_IO_12_last_block(void **state)
{
	struct tmap t;
	struct mapping m;

	tmap_open(&t, 16 << 20, "-b 1024", true, FIXTURE_MEMORY);
	assert_int_equal(map_lookup(&t.fm, 0xffffffff, 1, &m), -EFBIG);
	assert_int_equal(tmap_create(&t, 0xffffffff, 1, 0, &m), -EFBIG);
	assert_int_equal(tmap_written(&t, 0xfffffffe, 2), -EFBIG);
	assert_int_equal(tmap_create(&t, 0xfffffffe, 100, MAP_CREATE_UNWRITTEN, &m), 0);
	assert_int_equal(m.len, 1);
	m = tmap_lookup(&t, 0xfffffff0, 0xffff);
	assert_int_equal(m.len, 14);
	m = tmap_lookup(&t, 0, 0xffffffff);
	assert_int_equal(m.state, MAP_HOLE);
	assert_int_equal(m.len, 0xfffffffe);
	assert_int_equal(tmap_written(&t, 0xfffffffe, 1), 0);
	tmap_expect(&t, 0xfffffffe, 1, MAP_WRITTEN);
	assert_int_equal(tmap_shift(&t, 0, 1), -EFBIG);
	assert_int_equal(tmap_remove(&t, 0xfffffffe, 0xffffffff), 0);
	tmap_check(&t, 0);
	t.size_blocks = 0;
	tmap_close(&t);
}

/* IO-12: what the format can address, and i_blocks count. */
static void test_IO_12_max_bytes(void **state)
{
	struct volume v = {.sb = {.block_size = 4096, .block_bits = 12}};

	v.sb.feature_ro_compat = EXT4_FEATURE_RO_COMPAT_HUGE_FILE;
	assert_int_equal(filemap_max_bytes(&v, true), 0xffffffffull * 4096);
	assert_int_equal(filemap_max_bytes(&v, false),
		(12 + 1024ull + 1024 * 1024 + 1024ull * 1024 * 1024) * 4096);
	v.sb.feature_ro_compat = 0;
	assert_int_equal(filemap_max_bytes(&v, true), 0xffffffffull / 8 * 4096);
	assert_true(filemap_max_bytes(&v, false) < 1ull << 41);
	v.sb.block_size = 65536;
	v.sb.block_bits = 16;
	v.sb.feature_ro_compat = EXT4_FEATURE_RO_COMPAT_HUGE_FILE;
	assert_int_equal(filemap_max_bytes(&v, false), 0xffffffffull * 65536);
}

/* IO-19: converted from either end, a preallocated range stays at two extents. */
static void convert_from_end(bool descending)
{
	struct tmap t;
	u32 i, n = 64;

	tmap_open(&t, 16 << 20, "-b 1024", true, FIXTURE_MEMORY);
	create_all(&t, 0, n, MAP_CREATE_UNWRITTEN);
	assert_int_equal(tmap_extents(&t), 1);
	for (i = 0; i < n; i++) {
		u32 lblk = descending ? n - 1 - i : i;

		assert_int_equal(tmap_written(&t, lblk, 1), 0);
		assert_int_equal(tmap_extents(&t), i == n - 1 ? 1 : 2);
		tmap_check(&t, n);
	}
	tmap_expect(&t, 0, n, MAP_WRITTEN);
	tmap_close(&t);
}

static void test_IO_19_ascending(void **state)
{
	convert_from_end(false);
}

static void test_IO_19_descending(void **state)
{
	convert_from_end(true);
}

/* IO-9: states never merge with each other, and holes filled in any order end as one extent. */
static void test_IO_9_merging(void **state)
{
	struct tmap t;
	struct mapping m;

	tmap_open(&t, 16 << 20, "-b 1024", true, FIXTURE_MEMORY);
	create_all(&t, 0, 30, 0);
	m = tmap_lookup(&t, 0, 30);
	assert_int_equal(m.len, 30);
	assert_int_equal(tmap_unwritten(&t, 10, 10), 0);
	assert_int_equal(tmap_extents(&t), 3);
	m = tmap_lookup(&t, 0, 30);
	assert_int_equal(m.len, 10);
	assert_int_equal(tmap_written(&t, 12, 3), 0);
	assert_int_equal(tmap_extents(&t), 5);
	assert_int_equal(tmap_written(&t, 15, 5), 0);
	assert_int_equal(tmap_extents(&t), 3);
	assert_int_equal(tmap_written(&t, 10, 2), 0);
	assert_int_equal(tmap_extents(&t), 1);
	tmap_check(&t, 30);
	tmap_close(&t);
}

/* IO-18, IO-43: converting a piece leaves what is known of the rest in the cache, where it is true.
 */
static void test_IO_18_conversion_keeps_neighbours(void **state)
{
	struct tmap t;
	struct mapping m;

	tmap_open(&t, 16 << 20, MKE2FS_1K, true, FIXTURE_MEMORY);
	create_all(&t, 0, 100, MAP_CREATE_UNWRITTEN);
	assert_int_equal(map_lookup(&t.fm, 0, 100, &m), 0);
	assert_int_equal(tmap_written(&t, 40, 10), 0);
	assert_int_equal(map_lookup_cached(&t.fm, 0, 100, &m), 0);
	assert_true(m.state == MAP_UNWRITTEN && m.len == 40);
	assert_int_equal(map_lookup_cached(&t.fm, 40, 60, &m), 0);
	assert_true(m.state == MAP_WRITTEN && m.len == 10);
	assert_int_equal(map_lookup_cached(&t.fm, 99, 1, &m), 0);
	assert_true(m.state == MAP_UNWRITTEN);
	assert_int_equal(tmap_unwritten(&t, 42, 3), 0);
	assert_int_equal(map_lookup_cached(&t.fm, 45, 20, &m), 0);
	assert_true(m.state == MAP_WRITTEN && m.len == 5);
	t.size_blocks = 100;
	tmap_check(&t, 100);
	tmap_close(&t);
}

/* IO-3: a hole is at least one block long and stops at the next delayed block. */
static void test_IO_3_hole_stops_at_delayed(void **state)
{
	struct tmap t;
	struct mapping m;
	u32 newly;

	tmap_open(&t, 16 << 20, "-b 1024", true, FIXTURE_MEMORY);
	assert_int_equal(space_claim(&t.f.v, 3, 0), 0);
	assert_int_equal(map_delay(&t.fm, 10, 3, &newly), 0);
	assert_int_equal(newly, 3);
	m = tmap_lookup(&t, 0, 1000);
	assert_true(m.state == MAP_HOLE && m.len == 10);
	m = tmap_lookup(&t, 11, 1000);
	assert_true(m.state == MAP_DELAYED && m.len == 2);
	m = tmap_lookup(&t, 13, 1000);
	assert_true(m.state == MAP_HOLE && m.len == 1000);
	/* An unwritten allocation over it takes the claims along, and all three facts are told at
	 * once. */
	assert_int_equal(tmap_create(&t, 10, 50, MAP_CREATE_UNWRITTEN | MAP_CREATE_CLAIMED, &m), 0);
	assert_true(m.fresh && m.state == MAP_UNWRITTEN && m.len == 3);
	assert_int_equal(map_undelay(&t.fm, 0, 100), 0);
	tmap_check(&t, 3);
	tmap_close(&t);
}

/* IO-22: each change of the mapping shows in the cookie, lookups don't. */
static void test_IO_22_cookie(void **state)
{
	struct tmap t;
	struct mapping m;
	u64 cookie;

	tmap_open(&t, 16 << 20, "-b 1024", true, FIXTURE_MEMORY);
	cookie = tmap_lookup(&t, 0, 1).cookie;
	create_all(&t, 0, 8, MAP_CREATE_UNWRITTEN);
	m = tmap_lookup(&t, 0, 1);
	assert_int_not_equal(m.cookie, cookie);
	assert_int_equal(tmap_lookup(&t, 0, 1).cookie, m.cookie);
	cookie = m.cookie;
	assert_int_equal(tmap_written(&t, 0, 4), 0);
	m = tmap_lookup(&t, 0, 1);
	assert_int_not_equal(m.cookie, cookie);
	cookie = m.cookie;
	assert_int_equal(tmap_remove(&t, 0, 1), 0);
	assert_int_not_equal(tmap_lookup(&t, 1, 1).cookie, cookie);
	tmap_close(&t);
}

/* IO-106, IO-107: what a shift refuses, and that it keeps states. */
static void test_IO_106_107_shift(void **state)
{
	struct tmap t;
	u32 newly;

	tmap_open(&t, 16 << 20, "-b 1024", true, FIXTURE_MEMORY);
	create_all(&t, 0, 20, MAP_CREATE_UNWRITTEN);
	assert_int_equal(tmap_written(&t, 10, 10), 0);
	assert_int_equal(space_claim(&t.f.v, 1, 0), 0);
	assert_int_equal(map_delay(&t.fm, 30, 1, &newly), 0);
	assert_int_equal(tmap_shift(&t, 5, 4), -EBUSY);
	assert_int_equal(tmap_shift(&t, 25, -4), -EBUSY);
	assert_int_equal(map_undelay(&t.fm, 30, 31), 1);
	space_unclaim(&t.f.v, 1);
	assert_int_equal(tmap_shift(&t, 10, -3), -EINVAL);
	assert_int_equal(tmap_shift(&t, 2, -3), -EINVAL);
	assert_int_equal(tmap_shift(&t, 5, 4), 0); /* splits the unwritten extent */
	tmap_expect(&t, 0, 5, MAP_UNWRITTEN);
	tmap_expect(&t, 5, 4, MAP_HOLE);
	tmap_expect(&t, 9, 5, MAP_UNWRITTEN);
	tmap_expect(&t, 14, 10, MAP_WRITTEN);
	tmap_check(&t, 20);
	assert_int_equal(tmap_shift(&t, 9, -4), 0);
	assert_int_equal(tmap_extents(&t), 2); /* merged again at the seam */
	tmap_expect(&t, 0, 10, MAP_UNWRITTEN);
	tmap_check(&t, 20);
	tmap_close(&t);
}

/* IO-107: over many leaves, in both directions, in many transactions. */
static void test_IO_108_shift_deep(void **state)
{
	struct tmap t;
	u32 i;

	tmap_open(&t, 32 << 20, "-b 1024 -N 64 -J size=1", true, FIXTURE_MEMORY);
	create_every_second(&t, 3000, false);
	tmap_fault_every("map_restart", 2);
	assert_int_equal(tmap_shift(&t, 100, 7), 0);
	tmap_check(&t, 3000);
	for (i = 0; i < 3000; i++)
		tmap_expect(&t, 2 * i + (i >= 50 ? 7 : 0), 1, MAP_WRITTEN);
	assert_int_equal(tmap_shift(&t, 107, -7), 0);
	tmap_check(&t, 3000);
	for (i = 0; i < 3000; i++)
		tmap_expect(&t, 2 * i, 1, MAP_WRITTEN);
	tmap_close(&t);
}

/* Each extent as "lblk len pblk state" lines, ours and those of debugfs. */
static char *our_list(struct tmap *t)
{
	struct extent_path path;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	u64 next = 0;
	u32 i;

	os_rwsem_lock_shared(&t->fm.lock);
	while (next < LBLK_END) {
		assert_int_equal(extent_walk(&t->fm, (lblk_t)next, &path), 0);
		for (i = 0; i < node_count(extent_leaf(&path)->node); i++) {
			struct extent_entry e = node_extent(extent_leaf(&path)->node, i);

			fprintf(out, "%u %u %llu %u\n", e.lblk, e.len, (unsigned long long)e.pblk,
				e.unwritten);
		}
		next = path.end;
		extent_release(&path);
	}
	os_rwsem_unlock_shared(&t->fm.lock);
	fclose(out);
	return text;
}

static char *debugfs_list(struct tmap *t)
{
	char *raw = fixture_run(&t->f, "debugfs -R 'ex <12>' %s"), *line, *save = NULL,
	     *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (line = strtok_r(raw, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned level, levels, at, of, first, last, len;
		unsigned long long pfirst, plast;

		if (sscanf(line, "%u/%u %u/%u %u - %u %llu - %llu %u", &level, &levels, &at, &of,
			    &first, &last, &pfirst, &plast, &len) != 9 ||
			level != levels)
			continue;
		fprintf(out, "%u %u %llu %u\n", first, len, pfirst, strstr(line, "Uninit") != NULL);
	}
	fclose(out);
	free(raw);
	return text;
}

/* The same image seen by e2fsprogs: e2fsck is clean and debugfs lists the same extents. */
static void test_debugfs_agrees(void **state)
{
	struct tmap t;
	char *ours, *theirs;
	u32 i;

	tmap_open(&t, 32 << 20, "-b 1024 -N 64", true, 0);
	create_every_second(&t, 700, true);
	for (i = 0; i < 200; i += 3)
		assert_int_equal(tmap_unwritten(&t, 2 * i, 2), 0);
	assert_int_equal(tmap_remove(&t, 900, 950), 0);
	ours = our_list(&t);
	tmap_finish(&t);
	theirs = debugfs_list(&t);
	assert_string_equal(ours, theirs);
	assert_true(strlen(ours) > 1000);
	free(ours);
	free(theirs);
	fixture_remove(&t.f);
}

/* IO-24: a change below the root tells the inode too, else fdatasync would not wait for it. */
static void test_IO_24_leaf_changes_tell_the_inode(void **state)
{
	struct tmap t;
	u32 before;

	tmap_open(&t, 16 << 20, MKE2FS_1K, true, FIXTURE_MEMORY);
	create_every_second(&t, 40, false);
	assert_int_equal(tmap_depth(&t), 1);
	before = t.dirties;
	assert_int_equal(tmap_unwritten(&t, 20, 1), 0);
	assert_int_equal(t.dirties, before + 1);
	assert_int_equal(tmap_written(&t, 20, 1), 0);
	assert_int_equal(t.dirties, before + 2);
	assert_int_equal(tmap_shift(&t, 60, 1), 0);
	assert_true(t.dirties > before + 2);
	t.size_blocks++;
	tmap_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_10_ascending_to_depth_3),
		cmocka_unit_test(test_IO_10_descending_to_depth_3),
		cmocka_unit_test(test_IO_98_remove_deep_tree),
		cmocka_unit_test(test_IO_8_longest_extents),
		cmocka_unit_test(test_IO_8_merge_stops_at_limit),
		cmocka_unit_test(test_IO_12_last_block),
		cmocka_unit_test(test_IO_12_max_bytes),
		cmocka_unit_test(test_IO_19_ascending),
		cmocka_unit_test(test_IO_19_descending),
		cmocka_unit_test(test_IO_9_merging),
		cmocka_unit_test(test_IO_18_conversion_keeps_neighbours),
		cmocka_unit_test(test_IO_3_hole_stops_at_delayed),
		cmocka_unit_test(test_IO_22_cookie),
		cmocka_unit_test(test_IO_106_107_shift),
		cmocka_unit_test(test_IO_108_shift_deep),
		cmocka_unit_test(test_debugfs_agrees),
		cmocka_unit_test(test_IO_24_leaf_changes_tell_the_inode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
