#include <stdlib.h>

#include "os_test.h"

#define ROUNDS 20000
#define THREADS 4

static struct os_mutex mutex = OS_MUTEX_INIT(RANK_LEAF, "static");
static unsigned count; /* lock: mutex. Unprotected it would lose increments */

static void add_many(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		os_mutex_lock(&mutex);
		count++;
		os_mutex_unlock(&mutex);
	}
}

static void test_mutual_exclusion(void **state)
{
	count = 0;
	run_threads(THREADS, add_many, NULL);
	assert_int_equal(count, THREADS * ROUNDS);
	os_mutex_fini(&mutex);
}

static void add_many_by_try(void *arg)
{
	for (int i = 0; i < ROUNDS;) {
		if (!os_mutex_trylock(&mutex)) {
			os_yield();
			continue;
		}
		count++;
		os_mutex_unlock(&mutex);
		i++;
	}
}

static void test_trylock_excludes(void **state)
{
	count = 0;
	run_threads(2, add_many_by_try, NULL);
	assert_int_equal(count, 2 * ROUNDS);
}

static void try_once(void *arg)
{
	*(bool *)arg = os_mutex_trylock(&mutex);
	if (*(bool *)arg)
		os_mutex_unlock(&mutex);
}

static void test_trylock_fails_while_held(void **state)
{
	bool got = true;

	os_mutex_lock(&mutex);
	run_threads(1, try_once, &got);
	assert_false(got);
	assert_true(os_mutex_held(&mutex));
	os_mutex_unlock(&mutex);
	run_threads(1, try_once, &got);
	assert_true(got);
}

/* The last to unlock frees the mutex at once: unlock must not touch it any more. */
struct shared {
	struct os_mutex lock;
	int refs; /* lock: lock */
};

static void put_ref(void *arg)
{
	struct shared *s = arg;
	bool last;

	os_mutex_lock(&s->lock);
	last = --s->refs == 0;
	os_mutex_unlock(&s->lock);
	if (last)
		free(s);
}

static void test_last_holder_frees(void **state)
{
	for (int i = 0; i < 300; i++) {
		struct shared *s = calloc(1, sizeof(*s));

		os_mutex_init(&s->lock, RANK_LEAF, "freed");
		s->refs = 3;
		run_threads(3, put_ref, s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mutual_exclusion),
		cmocka_unit_test(test_trylock_excludes),
		cmocka_unit_test(test_trylock_fails_while_held),
		cmocka_unit_test(test_last_holder_frees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
