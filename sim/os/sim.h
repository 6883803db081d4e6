/*
 * The simulator's scheduler: the second implementation of the os seam.
 *
 * All threads are fibers of one OS thread; one runs until it reaches a point
 * (lock, unlock, wait, wake, thread start and end, sleep, yield, TRACE, atomic),
 * where a strategy picks who goes on. Time is virtual and random numbers come
 * from the seed, so the same configuration and program give the same run.
 *
 * Outside of sim_run the seam works too: threads may be created and waited for,
 * but are switched only when the running one must wait, nothing is recorded,
 * and what would end a run ends the process.
 *
 * A failed run leaves its threads where they stood and their memory with them;
 * locks and services of the process may stay taken. A program that wants to go
 * on with such a world runs each seed in a forked child.
 */
#ifndef SIM_OS_SIM_H
#define SIM_OS_SIM_H

#include "base/types.h"

enum sim_strategy {
	SIM_RANDOM, /* every choice evenly */
	SIM_PCT,    /* fixed random priorities, lowered at pct_depth - 1 random steps */
	SIM_REPLAY, /* the choices given, then always the first: without need nobody is preempted */
};

/* All zero is a good start: then set the seed. */
struct sim_config {
	u64 seed;
	enum sim_strategy strategy;
	u32 pct_depth;	    /* bugs that need this many ordered events; 0 = 3 */
	u64 pct_steps;	    /* about how long the run will be; 0 = 10,000 */
	const u32 *choices; /* SIM_REPLAY */
	size_t choice_count;
	u64 steps_max;	   /* then SIM_TOO_LONG; 0 = 50,000,000 */
	u64 starve_steps;  /* a thread that could run, but did not for so long; 0 = 2,000,000 */
	u32 starve_losses; /* times a thread comes in vain for one lock; 0 = 10,000 */
	u64 stall_ns;	   /* virtual time that the first thread may wait for others; 0 = 1 h */
	bool atomics;	   /* atomic operations are points as well */
	bool punctual;	   /* time-outs only when nothing else can run; no spurious wake-ups */
	bool quiet;	   /* choices are not recorded */
	/* One line per event, for people; NULL: none. Must not call the seam. */
	void (*trace)(void *arg, const char *line);
	void *trace_arg;
};

enum sim_outcome {
	SIM_OK,
	SIM_DEADLOCK, /* also a wake-up that was lost, or threads left over */
	SIM_STARVED,
	SIM_BUG, /* os_bug: assertion, lock rank; a bad memory access, a stack overflow */
	SIM_TOO_LONG,
	SIM_FAILED, /* sim_fail */
};

struct sim_report {
	enum sim_outcome outcome;
	bool diverged; /* SIM_REPLAY: a choice did not fit; the program is another one */
	u64 steps, switches;
	u64 time_ns;	/* virtual time that passed */
	u64 trace_hash; /* of all points, threads and choices */
	u32 *choices;	/* by malloc; see sim_report_fini */
	size_t choice_count;
	char text[8192]; /* what went wrong; empty after SIM_OK */
};

/*
 * Runs fn as the first thread until it and all others have ended, or something
 * is wrong. Returns 0 if the outcome is SIM_OK, else -EIO; -ENOMEM before the start.
 */
int sim_run(
	const struct sim_config *config, void (*fn)(void *), void *arg, struct sim_report *report);
void sim_report_fini(struct sim_report *report);
const char *sim_outcome_name(enum sim_outcome outcome);
bool sim_running(void); /* inside of sim_run */

/* A choice in [0, n), n > 0, by the strategy and recorded; 0 outside of sim_run. */
u32 sim_choose(u32 n);
void sim_yield(const char *point);
void sim_fail(const char *fmt, ...) __attribute__((noreturn, cold, format(printf, 1, 2)));
/* Numbers events like "what was acknowledged when"; grows with every point. */
u64 sim_step(void);
const char *sim_thread_name(void);

/*
 * Gates: while one is closed, every thread that reaches the point parks there.
 * A point is the name of a TRACE, FAULT or sim_yield, or "lock NAME",
 * "unlock NAME", "wait NAME", "signal NAME" with the name of a lock or condition.
 * thread: only threads of that name; NULL: all.
 */
void sim_gate_close(const char *point, const char *thread);
void sim_gate_wait(const char *point); /* until a thread is parked there */
bool sim_gate_parked(const char *point);
void sim_gate_open(const char *point); /* and those parked go on; opens what is open, too */

#endif
