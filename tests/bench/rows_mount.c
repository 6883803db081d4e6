/*
 * Rows on images of their own, mounted in the target's way: how long that takes and how much
 * memory, after a crash, too; and names in a directory of a million.
 *
 * Rounds and targets share the image; what is changed by mounting is a copy.
 */
#include "images.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <uext4.h>
#include <unistd.h>

#define COPY "copy"
#define MANY 1000000u
#define PATIENCE 4 /* times settings.seconds, for look-ups */
#define CACHE_BOUND (64 * MIB)

static double million_memory; /* MiB that making the million took */

static void other_mount(struct target *other, const struct target *t, const char *name)
{
	*other = *t;
	snprintf(other->image, sizeof(other->image), "%s", image_path(name));
	snprintf(other->root, sizeof(other->root), "%s/own.mnt", settings.work_dir);
	(void)run_command("mkdir -p '%s'", other->root);
	target_up(other);
}

static double library_memory(const struct row *r, const char *path)
{
	double before = memory_mib(getpid(), "VmRSS");
	struct uext4_fs *fs = image_open(path, 0);
	double grown = memory_mib(getpid(), "VmHWM") - before;

	image_check("close", uext4_close(fs));
	return grown;
}

/* Of a server; Linux does not tell. */
static double server_memory(const struct target *t)
{
	int pid = target_server(t);

	return pid ? memory_mib(pid, "VmHWM") : NAN;
}

/* Milliseconds until it is usable, and MiB. */
void row_mount(const struct row *r, struct target *t, double *out)
{
	struct target other;

	if (!image_is_shared())
		image_make(IMAGE_SHARED, r->image_bytes, "");
	other_mount(&other, t, IMAGE_SHARED);
	out[0] = other.mount_seconds * 1000;
	out[1] = server_memory(&other);
	target_down(&other);
	if (t->id == UEXT4)
		out[1] = in_child(library_memory, r, image_path(IMAGE_SHARED));
}

/* Leaves a log full of committed transactions behind. */
static double crash(const struct row *r, const char *path)
{
	struct uext4_fs *fs = image_open(path, 0);
	struct uext4_info info;
	struct uext4_stats st;
	char name[32];

	image_check("info", uext4_info(fs, &info));
	for (u32 n = 0;; n++) {
		snprintf(name, sizeof(name), "file-%u", n);
		file_create(fs, name);
		if (n % 4096 != 4095)
			continue;
		image_check("sync", uext4_sync(fs));
		image_check("stats", uext4_stats(fs, &st));
		if (st.blocks_logged > info.journal_blocks * 6 / 10)
			return n;
	}
}

/* Milliseconds until what was committed is there again. */
void row_recovery(const struct row *r, struct target *t, double *out)
{
	static double last;
	struct target other;
	char name[32];

	if (!image_is_shared())
		last = in_child(crash, r, image_make(IMAGE_SHARED, r->image_bytes, "-N 800000"));
	if (run_command("cp --sparse=always '%s' '%s'", image_path(IMAGE_SHARED),
		    image_path(COPY)) != 0)
		die("image", "copying", EIO);
	other_mount(&other, t, COPY);
	out[0] = other.mount_seconds * 1000;
	snprintf(name, sizeof(name), "file-%u", (unsigned)last);
	t->kind->backend->stat(&other, name);
	target_down(&other);
	unlink(image_path(COPY));
}

static double make_million(const struct row *r, const char *path)
{
	double before = memory_mib(getpid(), "VmRSS"), grown;
	struct uext4_fs *fs = image_open(path, CACHE_BOUND);
	char name[32];

	for (u32 n = 0; n < MANY; n++) {
		snprintf(name, sizeof(name), "file-%u", n);
		file_create(fs, name);
	}
	grown = memory_mib(getpid(), "VmHWM") - before;
	image_check("close", uext4_close(fs));
	return grown;
}

/* Look-ups a second from a cold cache; what the library took for making them. */
void row_million(const struct row *r, struct target *t, double *out)
{
	struct target other;
	double begin, seconds;
	char name[32];
	u32 n = 0;

	if (!image_is_shared())
		million_memory = in_child(
			make_million, r, image_make(IMAGE_SHARED, r->image_bytes, "-N 1100000"));
	other_mount(&other, t, IMAGE_SHARED);
	begin = now();
	do {
		snprintf(name, sizeof(name), "file-%u", (u32)(n++ * 2654435761u % MANY));
		t->kind->backend->stat(&other, name);
		seconds = now() - begin;
	} while (seconds < PATIENCE * settings.seconds);
	target_down(&other);
	out[0] = n / seconds;
	out[1] = t->id == UEXT4 ? million_memory : NAN;
}
