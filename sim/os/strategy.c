/* Choosing: at random, by random priorities (PCT), or as recorded. */
#include <stdlib.h>

#include "sim/os/sched.h"

#define JUMP_ONE_IN 256	     /* time-outs come early that often, while others could run */
#define PATIENCE_STEPS 20000 /* SIM_PCT: then a thread that could run is put first */
#define TOP (1ull << 63)

static int u64_order(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

void strategy_start(struct sched *s)
{
	rng_init(&s->rng, s->config.seed);
	rng_init(&s->values, s->config.seed ^ 0x5851f42d4c957f2dull);
	s->top_priority = TOP;
	s->low_priority = TOP >> 1;
	s->config.pct_depth = min_of(s->config.pct_depth ?: 3, (u32)PCT_DEPTH_MAX);
	s->config.pct_steps = s->config.pct_steps ?: 10000;
	s->change_count = s->config.strategy == SIM_PCT ? s->config.pct_depth - 1 : 0;
	for (u32 i = 0; i < s->change_count; i++)
		s->changes[i] = rng_below(&s->rng, s->config.pct_steps);
	qsort(s->changes, s->change_count, sizeof(s->changes[0]), u64_order);
}

/* Between low_priority and top_priority. */
void strategy_thread(struct fiber *f)
{
	if (sched->config.strategy == SIM_PCT)
		f->priority = (TOP >> 1) + rng_u64(&sched->rng) / 2;
}

void strategy_gives_way(struct fiber *f)
{
	f->priority = sched->low_priority--;
}

static void record(u32 value)
{
	struct sched *s = sched;

	sched_mix(value);
	if (s->config.quiet || !s->home)
		return;
	if (s->choice_count == s->choice_room) {
		size_t room = s->choice_room * 2 + 1024;
		u32 *more = realloc(s->choices, room * sizeof(*more));

		if (!more)
			abort();
		s->choices = more;
		s->choice_room = room;
	}
	s->choices[s->choice_count++] = value;
}

/* The next value of the list, 0 behind its end. */
static u32 replayed(u32 n)
{
	struct sched *s = sched;
	u32 value;

	if (s->replayed == s->config.choice_count)
		return 0;
	value = s->config.choices[s->replayed++];
	if (value >= n) {
		s->report->diverged = true;
		value %= n;
	}
	return value;
}

static u32 drawn(u32 n)
{
	return n > 1 ? (u32)((rng_u64(&sched->rng) >> 32) * n >> 32) : 0;
}

u32 sim_choose(u32 n)
{
	u32 value;

	if (!sched->home || n < 2)
		return 0;
	value = sched->config.strategy == SIM_REPLAY ? replayed(n) : drawn(n);
	record(value);
	return value;
}

static void priorities_change(struct fiber *current)
{
	struct sched *s = sched;

	while (s->change_next < s->change_count && s->steps >= s->changes[s->change_next]) {
		s->change_next++;
		strategy_gives_way(current);
	}
}

static u32 highest(u32 n, struct fiber *(*candidate)(u32 index))
{
	u32 best = 0;

	for (u32 i = 0; i < n; i++) {
		struct fiber *f = candidate(i);

		if (f != sched->current && sched->steps - f->last_step > PATIENCE_STEPS)
			f->priority = ++sched->top_priority;
		if (f->priority > candidate(best)->priority)
			best = i;
	}
	return best;
}

u32 strategy_pick(u32 n, bool jump, struct fiber *(*candidate)(u32 index))
{
	struct sched *s = sched;
	u32 value;

	if (s->config.strategy == SIM_REPLAY) {
		value = replayed(n + jump);
	} else if (jump && rng_u64(&s->rng) % JUMP_ONE_IN == 0) {
		value = n;
	} else if (s->config.strategy == SIM_PCT) {
		priorities_change(s->current);
		value = highest(n, candidate);
	} else {
		value = drawn(n);
	}
	record(value);
	return value;
}
