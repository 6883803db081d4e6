/* MD-8: the record of an error goes straight to the superblock, past the transaction that is given
 * up. */
#include "sim_image.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "api/api_priv.h"
#include "base/mutant.h"
#include "os/clock.h"
#include "sim/os/sim.h"

#define NEED(call)                                                                                 \
	do {                                                                                       \
		long need_result = (call);                                                         \
		if (need_result < 0)                                                               \
			sim_fail("%s gave %ld", #call, need_result);                               \
	} while (0)

static struct sim_image image;

static void super_read(struct dev *dev, struct ext4_super *out)
{
	NEED(dev_read(dev, 1024, out, sizeof(*out)));
}

/* The superblock names the head of the list of orphans; an unlink that nobody committed changes it.
 */
static void error_meets_orphan(void *arg)
{
	struct uext4_options opt = {.size = sizeof(opt), .commit_interval_ms = 3600000};
	static struct ext4_super s;
	struct uext4_file *f;
	struct uext4_fs *fs;
	struct dev *dev;

	NEED(sim_image_dev(&image, &dev));
	NEED(api_open_dev(dev, &opt, &fs));
	NEED(uext4_openat(fs, NULL, "f", O_RDWR | O_CREAT, 0644, NULL, &f));
	NEED(uext4_sync(fs));
	NEED(uext4_unlinkat(fs, NULL, "f", 0, NULL));
	(void)volume_error(&fs->fs->volume, -EUCLEAN, 12, 0, "a test of errors");
	do {
		os_sleep_ns(1000000);
		super_read(dev, &s);
	} while (!(le16_to_cpu(s.s_state) & EXT4_STATE_ERROR));
	if (le32_to_cpu(s.s_last_orphan))
		sim_fail("the device knows of an orphan of a transaction that was given up");
	if (le32_to_cpu(s.s_error_count) != 1 || le32_to_cpu(s.s_last_error_ino) != 12)
		sim_fail("the error is not on record");
	uext4_file_close(f);
	(void)uext4_close(fs);
}

static enum sim_outcome outcome_of(enum mutant mutant)
{
	struct sim_report report;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		mutant_active = mutant;
		for (u64 seed = 0; seed < 20; seed++) {
			if (sim_run(&(struct sim_config){.seed = seed}, error_meets_orphan, NULL,
				    &report)) {
				printf("# seed %llu: %s\n", (unsigned long long)seed, report.text);
				fflush(stdout);
				_exit((int)report.outcome);
			}
			sim_report_fini(&report);
		}
		_exit(SIM_OK);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_MD_8_error_record(void **state)
{
	assert_int_equal(outcome_of(MUTANT_NONE), SIM_OK);
	assert_int_equal(outcome_of(MUTANT_SUPER_LEAKED), SIM_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_MD_8_error_record)};
	int failed;

	sim_image_make(&image, 4 << 20,
		"-b 1024 -I 256 -N 64 -J size=1 -e remount-ro -O ^resize_inode,^orphan_file");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	sim_image_free(&image);
	return failed;
}
