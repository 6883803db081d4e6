/*
 * Count to failure: each step again and again, while first the 1st, then the 2nd,
 * ... allocation or request of the device fails, until none is left to fail. Whatever
 * the call answers, the file system must show what the answers allow, now and after a
 * cut, and be in order.
 */
#include "sim/load/load.h"
#include "sim/load/small.h"

#include "base/trace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum fail_kind { FAIL_MEMORY, FAIL_READ, FAIL_WRITE, FAIL_FLUSH, FAIL_KINDS };
enum { NTH_MAX = 2000 };

static const char *const kind_names[FAIL_KINDS] = {"memory", "read", "write", "flush"};

struct trial {
	const struct step *step;
	enum fail_kind kind;
	bool for_ever; /* not only the nth, but all from then on */
	u64 nth, hits;
	struct load_run *run;
};

static struct {
	bool armed, for_ever;
	u64 left, hits;
} memory;

static bool memory_fails(const char *name)
{
	if (!memory.armed || strcmp(name, "os_alloc") != 0)
		return false;
	if (memory.left && --memory.left)
		return false;
	if (!memory.for_ever && memory.hits)
		return false;
	memory.hits++;
	return true;
}

static void arm(struct world *w, const struct trial *t)
{
	static const unsigned ops[FAIL_KINDS] = {[FAIL_READ] = 1 << DEV_READ,
		[FAIL_WRITE] = 1 << DEV_WRITE | 1 << DEV_WRITE_ZEROES,
		[FAIL_FLUSH] = 1 << DEV_FLUSH};
	struct dev_fault_rule rule = {.ops = ops[t->kind],
		.after = t->nth - 1,
		.count = t->for_ever ? 0 : 1,
		.error = EIO};

	memory.for_ever = t->for_ever;
	memory.left = t->nth;
	memory.hits = 0;
	memory.armed = t->kind == FAIL_MEMORY;
	if (t->kind != FAIL_MEMORY && dev_fault_add(w->fault, &rule))
		world_fail(w, "a fault rule", -ENOMEM);
}

static void disarm(struct world *w, struct trial *t)
{
	memory.armed = false;
	dev_fault_clear(w->fault); /* first: background threads go on */
	t->hits = t->kind == FAIL_MEMORY ? memory.hits : dev_fault_hits(w->fault);
}

/*
 * The device's failures end in an aborted file system, and those of memory may: where
 * half of a change can't be taken back, the transaction is given up.
 */
static bool gave_up(struct world *w, const struct trial *t)
{
	if (t->kind != FAIL_MEMORY)
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
	arm(w, t);
	player_step(&p, t->step);
	disarm(w, t);
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
	return (u64)small_choice_count * FAIL_KINDS * 2;
}

static void trial_make(struct trial *t, u64 number)
{
	*t = (struct trial){.step = &small_choices[number / (2 * FAIL_KINDS)],
		.kind = (enum fail_kind)(number / 2 % FAIL_KINDS),
		.for_ever = number % 2};
}

static void fail_describe(const struct load_config *c, u64 number, char *out, size_t size)
{
	struct trial t;
	char step[200];

	trial_make(&t, number);
	step_print(t.step, step, sizeof(step));
	snprintf(out, size, "%s; %s fails %s", step, kind_names[t.kind],
		t.for_ever ? "from then on" : "once");
}

static bool fail_run(const struct load_config *c, u64 number, struct load_stats *stats,
	struct load_failure *failure)
{
	struct trial t;
	struct load_run run = small_run(c, number, fail_body, &t);

	fault_hook = memory_fails;
	trial_make(&t, number);
	t.run = &run;
	for (t.nth = 1; t.nth < NTH_MAX; t.nth++) {
		size_t n;

		if (!load_run(&run, stats, failure)) {
			n = strlen(failure->text);
			snprintf(failure->text + n, sizeof(failure->text) - n,
				" (failure number %llu)", (unsigned long long)t.nth);
			return false;
		}
		if (!t.hits)
			return true;
	}
	snprintf(failure->text, sizeof(failure->text), "there is no end of failures");
	return false;
}

const struct load load_fail = {"fail", fail_count, fail_run, fail_describe};
