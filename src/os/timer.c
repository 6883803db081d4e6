/*
 * Timers: one service thread for the process, alive while timers exist. Built
 * on the locks and threads of this room only.
 */
#include <errno.h>

#include "base/err.h"
#include "base/list.h"
#include "os/assert.h"
#include "os/clock.h"
#include "os/lock.h"
#include "os/lock_order.h"
#include "os/mem.h"
#include "os/thread.h"

struct os_timer {
	struct list node; /* lock: lock. On armed, or empty */
	u64 deadline_ns;  /* lock: lock */
	const char *name;
	void (*fn)(void *);
	void *arg;
};

static struct os_mutex life = OS_MUTEX_INIT(RANK_LEAF, "timer service");
static struct os_thread *service; /* lock: life */
static unsigned timers;		  /* lock: life */

static struct os_mutex lock = OS_MUTEX_INIT(RANK_LEAF, "timers");
static struct os_cond change = OS_COND_INIT("timers"); /* the first deadline, or the end */
static struct os_cond ended = OS_COND_INIT("timer fn");
static struct list armed = LIST_INIT(armed); /* lock: lock. By deadline */
static struct os_timer *running;	     /* lock: lock */
static u32 service_id;			     /* lock: lock */
static bool stopping;			     /* lock: lock */

static void timers_lock(void)
{
	os_mutex_lock_nested(&lock, OS_ORDER_INNER);
}

static bool on_service_thread(void)
{
	bool yes;

	timers_lock();
	yes = service_id == os_thread_self();
	os_mutex_unlock(&lock);
	return yes;
}

static void run_first_locked(void)
{
	struct os_timer *t = list_first(&armed, struct os_timer, node);

	ASSERT(os_mutex_held(&lock));
	if (t->deadline_ns > os_clock_mono()) {
		os_cond_wait_until(&change, &lock, t->deadline_ns);
		return;
	}
	list_del(&t->node);
	running = t;
	os_mutex_unlock(&lock);
	t->fn(t->arg);
	os_rank_assert_none_from(RANK_MOUNT);
	timers_lock();
	running = NULL;
	os_cond_broadcast(&ended);
}

static void service_main(void *unused)
{
	timers_lock();
	service_id = os_thread_self();
	while (!stopping) {
		if (list_empty(&armed))
			os_cond_wait(&change, &lock);
		else
			run_first_locked();
	}
	service_id = 0;
	os_mutex_unlock(&lock);
}

static int service_get(void)
{
	int err = 0;

	os_mutex_lock_nested(&life, OS_ORDER_OUTER);
	if (timers == 0)
		err = os_thread_create(&service, "uext4-timer", service_main, NULL);
	if (!err)
		timers++;
	os_mutex_unlock(&life);
	return err;
}

static void service_put(void)
{
	os_mutex_lock_nested(&life, OS_ORDER_OUTER);
	if (--timers == 0) {
		timers_lock();
		stopping = true;
		os_cond_broadcast(&change);
		os_mutex_unlock(&lock);
		os_thread_join(service);
		stopping = false; /* no thread is left to see it */
	}
	os_mutex_unlock(&life);
}

int os_timer_create(struct os_timer **out, const char *name, void (*fn)(void *), void *arg)
{
	struct os_timer *t = os_zalloc(sizeof(*t));
	int err;

	*out = NULL;
	if (!t)
		return ERR(ENOMEM);
	list_init(&t->node);
	t->name = name;
	t->fn = fn;
	t->arg = arg;
	err = service_get();
	if (err) {
		os_free(t);
		return err;
	}
	*out = t;
	return 0;
}

void os_timer_arm(struct os_timer *t, u64 deadline_ns)
{
	struct list *pos;

	timers_lock();
	list_del(&t->node);
	t->deadline_ns = deadline_ns;
	for (pos = armed.next; pos != &armed; pos = pos->next)
		if (list_entry(pos, struct os_timer, node)->deadline_ns > deadline_ns)
			break;
	list_add_tail(pos, &t->node); /* before pos */
	if (armed.next == &t->node)
		os_cond_broadcast(&change);
	os_mutex_unlock(&lock);
}

/* fn may arm its timer again while we wait for it. fn itself may cancel, without waiting. */
void os_timer_cancel(struct os_timer *t)
{
	timers_lock();
	list_del(&t->node);
	while (running == t && service_id != os_thread_self()) {
		os_cond_wait(&ended, &lock);
		list_del(&t->node);
	}
	os_mutex_unlock(&lock);
}

void os_timer_destroy(struct os_timer *t)
{
	if (!t)
		return;
	BUG_ON(on_service_thread()); /* would wait for itself */
	os_timer_cancel(t);
	service_put();
	os_free(t);
}
