/* Atomics by compiler builtins, with the memory order in the name. */
#ifndef OS_ATOMIC_H
#define OS_ATOMIC_H

#include "base/types.h"

#define atomic_load_relaxed(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define atomic_load_acq(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define atomic_store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define atomic_store_rel(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define atomic_add(p, v) __atomic_add_fetch(p, v, __ATOMIC_SEQ_CST) /* returns the new value */
#define atomic_sub(p, v) __atomic_sub_fetch(p, v, __ATOMIC_SEQ_CST)
#define atomic_add_relaxed(p, v) __atomic_add_fetch(p, v, __ATOMIC_RELAXED)
#define atomic_or(p, v) __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST) /* returns the old value */
#define atomic_and(p, v) __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST)
#define atomic_xchg(p, v) __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define atomic_cas(p, expected, desired)                                                           \
	__atomic_compare_exchange_n(p, expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)

#endif
