/*
 * Work queues, built on the locks and threads of this room only.
 *
 * One thread lives as long as the queue, so that queueing neither allocates
 * nor fails. Before a thread runs a work it sees to it that another one
 * stands by, as long as max_threads allows: a work may wait for a later one.
 * Threads that stood by for IDLE_NS end, if another one still stands by.
 *
 * Works start in the order of queueing, numbered from 1. Flush waits until the
 * number of the youngest work of its time has started and nothing up to it
 * still runs.
 */
#include <errno.h>

#include "base/err.h"
#include "os/assert.h"
#include "os/clock.h"
#include "os/lock.h"
#include "os/lock_order.h"
#include "os/mem.h"
#include "os/thread.h"

#define IDLE_NS (2 * NSEC_PER_SEC)

struct worker {
	struct os_workqueue *wq;
	struct os_thread *thread;
	struct list node; /* lock: wq->lock. On wq->running */
	u64 number;	  /* lock: wq->lock. Of the work being run */
	u32 id;		  /* of the thread */
};

struct os_workqueue {
	struct os_mutex lock;
	struct os_cond work; /* there is a work, or an end */
	struct os_cond done; /* a work or a thread has ended */
	const char *name;
	unsigned max_threads;
	/* lock: all below */
	struct list works;
	struct list running;	/* workers with a work, oldest work first */
	struct worker *ended;	/* to be joined by the next to end */
	u64 queued, started;	/* numbers of the last work queued and started */
	unsigned threads, idle; /* idle: asleep and not yet woken for a work */
	bool stopping;
};

static void worker_main(void *arg);

static void wq_lock(struct os_workqueue *wq)
{
	os_mutex_lock_nested(&wq->lock, OS_ORDER_INNER);
}

/* The caller has counted it in wq->threads. */
static int worker_create(struct os_workqueue *wq)
{
	struct worker *w = os_zalloc(sizeof(*w));
	int err;

	if (!w)
		return ERR(ENOMEM);
	w->wq = wq;
	list_init(&w->node);
	err = os_thread_create(&w->thread, wq->name, worker_main, w);
	if (err)
		os_free(w);
	return err;
}

static void worker_join(struct worker *w)
{
	if (!w)
		return;
	os_thread_join(w->thread);
	os_free(w);
}

/* Without memory we go on with the threads that we have. */
static void standby_create_locked(struct os_workqueue *wq)
{
	ASSERT(os_mutex_held(&wq->lock));
	if (wq->idle || wq->threads >= wq->max_threads)
		return;
	wq->threads++;
	os_mutex_unlock(&wq->lock);
	if (worker_create(wq) == 0) {
		wq_lock(wq);
		return;
	}
	wq_lock(wq);
	wq->threads--;
}

static void work_run_locked(struct os_workqueue *wq, struct worker *w)
{
	struct os_work *work = list_first(&wq->works, struct os_work, node);
	void (*fn)(struct os_work *) = work->fn;

	ASSERT(os_mutex_held(&wq->lock));
	list_del(&work->node);
	work->queued = false;
	w->number = ++wq->started;
	list_add_tail(&wq->running, &w->node);
	standby_create_locked(wq);
	os_mutex_unlock(&wq->lock);
	fn(work); /* may free it */
	os_rank_assert_none_from(RANK_MOUNT);
	wq_lock(wq);
	list_del(&w->node);
	os_cond_broadcast(&wq->done);
}

/* False when the thread shall end. */
static bool worker_idle_locked(struct os_workqueue *wq)
{
	bool in_time;

	ASSERT(os_mutex_held(&wq->lock));
	if (wq->stopping)
		return false;
	wq->idle++;
	in_time = os_cond_wait_until(&wq->work, &wq->lock, os_clock_mono() + IDLE_NS);
	wq->idle--;
	return in_time || !list_empty(&wq->works) || wq->idle == 0;
}

static void worker_main(void *arg)
{
	struct worker *w = arg, *before;
	struct os_workqueue *wq = w->wq;

	wq_lock(wq);
	w->id = os_thread_self();
	for (;;) {
		if (!list_empty(&wq->works))
			work_run_locked(wq, w);
		else if (!worker_idle_locked(wq))
			break;
	}
	wq->threads--;
	before = wq->ended;
	wq->ended = w;
	os_cond_broadcast(&wq->done);
	os_mutex_unlock(&wq->lock);
	worker_join(before); /* the queue may be gone, but before and w are not */
}

int os_workqueue_create(struct os_workqueue **out, const char *name, unsigned max_threads)
{
	struct os_workqueue *wq = os_zalloc(sizeof(*wq));
	int err;

	*out = NULL;
	if (!wq)
		return ERR(ENOMEM);
	os_mutex_init(&wq->lock, RANK_LEAF, name);
	os_cond_init(&wq->work, name);
	os_cond_init(&wq->done, name);
	list_init(&wq->works);
	list_init(&wq->running);
	wq->name = name;
	wq->max_threads = max_of(max_threads, 1u);
	wq->threads = 1;
	err = worker_create(wq);
	if (err) {
		os_free(wq);
		return err;
	}
	*out = wq;
	return 0;
}

void os_workqueue_destroy(struct os_workqueue *wq)
{
	struct worker *last;

	if (!wq)
		return;
	wq_lock(wq);
	wq->stopping = true;
	os_cond_broadcast(&wq->work);
	while (wq->threads)
		os_cond_wait(&wq->done, &wq->lock);
	last = wq->ended;
	os_mutex_unlock(&wq->lock);
	worker_join(last); /* it has joined the one before */
	os_mutex_fini(&wq->lock);
	os_free(wq);
}

void os_work_init(struct os_work *w, void (*fn)(struct os_work *))
{
	list_init(&w->node);
	w->fn = fn;
	w->queued = false;
}

bool os_work_queue(struct os_workqueue *wq, struct os_work *w)
{
	bool added;

	wq_lock(wq);
	added = !w->queued;
	if (added) {
		w->queued = true;
		wq->queued++;
		list_add_tail(&wq->works, &w->node);
		os_cond_signal(&wq->work);
	}
	os_mutex_unlock(&wq->lock);
	return added;
}

static bool flushed_locked(struct os_workqueue *wq, u64 number)
{
	ASSERT(os_mutex_held(&wq->lock));
	return wq->started >= number &&
	       (list_empty(&wq->running) ||
		       list_first(&wq->running, struct worker, node)->number > number);
}

void os_workqueue_flush(struct os_workqueue *wq)
{
	struct worker *w;
	u64 number;

	wq_lock(wq);
	list_for_each_entry (w, &wq->running, node)
		BUG_ON(w->id == os_thread_self()); /* would wait for itself */
	number = wq->queued;
	while (!flushed_locked(wq, number))
		os_cond_wait(&wq->done, &wq->lock);
	os_mutex_unlock(&wq->lock);
}
