#include "os_test.h"

#include <pthread.h>

#define THREADS 8

static u32 ids[THREADS];
static u32 inside; /* no lock: atomic */

static void take_id(void *arg)
{
	u32 self = os_thread_self(); /* before the others are told that this thread is there */
	u32 n = atomic_add(&inside, 1) - 1;

	ids[n] = self;
	assert_true(os_shard(7) < 7);
	assert_int_equal(os_shard(7), os_shard(7));
	POLL_UNTIL(atomic_load_acq(&inside) == THREADS); /* all live at once */
	assert_int_equal(ids[n], os_thread_self());
}

static void test_ids_are_small_and_unique(void **state)
{
	u32 own = os_thread_self();

	for (int round = 0; round < 20; round++) {
		inside = 0;
		run_threads(THREADS, take_id, NULL);
		for (int i = 0; i < THREADS; i++) {
			assert_in_range(ids[i], 1, 64); /* those of ended threads come back */
			assert_int_not_equal(ids[i], own);
			for (int j = 0; j < i; j++)
				assert_int_not_equal(ids[i], ids[j]);
		}
	}
}

static void take_id_at_once(void *arg)
{
	u32 n = atomic_add(&inside, 1) - 1;

	while (atomic_load_acq(&inside) < 3)
		os_yield(); /* none sleeps: all ask in the same moment */
	ids[n] = os_thread_self();
}

/* Waiting for the table of ids once took a second id, which never came back. */
static void test_ids_asked_for_at_once(void **state)
{
	for (int round = 0; round < 4000; round++) {
		inside = 0;
		run_threads(3, take_id_at_once, NULL);
		for (int i = 0; i < 3; i++)
			assert_in_range(ids[i], 1, 64);
	}
}

static void *foreign_main(void *arg)
{
	*(u32 *)arg = os_thread_self();
	return NULL;
}

static void test_foreign_threads_have_ids(void **state)
{
	u32 id = 0;
	pthread_t t;

	for (int i = 0; i < 100; i++) {
		assert_int_equal(pthread_create(&t, NULL, foreign_main, &id), 0);
		pthread_join(t, NULL);
		assert_in_range(id, 1, 64);
	}
}

static void look_at_signals(void *arg)
{
	sigset_t *set = arg;

	pthread_sigmask(SIG_BLOCK, NULL, set);
}

static void test_threads_leave_signals_to_the_program(void **state)
{
	sigset_t in_thread, here;

	run_threads(1, look_at_signals, &in_thread);
	pthread_sigmask(SIG_BLOCK, NULL, &here);
	assert_true(sigismember(&in_thread, SIGTERM));
	assert_true(sigismember(&in_thread, SIGINT));
	assert_false(sigismember(&here, SIGTERM));
}

static void test_clock_and_random(void **state)
{
	u64 before = os_clock_mono();
	struct os_time wall = os_clock_wall(), coarse = os_clock_wall_coarse();
	u8 big[1000] = {0};
	unsigned zeros = 0;

	os_sleep_ns(NSEC_PER_MSEC);
	assert_true(os_clock_mono() >= before + NSEC_PER_MSEC);
	assert_true(wall.sec > 1600000000 && wall.nsec < NSEC_PER_SEC);
	assert_true(coarse.sec >= wall.sec - 1 && coarse.nsec < NSEC_PER_SEC);
	assert_true(os_random() != os_random());
	os_random_bytes(big, sizeof(big));
	for (unsigned i = 0; i < sizeof(big); i++)
		zeros += big[i] == 0;
	assert_true(zeros < 100);
	assert_true(os_cpu_count() >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids_are_small_and_unique),
		cmocka_unit_test(test_ids_asked_for_at_once),
		cmocka_unit_test(test_foreign_threads_have_ids),
		cmocka_unit_test(test_threads_leave_signals_to_the_program),
		cmocka_unit_test(test_clock_and_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
