#include "space/counter.h"

#include "base/util.h"
#include "os/atomic.h"
#include "os/thread.h"

void counter_init(struct counter *c, s64 value)
{
	c->total = value;
	for (unsigned i = 0; i < COUNTER_SHARDS; i++)
		c->shards[i].value = 0;
	os_mutex_init(&c->lock, RANK_LEAF, "counter");
}

/* In an order that hides a positive amount, or doubles a negative one, for a moment. */
static void fold(struct counter *c, s64 *shard, s64 value)
{
	if (value < 0) {
		atomic_add(&c->total, value);
		atomic_sub(shard, value);
	} else {
		atomic_sub(shard, value);
		atomic_add(&c->total, value);
	}
}

void counter_add(struct counter *c, s64 delta)
{
	s64 *shard = &c->shards[os_shard(COUNTER_SHARDS)].value, value;

	if (delta >= COUNTER_BATCH || delta <= -COUNTER_BATCH) {
		atomic_add(&c->total, delta);
		return;
	}
	value = atomic_add(shard, delta);
	if (value >= COUNTER_BATCH || value <= -COUNTER_BATCH)
		fold(c, shard, value);
}

s64 counter_sum(const struct counter *c)
{
	s64 sum = atomic_load_acq(&c->total);

	for (unsigned i = 0; i < COUNTER_SHARDS; i++)
		sum += atomic_load_acq(&c->shards[i].value);
	return sum;
}

s64 counter_estimate(const struct counter *c)
{
	return atomic_load_relaxed(&c->total);
}

static u64 take_near_floor(struct counter *c, u64 want, u64 floor, bool partial)
{
	u64 got = 0;
	s64 room;

	os_mutex_lock(&c->lock);
	room = counter_sum(c) - (s64)floor;
	if (room > 0 && ((u64)room >= want || partial)) {
		got = min_of(want, (u64)room);
		atomic_sub(&c->total, (s64)got);
	}
	os_mutex_unlock(&c->lock);
	return got;
}

u64 counter_take(struct counter *c, u64 want, u64 floor, bool partial)
{
	if (want > INT64_MAX / 4 || floor > INT64_MAX / 4)
		return 0;
	if (counter_estimate(c) < (s64)(want + floor) + COUNTER_SLACK)
		return take_near_floor(c, want, floor, partial);
	counter_add(c, -(s64)want);
	if (counter_estimate(c) >= (s64)floor + COUNTER_SLACK)
		return want;
	counter_add(c, (s64)want); /* others took it meanwhile */
	return take_near_floor(c, want, floor, partial);
}
