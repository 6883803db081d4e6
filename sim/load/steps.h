/*
 * The steps that workloads are made of: one line of the table in steps.c each.
 * Files are named by places: a directory and a name in it.
 */
#ifndef LOAD_STEPS_H
#define LOAD_STEPS_H

#include "sim/load/player.h"

struct step {
	const char *type;
	const char *at, *to; /* "name" in the root, or "dir/name" */
	u64 offset, len;
	u32 flags;
};

struct step_type {
	const char *name;
	void (*run)(struct player *p, const struct step *s);
	unsigned weight; /* in random workloads */
	enum step_uses { USES_AT = 1, USES_TO = 2, USES_RANGE = 4, USES_SIZE = 8 } uses;
	u32 flags; /* those that make sense for it */
};

extern const struct step_type step_types[];
extern const unsigned step_type_count;

void player_step(struct player *p, const struct step *s);
/* "rename foo A/bar" */
void step_print(const struct step *s, char *out, size_t size);
/* Lets go of the files that are held open. */
void player_end(struct player *p);

#endif
