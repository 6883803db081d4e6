#include <stdlib.h>

#include "os_test.h"

static struct os_rwsem sem;
static int log_order[8]; /* lock: log_lock */
static int log_len;
static struct os_mutex log_lock = OS_MUTEX_INIT(RANK_LEAF, "log");

static int setup(void **state)
{
	os_rwsem_init(&sem, RANK_INODE, "sem");
	log_len = 0;
	return 0;
}

static int teardown(void **state)
{
	os_rwsem_fini(&sem);
	return 0;
}

static void log_add(int who)
{
	os_mutex_lock(&log_lock);
	log_order[log_len++] = who;
	os_mutex_unlock(&log_lock);
}

static int log_count(void)
{
	int n;

	os_mutex_lock(&log_lock);
	n = log_len;
	os_mutex_unlock(&log_lock);
	return n;
}

/* Sleepers and threads that came through: one grows when a thread has arrived at the lock. */
static int arrived(void)
{
	int n = 0;

	os_word_lock(&sem.guard);
	n = (sem.head != NULL) + (sem.head != NULL && sem.head != sem.tail);
	os_word_unlock(&sem.guard);
	return n + log_count();
}

static void writer(void *arg)
{
	os_rwsem_lock(&sem);
	log_add((int)(intptr_t)arg);
	os_rwsem_unlock(&sem);
}

static void reader(void *arg)
{
	os_rwsem_lock_shared(&sem);
	log_add((int)(intptr_t)arg);
	os_rwsem_unlock_shared(&sem);
}

static void try_both(void *arg)
{
	bool *got = arg;

	got[0] = os_rwsem_trylock_shared(&sem);
	if (got[0])
		os_rwsem_unlock_shared(&sem);
	got[1] = os_rwsem_trylock(&sem);
	if (got[1])
		os_rwsem_unlock(&sem);
}

static void expect_try(bool shared, bool exclusive)
{
	bool got[2];

	run_threads(1, try_both, got);
	assert_int_equal(got[0], shared);
	assert_int_equal(got[1], exclusive);
}

static void test_try(void **state)
{
	expect_try(true, true);
	os_rwsem_lock_shared(&sem);
	assert_true(os_rwsem_held_shared(&sem));
	expect_try(true, false);
	os_rwsem_unlock_shared(&sem);
	os_rwsem_lock(&sem);
	assert_true(os_rwsem_held(&sem));
	assert_true(os_rwsem_held_shared(&sem));
	expect_try(false, false);
	os_rwsem_downgrade(&sem);
	expect_try(true, false);
	os_rwsem_unlock_shared(&sem);
	expect_try(true, true);
}

static void test_waiting_writer_stops_new_readers(void **state)
{
	struct os_thread *w, *r;

	os_rwsem_lock_shared(&sem);
	w = spawn(writer, (void *)1);
	POLL_UNTIL(arrived() == 1);
	expect_try(false, false);
	r = spawn(reader, (void *)2);
	POLL_UNTIL(arrived() == 2);
	os_rwsem_unlock_shared(&sem);
	os_thread_join(w);
	os_thread_join(r);
	assert_int_equal(log_order[0], 1);
	assert_int_equal(log_order[1], 2);
}

static void test_queued_reader_goes_before_later_writer(void **state)
{
	struct os_thread *w, *r;

	os_rwsem_lock(&sem);
	r = spawn(reader, (void *)2);
	POLL_UNTIL(arrived() == 1);
	w = spawn(writer, (void *)1);
	POLL_UNTIL(arrived() == 2);
	os_rwsem_unlock(&sem);
	os_thread_join(w);
	os_thread_join(r);
	assert_int_equal(log_order[0], 2);
	assert_int_equal(log_order[1], 1);
}

static void test_downgrade_lets_waiting_readers_in(void **state)
{
	struct os_thread *r, *w;

	os_rwsem_lock(&sem);
	r = spawn(reader, (void *)2);
	POLL_UNTIL(arrived() == 1);
	w = spawn(writer, (void *)1);
	POLL_UNTIL(arrived() == 2);
	os_rwsem_downgrade(&sem);
	os_thread_join(r); /* while we still hold it shared */
	assert_int_equal(log_count(), 1);
	os_rwsem_unlock_shared(&sem);
	os_thread_join(w);
}

static void hold_shared(void *arg)
{
	unsigned *inside = arg;

	os_rwsem_lock_shared(&sem);
	atomic_add(inside, 1);
	POLL_UNTIL(atomic_load_acq(inside) == 3);
	os_rwsem_unlock_shared(&sem);
}

static void test_readers_share(void **state)
{
	unsigned inside = 0;

	run_threads(3, hold_shared, &inside); /* ends only if all three are inside at once */
}

static void meet_shared(void *arg)
{
	unsigned *inside = arg;

	os_rwsem_lock_shared(&sem);
	atomic_add(inside, 1);
	POLL_UNTIL(atomic_load_acq(inside) == 2);
	os_rwsem_unlock_shared(&sem);
}

static void test_queued_readers_go_together(void **state)
{
	struct os_thread *t[2];
	unsigned inside = 0;

	os_rwsem_lock(&sem);
	t[0] = spawn(meet_shared, &inside);
	t[1] = spawn(meet_shared, &inside);
	POLL_UNTIL(arrived() == 2);
	os_rwsem_unlock(&sem);
	os_thread_join(t[0]);
	os_thread_join(t[1]);
}

/* We take it back at once after each unlock; the sleeper must get it all the same, and soon. */
static void test_overtaken_writer_gets_it(void **state)
{
	for (int round = 0; round < 20; round++) {
		struct os_thread *w;

		log_len = 0;
		os_rwsem_lock(&sem);
		w = spawn(writer, (void *)1);
		POLL_UNTIL(arrived());
		for (int i = 0; i < 65; i++) {
			os_rwsem_unlock(&sem);
			os_rwsem_lock(&sem);
		}
		assert_int_equal(log_count(), 1);
		os_rwsem_unlock(&sem);
		os_thread_join(w);
	}
}

static void hammer(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		os_rwsem_lock(&sem);
		os_rwsem_unlock(&sem);
	}
}

static void test_many_writers(void **state)
{
	run_threads(8, hammer, NULL);
}

static unsigned value[2]; /* lock: sem; both are always equal */

static void mix(void *arg)
{
	unsigned seed = (unsigned)os_thread_self();

	for (int i = 0; i < 10000; i++) {
		switch (rand_r(&seed) % 6) {
		case 0:
			os_rwsem_lock(&sem);
			value[0]++;
			value[1]++;
			os_rwsem_downgrade(&sem);
			assert_int_equal(value[0], value[1]);
			os_rwsem_unlock_shared(&sem);
			break;
		case 1:
			if (!os_rwsem_trylock(&sem))
				break;
			value[0]++;
			value[1]++;
			os_rwsem_unlock(&sem);
			break;
		case 2:
			os_rwsem_lock(&sem);
			value[0]--;
			value[1]--;
			os_rwsem_unlock(&sem);
			break;
		default:
			os_rwsem_lock_shared(&sem);
			assert_int_equal(value[0], value[1]);
			os_rwsem_unlock_shared(&sem);
		}
	}
}

static void test_stress(void **state)
{
	run_threads(5, mix, NULL);
	assert_int_equal(value[0], value[1]);
}

struct shared {
	struct os_rwsem lock;
	int refs; /* lock: lock */
};

static void put_ref(void *arg)
{
	struct shared *s = arg;
	bool last;

	os_rwsem_lock_shared(&s->lock);
	os_rwsem_unlock_shared(&s->lock);
	os_rwsem_lock(&s->lock);
	last = --s->refs == 0;
	os_rwsem_unlock(&s->lock);
	if (last)
		free(s);
}

static void test_last_holder_frees(void **state)
{
	for (int i = 0; i < 300; i++) {
		struct shared *s = calloc(1, sizeof(*s));

		os_rwsem_init(&s->lock, RANK_INODE, "freed");
		s->refs = 4;
		run_threads(4, put_ref, s);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_try),
		T(test_waiting_writer_stops_new_readers),
		T(test_queued_reader_goes_before_later_writer),
		T(test_downgrade_lets_waiting_readers_in),
		T(test_readers_share),
		T(test_queued_readers_go_together),
		T(test_overtaken_writer_gets_it),
		T(test_many_writers),
		T(test_stress),
		T(test_last_holder_frees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
