#include "os_test.h"

#define ITEMS 5000

static struct os_mutex lock = OS_MUTEX_INIT(RANK_JOURNAL, "lock");
static struct os_cond changed = OS_COND_INIT("changed");
static int produced, consumed; /* lock: lock; at most one item apart */
static bool go;		       /* lock: lock */
static int awake;	       /* lock: lock */

static void consume(void *arg)
{
	os_mutex_lock(&lock);
	while (consumed < ITEMS) {
		while (produced == consumed)
			os_cond_wait(&changed, &lock);
		consumed++;
		os_cond_signal(&changed);
	}
	os_mutex_unlock(&lock);
}

static void test_hand_over_loses_nothing(void **state)
{
	struct os_thread *t = spawn(consume, NULL);

	os_mutex_lock(&lock);
	while (produced < ITEMS) {
		while (produced > consumed)
			os_cond_wait(&changed, &lock);
		produced++;
		os_cond_signal(&changed);
	}
	os_mutex_unlock(&lock);
	os_thread_join(t);
	assert_int_equal(consumed, ITEMS);
	assert_int_equal(changed.waiters, 0);
}

static void wait_go(void *arg)
{
	os_mutex_lock(&lock);
	while (!go)
		os_cond_wait(&changed, &lock);
	awake++;
	os_mutex_unlock(&lock);
}

static void test_broadcast_wakes_all(void **state)
{
	struct os_thread *t[4];

	for (unsigned i = 0; i < array_len(t); i++)
		t[i] = spawn(wait_go, NULL);
	POLL_UNTIL(atomic_load_acq(&changed.waiters) == array_len(t));
	os_mutex_lock(&lock);
	go = true;
	os_cond_broadcast(&changed);
	os_mutex_unlock(&lock);
	for (unsigned i = 0; i < array_len(t); i++)
		os_thread_join(t[i]);
	assert_int_equal(awake, array_len(t));
}

static void test_time_out(void **state)
{
	u64 deadline = os_clock_mono() + 2 * NSEC_PER_MSEC;

	os_mutex_lock(&lock);
	while (os_cond_wait_until(&changed, &lock, deadline))
		;
	assert_true(os_clock_mono() >= deadline);
	assert_true(os_mutex_held(&lock));
	os_mutex_unlock(&lock);
	assert_int_equal(changed.waiters, 0);
}

static void wait_far(void *arg)
{
	bool *in_time = arg;

	os_mutex_lock(&lock);
	*in_time = true;
	while (!go && *in_time)
		*in_time =
			os_cond_wait_until(&changed, &lock, os_clock_mono() + 3600 * NSEC_PER_SEC);
	os_mutex_unlock(&lock);
}

static void test_signal_before_deadline(void **state)
{
	bool in_time = false;
	struct os_thread *t;

	go = false;
	t = spawn(wait_far, &in_time);
	POLL_UNTIL(atomic_load_acq(&changed.waiters) == 1);
	os_mutex_lock(&lock);
	go = true;
	os_mutex_unlock(&lock);
	os_cond_signal(&changed);
	os_thread_join(t);
	assert_true(in_time);
}

static void complete(void *arg)
{
	os_completion_complete(arg);
}

static void wait_done(void *arg)
{
	os_completion_wait(arg);
}

static void test_completion(void **state)
{
	struct os_completion c;
	struct os_thread *t[3];

	os_completion_init(&c);
	assert_false(os_completion_done(&c));
	assert_false(os_completion_wait_until(&c, os_clock_mono() + NSEC_PER_MSEC));
	for (unsigned i = 0; i < array_len(t); i++)
		t[i] = spawn(wait_done, &c);
	os_sleep_ns(5 * NSEC_PER_MSEC); /* most likely they sleep by now */
	os_completion_complete(&c);
	assert_true(os_completion_done(&c));
	for (unsigned i = 0; i < array_len(t); i++)
		os_thread_join(t[i]);
	assert_true(os_completion_wait_until(&c, 0));
	os_completion_init(&c);
	assert_false(os_completion_done(&c));
}

/* Completions live on the stack of who waits; complete may not touch them after it said so. */
static void test_completion_on_stack(void **state)
{
	for (int i = 0; i < 300; i++) {
		struct os_completion c;
		struct os_thread *t;

		os_completion_init(&c);
		t = spawn(complete, &c);
		os_completion_wait(&c);
		memset(&c, 0xff, sizeof(c));
		os_thread_join(t);
		assert_int_equal(c.state, 0xffffffffu);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hand_over_loses_nothing),
		cmocka_unit_test(test_broadcast_wakes_all),
		cmocka_unit_test(test_time_out),
		cmocka_unit_test(test_signal_before_deadline),
		cmocka_unit_test(test_completion),
		cmocka_unit_test(test_completion_on_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
