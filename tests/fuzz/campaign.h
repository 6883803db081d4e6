/*
 * Many cases in one TAP point: each runs in a child that is started anew
 * behind a case that killed it, with a time limit and a bound on memory.
 */
#ifndef FUZZ_CAMPAIGN_H
#define FUZZ_CAMPAIGN_H

#include <stdbool.h>
#include <stddef.h>

struct verdict {
	char name[200]; /* set before anything dangerous happens */
	char why[3000]; /* empty: passed */
};

enum { CASE_SECONDS = 120 };

/* Runs cases 0..count-1 and prints a point. */
void campaign(const char *title, unsigned count,
	void (*one)(void *arg, unsigned n, struct verdict *v), void *arg);
/* Prints the plan; the exit status. */
int campaign_finish(void);

#endif
