/* Bases, mounts, and the judgement of a recovered state. */
#include "sim/load/world.h"

#include "api/open_dev.h"
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void note(void *arg, enum uext4_log_level level, const char *message)
{
	struct world *w = arg;

	if (getenv("UEXT4_SIM_LOG"))
		fprintf(stderr, "log %d: %s\n", level, message);
	if (level == UEXT4_LOG_ERROR && !w->error[0])
		snprintf(w->error, sizeof(w->error), "%s", message);
}

void world_fail(struct world *w, const char *what, s64 err)
{
	char text[WHY_SIZE + 600];

	snprintf(text, sizeof(text), "%s%s%s %s %s", what ? what : "", err ? ": " : "",
		err ? strerror((int)-err) : "", w->oracle ? w->oracle->why : "", w->error);
	if (sim_running())
		sim_fail("%s", text);
	fprintf(stderr, "uext4-sim: %s: %s\n", w->base->name, text);
	exit(2);
}

static int mount_on(struct world *w, struct dev *dev)
{
	struct uext4_options opt = {.size = sizeof(opt),
		.commit_interval_ms = 50,
		.cache_bytes = w->base->cache_kib ? w->base->cache_kib << 10 : 4 << 20,
		/* Else a write error of new data shows what was there before, as in Linux. */
		.data_err_abort = w->with_faults,
		.discard = w->base->discard,
		.log = note,
		.log_arg = w};

	return api_open_dev(dev, &opt, &w->fs);
}

static u64 position_of(void *arg)
{
	return sim_disk_position(((struct world *)arg)->disk);
}

void world_create(struct world *w, const struct base *b, u32 (*choose)(u32))
{
	struct sim_disk_params params = {.record = true, .choose = choose};

	*w = (struct world){.base = b};
	for (unsigned k = 0; k < array_len(w->shifting); k++)
		os_mutex_init(&w->shifting[k], RANK_NONE, "shifting");
	w->disk = sim_disk_create(&b->image, &params);
	if (!b->oracle)
		return;
	w->oracle = oracle_copy(b->oracle);
	oracle_position(w->oracle, position_of, w);
}

void world_destroy(struct world *w)
{
	sim_disk_destroy(w->disk);
	oracle_destroy(w->oracle);
	*w = (struct world){0};
}

void world_mount(struct world *w)
{
	struct dev *dev = sim_disk_dev(w->disk);
	int err = 0;

	if (w->with_faults) {
		err = dev_fault_create(dev, false, &w->fault);
		dev = w->fault;
	}
	if (!err)
		err = mount_on(w, dev);
	if (err)
		world_fail(w, "mount", err);
}

void world_unmount(struct world *w)
{
	int err = uext4_close(w->fs);

	if (err || w->error[0])
		world_fail(w, "unmount", err);
}

void world_abandon(struct world *w)
{
	int err = uext4_close(w->fs);

	if (err == -EBUSY)
		world_fail(w, "unmount", err);
}

void world_settle(struct world *w)
{
	if (!oracle_settle(w->oracle, w->fs))
		world_fail(w, NULL, 0);
}

/* It must still work. */
static int try_it(struct uext4_fs *fs)
{
	struct uext4_file *f;
	static const char data[3000] = "x";
	ssize_t n;
	int err = uext4_openat(fs, NULL, "after", O_RDWR | O_CREAT, 0644, NULL, &f);

	if (err)
		return err == -ENOSPC ? 0 : err;
	n = uext4_pwrite(f, data, sizeof(data), 0);
	err = n < 0 && n != -ENOSPC ? (int)n : uext4_fsync(f);
	uext4_file_close(f);
	return err ? err : uext4_unlinkat(fs, NULL, "after", 0, NULL);
}

int world_look(void *arg, struct uext4_fs *fs, struct explore_state *state)
{
	struct world *w = arg;
	int err;

	if (!oracle_crash(w->oracle, fs, state->position)) {
		snprintf(state->why, sizeof(state->why), "%s", w->oracle->why);
		return -EUCLEAN;
	}
	err = try_it(fs);
	if (err)
		snprintf(state->why, sizeof(state->why), "use after recovery: %s", strerror(-err));
	return err;
}

u64 world_promise(void *arg, size_t position)
{
	return oracle_promise(((struct world *)arg)->oracle, position);
}
