/* Fresh images by mke2fs, as memory, and mounts of a copy in the simulator. */
#ifndef TESTS_SIM_IMAGE_H
#define TESTS_SIM_IMAGE_H

#include <uext4.h>

#include "api/open_dev.h"
#include "sim/os/sim.h"

struct sim_image {
	u8 *data;
	size_t bytes;
	size_t *used; /* offsets of the pages that are not all zero */
	size_t used_count;
};

/* For what runs in the simulator. */
#define SIM_NEED(what)                                                                             \
	do {                                                                                       \
		if (!(what))                                                                       \
			sim_fail("line %d: %s", __LINE__, #what);                                  \
	} while (0)

/* Ends the process if mke2fs fails. */
void sim_image_make(struct sim_image *image, size_t bytes, const char *mke2fs_options);
void sim_image_free(struct sim_image *image);
/* A memory device with a copy of the image. */
int sim_image_dev(const struct sim_image *image, struct dev **out);
/* Mounts such a device; closing the file system closes it. */
int sim_image_mount(const struct sim_image *image, struct uext4_fs **out);

#endif
