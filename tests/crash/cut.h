/*
 * Crash images from a recorded stream of writes and flushes: what the medium
 * may hold when the power goes after the first `at` entries. What a completed
 * flush covers survives, and completed FUA writes; each later write is kept, lost
 * or torn at sector boundaries, as the seed decides.
 */
#ifndef CRASH_CUT_H
#define CRASH_CUT_H

#include "base/rng.h"
#include "dev/devices.h"

struct cutter {
	u8 *base; /* owned; the medium after the durable entries */
	u64 size;
	const struct dev_record_entry *entries; /* borrowed */
	size_t count;
	size_t scanned; /* flushes before this entry are taken into account */
	size_t durable, applied;
};

/* start: the medium when recording began. */
void cutter_init(
	struct cutter *c, const void *start, u64 size, const struct dev_record_entry *e, size_t n);
void cutter_fini(struct cutter *c);
/* Successive calls need non-decreasing positions. */
void cutter_build(struct cutter *c, size_t at, struct rng *rng, u8 *out);

#endif
