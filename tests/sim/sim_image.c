#include "sim_image.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dev/devices.h"

static void need(bool yes, const char *what)
{
	if (yes)
		return;
	perror(what);
	exit(1);
}

#define PAGE 4096

static void find_used(struct sim_image *image)
{
	static const u8 zero[PAGE];

	image->used = calloc(image->bytes / PAGE, sizeof(*image->used));
	need(image->used != NULL, "memory");
	for (size_t at = 0; at < image->bytes; at += PAGE)
		if (memcmp(image->data + at, zero, PAGE))
			image->used[image->used_count++] = at;
}

void sim_image_make(struct sim_image *image, size_t bytes, const char *mke2fs_options)
{
	char path[] = "/tmp/uext4-sim-XXXXXX", command[512];
	int fd = mkstemp(path);

	need(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0, path);
	snprintf(command, sizeof(command),
		"E2FSPROGS_FAKE_TIME=1700000000 mke2fs -q -F -t ext4 -U clear -E hash_seed=%s %s "
		"%s",
		"7a7f1de0-0000-4000-8000-000000000001", mke2fs_options, path);
	need(system(command) == 0, command);
	*image = (struct sim_image){.data = malloc(bytes), .bytes = bytes};
	need(image->data && pread(fd, image->data, bytes, 0) == (ssize_t)bytes, "read");
	close(fd);
	unlink(path);
	find_used(image);
}

void sim_image_free(struct sim_image *image)
{
	free(image->data);
	free(image->used);
	*image = (struct sim_image){0};
}

int sim_image_dev(const struct sim_image *image, struct dev **out)
{
	int err = dev_mem_create(image->bytes, 512, out);

	for (size_t i = 0; i < image->used_count && !err; i++) {
		size_t at = image->used[i];

		memcpy((u8 *)dev_mem_data(*out) + at, image->data + at, PAGE);
	}
	return err;
}

int sim_image_mount(const struct sim_image *image, struct uext4_fs **out)
{
	struct dev *dev;
	int err = sim_image_dev(image, &dev);

	return err ? err : api_open_dev(dev, NULL, out);
}
