/* The crash explorer, on a toy: two sectors that must change together, and a log of one sector. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka needs the headers above before it */
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/util.h"
#include "sim/explore/explore.h"

enum { LEFT, RIGHT, LOG, SECTORS = 16, ROUNDS = 4 };

struct toy {
	bool no_flush_after_log, no_flush_after_home, recovery_clears_first;
	struct sim_pages blank;
	struct sim_disk *disk;
	size_t acknowledged[ROUNDS + 1], begun[ROUNDS + 1]; /* positions */
	unsigned recoveries, inspected, torn;
	bool squeamish; /* about what is torn before it is recovered */
};

static void put(struct dev *dev, unsigned sector, unsigned value)
{
	u8 buf[SIM_SECTOR];

	memset(buf, (int)value, sizeof(buf));
	assert_int_equal(dev_write(dev, sector * SIM_SECTOR, buf, sizeof(buf), 0), 0);
}

static unsigned get(struct dev *dev, unsigned sector)
{
	u8 buf[SIM_SECTOR];

	assert_int_equal(dev_read(dev, sector * SIM_SECTOR, buf, sizeof(buf)), 0);
	return buf[0];
}

static void flush(struct dev *dev, bool really)
{
	if (really)
		assert_int_equal(dev_flush(dev), 0);
}

static void write_home(const struct toy *t, struct dev *dev, unsigned value)
{
	put(dev, LEFT, value);
	put(dev, RIGHT, value);
	flush(dev, !t->no_flush_after_home);
	put(dev, LOG, 0);
}

static void run_toy(struct toy *t, struct sim_disk_params params)
{
	struct dev *dev;
	u8 zero[SECTORS * SIM_SECTOR] = {0};

	params.record = true;
	sim_pages_init(&t->blank, sizeof(zero));
	sim_pages_write(&t->blank, 0, zero, sizeof(zero));
	t->disk = sim_disk_create(&t->blank, &params);
	dev = sim_disk_dev(t->disk);
	for (unsigned value = 1; value <= ROUNDS; value++) {
		t->begun[value] = sim_disk_position(t->disk);
		put(dev, LOG, value);
		flush(dev, !t->no_flush_after_log);
		t->acknowledged[value] = sim_disk_position(t->disk);
		write_home(t, dev, value);
	}
	flush(dev, true);
	dev_close(dev);
}

static void end_toy(struct toy *t)
{
	sim_disk_destroy(t->disk);
	sim_pages_fini(&t->blank);
}

static int recover_toy(void *arg, struct sim_disk *disk, struct explore_state *s)
{
	struct toy *t = arg;
	struct dev *dev = sim_disk_dev(disk);
	unsigned value = get(dev, LOG);

	t->recoveries++;
	if (value && t->recovery_clears_first)
		put(dev, LOG, 0);
	if (value) {
		flush(dev, t->recovery_clears_first);
		write_home(t, dev, value);
	}
	dev_close(dev);
	return 0;
}

static int check_toy(void *arg, struct sim_disk *disk, struct explore_state *s)
{
	const struct toy *t = arg;
	struct dev *dev = sim_disk_dev(disk);
	unsigned left = get(dev, LEFT), right = get(dev, RIGHT);

	dev_close(dev);
	if (left != right)
		snprintf(s->why, sizeof(s->why), "%u and %u", left, right);
	else if (left < ROUNDS && s->position >= t->acknowledged[left + 1])
		snprintf(s->why, sizeof(s->why), "%u is lost", left + 1);
	else if (left && s->position < t->begun[left])
		snprintf(s->why, sizeof(s->why), "%u came too early", left);
	return s->why[0] ? -EUCLEAN : 0;
}

/* The cut tore something exactly where recovery had to mend it. */
static int inspect_toy(void *arg, struct sim_disk *disk, struct explore_state *s)
{
	struct toy *t = arg;
	struct dev *dev = sim_disk_dev(disk);

	t->inspected++;
	t->torn += get(dev, LEFT) != get(dev, RIGHT);
	dev_close(dev);
	if (t->squeamish && t->torn)
		snprintf(s->why, sizeof(s->why), "torn");
	return s->why[0] ? -EUCLEAN : 0;
}

static u64 promise_toy(void *arg, size_t position)
{
	const struct toy *t = arg;
	u64 promise = 0;

	for (unsigned value = 1; value <= ROUNDS; value++)
		promise += (position >= t->begun[value]) + (position >= t->acknowledged[value]);
	return promise;
}

static const struct explore_ops toy_ops = {
	.inspect = inspect_toy, .recover = recover_toy, .check = check_toy, .promise = promise_toy};

static struct explore_config config_for(struct toy *t)
{
	return (struct explore_config){.ops = &toy_ops, .arg = t, .deeper_every = 1};
}

/* Runs it all; on failure the name must lead to the same failure again. */
static int explore_toy(struct toy *t, struct sim_disk_params params, struct explore_config *config,
	struct explore_stats *stats)
{
	struct explore_state failed = {0}, again = {0};
	const struct sim_history *h;
	int err;

	run_toy(t, params);
	h = sim_disk_history(t->disk);
	config->disk = params;
	err = explore(h, config, stats, &failed);
	if (err) {
		assert_int_equal(explore_replay(h, config, failed.name, &again, NULL), err);
		assert_string_equal(again.why, failed.why);
		assert_string_equal(again.name, failed.name);
		assert_true(again.hash == failed.hash);
		print_message("%s: %s\n", failed.name, failed.why);
	}
	return err;
}

static void sound_journal_passes(void **state)
{
	struct toy t = {0};
	struct explore_config config = config_for(&t);
	struct explore_stats stats = {0};

	assert_int_equal(explore_toy(&t, (struct sim_disk_params){0}, &config, &stats), 0);
	assert_int_equal(stats.checked, stats.distinct);
	assert_true(stats.generated > stats.distinct);
	assert_true(stats.by_depth[0] && stats.by_depth[1] && stats.by_depth[2]);
	assert_int_equal(stats.by_depth[0] + stats.by_depth[1] + stats.by_depth[2], stats.checked);
	assert_int_equal(t.recoveries, stats.checked);
	end_toy(&t);
}

/* What the cut left is shown before recovery changes it; its failure has a name, too. */
static void cut_is_inspected(void **state)
{
	struct toy t = {0};
	struct explore_config config = config_for(&t);
	struct explore_stats stats = {0};

	config.inspect_every = 1;
	assert_int_equal(explore_toy(&t, (struct sim_disk_params){0}, &config, &stats), 0);
	assert_int_equal(stats.inspected, stats.checked);
	assert_int_equal(t.inspected, stats.checked);
	assert_true(t.torn > 0);
	end_toy(&t);
	t = (struct toy){.squeamish = true};
	assert_int_equal(explore_toy(&t, (struct sim_disk_params){0}, &config, &stats), -EUCLEAN);
	end_toy(&t);
}

static void lying_disk_is_caught(void **state)
{
	struct toy t = {0};
	struct explore_config config = config_for(&t);
	struct explore_stats stats = {0};

	assert_int_equal(
		explore_toy(&t, (struct sim_disk_params){.lies_on_flush = true}, &config, &stats),
		-EUCLEAN);
	end_toy(&t);
}

static void missing_flush_is_caught(void **state)
{
	struct toy log = {.no_flush_after_log = true}, home = {.no_flush_after_home = true};
	struct explore_config config = config_for(&log);
	struct explore_stats stats = {0};

	assert_int_equal(explore_toy(&log, (struct sim_disk_params){0}, &config, &stats), -EUCLEAN);
	end_toy(&log);
	config = config_for(&home);
	assert_int_equal(
		explore_toy(&home, (struct sim_disk_params){0}, &config, &stats), -EUCLEAN);
	end_toy(&home);
}

/* A recovery that forgets the log too early fails only when the power goes during recovery. */
static void second_cut_is_needed(void **state)
{
	struct toy t = {.recovery_clears_first = true};
	struct explore_config config = config_for(&t);
	struct explore_stats stats = {0};

	config.depth = 1;
	assert_int_equal(explore_toy(&t, (struct sim_disk_params){0}, &config, &stats), 0);
	end_toy(&t);
	config = config_for(&t);
	assert_int_equal(explore_toy(&t, (struct sim_disk_params){0}, &config, &stats), -EUCLEAN);
	end_toy(&t);
}

static void budget_bounds_the_states(void **state)
{
	struct toy t = {0};
	struct explore_config config = config_for(&t);
	struct explore_stats all = {0}, some = {0};
	char text[300];

	config.deeper_every = 0;
	assert_int_equal(explore_toy(&t, (struct sim_disk_params){0}, &config, &all), 0);
	end_toy(&t);
	config.budget = all.checked / 2;
	assert_int_equal(explore_toy(&t, (struct sim_disk_params){0}, &config, &some), 0);
	end_toy(&t);
	assert_true(some.checked <= config.budget && some.checked >= config.budget / 2);
	explore_print(&some, text, sizeof(text));
	assert_non_null(strstr(text, "distinct"));
}

static void unknown_names_are_refused(void **state)
{
	static const char *const bad[] = {"", "x", "1", "1.0", "1.0.", "99999.0.0", "1.9.0",
		"1.0.99999", "1.0.0x", "1.0.0/", "1.0.0/99999.0.0", "1.0.0/0.0.0/0.0.0/0.0.0"};
	struct toy t = {0};
	struct explore_config config = config_for(&t);
	struct explore_state s;

	run_toy(&t, (struct sim_disk_params){0});
	for (unsigned i = 0; i < array_len(bad); i++)
		assert_int_equal(
			explore_replay(sim_disk_history(t.disk), &config, bad[i], &s, NULL),
			-EINVAL);
	end_toy(&t);
}

/* Files: what was on the medium, and what recovery made of it. */
static void every_kth_state_is_exported(void **state)
{
	char dir[] = "/tmp/uext4-explore-XXXXXX", path[400];
	struct toy t = {0};
	struct explore_config config = config_for(&t);
	struct explore_stats stats = {0};
	unsigned files = 0;
	struct dirent *e;
	DIR *d;

	assert_non_null(mkdtemp(dir));
	config.export_every = 5;
	config.export_dir = dir;
	assert_int_equal(explore_toy(&t, (struct sim_disk_params){0}, &config, &stats), 0);
	d = opendir(dir);
	assert_non_null(d);
	while ((e = readdir(d))) {
		struct explore_state s;
		struct sim_pages image, again;
		char name[256], *p;
		u8 a[SECTORS * SIM_SECTOR], b[SECTORS * SIM_SECTOR];

		if (e->d_name[0] == '.')
			continue;
		files++;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		snprintf(name, sizeof(name), "%s", e->d_name);
		assert_int_equal(sim_pages_load(&image, path), 0);
		p = strstr(name, ".crash");
		if (p) {
			*p = 0;
			for (p = name; *p; p++)
				*p = *p == '+' ? '/' : *p;
			assert_int_equal(
				explore_replay(sim_disk_history(t.disk), &config, name, &s, &again),
				0);
			sim_pages_read(&image, 0, a, sizeof(a));
			sim_pages_read(&again, 0, b, sizeof(b));
			assert_memory_equal(a, b, sizeof(a));
			sim_pages_fini(&again);
		}
		sim_pages_fini(&image);
		assert_int_equal(unlink(path), 0);
	}
	closedir(d);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(files, stats.exported);
	assert_int_equal(stats.exported, 2 * ((stats.checked + 4) / 5));
	end_toy(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound_journal_passes),
		cmocka_unit_test(cut_is_inspected),
		cmocka_unit_test(lying_disk_is_caught),
		cmocka_unit_test(missing_flush_is_caught),
		cmocka_unit_test(second_cut_is_needed),
		cmocka_unit_test(budget_bounds_the_states),
		cmocka_unit_test(unknown_names_are_refused),
		cmocka_unit_test(every_kth_state_is_exported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
