#include "space/buddy.h"

#include "os/assert.h"
#include "os/mem.h"

static u32 map_words(u32 nbits)
{
	return (u32)div_up(nbits, 64);
}

static u32 order_count(u32 nbits)
{
	return min_of(log2_floor(nbits) + 1, (u32)BUDDY_ORDERS);
}

static u32 data_words(u32 nbits)
{
	u32 words = map_words(nbits);

	for (u32 k = 0; k < order_count(nbits); k++)
		words += map_words((nbits >> k) + 1);
	return words;
}

size_t buddy_bytes(u32 nbits)
{
	return sizeof(struct buddy) + (size_t)data_words(nbits) * 8;
}

struct buddy *buddy_create(u32 nbits)
{
	struct buddy *b = os_zalloc(buddy_bytes(nbits));
	u64 *at;

	if (!b)
		return NULL;
	b->nbits = nbits;
	b->orders = order_count(nbits);
	at = b->data;
	b->used = (u8 *)at;
	at += map_words(nbits);
	for (u32 k = 0; k < b->orders; k++) {
		b->chunks[k] = (u8 *)at;
		at += map_words((nbits >> k) + 1);
	}
	bits_set(b->used, 0, nbits);
	return b;
}

void buddy_destroy(struct buddy *b)
{
	os_free(b);
}

/* Order of the largest aligned chunk that starts at start and fits into len. */
static u32 chunk_order(const struct buddy *b, u32 start, u32 len)
{
	u32 k = log2_floor(len);

	if (start)
		k = min_of(k, (u32)__builtin_ctz(start));
	return min_of(k, b->orders - 1);
}

static void chunk_set(struct buddy *b, u32 k, u32 n)
{
	bit_set(b->chunks[k], n);
	b->count[k]++;
}

static void chunk_clear(struct buddy *b, u32 k, u32 n)
{
	bit_clear(b->chunks[k], n);
	b->count[k]--;
}

/* Adds chunks for [start, start+len) without looking at neighbours. */
static void chunks_fill(struct buddy *b, u32 start, u32 len)
{
	while (len) {
		u32 k = chunk_order(b, start, len);

		chunk_set(b, k, start >> k);
		start += 1u << k;
		len -= 1u << k;
	}
}

static void chunk_add_merging(struct buddy *b, u32 k, u32 n)
{
	while (k + 1 < b->orders && bit_test(b->chunks[k], n ^ 1)) {
		chunk_clear(b, k, n ^ 1);
		n >>= 1;
		k++;
	}
	chunk_set(b, k, n);
}

static u32 chunk_find(const struct buddy *b, u32 block)
{
	for (u32 k = 0; k < b->orders; k++)
		if (bit_test(b->chunks[k], block >> k))
			return k;
	os_bug("buddy: a free block without a chunk", __FILE__, __LINE__);
}

void buddy_build(struct buddy *b, const void *bitmap)
{
	u32 end = 0;

	for (u32 start = bits_next_zero(bitmap, 0, b->nbits); start < b->nbits;
		start = bits_next_zero(bitmap, end, b->nbits)) {
		end = bits_next_one(bitmap, start, b->nbits);
		bits_clear(b->used, start, end - start);
		chunks_fill(b, start, end - start);
		b->free += end - start;
		b->fragments++;
	}
}

static bool free_at(const struct buddy *b, s64 block)
{
	return block >= 0 && block < b->nbits && !bit_test(b->used, (u32)block);
}

void buddy_take(struct buddy *b, u32 start, u32 len)
{
	u32 pos = start, end = start + len;

	ASSERT(len && end <= b->nbits && buddy_range_free(b, start, len));
	b->fragments +=
		(u32)free_at(b, (s64)start - 1) + (u32)free_at(b, end) - 1; /* wraps on purpose */
	while (pos < end) {
		u32 k = chunk_find(b, pos), from = pos >> k << k, to = from + (1u << k);

		chunk_clear(b, k, pos >> k);
		chunks_fill(b, from, pos - from);
		pos = min_of(to, end);
		chunks_fill(b, pos, to - pos);
	}
	bits_set(b->used, start, len);
	b->free -= len;
}

void buddy_give(struct buddy *b, u32 start, u32 len)
{
	u32 pos = start, left = len;

	ASSERT(len && start + len <= b->nbits && buddy_range_used(b, start, len));
	b->fragments += 1 - (u32)free_at(b, (s64)start - 1) - (u32)free_at(b, (s64)start + len);
	while (left) {
		u32 k = chunk_order(b, pos, left);

		chunk_add_merging(b, k, pos >> k);
		pos += 1u << k;
		left -= 1u << k;
	}
	bits_clear(b->used, start, len);
	b->free += len;
}

void buddy_take_any(struct buddy *b, u32 start, u32 len)
{
	u32 end = start + len, stop;

	for (u32 pos = bits_next_zero(b->used, start, end); pos < end;
		pos = bits_next_zero(b->used, stop, end)) {
		stop = bits_next_one(b->used, pos, end);
		buddy_take(b, pos, stop - pos);
	}
}

bool buddy_range_free(const struct buddy *b, u32 start, u32 len)
{
	return bits_next_one(b->used, start, start + len) == start + len;
}

bool buddy_range_used(const struct buddy *b, u32 start, u32 len)
{
	return bits_next_zero(b->used, start, start + len) == start + len;
}

u32 buddy_run_at(const struct buddy *b, u32 start, u32 max)
{
	if (start >= b->nbits)
		return 0;
	return bits_next_one(b->used, start, start + min_of(max, b->nbits - start)) - start;
}

int buddy_largest_order(const struct buddy *b)
{
	for (int k = (int)b->orders - 1; k >= 0; k--)
		if (b->count[k])
			return k;
	return -1;
}

u32 buddy_average_fragment(const struct buddy *b)
{
	return b->fragments ? b->free / b->fragments : 0;
}

struct run {
	u32 start, len;
};

/* Walks runs of [from, to); true when one of want blocks was found. */
static bool scan_runs(
	const struct buddy *b, u32 from, u32 to, u32 want, u32 *budget, struct run *best)
{
	u32 end;

	for (u32 pos = bits_next_zero(b->used, from, to); pos < to && *budget;
		pos = bits_next_zero(b->used, end, to)) {
		end = bits_next_one(b->used, pos, pos + min_of(want, to - pos));
		if (end - pos > best->len)
			*best = (struct run){pos, end - pos};
		if (best->len >= want)
			return true;
		end = bits_next_one(b->used, end, to);
		(*budget)--;
	}
	return false;
}

/* The run from a chunk of the smallest sufficient order, else of the largest one. */
static void chunk_run(const struct buddy *b, u32 goal, u32 want, u32 limit, struct run *best)
{
	int k = (int)log2_ceil(want);

	while (k < (int)b->orders && !b->count[k])
		k++;
	if (k >= (int)b->orders)
		k = buddy_largest_order(b);
	for (; k >= 0; k--) {
		u32 end = b->nbits >> k, n = bits_next_one(b->chunks[k], goal >> k, end), len;

		if (!b->count[k])
			continue;
		if (n >= end || n << k >= limit)
			n = bits_next_one(b->chunks[k], 0, end);
		if (n >= end || n << k >= limit)
			continue;
		len = buddy_run_at(b, n << k, min_of(want, limit - (n << k)));
		if (len > best->len)
			*best = (struct run){n << k, len};
		return;
	}
}

u32 buddy_find(const struct buddy *b, u32 goal, u32 want, u32 limit, u32 *start)
{
	struct run best = {0, 0};
	u32 budget = BUDDY_SCAN_RUNS;

	limit = min_of(limit, b->nbits);
	if (!b->free || !want || !limit)
		return 0;
	if (goal >= limit)
		goal = 0;
	if (!scan_runs(b, goal, limit, want, &budget, &best) &&
		!scan_runs(b, 0, goal, want, &budget, &best))
		chunk_run(b, goal, want, limit, &best);
	*start = best.start;
	return best.len;
}

static bool chunk_valid(const struct buddy *b, u32 k, u32 n)
{
	if ((u64)(n + 1) << k > b->nbits || !buddy_range_free(b, n << k, 1u << k))
		return false;
	return k + 1 == b->orders || !bit_test(b->chunks[k], n ^ 1);
}

bool buddy_check(const struct buddy *b)
{
	u32 free = 0, fragments = 0;
	u64 covered = 0;

	for (u32 i = 0; i < b->nbits; i++) {
		free += free_at(b, i);
		fragments += free_at(b, i) && !free_at(b, (s64)i - 1);
	}
	for (u32 k = 0; k < b->orders; k++) {
		u32 end = (b->nbits >> k) + 1, count = 0;

		for (u32 n = bits_next_one(b->chunks[k], 0, end); n < end;
			n = bits_next_one(b->chunks[k], n + 1, end)) {
			if (!chunk_valid(b, k, n))
				return false;
			count++;
			covered += 1u << k;
		}
		if (count != b->count[k])
			return false;
	}
	return free == b->free && fragments == b->fragments && covered == free;
}
