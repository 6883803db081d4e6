/* The nth allocation or request that fails. */
#include "sim/disk/failing.h"

#include <errno.h>
#include <string.h>

const char *const fail_kind_names[FAIL_KINDS] = {"memory", "read", "write", "flush", "discard"};

/* The fault point of each kind; requests of other devices than files pass a dev_fault. */
static const char *const points[FAIL_KINDS] = {
	"os_alloc", "file_read", "file_write", "file_flush", "file_discard"};

static struct {
	const char *name; /* NULL: nothing fails */
	bool for_ever;
	u64 left, hits;
} point;

bool failing_hook(const char *name)
{
	if (!point.name || strcmp(name, point.name) != 0)
		return false;
	if (point.left && --point.left)
		return false;
	if (!point.for_ever && point.hits)
		return false;
	point.hits++;
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

	point.for_ever = f->for_ever;
	point.left = f->nth;
	point.hits = 0;
	point.name = points[f->kind];
	return f->kind == FAIL_MEMORY ? 0 : dev_fault_add(fault, &rule);
}

u64 failing_disarm(const struct failing *f, struct dev *fault)
{
	point.name = NULL;
	dev_fault_clear(fault); /* first: background threads go on */
	return point.hits + dev_fault_hits(fault);
}
