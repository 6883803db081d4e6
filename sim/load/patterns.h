/*
 * Things that threads do many times in a row: fill a directory, empty it, move its names
 * about, write a file in pieces, cut it off, look around. One line of the table in patterns.c each.
 */
#ifndef LOAD_PATTERNS_H
#define LOAD_PATTERNS_H

#include "sim/load/steps.h"
#include "sim/load/twins.h"

enum { CHURN_NAMES = 150, CHURN_FILES = 4, CHURN_BIG = 3 };

/* What the threads work on: big directories, of which one has the others in it, with names that
 * share hashes, and a few files. */
struct ground {
	char name[CHURN_BIG][CHURN_NAMES][TWIN_LEN + 8];
	const char *dir[CHURN_BIG]; /* the last is the root */
	const char *file[CHURN_FILES];
	unsigned names; /* of each directory, in use */
	u32 block_size;
};

struct churner {
	struct player player;
	const struct ground *ground;
	unsigned sync_one_in; /* steps; 0: never */
};

struct pattern {
	const char *name;
	void (*run)(struct churner *c, unsigned times);
};

extern const struct pattern patterns[];
extern const unsigned pattern_count;

#endif
