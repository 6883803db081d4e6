/*
 * Counters that many threads raise and few read: a cache line per shard of threads, no order.
 * Nothing may depend on them, so they are no points where the simulator changes threads.
 */
#ifndef OS_TALLY_H
#define OS_TALLY_H

#include "base/types.h"
#include "os/thread.h"

#define TALLY_SHARDS 8
#define TALLY_KINDS 8

struct tally {				  /* begins as zeroes */
	u64 n[TALLY_SHARDS][TALLY_KINDS]; /* relaxed atomics */
};

static inline void tally_add(struct tally *t, unsigned kind, u64 n)
{
	__atomic_fetch_add(&t->n[os_shard(TALLY_SHARDS)][kind], n, __ATOMIC_RELAXED);
}

static inline u64 tally_sum(const struct tally *t, unsigned kind)
{
	u64 sum = 0;

	for (unsigned k = 0; k < TALLY_SHARDS; k++)
		sum += __atomic_load_n(&t->n[k][kind], __ATOMIC_RELAXED);
	return sum;
}

#endif
