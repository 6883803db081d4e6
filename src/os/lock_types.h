/* Layout of the lock types; use through os/lock.h only. */
#ifndef OS_LOCK_TYPES_H
#define OS_LOCK_TYPES_H

#include "base/types.h"

struct os_mutex {
	u32 state;   /* futex word */
	u16 rank;
	u16 flags;
	u32 owner;   /* thread id, debug builds */
	const char *name;
};

struct os_rwsem {
	u32 state;	/* futex word: readers, writer bit, waiter bits */
	u32 writer_seq; /* futex word on which writers sleep */
	u16 rank;
	u16 flags;
	u32 owner;	/* writer's thread id, debug builds */
	const char *name;
};

struct os_cond {
	u32 seq; /* futex word */
	const char *name;
};

struct os_completion {
	u32 state; /* futex word: 0 pending, 1 done, 2 pending with waiters */
};

#endif
