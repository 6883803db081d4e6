/*
 * Locks between processes, and messages that say who is in the way. OFD locks
 * name no process (l_pid is -1), so the holder is looked for in /proc: a
 * process whose descriptor is open on the same inode and has a lock.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/util.h"
#include "dev/file_priv.h"

struct holder {
	pid_t pid; /* 0: not found */
	bool writes;
	char command[64];
};

static void trim_newline(char *s)
{
	s[strcspn(s, "\n")] = '\0';
}

static bool line_read(const char *path, char *out, size_t size)
{
	FILE *file = fopen(path, "re");
	bool ok;

	if (!file)
		return false;
	ok = fgets(out, (int)size, file) != NULL;
	fclose(file);
	if (ok)
		trim_newline(out);
	return ok;
}

/* The locks of a descriptor stand as "lock:" lines in its fdinfo. */
static bool fdinfo_has_lock(const char *pid, const char *fd, bool *writes)
{
	char path[600], line[256];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/fdinfo/%s", pid, fd);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file)) {
		found = strncmp(line, "lock:", 5) == 0 && !strstr(line, "->");
		*writes = strstr(line, "WRITE") != NULL;
	}
	fclose(file);
	return found;
}

static bool process_holds(const char *pid, const struct stat *st, bool *writes)
{
	char path[64], name[400];
	bool found = false;
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (e = readdir(dir))) {
		struct stat other;

		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (isdigit((unsigned char)e->d_name[0]) && stat(name, &other) == 0 &&
			other.st_ino == st->st_ino && other.st_dev == st->st_dev)
			found = fdinfo_has_lock(pid, e->d_name, writes);
	}
	closedir(dir);
	return found;
}

static void holder_find(const struct file_dev *f, struct holder *h)
{
	struct stat st;
	struct dirent *e;
	DIR *proc;

	*h = (struct holder){0};
	if (stat(f->dev.path, &st) != 0)
		return;
	proc = opendir("/proc");
	if (!proc)
		return;
	while (!h->pid && (e = readdir(proc))) {
		char path[300];

		if (!isdigit((unsigned char)e->d_name[0]) ||
			!process_holds(e->d_name, &st, &h->writes))
			continue;
		h->pid = atoi(e->d_name);
		snprintf(path, sizeof(path), "/proc/%.20s/comm", e->d_name);
		if (!line_read(path, h->command, sizeof(h->command)))
			strcpy(h->command, "?");
	}
	closedir(proc);
}

static bool report_holder(const struct file_dev *f)
{
	struct holder h;

	holder_find(f, &h);
	if (!h.pid)
		return false;
	log_msg(f->dev.log, LOG_ERROR,
		"%s: in use by %sprocess %d (%s), which has it open for %s: %s", f->dev.path,
		h.pid == getpid() ? "this same " : "", (int)h.pid, h.command,
		h.writes ? "writing" : "reading",
		h.writes ? "close it there first" : "close it there first, or open it read-only");
	return true;
}

int file_lock(const struct file_dev *f, bool write)
{
	struct flock lock = {.l_type = write ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};

	if (fcntl(f->fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno != EAGAIN && errno != EACCES) {
		log_msg(f->dev.log, LOG_WARNING,
			"%s: can't be locked here (%s): make sure that nobody else uses it",
			f->dev.path, strerror(errno));
		return 0;
	}
	if (!report_holder(f))
		log_msg(f->dev.log, LOG_ERROR,
			"%s: in use by another process (which one, only root can see): "
			"close it there first",
			f->dev.path);
	return ERR(EBUSY);
}

/* Closing would do it, too, but only when nobody else (a child process) has the descriptor. */
void file_unlock(const struct file_dev *f)
{
	struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	(void)fcntl(f->fd, F_OFD_SETLK, &lock);
}

static void loop_report(const struct file_dev *f, const char *loop)
{
	log_msg(f->dev.log, LOG_ERROR,
		"%s: attached to loop device /dev/%s, so the kernel may be using it: "
		"unmount it and run losetup -d /dev/%s, or open it read-only",
		f->dev.path, loop, loop);
}

static bool loop_is_on(const char *loop, const struct stat *image)
{
	char attr[300], backing[4096];
	struct stat st;

	snprintf(attr, sizeof(attr), "/sys/block/%s/loop/backing_file", loop);
	return line_read(attr, backing, sizeof(backing)) && stat(backing, &st) == 0 &&
	       st.st_dev == image->st_dev && st.st_ino == image->st_ino;
}

/* The kernel's loop driver takes no lock. */
int file_check_loop(const struct file_dev *f)
{
	DIR *dir = opendir("/sys/block");
	struct dirent *e;
	struct stat st;
	int err = 0;

	if (!dir)
		return 0;
	if (fstat(f->fd, &st) != 0)
		err = ERR(errno);
	while (!err && (e = readdir(dir)))
		if (strncmp(e->d_name, "loop", 4) == 0 && loop_is_on(e->d_name, &st)) {
			loop_report(f, e->d_name);
			err = ERR(EBUSY);
		}
	closedir(dir);
	return err;
}

/* Where the device is mounted, from mountinfo: "id parent major:minor root mountpoint ...". */
static bool mount_find(u64 devno, char *out, size_t size)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096], point[256];
	unsigned maj, min;
	bool found = false;

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, "%*d %*d %u:%u %*s %255s", &maj, &min, point) == 3 &&
			maj == major(devno) && min == minor(devno);
	fclose(file);
	if (found)
		snprintf(out, size, "%s", point);
	return found;
}

void file_report_busy_block(const struct file_dev *f, u64 devno)
{
	char point[256];

	if (mount_find(devno, point, sizeof(point)))
		log_msg(f->dev.log, LOG_ERROR,
			"%s: mounted at %s: unmount it first, or open it read-only", f->dev.path,
			point);
	else if (!report_holder(f))
		log_msg(f->dev.log, LOG_ERROR,
			"%s: in use by the kernel (swap, device mapper, RAID) or another process: "
			"release it first, or open it read-only",
			f->dev.path);
}
