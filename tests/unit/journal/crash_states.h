/*
 * What a device may hold after a power loss, from the stream of a recorder
 * (dev_record_create). A write is certain once a flush covers it or it was FUA;
 * every sector of any other submitted write is old or new independently.
 */
#ifndef TESTS_CRASH_STATES_H
#define TESTS_CRASH_STATES_H

#include "dev/devices.h"

enum { CRASH_NONE, CRASH_ALL, CRASH_RANDOM }; /* from CRASH_RANDOM on: a seed */

/*
 * Applies the stream's first cut entries to image, which holds the contents
 * from before the stream. choice: CRASH_NONE keeps no uncertain sector,
 * CRASH_ALL each one, other values pick by seed. Returns how many writes were
 * uncertain.
 */
u32 crash_apply(const struct dev_record_entry *e, size_t count, size_t cut, u64 choice, u8 *image);

#endif
