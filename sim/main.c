/* uext4-sim: workloads under the simulator; see usage() and docs/SIMULATION.md. */
#include "base/mutant.h"
#include "sim/load/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct request {
	const struct load *load;
	struct load_config config;
	u64 first, count;
	double seconds;
	bool stats;
};

static const struct load *const loads[] = {&load_ace, &load_random, &load_churn, &load_fail};

static void usage(FILE *to)
{
	fputs("usage: uext4-sim ace|random|churn|fail [OPTION=VALUE]...\n"
	      "  seed=N       chooses schedules and crash states (1)\n"
	      "  first=N      number of the first run (0)\n"
	      "  count=N      how many runs; 0: all there are (0)\n"
	      "  seconds=N    stop after so long; 0: no limit (0)\n"
	      "  length=N     ace: steps of a sequence (2)\n"
	      "  states=N     crash states per run, about; 0: all (60)\n"
	      "  deeper=N     one state of N loses power again in recovery; 0: none (20)\n"
	      "  inspect=N    one state of N is checked before its recovery, too; 0: none (4)\n"
	      "  state=NAME   only this crash state\n"
	      "  verbose=1    list all calls\n"
	      "  mutant=NAME  with that planted bug\n"
	      "  lie=1        with an oracle that believes something wrong\n"
	      "  export=DIR   every=N   every Nth state goes to a file in DIR\n"
	      "Stops at the first failure with the command that repeats it.\n",
		to);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#define MUTANT_NAME(name, rule, what) [MUTANT_##name] = #name,
static const char *const mutant_names[MUTANT_COUNT] = {MUTANT_LIST(MUTANT_NAME)};

static bool mutant_choose(const char *name)
{
	for (unsigned k = 1; k < MUTANT_COUNT; k++)
		if (strcmp(mutant_names[k], name) == 0)
			mutant_active = (enum mutant)k;
	return mutant_active != MUTANT_NONE;
}

static bool option(struct request *r, const char *arg)
{
	const char *value = strchr(arg, '=');
	size_t len = value ? (size_t)(value - arg) : 0;
	struct {
		const char *name;
		u64 *to;
	} numbers[] = {{"seed", &r->config.seed}, {"first", &r->first}, {"count", &r->count},
		{"states", &r->config.states}, {"deeper", &r->config.deeper_every},
		{"inspect", &r->config.inspect_every}, {"every", &r->config.export_every}};
	char *end;

	if (!value)
		return false;
	value++;
	for (unsigned k = 0; k < array_len(numbers); k++)
		if (strlen(numbers[k].name) == len && strncmp(arg, numbers[k].name, len) == 0) {
			*numbers[k].to = strtoull(value, &end, 10);
			return *value && !*end;
		}
	if (strncmp(arg, "seconds=", 8) == 0)
		r->seconds = strtod(value, NULL);
	else if (strncmp(arg, "length=", 7) == 0)
		r->config.length = (unsigned)atoi(value);
	else if (strncmp(arg, "mutant=", 7) == 0)
		return mutant_choose(value);
	else if (strcmp(arg, "lie=1") == 0)
		r->config.lie = true;
	else if (strcmp(arg, "verbose=1") == 0)
		r->config.verbose = true;
	else if (strncmp(arg, "state=", 6) == 0)
		r->config.state = value;
	else if (strncmp(arg, "export=", 7) == 0)
		r->config.export_dir = value;
	else
		return false;
	return true;
}

static bool parse(struct request *r, int argc, char **argv)
{
	*r = (struct request){.config = {.seed = 1,
				      .states = 60,
				      .deeper_every = 20,
				      .inspect_every = 4,
				      .length = 2}};
	for (unsigned k = 0; argc > 1 && k < array_len(loads); k++)
		if (strcmp(argv[1], loads[k]->name) == 0)
			r->load = loads[k];
	for (int k = 2; r->load && k < argc; k++)
		if (!option(r, argv[k])) {
			fprintf(stderr, "uext4-sim: what is \"%s\"?\n", argv[k]);
			return false;
		}
	return r->load && r->config.length >= 1 && r->config.length <= 4;
}

static void print_stats(const struct load_stats *s, double seconds)
{
	char text[400];

	explore_print(&s->explored, text, sizeof(text));
	printf("%llu runs, %llu steps of the scheduler, %llu switches, %.1f s\n%s\n",
		(unsigned long long)s->runs, (unsigned long long)s->steps,
		(unsigned long long)s->preemptions, seconds, text);
}

static void print_failure(const struct request *r, u64 number, const struct load_failure *f)
{
	char what[600];

	r->load->describe(&r->config, number, what, sizeof(what));
	printf("FAILED: %s %llu (%s)\n%s\nrepeat it: uext4-sim %s seed=%llu first=%llu count=1",
		r->load->name, (unsigned long long)number, what, f->text, r->load->name,
		(unsigned long long)r->config.seed, (unsigned long long)number);
	if (r->load == &load_ace)
		printf(" length=%u", r->config.length);
	if (mutant_active)
		printf(" mutant=%s", mutant_names[mutant_active]);
	printf(" states=%llu deeper=%llu inspect=%llu%s%s%s\n",
		(unsigned long long)r->config.states, (unsigned long long)r->config.deeper_every,
		(unsigned long long)r->config.inspect_every, r->config.lie ? " lie=1" : "",
		f->state[0] ? " state=" : "", f->state);
}

int main(int argc, char **argv)
{
	static struct load_failure failure;
	struct load_stats stats = {0};
	struct request r;
	double begin = now();
	u64 number, end;

	if (!parse(&r, argc, argv)) {
		usage(stderr);
		return 2;
	}
	end = r.load->count(&r.config);
	if (r.count && r.count < end - r.first)
		end = r.first + r.count;
	for (number = r.first; number < end; number++) {
		if (r.seconds > 0 && now() - begin > r.seconds)
			break;
		if (!r.load->run(&r.config, number, &stats, &failure)) {
			print_failure(&r, number, &failure);
			print_stats(&stats, now() - begin);
			fflush(stdout);
			_Exit(1); /* the threads of the run still stand where they were */
		}
	}
	printf("%s: runs %llu to %llu of seed %llu are good\n", r.load->name,
		(unsigned long long)r.first, (unsigned long long)number - 1,
		(unsigned long long)r.config.seed);
	print_stats(&stats, now() - begin);
	return 0;
}
