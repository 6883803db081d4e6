/* When the journal commits by itself (JB-41), in virtual time. */
#include "sim_image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "disk/jbd2_format.h"
#include "os/clock.h"
#include "sim/os/sim.h"

#define BYTES (4u << 20)
#define BLOCK 1024u

static struct sim_image image;
static u8 data[BYTES];
static u32 commits; /* commit records written */

static int disk_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	memcpy(buf, data + offset, len);
	return 0;
}

static int disk_write(void *arg, uint64_t offset, const void *buf, size_t len)
{
	memcpy(data + offset, buf, len);
	for (size_t at = 0; at + BLOCK <= len; at += BLOCK) {
		const struct jbd2_header *h = (const void *)((const u8 *)buf + at);

		commits += be32_to_cpu(h->h_magic) == JBD2_MAGIC &&
			   be32_to_cpu(h->h_blocktype) == JBD2_COMMIT;
	}
	return 0;
}

static struct uext4_fs *disk_mount(u32 interval_ms)
{
	static const struct uext4_device_ops ops = {.size = sizeof(ops),
		.read = disk_read,
		.write = disk_write,
		.device_bytes = BYTES,
		.block_size = BLOCK};
	struct uext4_options o = {.size = sizeof(o), .commit_interval_ms = interval_ms};
	struct uext4_fs *fs;

	memcpy(data, image.data, BYTES);
	SIM_NEED(uext4_open_device(&ops, NULL, &o, &fs) == 0);
	os_sleep_ns(60 * NSEC_PER_SEC); /* what the mount itself began */
	return fs;
}

/* A change is committed when it is as old as the interval, not before; without one nothing is. */
static void expect_interval(u32 option_ms, u32 interval_ms)
{
	struct uext4_fs *fs = disk_mount(option_ms);
	u32 before = commits;

	os_sleep_ns(60 * NSEC_PER_SEC);
	SIM_NEED(commits == before);
	SIM_NEED(uext4_mkdirat(fs, NULL, "d", 0755, NULL) == 0);
	os_sleep_ns((interval_ms - 100) * NSEC_PER_MSEC);
	SIM_NEED(commits == before);
	os_sleep_ns(200 * NSEC_PER_MSEC);
	SIM_NEED(commits == before + 1);
	SIM_NEED(uext4_mkdirat(fs, NULL, "e", 0755, NULL) == 0);
	SIM_NEED(uext4_sync(fs) == 0);
	SIM_NEED(commits == before + 2);
	SIM_NEED(uext4_mkdirat(fs, NULL, "f", 0755, NULL) == 0);
	SIM_NEED(uext4_close(fs) == 0);
	SIM_NEED(commits == before + 3);
}

static void by_default(void *arg)
{
	expect_interval(0, 5000);
}

static void by_option(void *arg)
{
	expect_interval(30000, 30000);
}

/* Changes that go on for longer: none waits for more than the interval. */
static void busy(void *arg)
{
	struct uext4_fs *fs = disk_mount(0);
	u32 before = commits;
	char name[16];

	for (u32 k = 0; k < 100; k++) {
		snprintf(name, sizeof(name), "d%u", k % 20);
		if (k / 20 % 2)
			SIM_NEED(uext4_unlinkat(fs, NULL, name, 0x200, NULL) == 0);
		else
			SIM_NEED(uext4_mkdirat(fs, NULL, name, 0755, NULL) == 0);
		os_sleep_ns(NSEC_PER_SEC);
	}
	SIM_NEED(commits >= before + 100 / 6 && commits <= before + 100 / 4);
	SIM_NEED(uext4_close(fs) == 0);
}

static void run(void (*fn)(void *))
{
	struct sim_report report;

	for (u64 seed = 0; seed < 10; seed++) {
		if (sim_run(&(struct sim_config){.seed = seed, .punctual = true}, fn, NULL,
			    &report)) {
			printf("# seed %llu: %s\n", (unsigned long long)seed, report.text);
			fail();
		}
		sim_report_fini(&report);
	}
}

static void test_JB_41_five_seconds(void **state)
{
	run(by_default);
}

static void test_JB_41_option(void **state)
{
	run(by_option);
}

static void test_JB_41_busy(void **state)
{
	run(busy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_JB_41_five_seconds),
		cmocka_unit_test(test_JB_41_option),
		cmocka_unit_test(test_JB_41_busy),
	};
	int failed;

	sim_image_make(&image, BYTES, "-b 1024 -I 256 -N 64 -J size=1 -O ^resize_inode");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	sim_image_free(&image);
	return failed;
}
