/*
 * Crash images from a recorded stream of writes and flushes: what the medium
 * may hold when the power goes after the first `at` entries, by the simulator's
 * rules (sim/disk/states.h).
 */
#ifndef CRASH_CUT_H
#define CRASH_CUT_H

#include "base/rng.h"
#include "dev/devices.h"
#include "sim/disk/states.h"

struct cutter {
	struct sim_history history; /* of the entries */
	struct sim_cursor cursor;
	size_t *position; /* per entry: in the history; owned */
};

/* start: the medium when recording began. */
void cutter_init(
	struct cutter *c, const void *start, u64 size, const struct dev_record_entry *e, size_t n);
void cutter_fini(struct cutter *c);
/* Successive calls need non-decreasing positions. */
void cutter_build(struct cutter *c, size_t at, struct rng *rng, u8 *out);

#endif
