/* Mixing for hash tables in memory; the values may change between versions. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/types.h"

/* Every bit of the input changes about half of the bits of the output. */
static inline u64 hash_u64(u64 x)
{
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93ull;
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93ull;
	return x ^ x >> 32;
}

/* A slot of a table of 2^bits; 0 < bits <= 32. */
static inline u32 hash_slot(u64 x, unsigned bits)
{
	return (u32)(hash_u64(x) >> (64 - bits));
}

#endif
