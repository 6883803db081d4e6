/*
 * uext4-bench [-t TARGET,...] [-r PATTERN] [-n ROUNDS] [-s SECONDS] [-d DIR] [--full] [--json]
 * [--list]
 *
 * Measures each row on all targets in turns and prints medians, the range, and
 * the ratio to the reference: the bare file, else Linux, else the first target.
 */
#include "bench.h"

#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define TARGETS_MAX 8
#define ROUNDS_MAX 101
#define NOISE 0.25 /* of the reference's median: more, and its ratios say little */

struct settings settings = {.seconds = 0.5, .rounds = 5, .file_bytes = 128 * MIB};

static struct target targets[TARGETS_MAX];
static unsigned target_count;
static bool json, first_json = true;

void die(const char *what, const char *which, int err)
{
	fprintf(stderr, "uext4-bench: %s: %s: %s\n", what, which, strerror(err));
	exit(1);
}

double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void *pages_alloc(size_t len)
{
	void *p = aligned_alloc(PAGE, (len + PAGE - 1) / PAGE * PAGE);

	if (!p)
		die("bench", "memory", ENOMEM);
	return memset(p, 0, len);
}

void pattern_fill(void *buf, size_t len, u64 off)
{
	for (u64 at = 0; at < len; at += PAGE)
		((u64 *)((u8 *)buf + at))[0] = (off + at) ^ 0x75657874344d4d4dull;
}

void pattern_check(const void *buf, size_t len, u64 off, const char *where)
{
	for (u64 at = 0; at < len; at += PAGE)
		if (((const u64 *)((const u8 *)buf + at))[0] !=
			((off + at) ^ 0x75657874344d4d4dull)) {
			fprintf(stderr, "uext4-bench: %s: wrong data at offset %llu\n", where,
				(unsigned long long)(off + at));
			exit(1);
		}
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

bool row_fits(const struct row *r, const struct target *t)
{
	bool has_image = t->kind->has_names && strcmp(t->kind->name, "posix") != 0 &&
			 strcmp(t->kind->name, "fuse-ceiling") != 0;

	if (r->kind == ROW_IMAGE)
		return t->kind->backend == &backend_lib;
	if (r->kind == ROW_MOUNT)
		return has_image;
	if (r->kind == ROW_STREAM || r->kind == ROW_IO)
		return t->kind->has_names || r->state == STATE_WRITTEN;
	return t->kind->has_names;
}

static double measure(const struct row *r, struct target *t)
{
	switch (r->kind) {
	case ROW_IO:
		return row_io(r, t);
	case ROW_APPEND:
		return row_append(r, t);
	case ROW_STREAM:
		return row_stream(r, t);
	case ROW_NAMES:
		return row_names(r, t);
	case ROW_TREE:
		return row_tree(r, t);
	case ROW_IMAGE:
		return row_image(r);
	default:
		return row_mount(r, t);
	}
}

struct result {
	double value[ROUNDS_MAX], median, low, high;
};

static void summarise(struct result *s)
{
	qsort(s->value, settings.rounds, sizeof(double), ascending);
	s->median = s->value[settings.rounds / 2];
	s->low = s->value[0];
	s->high = s->value[settings.rounds - 1];
}

static void print_result(const struct row *r, const struct target *t, const struct result *s,
	double reference, bool noisy)
{
	if (json) {
		printf("%s\n  {\"row\": \"%s\", \"target\": \"%s\", \"unit\": \"%s\", \"median\": "
		       "%g, "
		       "\"min\": %g, \"max\": %g, \"ratio\": %g, \"noisy\": %s}",
			first_json ? "" : ",", r->name, t->name, r->unit, s->median, s->low,
			s->high, s->median / reference, noisy ? "true" : "false");
		first_json = false;
	} else {
		printf("%-28s %-12s %12.1f %-6s %12.1f - %-12.1f %6.2f%s\n", r->name, t->name,
			s->median, r->unit, s->low, s->high, s->median / reference,
			noisy ? "  noisy" : "");
	}
	fflush(stdout);
}

static unsigned reference_of(const struct row *r)
{
	static const char *const preferred[] = {"raw", "kernel"};
	unsigned first = 0;

	for (unsigned p = 0; p < 2; p++)
		for (unsigned n = 0; n < target_count; n++)
			if (row_fits(r, &targets[n]) &&
				strcmp(targets[n].kind->name, preferred[p]) == 0)
				return n;
	while (first + 1 < target_count && !row_fits(r, &targets[first]))
		first++;
	return first;
}

/* Round by round, each beginning with another target. */
static void run_row(const struct row *r)
{
	static struct result results[TARGETS_MAX];
	const struct result *reference = &results[reference_of(r)];
	bool noisy;

	for (unsigned k = 0; k < settings.rounds; k++)
		for (unsigned n = 0; n < target_count; n++) {
			unsigned at = (n + k) % target_count;

			settings.last_of_row = k + 1 == settings.rounds && n + 1 == target_count;
			if (row_fits(r, &targets[at]))
				results[at].value[k] = measure(r, &targets[at]);
		}
	for (unsigned n = 0; n < target_count; n++)
		if (row_fits(r, &targets[n]))
			summarise(&results[n]);
	noisy = reference->high - reference->low > NOISE * reference->median;
	for (unsigned n = 0; n < target_count; n++)
		if (row_fits(r, &targets[n]))
			print_result(r, &targets[n], &results[n], reference->median, noisy);
}

static void print_head(void)
{
	struct utsname u;
	char date[64];
	time_t t = time(NULL);

	uname(&u);
	strftime(date, sizeof(date), "%Y-%m-%d", gmtime(&t));
	printf("# %s, %s %s, %ld cores, %u rounds of %.1f s, files of %llu MiB; ratio to raw or "
	       "kernel\n",
		date, u.sysname, u.release, sysconf(_SC_NPROCESSORS_ONLN), settings.rounds,
		settings.seconds, (unsigned long long)(settings.file_bytes / MIB));
	printf("%-28s %-12s %12s %-6s %12s   %-12s %6s\n", "# workload", "target", "median", "",
		"min", "max", "ratio");
}

static void open_targets(char *list)
{
	for (char *spec = strtok(list, ","); spec && target_count < TARGETS_MAX;
		spec = strtok(NULL, ","))
		if (target_open(&targets[target_count], spec, settings.work_dir,
			    settings.file_bytes * 2 + 512 * MIB))
			target_count++;
	if (!target_count)
		exit(2);
}

static void usage(int status)
{
	fprintf(status ? stderr : stdout,
		"usage: uext4-bench [-t TARGET,...] [-r PATTERN] [-n ROUNDS] [-s SECONDS] [-d "
		"DIR]\n"
		"                   [-m FILE_MIB] [--full] [--json] [--list]\n"
		"  PATTERN chooses rows by name, as a shell does; --full: all rows, not the short "
		"set\n"
		"targets:\n");
	target_list();
	exit(status);
}

static void list_rows(void)
{
	for (unsigned k = 0; k < row_count; k++)
		printf("%-28s %-6s%s\n", rows[k].name, rows[k].unit,
			rows[k].in_short ? " short" : "");
	exit(0);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"full", no_argument, NULL, 'F'},
		{"json", no_argument, NULL, 'j'}, {"list", no_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'}, {0}};
	static char default_targets[] =
		"raw,uext4,fuse-ceiling,uext4-fuse,kernel,kernel-dio,fuse2fs";
	char *list = default_targets, *dir = NULL;
	const char *pattern = NULL;
	static char work[256];
	int c;

	while ((c = getopt_long(argc, argv, "t:r:n:s:d:m:h", options, NULL)) != -1)
		switch (c) {
		case 't':
			list = optarg;
			break;
		case 'r':
			pattern = optarg;
			break;
		case 'n':
			settings.rounds = (unsigned)atoi(optarg);
			break;
		case 's':
			settings.seconds = atof(optarg);
			break;
		case 'd':
			dir = optarg;
			break;
		case 'm':
			settings.file_bytes = (u64)atoll(optarg) * MIB;
			break;
		case 'F':
			settings.full = true;
			break;
		case 'j':
			json = true;
			break;
		case 'l':
			list_rows();
			break;
		default:
			usage(c == 'h' ? 0 : 2);
		}
	if (settings.rounds < 1 || settings.rounds > ROUNDS_MAX || settings.file_bytes < MIB)
		usage(2);
	snprintf(work, sizeof(work), "%s/uext4-bench-XXXXXX", dir ? dir : "/var/tmp");
	settings.work_dir = mkdtemp(work);
	if (!settings.work_dir)
		die("bench", work, errno);
	open_targets(list);
	if (json)
		printf("[");
	else
		print_head();
	for (unsigned k = 0; k < row_count; k++)
		if (pattern ? fnmatch(pattern, rows[k].name, 0) == 0
			    : settings.full || rows[k].in_short)
			run_row(&rows[k]);
	if (json)
		printf("\n]\n");
	while (target_count)
		target_close(&targets[--target_count]);
	rmdir(settings.work_dir);
	return 0;
}
