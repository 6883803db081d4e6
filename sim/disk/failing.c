/* The nth allocation or request that fails. */
#include "sim/disk/failing.h"

#include <errno.h>
#include <string.h>

const char *const fail_kind_names[FAIL_KINDS] = {"memory", "read", "write", "flush", "discard"};

static struct {
	bool armed, for_ever;
	u64 left, hits;
} memory;

bool failing_hook(const char *name)
{
	if (!memory.armed || strcmp(name, "os_alloc") != 0)
		return false;
	if (memory.left && --memory.left)
		return false;
	if (!memory.for_ever && memory.hits)
		return false;
	memory.hits++;
	return true;
}

int failing_arm(const struct failing *f, struct dev *fault)
{
	static const unsigned ops[FAIL_KINDS] = {[FAIL_READ] = 1 << DEV_READ,
		[FAIL_WRITE] = 1 << DEV_WRITE | 1 << DEV_WRITE_ZEROES,
		[FAIL_FLUSH] = 1 << DEV_FLUSH,
		[FAIL_DISCARD] = 1 << DEV_DISCARD};
	struct dev_fault_rule rule = {.ops = ops[f->kind],
		.after = f->nth - 1,
		.count = f->for_ever ? 0 : 1,
		.error = EIO};

	memory.for_ever = f->for_ever;
	memory.left = f->nth;
	memory.hits = 0;
	memory.armed = f->kind == FAIL_MEMORY;
	return f->kind == FAIL_MEMORY ? 0 : dev_fault_add(fault, &rule);
}

u64 failing_disarm(const struct failing *f, struct dev *fault)
{
	memory.armed = false;
	dev_fault_clear(fault); /* first: background threads go on */
	return f->kind == FAIL_MEMORY ? memory.hits : dev_fault_hits(fault);
}
