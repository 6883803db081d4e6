/* What every thread waits for and holds, in words. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "os/lock.h"
#include "sim/os/sched.h"

struct text {
	char *out;
	size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(t->out + t->used, t->size - t->used, fmt, args);
	va_end(args);
	t->used = min_of(t->used + (size_t)max_of(n, 0), t->size - 1);
}

const char *sim_outcome_name(enum sim_outcome outcome)
{
	static const char *const names[] = {
		[SIM_OK] = "ok",
		[SIM_DEADLOCK] = "deadlock",
		[SIM_STARVED] = "starved",
		[SIM_BUG] = "bug",
		[SIM_TOO_LONG] = "too long",
		[SIM_FAILED] = "failed",
	};

	return outcome < array_len(names) ? names[outcome] : "?";
}

const char *wait_name(enum fiber_wait wait)
{
	static const char *const names[] = {
		[WAIT_NONE] = "can run",
		[WAIT_MUTEX] = "wants mutex",
		[WAIT_READ] = "wants shared",
		[WAIT_WRITE] = "wants exclusive",
		[WAIT_COND] = "waits for condition",
		[WAIT_COMPLETION] = "waits for",
		[WAIT_JOIN] = "waits for the end of thread",
		[WAIT_SLEEP] = "sleeps",
		[WAIT_GATE] = "is parked at gate",
		[WAIT_PARKED] = "waits for someone at gate",
	};

	return wait < array_len(names) ? names[wait] : "?";
}

static bool wants_lock(const struct fiber *f)
{
	return f->wait == WAIT_MUTEX || f->wait == WAIT_READ || f->wait == WAIT_WRITE;
}

static bool holds(const struct fiber *f, const void *lock)
{
	for (unsigned i = 0; i < f->rank.count; i++)
		if (f->rank.held[i].lock == lock && f->given_up != lock && f->wait_for != lock)
			return true;
	return false;
}

/* One that f waits for: a holder of the lock, or the thread it joins. */
static const struct fiber *blocker(const struct fiber *f)
{
	const struct fiber *other;

	if (f->wait == WAIT_JOIN)
		return f->wait_for;
	if (wants_lock(f))
		list_for_each_entry (other, &sched->all, id_node)
			if (other != f && holds(other, f->wait_for))
				return other;
	return NULL;
}

static void add_held(struct text *t, const struct fiber *f)
{
	char line[300];

	for (unsigned i = 0; i < f->rank.count; i++) {
		const struct rank_entry *h = &f->rank.held[i];

		rank_describe(h, line, sizeof(line));
		add(t, "    %s %s\n", f->given_up == h->lock ? "gave up for the wait" : "holds",
			line);
	}
}

static void add_thread(struct text *t, const struct fiber *f)
{
	const struct fiber *by = blocker(f);

	add(t, "  thread %u %s: ", f->id, f->name);
	if (f == sched->current && f->wait == WAIT_NONE)
		add(t, "runs");
	else if (f->wait == WAIT_NONE)
		add(t, "can run, last ran at step %llu", (unsigned long long)f->last_step);
	else
		add(t, "%s %s", wait_name(f->wait), f->wait_name ? f->wait_name : "?");
	if (f->wait == WAIT_COND && f->deadline_ns == NEVER)
		add(t, ", signalled by nobody");
	if (f->wait != WAIT_NONE && f->deadline_ns != NEVER)
		add(t, ", with a time-out");
	if (by && f->wait != WAIT_JOIN)
		add(t, ", held by thread %u %s", by->id, by->name);
	add(t, "\n");
	add_held(t, f);
}

/* The circle that f waits in, if it does. */
static bool add_circle(struct text *t, const struct fiber *f)
{
	const struct fiber *by = f;
	u32 length = 0;

	do {
		by = blocker(by);
		if (!by || ++length > sched->count)
			return false;
	} while (by != f);
	add(t, "circle: %u %s", f->id, f->name);
	do {
		by = blocker(by);
		add(t, " -> %u %s", by->id, by->name);
	} while (by != f);
	add(t, "\n");
	return true;
}

void report_threads(char *out, size_t size)
{
	struct text t = {.out = out, .size = size};
	const struct fiber *f;

	*out = '\0';
	list_for_each_entry (f, &sched->all, id_node)
		if (add_circle(&t, f))
			break;
	list_for_each_entry (f, &sched->all, id_node)
		add_thread(&t, f);
}
