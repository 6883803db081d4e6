#include "sim/explore/recover.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <uext4.h>

#include "api/open_dev.h"
#include "check/check.h"

enum { SUPER_OFFSET = 1024, SUPER_BYTES = 1024 };

struct recovery {
	const struct explore_fs *fs;
	struct sim_disk *disk;
	struct explore_state *state;
	int err;
};

/* The first complaint is the one that counts. */
static int complain(struct explore_state *s, int err, const char *what, const char *text)
{
	if (!s->why[0])
		snprintf(s->why, sizeof(s->why), "%s: %.900s", what, text);
	return err ? err : -EUCLEAN;
}

static void note_error(void *arg, enum uext4_log_level level, const char *message)
{
	struct recovery *r = arg;

	if (level == UEXT4_LOG_ERROR)
		r->err = complain(r->state, -EUCLEAN, "message", message);
}

static void recovery_run(void *arg)
{
	struct recovery *r = arg;
	struct uext4_options opt = {.size = sizeof(opt), .log = note_error, .log_arg = r};
	struct uext4_fs *fs;
	struct dev *dev = sim_disk_dev(r->disk);
	int err;

	err = dev ? api_open_dev(dev, &opt, &fs) : -ENOMEM;
	if (err) {
		r->err = complain(r->state, err, "mount", strerror(-err));
		return;
	}
	if (!r->err && r->fs->look)
		r->err = r->fs->look(r->fs->arg, fs, r->state);
	err = uext4_close(fs);
	if (err)
		r->err = complain(r->state, err, "unmount", strerror(-err));
}

static int recover(void *arg, struct sim_disk *disk, struct explore_state *state)
{
	struct recovery r = {.fs = arg, .disk = disk, .state = state};
	struct sim_config schedule = r.fs->schedule;
	static struct sim_report report;
	int err;

	if (!schedule.seed && !schedule.strategy)
		schedule.strategy = SIM_REPLAY;
	schedule.quiet = true;
	err = sim_run(&schedule, recovery_run, &r, &report);
	if (err)
		r.err = complain(state, err, sim_outcome_name(report.outcome), report.text);
	sim_report_fini(&report);
	return r.err;
}

struct checking {
	struct sim_disk *disk;
	struct explore_state *state;
	int err;
};

static void note_problem(void *arg, const struct check_problem *p)
{
	struct checking *c = arg;
	char text[300];

	if (p->note)
		return;
	snprintf(text, sizeof(text), "%s: inode %llu, block %llu: %s", check_kind_name(p->kind),
		(unsigned long long)p->ino, (unsigned long long)p->pblk, p->text);
	c->err = complain(c->state, -EUCLEAN, "check", text);
}

static int check_disk(
	struct sim_disk *disk, struct explore_state *state, struct check_result *result)
{
	struct checking c = {.disk = disk, .state = state};
	struct check_options opt = {.problem = note_problem, .arg = &c, .threads = 1};
	struct dev *dev = sim_disk_dev(disk);
	int err = dev ? check_device(dev, &opt, result) : -ENOMEM;

	dev_close(dev);
	if (err)
		c.err = complain(state, err, "check", strerror(-err));
	return c.err;
}

/* The checker replays the log in memory, and must find nothing that recovery would not mend. */
static int inspect(void *arg, struct sim_disk *disk, struct explore_state *state)
{
	const struct explore_fs *fs = arg;
	struct check_result result;
	int err = fs->no_check ? 0 : check_disk(disk, state, &result);

	if (err)
		return err;
	if (!fs->no_check && result.incomplete)
		return complain(state, -EUCLEAN, "check", "not all could be read");
	return 0;
}

static int check(void *arg, struct sim_disk *disk, struct explore_state *state)
{
	const struct explore_fs *fs = arg;
	struct check_result result;
	int err = fs->no_check ? 0 : check_disk(disk, state, &result);

	if (err || fs->no_check)
		return err;
	if (result.unclean || result.replayed || result.orphans || result.incomplete)
		return complain(state, -EUCLEAN, "check", "the recovery did not end clean");
	return 0;
}

static u64 promise(void *arg, size_t position)
{
	const struct explore_fs *fs = arg;

	return fs->promise ? fs->promise(fs->arg, position) : 0;
}

const struct explore_ops explore_fs_ops = {
	.inspect = inspect, .recover = recover, .check = check, .promise = promise};

struct sim_states_params explore_fs_states(u64 seed)
{
	return (struct sim_states_params){
		.seed = seed, .whole_offset = SUPER_OFFSET, .whole_bytes = SUPER_BYTES};
}
