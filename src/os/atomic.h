/* Atomics by compiler builtins, with the memory order in the name. */
#ifndef OS_ATOMIC_H
#define OS_ATOMIC_H

#include "base/types.h"

#ifdef UEXT4_SIM
extern bool sim_atomics;
void sim_atomic_point(void); /* another simulated thread may run */
#endif
#ifdef UEXT4_SIM_ATOMICS /* in the rooms; those of src/os may spin */
#define ATOMIC_POINT() (__builtin_expect(sim_atomics, 0) ? sim_atomic_point() : (void)0)
#else
#define ATOMIC_POINT() ((void)0)
#endif

#define atomic_load_relaxed(p) (ATOMIC_POINT(), __atomic_load_n(p, __ATOMIC_RELAXED))
#define atomic_load_acq(p) (ATOMIC_POINT(), __atomic_load_n(p, __ATOMIC_ACQUIRE))
#define atomic_store_relaxed(p, v) (ATOMIC_POINT(), __atomic_store_n(p, v, __ATOMIC_RELAXED))
#define atomic_store_rel(p, v) (ATOMIC_POINT(), __atomic_store_n(p, v, __ATOMIC_RELEASE))
#define atomic_add(p, v)                                                                           \
	(ATOMIC_POINT(), __atomic_add_fetch(p, v, __ATOMIC_SEQ_CST)) /* returns the new value */
#define atomic_sub(p, v) (ATOMIC_POINT(), __atomic_sub_fetch(p, v, __ATOMIC_SEQ_CST))
#define atomic_add_relaxed(p, v) (ATOMIC_POINT(), __atomic_add_fetch(p, v, __ATOMIC_RELAXED))
#define atomic_or(p, v)                                                                            \
	(ATOMIC_POINT(), __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST)) /* returns the old value */
#define atomic_and(p, v) (ATOMIC_POINT(), __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST))
#define atomic_xchg(p, v) (ATOMIC_POINT(), __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST))
#define atomic_cas(p, expected, desired)                                                           \
	(ATOMIC_POINT(), __atomic_compare_exchange_n(                                              \
				 p, expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))

#endif
