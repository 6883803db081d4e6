/* Setting targets up: backing files, mkfs, mounts, servers. */
#include "bench.h"

#include <dirent.h>
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
	[RAW] = {"raw", "the preallocated backing file itself: the limit", &backend_fd, false,
		false},
	[UEXT4] = {"uext4", "the library", &backend_lib, true, false},
	[UEXT4_FUSE] = {"uext4-fuse", "uext4 mount", &backend_fd, true, false},
	[CEILING] = {"fuse-ceiling",
		"a FUSE server that only forwards to a directory: the limit of mounts", &backend_fd,
		true, false},
	[KERNEL] = {"kernel", "Linux ext4 on a loop device", &backend_fd, true, true},
	[KERNEL_DIO] = {"kernel-dio", "Linux ext4 on a loop device with direct I/O", &backend_fd,
		true, true},
	[FUSE2FS] = {"fuse2fs", "fuse2fs of e2fsprogs", &backend_fd, true, false},
	[POSIX] = {"posix", "posix:DIR, any directory", &backend_fd, true, false},
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

void target_list(void)
{
	for (size_t k = 0; k < KINDS; k++)
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
	for (size_t k = 0; k < KINDS; k++)
		if (strncmp(kinds[k].name, spec, strcspn(spec, ":")) == 0 &&
			strlen(kinds[k].name) == strcspn(spec, ":"))
			return &kinds[k];
	return NULL;
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

static bool is_fuse(const struct target *t)
{
	return t->id == UEXT4_FUSE || t->id == CEILING || t->id == FUSE2FS;
}

static const char *why_not(const struct target *t)
{
	if (t->kind->needs_root && geteuid() != 0)
		return "needs root";
	if (t->id == FUSE2FS && !have("fuse2fs"))
		return "fuse2fs is not installed";
	if (t->id == UEXT4_FUSE && access(own_program("uext4"), X_OK) < 0)
		return "the program uext4 was not built";
	if (t->id == CEILING && access(own_program("uext4-ceiling"), X_OK) < 0)
		return "it was not built";
	if (is_fuse(t) && access("/dev/fuse", R_OK | W_OK) < 0)
		return "/dev/fuse can't be opened";
	return NULL;
}

/* Written, not only allocated, so that the host's file system has nothing left to convert. */
static void make_backing(const struct target *t, const char *image, u64 bytes)
{
	size_t step = 4 * MIB;
	void *zero = pages_alloc(step);
	int fd = open(image, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0644);

	if (fd < 0)
		die(t->name, image, errno);
	for (u64 at = 0; at < bytes; at += step)
		if (pwrite(fd, zero, step, (off_t)at) != (ssize_t)step)
			die(t->name, image, errno);
	if (fsync(fd) < 0)
		die(t->name, image, errno);
	close(fd);
	free(zero);
}

static void make_fs(const struct target *t, const char *image)
{
	if (run_command("mke2fs -q -F -t ext4 -b 4096 -I 256 -E nodiscard,lazy_itable_init=0,"
			"lazy_journal_init=0 -N %u '%s'",
		    settings.full ? 400000 : 100000, image) != 0)
		die(t->name, "mke2fs", EIO);
}

static int mount_loop(const char *image, const char *dir, bool direct)
{
	return run_command("dev=$(losetup -f --show --direct-io=%s '%s') && mount -o noatime $dev "
			   "'%s'; code=$?; losetup -d $dev; exit $code",
		direct ? "on" : "off", image, dir);
}

/*
 * The ceiling's directory: files lie on the host, as backing files do; names, where that may be
 * done, on an ext4 like that of the target "kernel", not on a host's that is older and bigger.
 */
static void make_ceiling(const struct target *t, u64 bytes)
{
	char image[600], names[600];

	snprintf(image, sizeof(image), "%s.names", t->image);
	snprintf(names, sizeof(names), "%s/" NAMES_DIR, t->image);
	mkdir(t->image, 0755);
	mkdir(names, 0755);
	if (geteuid() != 0)
		return;
	make_backing(t, image, bytes);
	make_fs(t, image);
	if (mount_loop(image, names, false) != 0)
		die(t->name, "mounting the ext4 for names failed", EIO);
}

static int attach(struct target *t)
{
	if (t->kind->needs_root)
		return mount_loop(t->image, t->root, t->id == KERNEL_DIO);
	if (t->id == FUSE2FS)
		return run_command("fuse2fs '%s' '%s' >/dev/null", t->image, t->root);
	if (t->id == CEILING)
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
		if (t->id != POSIX && attach(t) != 0)
			die(t->name, "mounting failed", EIO);
		/* A server started later would keep it open, and the mount busy. */
		t->dir_fd = open(t->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (t->dir_fd < 0)
			die(t->name, t->root, errno);
	}
	t->mount_seconds = now() - begin;
}

static bool has_argument(int pid, const char *wanted)
{
	char path[64], line[2048];
	bool found = false;
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	f = fopen(path, "r");
	if (!f)
		return false;
	len = fread(line, 1, sizeof(line) - 1, f);
	line[len] = 0;
	for (size_t at = 0; at < len && !found; at += strlen(line + at) + 1)
		found = strcmp(line + at, wanted) == 0;
	fclose(f);
	return found;
}

int target_server(const struct target *t)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	int pid = 0;

	if (!proc)
		die("bench", "/proc", errno);
	while (!pid && (e = readdir(proc)) != NULL)
		if (has_argument(atoi(e->d_name), t->image))
			pid = atoi(e->d_name);
	closedir(proc);
	return pid;
}

/* A server ends a little after umount returns; until then the image is locked. */
static void wait_unlocked(const struct target *t)
{
	for (int k = 0; is_fuse(t) && k < 12000 && target_server(t); k++)
		usleep(5000);
}

static bool unmounted(const struct target *t)
{
	for (int k = 0; k < 100; k++) {
		if (run_command("umount '%s' 2>/dev/null", t->root) == 0)
			return true;
		usleep(100000);
	}
	return false;
}

void target_down(struct target *t)
{
	if (t->kind->backend == &backend_lib) {
		uext4_close(t->fs);
	} else if (t->kind->has_names) {
		close(t->dir_fd);
		if (t->id == POSIX)
			return;
		if (!unmounted(t))
			die(t->name, "unmounting failed", EBUSY);
		wait_unlocked(t);
	}
}

bool target_find(struct target *t, const char *spec, const char *work_dir)
{
	const char *why;

	*t = (struct target){.name = spec, .kind = kind_of(spec), .dir_fd = -1};
	if (!t->kind) {
		fprintf(stderr, "uext4-bench: no target is called %s; there are:\n", spec);
		target_list();
		return false;
	}
	t->id = (enum target_id)(t->kind - kinds);
	why = why_not(t);
	if (why) {
		fprintf(stderr, "uext4-bench: without %s: %s\n", spec, why);
		return false;
	}
	snprintf(t->image, sizeof(t->image), "%s/%s.img", work_dir, t->kind->name);
	snprintf(t->root, sizeof(t->root), "%s/%s.mnt", work_dir, t->kind->name);
	if (t->id == POSIX)
		snprintf(t->root, sizeof(t->root), "%s", strchr(spec, ':') ? spec + 6 : ".");
	return true;
}

void target_make(struct target *t, u64 image_bytes)
{
	if (t->is_made)
		return;
	t->is_made = true;
	if (t->id != POSIX)
		mkdir(t->root, 0755);
	if (t->id == CEILING)
		make_ceiling(t, image_bytes);
	else if (t->id != POSIX)
		make_backing(t, t->image, t->kind->has_names ? image_bytes : 0);
	if (t->kind->has_names && t->id != POSIX && t->id != CEILING)
		make_fs(t, t->image);
	target_up(t);
	if (t->kind->has_names && t->id != CEILING)
		t->kind->backend->mkdir(t, NAMES_DIR);
}

/* The host may keep pages of a backing file, too. */
static void forget_pages(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		die("bench", path, errno);
	fdatasync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
}

void target_cool(struct target *t, const char *path)
{
	char host[1100];

	target_down(t);
	snprintf(host, sizeof(host), "%s/%s", t->id == POSIX ? t->root : t->image, path);
	forget_pages(t->id == POSIX || t->id == CEILING ? host : t->image);
	target_up(t);
}

/* What lies in the host's page cache goes, too. */
void target_settle(struct target *t)
{
	char names[600];
	int fd;

	if (!t->kind->has_names)
		return;
	t->kind->backend->sync(t);
	snprintf(names, sizeof(names), "%s/" NAMES_DIR, t->image);
	fd = open(t->id == CEILING ? names : t->image, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return; /* of posix: there is no backing file */
	if (t->id == CEILING)
		syncfs(fd);
	else
		fdatasync(fd);
	close(fd);
}

void target_close(struct target *t)
{
	if (!t->is_made)
		return;
	if (t->id == POSIX && t->has_data)
		t->kind->backend->unlink(t, DATA_FILE);
	if (t->id == POSIX)
		t->kind->backend->rmdir(t, NAMES_DIR);
	target_down(t);
	if (t->id == CEILING && geteuid() == 0)
		run_command("umount '%s/" NAMES_DIR "'", t->image);
}
