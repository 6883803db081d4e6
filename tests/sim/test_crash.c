/* uext4 on the simulated disk, cut at every position of a small workload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka needs the headers above before it */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <uext4.h>

#include "api/open_dev.h"
#include "sim/disk/mkfs.h"
#include "sim/explore/recover.h"

#define MKE2FS "-b 1024 -I 256 -N 64 -J size=1 -O ^resize_inode"
#define FILES 6
#define FILE_BYTES 3000

/* Each file: synced from one position on, and removed from another on, which is synced as well. */
struct promise_of {
	size_t begun, synced, removing, removed;
};

struct world {
	struct sim_pages image;
	struct sim_disk *disk;
	struct promise_of file[FILES];
	unsigned looks;
};

static struct world w;

#define NEED(call)                                                                                 \
	do {                                                                                       \
		long need_result = (call);                                                         \
		if (need_result < 0)                                                               \
			sim_fail("%s gave %ld", #call, need_result);                               \
	} while (0)

static void fill(char *data, unsigned file)
{
	memset(data, 'a' + (int)file, FILE_BYTES);
}

static void add_file(struct uext4_fs *fs, unsigned k)
{
	struct promise_of *p = &w.file[k];
	char name[16], data[FILE_BYTES];
	struct uext4_file *f;

	snprintf(name, sizeof(name), "file%u", k);
	fill(data, k);
	p->begun = sim_disk_position(w.disk);
	NEED(uext4_openat(fs, NULL, name, O_RDWR | O_CREAT, 0644, NULL, &f));
	NEED(uext4_pwrite(f, data, sizeof(data), 0));
	NEED(uext4_fsync(f));
	p->synced = sim_disk_position(w.disk);
	uext4_file_close(f);
}

static void remove_file(struct uext4_fs *fs, unsigned k)
{
	char name[16];

	snprintf(name, sizeof(name), "file%u", k);
	w.file[k].removing = sim_disk_position(w.disk);
	NEED(uext4_unlinkat(fs, NULL, name, 0, NULL));
	NEED(uext4_sync(fs));
	w.file[k].removed = sim_disk_position(w.disk);
}

static void work(void *arg)
{
	struct dev *dev = sim_disk_dev(w.disk);
	struct uext4_fs *fs;

	NEED(api_open_dev(dev, NULL, &fs));
	for (unsigned k = 0; k < FILES; k++) {
		add_file(fs, k);
		if (k % 2)
			remove_file(fs, k - 1);
	}
	NEED(uext4_close(fs));
}

/* What a file may be after a cut at a position. */
static int look_at_file(struct uext4_fs *fs, unsigned k, struct explore_state *s)
{
	const struct promise_of *p = &w.file[k];
	char name[16], data[FILE_BYTES + 1], expected[FILE_BYTES];
	struct sim_poison found;
	struct uext4_file *f;
	ssize_t n;
	int err;

	snprintf(name, sizeof(name), "file%u", k);
	err = uext4_openat(fs, NULL, name, O_RDONLY, 0, NULL, &f);
	if (err == -ENOENT) {
		if (s->position >= p->synced && (!p->removed || s->position < p->removing))
			snprintf(s->why, sizeof(s->why), "%s is lost", name);
		return s->why[0] ? -EUCLEAN : 0;
	}
	NEED(err);
	n = uext4_pread(f, data, sizeof(data), 0);
	NEED(n);
	uext4_file_close(f);
	fill(expected, k);
	if (sim_poison_recognise(data, (size_t)n, &found))
		snprintf(s->why, sizeof(s->why), "%s shows sector %llu, which nobody wrote", name,
			(unsigned long long)found.sector);
	else if (s->position < p->begun)
		snprintf(s->why, sizeof(s->why), "%s came too early", name);
	else if (p->removed && s->position >= p->removed)
		snprintf(s->why, sizeof(s->why), "%s came back", name);
	else if (s->position >= p->synced && n != FILE_BYTES)
		snprintf(s->why, sizeof(s->why), "%s has %zd bytes", name, n);
	else if (memcmp(data, expected, (size_t)n) != 0)
		snprintf(s->why, sizeof(s->why), "%s shows wrong bytes", name);
	return s->why[0] ? -EUCLEAN : 0;
}

static int look(void *arg, struct uext4_fs *fs, struct explore_state *s)
{
	int err = 0;

	w.looks++;
	for (unsigned k = 0; k < FILES && !err; k++)
		err = look_at_file(fs, k, s);
	return err;
}

static u64 promise(void *arg, size_t position)
{
	u64 n = 0;

	for (unsigned k = 0; k < FILES; k++) {
		const struct promise_of *p = &w.file[k];

		n += (position >= p->begun) + (position >= p->synced);
		n += p->removed && position >= p->removing;
		n += p->removed && position >= p->removed;
	}
	return n;
}

static int run_and_explore(struct sim_disk_params params, struct explore_config *config,
	struct explore_stats *stats, struct explore_state *failed)
{
	struct explore_fs fs = {.look = look, .promise = promise};
	struct sim_report report;
	int err;

	params.record = true;
	w.disk = sim_disk_create(&w.image, &params);
	memset(w.file, 0, sizeof(w.file));
	err = sim_run(&(struct sim_config){.seed = 7}, work, NULL, &report);
	if (err)
		fail_msg("%s", report.text);
	sim_report_fini(&report);
	config->ops = &explore_fs_ops;
	config->arg = &fs;
	config->states.whole_offset = explore_fs_states(1).whole_offset;
	config->states.whole_bytes = explore_fs_states(1).whole_bytes;
	err = explore(sim_disk_history(w.disk), config, stats, failed);
	if (err) {
		struct explore_state again;

		print_message("%s: %s\n", failed->name, failed->why);
		assert_int_equal(explore_replay(sim_disk_history(w.disk), config, failed->name,
					 &again, NULL),
			err);
		assert_string_equal(again.why, failed->why);
	}
	sim_disk_destroy(w.disk);
	return err;
}

static void every_state_recovers(void **state)
{
	struct explore_config config = {
		.states = {.seed = 1, .samples = 20, .exhaustive = 256},
		.budget = 600,
		.deeper_every = 4,
		.deeper_budget = 6,
	};
	struct explore_stats stats = {0};
	struct explore_state failed;
	const char *more = getenv("SIM_STATES"); /* to measure with */
	char text[400];

	if (more)
		config.budget = strtoull(more, NULL, 0);
	assert_int_equal(run_and_explore((struct sim_disk_params){.choose = sim_choose}, &config,
				 &stats, &failed),
		0);
	explore_print(&stats, text, sizeof(text));
	print_message("%s\n", text);
	assert_true(stats.by_depth[0] > 200 && stats.by_depth[1] && stats.by_depth[2]);
	assert_true(w.looks >= stats.checked);
}

/* A device that only says that it flushes breaks promises, and the explorer sees it. */
static void lying_disk_is_caught(void **state)
{
	struct explore_config config = {.states = {.seed = 1}, .budget = 4000};
	struct explore_stats stats = {0};
	struct explore_state failed;

	assert_true(run_and_explore(
			    (struct sim_disk_params){.lies_on_flush = true, .lies_on_fua = true},
			    &config, &stats, &failed) < 0);
}

/* mke2fs gives the same bytes each time, and leaves what it does not write poisoned. */
static void image_is_repeatable(void **state)
{
	struct sim_pages again;
	u8 a[SIM_PAGE], b[SIM_PAGE];
	struct sim_poison found;
	u64 poisoned = 0;

	assert_int_equal(sim_mkfs(&again, w.image.size, MKE2FS), 0);
	for (u64 at = 0; at < w.image.size; at += SIM_PAGE) {
		sim_pages_read(&w.image, at, a, SIM_PAGE);
		sim_pages_read(&again, at, b, SIM_PAGE);
		assert_memory_equal(a, b, SIM_PAGE);
		if (!sim_poison_recognise(a, SIM_PAGE, &found))
			continue;
		assert_int_equal(found.sector, at / SIM_SECTOR + found.at / SIM_SECTOR);
		poisoned++;
	}
	assert_true(poisoned > w.image.count / 4);
	sim_pages_fini(&again);
}

static int setup(void **state)
{
	return sim_mkfs(&w.image, 3 << 20, MKE2FS);
}

static int teardown(void **state)
{
	sim_pages_fini(&w.image);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(image_is_repeatable),
		cmocka_unit_test(every_state_recovers),
		cmocka_unit_test(lying_disk_is_caught),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
