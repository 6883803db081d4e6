/*
 * Mutex, condition and completion: the parts that sleep.
 *
 * The mutex word is 0 free, 1 held, 2 held with possible sleepers. Whoever has
 * slept takes it as 2, since others may still sleep. Barging is allowed.
 */
#include "os/assert.h"
#include "os/futex.h"
#include "os/lock.h"
#include "os/tally.h"

void os_mutex_init(struct os_mutex *m, enum lock_rank rank, const char *name)
{
	*m = (struct os_mutex)OS_MUTEX_INIT((u16)rank, name);
}

void os_mutex_fini(struct os_mutex *m)
{
	ASSERT(__atomic_load_n(&m->state, __ATOMIC_ACQUIRE) == 0);
}

static struct tally sleeps;

void os_lock_count_wait(void)
{
	tally_add(&sleeps, 0, 1);
}

u64 os_lock_waits(void)
{
	return tally_sum(&sleeps, 0);
}

void os_word_lock_slow(u32 *word)
{
	for (int i = 0; i < SPIN_MAX; i++) {
		u32 state = __atomic_load_n(word, __ATOMIC_RELAXED);

		if (state == 2)
			break;
		if (state == 0 && os_word_trylock(word))
			return;
		cpu_relax();
	}
	os_lock_count_wait();
	while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0)
		futex_wait(word, 2);
}

void os_word_wake(u32 *word)
{
	futex_wake(word, 1);
}

void os_cond_init(struct os_cond *c, const char *name)
{
	*c = (struct os_cond)OS_COND_INIT(name);
}

void os_cond_wake(struct os_cond *c, int count)
{
	__atomic_fetch_add(&c->seq, 1, __ATOMIC_RELEASE);
	futex_wake(&c->seq, count);
}

/*
 * The checker keeps the mutex on this thread's list over the wait: taking it
 * back is the second half of a lock that was in order when it was first taken.
 */
static bool cond_wait(struct os_cond *c, struct os_mutex *m, const u64 *deadline_ns)
{
	u32 seq = __atomic_load_n(&c->seq, __ATOMIC_RELAXED);
	bool in_time = true;

	ASSERT(os_mutex_held(m));
	__atomic_fetch_add(&c->waiters, 1, __ATOMIC_RELAXED);
	LOCK_OWNER(m, 0);
	os_word_unlock(&m->state);
	if (!deadline_ns)
		futex_wait(&c->seq, seq);
	else if (!futex_wait_until(&c->seq, seq, *deadline_ns))
		in_time = __atomic_load_n(&c->seq, __ATOMIC_RELAXED) != seq;
	os_word_lock(&m->state);
	LOCK_OWNER(m, os_thread_self());
	__atomic_fetch_sub(&c->waiters, 1, __ATOMIC_RELAXED);
	return in_time;
}

void os_cond_wait(struct os_cond *c, struct os_mutex *m)
{
	cond_wait(c, m, NULL);
}

bool os_cond_wait_until(struct os_cond *c, struct os_mutex *m, u64 deadline_ns)
{
	return cond_wait(c, m, &deadline_ns);
}

void os_completion_init(struct os_completion *c)
{
	__atomic_store_n(&c->state, 0, __ATOMIC_RELEASE);
}

/* True when done; else the state says that someone sleeps. */
static bool completion_announce(struct os_completion *c)
{
	u32 state = 0;

	__atomic_compare_exchange_n(
		&c->state, &state, 2, false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE);
	return state == 1;
}

void os_completion_wait(struct os_completion *c)
{
	if (os_completion_done(c) || completion_announce(c))
		return;
	while (!os_completion_done(c))
		futex_wait(&c->state, 2);
}

bool os_completion_wait_until(struct os_completion *c, u64 deadline_ns)
{
	if (os_completion_done(c) || completion_announce(c))
		return true;
	while (!os_completion_done(c))
		if (!futex_wait_until(&c->state, 2, deadline_ns))
			return os_completion_done(c);
	return true;
}

void os_completion_complete(struct os_completion *c)
{
	if (__atomic_exchange_n(&c->state, 1, __ATOMIC_RELEASE) == 2)
		futex_wake(&c->state, INT32_MAX);
}
