/*
 * Inside the scheduler. All of it runs on one OS thread, so nothing here is
 * locked; what a thread does between two points is atomic to the others.
 */
#ifndef SIM_OS_SCHED_H
#define SIM_OS_SCHED_H

#include "base/list.h"
#include "base/rng.h"
#include "base/util.h"
#include "os/rank_check.h"
#include "sim/os/sim.h"

#define NEVER UINT64_MAX
#define PCT_DEPTH_MAX 16
#define IDS_MAX 1024
#define EPOCH_NS 1000000000ull /* os_clock_mono at the start of a run */

enum fiber_wait {
	WAIT_NONE, /* it can run */
	WAIT_MUTEX,
	WAIT_READ,
	WAIT_WRITE,
	WAIT_COND,
	WAIT_COMPLETION,
	WAIT_JOIN,
	WAIT_SLEEP,
	WAIT_GATE,   /* parked at a closed gate */
	WAIT_PARKED, /* in sim_gate_wait */
};

enum point_kind {
	POINT_LOCK,
	POINT_UNLOCK,
	POINT_WAIT,
	POINT_SIGNAL,
	POINT_THREAD,
	POINT_YIELD,
	POINT_NAMED,
	POINT_ATOMIC,
	POINT_KINDS,
};

/* What the stack switcher needs; see fiber.c. */
struct fiber_stack {
	void *sp;
	char *base; /* lowest usable byte; NULL: the OS thread's own stack */
	size_t size;
	void *fake; /* ASan */
};

struct fiber {
	struct list node;    /* on sched.waiting while it waits */
	struct list id_node; /* on sched.all */
	struct fiber_stack stack;
	void (*fn)(void *);
	void *arg;
	u32 id;
	u32 ready_at; /* index in sched.ready while it can run */
	bool done;
	/* The wait, and how it ended. */
	enum fiber_wait wait;
	bool timed_out, granted;
	u32 losses; /* came in vain for the lock it wants */
	const void *wait_for;
	const void *given_up; /* the mutex of a condition wait */
	u64 ticket;	      /* place in the queue of a rwsem */
	const char *wait_name;
	u64 deadline_ns, since_ns;
	u64 last_step; /* that it ran in, or became able to */
	u64 priority;  /* SIM_PCT */
	struct rank_list rank;
	char name[16];
};

struct sched {
	struct sim_config config;
	struct fiber *current, *first;
	struct fiber_stack *home; /* of sim_run's caller; NULL outside of a run */
	struct fiber **ready;
	u32 ready_count, ready_room;
	struct list waiting; /* in order of arrival */
	struct list all;
	u64 ids[IDS_MAX / 64];
	u32 count; /* threads that have not ended */
	u64 clock_ns, next_deadline_ns;
	u64 steps, switches, hash, checked_step;
	u64 first_ran_ns;	    /* when the first thread last began to run */
	u64 changes[PCT_DEPTH_MAX]; /* SIM_PCT: steps at which a priority is lowered */
	u32 change_count, change_next;
	u64 top_priority, low_priority; /* the next to be given */
	struct rng rng, values;		/* schedule; os_random */
	u32 *choices;
	size_t choice_count, choice_room, replayed;
	struct sim_report *report;
};

extern struct sched *sched; /* of the run, or &outside */
extern struct sched outside;

/* fiber.c */
int fiber_stack_make(struct fiber_stack *s, void (*entry)(void));
void fiber_stack_drop(struct fiber_stack *s); /* also one's own, just before the last switch */
void fiber_switch(struct fiber_stack *from, struct fiber_stack *to, bool last);
void fiber_entered(void); /* first call on a new stack */
bool fiber_stack_guards(const struct fiber_stack *s, const void *address);
void fiber_catch_faults(bool on); /* during a run they end it */

/* sched.c */
void sched_init(struct sched *s);
void sched_trace(const char *what, const char *name, u64 a, u64 b);
void sched_point(enum point_kind kind, const char *name); /* where others may run */
void sched_give_way(const char *name);			  /* where others run first */
void sched_block(enum fiber_wait wait, const void *on, const char *name, u64 deadline_ns);
void sched_wake(struct fiber *f);
void sched_wake_all(enum fiber_wait wait, const void *on);
struct fiber *sched_waiter(enum fiber_wait wait, const void *on, u32 nth);
u32 sched_waiters(enum fiber_wait wait, const void *on);
/* f is zeroed memory; NULL: no stack or id left. */
struct fiber *sched_fiber_start(struct fiber *f, const char *name, void (*fn)(void *), void *arg);
void sched_lost(struct fiber *f); /* woken for a lock that another has taken */
void sched_end(enum sim_outcome outcome, const char *fmt, ...)
	__attribute__((noreturn, cold, format(printf, 2, 3)));

static inline void sched_mix(u64 v)
{
	u64 h = (sched->hash ^ v) * 0xff51afd7ed558ccdull;

	sched->hash = h ^ h >> 32;
}

/* strategy.c */
void strategy_start(struct sched *s);
void strategy_thread(struct fiber *f);
void strategy_gives_way(struct fiber *f);
/* Index of the next thread among n candidates; n itself, if jump, lets time pass instead. */
u32 strategy_pick(u32 n, bool jump, struct fiber *(*candidate)(u32 index));

/* gate.c */
extern u32 gates_closed;
void gate_pass(enum point_kind kind, const char *name);
void gates_reset(void);
const char *point_name(enum point_kind kind);

/* report.c */
const char *wait_name(enum fiber_wait wait);
void report_threads(char *out, size_t size);

#endif
