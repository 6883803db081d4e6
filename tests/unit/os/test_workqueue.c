#include <dirent.h>
#include <stdlib.h>

#include "os_test.h"

#define WORKS 200

struct item {
	struct os_work work;
	struct os_workqueue *wq;
	struct os_completion *gate, *entered; /* may be NULL */
	unsigned again;
	int order; /* when it ran */
};

static struct item items[WORKS];
static int ran;			 /* no lock: atomic */
static int running, running_max; /* no lock: atomic */

static struct os_workqueue *wq_create(unsigned max_threads)
{
	struct os_workqueue *wq;

	ran = running = running_max = 0;
	assert_int_equal(os_workqueue_create(&wq, "test", max_threads), 0);
	return wq;
}

static void item_fn(struct os_work *work)
{
	struct item *it = container_of(work, struct item, work);
	int now = atomic_add(&running, 1), max = atomic_load_acq(&running_max);

	while (now > max && !atomic_cas(&running_max, &max, now))
		;
	if (it->entered)
		os_completion_complete(it->entered);
	if (it->gate)
		os_completion_wait(it->gate);
	it->order = atomic_add(&ran, 1);
	atomic_sub(&running, 1);
	if (it->again) {
		it->again--;
		assert_true(os_work_queue(it->wq, work));
	}
}

static struct item *item_init(struct item *it, struct os_workqueue *wq)
{
	*it = (struct item){.wq = wq};
	os_work_init(&it->work, item_fn);
	return it;
}

static void queue_all(struct os_workqueue *wq)
{
	for (unsigned i = 0; i < WORKS; i++)
		assert_true(os_work_queue(wq, &item_init(&items[i], wq)->work));
}

static void test_flush_waits_for_all(void **state)
{
	struct os_workqueue *wq = wq_create(4);

	for (int round = 1; round <= 5; round++) {
		queue_all(wq);
		os_workqueue_flush(wq);
		assert_int_equal(atomic_load_acq(&ran), round * WORKS);
	}
	os_workqueue_flush(wq); /* nothing to wait for */
	os_workqueue_destroy(wq);
}

static void test_one_thread_keeps_order(void **state)
{
	struct os_workqueue *wq = wq_create(1);

	queue_all(wq);
	os_workqueue_flush(wq);
	for (int i = 0; i < WORKS; i++)
		assert_int_equal(items[i].order, i + 1);
	assert_int_equal(running_max, 1);
	os_workqueue_destroy(wq);
}

/* Three works, each of which can only end when the next has run: needs three threads. */
static void test_work_may_wait_for_later_ones(void **state)
{
	struct os_workqueue *wq = wq_create(3);
	struct os_completion gates[2], entered[2];

	for (int i = 0; i < 2; i++) {
		os_completion_init(&gates[i]);
		os_completion_init(&entered[i]);
		item_init(&items[i], wq)->gate = &gates[i];
		items[i].entered = &entered[i];
	}
	item_init(&items[2], wq);
	for (int i = 0; i < 2; i++) {
		os_work_queue(wq, &items[i].work);
		os_completion_wait(&entered[i]); /* it sleeps in there before the next comes */
	}
	os_work_queue(wq, &items[2].work);
	POLL_UNTIL(atomic_load_acq(&ran) == 1);
	for (int i = 0; i < 2; i++)
		os_completion_complete(&gates[i]);
	os_workqueue_destroy(wq);
	assert_int_equal(ran, 3);
}

static void test_max_threads(void **state)
{
	struct os_workqueue *wq = wq_create(2);
	struct os_completion gate;

	os_completion_init(&gate);
	for (unsigned i = 0; i < WORKS; i++) {
		item_init(&items[i], wq)->gate = &gate;
		os_work_queue(wq, &items[i].work);
	}
	POLL_UNTIL(atomic_load_acq(&running) == 2);
	os_completion_complete(&gate);
	os_workqueue_destroy(wq);
	assert_int_equal(running_max, 2);
	assert_int_equal(ran, WORKS);
}

static void test_queued_once(void **state)
{
	struct os_workqueue *wq = wq_create(1);
	struct os_completion gate, entered;

	os_completion_init(&gate);
	os_completion_init(&entered);
	item_init(&items[0], wq)->gate = &gate;
	items[0].entered = &entered;
	os_work_queue(wq, &items[0].work);
	os_completion_wait(&entered);
	item_init(&items[1], wq);
	assert_true(os_work_queue(wq, &items[1].work));
	assert_false(os_work_queue(wq, &items[1].work));
	assert_true(os_work_queue(wq, &items[0].work)); /* it runs, so it may be queued again */
	assert_false(os_work_queue(wq, &items[0].work));
	os_completion_complete(&gate);
	os_workqueue_destroy(wq);
	assert_int_equal(ran, 3);
}

static void test_fn_requeues_and_destroy_runs_it(void **state)
{
	struct os_workqueue *wq = wq_create(2);

	for (unsigned i = 0; i < 10; i++) {
		item_init(&items[i], wq)->again = 20;
		os_work_queue(wq, &items[i].work);
	}
	os_workqueue_destroy(wq);
	assert_int_equal(ran, 10 * 21);
}

static void free_fn(struct os_work *work)
{
	atomic_add(&ran, 1);
	free(container_of(work, struct item, work));
}

static void test_fn_frees_work(void **state)
{
	struct os_workqueue *wq = wq_create(3);

	for (unsigned i = 0; i < WORKS; i++) {
		struct item *it = malloc(sizeof(*it));

		os_work_init(&it->work, free_fn);
		os_work_queue(wq, &it->work);
	}
	os_workqueue_flush(wq);
	assert_int_equal(atomic_load_acq(&ran), WORKS);
	os_workqueue_destroy(wq);
}

static struct os_workqueue *forever_wq;
static bool stop; /* no lock: atomic */

static void forever_fn(struct os_work *work)
{
	if (!atomic_load_acq(&stop))
		os_work_queue(forever_wq, work);
}

static void test_flush_ignores_later_works(void **state)
{
	struct os_work forever[3];

	forever_wq = wq_create(1);
	stop = false;
	for (unsigned i = 0; i < array_len(forever); i++) {
		os_work_init(&forever[i], forever_fn);
		os_work_queue(forever_wq, &forever[i]);
	}
	for (int i = 0; i < 20; i++)
		os_workqueue_flush(forever_wq); /* though the queue is never empty */
	atomic_store_rel(&stop, true);
	os_workqueue_destroy(forever_wq);
}

static struct os_completion started;

static void flush_main(void *arg)
{
	os_completion_complete(&started);
	os_workqueue_flush(arg);
	atomic_add(&ran, 100);
}

/* The second work is done long before the first, which the flush must wait for. */
static void test_flush_waits_for_oldest(void **state)
{
	struct os_workqueue *wq = wq_create(2);
	struct os_completion gate;
	struct os_thread *t;

	os_completion_init(&gate);
	os_completion_init(&started);
	item_init(&items[0], wq)->gate = &gate;
	item_init(&items[1], wq);
	os_work_queue(wq, &items[0].work);
	os_work_queue(wq, &items[1].work);
	POLL_UNTIL(atomic_load_acq(&ran) == 1);
	t = spawn(flush_main, wq);
	os_completion_wait(&started);
	for (int i = 0; i < 100; i++)
		os_yield();
	assert_int_equal(atomic_load_acq(&ran), 1);
	os_completion_complete(&gate);
	os_thread_join(t);
	assert_int_equal(atomic_load_acq(&ran), 102);
	assert_int_equal(items[0].order, 2);
	os_workqueue_destroy(wq);
}

static unsigned thread_count(void)
{
	unsigned n = 0;
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void test_idle_threads_end(void **state)
{
	unsigned before = thread_count();
	struct os_workqueue *wq = wq_create(6);
	struct os_completion gate;

	os_completion_init(&gate);
	for (int i = 0; i < 6; i++) {
		item_init(&items[i], wq)->gate = &gate;
		os_work_queue(wq, &items[i].work);
	}
	POLL_UNTIL(atomic_load_acq(&running) == 6);
	assert_int_equal(thread_count(), before + 6);
	os_completion_complete(&gate);
	os_workqueue_flush(wq);
	POLL_UNTIL(thread_count() == before + 1);
	queue_all(wq); /* and they come back */
	os_workqueue_destroy(wq);
	assert_int_equal(ran, 6 + WORKS);
	POLL_UNTIL(thread_count() == before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flush_waits_for_all),
		cmocka_unit_test(test_one_thread_keeps_order),
		cmocka_unit_test(test_work_may_wait_for_later_ones),
		cmocka_unit_test(test_max_threads),
		cmocka_unit_test(test_queued_once),
		cmocka_unit_test(test_fn_requeues_and_destroy_runs_it),
		cmocka_unit_test(test_fn_frees_work),
		cmocka_unit_test(test_flush_ignores_later_works),
		cmocka_unit_test(test_flush_waits_for_oldest),
		cmocka_unit_test(test_idle_threads_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
