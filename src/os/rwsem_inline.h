/* Part of os/lock_inline.h: the fast paths of the read-write semaphore. */
#ifndef OS_RWSEM_INLINE_H
#define OS_RWSEM_INLINE_H

#include "os/lock_inline.h"

#define RWSEM_WRITER (1u << 31)
#define RWSEM_WAITERS (1u << 30) /* the queue is not empty: new readers must queue */
#define RWSEM_READERS (RWSEM_WAITERS - 1)

void os_rwsem_lock_slow(struct os_rwsem *s);
void os_rwsem_lock_shared_slow(struct os_rwsem *s);
void os_rwsem_unlock_slow(struct os_rwsem *s);
void os_rwsem_unlock_shared_slow(struct os_rwsem *s);

OS_FAST bool os_rwsem_try_read(struct os_rwsem *s)
{
	u32 cur = __atomic_load_n(&s->state, __ATOMIC_RELAXED);

	while (!(cur & (RWSEM_WRITER | RWSEM_WAITERS)))
		if (__atomic_compare_exchange_n(
			    &s->state, &cur, cur + 1, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	return false;
}

OS_FAST bool os_rwsem_try_write(struct os_rwsem *s)
{
	u32 free = 0;

	return __atomic_compare_exchange_n(
		&s->state, &free, RWSEM_WRITER, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

OS_FAST void os_rwsem_lock_shared_nested(struct os_rwsem *s, unsigned order)
{
	LOCK_CHECK(s, order);
	if (unlikely(!os_rwsem_try_read(s)))
		os_rwsem_lock_shared_slow(s);
	LOCK_PUSH(s, order, RANK_SHARED);
}

OS_FAST void os_rwsem_lock_shared(struct os_rwsem *s)
{
	os_rwsem_lock_shared_nested(s, 0);
}

OS_FAST void os_rwsem_lock_nested(struct os_rwsem *s, unsigned order)
{
	LOCK_CHECK(s, order);
	if (unlikely(!os_rwsem_try_write(s)))
		os_rwsem_lock_slow(s);
	LOCK_PUSH(s, order, RANK_EXCLUSIVE);
	LOCK_OWNER(s, os_thread_self());
}

OS_FAST void os_rwsem_lock(struct os_rwsem *s)
{
	os_rwsem_lock_nested(s, 0);
}

OS_FAST bool os_rwsem_trylock_shared(struct os_rwsem *s)
{
	if (!os_rwsem_try_read(s))
		return false;
	LOCK_PUSH(s, 0, RANK_SHARED);
	return true;
}

OS_FAST bool os_rwsem_trylock(struct os_rwsem *s)
{
	if (!os_rwsem_try_write(s))
		return false;
	LOCK_PUSH(s, 0, RANK_EXCLUSIVE);
	LOCK_OWNER(s, os_thread_self());
	return true;
}

/* The last reader leaves under the guard if anyone waits, so that the lock outlives this call. */
OS_FAST void os_rwsem_unlock_shared(struct os_rwsem *s)
{
	u32 cur = __atomic_load_n(&s->state, __ATOMIC_RELAXED);

	LOCK_POP(s, RANK_SHARED);
	do {
		if (unlikely((cur & RWSEM_WAITERS) && (cur & RWSEM_READERS) == 1)) {
			os_rwsem_unlock_shared_slow(s);
			return;
		}
	} while (!__atomic_compare_exchange_n(
		&s->state, &cur, cur - 1, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

OS_FAST void os_rwsem_unlock(struct os_rwsem *s)
{
	u32 held = RWSEM_WRITER;

	LOCK_POP(s, RANK_EXCLUSIVE);
	LOCK_OWNER(s, 0);
	if (unlikely(!__atomic_compare_exchange_n(
		    &s->state, &held, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)))
		os_rwsem_unlock_slow(s);
}

#endif
