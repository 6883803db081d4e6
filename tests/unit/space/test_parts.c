/* Counters, the zone's tree and the index of groups, each alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/util.h"
#include "os/atomic.h"
#include "os/thread.h"
#include "space/counter.h"
#include "space/index.h"
#include "space/zone.h"

enum { THREADS = 4, ROUNDS = 20000 };

static struct counter shared;
static u64 taken;

static void take_some(void *arg)
{
	u64 sum = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		u64 got = counter_take(&shared, 1 + i % 7, 1000, false);

		sum += got;
		if (got && i % 3 == 0) {
			counter_add(&shared, (s64)got);
			sum -= got;
		}
	}
	atomic_add(&taken, sum);
}

/* AL-17, AL-18: what is promised never exceeds what is there. */
static void test_AL_18_counter_never_passes_its_floor(void **unused)
{
	struct os_thread *t[THREADS];

	taken = 0;
	counter_init(&shared, 100000);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(os_thread_create(&t[i], "take", take_some, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		os_thread_join(t[i]);
	assert_int_equal((s64)taken + counter_sum(&shared), 100000);
	assert_true(counter_sum(&shared) >= 1000);
	assert_true(counter_sum(&shared) < 1000 + 7);
}

static void test_counter_partial(void **unused)
{
	struct counter c;

	counter_init(&c, 50);
	assert_int_equal(counter_take(&c, 100, 20, false), 0);
	assert_int_equal(counter_take(&c, 100, 20, true), 30);
	assert_int_equal(counter_sum(&c), 20);
	assert_int_equal(counter_take(&c, 1, 20, true), 0);
	assert_int_equal(counter_take(&c, UINT64_MAX, 0, true), 0);
	counter_init(&c, 1 << 30);
	assert_int_equal(counter_take(&c, 10, 20, false), 10);
	assert_int_equal(counter_sum(&c), (1 << 30) - 10);
}

static void test_zone_ranges(void **unused)
{
	struct zone_spares spares;
	struct zone z;
	pblk_t at;
	u64 len;

	zone_init(&z);
	assert_int_equal(zone_reserve(&spares, 6), 0);
	assert_int_equal(zone_add(&z, &spares, 100, 10, 0), 0);
	assert_int_equal(zone_add(&z, &spares, 120, 10, 0), 0);
	assert_int_equal(zone_add(&z, &spares, 109, 1, 0), -EUCLEAN);
	assert_int_equal(zone_add(&z, &spares, 90, 11, 0), -EUCLEAN);
	assert_int_equal(zone_add(&z, &spares, 110, 10, 0), 0); /* joins all three */
	assert_int_equal(z.count, 1);
	assert_int_equal(zone_add(&z, &spares, 130, 10, 8), 0);
	assert_int_equal(z.count, 2);
	assert_false(zone_overlaps(&z, 90, 10, 0));
	assert_true(zone_overlaps(&z, 90, 11, 0));
	assert_true(zone_overlaps(&z, 130, 1, 0));
	assert_false(zone_overlaps(&z, 130, 1, 8));
	assert_true(zone_overlaps(&z, 129, 2, 8));
	assert_false(zone_overlaps(&z, 140, 1u << 30, 0));
	assert_true(zone_next(&z, 0, 105, &at, &len));
	assert_int_equal(at, 100);
	assert_int_equal(len, 5);
	assert_false(zone_next(&z, 140, 1000, &at, &len));
	zone_spares_free(&spares);
	zone_fini(&z);
}

static void test_AL_16_index_nearest(void **unused)
{
	enum { N = 1000 };
	struct index_entry *e = calloc(N, sizeof(*e));
	struct index *ix = calloc(1, sizeof(*ix));
	struct index_query q = {5, BUDDY_ORDERS + 1, 8, 990, N};
	u32 distance = 0;
	group_nr nr;

	index_init(ix);
	for (u32 i = 0; i < N; i++) {
		e[i].nr = i;
		index_place(ix, &e[i], INDEX_EXACT, 2, 3);
	}
	assert_false(index_nearest(ix, &q, &distance, &nr));
	index_place(ix, &e[5], INDEX_EXACT, 7, 3);
	index_place(ix, &e[4], INDEX_UNREAD, 9, 0);
	index_place(ix, &e[3], INDEX_UNREAD, 7, 0);
	index_place(ix, &e[989], INDEX_EXACT, 5, 3);
	assert_true(index_nearest(ix, &q, &distance, &nr));
	assert_int_equal(nr, 4);
	assert_int_equal(distance, 14);
	distance++;
	assert_true(index_nearest(ix, &q, &distance, &nr));
	assert_int_equal(nr, 5);
	distance++;
	assert_true(index_nearest(ix, &q, &distance, &nr));
	assert_int_equal(nr, 989);
	distance++;
	assert_false(index_nearest(ix, &q, &distance, &nr));
	distance = 0;
	q.count = 500; /* groups above the limit don't count */
	q.base = 6;
	assert_true(index_nearest(ix, &q, &distance, &nr));
	assert_int_equal(nr, 4);
	index_place(ix, &e[4], INDEX_NONE, 0, 0);
	index_place(ix, &e[5], INDEX_NONE, 0, 0);
	distance = 0;
	assert_false(index_nearest(ix, &q, &distance, &nr));
	free(e);
	free(ix);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_AL_18_counter_never_passes_its_floor),
		cmocka_unit_test(test_counter_partial),
		cmocka_unit_test(test_zone_ranges),
		cmocka_unit_test(test_AL_16_index_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
