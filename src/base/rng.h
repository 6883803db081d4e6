/*
 * Repeatable pseudo-random numbers for tests, workloads and the simulator: the
 * same seed gives the same numbers everywhere. Not for secrets: os_random is.
 * The caller owns the state; one thread at a time.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include "base/types.h"

struct rng {
	u64 state;
};

static inline void rng_init(struct rng *r, u64 seed)
{
	r->state = seed;
}

/* splitmix64: a counter with an odd step, well mixed; period 2^64. */
static inline u64 rng_u64(struct rng *r)
{
	u64 x = r->state += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* Evenly in [0, n); n > 0. Numbers of the incomplete last stretch of 2^64 are drawn again. */
static inline u64 rng_below(struct rng *r, u64 n)
{
	u64 incomplete = (0 - n) % n, x; /* 2^64 mod n */

	do
		x = rng_u64(r);
	while (x < incomplete);
	return x % n;
}

#endif
