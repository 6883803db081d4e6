/*
 * Inode tables that mke2fs left full of garbage are zeroed in the background (AL-9) while others
 * make inodes in them, at any schedule; and after a crash no table is called zeroed that is not.
 */
#include "sim_image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/rng.h"
#include "disk/group_format.h"
#include "disk/super_format.h"
#include "os/clock.h"
#include "os/thread.h"
#include "sim/os/sim.h"

#define BYTES (4u << 20)
#define BLOCK 1024u
enum { THREADS = 2, FILES = 40, SNAPSHOTS = 3 };

static struct sim_image image;

/* A device that holds what was written, and what a flush made safe. */
static struct disk {
	u8 data[BYTES], durable[BYTES];
	u8 snapshot[SNAPSHOTS][BYTES]; /* of durable, at flushes chosen by chance */
	u32 flushes;
	struct rng rng;
} disk;

static int disk_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	memcpy(buf, disk.data + offset, len);
	return 0;
}

/* Slow, so that others get ahead of a write that is under way. */
static int disk_write(void *arg, uint64_t offset, const void *buf, size_t len)
{
	os_sleep_ns(rng_below(&disk.rng, (len > 8 * BLOCK ? 200 : 2) * NSEC_PER_MSEC));
	memcpy(disk.data + offset, buf, len);
	return 0;
}

static int disk_flush(void *arg)
{
	u64 place = rng_below(&disk.rng, ++disk.flushes);

	memcpy(disk.durable, disk.data, BYTES);
	if (place < SNAPSHOTS)
		memcpy(disk.snapshot[place], disk.durable, BYTES);
	return 0;
}

static const struct ext4_super *super_of(const u8 *data)
{
	return (const struct ext4_super *)(data + 1024);
}

static u32 group_count(void)
{
	const struct ext4_super *s = super_of(image.data);

	return le32_to_cpu(s->s_inodes_count) / le32_to_cpu(s->s_inodes_per_group);
}

static struct ext4_group_desc *desc_of(u8 *data, u32 nr)
{
	return (struct ext4_group_desc *)(data + 2 * BLOCK +
					  nr * le16_to_cpu(super_of(data)->s_desc_size));
}

/* Bytes of the group's table, and how many of them may hold inodes. */
static u8 *table_of(u8 *data, u32 nr, size_t *used, size_t *len)
{
	const struct ext4_super *s = super_of(data);
	const struct ext4_group_desc *d = desc_of(data, nr);
	u32 size = le16_to_cpu(s->s_inode_size), all = le32_to_cpu(s->s_inodes_per_group);
	u32 unused = le16_to_cpu(d->bg_flags) & EXT4_BG_INODE_UNINIT
			     ? all
			     : le16_to_cpu(d->bg_itable_unused_lo);

	*len = (size_t)all * size;
	*used = ((size_t)(all - unused) * size + BLOCK - 1) / BLOCK * BLOCK;
	return data + (size_t)le32_to_cpu(d->bg_inode_table_lo) * BLOCK;
}

/* How many tables are said to be zeroed; those are. */
static u32 judge(u8 *data)
{
	u32 zeroed = 0;

	for (u32 nr = 0; nr < group_count(); nr++) {
		size_t used, len;
		const u8 *table = table_of(data, nr, &used, &len);

		if (!(le16_to_cpu(desc_of(data, nr)->bg_flags) & EXT4_BG_INODE_ZEROED))
			continue;
		zeroed++;
		for (size_t at = used; at < len; at++)
			if (table[at])
				fail_msg("group %u, byte %zu of its table is not zero", nr, at);
	}
	return zeroed;
}

struct user {
	struct uext4_fs *fs;
	struct os_thread *thread;
	u32 number;
};

static void make_files(void *arg)
{
	struct uext4_create req = {.mode = S_IFREG | 0644};
	struct user *u = arg;
	char name[32];

	for (u32 k = 0; k < FILES; k++) {
		if (k % 8 == 0) {
			snprintf(name, sizeof(name), "d%u-%u", u->number, k);
			SIM_NEED(uext4_mkdirat(u->fs, NULL, name, 0755, NULL) == 0);
		}
		snprintf(name, sizeof(name), "d%u-%u/f%u", u->number, k & ~7u, k);
		SIM_NEED(uext4_mknodat(u->fs, NULL, name, NULL, &req, NULL) == 0);
		if (k % 5 == 4)
			SIM_NEED(uext4_sync(u->fs) == 0);
	}
}

static struct uext4_fs *host_mount(bool noinit)
{
	static const struct uext4_device_ops ops = {.size = sizeof(ops),
		.read = disk_read,
		.write = disk_write,
		.flush = disk_flush,
		.device_bytes = BYTES,
		.block_size = BLOCK};
	struct uext4_options o = {.size = sizeof(o), .noinit_itable = noinit};
	struct uext4_fs *fs;

	SIM_NEED(uext4_open_device(&ops, NULL, &o, &fs) == 0);
	return fs;
}

static void zero_while_working(void *arg)
{
	u64 *seed = arg;
	struct user users[THREADS];
	struct uext4_fs *fs;

	rng_init(&disk.rng, *seed);
	disk.flushes = 0;
	memcpy(disk.data, image.data, BYTES);
	memcpy(disk.durable, image.data, BYTES);
	for (u32 k = 0; k < SNAPSHOTS; k++)
		memcpy(disk.snapshot[k], image.data, BYTES);
	fs = host_mount(false);
	for (u32 k = 0; k < THREADS; k++) {
		users[k] = (struct user){.fs = fs, .number = k};
		SIM_NEED(os_thread_create(&users[k].thread, "user", make_files, &users[k]) == 0);
	}
	for (u32 k = 0; k < THREADS; k++)
		os_thread_join(users[k].thread);
	if (*seed % 2)
		os_sleep_ns(600 * NSEC_PER_SEC);
	SIM_NEED(uext4_close(fs) == 0);
}

static void recover(void *arg)
{
	SIM_NEED(uext4_close(host_mount(true)) == 0);
}

static void e2fsck(const u8 *data)
{
	char path[] = "/tmp/uext4-itable-XXXXXX", command[100];
	int fd = mkstemp(path);
	FILE *out = fdopen(fd, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(data, BYTES, 1, out), 1);
	fclose(out);
	snprintf(command, sizeof(command), "e2fsck -fn %s >/dev/null 2>&1", path);
	assert_int_equal(system(command), 0);
	remove(path);
}

static void must_run(u64 seed, void (*fn)(void *))
{
	struct sim_report report;

	if (sim_run(&(struct sim_config){.seed = seed}, fn, &seed, &report)) {
		printf("# seed %llu: %s\n", (unsigned long long)seed, report.text);
		fail();
	}
	sim_report_fini(&report);
}

static void test_AL_9_zeroed_while_used(void **state)
{
	for (u64 seed = 0; seed < 20; seed++) {
		must_run(seed, zero_while_working);
		if (seed % 2)
			assert_int_equal(judge(disk.data), group_count());
		else
			judge(disk.data);
		if (seed % 8 < 2)
			e2fsck(disk.data);
	}
}

static void test_AL_9_crash(void **state)
{
	u32 some = 0, already = judge(image.data);

	for (u64 seed = 0; seed < 20; seed++) {
		must_run(seed, zero_while_working);
		for (u32 k = 0; k < SNAPSHOTS; k++) {
			memcpy(disk.data, disk.snapshot[k], BYTES);
			must_run(seed, recover);
			some += judge(disk.data);
			if (seed % 10 == 0)
				e2fsck(disk.data);
		}
	}
	assert_true(some > 20 * SNAPSHOTS * already);
}

/* With the option they stay as they are. */
static void leave_alone(void *arg)
{
	struct uext4_fs *fs;

	memcpy(disk.data, image.data, BYTES);
	fs = host_mount(true);
	os_sleep_ns(600 * NSEC_PER_SEC);
	SIM_NEED(uext4_close(fs) == 0);
}

/* IO-62: a shutdown ends it at once. */
static void stop_early(void *arg)
{
	static u8 before[BYTES];
	struct uext4_fs *fs;

	memcpy(disk.data, image.data, BYTES);
	fs = host_mount(false);
	SIM_NEED(uext4_shutdown(fs, UEXT4_SHUTDOWN_NOLOGFLUSH) == 0);
	memcpy(before, disk.data, BYTES);
	os_sleep_ns(600 * NSEC_PER_SEC);
	SIM_NEED(memcmp(before, disk.data, BYTES) == 0);
	(void)uext4_close(fs);
}

/* Read-only it rests, read-write it goes on. */
static void remounts(void *arg)
{
	static u8 before[BYTES];
	struct uext4_fs *fs;

	memcpy(disk.data, image.data, BYTES);
	fs = host_mount(false);
	SIM_NEED(uext4_remount(fs, true) == 0);
	memcpy(before, disk.data, BYTES);
	os_sleep_ns(600 * NSEC_PER_SEC);
	SIM_NEED(memcmp(before, disk.data, BYTES) == 0);
	SIM_NEED(uext4_remount(fs, false) == 0);
	os_sleep_ns(600 * NSEC_PER_SEC);
	SIM_NEED(uext4_close(fs) == 0);
}

static void test_AL_9_stops(void **state)
{
	u32 already = judge(image.data);

	must_run(1, leave_alone);
	assert_int_equal(judge(disk.data), already);
	for (u64 seed = 0; seed < 10; seed++) {
		must_run(seed, stop_early);
		must_run(seed, remounts);
		assert_int_equal(judge(disk.data), group_count());
	}
}

static void plant_garbage(void)
{
	for (u32 nr = 0; nr < group_count(); nr++) {
		size_t used, len;
		u8 *table = table_of(image.data, nr, &used, &len);

		if (le16_to_cpu(desc_of(image.data, nr)->bg_flags) & EXT4_BG_INODE_ZEROED)
			continue;
		memset(table + used, 0xee, len - used);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_AL_9_zeroed_while_used),
		cmocka_unit_test(test_AL_9_crash),
		cmocka_unit_test(test_AL_9_stops),
	};
	int failed;

	sim_image_make(&image, BYTES,
		"-b 1024 -g 1024 -I 256 -N 512 -J size=1 -O ^resize_inode,64bit,metadata_csum -E "
		"hash_seed=7a7f1de0-0000-4000-8000-000000000001,lazy_itable_init=1,nodiscard");
	plant_garbage();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	sim_image_free(&image);
	return failed;
}
