/* The real file system in the simulator: it mounts, works with several threads and unmounts. */
#include "sim_image.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/trace.h"
#include "os/thread.h"
#include "sim/os/sim.h"

#define THREADS 3
#define ROUNDS 2

static struct sim_image image;

static int group_setup(void **state)
{
	sim_image_make(&image, 4 << 20, "-b 1024 -I 256 -N 64 -J size=1 -O ^resize_inode");
	return 0;
}

static int group_teardown(void **state)
{
	sim_image_free(&image);
	return 0;
}

#define NEED(call)                                                                                 \
	do {                                                                                       \
		long need_result = (call);                                                         \
		if (need_result < 0)                                                               \
			sim_fail("%s gave %ld", #call, need_result);                               \
	} while (0)

struct user {
	struct uext4_fs *fs;
	struct os_thread *thread;
	int number;
};

static void write_file(struct uext4_fs *fs, const char *name, int fill)
{
	struct uext4_create req = {.mode = S_IFREG | 0644};
	struct uext4_inode *i;
	struct uext4_file *f;
	char data[1500];

	NEED(uext4_mknodat(fs, NULL, name, NULL, &req, &i));
	NEED(uext4_file_open(i, NULL, O_RDWR, &f));
	memset(data, fill, sizeof(data));
	NEED(uext4_pwrite(f, data, sizeof(data), 0));
	NEED(uext4_fsync(f));
	uext4_file_close(f);
	uext4_inode_put(i);
}

static void user_main(void *arg)
{
	struct user *u = arg;
	char name[32], other[32];

	for (int round = 0; round < ROUNDS; round++) {
		snprintf(name, sizeof(name), "f%d-%d", u->number, round);
		snprintf(other, sizeof(other), "g%d-%d", u->number, round);
		write_file(u->fs, name, 'a' + u->number);
		NEED(uext4_renameat(u->fs, NULL, name, NULL, other, 0, NULL));
		if (round)
			NEED(uext4_unlinkat(u->fs, NULL, other, 0, NULL));
	}
}

static void users_run(void *arg)
{
	struct user users[THREADS];
	struct uext4_fs *fs;

	NEED(sim_image_mount(&image, &fs));
	for (int i = 0; i < THREADS; i++) {
		users[i] = (struct user){.fs = fs, .number = i};
		NEED(os_thread_create(&users[i].thread, "user", user_main, &users[i]));
	}
	for (int i = 0; i < THREADS; i++)
		os_thread_join(users[i].thread);
	NEED(uext4_close(fs));
}

static void must_run(const struct sim_config *config, struct sim_report *report)
{
	if (sim_run(config, users_run, NULL, report)) {
		printf("# %s\n", report->text);
		fail();
	}
}

static void test_random_seeds(void **state)
{
	struct sim_report report;

	for (u64 seed = 0; seed < 20; seed++) {
		must_run(&(struct sim_config){.seed = seed}, &report);
		sim_report_fini(&report);
	}
}

/* Without a simulation: threads change only where they must. */
static void test_outside(void **state)
{
	users_run(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outside),
		cmocka_unit_test(test_random_seeds),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
