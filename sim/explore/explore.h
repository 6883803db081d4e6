/*
 * The crash explorer: cuts the power at every position of a recorded history,
 * and lets the caller recover and judge each state that may be left. States
 * whose contents were seen before, under the same promise, are skipped before
 * they are built. In some states the power goes again during recovery.
 *
 * A state has a name, "position.way.number" per cut, joined by "/", which is
 * good for explore_replay with the same history and parameters.
 */
#ifndef SIM_EXPLORE_EXPLORE_H
#define SIM_EXPLORE_EXPLORE_H

#include "sim/disk/disk.h"
#include "sim/disk/states.h"

#define EXPLORE_DEPTH_MAX 3u

struct explore_state {
	size_t position; /* of the first cut, in the history that is explored */
	u64 hash;	 /* of the medium */
	u64 promise;	 /* that holds at the position */
	unsigned depth;	 /* cuts: 1 .. EXPLORE_DEPTH_MAX */
	char name[160];
	char why[1024]; /* for the callbacks to say what is wrong */
};

/* Each returns 0, or a negative number with state->why filled in. */
struct explore_ops {
	/* Looks at the medium as the cut left it, and leaves it alone; may be NULL. */
	int (*inspect)(void *arg, struct sim_disk *disk, struct explore_state *state);
	/* Recovers the medium, looks at what it then shows, and leaves it clean. */
	int (*recover)(void *arg, struct sim_disk *disk, struct explore_state *state);
	/* Looks at the recovered medium; may be NULL. */
	int (*check)(void *arg, struct sim_disk *disk, struct explore_state *state);
	/*
	 * Positions with the same number promise the same: nothing was acknowledged
	 * and no operation began in between. NULL: each durable point begins another.
	 */
	u64 (*promise)(void *arg, size_t position);
};

struct explore_config {
	const struct explore_ops *ops;
	void *arg;
	size_t from, to;   /* positions; to = 0: the end */
	u64 base_hash;	   /* names the image before the history */
	u64 budget;	   /* states of one cut to check, at most; 0 = all */
	u64 deeper_every;  /* every so manieth state on average loses power in recovery; 0 = none */
	u64 inspect_every; /* every so manieth state on average is inspected; 0 = none */
	u64 deeper_budget; /* states to check then; 0 = 16 */
	unsigned depth;	   /* cuts in all; 0 = EXPLORE_DEPTH_MAX */
	struct sim_states_params states;
	struct sim_disk_params disk; /* of the recovery; record is set as needed */
	u64 export_every;	     /* every so manieth checked state goes to a file; 0 = none */
	const char *export_dir;	     /* NAME.crash, and NAME.ours after recovery; "+" for "/" */
};

struct explore_stats {
	u64 positions, generated, distinct, inspected, checked, exported;
	u64 by_depth[EXPLORE_DEPTH_MAX]; /* of those checked */
	double seconds, cpu_seconds;
};

/*
 * 0 when every state was good; else what the callback returned, and *failed (which
 * may be NULL) tells which state and why. stats are added to, and may be NULL.
 */
int explore(const struct sim_history *h, const struct explore_config *config,
	struct explore_stats *stats, struct explore_state *failed);
/* One state by its name; -EINVAL when there is none. crash keeps the image; may be NULL. */
int explore_replay(const struct sim_history *h, const struct explore_config *config,
	const char *name, struct explore_state *state, struct sim_pages *crash);
/* One line of text. */
void explore_print(const struct explore_stats *stats, char *out, size_t size);

#endif
