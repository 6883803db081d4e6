/* Rows of the library on images of their own: allocation, recovery, memory. */
#include "rows_image.h"
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <uext4.h>
#include <unistd.h>

#define CHUNK (16 * KIB)
#define FILES 16u
#define PASSES 8u
#define MANY 1000000u
#define LOOKUPS 200000u
#define CACHE_BOUND (64 * MIB)

static void check(const char *what, int64_t err)
{
	if (err < 0)
		die("image", what, (int)-err);
}

static const char *image_make(u64 bytes, const char *options)
{
	static char path[600];

	snprintf(path, sizeof(path), "%s/own.img", settings.work_dir);
	if (run_command("rm -f '%s'; truncate -s %llu '%s' && mke2fs -q -F -t ext4 %s -E "
			"lazy_itable_init=1,lazy_journal_init=1,nodiscard '%s'",
		    path, (unsigned long long)bytes, path, options, path) != 0)
		die("image", path, EIO);
	return path;
}

static struct uext4_fs *fs_open(const char *path, u64 cache_bytes)
{
	struct uext4_options opt = {
		.size = sizeof(opt), .atime = UEXT4_NOATIME, .cache_bytes = cache_bytes};
	struct uext4_fs *fs;

	check(path, uext4_open(path, &opt, &fs));
	return fs;
}

static struct uext4_file *file_new(struct uext4_fs *fs, const char *name)
{
	struct uext4_file *f;

	check(name, uext4_openat(fs, NULL, name, O_RDWR | O_CREAT, 0644, NULL, &f));
	return f;
}

/* --- allocation: chunks to several files in turns --- */

static void fill_up(struct uext4_fs *fs, u32 percent)
{
	struct uext4_statfs st;
	struct uext4_file *f = file_new(fs, "ballast");
	u64 used, wanted;

	check("statfs", uext4_statfs(fs, &st));
	used = (st.blocks - st.blocks_free) * st.block_size;
	wanted = st.blocks * st.block_size / 100 * percent;
	if (wanted > used)
		check("fallocate", uext4_fallocate(f, 0, 0, wanted - used));
	uext4_file_close(f);
}

static double extents_of(struct uext4_file *f)
{
	struct uext4_inode *inode = uext4_file_inode(f);
	int n = uext4_fiemap(inode, 0, UINT64_MAX, 0, NULL, 0);

	check("fiemap", n);
	return n;
}

/* Once: seconds, and extents in all files together. */
static double alloc_pass(struct uext4_fs *fs, u32 rounds, double *extents)
{
	struct uext4_file *f[FILES];
	double begin, seconds;
	char name[32];

	for (u32 k = 0; k < FILES; k++) {
		snprintf(name, sizeof(name), "f%u", k);
		f[k] = file_new(fs, name);
	}
	begin = now();
	for (u32 at = 0; at < rounds; at++)
		for (u32 k = 0; k < FILES; k++)
			check("fallocate", uext4_fallocate(f[k], 0, at * CHUNK, CHUNK));
	seconds = now() - begin;
	for (u32 k = 0; k < FILES; k++) {
		*extents += extents_of(f[k]);
		uext4_file_close(f[k]);
		snprintf(name, sizeof(name), "f%u", k);
		check(name, uext4_unlinkat(fs, NULL, name, 0, NULL));
	}
	check("sync", uext4_sync(fs));
	return seconds;
}

static double alloc_row(const struct row *r)
{
	struct uext4_fs *fs = fs_open(image_make(r->image_bytes, ""), 0);
	u32 rounds = r->full_percent == 99 ? 32 : 128;
	double seconds = 0, extents = 0;

	fill_up(fs, r->full_percent);
	for (u32 k = 0; k < PASSES; k++)
		seconds += alloc_pass(fs, rounds, &extents);
	check("close", uext4_close(fs));
	return r->step == IMAGE_EXTENTS ? extents / FILES / PASSES
					: PASSES * rounds * FILES / seconds;
}

/* --- what a child of our own does, so that it may die or grow --- */

static double in_child(
	double (*fn)(const struct row *, const char *), const struct row *r, const char *path)
{
	double value = 0;
	int p[2], status;
	pid_t pid;

	if (pipe(p) < 0 || (pid = fork()) < 0)
		die("image", "fork", errno);
	if (pid == 0) {
		value = fn(r, path);
		_exit(write(p[1], &value, sizeof(value)) != sizeof(value));
	}
	close(p[1]);
	if (read(p[0], &value, sizeof(value)) != sizeof(value) || waitpid(pid, &status, 0) != pid ||
		status != 0)
		die("image", r->name, EIO);
	close(p[0]);
	return value;
}

static double memory_mib(const char *field)
{
	char line[128];
	double kib = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, field, strlen(field)) == 0)
			kib = atof(line + strlen(field) + 1);
	if (f)
		fclose(f);
	return kib / 1024;
}

static double mount_memory(const struct row *r, const char *path)
{
	double before = memory_mib("VmRSS");
	struct uext4_fs *fs = fs_open(path, 0);
	double grown = memory_mib("VmHWM") - before;

	check("close", uext4_close(fs));
	return grown;
}

/* Leaves a log full of committed transactions behind. */
static double crash(const struct row *r, const char *path)
{
	struct uext4_fs *fs = fs_open(path, 0);
	struct uext4_info info;
	struct uext4_stats st;
	char name[32];

	check("info", uext4_info(fs, &info));
	for (u32 n = 0;; n++) {
		snprintf(name, sizeof(name), "file-%u", n);
		uext4_file_close(file_new(fs, name));
		if (n % 4096 != 4095)
			continue;
		check("sync", uext4_sync(fs));
		check("stats", uext4_stats(fs, &st));
		if (st.blocks_logged > info.journal_blocks * 6 / 10)
			return 0;
	}
}

static double recovery_row(const struct row *r)
{
	const char *path = image_make(r->image_bytes, "-N 800000");
	struct uext4_options opt = {.size = sizeof(opt)};
	struct uext4_info info;
	struct uext4_fs *fs;
	double begin, ms;
	int err;

	in_child(crash, r, path);
	for (;;) { /* the kernel holds the child's rings, and by them the image, a little longer */
		begin = now();
		err = uext4_open(path, &opt, &fs);
		if (err != -EBUSY)
			break;
		usleep(10000);
	}
	check(path, err);
	ms = (now() - begin) * 1000;
	check("info", uext4_info(fs, &info));
	if (!info.needed_recovery)
		die("image", "there was nothing to recover", EIO);
	check("close", uext4_close(fs));
	return ms;
}

/* One directory of a million names; random look-ups, or the most memory that all of it took. */
static double million(const struct row *r, const char *path)
{
	double before = memory_mib("VmRSS"), begin, rate;
	struct uext4_fs *fs = fs_open(path, CACHE_BOUND);
	struct uext4_stat st;
	char name[32];

	for (u32 n = 0; n < MANY; n++) {
		snprintf(name, sizeof(name), "file-%u", n);
		uext4_file_close(file_new(fs, name));
	}
	begin = now();
	for (u32 n = 0; n < LOOKUPS; n++) {
		snprintf(name, sizeof(name), "file-%u", (u32)(n * 2654435761u % MANY));
		check(name, uext4_statat(fs, NULL, name, UEXT4_NOFOLLOW, NULL, &st));
	}
	rate = LOOKUPS / (now() - begin);
	if (r->step == IMAGE_MEMORY)
		rate = memory_mib("VmHWM") - before;
	check("close", uext4_close(fs));
	return rate;
}

void row_image(const struct row *r, struct target *t, double *out)
{
	double value;

	if (r->step == IMAGE_ALLOC || r->step == IMAGE_EXTENTS)
		value = alloc_row(r);
	else if (r->step == IMAGE_RECOVERY)
		value = recovery_row(r);
	else if (r->step == IMAGE_MOUNT_MEMORY)
		value = in_child(mount_memory, r, image_make(r->image_bytes, ""));
	else
		value = in_child(million, r, image_make(r->image_bytes, "-N 1100000"));
	run_command("rm -f '%s/own.img'", settings.work_dir);
	out[0] = value;
}
