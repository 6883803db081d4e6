/* The seam keeps the promises of os/lock.h and os/thread.h under every schedule; gates script exact
 * races. */
#include "toys.h"

#include "base/trace.h"
#include "os/clock.h"
#include "os/lock.h"
#include "os/mem.h"

static struct os_mutex mutex;
static struct os_cond cond;
static struct os_rwsem sem;
static u32 count;

static void need(bool yes, const char *what)
{
	if (!yes)
		sim_fail("%s", what);
}

static void time_toy(void *arg)
{
	u64 begin = os_clock_mono();
	bool in_time;

	os_sleep_ns(3600 * NSEC_PER_SEC);
	need(os_clock_mono() >= begin + 3600 * NSEC_PER_SEC, "slept too short");
	need(os_clock_mono() < begin + 3601 * NSEC_PER_SEC, "slept too long");
	os_mutex_init(&mutex, RANK_LEAF, "M");
	os_cond_init(&cond, "never");
	os_mutex_lock(&mutex);
	begin = os_clock_mono();
	do
		in_time = os_cond_wait_until(&cond, &mutex, begin + NSEC_PER_SEC);
	while (in_time); /* woken without a reason */
	os_mutex_unlock(&mutex);
	need(os_clock_mono() >= begin + NSEC_PER_SEC, "timed out too early");
	need(os_clock_wall().sec > 1700000000, "wall clock");
}

static void test_virtual_time(void **state)
{
	toy_passes((struct sim_config){0}, 50, time_toy);
	time_toy(NULL);
}

struct cells {
	u64 a, b; /* lock: sem; equal whenever nobody holds it exclusively */
};

static void reader(void *arg)
{
	struct cells *c = arg;

	for (int i = 0; i < 5; i++) {
		if (i % 2 == 0)
			os_rwsem_lock_shared(&sem);
		else if (!os_rwsem_trylock_shared(&sem))
			continue;
		sim_yield("reading");
		need(c->a == c->b, "a reader beside a writer");
		os_rwsem_unlock_shared(&sem);
	}
}

static void writer(void *arg)
{
	struct cells *c = arg;

	for (int i = 0; i < 5; i++) {
		u64 seen;

		if (i % 2 == 0)
			os_rwsem_lock(&sem);
		else if (!os_rwsem_trylock(&sem))
			continue;
		c->a++;
		sim_yield("writing");
		c->b++;
		seen = c->b;
		os_rwsem_downgrade(&sem);
		sim_yield("downgraded");
		need(c->a == seen && c->b == seen, "a writer after the downgrade");
		os_rwsem_unlock_shared(&sem);
	}
}

static void rwsem_toy(void *arg)
{
	struct cells cells = {0};
	struct os_thread *t[6];

	os_rwsem_init(&sem, RANK_LEAF, "S");
	for (unsigned i = 0; i < array_len(t); i++)
		t[i] = toy_thread("user", i % 2 ? reader : writer, &cells);
	for (unsigned i = 0; i < array_len(t); i++)
		os_thread_join(t[i]);
	os_rwsem_fini(&sem);
}

static void test_rwsem(void **state)
{
	toy_passes((struct sim_config){0}, 500, rwsem_toy);
	toy_passes((struct sim_config){.strategy = SIM_PCT, .pct_steps = 200}, 500, rwsem_toy);
}

static void write_once(void *arg)
{
	os_rwsem_lock(&sem);
	os_rwsem_unlock(&sem);
}

static void read_once(void *arg)
{
	os_rwsem_lock_shared(&sem);
	os_rwsem_unlock_shared(&sem);
}

/* A reader that waits for another reader while a writer waits: the other one queues behind it. */
static void readers_and_writer(void *arg)
{
	struct os_thread *w, *r;

	os_rwsem_init(&sem, RANK_NONE, "S");
	os_rwsem_lock_shared(&sem);
	w = toy_thread("writer", write_once, NULL);
	r = toy_thread("reader", read_once, NULL);
	os_thread_join(r);
	os_rwsem_unlock_shared(&sem);
	os_thread_join(w);
}

static void test_writer_stops_new_readers(void **state)
{
	struct sim_report r;

	toy_fails((struct sim_config){0}, 100, readers_and_writer, SIM_DEADLOCK, &r);
	toy_names(&r, "writer: wants exclusive S, held by thread 1 main");
	toy_names(&r, "reader: wants shared S");
	sim_report_fini(&r);
}

struct counted_work {
	struct os_work work;
	bool ran;
};

static void count_work(struct os_work *w)
{
	sim_yield("work");
	container_of(w, struct counted_work, work)->ran = true;
}

static void count_timer(void *arg)
{
	count++;
}

static void services_toy(void *arg)
{
	struct counted_work works[8] = {0};
	struct os_workqueue *wq;
	struct os_timer *timer;

	count = 0;
	need(!os_workqueue_create(&wq, "works", 3), "work queue");
	need(!os_timer_create(&timer, "timer", count_timer, NULL), "timer");
	os_timer_arm(timer, os_clock_mono() + NSEC_PER_SEC);
	for (unsigned i = 0; i < array_len(works); i++) {
		os_work_init(&works[i].work, count_work);
		need(os_work_queue(wq, &works[i].work), "queued twice");
	}
	os_workqueue_flush(wq);
	for (unsigned i = 0; i < array_len(works); i++)
		need(works[i].ran, "flush before the works");
	while (!count)
		os_sleep_ns(NSEC_PER_SEC);
	os_timer_cancel(timer);
	need(count == 1, "timer ran twice");
	os_timer_destroy(timer);
	os_workqueue_destroy(wq);
}

static void test_services(void **state)
{
	toy_passes((struct sim_config){0}, 200, services_toy);
	toy_passes((struct sim_config){.strategy = SIM_PCT}, 200, services_toy);
	services_toy(NULL);
}

static void increment(void *arg)
{
	u32 seen = count;

	TRACE("toy_seen", seen, 0);
	count = seen + 1;
}

/* The race that loses an increment, whatever the seed. */
static void gated_race(void *arg)
{
	struct os_thread *slow, *fast;

	count = 0;
	sim_gate_close("toy_seen", "slow");
	slow = toy_thread("slow", increment, NULL);
	sim_gate_wait("toy_seen");
	need(sim_gate_parked("toy_seen"), "nobody is parked");
	fast = toy_thread("fast", increment, NULL);
	os_thread_join(fast);
	need(count == 1, "the gate stopped another thread");
	sim_gate_open("toy_seen");
	need(!sim_gate_parked("toy_seen"), "still parked");
	os_thread_join(slow);
	need(count == 1, "no increment was lost");
}

static void lock_and_alloc(void *arg)
{
	os_mutex_lock(&mutex);
	os_free(os_alloc(1));
	os_mutex_unlock(&mutex);
}

/* Locks and fault points are points, too. */
static void gated_points(void *arg)
{
	static const char *const points[] = {"lock M", "os_alloc", "unlock M"};
	struct os_thread *t;

	os_mutex_init(&mutex, RANK_LEAF, "M");
	for (unsigned i = 0; i < array_len(points); i++) {
		sim_gate_close(points[i], "other");
		t = toy_thread("other", lock_and_alloc, NULL);
		sim_gate_wait(points[i]);
		need(os_mutex_trylock(&mutex) == (i != 1), points[i]);
		if (i != 1)
			os_mutex_unlock(&mutex);
		sim_gate_open(points[i]);
		os_thread_join(t);
	}
}

static void test_gates(void **state)
{
	toy_passes((struct sim_config){0}, 100, gated_race);
	toy_passes((struct sim_config){.strategy = SIM_PCT}, 100, gated_race);
	toy_passes((struct sim_config){0}, 100, gated_points);
}

static void gate_without_visitors(void *arg)
{
	sim_gate_close("nowhere", NULL);
	sim_gate_wait("nowhere");
}

static void test_gate_that_nobody_reaches(void **state)
{
	struct sim_report r;

	toy_fails((struct sim_config){0}, 1, gate_without_visitors, SIM_DEADLOCK, &r);
	toy_names(&r, "waits for someone at gate nowhere");
	sim_report_fini(&r);
}

/* The same values for the same seed, other values for others. */
static void draw(void *arg)
{
	u64 *out = arg;

	out[0] = os_random();
	out[1] = sim_choose(1000000);
}

static void test_random_numbers(void **state)
{
	u64 first[2], again[2], other[2];
	struct sim_report r;

	sim_run(&(struct sim_config){.seed = 1}, draw, first, &r);
	assert_int_equal(r.choice_count, 1);
	sim_report_fini(&r);
	sim_run(&(struct sim_config){.seed = 1}, draw, again, &r);
	sim_report_fini(&r);
	sim_run(&(struct sim_config){.seed = 2}, draw, other, &r);
	sim_report_fini(&r);
	assert_memory_equal(first, again, sizeof(first));
	assert_true(first[0] != other[0] && first[1] != other[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_virtual_time),
		cmocka_unit_test(test_rwsem),
		cmocka_unit_test(test_writer_stops_new_readers),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_gates),
		cmocka_unit_test(test_gate_that_nobody_reaches),
		cmocka_unit_test(test_random_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
