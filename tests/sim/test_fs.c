/* The real file system in the simulator: it mounts, works with several threads and unmounts. */
#include "sim_image.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mutant.h"
#include "os/thread.h"
#include "sim/os/sim.h"

#define THREADS 3
#define ROUNDS 2

static struct sim_image image;
static const char *program;

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
		printf("# seed %llu: %s\n", (unsigned long long)config->seed, report->text);
		fail();
	}
}

static void run_seeds(struct sim_config config, u64 seeds)
{
	struct sim_report report;

	for (u64 end = config.seed + seeds; config.seed < end; config.seed++) {
		must_run(&config, &report);
		sim_report_fini(&report);
	}
}

static void test_random_seeds(void **state)
{
	run_seeds((struct sim_config){.seed = 1}, 100);
}

static void test_pct_seeds(void **state)
{
	run_seeds((struct sim_config){.strategy = SIM_PCT, .seed = 1, .pct_steps = 5000}, 100);
}

static void test_atomics_as_points(void **state)
{
	run_seeds((struct sim_config){.seed = 1, .atomics = true}, 30);
}

static void hash_line(void *arg, const char *line)
{
	u64 *hash = arg;

	for (; *line; line++)
		*hash = (*hash ^ (u8)*line) * 0x100000001b3ull;
}

struct fingerprint {
	u64 trace, text, steps, choices;
};

/* Of everything that happened, in words and in numbers. */
static struct fingerprint fingerprint_of(u64 seed)
{
	struct fingerprint f = {.text = 0xcbf29ce484222325ull};
	struct sim_config config = {.seed = seed,
		.strategy = seed % 2 ? SIM_PCT : SIM_RANDOM,
		.pct_steps = 5000,
		.trace = hash_line,
		.trace_arg = &f.text};
	struct sim_report report;

	must_run(&config, &report);
	f.trace = report.trace_hash;
	f.steps = report.steps;
	f.choices = report.choice_count;
	sim_report_fini(&report);
	return f;
}

static void test_same_seed_same_trace(void **state)
{
	u64 before = 0;

	for (u64 seed = 0; seed < 1000; seed++) {
		struct fingerprint first = fingerprint_of(seed), again = fingerprint_of(seed);

		assert_memory_equal(&first, &again, sizeof(first));
		assert_true(first.trace != before);
		before = first.trace;
	}
}

static void print_fingerprint(u64 seed)
{
	struct fingerprint f = fingerprint_of(seed);

	printf("%016llx %016llx %llu %llu\n", (unsigned long long)f.trace,
		(unsigned long long)f.text, (unsigned long long)f.steps,
		(unsigned long long)f.choices);
}

/* Another process has other addresses. */
static void test_same_trace_in_another_process(void **state)
{
	char command[600], own[100], other[100];

	for (u64 seed = 0; seed < 4; seed++) {
		struct fingerprint f = fingerprint_of(seed);
		FILE *in;

		snprintf(own, sizeof(own), "%016llx %016llx %llu %llu\n",
			(unsigned long long)f.trace, (unsigned long long)f.text,
			(unsigned long long)f.steps, (unsigned long long)f.choices);
		snprintf(command, sizeof(command), "%s --seed %llu", program,
			(unsigned long long)seed);
		in = popen(command, "r");
		assert_non_null(in);
		assert_non_null(fgets(other, sizeof(other), in));
		assert_int_equal(pclose(in), 0);
		assert_string_equal(own, other);
	}
}

static void test_replay(void **state)
{
	struct sim_report report, again;
	struct sim_config config = {.strategy = SIM_REPLAY};

	must_run(&(struct sim_config){.seed = 7}, &report);
	config.seed = 7; /* for os_random */
	config.choices = report.choices;
	config.choice_count = report.choice_count;
	must_run(&config, &again);
	assert_false(again.diverged);
	assert_int_equal(again.trace_hash, report.trace_hash);
	sim_report_fini(&again);
	sim_report_fini(&report);
}

static void fsync_one(void *arg)
{
	write_file(arg, "synced", 's');
}

/* JB-4: while a commit is under way, others go on changing the file system. */
static void commit_parked(void *arg)
{
	struct os_thread *t;
	struct uext4_fs *fs;

	NEED(sim_image_mount(&image, &fs));
	sim_gate_close("commit_record", NULL);
	NEED(os_thread_create(&t, "syncer", fsync_one, fs));
	sim_gate_wait("commit_record");
	NEED(uext4_mkdirat(fs, NULL, "meanwhile", 0755, NULL));
	sim_gate_open("commit_record");
	os_thread_join(t);
	NEED(uext4_close(fs));
}

static void test_JB_4_changes_during_a_parked_commit(void **state)
{
	struct sim_report report;

	for (u64 seed = 0; seed < 20; seed++) {
		if (sim_run(&(struct sim_config){.seed = seed}, commit_parked, NULL, &report)) {
			printf("# seed %llu: %s\n", (unsigned long long)seed, report.text);
			fail();
		}
		sim_report_fini(&report);
	}
}

/* Without a simulation: threads change only where they must. */
static void test_outside(void **state)
{
	users_run(NULL);
}

/* The first outcome that is not SIM_OK, in a process of its own: what fails is left broken. */
static enum sim_outcome outcome_of(enum mutant mutant, void (*fn)(void *), const char *text)
{
	struct sim_report report;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		mutant_active = mutant;
		for (u64 seed = 0; seed < 500; seed++) {
			if (sim_run(&(struct sim_config){.seed = seed}, fn, NULL, &report))
				_exit(strstr(report.text, text) ? (int)report.outcome : 100);
			sim_report_fini(&report);
		}
		_exit(SIM_OK);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* A planted wake-up that is lost: who waits for the commit waits for ever. */
static void test_planted_lost_wake_up(void **state)
{
	assert_int_equal(outcome_of(MUTANT_WAKE_LOST, users_run,
				 "waits for condition journal_done, signalled by nobody"),
		SIM_DEADLOCK);
}

static void move_up(void *arg)
{
	for (int round = 0; round < 3; round++)
		uext4_renameat(arg, NULL, "a/b/y", NULL, "a/x", 0, NULL);
}

/* A directory is removed while a file is moved from it to its parent. */
static void parent_and_child(void *arg)
{
	struct uext4_create req = {.mode = S_IFREG | 0644};
	struct uext4_inode *i;
	struct uext4_fs *fs;
	struct os_thread *t;

	NEED(sim_image_mount(&image, &fs));
	NEED(uext4_mkdirat(fs, NULL, "a", 0755, NULL));
	NEED(uext4_mkdirat(fs, NULL, "a/b", 0755, NULL));
	NEED(uext4_mknodat(fs, NULL, "a/b/y", NULL, &req, &i));
	uext4_inode_put(i);
	NEED(os_thread_create(&t, "mover", move_up, fs));
	for (int round = 0; round < 3; round++) {
		uext4_unlinkat(fs, NULL, "a/b", AT_REMOVEDIR, NULL);
		uext4_mkdirat(fs, NULL, "a/b", 0755, NULL);
	}
	os_thread_join(t);
	NEED(uext4_close(fs));
}

/* A planted order that no rank forbids, but that ends in a circle. */
static void test_planted_lock_order(void **state)
{
	assert_int_equal(outcome_of(MUTANT_NONE, parent_and_child, ""), SIM_OK);
	assert_int_equal(outcome_of(MUTANT_LOCK_ORDER, parent_and_child, "circle: "), SIM_DEADLOCK);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outside),
		cmocka_unit_test(test_random_seeds),
		cmocka_unit_test(test_pct_seeds),
		cmocka_unit_test(test_atomics_as_points),
		cmocka_unit_test(test_same_seed_same_trace),
		cmocka_unit_test(test_same_trace_in_another_process),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_JB_4_changes_during_a_parked_commit),
		cmocka_unit_test(test_planted_lost_wake_up),
		cmocka_unit_test(test_planted_lock_order),
	};

	program = argv[0];
	if (argc == 3 && strcmp(argv[1], "--seed") == 0) {
		group_setup(NULL);
		print_fingerprint(strtoull(argv[2], NULL, 10));
		return 0;
	}
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
