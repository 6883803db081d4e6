/*
 * Count to failure: the nth allocation of memory or request of a device fails, once or from then
 * on. One at a time in a process. The hook must be set before the run, which keeps it.
 */
#ifndef SIM_DISK_FAILING_H
#define SIM_DISK_FAILING_H

#include "dev/devices.h"

enum fail_kind { FAIL_MEMORY, FAIL_READ, FAIL_WRITE, FAIL_FLUSH, FAIL_DISCARD, FAIL_KINDS };
extern const char *const fail_kind_names[FAIL_KINDS];

struct failing {
	enum fail_kind kind;
	bool for_ever; /* not only the nth, but all from then on */
	u64 nth;       /* from 1 */
};

bool failing_hook(const char *name); /* for fault_hook */
/* fault: a dev_fault without rules. 0, or a negative errno. */
int failing_arm(const struct failing *f, struct dev *fault);
/* How many have failed. */
u64 failing_disarm(const struct failing *f, struct dev *fault);

#endif
