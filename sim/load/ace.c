/*
 * Bounded-exhaustive workloads: every sequence of `length` steps from a short
 * list, on a small file system with a few files. (CrashMonkey's finding: most
 * crash bugs show on three operations.)
 */
#include "sim/load/load.h"
#include "sim/load/small.h"

#include <stdio.h>
#include <string.h>

enum { LENGTH_MAX = 4 };

struct sequence {
	const struct step *step[LENGTH_MAX];
	unsigned length;
	struct load_run *run;
};

static u64 ace_count(const struct load_config *c)
{
	u64 n = 1;

	for (unsigned k = 0; k < c->length; k++)
		n *= small_choice_count;
	return n;
}

static void sequence_make(struct sequence *s, const struct load_config *c, u64 number)
{
	*s = (struct sequence){.length = c->length};
	for (unsigned k = c->length; k-- > 0; number /= small_choice_count)
		s->step[k] = &small_choices[number % small_choice_count];
}

static void ace_describe(const struct load_config *c, u64 number, char *out, size_t size)
{
	struct sequence s;
	size_t n = 0;

	sequence_make(&s, c, number);
	for (unsigned k = 0; k < s.length && n + 80 < size; k++) {
		n += (size_t)snprintf(out + n, size - n, "%s", k ? "; " : "");
		step_print(s.step[k], out + n, size - n);
		n += strlen(out + n);
	}
}

static void ace_body(struct world *w, void *arg)
{
	struct sequence *s = arg;
	struct player p = {.world = w, .alone = true};

	world_mount(w);
	for (unsigned k = 0; k < s->length; k++) {
		if (k + 1 == s->length && k)
			s->run->explore_from = sim_disk_position(w->disk);
		player_step(&p, s->step[k]);
		world_settle(w);
	}
	player_end(&p);
	world_unmount(w);
}

static bool ace_run(const struct load_config *c, u64 number, struct load_stats *stats,
	struct load_failure *failure)
{
	struct sequence s;
	struct load_run run = small_run(c, number, ace_body, &s);

	sequence_make(&s, c, number);
	s.run = &run;
	return load_run(&run, stats, failure);
}

const struct load load_ace = {"ace", ace_count, ace_run, ace_describe};
