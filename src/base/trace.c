#include "base/trace.h"

trace_hook_fn *trace_hook;
fault_hook_fn *fault_hook;
