/*
 * A sharded 64-bit counter: adds touch the caller's shard only, small amounts
 * are folded into the shared total now and then.
 *
 * Invariant: the sum of total and shards is exact when nobody is inside an
 * add; while a fold runs it errs to the low side, so that a check against a
 * floor never sees space that is not there.
 *
 * Lock-free; counter_take() serialises only near its floor.
 */
#ifndef SPACE_COUNTER_H
#define SPACE_COUNTER_H

#include "base/types.h"
#include "os/lock.h"

enum {
	COUNTER_SHARDS = 16,
	COUNTER_BATCH = 64, /* a shard is folded once it holds this much */
	/* Bound of what the shards may hide; generous, since adds race with folds. */
	COUNTER_SLACK = COUNTER_SHARDS * COUNTER_BATCH * 4,
};

struct counter {
	s64 total; /* atomic */
	struct {
		s64 value; /* atomic */
		u8 pad[56];
	} shards[COUNTER_SHARDS];
	struct os_mutex lock; /* rank LEAF: counter_take near the floor */
};

void counter_init(struct counter *c, s64 value);
void counter_add(struct counter *c, s64 delta);
s64 counter_sum(const struct counter *c);
/* Within COUNTER_SLACK of the sum; one load. */
s64 counter_estimate(const struct counter *c);
/*
 * Takes up to want so that at least floor remains, and returns the amount: all
 * of it or, if partial is allowed, less; 0 when there is nothing.
 */
u64 counter_take(struct counter *c, u64 want, u64 floor, bool partial);

#endif
