/*
 * Threads, work queues and timers. The only place where threads come from.
 */
#ifndef OS_THREAD_H
#define OS_THREAD_H

#include "base/list.h"
#include "base/types.h"

struct os_thread;

/* *out is set before fn starts. All signals are blocked in fn. */
int os_thread_create(struct os_thread **out, const char *name, void (*fn)(void *), void *arg);
void os_thread_join(struct os_thread *t); /* waits for the end and frees it */
u32 os_thread_self(void);		  /* small id, never 0, unique among live threads */
void os_yield(void);
unsigned os_cpu_count(void);
/* Which of n shards this thread should prefer; cheap, changes rarely. */
unsigned os_shard(unsigned n);

struct os_work {
	struct list node; /* lock: the work queue's */
	void (*fn)(struct os_work *);
	bool queued; /* lock: the work queue's */
};

struct os_workqueue;

/*
 * Runs works on up to max_threads threads, created on demand and idle ones
 * ended. Works start in the order of queueing; with one thread they also end
 * in it. A work that is queued again while it runs may run twice at a time.
 */
int os_workqueue_create(struct os_workqueue **out, const char *name, unsigned max_threads);
/* Waits until everything queued has run, then ends the threads. */
void os_workqueue_destroy(struct os_workqueue *wq);
void os_work_init(struct os_work *w, void (*fn)(struct os_work *));
/* False when it is already queued. fn may queue it again, or free it. Never allocates. */
bool os_work_queue(struct os_workqueue *wq, struct os_work *w);
/* Waits until all works queued before the call have run. Not from one of its works. */
void os_workqueue_flush(struct os_workqueue *wq);

/* A timer runs fn on a service thread; fn must not block for long, but may arm and cancel it. */
struct os_timer;
int os_timer_create(struct os_timer **out, const char *name, void (*fn)(void *), void *arg);
void os_timer_arm(struct os_timer *t, u64 deadline_ns); /* replaces an earlier deadline */
void os_timer_cancel(struct os_timer *t);		/* waits for a running fn */
void os_timer_destroy(struct os_timer *t);

#endif
