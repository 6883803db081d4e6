/* The kinds of workloads, each with runs that are numbered: a number always means the same run. */
#ifndef LOAD_LOAD_H
#define LOAD_LOAD_H

#include "sim/load/world.h"

struct load_config {
	u64 seed;	   /* chooses the schedule and the crash states */
	u64 states;	   /* crash states per run, about; 0 = all */
	u64 deeper_every;  /* of so many, one loses power again during recovery */
	u64 inspect_every; /* of so many, one is checked before it is recovered, too */
	u64 export_every;  /* of so many, one goes to a file in export_dir */
	const char *export_dir;
	const char *state; /* only this crash state */
	unsigned length;   /* of an ACE sequence */
	bool verbose;	   /* list the calls */
	bool lie;	   /* a change of the oracle's record: what is right must fail */
};

struct load_stats {
	u64 runs, schedules, steps, preemptions; /* steps, preemptions: of the scheduler */
	struct explore_stats explored;
};

struct load_failure {
	char text[12000];
	char state[160]; /* the crash state; empty: the run itself failed */
};

struct load {
	const char *name;
	u64 (*count)(const struct load_config *c); /* how many runs there are */
	/* False when it failed. */
	bool (*run)(const struct load_config *c, u64 number, struct load_stats *stats,
		struct load_failure *failure);
	void (*describe)(const struct load_config *c, u64 number, char *out, size_t size);
};

extern const struct load load_ace, load_random, load_fail, load_churn;

/* Runs body under the scheduler, on a world of its own, and then tries the crash states. */
struct load_run {
	const struct load_config *config;
	struct base *base;
	u64 seed;
	enum sim_strategy strategy;
	void (*body)(struct world *w, void *arg);
	void *arg;
	u64 explore_from; /* set by body: positions before are known from other runs */
};
bool load_run(struct load_run *r, struct load_stats *stats, struct load_failure *failure);

#endif
