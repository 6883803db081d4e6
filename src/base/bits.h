/*
 * Bit arrays as ext4 stores them: bit n is bit n%8 of byte n/8. Ranges and
 * searches work on whole words where they can. No locking: the caller owns
 * the array.
 */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include "base/types.h"

static inline bool bit_test(const void *map, u32 n)
{
	return ((const u8 *)map)[n >> 3] >> (n & 7) & 1;
}

static inline void bit_set(void *map, u32 n)
{
	((u8 *)map)[n >> 3] |= (u8)(1u << (n & 7));
}

static inline void bit_clear(void *map, u32 n)
{
	((u8 *)map)[n >> 3] &= (u8) ~(1u << (n & 7));
}

void bits_set(void *map, u32 from, u32 len);
void bits_clear(void *map, u32 from, u32 len);
/* First zero (one) bit in [from, end), or end. */
u32 bits_next_zero(const void *map, u32 from, u32 end);
u32 bits_next_one(const void *map, u32 from, u32 end);
/* Number of one bits in [from, from+len). */
u32 bits_weight(const void *map, u32 from, u32 len);

#endif
