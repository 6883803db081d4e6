/* The arena of page blocks: apart, aligned, merged again, given back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "os/page_arena.h"
#include "os_test.h"

#define PAGE 4096u
#define REGION (1u << 20)
#define BLOCKS 2048

struct block {
	unsigned char *p;
	unsigned order;
};

static void *region_of(const void *p)
{
	return (void *)((uintptr_t)p & ~((uintptr_t)REGION - 1));
}

static void block_make(struct block *b, unsigned order, unsigned char mark)
{
	b->p = arena_alloc(order);
	b->order = order;
	assert_non_null(b->p);
	assert_int_equal((uintptr_t)b->p % (PAGE << order), 0);
	memset(b->p, mark, PAGE << order);
}

static void block_drop(struct block *b, unsigned char mark)
{
	for (size_t k = 0; k < PAGE << b->order; k++)
		if (b->p[k] != mark)
			fail_msg("byte %zu of a block of order %u changed", k, b->order);
	arena_free(b->p, b->order);
	b->p = NULL;
}

static void test_blocks_are_apart(void **state)
{
	static struct block blocks[64];
	unsigned seed = 5;

	for (int k = 0; k < 20000; k++) {
		unsigned n = (unsigned)rand_r(&seed) % 64;

		if (blocks[n].p)
			block_drop(&blocks[n], (unsigned char)n);
		else
			block_make(&blocks[n], (unsigned)rand_r(&seed) % ARENA_ORDERS,
				(unsigned char)n);
	}
	for (unsigned n = 0; n < 64; n++)
		if (blocks[n].p)
			block_drop(&blocks[n], (unsigned char)n);
}

static bool is_mapped(void *region)
{
	unsigned char in_core[REGION / PAGE];

	return mincore(region, REGION, in_core) == 0 || errno != ENOMEM;
}

/* Small blocks of several regions, freed in a scattered order. */
static void test_regions_go_back(void **state)
{
	static struct block blocks[BLOCKS];
	static void *region[BLOCKS];
	unsigned mapped = 0, count = 0;

	for (unsigned k = 0; k < BLOCKS; k++) {
		block_make(&blocks[k], 0, 1);
		if (k == 0 || region_of(blocks[k].p) != region[count - 1])
			region[count++] = region_of(blocks[k].p);
	}
	assert_true(count >= BLOCKS * PAGE / REGION);
	for (unsigned k = 0; k < BLOCKS; k++)
		block_drop(&blocks[k * 997u % BLOCKS], 1);
	for (unsigned k = 0; k < count; k++)
		mapped += is_mapped(region[k]);
	assert_true(mapped <= 1);
}

/* What was cut into the smallest blocks serves the largest ones again. */
static void test_neighbours_merge(void **state)
{
	static struct block blocks[REGION / PAGE - 1];
	struct block large[15];
	void *region = NULL;

	for (unsigned k = 0; k < array_len(blocks); k++)
		block_make(&blocks[k], 0, 2);
	region = region_of(blocks[0].p);
	for (unsigned k = 0; k < array_len(blocks); k++) {
		assert_ptr_equal(region_of(blocks[k].p), region);
		block_drop(&blocks[k], 2);
	}
	for (unsigned k = 0; k < array_len(large); k++) {
		block_make(&large[k], ARENA_ORDERS - 1, 3);
		assert_ptr_equal(region_of(large[k].p), region);
	}
	for (unsigned k = 0; k < array_len(large); k++)
		block_drop(&large[k], 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_are_apart),
		cmocka_unit_test(test_regions_go_back),
		cmocka_unit_test(test_neighbours_merge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
