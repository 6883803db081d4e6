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
/* Who takes it off while threads run may find one of them still inside. */
extern trace_hook_fn *_Atomic trace_hook;

#define TRACE(name, a, b)                                                                          \
	do {                                                                                       \
		trace_hook_fn *hook_ = trace_hook;                                                 \
                                                                                                   \
		if (unlikely(hook_))                                                               \
			hook_(name, (u64)(a), (u64)(b));                                           \
	} while (0)

typedef bool fault_hook_fn(const char *name);
extern fault_hook_fn *_Atomic fault_hook; /* the same holds */

static inline bool fault_asked(const char *name)
{
	fault_hook_fn *hook = fault_hook;

	return unlikely(hook) && hook(name);
}

#define FAULT(name) fault_asked(name)

#endif
