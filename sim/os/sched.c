/* Who runs: points, waiting and waking, virtual time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/clock.h"
#include "sim/os/sched.h"

#define STEP_NS 1000 /* a point takes this long */

static struct fiber outside_fiber = {.name = "outside", .id = 1};
static struct fiber *outside_ready[1] = {&outside_fiber};
struct sched outside;
struct sched *sched = &outside;
void sched_init(struct sched *s)
{
	list_init(&s->waiting);
	list_init(&s->all);
	s->ids[0] = 1;
	s->clock_ns = EPOCH_NS;
	s->first_ran_ns = EPOCH_NS;
	s->next_deadline_ns = NEVER;
	s->hash = 0x9e3779b97f4a7c15ull;
	s->config.stall_ns = s->config.stall_ns ?: 3600 * NSEC_PER_SEC;
	s->config.steps_max = s->config.steps_max ?: 50000000;
	s->config.starve_steps = s->config.starve_steps ?: 2000000;
	s->config.starve_losses = s->config.starve_losses ?: 10000;
}

__attribute__((constructor)) static void outside_init(void)
{
	sched_init(&outside);
	outside.current = outside.first = &outside_fiber;
	outside.ready = outside_ready;
	outside.ready_count = outside.ready_room = 1;
	outside.count = 1;
	outside.ids[0] |= 2;
	outside.config.steps_max = outside.config.starve_steps = NEVER;
	rng_init(&outside.values, 1);
	list_add_tail(&outside.all, &outside_fiber.id_node);
	rank_current = &outside_fiber.rank;
}

bool sim_running(void)
{
	return sched->home != NULL;
}

u64 sim_step(void)
{
	return sched->steps;
}

const char *sim_thread_name(void)
{
	return sched->current->name;
}

void sched_trace(const char *what, const char *name, u64 a, u64 b)
{
	const struct sched *s = sched;
	char line[200];

	snprintf(line, sizeof(line), "%8llu %llu.%06llu %u %-12s %s %s %llu %llu",
		(unsigned long long)s->steps, (unsigned long long)(s->clock_ns / NSEC_PER_SEC),
		(unsigned long long)(s->clock_ns % NSEC_PER_SEC / 1000), s->current->id,
		s->current->name, what, name ? name : "", (unsigned long long)a,
		(unsigned long long)b);
	s->config.trace(s->config.trace_arg, line);
}

/* Ready threads: an array without holes. */
static void ready_add(struct fiber *f)
{
	struct sched *s = sched;

	if (s->ready_count == s->ready_room) {
		u32 room = s->ready_room * 2 + 32;
		struct fiber **more = malloc(room * sizeof(*more));

		if (!more)
			abort();
		for (u32 i = 0; i < s->ready_count; i++)
			more[i] = s->ready[i];
		if (s->ready != outside_ready)
			free(s->ready);
		s->ready = more;
		s->ready_room = room;
	}
	f->ready_at = s->ready_count;
	f->last_step = s->steps;
	s->ready[s->ready_count++] = f;
}

static void ready_remove(struct fiber *f)
{
	struct fiber *moved = sched->ready[--sched->ready_count];

	sched->ready[f->ready_at] = moved;
	moved->ready_at = f->ready_at;
}

void sched_wake(struct fiber *f)
{
	list_del(&f->node);
	f->wait = WAIT_NONE;
	ready_add(f);
}

static void deadlines_expire(void)
{
	struct sched *s = sched;
	struct fiber *f, *next;
	u64 first = NEVER;

	list_for_each_entry_safe (f, next, &s->waiting, node) {
		if (f->deadline_ns > s->clock_ns) {
			first = min_of(first, f->deadline_ns);
			continue;
		}
		f->timed_out = true;
		sched_wake(f);
	}
	s->next_deadline_ns = first;
}

/*
 * Nobody can run. Threads that serve wake up by time for ever, so it is the
 * first thread that tells a dead world from a resting one, and whoever wants a lock.
 */
static void stalled_check(void)
{
	const struct sched *s = sched;
	const struct fiber *f, *first = s->first;
	u64 limit = s->config.stall_ns;

	if (first->deadline_ns == NEVER && s->clock_ns - s->first_ran_ns > limit)
		sched_end(SIM_DEADLOCK, "the first thread waits for ever");
	list_for_each_entry (f, &s->waiting, node)
		if (f->wait <= WAIT_WRITE && s->clock_ns - f->since_ns > limit)
			sched_end(SIM_DEADLOCK, "a thread waits for a lock for ever");
}

static void time_pass(void)
{
	struct sched *s = sched;

	deadlines_expire(); /* makes the next one exact */
	if (s->ready_count)
		return;
	if (s->next_deadline_ns == NEVER)
		sched_end(SIM_DEADLOCK, "every thread waits for another");
	s->clock_ns = s->next_deadline_ns;
	sched_mix(s->clock_ns);
	stalled_check();
	deadlines_expire();
}

static void time_jump(void)
{
	struct sched *s = sched;

	deadlines_expire();
	if (s->next_deadline_ns == NEVER)
		return;
	s->clock_ns = max_of(s->clock_ns, s->next_deadline_ns);
	deadlines_expire();
}

static u32 candidates_from;

static struct fiber *candidate(u32 index)
{
	u32 at = candidates_from + index;

	return sched->ready[at < sched->ready_count ? at : at - sched->ready_count];
}

/* The next to run; `from` is the place in ready where the candidates begin. */
static struct fiber *pick(u32 from)
{
	struct sched *s = sched;
	bool jump;
	u32 n, index;

	for (;;) {
		while (!s->ready_count)
			time_pass();
		n = s->ready_count;
		candidates_from = from < n ? from : 0;
		jump = s->home && s->next_deadline_ns != NEVER && !s->config.punctual;
		if (!s->home || (n == 1 && !jump))
			return candidate(0);
		index = strategy_pick(n, jump, candidate);
		if (index < n)
			return candidate(index);
		time_jump();
	}
}

static void switch_to(struct fiber *next)
{
	struct sched *s = sched;
	struct fiber *from = s->current;

	if (next == s->first)
		s->first_ran_ns = s->clock_ns;
	next->last_step = s->steps;
	if (next == from)
		return;
	from->last_step = s->steps;
	s->current = next;
	s->switches++;
	rank_current = &next->rank;
	sched_mix(next->id);
	fiber_switch(&from->stack, &next->stack, from->done);
}

static void starved_check(void)
{
	struct sched *s = sched;

	s->checked_step = s->steps;
	for (u32 i = 0; i < s->ready_count; i++) {
		const struct fiber *f = s->ready[i];

		if (f != s->current && s->steps - f->last_step > s->config.starve_steps)
			sched_end(SIM_STARVED, "thread %u %s could run, but did not for %llu steps",
				f->id, f->name, (unsigned long long)(s->steps - f->last_step));
	}
}

void sched_lost(struct fiber *f)
{
	if (++f->losses > sched->config.starve_losses)
		sched_end(SIM_STARVED, "thread %u %s came %u times in vain for %s", f->id, f->name,
			f->losses, f->wait_name ? f->wait_name : "?");
}

static void step(void)
{
	struct sched *s = sched;

	s->clock_ns += STEP_NS;
	if (++s->steps > s->config.steps_max)
		sched_end(SIM_TOO_LONG, "no end after %llu steps", (unsigned long long)s->steps);
	if (s->clock_ns >= s->next_deadline_ns)
		deadlines_expire();
	if (s->steps - s->checked_step > s->config.starve_steps / 4)
		starved_check();
}

void sched_point(enum point_kind kind, const char *name)
{
	struct sched *s = sched;

	if (unlikely(gates_closed))
		gate_pass(kind, name);
	if (!s->home) {
		s->clock_ns += STEP_NS;
		return;
	}
	step();
	sched_mix((u64)kind << 32 | s->current->id);
	if (unlikely(s->config.trace))
		sched_trace(point_name(kind), name, 0, 0);
	switch_to(pick(s->current->ready_at));
}

void sim_yield(const char *point)
{
	sched_point(POINT_YIELD, point);
}

/* The others first. */
void sched_give_way(const char *name)
{
	struct sched *s = sched;

	if (unlikely(gates_closed))
		gate_pass(POINT_YIELD, name);
	step();
	sched_mix((u64)POINT_YIELD << 32 | s->current->id);
	if (unlikely(s->config.trace))
		sched_trace(point_name(POINT_YIELD), name, 0, 0);
	strategy_gives_way(s->current);
	switch_to(pick(s->current->ready_at + 1));
}

void sched_block(enum fiber_wait wait, const void *on, const char *name, u64 deadline_ns)
{
	struct sched *s = sched;
	struct fiber *f = s->current;

	if (s->home)
		step();
	f->wait = wait;
	f->wait_for = on;
	f->wait_name = name;
	f->deadline_ns = deadline_ns;
	f->since_ns = s->clock_ns;
	f->timed_out = f->granted = false;
	ready_remove(f);
	list_add_tail(&s->waiting, &f->node);
	s->next_deadline_ns = min_of(s->next_deadline_ns, deadline_ns);
	sched_mix((u64)wait << 40 | f->id);
	if (unlikely(s->config.trace))
		sched_trace(wait_name(wait), name, deadline_ns, 0);
	switch_to(pick(f->ready_at));
	f->deadline_ns = NEVER;
}

struct fiber *sched_waiter(enum fiber_wait wait, const void *on, u32 nth)
{
	struct fiber *f;

	list_for_each_entry (f, &sched->waiting, node)
		if (f->wait_for == on && f->wait == wait && nth-- == 0)
			return f;
	return NULL;
}

u32 sched_waiters(enum fiber_wait wait, const void *on)
{
	struct fiber *f;
	u32 n = 0;

	list_for_each_entry (f, &sched->waiting, node)
		n += f->wait_for == on && f->wait == wait;
	return n;
}

void sched_wake_all(enum fiber_wait wait, const void *on)
{
	struct fiber *f, *next;

	list_for_each_entry_safe (f, next, &sched->waiting, node)
		if (f->wait_for == on && f->wait == wait)
			sched_wake(f);
}

static u32 id_take(struct sched *s)
{
	for (u32 i = 0; i < array_len(s->ids); i++)
		if (~s->ids[i]) {
			u32 bit = (u32)__builtin_ctzll(~s->ids[i]);

			s->ids[i] |= 1ull << bit;
			return i * 64 + bit;
		}
	return 0;
}

static void fiber_main(void)
{
	struct fiber *f = sched->current;
	struct sched *s = sched;
	u32 at;

	fiber_entered();
	f->fn(f->arg);
	sched_point(POINT_THREAD, "end");
	rank_thread_exit();
	f->done = true;
	s->ids[f->id / 64] &= ~(1ull << (f->id % 64));
	list_del(&f->id_node);
	s->count--;
	sched_wake_all(WAIT_JOIN, f);
	at = f->ready_at;
	ready_remove(f);
	fiber_stack_drop(&f->stack);
	if (s->count == 0)
		fiber_switch(&f->stack, s->home, true);
	switch_to(pick(at));
	abort(); /* nobody comes back here */
}

struct fiber *sched_fiber_start(struct fiber *f, const char *name, void (*fn)(void *), void *arg)
{
	struct sched *s = sched;

	f->id = id_take(s);
	if (!f->id || fiber_stack_make(&f->stack, fiber_main))
		return NULL;
	f->fn = fn;
	f->arg = arg;
	f->deadline_ns = NEVER;
	strncpy(f->name, name, sizeof(f->name) - 1);
	list_init(&f->node);
	list_add_tail(&s->all, &f->id_node);
	s->count++;
	strategy_thread(f);
	ready_add(f);
	return f;
}
