/*
 * Read-write semaphore: the parts that queue and sleep.
 *
 * Sleepers stand in one queue in order of arrival; their nodes live on their
 * stacks. RWSEM_WAITERS is set exactly while the queue is not empty, and is
 * changed under the guard. While it is set, the last holder leaves under the
 * guard too and decides what comes next:
 * - readers at the head get the lock at once, all up to the next writer;
 * - a writer at the head is woken and must come for it. Other writers may
 *   overtake it meanwhile, so that a busy lock does not idle for the time of a
 *   wake-up; after BYPASS_MAX times, or fewer when it came in vain, it is given
 *   the lock like a reader.
 * New readers never overtake. So neither side starves.
 */
#include "os/assert.h"
#include "os/futex.h"
#include "os/lock.h"

#define BYPASS_MAX 64
#define VAIN_COST 16 /* bypasses that coming in vain counts for */

enum { WAITER_ASLEEP, WAITER_WOKEN, WAITER_GRANTED };

struct os_rwsem_waiter {
	struct os_rwsem_waiter *next; /* lock: guard; the granter's once it left the queue */
	u32 status;		      /* futex word; WOKEN and ASLEEP are set under the guard */
	u32 bypassed;		      /* lock: guard */
	bool writer;
};

void os_rwsem_init(struct os_rwsem *s, enum lock_rank rank, const char *name)
{
	*s = (struct os_rwsem)OS_RWSEM_INIT((u16)rank, name);
}

void os_rwsem_fini(struct os_rwsem *s)
{
	ASSERT(__atomic_load_n(&s->state, __ATOMIC_ACQUIRE) == 0);
}

static u32 state_load(const struct os_rwsem *s)
{
	return __atomic_load_n(&s->state, __ATOMIC_ACQUIRE);
}

static bool state_cas(struct os_rwsem *s, u32 *cur, u32 want)
{
	return __atomic_compare_exchange_n(
		&s->state, cur, want, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static void state_store(struct os_rwsem *s, u32 holders)
{
	__atomic_store_n(&s->state, holders | (s->head ? RWSEM_WAITERS : 0), __ATOMIC_RELEASE);
}

static void queue_push_locked(struct os_rwsem *s, struct os_rwsem_waiter *w)
{
	if (s->head)
		s->tail->next = w;
	else
		s->head = w;
	s->tail = w;
}

static struct os_rwsem_waiter *queue_pop_locked(struct os_rwsem *s)
{
	struct os_rwsem_waiter *w = s->head;

	s->head = w->next;
	w->next = NULL;
	return w;
}

/* A writer takes the free lock, past those who queue. */
static bool write_steal(struct os_rwsem *s)
{
	u32 cur = state_load(s);

	return !(cur & ~RWSEM_WAITERS) && state_cas(s, &cur, cur | RWSEM_WRITER);
}

static bool spin(struct os_rwsem *s, bool writer)
{
	for (int i = 0; i < SPIN_MAX; i++) {
		if (writer ? write_steal(s) : os_rwsem_try_read(s))
			return true;
		cpu_relax();
	}
	return false;
}

/* Queues w, or takes the lock and returns false. */
static bool enqueue(struct os_rwsem *s, struct os_rwsem_waiter *w)
{
	bool queued = true;
	u32 cur;

	os_word_lock(&s->guard);
	cur = state_load(s);
	while (!s->head) {
		bool free = w->writer ? cur == 0 : !(cur & RWSEM_WRITER);
		u32 taken = w->writer ? RWSEM_WRITER : cur + 1;

		if (state_cas(s, &cur, free ? taken : cur | RWSEM_WAITERS)) {
			queued = !free;
			break;
		}
	}
	if (queued)
		queue_push_locked(s, w);
	os_word_unlock(&s->guard);
	return queued;
}

static u32 waiter_sleep(struct os_rwsem_waiter *w, u32 while_status)
{
	u32 status;

	while ((status = __atomic_load_n(&w->status, __ATOMIC_ACQUIRE)) == while_status)
		futex_wait(&w->status, while_status);
	return status;
}

/* The writer at the head was woken: takes the lock if it is still free. False: sleep again. */
static bool head_take(struct os_rwsem *s, struct os_rwsem_waiter *w)
{
	u32 cur;

	os_word_lock(&s->guard);
	if (s->head != w) { /* given to us meanwhile; the giver still holds on to w */
		os_word_unlock(&s->guard);
		waiter_sleep(w, WAITER_WOKEN);
		return true;
	}
	cur = state_load(s);
	while (!(cur & ~RWSEM_WAITERS)) {
		if (state_cas(s, &cur, RWSEM_WRITER | (w->next ? RWSEM_WAITERS : 0))) {
			queue_pop_locked(s);
			os_word_unlock(&s->guard);
			return true;
		}
	}
	__atomic_store_n(&w->status, WAITER_ASLEEP, __ATOMIC_RELAXED);
	w->bypassed += VAIN_COST;
	os_word_unlock(&s->guard);
	return false;
}

void os_rwsem_lock_slow(struct os_rwsem *s)
{
	struct os_rwsem_waiter w = {.writer = true};

	if (spin(s, true) || !enqueue(s, &w))
		return;
	os_lock_count_wait();
	while (waiter_sleep(&w, WAITER_ASLEEP) != WAITER_GRANTED)
		if (head_take(s, &w))
			return;
}

void os_rwsem_lock_shared_slow(struct os_rwsem *s)
{
	struct os_rwsem_waiter w = {.writer = false};

	if (spin(s, false) || !enqueue(s, &w))
		return;
	os_lock_count_wait();
	waiter_sleep(&w, WAITER_ASLEEP);
}

/* Takes the readers off the head and counts them. */
static struct os_rwsem_waiter *pop_readers_locked(struct os_rwsem *s, u32 *count)
{
	struct os_rwsem_waiter *first = NULL, **link = &first;

	while (s->head && !s->head->writer) {
		*link = queue_pop_locked(s);
		link = &(*link)->next;
		*count += 1;
	}
	return first;
}

/* They hold the lock already. Touches nothing but their nodes: they may free the lock. */
static void grant(struct os_rwsem_waiter *w)
{
	while (w) {
		struct os_rwsem_waiter *next = w->next;

		__atomic_store_n(&w->status, WAITER_GRANTED, __ATOMIC_RELEASE);
		futex_wake(&w->status, 1);
		w = next;
	}
}

/* The only holder leaves, with the guard held, which this drops. */
static void leave_locked(struct os_rwsem *s)
{
	struct os_rwsem_waiter *head = s->head, *granted = NULL;
	u32 *wake = NULL, holders = 0;

	if (head && !head->writer) {
		granted = pop_readers_locked(s, &holders);
	} else if (head && head->bypassed++ >= BYPASS_MAX) {
		granted = queue_pop_locked(s);
		holders = RWSEM_WRITER;
	} else if (head && __atomic_load_n(&head->status, __ATOMIC_RELAXED) == WAITER_ASLEEP) {
		__atomic_store_n(&head->status, WAITER_WOKEN, __ATOMIC_RELEASE);
		wake = &head->status;
	}
	state_store(s, holders);
	os_word_unlock(&s->guard);
	if (wake)
		futex_wake(wake, 1);
	grant(granted);
}

void os_rwsem_unlock_slow(struct os_rwsem *s)
{
	BUG_ON(!(state_load(s) & RWSEM_WRITER));
	os_word_lock(&s->guard);
	leave_locked(s);
}

void os_rwsem_unlock_shared_slow(struct os_rwsem *s)
{
	BUG_ON((state_load(s) & RWSEM_READERS) != 1);
	os_word_lock(&s->guard);
	leave_locked(s);
}

void os_rwsem_downgrade(struct os_rwsem *s)
{
	struct os_rwsem_waiter *granted;
	u32 cur = RWSEM_WRITER, holders = 1;

#ifdef UEXT4_DEBUG
	rank_downgrade(s, s->name);
#endif
	LOCK_OWNER(s, 0);
	if (state_cas(s, &cur, 1))
		return;
	BUG_ON(!(cur & RWSEM_WRITER));
	os_word_lock(&s->guard);
	granted = pop_readers_locked(s, &holders);
	state_store(s, holders);
	os_word_unlock(&s->guard);
	grant(granted);
}
