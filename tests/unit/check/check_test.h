/*
 * What the checker's tests share: an image by mke2fs, damaged by debugfs or by
 * hand with valid checksums, and what check_device() says of it.
 */
#ifndef TESTS_CHECK_TEST_H
#define TESTS_CHECK_TEST_H

#include "../disk/image.h"

#include "check/check.h"
#include "dev/devices.h"

struct world {
	struct image im;
	u8 *pristine; /* the image as it was built */
	/* of the last check */
	struct check_result result;
	char said[8000]; /* "kind: text\n" for each problem; notes begin with "note " */
};

/* mke2fs with these arguments, and a tree that has some of everything. */
void world_make(struct world *w, const char *mkfs_args, const char *size);
/* What is there now is what world_restore() returns to. */
void world_adopt(struct world *w);
/* ... after e2fsck has counted the quotas, which mke2fs -d does not. */
void world_count(struct world *w);
void world_restore(struct world *w);
void world_remove(struct world *w);

/* Checks a copy in memory; out of it come w->result and w->said. */
int world_check(struct world *w, const struct check_options *opt);
/* The image, as a device in memory. */
struct dev *world_dev(struct world *w);
/* Check finds nothing. */
void world_sound(struct world *w);
/* Check says a line that begins with kind and has text in it. */
void world_finds(struct world *w, const char *kind, const char *text);

void world_write(struct world *w, u64 offset, const void *data, size_t len);
/* Changes `len` bytes at `offset` of a directory's block, and seals it. */
enum dir_seal { SEAL_LEAF, SEAL_ROOT };
void world_poke_dir(struct world *w, const char *path, lblk_t lblk, u32 offset, const void *bytes,
	u32 len, enum dir_seal seal);

#endif
