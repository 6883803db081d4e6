/* Setting targets up: backing files, mkfs, mounts, servers. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <uext4.h>
#include <unistd.h>

static const struct target_kind kinds[] = {
	{"raw", "the preallocated backing file itself: the limit", &backend_fd, false, false},
	{"uext4", "the library", &backend_lib, true, false},
	{"uext4-fuse", "uext4 mount", &backend_fd, true, false},
	{"fuse-ceiling", "a FUSE server that only forwards to a directory: the limit of mounts",
		&backend_fd, true, false},
	{"kernel", "Linux ext4 on a loop device", &backend_fd, true, true},
	{"kernel-dio", "Linux ext4 on a loop device with direct I/O", &backend_fd, true, true},
	{"fuse2fs", "fuse2fs of e2fsprogs", &backend_fd, true, false},
	{"posix", "posix:DIR, any directory", &backend_fd, true, false},
};

void target_list(void)
{
	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
		printf("  %-12s %s\n", kinds[k].name, kinds[k].what);
}

int run_command(const char *format, ...)
{
	char command[2048];
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static bool have(const char *program)
{
	return run_command("command -v %s >/dev/null 2>&1", program) == 0;
}

static const struct target_kind *kind_of(const char *spec)
{
	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
		if (strncmp(kinds[k].name, spec, strcspn(spec, ":")) == 0 &&
			strlen(kinds[k].name) == strcspn(spec, ":"))
			return &kinds[k];
	return NULL;
}

static bool is(const struct target *t, const char *name)
{
	return strcmp(t->kind->name, name) == 0;
}

static const char *own_program(const char *name)
{
	static char path[600];
	char self[512] = "";

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		die("bench", "/proc/self/exe", errno);
	*strrchr(self, '/') = 0;
	snprintf(path, sizeof(path), "%s/%s", self, name);
	return path;
}

static const char *why_not(const struct target *t)
{
	if (t->kind->needs_root && geteuid() != 0)
		return "needs root";
	if (is(t, "fuse2fs") && !have("fuse2fs"))
		return "fuse2fs is not installed";
	if (is(t, "fuse-ceiling") && access(own_program("uext4-ceiling"), X_OK) < 0)
		return "it was not built, for want of libfuse";
	if ((is(t, "uext4-fuse") || is(t, "fuse-ceiling") || is(t, "fuse2fs")) &&
		access("/dev/fuse", R_OK | W_OK) < 0)
		return "/dev/fuse can't be opened";
	return NULL;
}

/* Written, not only allocated, so that the host's file system has nothing left to convert. */
static void make_backing(const struct target *t, u64 bytes)
{
	size_t step = MIB;
	char *zero = calloc(1, step);
	int fd = open(t->image, O_RDWR | O_CREAT | O_TRUNC, 0644);

	if (fd < 0)
		die(t->name, t->image, errno);
	for (u64 at = 0; at < bytes; at += step)
		if (pwrite(fd, zero, step, (off_t)at) != (ssize_t)step)
			die(t->name, t->image, errno);
	if (fsync(fd) < 0)
		die(t->name, t->image, errno);
	close(fd);
	free(zero);
	if (t->kind->has_names &&
		run_command("mke2fs -q -F -t ext4 -E nodiscard,lazy_itable_init=0,"
			    "lazy_journal_init=0 -N 400000 '%s'",
			t->image) != 0)
		die(t->name, "mke2fs", EIO);
}

static int attach(struct target *t)
{
	if (is(t, "kernel") || is(t, "kernel-dio"))
		return run_command(
			"dev=$(losetup -f --show --direct-io=%s '%s') && mount -o noatime $dev "
			"'%s'; code=$?; losetup -d $dev; exit $code",
			is(t, "kernel") ? "off" : "on", t->image, t->root);
	if (is(t, "fuse2fs"))
		return run_command("fuse2fs '%s' '%s' >/dev/null", t->image, t->root);
	if (is(t, "fuse-ceiling"))
		return run_command(
			"'%s' '%s' '%s'", own_program("uext4-ceiling"), t->image, t->root);
	return run_command(
		"'%s' mount -o noatime '%s' '%s'", own_program("uext4"), t->image, t->root);
}

static void library_open(struct target *t)
{
	struct uext4_options opt = {.size = sizeof(opt), .atime = UEXT4_NOATIME};
	struct uext4_fs *fs;
	int err = uext4_open(t->image, &opt, &fs);

	if (err)
		die(t->name, t->image, -err);
	t->fs = fs;
}

void target_up(struct target *t)
{
	double begin = now();

	if (t->kind->backend == &backend_lib) {
		library_open(t);
	} else if (t->kind->has_names) {
		if (!is(t, "posix") && attach(t) != 0)
			die(t->name, "mounting failed", EIO);
		t->dir_fd = open(t->root, O_RDONLY | O_DIRECTORY);
		if (t->dir_fd < 0)
			die(t->name, t->root, errno);
	}
	t->mount_seconds = now() - begin;
}

/* A server ends a little after umount returns; until then the image is locked. */
static void wait_unlocked(const struct target *t)
{
	if (is(t, "uext4-fuse") || is(t, "fuse2fs"))
		for (int k = 0; k < 100 && run_command("fuser -s '%s' 2>/dev/null", t->image) == 0;
			k++)
			usleep(50000);
}

void target_down(struct target *t)
{
	if (t->kind->backend == &backend_lib) {
		uext4_close(t->fs);
	} else if (t->kind->has_names) {
		close(t->dir_fd);
		for (int k = 0; !is(t, "posix") && k < 100; k++) {
			if (run_command("umount '%s' 2>/dev/null", t->root) == 0)
				break;
			usleep(100000);
		}
		wait_unlocked(t);
	}
}

bool target_open(struct target *t, const char *spec, const char *work_dir, u64 image_bytes)
{
	const char *why;

	*t = (struct target){.name = spec, .kind = kind_of(spec), .dir_fd = -1};
	if (!t->kind) {
		fprintf(stderr, "uext4-bench: no target is called %s; there are:\n", spec);
		target_list();
		return false;
	}
	why = why_not(t);
	if (why) {
		fprintf(stderr, "uext4-bench: without %s: %s\n", spec, why);
		return false;
	}
	snprintf(t->image, sizeof(t->image), "%s/%s.img", work_dir, t->kind->name);
	snprintf(t->root, sizeof(t->root), "%s/%s.mnt", work_dir, t->kind->name);
	if (is(t, "posix")) {
		snprintf(t->root, sizeof(t->root), "%s", strchr(spec, ':') ? spec + 6 : ".");
	} else {
		mkdir(t->root, 0755);
		if (is(t, "fuse-ceiling"))
			mkdir(t->image, 0755);
		else
			make_backing(t, image_bytes);
	}
	target_up(t);
	return true;
}

void target_close(struct target *t)
{
	target_down(t);
	if (!is(t, "posix")) {
		if (is(t, "fuse-ceiling"))
			run_command("rm -r '%s'", t->image);
		else
			unlink(t->image);
		rmdir(t->root);
	}
}
