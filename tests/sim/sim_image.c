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
}

void sim_image_free(struct sim_image *image)
{
	free(image->data);
	image->data = NULL;
}

int sim_image_dev(const struct sim_image *image, struct dev **out)
{
	int err = dev_mem_create(image->bytes, 512, out);

	if (!err)
		memcpy(dev_mem_data(*out), image->data, image->bytes);
	return err;
}

int sim_image_mount(const struct sim_image *image, struct uext4_fs **out)
{
	struct dev *dev;
	int err = sim_image_dev(image, &dev);

	return err ? err : api_open_dev(dev, NULL, out);
}
