/*
 * Count to failure: each step again and again, while first the 1st, then the 2nd,
 * ... allocation or request of the device fails, until none is left to fail. Whatever
 * the call answers, the file system must show what the answers allow, now and after a
 * cut, and be in order.
 */
#include "sim/disk/failing.h"
#include "sim/load/load.h"
#include "sim/load/small.h"

#include "base/trace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { KINDS = FAIL_DISCARD, NTH_MAX = 2000 }; /* none of these discards */

struct trial {
	const struct step *step;
	struct failing failing;
	u64 hits;
	struct load_run *run;
};

/*
 * The device's failures end in an aborted file system, and those of memory may: where
 * half of a change can't be taken back, the transaction is given up.
 */
static bool gave_up(struct world *w, const struct trial *t)
{
	if (t->failing.kind != FAIL_MEMORY)
		return t->hits > 0;
	if (w->error[0] && !strstr(w->error, "aborted by error 12"))
		world_fail(w, "an error without a reason", 0);
	return w->error[0];
}

static const struct step grow = {"truncate", "foo", NULL, 0, 9000, 0};

static void fail_body(struct world *w, void *arg)
{
	struct trial *t = arg;
	struct player p = {.world = w, .alone = true};

	w->with_faults = true;
	world_mount(w);
	if (failing_arm(&t->failing, w->fault))
		world_fail(w, "a fault rule", -ENOMEM);
	player_step(&p, t->step);
	t->hits = failing_disarm(&t->failing, w->fault);
	if (!gave_up(w, t)) {
		world_settle(w);
		player_step(&p, &grow); /* shows what a truncation has left */
		world_settle(w);
		player_end(&p);
		world_unmount(w);
	} else {
		if (!oracle_digest(w->oracle))
			world_fail(w, NULL, 0);
		player_end(&p);
		w->has_errors = true;
		world_abandon(w);
	}
	t->run->explore_from = sim_disk_position(w->disk);
}

static u64 fail_count(const struct load_config *c)
{
	return (u64)small_choice_count * KINDS * 2;
}

static void trial_make(struct trial *t, u64 number)
{
	*t = (struct trial){.step = &small_choices[number / (2 * KINDS)],
		.failing = {.kind = (enum fail_kind)(number / 2 % KINDS), .for_ever = number % 2}};
}

static void fail_describe(const struct load_config *c, u64 number, char *out, size_t size)
{
	struct trial t;
	char step[200];

	trial_make(&t, number);
	step_print(t.step, step, sizeof(step));
	snprintf(out, size, "%s; %s fails %s", step, fail_kind_names[t.failing.kind],
		t.failing.for_ever ? "from then on" : "once");
}

static bool fail_run(const struct load_config *c, u64 number, struct load_stats *stats,
	struct load_failure *failure)
{
	struct trial t;
	struct load_run run = small_run(c, number, fail_body, &t);

	fault_hook = failing_hook;
	trial_make(&t, number);
	t.run = &run;
	for (t.failing.nth = 1; t.failing.nth < NTH_MAX; t.failing.nth++) {
		size_t n;

		if (!load_run(&run, stats, failure)) {
			n = strlen(failure->text);
			snprintf(failure->text + n, sizeof(failure->text) - n,
				" (failure number %llu)", (unsigned long long)t.failing.nth);
			return false;
		}
		if (!t.hits)
			return true;
	}
	snprintf(failure->text, sizeof(failure->text), "there is no end of failures");
	return false;
}

const struct load load_fail = {"fail", fail_count, fail_run, fail_describe};
