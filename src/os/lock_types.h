/* Layout of the lock types; use through os/lock.h only. */
#ifndef OS_LOCK_TYPES_H
#define OS_LOCK_TYPES_H

#include "base/types.h"

/* The simulator links its own lock functions; elsewhere the fast paths are inlined. */
#ifdef UEXT4_SIM
#define OS_FAST
#else
#define OS_FAST static inline __attribute__((always_inline))
#endif

struct os_mutex {
	u32 state; /* futex word: 0 free, 1 held, 2 held with sleepers */
	u16 rank;
	u16 flags;
	u32 owner; /* thread id, debug builds */
	const char *name;
};

struct os_rwsem_waiter;

struct os_rwsem {
	u32 state;			     /* readers, and the RWSEM_ bits of os/rwsem_inline.h */
	u32 guard;			     /* futex lock of the queue */
	struct os_rwsem_waiter *head, *tail; /* lock: guard. Sleepers in order of arrival */
	u16 rank;
	u16 flags;
	u32 owner; /* writer's thread id, debug builds */
	const char *name;
};

struct os_cond {
	u32 seq;     /* futex word: counts signals */
	u32 waiters; /* threads between the two halves of a wait */
	const char *name;
};

struct os_completion {
	u32 state; /* futex word: 0 pending, 1 done, 2 pending with waiters */
};

/* For static locks and literals; the same as zero bytes but for rank and name. */
#define OS_MUTEX_INIT(rank_, name_)                                                                \
	{                                                                                          \
		.rank = (rank_), .name = (name_)                                                   \
	}
#define OS_RWSEM_INIT(rank_, name_)                                                                \
	{                                                                                          \
		.rank = (rank_), .name = (name_)                                                   \
	}
#define OS_COND_INIT(name_)                                                                        \
	{                                                                                          \
		.name = (name_)                                                                    \
	}

#endif
