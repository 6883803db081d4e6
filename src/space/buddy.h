/*
 * In-memory free map of one block group: which blocks may be handed out, as a
 * bitmap and as maximal aligned power-of-two chunks per order.
 *
 * Invariants
 * - A free block belongs to exactly one chunk; two free chunks that are
 *   buddies of each other are always merged, up to the top order.
 * - free, fragments and count[] are exact.
 *
 * Pure memory, no locking: the group's lock protects it. It differs from the
 * bitmap on the device by delayed frees (AL-4) and windows (AL-15), both of
 * which are "used" here.
 */
#ifndef SPACE_BUDDY_H
#define SPACE_BUDDY_H

#include "base/bits.h"
#include "base/util.h"

enum {
	BUDDY_ORDERS = 20,     /* 2^19 bits: a 64 KiB bitmap block */
	BUDDY_SCAN_RUNS = 200, /* free runs looked at per search (AL-16) */
};

struct buddy {
	u32 nbits;
	u32 free;
	u32 fragments; /* maximal free runs */
	u32 orders;
	u32 count[BUDDY_ORDERS];  /* free chunks per order */
	u8 *chunks[BUDDY_ORDERS]; /* bit n of order k: blocks [n<<k, (n+1)<<k) are a free chunk */
	u8 *used;
	u64 data[];
};

/* Everything used; NULL when out of memory. */
struct buddy *buddy_create(u32 nbits);
void buddy_destroy(struct buddy *b);
size_t buddy_bytes(u32 nbits);

/* Takes over a bitmap: one bits are used. The buddy must be as after buddy_create. */
void buddy_build(struct buddy *b, const void *bitmap);
/* The range must be free / used as a whole. */
void buddy_take(struct buddy *b, u32 start, u32 len);
void buddy_give(struct buddy *b, u32 start, u32 len);
/* Makes the range used whatever it was. */
void buddy_take_any(struct buddy *b, u32 start, u32 len);
bool buddy_range_free(const struct buddy *b, u32 start, u32 len);
bool buddy_range_used(const struct buddy *b, u32 start, u32 len);

/* Length of the free run that begins at start, at most max. */
u32 buddy_run_at(const struct buddy *b, u32 start, u32 max);
int buddy_largest_order(const struct buddy *b); /* -1: full */
u32 buddy_average_fragment(const struct buddy *b);
/*
 * The first free run of at least want blocks from goal on (wrapping), else the
 * longest of those looked at or the one from a largest chunk on. Only bits below
 * limit. Returns its usable length (<= want), 0 when nothing is free.
 */
u32 buddy_find(const struct buddy *b, u32 goal, u32 want, u32 limit, u32 *start);
/* Recounts everything; for tests and debug. */
bool buddy_check(const struct buddy *b);

static inline u32 log2_floor(u64 n)
{
	return n ? 63 - (u32)__builtin_clzll(n) : 0;
}

static inline u32 log2_ceil(u64 n)
{
	return n > 1 ? log2_floor(n - 1) + 1 : 0;
}

#endif
