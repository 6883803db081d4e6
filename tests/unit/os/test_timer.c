#include "os_test.h"

struct probe {
	struct os_timer *timer;
	struct os_completion entered, gate;
	int fired; /* no lock: atomic */
	int again; /* what fired was after the cancel */
	u64 last_ns;
};

static int order; /* no lock: atomic */

static void fire(void *arg)
{
	struct probe *p = arg;

	p->last_ns = os_clock_mono();
	atomic_store_rel(&p->fired, atomic_add(&order, 1));
}

static void probe_init(struct probe *p, void (*fn)(void *))
{
	memset(p, 0, sizeof(*p));
	os_completion_init(&p->entered);
	os_completion_init(&p->gate);
	assert_int_equal(os_timer_create(&p->timer, "test", fn, p), 0);
}

static void test_fires_in_order_and_not_early(void **state)
{
	struct probe p[3];
	u64 now = os_clock_mono();

	order = 0;
	for (int i = 0; i < 3; i++)
		probe_init(&p[i], fire);
	/* All three lie ahead when armed, in an order unlike that of arming. */
	os_timer_arm(p[2].timer, now + 60 * NSEC_PER_MSEC);
	os_timer_arm(p[0].timer, now + 40 * NSEC_PER_MSEC);
	os_timer_arm(p[1].timer, now + 50 * NSEC_PER_MSEC);
	for (int i = 0; i < 3; i++) {
		POLL_UNTIL(atomic_load_acq(&p[i].fired));
		assert_true(p[i].last_ns >= now + (u64)(40 + 10 * i) * NSEC_PER_MSEC);
	}
	assert_true(p[0].fired < p[1].fired && p[1].fired < p[2].fired);
	for (int i = 0; i < 3; i++)
		os_timer_destroy(p[i].timer);
}

static void test_arm_replaces_deadline(void **state)
{
	struct probe p;

	order = 0;
	probe_init(&p, fire);
	os_timer_arm(p.timer, os_clock_mono() + 3600 * NSEC_PER_SEC);
	os_timer_arm(p.timer, os_clock_mono() + NSEC_PER_MSEC);
	POLL_UNTIL(atomic_load_acq(&p.fired));
	os_timer_arm(p.timer, 0); /* the past is now */
	POLL_UNTIL(atomic_load_acq(&p.fired) == 2);
	os_timer_arm(p.timer, UINT64_MAX);
	os_timer_destroy(p.timer);
	assert_int_equal(order, 2);
}

static void fire_slowly(void *arg)
{
	struct probe *p = arg;

	os_completion_complete(&p->entered);
	os_completion_wait(&p->gate);
	atomic_store_rel(&p->fired, 1);
}

static void cancel_main(void *arg)
{
	struct probe *p = arg;

	os_timer_cancel(p->timer);
	assert_int_equal(atomic_load_acq(&p->fired), 1);
}

static void test_cancel_waits_for_fn(void **state)
{
	struct probe p;
	struct os_thread *t;

	probe_init(&p, fire_slowly);
	os_timer_arm(p.timer, 0);
	os_completion_wait(&p.entered);
	t = spawn(cancel_main, &p);
	for (int i = 0; i < 100; i++)
		os_yield();
	os_completion_complete(&p.gate);
	os_thread_join(t);
	os_timer_destroy(p.timer);
}

static void test_cancelled_does_not_fire(void **state)
{
	struct probe off, on;

	order = 0;
	probe_init(&off, fire);
	probe_init(&on, fire);
	os_timer_arm(off.timer, os_clock_mono() + 5 * NSEC_PER_MSEC);
	os_timer_arm(on.timer, os_clock_mono() + 10 * NSEC_PER_MSEC);
	os_timer_cancel(off.timer);
	os_timer_cancel(off.timer); /* idle: nothing to do */
	POLL_UNTIL(atomic_load_acq(&on.fired));
	assert_int_equal(off.fired, 0);
	os_timer_destroy(off.timer);
	os_timer_destroy(on.timer);
}

static void fire_again(void *arg)
{
	struct probe *p = arg;

	os_timer_cancel(p->timer); /* of itself: must not wait */
	atomic_add(&p->fired, 1);
	os_timer_arm(p->timer, os_clock_mono());
}

static void test_fn_arms_itself_until_cancelled(void **state)
{
	struct probe p;
	int fired;

	probe_init(&p, fire_again);
	os_timer_arm(p.timer, 0);
	POLL_UNTIL(atomic_load_acq(&p.fired) > 10);
	os_timer_cancel(p.timer);
	fired = atomic_load_acq(&p.fired);
	os_sleep_ns(5 * NSEC_PER_MSEC);
	assert_int_equal(atomic_load_acq(&p.fired), fired);
	os_timer_destroy(p.timer);
}

static void fire_slowly_again(void *arg)
{
	struct probe *p = arg;

	os_completion_complete(&p->entered);
	os_completion_wait(&p->gate);
	if (atomic_add(&p->fired, 1) == 1)
		os_timer_arm(p->timer, 0);
}

static void cancel_and_look(void *arg)
{
	struct probe *p = arg;

	os_timer_cancel(p->timer);
	p->again = atomic_load_acq(&p->fired);
}

/* What fn arms while cancel waits for it is cancelled too. */
static void test_cancel_beats_arming_in_fn(void **state)
{
	struct probe p, later;
	struct os_thread *t;

	probe_init(&p, fire_slowly_again);
	probe_init(&later, fire);
	os_timer_arm(p.timer, 0);
	os_completion_wait(&p.entered);
	t = spawn(cancel_and_look, &p);
	for (int i = 0; i < 100; i++)
		os_yield();
	os_completion_complete(&p.gate);
	os_thread_join(t);
	os_timer_arm(later.timer, os_clock_mono());
	POLL_UNTIL(atomic_load_acq(&later.fired));
	assert_int_equal(atomic_load_acq(&p.fired), p.again);
	os_timer_destroy(p.timer);
	os_timer_destroy(later.timer);
}

static void create_destroy(void *arg)
{
	for (int i = 0; i < 100; i++) {
		struct probe p;

		probe_init(&p, fire);
		os_timer_arm(p.timer, os_clock_mono());
		os_timer_destroy(p.timer);
	}
}

static void test_service_comes_and_goes(void **state)
{
	run_threads(3, create_destroy, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fires_in_order_and_not_early),
		cmocka_unit_test(test_arm_replaces_deadline),
		cmocka_unit_test(test_cancel_waits_for_fn),
		cmocka_unit_test(test_cancelled_does_not_fire),
		cmocka_unit_test(test_fn_arms_itself_until_cancelled),
		cmocka_unit_test(test_cancel_beats_arming_in_fn),
		cmocka_unit_test(test_service_comes_and_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
