/* A device in memory with undo; e2fsck's opinion of it. */
#include "image.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096u

static bool in_range(struct image *img, u64 offset, u64 len)
{
	if (offset <= img->size && len <= img->size - offset)
		return true;
	__atomic_store_n(&img->outside, true, __ATOMIC_RELAXED);
	return false;
}

static int mem_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	struct image *img = arg;

	if (!in_range(img, offset, len))
		return -EIO;
	memcpy(buf, img->work + offset, len);
	return 0;
}

static void mark(struct image *img, u64 offset, u64 len)
{
	for (u64 p = offset / PAGE; p * PAGE < offset + len; p++)
		__atomic_store_n(&img->dirty[p], 1, __ATOMIC_RELAXED);
}

static int mem_write(void *arg, uint64_t offset, const void *buf, size_t len)
{
	struct image *img = arg;

	if (!in_range(img, offset, len))
		return -EIO;
	pthread_rwlock_rdlock(&img->lock);
	memcpy(img->work + offset, buf, len);
	pthread_rwlock_unlock(&img->lock);
	mark(img, offset, len);
	return 0;
}

static int mem_flush(void *arg)
{
	return 0;
}

void image_touch(struct image *img, const void *at, u64 len)
{
	mark(img, (u64)((const u8 *)at - img->work), len);
}

void image_restore(struct image *img)
{
	for (u64 p = 0; p < img->size / PAGE; p++) {
		if (!img->dirty[p])
			continue;
		memcpy(img->work + p * PAGE, img->pristine + p * PAGE, PAGE);
		img->dirty[p] = 0;
	}
}

void image_adopt(struct image *img)
{
	memcpy(img->pristine, img->work, img->size);
	memset(img->dirty, 0, img->size / PAGE);
}

void image_free(struct image *img)
{
	free(img->pristine);
	free(img->work);
	free(img->dirty);
	pthread_rwlock_destroy(&img->lock);
}

int image_open(struct image *img, const struct uext4_options *opt, struct uext4_fs **out)
{
	struct uext4_device_ops ops = {.size = sizeof(ops),
		.read = mem_read,
		.write = mem_write,
		.flush = mem_flush,
		.device_bytes = img->size,
		.block_size = 512};

	return uext4_open_device(&ops, img, opt, out);
}

int image_check(
	struct image *img, const struct uext4_check_options *opt, struct uext4_check_result *result)
{
	struct uext4_device_ops ops = {.size = sizeof(ops),
		.read = mem_read,
		.device_bytes = img->size,
		.block_size = 512};

	return uext4_check_device(&ops, img, opt, result);
}

/* --- e2fsck --- */

static bool is_complaint(const char *line)
{
	static const char *const chatter[] = {"e2fsck ", "Pass ", "Warning!  ", "/", "\n",
		"Superblock needs_recovery", "Journal superblock",
		/* e2fsck itself dies of some images */
		"Signal ", "e2fsck[", "e2fsck("};

	if (strstr(line, "was not cleanly unmounted") ||
		strstr(line, "contains a file system with"))
		return false;
	if (strstr(line, ": clean") || strstr(line, "files (") || strstr(line, "could be"))
		return false;
	if (strstr(line, "skipping journal recovery") || strstr(line, "WARNING: Filesystem still"))
		return false;
	for (size_t k = 0; k < sizeof(chatter) / sizeof(chatter[0]); k++)
		if (strncmp(line, chatter[k], strlen(chatter[k])) == 0)
			return false;
	return true;
}

/* Without numbers, and without names, which begin with '/' or stand in parentheses. */
static void simplify(char *line)
{
	char *out = line;
	int depth = 0;

	for (const char *p = line; *p && *p != '\n'; p++) {
		if (*p == '/' && (p == line || p[-1] == ' '))
			p += strcspn(p, " \n") - 1;
		else if (*p == '(' || *p == '<')
			depth++;
		else if (depth && (*p == ')' || *p == '>'))
			depth--;
		else if (!depth && !isdigit((unsigned char)*p))
			*out++ = *p;
	}
	*out = 0;
}

/* Of differences between bitmaps only the directions count: + is used but free, - a leak. */
static void simplify_differences(char *line, const char *rest)
{
	bool used = strchr(rest, '+'), leaked = strchr(rest, '-');

	sprintf(line + strcspn(line, ":"), ":%s%s", used ? " +" : "", leaked ? " -" : "");
}

static void add_kind(char **list, const char *line)
{
	size_t len = strlen(*list);
	char needle[1100];

	snprintf(needle, sizeof(needle), "\n%.1000s\n", line);
	if (strstr(*list, needle))
		return;
	*list = realloc(*list, len + strlen(line) + 2);
	sprintf(*list + len, "%s\n", line);
}

char *image_fsck(struct image *img)
{
	char path[64], command[128], *line = NULL;
	size_t size = 0;
	char *kinds = strdup("\n");
	FILE *f;

	snprintf(path, sizeof(path), "/tmp/uext4-fuzz-%d.img", (int)getpid());
	f = fopen(path, "w");
	if (!f || fwrite(img->work, 1, img->size, f) != img->size || fclose(f))
		exit(2);
	snprintf(command, sizeof(command), "timeout 60 e2fsck -fn %s 2>&1", path);
	f = popen(command, "r");
	while (f && getline(&line, &size, f) > 0) {
		char *differences = strstr(line, "differences:");

		if (!is_complaint(line))
			continue;
		if (differences)
			simplify_differences(line, differences);
		else
			simplify(line);
		add_kind(&kinds, line);
	}
	free(line);
	if (f)
		pclose(f);
	unlink(path);
	return kinds;
}
