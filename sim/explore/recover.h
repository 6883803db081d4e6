/*
 * Explorer callbacks for images of uext4: recovery is a mount and unmount in the
 * simulator, where any message of an error, broken lock rule or deadlock fails
 * the state; the checker looks at the result.
 */
#ifndef SIM_EXPLORE_RECOVER_H
#define SIM_EXPLORE_RECOVER_H

#include "sim/explore/explore.h"
#include "sim/os/sim.h"

struct uext4_fs;

/* The arg of explore_fs_ops. */
struct explore_fs {
	/* The oracle: looks at the mounted file system. May be NULL, as promise may. */
	int (*look)(void *arg, struct uext4_fs *fs, struct explore_state *state);
	u64 (*promise)(void *arg, size_t position);
	void *arg;
	struct sim_config
		schedule; /* of each recovery; all zero: threads change only if they must */
	bool no_check;	  /* without the checker */
};

extern const struct explore_ops explore_fs_ops;

/* The superblock is what nobody can mend when it is torn: Linux can't open such an image either. */
struct sim_states_params explore_fs_states(u64 seed);

#endif
