/*
 * Mutex, read-write semaphore, condition and completion.
 *
 * Every lock of uext4 is one of these; they are built on futex and take no
 * memory beyond their struct. The rwsem is fair to writers: a waiting writer
 * stops new readers. Init cannot fail; static locks use OS_MUTEX_INIT(rank,
 * name) / OS_RWSEM_INIT(rank, name). Name and rank feed the debug checker.
 *
 * The thread that takes a lock releases it. An unlock call touches the lock no
 * more once another thread can have taken it, so the last holder may free it.
 * trylock may break the rank order (it cannot deadlock), but what it took
 * counts for the locks taken after it.
 */
#ifndef OS_LOCK_H
#define OS_LOCK_H

#include "base/types.h"
#include "os/lock_types.h"
#include "os/rank.h"

void os_mutex_init(struct os_mutex *m, enum lock_rank rank, const char *name);
void os_mutex_fini(struct os_mutex *m); /* asserts that it is free */
OS_FAST void os_mutex_lock(struct os_mutex *m);
OS_FAST void os_mutex_lock_nested(struct os_mutex *m, unsigned order);
OS_FAST bool os_mutex_trylock(struct os_mutex *m);
OS_FAST void os_mutex_unlock(struct os_mutex *m);
/* Debug builds know the owner; release builds return true. For assertions. */
OS_FAST bool os_mutex_held(const struct os_mutex *m);

void os_rwsem_init(struct os_rwsem *s, enum lock_rank rank, const char *name);
void os_rwsem_fini(struct os_rwsem *s);
OS_FAST void os_rwsem_lock_shared(struct os_rwsem *s);
OS_FAST void os_rwsem_lock_shared_nested(struct os_rwsem *s, unsigned order);
OS_FAST void os_rwsem_lock(struct os_rwsem *s);
OS_FAST void os_rwsem_lock_nested(struct os_rwsem *s, unsigned order);
OS_FAST bool os_rwsem_trylock_shared(struct os_rwsem *s);
OS_FAST bool os_rwsem_trylock(struct os_rwsem *s);
OS_FAST void os_rwsem_unlock_shared(struct os_rwsem *s);
OS_FAST void os_rwsem_unlock(struct os_rwsem *s);
void os_rwsem_downgrade(struct os_rwsem *s);
OS_FAST bool os_rwsem_held(const struct os_rwsem *s);	     /* exclusive, by this thread */
OS_FAST bool os_rwsem_held_shared(const struct os_rwsem *s); /* shared or exclusive */

/* How often a thread of this process slept for a mutex or rwsem; the simulator does not count. */
u64 os_lock_waits(void);

void os_cond_init(struct os_cond *c, const char *name);
void os_cond_wait(struct os_cond *c, struct os_mutex *m);
/* Waits at most until deadline_ns of os_clock_mono; false on time-out. */
bool os_cond_wait_until(struct os_cond *c, struct os_mutex *m, u64 deadline_ns);
OS_FAST void os_cond_signal(struct os_cond *c);
OS_FAST void os_cond_broadcast(struct os_cond *c);

/* One-shot event: any number of waiters, completed once (until re-initialised). */
void os_completion_init(struct os_completion *c);
void os_completion_wait(struct os_completion *c);
bool os_completion_wait_until(struct os_completion *c, u64 deadline_ns);
OS_FAST bool os_completion_done(const struct os_completion *c);
void os_completion_complete(struct os_completion *c);

/*
 * The journal handle ranks as a lock without being one: these only feed the
 * checker. They are no-ops in release builds.
 */
OS_FAST void os_rank_enter(enum lock_rank rank, const void *what, const char *name);
OS_FAST void os_rank_leave(enum lock_rank rank, const void *what);
/* Asserts that this thread holds no lock of rank or deeper; debug builds. */
OS_FAST void os_rank_assert_none_from(enum lock_rank rank);

#ifndef UEXT4_SIM
#include "os/lock_inline.h"
#endif

#endif
