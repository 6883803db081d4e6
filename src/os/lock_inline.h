/*
 * Fast paths of os/lock.h: one atomic instruction when nobody waits. Never
 * include it directly, and depend on nothing in it: the simulator replaces it.
 */
#ifndef OS_LOCK_INLINE_H
#define OS_LOCK_INLINE_H

#include "base/util.h"
#include "os/lock.h"
#include "os/rank_check.h"
#include "os/thread.h"

void os_word_lock_slow(u32 *word);
void os_word_wake(u32 *word);
void os_lock_count_wait(void); /* before a thread sleeps for a lock */
void os_cond_wake(struct os_cond *c, int count);

#ifdef UEXT4_DEBUG
#define LOCK_CHECK(l, order) rank_check(l, (enum lock_rank)(l)->rank, order, (l)->name)
#define LOCK_PUSH(l, order, mode) rank_push(l, (enum lock_rank)(l)->rank, order, (l)->name, mode)
#define LOCK_POP(l, mode) rank_pop(l, mode, (l)->name)
#define LOCK_OWNER(l, id) ((l)->owner = (id))
#else
#define LOCK_CHECK(l, order) ((void)(order))
#define LOCK_PUSH(l, order, mode) ((void)(order))
#define LOCK_POP(l, mode) ((void)0)
#define LOCK_OWNER(l, id) ((void)0)
#endif

/* A futex lock without checks: the heart of the mutex, and the guard of the rwsem's queue. */
OS_FAST bool os_word_trylock(u32 *word)
{
	u32 free = 0;

	return __atomic_compare_exchange_n(
		word, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

OS_FAST void os_word_lock(u32 *word)
{
	if (unlikely(!os_word_trylock(word)))
		os_word_lock_slow(word);
}

OS_FAST void os_word_unlock(u32 *word)
{
	if (unlikely(__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) == 2))
		os_word_wake(word);
}

OS_FAST void os_mutex_lock_nested(struct os_mutex *m, unsigned order)
{
	LOCK_CHECK(m, order);
	os_word_lock(&m->state);
	LOCK_PUSH(m, order, RANK_EXCLUSIVE);
	LOCK_OWNER(m, os_thread_self());
}

OS_FAST void os_mutex_lock(struct os_mutex *m)
{
	os_mutex_lock_nested(m, 0);
}

OS_FAST bool os_mutex_trylock(struct os_mutex *m)
{
	if (!os_word_trylock(&m->state))
		return false;
	LOCK_PUSH(m, 0, RANK_EXCLUSIVE);
	LOCK_OWNER(m, os_thread_self());
	return true;
}

OS_FAST void os_mutex_unlock(struct os_mutex *m)
{
	LOCK_POP(m, RANK_EXCLUSIVE);
	LOCK_OWNER(m, 0);
	os_word_unlock(&m->state);
}

/* Who waits has announced itself under the mutex, before the state changed that is signalled. */
OS_FAST void os_cond_signal(struct os_cond *c)
{
	if (__atomic_load_n(&c->waiters, __ATOMIC_RELAXED))
		os_cond_wake(c, 1);
}

OS_FAST void os_cond_broadcast(struct os_cond *c)
{
	if (__atomic_load_n(&c->waiters, __ATOMIC_RELAXED))
		os_cond_wake(c, INT32_MAX);
}

OS_FAST bool os_completion_done(const struct os_completion *c)
{
	return __atomic_load_n(&c->state, __ATOMIC_ACQUIRE) == 1;
}

#include "os/rwsem_inline.h"
#include "os/lock_held.h"

#endif
