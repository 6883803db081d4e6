/* The in-memory free map against a plain array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/util.h"
#include "space/buddy.h"

static u64 state = 88172645463325252ull;

static u32 rnd(u32 n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (u32)(state >> 11) % n;
}

static void random_pattern(u32 nbits, unsigned steps)
{
	u8 *model = calloc(1, nbits);
	u8 *map = calloc(1, nbits / 8 + 9);
	struct buddy *b = buddy_create(nbits), *rebuilt = buddy_create(nbits);

	for (u32 i = 0; i < nbits; i++)
		model[i] = 1;
	for (unsigned n = 0; n < steps; n++) {
		u32 start = rnd(nbits), len = 1 + rnd(min_of(nbits - start, 300u)), end = start;

		while (end < start + len && model[end] == model[start])
			end++;
		if (model[start])
			buddy_give(b, start, end - start);
		else
			buddy_take(b, start, end - start);
		memset(model + start, !model[start], end - start);
		if (n % 64 == 0)
			assert_true(buddy_check(b));
	}
	assert_true(buddy_check(b));
	for (u32 i = 0; i < nbits; i++) {
		assert_int_equal(bit_test(b->used, i), model[i]);
		if (model[i])
			bit_set(map, i);
	}
	buddy_build(rebuilt, map);
	assert_true(buddy_check(rebuilt));
	assert_int_equal(rebuilt->free, b->free);
	assert_memory_equal(rebuilt->count, b->count, sizeof(b->count));
	buddy_destroy(rebuilt);
	buddy_destroy(b);
	free(model);
	free(map);
}

static void test_buddy_random(void **unused)
{
	random_pattern(1, 10);
	random_pattern(7, 200);
	random_pattern(1000, 2000);
	random_pattern(8192, 3000);
	random_pattern(32768, 3000);
	random_pattern(524288, 500);
}

static void test_buddy_find(void **unused)
{
	struct buddy *b = buddy_create(4096);
	u32 start;

	assert_int_equal(buddy_find(b, 0, 1, UINT32_MAX, &start), 0);
	assert_int_equal(buddy_largest_order(b), -1);
	buddy_give(b, 100, 10);
	buddy_give(b, 200, 50);
	buddy_give(b, 3000, 500);
	assert_int_equal(b->fragments, 3);
	assert_int_equal(buddy_average_fragment(b), 186);
	assert_int_equal(buddy_find(b, 0, 10, UINT32_MAX, &start), 10);
	assert_int_equal(start, 100);
	assert_int_equal(buddy_find(b, 0, 40, UINT32_MAX, &start), 40);
	assert_int_equal(start, 200);
	assert_int_equal(buddy_find(b, 210, 40, UINT32_MAX, &start), 40);
	assert_int_equal(start, 210);
	assert_int_equal(buddy_find(b, 3100, 1000, UINT32_MAX, &start), 428);
	assert_int_equal(start, 3072);
	assert_int_equal(buddy_find(b, 4000, 10, UINT32_MAX, &start), 10);
	assert_int_equal(start, 100);
	assert_int_equal(buddy_find(b, 0, 100, 3000, &start), 50);
	buddy_take_any(b, 50, 3000);
	assert_int_equal(b->free, 450);
	assert_true(buddy_check(b));
	buddy_destroy(b);
}

/* A long run behind more small ones than a search looks at is found by its order. */
static void test_AL_16_bounded_scan(void **unused)
{
	struct buddy *b = buddy_create(32768);
	u32 start;

	for (u32 i = 0; i < 2000; i++)
		buddy_give(b, i * 8, 1);
	buddy_give(b, 20480, 1024);
	assert_int_equal(buddy_find(b, 0, 1024, UINT32_MAX, &start), 1024);
	assert_int_equal(start, 20480);
	assert_int_equal(buddy_find(b, 0, 2000, UINT32_MAX, &start), 1024);
	buddy_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buddy_random),
		cmocka_unit_test(test_buddy_find),
		cmocka_unit_test(test_AL_16_bounded_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
