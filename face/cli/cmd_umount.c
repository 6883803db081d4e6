/* uext4 umount: unmounts, then waits until the server has let go of the image. */
#include "cli.h"
#include "image_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

/* Undoes the \ooo escapes of mountinfo. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; to++) {
		if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
			*to = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
			text += 4;
		} else {
			*to = *text++;
		}
	}
	*to = '\0';
}

/* "ID PARENT DEV ROOT DIR OPTIONS ... - TYPE SOURCE OPTIONS": true if DIR is dir. */
static bool parse_line(char *line, const char *dir, char *type, char *source)
{
	char *fields[6], *save, *rest = strstr(line, " - ");
	int n = 0;

	if (!rest || sscanf(rest, " - %63s %4095s", type, source) != 2)
		return false;
	for (char *f = strtok_r(line, " ", &save); f && n < 6; f = strtok_r(NULL, " ", &save))
		fields[n++] = f;
	if (n < 5)
		return false;
	unescape(fields[4]);
	unescape(source);
	return strcmp(fields[4], dir) == 0;
}

/* The last mount on dir is the one on top. */
static bool find_mount(const char *dir, char *type, char *source)
{
	FILE *info = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, line_type[64], line_source[PATH_MAX];
	size_t size = 0;
	bool found = false;

	while (info && getline(&line, &size, info) > 0) {
		if (!parse_line(line, dir, line_type, line_source))
			continue;
		strcpy(type, line_type);
		strcpy(source, line_source);
		found = true;
	}
	free(line);
	if (info)
		fclose(info);
	return found;
}

/* In the child: its messages go to fd. */
static void exec_fusermount(int fd, const char *dir)
{
	dup2(fd, STDERR_FILENO);
	execlp("fusermount3", "fusermount3", "-u", "--", dir, (char *)NULL);
	dprintf(STDERR_FILENO, "fusermount3 (package fuse3): %s", strerror(errno));
	_exit(127);
}

/* True if it worked; otherwise why holds what it said. */
static bool run_fusermount(const char *dir, char *why, size_t size)
{
	int fd[2], status = -1;
	size_t used = 0;
	ssize_t n;
	pid_t child;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return false;
	child = fork();
	if (child == 0)
		exec_fusermount(fd[1], dir);
	close(fd[1]);
	while (used < size - 1 && (n = read(fd[0], why + used, size - 1 - used)) > 0)
		used += (size_t)n;
	close(fd[0]);
	while (used && why[used - 1] == '\n')
		used--;
	why[used] = '\0';
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/* The kernel lets only root unmount; fusermount3 does it for the others. */
static int unmount(struct cli *cli, const char *dir)
{
	char why[512] = "";

	if (umount2(dir, UMOUNT_NOFOLLOW) == 0)
		return EXIT_OK;
	if (errno != EPERM)
		return cli_fail(cli, dir, -errno);
	if (run_fusermount(dir, why, sizeof(why)))
		return EXIT_OK;
	return cli_fail_text(cli, dir, why[0] ? why : "fusermount3 failed");
}

int cmd_umount(struct cli *cli, int argc, char **argv)
{
	char dir[PATH_MAX], type[64], source[PATH_MAX];
	int code = cli_options(cli, argc, argv, "", NULL, NULL, NULL);

	if (code >= 0)
		return code;
	if (cli->argc != 1)
		return cli_usage(cli, "one directory is needed");
	if (!realpath(cli->argv[0], dir))
		return cli_fail(cli, cli->argv[0], -errno);
	if (!find_mount(dir, type, source) || strcmp(type, "fuse.uext4"))
		return cli_fail_text(cli, dir, "no uext4 file system is mounted there");
	code = unmount(cli, dir);
	if (code == EXIT_OK)
		image_lock_wait(source, false, -1); /* held until all is written */
	return code;
}
