#include <stdlib.h>

#include "base/bits.h"
#include "base/rng.h"
#include "base_test.h"

#define MAP_BITS 200
#define MAP_BYTES (MAP_BITS / 8)

/* The map lives at the end of its own allocation, so that ASan sees any step beyond. */
struct pair {
	u8 *map;
	bool model[MAP_BITS];
};

static void pair_check(const struct pair *p)
{
	for (u32 i = 0; i < MAP_BITS; i++)
		assert_int_equal(bit_test(p->map, i), p->model[i]);
}

static u32 model_next(const struct pair *p, u32 from, u32 end, bool value)
{
	while (from < end && p->model[from] != value)
		from++;
	return from;
}

static u32 model_weight(const struct pair *p, u32 from, u32 len)
{
	u32 weight = 0;

	for (u32 i = from; i < from + len; i++)
		weight += p->model[i];
	return weight;
}

static void test_layout(void **state)
{
	u8 map[2] = {0, 0};

	bit_set(map, 0);
	bit_set(map, 9);
	assert_int_equal(map[0], 1);
	assert_int_equal(map[1], 2);
	bit_clear(map, 0);
	assert_int_equal(map[0], 0);
}

/* All ranges over a pattern, both ways. */
static void test_every_range(void **state)
{
	struct pair p = {.map = calloc(1, MAP_BYTES)};

	for (u32 from = 0; from <= MAP_BITS; from++)
		for (u32 len = 0; from + len <= MAP_BITS; len++) {
			memset(p.map, 0, MAP_BYTES);
			bits_set(p.map, from, len);
			assert_int_equal(bits_weight(p.map, 0, MAP_BITS), len);
			assert_int_equal(bits_weight(p.map, from, len), len);
			assert_int_equal(bits_next_one(p.map, 0, MAP_BITS), len ? from : MAP_BITS);
			assert_int_equal(bits_next_zero(p.map, from, MAP_BITS), from + len);
			memset(p.map, 0xff, MAP_BYTES);
			bits_clear(p.map, from, len);
			assert_int_equal(bits_weight(p.map, 0, MAP_BITS), MAP_BITS - len);
			assert_int_equal(bits_next_zero(p.map, 0, MAP_BITS), len ? from : MAP_BITS);
			assert_int_equal(bits_next_one(p.map, from, MAP_BITS), from + len);
		}
	free(p.map);
}

static void test_against_model(void **state)
{
	struct pair p = {.map = calloc(1, MAP_BYTES)};
	struct rng r;

	rng_init(&r, 2);
	for (int round = 0; round < 3000; round++) {
		u32 from = (u32)rng_below(&r, MAP_BITS + 1);
		u32 len = (u32)rng_below(&r, MAP_BITS - from + 1);
		bool value = rng_below(&r, 2);

		(value ? bits_set : bits_clear)(p.map, from, len);
		for (u32 i = from; i < from + len; i++)
			p.model[i] = value;
		pair_check(&p);
		from = (u32)rng_below(&r, MAP_BITS + 1);
		len = (u32)rng_below(&r, MAP_BITS - from + 1);
		assert_int_equal(bits_weight(p.map, from, len), model_weight(&p, from, len));
		assert_int_equal(bits_next_one(p.map, from, from + len),
			model_next(&p, from, from + len, true));
		assert_int_equal(bits_next_zero(p.map, from, from + len),
			model_next(&p, from, from + len, false));
	}
	free(p.map);
}

/* A map need not fill whole words: no byte beyond its last bit is read. */
static void test_short_map(void **state)
{
	for (u32 bytes = 1; bytes <= 17; bytes++) {
		u8 *map = calloc(1, bytes);
		u32 end = bytes * 8;

		assert_int_equal(bits_next_one(map, 0, end), end);
		assert_int_equal(bits_weight(map, 0, end), 0);
		bits_set(map, 0, end);
		assert_int_equal(bits_next_zero(map, 0, end), end);
		assert_int_equal(bits_weight(map, 0, end), end);
		bits_clear(map, end, 0);
		assert_int_equal(bits_weight(map, 1, end - 1), end - 1);
		free(map);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_every_range),
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_short_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
