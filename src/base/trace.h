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
extern trace_hook_fn *trace_hook; /* set once before threads start */

#define TRACE(name, a, b)                                                                          \
	do {                                                                                       \
		if (unlikely(trace_hook))                                                          \
			trace_hook(name, (u64)(a), (u64)(b));                                      \
	} while (0)

typedef bool fault_hook_fn(const char *name);
extern fault_hook_fn *fault_hook; /* set once before threads start */

#define FAULT(name) (unlikely(fault_hook != NULL) && fault_hook(name))

#endif
