#include "base/bits.h"

#include <string.h>

#include "base/endian.h"
#include "base/util.h"

#define WORD_BITS 64

/* Ones at and above bit n of a byte. */
static u8 mask_from(u32 n)
{
	return (u8)(0xff << (n & 7));
}

void bits_set(void *map, u32 from, u32 len)
{
	u8 *p = (u8 *)map + (from >> 3), *last = (u8 *)map + (((u64)from + len) >> 3);
	u8 head = mask_from(from), tail = (u8)~mask_from(from + len);

	if (len == 0) /* *p may lie outside */
		return;
	if (p == last) {
		*p |= head & tail;
		return;
	}
	*p++ |= head;
	memset(p, 0xff, (size_t)(last - p));
	if (tail != 0)
		*last |= tail;
}

void bits_clear(void *map, u32 from, u32 len)
{
	u8 *p = (u8 *)map + (from >> 3), *last = (u8 *)map + (((u64)from + len) >> 3);
	u8 head = mask_from(from), tail = (u8)~mask_from(from + len);

	if (len == 0) /* *p may lie outside */
		return;
	if (p == last) {
		*p &= (u8) ~(head & tail);
		return;
	}
	*p++ &= (u8)~head;
	memset(p, 0, (size_t)(last - p));
	if (tail != 0)
		*last &= (u8)~tail;
}

/* The word at bit base (a multiple of 64), without touching bytes at or past end; zeroes there. */
static u64 load_word(const void *map, u64 base, u64 end)
{
	const u8 *p = (const u8 *)map + (base >> 3);
	struct le64 v = {0};

	if (end - base >= WORD_BITS)
		memcpy(&v, p, sizeof(v));
	else
		memcpy(&v, p, (size_t)div_up(end - base, 8));
	return le64_to_cpu(v);
}

/* First bit in [from, end) that differs from those of flip (all ones or none), or end. */
static u32 next_differing(const void *map, u32 from, u32 end, u64 flip)
{
	u64 mask = ~0ull << (from % WORD_BITS);

	for (u64 base = from - from % WORD_BITS; base < end; base += WORD_BITS, mask = ~0ull) {
		u64 word = (load_word(map, base, end) ^ flip) & mask;

		if (word != 0)
			return (u32)min_of(base + (u64)__builtin_ctzll(word), (u64)end);
	}
	return end;
}

u32 bits_next_zero(const void *map, u32 from, u32 end)
{
	return next_differing(map, from, end, ~0ull);
}

u32 bits_next_one(const void *map, u32 from, u32 end)
{
	return next_differing(map, from, end, 0);
}

u32 bits_weight(const void *map, u32 from, u32 len)
{
	u64 end = (u64)from + len, mask = ~0ull << (from % WORD_BITS);
	u32 weight = 0;

	for (u64 base = from - from % WORD_BITS; base < end; base += WORD_BITS, mask = ~0ull) {
		u64 word = load_word(map, base, end) & mask;

		if (end - base < WORD_BITS)
			word &= ~(~0ull << (end - base));
		weight += (u32)__builtin_popcountll(word);
	}
	return weight;
}
