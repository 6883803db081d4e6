/* The beginning and the end of a run, and the hooks that lead into it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/trace.h"
#include "os/atomic.h"
#include "sim/os/sched.h"

bool sim_atomics;

static trace_hook_fn *outer_trace;
static fault_hook_fn *outer_fault;

static void on_trace(const char *name, u64 a, u64 b)
{
	if (outer_trace)
		outer_trace(name, a, b);
	for (const char *p = name; *p; p++)
		sched->hash = (sched->hash ^ (u8)*p) * 0x100000001b3ull;
	sched_mix(a);
	sched_mix(b);
	if (unlikely(sched->config.trace))
		sched_trace("trace", name, a, b);
	sched_point(POINT_NAMED, name);
}

static bool on_fault(const char *name)
{
	if (unlikely(gates_closed))
		gate_pass(POINT_NAMED, name);
	return outer_fault && outer_fault(name);
}

void sim_atomic_point(void)
{
	sched_point(POINT_ATOMIC, NULL);
}

static void hooks_set(bool on)
{
	if (on) {
		outer_trace = trace_hook;
		outer_fault = fault_hook;
	}
	trace_hook = on ? on_trace : outer_trace;
	fault_hook = on ? on_fault : outer_fault;
	sim_atomics = on && sched->config.atomics;
}

/* The report as far as it is known; the world stays as it is. */
static void report_fill(struct sched *s, enum sim_outcome outcome)
{
	struct sim_report *r = s->report;

	r->outcome = outcome;
	r->steps = s->steps;
	r->switches = s->switches;
	r->time_ns = s->clock_ns - EPOCH_NS;
	r->trace_hash = s->hash;
	r->choices = s->choices;
	r->choice_count = s->choice_count;
}

void sched_end(enum sim_outcome outcome, const char *fmt, ...)
{
	static char text[sizeof(((struct sim_report *)0)->text)];
	struct fiber *f = sched->current;
	char message[1024];
	va_list args;
	int used;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	used = snprintf(text, sizeof(text), "%s: %s\nstep %llu, thread %u %s\n",
		sim_outcome_name(outcome), message, (unsigned long long)sched->steps, f->id,
		f->name);
	report_threads(text + used, sizeof(text) - (size_t)used);
	if (!sched->home) {
		dprintf(STDERR_FILENO, "%s", text);
		abort();
	}
	memcpy(sched->report->text, text, sizeof(text));
	report_fill(sched, outcome);
	fiber_switch(&f->stack, sched->home, true);
	abort();
}

void sim_fail(const char *fmt, ...)
{
	char message[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	sched_end(SIM_FAILED, "%s", message);
}

static void run(struct sched *s, struct fiber *first)
{
	struct fiber_stack *home = &outside.current->stack;

	s->home = home;
	s->current = s->first = first;
	rank_current = &first->rank;
	hooks_set(true);
	fiber_catch_faults(true);
	fiber_switch(home, &first->stack, false);
	fiber_catch_faults(false);
	hooks_set(false);
	gates_reset();
	sched = &outside;
	rank_current = &outside.first->rank;
}

int sim_run(
	const struct sim_config *config, void (*fn)(void *), void *arg, struct sim_report *report)
{
	struct sched s = {.config = *config, .report = report};
	struct fiber *first;

	memset(report, 0, sizeof(*report));
	if (sched->home || sched->count > 1)
		sched_end(SIM_BUG, "sim_run while other threads live");
	first = calloc(1, sizeof(*first));
	if (!first)
		return -ENOMEM;
	sched_init(&s);
	sched = &s;
	strategy_start(&s);
	if (!sched_fiber_start(first, "main", fn, arg)) {
		sched = &outside;
		free(first);
		return -ENOMEM;
	}
	run(&s, first);
	if (!*report->text) {
		report_fill(&s, SIM_OK);
		free(first);
	}
	free(s.ready);
	return report->outcome == SIM_OK ? 0 : -EIO;
}

void sim_report_fini(struct sim_report *report)
{
	free(report->choices);
	report->choices = NULL;
	report->choice_count = 0;
}
