/* Direct I/O in flight: counted, and waited for (IO-58, IO-136). */
#include "inode/inode_test.h"

#include "base/trace.h"
#include "inode/dio.h"
#include "os/thread.h"

#define IN_FLIGHT 3

static struct os_completion waiting;
static u32 ended; /* atomic */

static void see_wait(const char *name, u64 a, u64 b)
{
	if (!strcmp(name, "dio_wait"))
		os_completion_complete(&waiting);
}

struct waiter {
	struct inode *i;
	u32 seen; /* of ended, after the wait */
};

static void wait_and_look(void *arg)
{
	struct waiter *w = arg;

	os_rwsem_lock(&w->i->lock);
	inode_dio_wait(w->i);
	w->seen = atomic_load_acq(&ended);
	os_rwsem_unlock(&w->i->lock);
}

static void begin_some(struct inode *i)
{
	os_rwsem_lock_shared(&i->lock);
	for (unsigned k = 0; k < IN_FLIGHT; k++)
		inode_dio_begin(i);
	os_rwsem_unlock_shared(&i->lock);
}

static void test_IO_58_wait(void **state)
{
	struct os_thread *thread;
	struct inode_test t;
	struct waiter w;

	it_make(&t, 8 << 20, "-b 1024", 1, 0);
	it_up(&t, 0);
	w.i = it_file(&t, 0);
	trace_hook = see_wait;
	for (unsigned round = 0; round < 20; round++) {
		os_completion_init(&waiting);
		atomic_store_rel(&ended, 0);
		begin_some(w.i);
		assert_true(inode_dio_busy(w.i));
		assert_int_equal(os_thread_create(&thread, "waiter", wait_and_look, &w), 0);
		os_completion_wait(&waiting);
		for (unsigned k = 0; k < IN_FLIGHT; k++) {
			atomic_add(&ended, 1);
			inode_dio_end(w.i);
		}
		os_thread_join(thread);
		assert_int_equal(w.seen, IN_FLIGHT);
		assert_false(inode_dio_busy(w.i));
	}
	trace_hook = NULL;
	inode_put(w.i);
	it_end(&t);
}

/* What ends before anyone waits costs the waiter nothing. */
static void test_IO_58_idle(void **state)
{
	struct inode_test t;
	struct waiter w;

	it_make(&t, 8 << 20, "-b 1024", 1, 0);
	it_up(&t, 0);
	w.i = it_file(&t, 0);
	wait_and_look(&w);
	begin_some(w.i);
	for (unsigned k = 0; k < IN_FLIGHT; k++)
		inode_dio_end(w.i);
	wait_and_look(&w);
	inode_put(w.i);
	it_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_58_wait),
		cmocka_unit_test(test_IO_58_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
