/* Toys with one bug each: the scheduler must find it and name who is in it. */
#include "toys.h"

#include "os/assert.h"
#include "os/clock.h"
#include "os/lock.h"

static struct os_mutex a, b;
static struct os_cond cond;
static bool flag;
static int *pointer;

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
	t = toy_thread("other", ba, NULL);
	os_mutex_lock(&a);
	os_mutex_lock(&b);
	os_mutex_unlock(&b);
	os_mutex_unlock(&a);
	os_thread_join(t);
}

static void test_deadlock(void **state)
{
	struct sim_report r;

	toy_fails((struct sim_config){0}, 100, ab_and_ba, SIM_DEADLOCK, &r);
	toy_names(&r, "circle: 1 main -> 2 other -> 1 main");
	toy_names(&r, "wants mutex B, held by thread 2 other");
	toy_names(&r, "wants mutex A, held by thread 1 main");
	sim_report_fini(&r);
}

/* A service that wakes by time for ever does not hide that the others are dead. */
static void tick(void *arg)
{
	for (;;)
		os_sleep_ns(NSEC_PER_SEC);
}

static void deadlock_and_service(void *arg)
{
	toy_thread("service", tick, NULL);
	ab_and_ba(arg);
	os_thread_join(toy_thread("never", tick, NULL));
}

static void test_deadlock_behind_a_service(void **state)
{
	struct sim_report r;

	toy_fails((struct sim_config){0}, 1, deadlock_and_service, SIM_DEADLOCK, &r);
	toy_names(&r, "the first thread waits for ever");
	toy_names(&r, "thread 2 service: sleeps");
	sim_report_fini(&r);
}

static void set_and_signal(void *arg)
{
	flag = true;
	os_cond_signal(&cond);
}

/* Looks at the flag before it takes the lock: the signal may come in between. */
static void careless_wait(void *arg)
{
	struct os_thread *t;

	flag = false;
	os_mutex_init(&a, RANK_LEAF, "A");
	os_cond_init(&cond, "ready");
	t = toy_thread("signaller", set_and_signal, NULL);
	if (!flag) {
		os_mutex_lock(&a);
		os_cond_wait(&cond, &a);
		os_mutex_unlock(&a);
	}
	os_thread_join(t);
}

static void test_lost_wake_up(void **state)
{
	struct sim_report r;

	toy_fails((struct sim_config){.punctual = true}, 100, careless_wait, SIM_DEADLOCK, &r);
	toy_names(&r, "thread 1 main: waits for condition ready, signalled by nobody");
	toy_names(&r, "gave up for the wait A");
	sim_report_fini(&r);
}

static void wait_without_loop(void *arg)
{
	os_mutex_lock(&a);
	os_cond_wait(&cond, &a);
	os_mutex_unlock(&a);
	if (!flag)
		sim_fail("woken without a reason");
}

static void no_loop(void *arg)
{
	struct os_thread *t;

	flag = false;
	os_mutex_init(&a, RANK_LEAF, "A");
	os_cond_init(&cond, "ready");
	t = toy_thread("waiter", wait_without_loop, NULL);
	os_sleep_ns(NSEC_PER_SEC);
	set_and_signal(NULL);
	os_thread_join(t);
}

/* A condition may wake without a signal, unless time-outs and wakes are asked to be punctual. */
static void test_spurious_wake_up(void **state)
{
	struct sim_report r;

	toy_fails((struct sim_config){0}, 1000, no_loop, SIM_FAILED, &r);
	toy_names(&r, "woken without a reason");
	sim_report_fini(&r);
	toy_passes((struct sim_config){.punctual = true}, 200, no_loop);
}

static void inverted_ranks(void *arg)
{
	os_mutex_init(&a, RANK_JOURNAL, "inner");
	os_mutex_init(&b, RANK_INODE, "outer");
	os_mutex_lock(&a);
	os_mutex_lock(&b);
}

static void test_rank_inversion(void **state)
{
	struct sim_report r;

	toy_fails((struct sim_config){0}, 1, inverted_ranks, SIM_BUG, &r);
	toy_names(&r, "lock rank violated: outer");
	toy_names(&r, "holds inner");
	sim_report_fini(&r);
}

static void holds_while_others_run(void *arg)
{
	os_mutex_lock(&b);
	sim_yield("between");
	os_mutex_unlock(&b);
}

/* What a thread holds is its own affair, even when others run meanwhile. */
static void ranks_apart(void *arg)
{
	struct os_thread *t;

	os_mutex_init(&a, RANK_JOURNAL, "inner");
	os_mutex_init(&b, RANK_INODE, "outer");
	t = toy_thread("other", holds_while_others_run, NULL);
	os_mutex_lock(&a);
	sim_yield("between");
	if (os_mutex_held(&b))
		sim_fail("holds what another thread holds");
	os_mutex_unlock(&a);
	os_thread_join(t);
}

static void test_ranks_per_thread(void **state)
{
	toy_passes((struct sim_config){0}, 100, ranks_apart);
}

static void set_flag(void *arg)
{
	flag = true;
}

static void spin_for_flag(void *arg)
{
	struct os_thread *t;

	flag = false;
	t = toy_thread("setter", set_flag, NULL);
	while (!flag)
		sim_yield("spin");
	os_thread_join(t);
}

/* The replay of no choices never preempts: the setter could run, but never does. */
static void test_starved(void **state)
{
	struct sim_config unfair = {.strategy = SIM_REPLAY, .starve_steps = 1000};
	struct sim_report r;

	toy_fails(unfair, 1, spin_for_flag, SIM_STARVED, &r);
	toy_names(&r, "thread 2 setter could run, but did not for");
	sim_report_fini(&r);
	toy_passes((struct sim_config){.starve_steps = 1000}, 100, spin_for_flag);
	toy_passes((struct sim_config){.strategy = SIM_PCT}, 100, spin_for_flag);
}

static void hog(void *arg)
{
	while (!flag) {
		os_mutex_lock(&a);
		sim_yield("hog");
		os_mutex_unlock(&a);
	}
}

static void hogged(void *arg)
{
	struct os_thread *t;

	flag = false;
	os_mutex_init(&a, RANK_LEAF, "A");
	t = toy_thread("hog", hog, NULL);
	os_mutex_lock(&a);
	flag = true;
	os_mutex_unlock(&a);
	os_thread_join(t);
}

static void test_starved_of_a_lock(void **state)
{
	struct sim_report r;

	toy_fails((struct sim_config){.starve_losses = 2}, 1000, hogged, SIM_STARVED, &r);
	toy_names(&r, "thread 1 main came 3 times in vain for A");
	sim_report_fini(&r);
	toy_passes((struct sim_config){0}, 200, hogged);
}

static void take_away(void *arg)
{
	pointer = NULL;
}

static void check_then_use(void *arg)
{
	static int value;
	struct os_thread *t;

	pointer = &value;
	t = toy_thread("taker", take_away, NULL);
	for (int i = 0; i < 20; i++)
		sim_yield("before");
	if (pointer) {
		sim_yield("between");
		if (!pointer)
			sim_fail("taken away");
	}
	for (int i = 0; i < 20; i++)
		sim_yield("after");
	os_thread_join(t);
}

/* Two events must come in order: fixed priorities alone never do that, one change does. */
static void test_pct_depth(void **state)
{
	struct sim_config pct = {.strategy = SIM_PCT, .pct_depth = 1, .pct_steps = 50};
	struct sim_report r;

	toy_passes(pct, 300, check_then_use);
	pct.pct_depth = 2;
	toy_fails(pct, 1000, check_then_use, SIM_FAILED, &r);
	sim_report_fini(&r);
}

static void replays(const struct sim_report *r, void (*toy)(void *))
{
	struct sim_config again = {
		.strategy = SIM_REPLAY, .choices = r->choices, .choice_count = r->choice_count};
	struct sim_report second;

	sim_run(&again, toy, NULL, &second);
	assert_int_equal(second.outcome, r->outcome);
	assert_false(second.diverged);
	assert_int_equal(second.steps, r->steps);
	assert_int_equal(second.trace_hash, r->trace_hash);
	assert_int_equal(second.choice_count, r->choice_count);
	sim_report_fini(&second);
}

static void test_replay(void **state)
{
	struct sim_report r;

	toy_fails((struct sim_config){0}, 100, ab_and_ba, SIM_DEADLOCK, &r);
	replays(&r, ab_and_ba);
	sim_report_fini(&r);
	toy_fails((struct sim_config){.strategy = SIM_PCT, .pct_steps = 50}, 1000, check_then_use,
		SIM_FAILED, &r);
	replays(&r, check_then_use);
	sim_report_fini(&r);
	toy_passes((struct sim_config){.strategy = SIM_REPLAY}, 1, check_then_use);
}

static void test_replay_of_another_program(void **state)
{
	u32 choices[] = {7, 7, 7};
	struct sim_config other = {
		.strategy = SIM_REPLAY, .choices = choices, .choice_count = array_len(choices)};
	struct sim_report r;

	sim_run(&other, ab_and_ba, NULL, &r);
	assert_true(r.diverged);
	sim_report_fini(&r);
}

static void spin_for_ever(void *arg)
{
	for (;;)
		sim_yield("spin");
}

static void test_too_long(void **state)
{
	struct sim_report r;

	toy_fails((struct sim_config){.steps_max = 5000}, 1, spin_for_ever, SIM_TOO_LONG, &r);
	sim_report_fini(&r);
}

static void leave_one(void *arg)
{
	os_mutex_init(&a, RANK_LEAF, "A");
	os_cond_init(&cond, "never");
	toy_thread("left", wait_without_loop, NULL);
}

static void test_thread_left_over(void **state)
{
	struct sim_report r;

	toy_fails((struct sim_config){.punctual = true}, 1, leave_one, SIM_DEADLOCK, &r);
	toy_names(&r, "left: waits for condition never");
	sim_report_fini(&r);
}

static void asserts(void *arg)
{
	BUG_ON(arg == NULL);
}

static void test_bug(void **state)
{
	struct sim_report r;

	toy_fails((struct sim_config){0}, 1, asserts, SIM_BUG, &r);
	toy_names(&r, "arg == NULL");
	sim_report_fini(&r);
}

#ifndef __SANITIZE_ADDRESS__ /* which sees these itself */
static int deeper(volatile char *above, int levels)
{
	volatile char frame[1000];

	frame[0] = above ? above[0] : 1;
	return levels ? deeper(frame, levels - 1) + frame[0] : 0;
}

static void bottomless(void *arg)
{
	deeper(NULL, INT32_MAX);
}

static void wild(void *arg)
{
	volatile uintptr_t nowhere = 8;

	*(volatile int *)nowhere = 1;
}

static void test_memory_faults(void **state)
{
	struct sim_report r;

	toy_fails((struct sim_config){0}, 1, bottomless, SIM_BUG, &r);
	toy_names(&r, "stack overflow");
	sim_report_fini(&r);
	toy_fails((struct sim_config){0}, 1, wild, SIM_BUG, &r);
	toy_names(&r, "Segmentation fault at address 0x8");
	sim_report_fini(&r);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deadlock),
		cmocka_unit_test(test_deadlock_behind_a_service),
		cmocka_unit_test(test_lost_wake_up),
		cmocka_unit_test(test_spurious_wake_up),
		cmocka_unit_test(test_rank_inversion),
		cmocka_unit_test(test_ranks_per_thread),
		cmocka_unit_test(test_starved),
		cmocka_unit_test(test_starved_of_a_lock),
		cmocka_unit_test(test_pct_depth),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_replay_of_another_program),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_thread_left_over),
		cmocka_unit_test(test_bug),
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test(test_memory_faults),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
