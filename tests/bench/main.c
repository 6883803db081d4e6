/*
 * uext4-bench: measures each row on its targets in turns and prints medians, the range, and the
 * ratio to the target that the row is compared with.
 */
#include "bench.h"
#include "report.h"

#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TARGETS_MAX 8
#define PATTERNS_MAX 32
#define SECONDS_LEAST 0.05
#define IMAGE_EXTRA (64 * MIB)	   /* inodes, journal, trees */
#define IMAGE_FILES 4		   /* of settings.file_bytes, at once, and small ones */
#define IMAGE_EXTRA_FULL (1 * GIB) /* 100,000 files of 4 KiB, all of the tree */

struct settings settings = {.rounds = 5, .file_bytes = 128 * MIB};

static struct target targets[TARGETS_MAX];
static unsigned target_count;
static bool all_targets, verbose;
static const char *patterns[PATTERNS_MAX];
static unsigned pattern_count;
static volatile sig_atomic_t stopped; /* by a signal */

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

static bool fits(const struct row *r, const struct target *t)
{
	switch (r->needs) {
	case NEEDS_NAMES:
		return t->kind->has_names;
	case NEEDS_MOUNT:
		return t->kind->has_names && t->kind->backend != &backend_lib;
	case NEEDS_IMAGE:
		return t->kind->has_names && t->id != POSIX && t->id != CEILING;
	case NEEDS_LIBRARY:
		return t->kind->backend == &backend_lib;
	default:
		return true;
	}
}

static u32 targets_of(const struct row *r)
{
	u32 mask = 0;

	for (unsigned n = 0; n < target_count; n++)
		if (fits(r, &targets[n]) && !(r->not_on & 1u << targets[n].id) &&
			(all_targets || r->targets & 1u << targets[n].id))
			mask |= 1u << n;
	return mask;
}

static bool row_wanted(const struct row *r)
{
	for (unsigned k = 0; k < pattern_count; k++)
		if (fnmatch(patterns[k], r->name, 0) == 0)
			return true;
	return !pattern_count && (settings.full || r->in_short);
}

/* Rows of one pass: the first, and how many. */
static unsigned pass_rows(unsigned first)
{
	unsigned n = 1;

	while (first + n < row_count && rows[first + n].follows)
		n++;
	return n;
}

static bool pass_wanted(unsigned first)
{
	for (unsigned k = 0; k < pass_rows(first); k++)
		if (row_wanted(&rows[first + k]))
			return targets_of(&rows[first]) != 0;
	return false;
}

/* What the rows that are wanted need; a bigger image takes longer to make. */
static u64 image_bytes(void)
{
	u64 largest = 0;

	for (unsigned k = 0; k < row_count; k++)
		if (row_wanted(&rows[k]) && rows[k].file_bytes > largest)
			largest = rows[k].file_bytes;
	return settings.file_bytes * IMAGE_FILES + largest +
	       (settings.full ? IMAGE_EXTRA_FULL : IMAGE_EXTRA);
}

static u32 without_nan(const struct result *results, u32 measured)
{
	for (unsigned n = 0; n < target_count; n++)
		if (measured & 1u << n && isnan(results[n].value[0]))
			measured &= ~(1u << n);
	return measured;
}

/* Round by round, each beginning with another target. */
static void run_pass(unsigned first)
{
	static struct result results[FIGURES_MAX][TARGETS_MAX];
	const struct row *r = &rows[first];
	u32 measured = targets_of(r);
	double out[FIGURES_MAX], begin = now();

	for (unsigned k = 0; k < settings.rounds; k++)
		for (unsigned n = 0; n < target_count; n++) {
			unsigned at = (n + k) % target_count;

			if (!(measured & 1u << at))
				continue;
			target_make(&targets[at], image_bytes());
			r->pass(r, &targets[at], out);
			if (stopped)
				exit(128 + stopped);
			target_settle(&targets[at]);
			for (unsigned f = 0; f < pass_rows(first); f++)
				results[f][at].value[k] = out[f];
		}
	row_images_remove();
	for (unsigned f = 0; f < pass_rows(first); f++)
		if (row_wanted(&rows[first + f]))
			report_row(&rows[first + f], targets, results[f], target_count,
				without_nan(results[f], measured));
	if (verbose)
		fprintf(stderr, "%s: %.1f s\n", r->name, now() - begin);
}

/* What is left of the time, shared among the measurements that are left; half is preparation. */
static double seconds_for(unsigned first, double deadline, double wanted)
{
	unsigned left = 0;
	double share;

	for (unsigned k = first; k < row_count; k += pass_rows(k))
		if (pass_wanted(k))
			left += pass_rows(k) * settings.rounds *
				(unsigned)__builtin_popcount(targets_of(&rows[k]));
	share = (deadline - now()) / left / 2;
	return share > wanted ? wanted : share < SECONDS_LEAST ? SECONDS_LEAST : share;
}

static void run_all(double minutes)
{
	double deadline = now() + minutes * 60, wanted = settings.seconds;

	for (unsigned k = 0; k < row_count; k += pass_rows(k)) {
		if (!pass_wanted(k))
			continue;
		if (minutes > 0)
			settings.seconds = seconds_for(k, deadline, wanted);
		run_pass(k);
	}
}

static void find_targets(char *list)
{
	for (char *spec = strtok(list, ","); spec && target_count < TARGETS_MAX;
		spec = strtok(NULL, ","))
		if (target_find(&targets[target_count], spec, settings.work_dir))
			target_count++;
}

static void usage(int status)
{
	fprintf(status ? stderr : stdout,
		"usage: uext4-bench [-t TARGET,...] [-r PATTERN]... [-n ROUNDS] [-s SECONDS] [-d "
		"DIR]\n"
		"                   [-m FILE_MIB] [--minutes N] [--full] [--json] [--list] [-v]\n"
		"  -t        on these targets, as far as a row makes sense on them; else the short "
		"set\n"
		"            takes for each row those that it is compared with\n"
		"  -r        rows whose names match, as a shell does it; else the short set\n"
		"  -s        seconds of a measurement (0.3; 0.5 with --full)\n"
		"  --minutes for all: measurements become shorter, the rounds stay (the short set: "
		"4)\n"
		"  --full    all rows on all targets, with more and bigger files\n"
		"  -v        tells how long each row took\n"
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

struct arguments {
	char *targets, *dir;
	double minutes;
	bool json;
};

static void take_option(struct arguments *a, int c)
{
	switch (c) {
	case 't':
		a->targets = optarg;
		all_targets = true;
		break;
	case 'r':
		if (pattern_count == PATTERNS_MAX)
			usage(2);
		patterns[pattern_count++] = optarg;
		break;
	case 'n':
		settings.rounds = (unsigned)atoi(optarg);
		break;
	case 's':
		settings.seconds = atof(optarg);
		break;
	case 'd':
		a->dir = optarg;
		break;
	case 'm':
		settings.file_bytes = (u64)atoll(optarg) * MIB;
		break;
	case 'M':
		a->minutes = atof(optarg);
		break;
	case 'F':
		settings.full = all_targets = true;
		break;
	case 'j':
		a->json = true;
		break;
	case 'v':
		verbose = true;
		break;
	case 'l':
		list_rows();
		break;
	default:
		usage(c == 'h' ? 0 : 2);
	}
}

static void stop(int signo)
{
	stopped = signo;
}

/* At exit; after an error or a signal mounts and images are still there. */
static void clean_up(void)
{
	run_command("awk -v d='%s/' 'index($2, d) == 1 { print $2 }' /proc/mounts | tac | "
		    "xargs -r -n 1 umount -l; rm -rf --one-file-system '%s'",
		settings.work_dir, settings.work_dir);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"full", no_argument, NULL, 'F'},
		{"json", no_argument, NULL, 'j'}, {"list", no_argument, NULL, 'l'},
		{"minutes", required_argument, NULL, 'M'}, {"help", no_argument, NULL, 'h'}, {0}};
	static char all[] = "raw,uext4,fuse-ceiling,uext4-fuse,kernel,kernel-dio,fuse2fs";
	static char work[256];
	struct arguments a = {.targets = all, .dir = "/var/tmp", .minutes = -1};
	int c;

	while ((c = getopt_long(argc, argv, "t:r:n:s:d:m:vh", options, NULL)) != -1)
		take_option(&a, c);
	if (settings.seconds <= 0)
		settings.seconds = settings.full ? 0.5 : 0.3;
	if (a.minutes < 0)
		a.minutes = settings.full || pattern_count ? 0 : 4;
	if (settings.rounds < 1 || settings.rounds > ROUNDS_MAX || settings.file_bytes < MIB)
		usage(2);
	snprintf(work, sizeof(work), "%s/uext4-bench-XXXXXX", a.dir);
	settings.work_dir = mkdtemp(work);
	if (!settings.work_dir)
		die("bench", work, errno);
	find_targets(a.targets);
	if (!target_count) {
		rmdir(settings.work_dir);
		return 2;
	}
	atexit(clean_up);
	signal(SIGINT, stop);
	signal(SIGTERM, stop);
	report_begin(a.json, a.minutes);
	run_all(a.minutes);
	report_end();
	while (target_count)
		target_close(&targets[--target_count]);
	return 0;
}
