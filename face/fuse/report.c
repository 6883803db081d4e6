/* Messages, and the way to the background. */
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

static bool to_syslog; /* set once, before other threads report */
static int release_fd = -1;

static int priority(enum uext4_log_level level)
{
	switch (level) {
	case UEXT4_LOG_ERROR:
		return LOG_ERR;
	case UEXT4_LOG_WARNING:
		return LOG_WARNING;
	case UEXT4_LOG_INFO:
		return LOG_INFO;
	default:
		return LOG_DEBUG;
	}
}

void report_log(void *arg, enum uext4_log_level level, const char *message)
{
	if (level == UEXT4_LOG_DEBUG)
		return;
	if (to_syslog)
		syslog(priority(level), "%s", message);
	else
		fprintf(stderr, "uext4: %s\n", message);
}

void report(enum uext4_log_level level, const char *format, ...)
{
	char text[PATH_MAX + 512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	report_log(NULL, level, text);
}

void report_to_syslog(void)
{
	openlog("uext4", LOG_PID, LOG_DAEMON);
	to_syslog = true;
}

const char *report_reason(int err)
{
	switch (err) {
	case -EUCLEAN:
		return "the file system is corrupt; run e2fsck";
	case -EBADMSG:
		return "a checksum does not match; run e2fsck";
	case -EBUSY:
		return "another program has it open";
	case -ENOTSUP:
		return "it uses a feature that is not supported";
	case -EINVAL:
		return "there is no ext4 file system to be opened";
	default:
		return strerror(-err);
	}
}

/* The exit code that the other end sent, or 1 when it ended without a word. */
static int wait_for_release(int fd, pid_t child)
{
	unsigned char code = 1;
	ssize_t n;

	do {
		n = read(fd, &code, 1);
	} while (n < 0 && errno == EINTR);
	if (n != 1)
		waitpid(child, NULL, 0);
	return n == 1 ? code : 1;
}

int background_detach(void)
{
	int fd[2];
	pid_t child;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return -errno;
	fflush(NULL);
	child = fork();
	if (child < 0) {
		int err = -errno;

		close(fd[0]);
		close(fd[1]);
		return err;
	}
	if (child > 0) {
		close(fd[1]);
		_exit(wait_for_release(fd[0], child));
	}
	close(fd[0]);
	release_fd = fd[1];
	setsid();
	return 0;
}

static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (chdir("/") < 0 || null < 0)
		return;
	for (int fd = 0; fd <= 2; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
}

void background_release(int exit_code)
{
	unsigned char code = (unsigned char)exit_code;
	ssize_t n;

	if (release_fd < 0)
		return;
	if (!exit_code) {
		report_to_syslog();
		leave_terminal();
	}
	do {
		n = write(release_fd, &code, 1);
	} while (n < 0 && errno == EINTR);
	close(release_fd);
	release_fd = -1;
}
