/*
 * The report. Ratios are of speed: for times and memory the inverse, so that more is better
 * everywhere. A row is noisy if what it is compared with moved by more than NOISE of its median.
 */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define NOISE 0.25
#define NONE UINT32_MAX

static bool json, first_json = true;
static unsigned rows_told, rows_noisy;
static double began;

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void summarise(struct result *s)
{
	qsort(s->value, settings.rounds, sizeof(double), ascending);
	s->median = s->value[settings.rounds / 2];
	s->low = s->value[0];
	s->high = s->value[settings.rounds - 1];
}

static bool is_noisy(const struct result *s)
{
	return s->high - s->low > NOISE * s->median;
}

static double speed_ratio(const struct row *r, const struct result *s, const struct result *to)
{
	bool less_is_better = strcmp(r->unit, "ms") == 0 || strcmp(r->unit, "MiB") == 0 ||
			      strcmp(r->unit, "1/file") == 0;

	if (less_is_better)
		return s->median > 0 ? to->median / s->median : 0;
	return to->median > 0 ? s->median / to->median : 0;
}

void report_begin(bool as_json, double minutes)
{
	struct utsname u;
	char date[64];
	time_t t = time(NULL);

	json = as_json;
	began = now();
	if (json) {
		printf("[");
		return;
	}
	uname(&u);
	strftime(date, sizeof(date), "%Y-%m-%d", gmtime(&t));
	printf("# %s, %s %s, %ld cores; %u rounds of %.2f s, files of %llu MiB", date, u.sysname,
		u.release, sysconf(_SC_NPROCESSORS_ONLN), settings.rounds, settings.seconds,
		(unsigned long long)(settings.file_bytes / MIB));
	if (minutes > 0)
		printf(", %g minutes for all", minutes);
	printf("\n%-27s %-12s %11s %-6s %11s   %-11s %19s %10s\n", "# workload", "target", "median",
		"", "min", "max", "ratio", "of ceiling");
}

/* ceiling: NULL where it says nothing. */
static void print_result(const struct row *r, const struct target *t, const struct result *s,
	const char *reference, double ratio, bool noisy, const struct result *ceiling)
{
	double of_ceiling = ceiling ? speed_ratio(r, s, ceiling) : 0;

	if (json) {
		printf("%s\n  {\"row\": \"%s\", \"target\": \"%s\", \"unit\": \"%s\", \"median\": "
		       "%g, "
		       "\"min\": %g, \"max\": %g, \"reference\": \"%s\", \"ratio\": %g, \"noisy\": "
		       "%s",
			first_json ? "" : ",", r->name, t->name, r->unit, s->median, s->low,
			s->high, reference, ratio, noisy ? "true" : "false");
		if (ceiling)
			printf(", \"of_ceiling\": %g, \"ceiling_noisy\": %s", of_ceiling,
				is_noisy(ceiling) ? "true" : "false");
		printf("}");
		first_json = false;
		return;
	}
	printf("%-27s %-12s %11.1f %-6s %11.1f - %-11.1f %6.2f x %-10s", r->name, t->name,
		s->median, r->unit, s->low, s->high, ratio, reference);
	if (ceiling)
		printf(" %10.2f", of_ceiling);
	printf("%s%s\n", noisy ? "  noisy" : "",
		ceiling && is_noisy(ceiling) ? "  ceiling noisy" : "");
}

static unsigned find(const struct target *targets, unsigned count, u32 measured, enum target_id id)
{
	for (unsigned n = 0; n < count; n++)
		if (measured & 1u << n && targets[n].id == id)
			return n;
	return NONE;
}

void report_row(const struct row *r, const struct target *targets, struct result *results,
	unsigned count, u32 measured)
{
	unsigned to = find(targets, count, measured, r->reference);
	unsigned ceiling = find(targets, count, measured, CEILING);
	bool noisy;

	if (!measured)
		return;
	if (to == NONE) /* not here: the first, then */
		to = (unsigned)__builtin_ctz(measured);
	for (unsigned n = 0; n < count; n++)
		if (measured & 1u << n)
			summarise(&results[n]);
	noisy = is_noisy(&results[to]);
	rows_told++;
	rows_noisy += noisy;
	for (unsigned n = 0; n < count; n++)
		if (measured & 1u << n)
			print_result(r, &targets[n], &results[n], targets[to].name,
				speed_ratio(r, &results[n], &results[to]), noisy,
				targets[n].id == UEXT4_FUSE && ceiling != NONE ? &results[ceiling]
									       : NULL);
	fflush(stdout);
}

void report_end(void)
{
	if (json) {
		printf("\n]\n");
		return;
	}
	printf("# took %.0f s; ", now() - began);
	if (rows_noisy)
		printf("%u of %u rows were too noisy to tell: their reference moved by more than "
		       "%.0f %%\n",
			rows_noisy, rows_told, NOISE * 100);
	else
		printf("none of %u rows was noisy\n", rows_told);
	if (rows_noisy * 2 > rows_told)
		printf("# THIS MACHINE WAS TOO BUSY: most ratios above decide nothing; repeat on "
		       "an "
		       "idle one\n");
}
