/* A set of 64-bit hashes. */
#ifndef SIM_EXPLORE_SEEN_H
#define SIM_EXPLORE_SEEN_H

#include "base/types.h"

struct seen {
	u64 *slot; /* 0: free */
	size_t count;
	unsigned bits;
};

/* All zero is an empty set. */
void seen_fini(struct seen *s);
/* False when it was in the set before. */
bool seen_add(struct seen *s, u64 hash);

#endif
