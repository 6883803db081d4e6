/* Sparse images of 16 TiB and of more than 2^32 blocks: cost must not grow with the groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "model.h"
#include "os/clock.h"

static u64 misses(struct fixture *f)
{
	struct bcache_stats s;

	bcache_stats(f->v.bcache, &s);
	return s.misses;
}

static u64 resident_kib(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long long total, resident = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%llu %llu", &total, &resident), 2);
	fclose(file);
	return resident * 4;
}

struct meter {
	u64 time, misses, kib;
};

static void meter_start(struct meter *m, struct fixture *f)
{
	*m = (struct meter){os_clock_mono(), f->v.bcache ? misses(f) : 0, resident_kib()};
}

/* Prints for people; returns the blocks read since the start. */
static u64 meter_stop(struct meter *m, struct fixture *f, const char *what)
{
	u64 reads = misses(f) - m->misses;

	print_message("%s: %llu us, %llu blocks read, %lld KiB grown\n", what,
		(unsigned long long)((os_clock_mono() - m->time) / 1000), (unsigned long long)reads,
		(long long)(resident_kib() - m->kib));
	return reads;
}

static void alloc_ok(struct fixture *f, const struct alloc_request *req, struct alloc_result *got)
{
	struct handle h;

	fixture_start(f, &h, SPACE_ALLOC_CREDITS, 0);
	assert_int_equal(space_alloc(&h, &f->v, req, got), 0);
	fixture_stop(&h);
	assert_true(got->len > 0 && got->len <= req->len);
}

static void test_AL_16_sixteen_tib(void **unused)
{
	struct fixture f;
	struct meter m;
	struct alloc_result got;
	struct space_counts c;
	u64 trusted;

	fixture_make(&f, 17591112302592ull,
		"-b 4096 -T largefile4 -O ^has_journal,^resize_inode -E "
		"lazy_itable_init=1,nodiscard");
	meter_start(&m, &f);
	fixture_mount(&f, FIXTURE_TRUST);
	assert_true(meter_stop(&m, &f, "mount, trusted") < 10);
	space_counts(&f.v, &c);
	trusted = c.free_blocks;

	meter_start(&m, &f);
	for (u32 i = 0; i < 1000; i++) { /* all over the place */
		struct alloc_request req = {
			.len = 2048, .group_hint = i * 131 % 134000, .flags = SPACE_MUST};

		alloc_ok(&f, &req, &got);
		assert_int_equal(got.len, 2048);
	}
	assert_true(meter_stop(&m, &f, "1000 allocations in 1000 groups") <= 1000 * 2 + 10);

	meter_start(&m, &f);
	for (u32 i = 0; i < 2000; i++) {
		struct alloc_request req = {.len = 4096, .group_hint = 777, .flags = SPACE_MUST};

		alloc_ok(&f, &req, &got);
		assert_int_equal(got.len, 4096);
	}
	/* 250 groups filled one after the other: a new bitmap each, and a few descriptors */
	assert_true(meter_stop(&m, &f, "2000 allocations of 16 MiB from one hint") < 300);
	meter_start(&m, &f);
	for (u32 i = 0; i < 100000; i++)
		assert_int_equal(space_range_check(&f.v, 12, got.pblk, got.len), 0);
	meter_stop(&m, &f, "100000 range checks");
	fixture_unmount(&f);
	assert_int_equal(f.errors, 0);

	free(fixture_run(&f, "debugfs -w -R 'ssv free_blocks_count 123456789' %s"));
	fixture_mount(&f, FIXTURE_TRUST);
	space_counts(&f.v, &c);
	assert_int_equal(c.free_blocks, 123456789); /* no descriptor was looked at */
	fixture_crash(&f);
	meter_start(&m, &f);
	fixture_mount(&f, 0); /* MD-12 */
	meter_stop(&m, &f, "mount, summing all descriptors");
	space_counts(&f.v, &c);
	assert_int_equal(c.free_blocks, trusted - 1000 * 2048 - 2000 * 4096);
	fixture_unmount(&f);
	fixture_remove(&f);
}

/* AL-23, MD-14: more than 2^32 blocks, with meta_bg, since the descriptors fit no group. */
static void test_AL_23_blocks_beyond_32_bits(void **unused)
{
	struct fixture f;
	struct alloc_result got;
	struct alloc_request req = {.len = 500, .flags = SPACE_MUST};
	struct handle h;

	fixture_make(&f, 5ull << 40,
		"-b 1024 -T largefile4 -O meta_bg,^has_journal,^resize_inode -E "
		"lazy_itable_init=1,nodiscard");
	fixture_mount(&f, FIXTURE_TRUST);
	assert_true(f.v.sb.blocks_count > 1ull << 32);
	req.goal = (1ull << 32) + 123456;
	req.group_hint = (group_nr)((req.goal - 1) / 8192);
	alloc_ok(&f, &req, &got);
	assert_true(got.pblk > 1ull << 32);
	assert_int_equal(space_range_check(&f.v, 12, got.pblk, got.len), 0);
	req.flags |= SPACE_LOW32;
	for (int i = 0; i < 100; i++) {
		alloc_ok(&f, &req, &got);
		assert_true(got.pblk + got.len <= 1ull << 32);
	}
	req.goal = 0;
	alloc_ok(&f, &req, &got);
	assert_true(got.pblk + got.len <= 1ull << 32);
	fixture_start(&f, &h, 8, 0);
	assert_int_equal(space_free(&h, &f.v, 12, got.pblk, got.len, 0), 0);
	fixture_stop(&h);
	fixture_unmount(&f);
	assert_int_equal(f.errors, 0);
	fixture_remove(&f);
}

static void test_inode_cost_on_many_groups(void **unused)
{
	struct fixture f;
	struct meter m;
	struct inode_alloc_request req = {.parent = 2};
	struct handle h;
	ino_nr ino;

	fixture_make(&f, 17591112302592ull,
		"-b 4096 -T largefile4 -O ^has_journal,^resize_inode -E "
		"lazy_itable_init=1,nodiscard");
	fixture_mount(&f, FIXTURE_TRUST);
	meter_start(&m, &f);
	for (u32 i = 0; i < 2000; i++) {
		req.dir = i % 10 == 0;
		req.parent_top = req.dir && i % 20 == 0;
		req.name_hash = i * 2654435761u;
		fixture_start(&f, &h, SPACE_INODE_CREDITS, 0);
		assert_int_equal(space_inode_alloc(&h, &f.v, &req, &ino), 0);
		fixture_stop(&h);
		if (req.dir)
			req.parent = ino;
	}
	meter_stop(&m, &f, "2000 inodes");
	fixture_unmount(&f);
	assert_int_equal(f.errors, 0);
	fixture_remove(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_AL_16_sixteen_tib),
		cmocka_unit_test(test_AL_23_blocks_beyond_32_bits),
		cmocka_unit_test(test_inode_cost_on_many_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
