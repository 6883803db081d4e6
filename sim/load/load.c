/* One run: the schedule, then its crash states. */
#include "sim/load/load.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct play {
	struct load_run *run;
	struct world world;
};

static void play_body(void *arg)
{
	struct play *p = arg;

	p->run->body(&p->world, p->run->arg);
}

static bool explore_run(struct play *p, struct load_stats *stats, struct load_failure *failure)
{
	const struct load_config *c = p->run->config;
	struct explore_fs look = {.look = world_look,
		.promise = world_promise,
		.arg = &p->world,
		.no_check = p->world.has_errors};
	struct explore_state failed = {0};
	char dir[400];
	struct explore_config config = {
		.ops = &explore_fs_ops,
		.arg = &look,
		/* Without a journal only what an unmount has left is in order. */
		.from = p->run->base->lossy ? sim_disk_history(p->world.disk)->count
					    : p->run->explore_from,
		.base_hash = 1,
		.budget = c->states,
		/* What a failure kept from being deleted is left to the next mount. */
		.inspect_every = p->world.with_faults ? 0 : c->inspect_every,
		.deeper_every = p->run->base->lossy ? 0 : c->deeper_every,
		.deeper_budget = 4,
		.states = explore_fs_states(p->run->seed),
		.export_every = c->export_every,
		.export_dir = dir,
	};
	const struct sim_history *history = sim_disk_history(p->world.disk);
	int err;

	snprintf(dir, sizeof(dir), "%s/%llu", c->export_dir ? c->export_dir : ".",
		(unsigned long long)p->run->seed);
	if (c->export_every)
		mkdir(dir, 0755);
	err = c->state ? explore_replay(history, &config, c->state, &failed, NULL)
		       : explore(history, &config, &stats->explored, &failed);

	if (!err)
		return true;
	snprintf(failure->state, sizeof(failure->state), "%s", failed.name);
	snprintf(failure->text, sizeof(failure->text), "crash state %s of %zu events: %s",
		failed.name, history->count, failed.why);
	return false;
}

bool load_run(struct load_run *r, struct load_stats *stats, struct load_failure *failure)
{
	struct sim_config config = {.seed = r->seed, .strategy = r->strategy, .quiet = true};
	struct play p = {.run = r};
	static struct sim_report report;
	bool ok;

	world_create(&p.world, r->base, sim_choose);
	ok = sim_run(&config, play_body, &p, &report) == 0;
	if (r->config->lie)
		oracle_lie(p.world.oracle);
	if (r->config->verbose)
		oracle_print(p.world.oracle);
	stats->runs++;
	stats->steps += report.steps;
	stats->preemptions += report.switches;
	if (!ok) {
		snprintf(failure->text, sizeof(failure->text), "%s after %llu steps: %s",
			sim_outcome_name(report.outcome), (unsigned long long)report.steps,
			report.text);
		sim_report_fini(&report);
		return false; /* the threads of the run still stand in the world */
	}
	sim_report_fini(&report);
	ok = explore_run(&p, stats, failure);
	world_destroy(&p.world);
	return ok;
}
