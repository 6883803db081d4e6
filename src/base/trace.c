#include "base/trace.h"

trace_hook_fn *_Atomic trace_hook;
fault_hook_fn *_Atomic fault_hook;
