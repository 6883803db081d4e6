/* Toys with one bug each: the scheduler must find it and name who is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "os/lock.h"
#include "os/thread.h"
#include "sim/os/sim.h"

static struct os_mutex a, b;

static void ba(void *arg)
{
	os_mutex_lock(&b);
	os_mutex_lock(&a);
	os_mutex_unlock(&a);
	os_mutex_unlock(&b);
}

static void ab_and_ba(void *arg)
{
	struct os_thread *t;

	os_mutex_init(&a, RANK_NONE, "A");
	os_mutex_init(&b, RANK_NONE, "B");
	assert_int_equal(os_thread_create(&t, "other", ba, NULL), 0);
	os_mutex_lock(&a);
	os_mutex_lock(&b);
	os_mutex_unlock(&b);
	os_mutex_unlock(&a);
	os_thread_join(t);
}

static void test_deadlock(void **state)
{
	struct sim_report r;
	u64 seed = 0;

	while (sim_run(&(struct sim_config){.seed = seed}, ab_and_ba, NULL, &r) == 0) {
		sim_report_fini(&r);
		assert_true(++seed < 100);
	}
	assert_int_equal(r.outcome, SIM_DEADLOCK);
	assert_non_null(strstr(r.text, "circle: 1 main -> 2 other -> 1 main"));
	assert_non_null(strstr(r.text, "wants mutex B, held by thread 2 other"));
	assert_non_null(strstr(r.text, "wants mutex A, held by thread 1 main"));
	sim_report_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deadlock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
