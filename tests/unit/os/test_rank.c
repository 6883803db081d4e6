/* Built with -Dchecks=true only: what the lock checker lets pass and what it stops. */
#include "os_test.h"

static struct os_mutex group, leaf, leaf2, none;
static struct os_rwsem inode, child;

static int setup(void **state)
{
	os_mutex_init(&group, RANK_GROUP, "a-group");
	os_mutex_init(&leaf, RANK_LEAF, "a-leaf");
	os_mutex_init(&leaf2, RANK_LEAF, "b-leaf");
	os_mutex_init(&none, RANK_NONE, "a-none");
	os_rwsem_init(&inode, RANK_INODE, "an-inode");
	os_rwsem_init(&child, RANK_INODE, "a-child");
	return 0;
}

static void test_legal_orders_pass(void **state)
{
	os_rwsem_lock(&inode);
	os_rwsem_lock_shared_nested(&child, 1);
	os_rank_enter(RANK_HANDLE, state, "handle");
	os_mutex_lock(&group);
	os_mutex_lock(&leaf);
	os_mutex_lock(&none);		   /* unchecked */
	os_rank_leave(RANK_HANDLE, state); /* in any order */
	os_rwsem_downgrade(&inode);
	assert_false(os_rwsem_held(&inode));
	assert_true(os_rwsem_held_shared(&inode));
	os_rwsem_unlock_shared(&inode);
	os_mutex_unlock(&group);
	os_rank_assert_none_from(RANK_LEAF + 1);
	os_mutex_unlock(&none);
	os_mutex_unlock(&leaf);
	os_rwsem_unlock_shared(&child);
	os_rank_assert_none_from(RANK_NONE);
	assert_false(os_mutex_held(&leaf));
	assert_false(os_rwsem_held_shared(&child));
}

static void test_trylock_may_go_outwards(void **state)
{
	os_mutex_lock(&group);
	assert_true(os_rwsem_trylock(&inode));
	assert_true(os_rwsem_trylock_shared(&child));
	os_rwsem_unlock_shared(&child);
	os_rwsem_unlock(&inode);
	os_mutex_unlock(&group);
}

static void take_outer_rank(void)
{
	os_mutex_lock(&group);
	os_rwsem_lock_shared(&inode);
}

static void take_after_trylock(void)
{
	assert_true(os_mutex_trylock(&leaf));
	os_mutex_lock(&group);
}

static void take_same_order(void)
{
	os_mutex_lock(&leaf);
	os_mutex_lock(&leaf2);
}

static void take_smaller_order(void)
{
	os_rwsem_lock_nested(&inode, 1);
	os_rwsem_lock(&child);
}

static void handle_under_group(void)
{
	os_mutex_lock(&group);
	os_rank_enter(RANK_HANDLE, &leaf, "a-handle");
}

static void lock_above_handle(void)
{
	os_rank_enter(RANK_HANDLE, &leaf, "a-handle");
	os_rwsem_lock(&inode);
}

static void test_rank_violations(void **state)
{
	expect_bug(take_outer_rank, "lock rank violated: an-inode", "holding a-group");
	expect_bug(take_after_trylock, "lock rank violated: a-group", "holding a-leaf");
	expect_bug(handle_under_group, "lock rank violated: a-handle", "holding a-group");
	expect_bug(lock_above_handle, "lock rank violated: an-inode", "holding a-handle");
	expect_bug(take_same_order, "within one rank violated: b-leaf", "holding a-leaf");
	expect_bug(take_smaller_order, "within one rank violated: a-child", "holding an-inode");
}

static void take_twice(void)
{
	os_mutex_lock(&none);
	os_mutex_lock(&none);
}

static void share_twice(void)
{
	os_rwsem_lock_shared(&inode);
	os_rwsem_lock_shared_nested(&inode, 1);
}

static void test_recursion(void **state)
{
	expect_bug(take_twice, "taken twice by one thread: a-none", "holding a-none");
	expect_bug(share_twice, "taken twice by one thread: an-inode", "holding an-inode");
}

static void unlock_free(void)
{
	os_mutex_unlock(&leaf);
}

static void lock_leaf(void *arg)
{
	os_mutex_lock(&leaf);
	os_completion_complete(arg);
	os_sleep_ns(3600 * NSEC_PER_SEC);
}

static void unlock_of_other_thread(void)
{
	struct os_completion taken;

	os_completion_init(&taken);
	spawn(lock_leaf, &taken);
	os_completion_wait(&taken);
	os_mutex_unlock(&leaf);
}

static void unlock_wrong_mode(void)
{
	os_rwsem_lock_shared(&inode);
	os_rwsem_unlock(&inode);
}

static void downgrade_shared(void)
{
	os_rwsem_lock_shared(&inode);
	os_rwsem_downgrade(&inode);
}

static void leave_not_entered(void)
{
	os_rank_leave(RANK_HANDLE, &leaf);
}

static void test_unlock_by_who_does_not_hold(void **state)
{
	expect_bug(unlock_free, "does not hold", "a-leaf");
	expect_bug(unlock_of_other_thread, "does not hold", "a-leaf");
	expect_bug(unlock_wrong_mode, "another mode", "an-inode");
	expect_bug(downgrade_shared, "not held exclusively", "an-inode");
	expect_bug(leave_not_entered, "does not hold", "");
}

static void keep_leaf(void *arg)
{
	os_mutex_lock(&leaf);
}

static void thread_keeps_lock(void)
{
	run_threads(1, keep_leaf, NULL);
}

static void work_keeps_lock_fn(struct os_work *w)
{
	os_rwsem_lock_shared(&inode);
}

static void work_keeps_lock(void)
{
	struct os_workqueue *wq;
	struct os_work w;

	if (os_workqueue_create(&wq, "test", 1) == 0) {
		os_work_init(&w, work_keeps_lock_fn);
		os_work_queue(wq, &w);
		os_workqueue_destroy(wq);
	}
}

static void test_lock_kept(void **state)
{
	expect_bug(thread_keeps_lock, "thread ends with a lock held", "a-leaf");
	expect_bug(work_keeps_lock, "lock held too long", "an-inode");
}

static void assert_none(void)
{
	os_rwsem_lock(&inode);
	os_mutex_lock(&group);
	os_rank_assert_none_from(RANK_PAGE);
}

static void assert_none_at(void)
{
	os_mutex_lock(&group);
	os_rank_assert_none_from(RANK_GROUP);
}

static void wait_unlocked(void)
{
	struct os_cond c = OS_COND_INIT("c");

	os_cond_wait(&c, &leaf);
}

static void fini_held(void)
{
	os_mutex_lock(&leaf);
	os_mutex_fini(&leaf);
}

static void flush_from_work_fn(struct os_work *w);
static struct os_workqueue *own;

static void flush_from_work(void)
{
	struct os_work w;

	if (os_workqueue_create(&own, "test", 1) == 0) {
		os_work_init(&w, flush_from_work_fn);
		os_work_queue(own, &w);
		os_workqueue_flush(own);
	}
}

static void flush_from_work_fn(struct os_work *w)
{
	os_workqueue_flush(own);
}

static void test_other_misuse(void **state)
{
	expect_bug(assert_none, "lock held too long", "a-group");
	expect_bug(assert_none_at, "lock held too long", "a-group");
	expect_bug(wait_unlocked, "os_mutex_held(m)", "");
	expect_bug(fini_held, "state", "held: a-leaf");
	expect_bug(flush_from_work, "os_thread_self()", "");
}

/* Waiting drops the mutex but is no new lock: what is held below it does not matter. */
static void test_cond_wait_below_others(void **state)
{
	struct os_cond c = OS_COND_INIT("c");

	os_mutex_lock(&group);
	os_mutex_lock(&leaf);
	assert_false(os_cond_wait_until(&c, &group, 0));
	assert_true(os_mutex_held(&group));
	os_mutex_unlock(&leaf);
	os_mutex_unlock(&group);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		T(test_legal_orders_pass),
		T(test_trylock_may_go_outwards),
		T(test_rank_violations),
		T(test_recursion),
		T(test_unlock_by_who_does_not_hold),
		T(test_lock_kept),
		T(test_other_misuse),
		T(test_cond_wait_below_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
