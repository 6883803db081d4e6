/* What was measured, as a table or as JSON. */
#ifndef REPORT_H
#define REPORT_H

#include "bench.h"

#define ROUNDS_MAX 101

struct result {
	double value[ROUNDS_MAX]; /* of each round; sorted by the report */
	double median, low, high;
};

void report_begin(bool json, double minutes);
/* results[n] belongs to targets[n]; those without bit n in measured are not looked at. */
void report_row(const struct row *r, const struct target *targets, struct result *results,
	unsigned count, u32 measured);
void report_end(void);

#endif
