/*
 * Trace and fault points.
 *
 * TRACE(name, a, b) is a named point with two numbers; off it costs one load.
 * The simulator yields and parks threads there. FAULT(name) is true when the
 * named fault point must fail now; off by default.
 */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include "base/util.h"

typedef void trace_hook_fn(const char *name, u64 a, u64 b);
extern trace_hook_fn *trace_hook; /* no lock: atomic; through trace_set_hook() */

/* NULL: none. May come while threads run; one of them may then still be inside the hook before. */
static inline void trace_set_hook(trace_hook_fn *hook)
{
	__atomic_store_n(&trace_hook, hook, __ATOMIC_RELEASE);
}

#define TRACE(name, a, b)                                                                          \
	do {                                                                                       \
		trace_hook_fn *hook_ = __atomic_load_n(&trace_hook, __ATOMIC_ACQUIRE);             \
                                                                                                   \
		if (unlikely(hook_))                                                               \
			hook_(name, (u64)(a), (u64)(b));                                           \
	} while (0)

typedef bool fault_hook_fn(const char *name);
extern fault_hook_fn *fault_hook; /* no lock: atomic; through fault_set_hook() */

static inline void fault_set_hook(fault_hook_fn *hook)
{
	__atomic_store_n(&fault_hook, hook, __ATOMIC_RELEASE);
}

static inline bool fault_asked(const char *name)
{
	fault_hook_fn *hook = __atomic_load_n(&fault_hook, __ATOMIC_ACQUIRE);

	return unlikely(hook) && hook(name);
}

#define FAULT(name) fault_asked(name)

#endif
