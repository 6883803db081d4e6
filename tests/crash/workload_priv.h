/* What the files of the workload share. */
#ifndef CRASH_WORKLOAD_PRIV_H
#define CRASH_WORKLOAD_PRIV_H

#include "workload.h"

/* One operation. */
struct call {
	struct worker *w;
	size_t begin;
	bool changed; /* names or attributes */
	uint32_t op;
};

static inline uint32_t below(struct worker *w, uint32_t n)
{
	return (uint32_t)rng_below(&w->rng, n);
}

/* The path from the root. */
const char *full(struct worker *w, const char *path, char *buf);
/* Whether the call succeeded; a full file system is no failure but changes nothing. */
bool done(struct call *c, const char *what, const char *path, int64_t r);
/* A name of that type, or any; NULL if there is none. */
struct mentry *pick(struct worker *w, uint32_t type, bool any);

/* space_op.c: fallocate in all its modes. */
void op_space(struct call *c);

#endif
