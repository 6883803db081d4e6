/*
 * Multiple-mount protection (MD-21) in virtual time: minutes of beats and waits
 * cost nothing. Two hosts are two mounts of one memory.
 */
#include "sim_image.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "disk/mmp_format.h"
#include "disk/super_format.h"
#include "os/clock.h"
#include "sim/os/sim.h"

#define BYTES (4u << 20)
#define BLOCK 1024u

static struct sim_image image;

/* One device; the mounts of all hosts write here. */
static struct disk {
	u8 data[BYTES];
	u64 mmp_at;
	u32 beats, others; /* writes of the MMP block, and elsewhere */
	u64 hang_ns;	   /* of the next write of the MMP block */
	bool intrude;	   /* and another host takes over meanwhile */
	u64 read_ns;	   /* of each read */
} disk;

static struct ext4_mmp *mmp_block(void)
{
	return (struct ext4_mmp *)(disk.data + disk.mmp_at);
}

static u32 seq(void)
{
	return le32_to_cpu(mmp_block()->mmp_seq);
}

static int disk_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	memcpy(buf, disk.data + offset, len);
	if (disk.read_ns)
		os_sleep_ns(disk.read_ns);
	return 0;
}

static int disk_write(void *arg, uint64_t offset, const void *buf, size_t len)
{
	u64 hang = disk.hang_ns;

	if (offset != disk.mmp_at) {
		disk.others++;
		memcpy(disk.data + offset, buf, len);
		return 0;
	}
	disk.hang_ns = 0;
	disk.beats++;
	memcpy(disk.data + offset, buf, len);
	if (hang)
		os_sleep_ns(hang);
	if (hang && disk.intrude)
		mmp_block()->mmp_seq = cpu_to_le32(77777);
	return 0;
}

static const struct uext4_device_ops ops = {.size = sizeof(ops),
	.read = disk_read,
	.write = disk_write,
	.device_bytes = BYTES,
	.block_size = BLOCK};

static int host_mount(struct uext4_fs **out)
{
	return uext4_open_device(&ops, NULL, NULL, out);
}

static void disk_reset(void)
{
	const struct ext4_super *s = (const struct ext4_super *)(image.data + 1024);

	disk = (struct disk){.mmp_at = le64_to_cpu(s->s_mmp_block) * BLOCK};
	memcpy(disk.data, image.data, BYTES);
}

static void seconds(u32 n)
{
	os_sleep_ns(n * NSEC_PER_SEC);
}

static void beats(void *arg)
{
	struct uext4_fs *a, *b;
	u32 before;

	disk_reset();
	SIM_NEED(host_mount(&a) == 0);
	before = disk.beats;
	seconds(61);
	SIM_NEED(disk.beats >= before + 12);
	SIM_NEED(host_mount(&b) == -EBUSY);
	SIM_NEED(uext4_close(a) == 0);
	SIM_NEED(seq() == EXT4_MMP_SEQ_CLEAN);
	before = disk.beats;
	seconds(61);
	SIM_NEED(disk.beats == before);
	SIM_NEED(host_mount(&b) == 0);
	SIM_NEED(uext4_close(b) == 0);
}

/* IO-62: a shutdown is the last that the device sees of a host; another may have it then. */
static void shut_down(void *arg)
{
	u64 start = os_clock_mono();
	struct uext4_fs *a, *b;
	u32 last, writes;

	disk_reset();
	SIM_NEED(host_mount(&a) == 0);
	seconds(12);
	SIM_NEED(uext4_mkdirat(a, NULL, "d", 0755, NULL) == 0);
	SIM_NEED(uext4_shutdown(a, UEXT4_SHUTDOWN_LOGFLUSH) == 0);
	last = seq();
	writes = disk.beats + disk.others;
	seconds(61);
	SIM_NEED(seq() == last && disk.beats + disk.others == writes);
	SIM_NEED(host_mount(&b) == 0); /* after a wait, as after a crash */
	SIM_NEED(os_clock_mono() - start > 80 * NSEC_PER_SEC);
	last = seq();
	(void)uext4_close(a);
	SIM_NEED(seq() == last); /* it is no longer ours to declare clean */
	SIM_NEED(uext4_mkdirat(b, NULL, "d", 0755, NULL) == -EEXIST);
	SIM_NEED(uext4_close(b) == 0);
	SIM_NEED(seq() == EXT4_MMP_SEQ_CLEAN);
}

/* A long replay is work on the disk like any other. */
static void beats_in_replay(void *arg)
{
	struct uext4_fs *a;
	u32 before;
	u64 start;

	disk_reset();
	SIM_NEED(host_mount(&a) == 0);
	SIM_NEED(uext4_mkdirat(a, NULL, "d", 0755, NULL) == 0);
	SIM_NEED(uext4_shutdown(a, UEXT4_SHUTDOWN_LOGFLUSH) == 0);
	(void)uext4_close(a);
	disk.read_ns = 2 * NSEC_PER_SEC;
	before = disk.beats;
	start = os_clock_mono();
	SIM_NEED(host_mount(&a) == 0);
	disk.read_ns = 0;
	SIM_NEED(os_clock_mono() - start > 60 * NSEC_PER_SEC);
	/* 11 s before its own first beat and 11 after that, reads of 2 s between two beats */
	SIM_NEED((disk.beats - before + 1) * 7 > (os_clock_mono() - start) / NSEC_PER_SEC - 40);
	SIM_NEED(uext4_close(a) == 0);
}

/* Who was taken for dead stops: it looks before it writes again, and writes no more. */
static void taken_over(void *arg)
{
	struct uext4_fs *a;
	u32 writes;

	disk_reset();
	SIM_NEED(host_mount(&a) == 0);
	disk.intrude = true;
	disk.hang_ns = 200 * NSEC_PER_SEC;
	seconds(230);
	SIM_NEED(seq() == 77777);
	writes = disk.beats + disk.others;
	SIM_NEED(uext4_mkdirat(a, NULL, "d", 0755, NULL) == -EROFS);
	seconds(61);
	(void)uext4_close(a);
	SIM_NEED(seq() == 77777 && disk.beats + disk.others == writes);
}

/* The same late, and nobody else there: it goes on. */
static void only_late(void *arg)
{
	struct uext4_fs *a;

	disk_reset();
	SIM_NEED(host_mount(&a) == 0);
	disk.hang_ns = 200 * NSEC_PER_SEC;
	seconds(230);
	SIM_NEED(uext4_mkdirat(a, NULL, "d", 0755, NULL) == 0);
	SIM_NEED(uext4_close(a) == 0);
	SIM_NEED(seq() == EXT4_MMP_SEQ_CLEAN);
}

/* HD-10: whatever the block says, a mount works, waits and works, or is refused. */
static void any_byte(void *arg)
{
	static const u8 masks[] = {0x01, 0x80, 0xff};

	for (u32 n = 0; n < 2 * 0x80 * 3; n++) {
		struct uext4_fs *fs;
		int err;

		disk_reset();
		if (n / 0x180) /* a live number to begin with */
			mmp_block()->mmp_seq = cpu_to_le32(5);
		((u8 *)mmp_block())[n % 0x180 / 3] ^= masks[n % 3];
		err = host_mount(&fs);
		SIM_NEED(err == 0 || err == -EBUSY || err == -EUCLEAN);
		if (err)
			continue;
		SIM_NEED(uext4_close(fs) == 0);
		SIM_NEED(seq() == EXT4_MMP_SEQ_CLEAN);
	}
}

static void run(void (*fn)(void *))
{
	struct sim_report report;

	for (u64 seed = 0; seed < 10; seed++) {
		if (sim_run(&(struct sim_config){.seed = seed}, fn, NULL, &report)) {
			printf("# seed %llu: %s\n", (unsigned long long)seed, report.text);
			fail();
		}
		sim_report_fini(&report);
	}
}

static void test_MD_21_beats_while_mounted(void **state)
{
	run(beats);
}

static void test_MD_21_ends_with_a_shutdown(void **state)
{
	run(shut_down);
}

static void test_MD_21_beats_during_a_replay(void **state)
{
	run(beats_in_replay);
}

static void test_MD_21_stops_when_taken_over(void **state)
{
	run(taken_over);
}

static void test_MD_21_late_but_alone(void **state)
{
	run(only_late);
}

static void test_HD_10_any_byte(void **state)
{
	struct sim_report report;

	if (sim_run(&(struct sim_config){.seed = 1}, any_byte, NULL, &report))
		fail_msg("%s", report.text);
	sim_report_fini(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_MD_21_beats_while_mounted),
		cmocka_unit_test(test_MD_21_ends_with_a_shutdown),
		cmocka_unit_test(test_MD_21_beats_during_a_replay),
		cmocka_unit_test(test_MD_21_stops_when_taken_over),
		cmocka_unit_test(test_MD_21_late_but_alone),
		cmocka_unit_test(test_HD_10_any_byte),
	};
	int failed;

	sim_image_make(&image, BYTES,
		"-b 1024 -I 256 -N 64 -J size=1 -O ^resize_inode,^metadata_csum,mmp");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	sim_image_free(&image);
	return failed;
}
