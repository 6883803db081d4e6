/* Images of rows; children. */
#include "images.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <uext4.h>
#include <unistd.h>

void image_check(const char *what, int64_t err)
{
	if (err < 0)
		die("image", what, (int)-err);
}

const char *image_path(const char *name)
{
	static char paths[2][600];
	static unsigned turn;
	char *path = paths[turn++ % 2];

	snprintf(path, sizeof(paths[0]), "%s/%s.img", settings.work_dir, name);
	return path;
}

const char *image_make(const char *name, u64 bytes, const char *options)
{
	const char *path = image_path(name);

	if (run_command("rm -f '%s'; truncate -s %llu '%s' && mke2fs -q -F -t ext4 -b 4096 -I 256 "
			"%s -E "
			"lazy_itable_init=1,lazy_journal_init=1,nodiscard '%s'",
		    path, (unsigned long long)bytes, path, options, path) != 0)
		die("image", path, EIO);
	return path;
}

bool image_is_shared(void)
{
	return access(image_path(IMAGE_SHARED), F_OK) == 0;
}

void row_images_remove(void)
{
	unlink(image_path(IMAGE_SHARED));
}

struct uext4_fs *image_open(const char *path, u64 cache_bytes)
{
	struct uext4_options opt = {
		.size = sizeof(opt), .atime = UEXT4_NOATIME, .cache_bytes = cache_bytes};
	struct uext4_fs *fs;

	image_check(path, uext4_open(path, &opt, &fs));
	return fs;
}

void file_create(struct uext4_fs *fs, const char *name)
{
	struct uext4_file *f;

	image_check(name, uext4_openat(fs, NULL, name, O_RDWR | O_CREAT, 0644, NULL, &f));
	uext4_file_close(f);
}

double in_child(
	double (*fn)(const struct row *, const char *), const struct row *r, const char *path)
{
	double value = 0;
	int p[2], status;
	pid_t pid;

	fflush(NULL);
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

double memory_mib(int pid, const char *field)
{
	char line[128];
	double kib = 0;
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%d/status", pid);
	f = fopen(line, "r");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, field, strlen(field)) == 0)
			kib = atof(line + strlen(field) + 1);
	if (f)
		fclose(f);
	return kib / 1024;
}
