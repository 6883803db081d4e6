/*
 * Real file systems for the tests: made by mke2fs, changed by debugfs and
 * e2fsck, read with plain stdio, in a directory of their own under /tmp.
 */
#ifndef TEST_DISK_IMAGE_H
#define TEST_DISK_IMAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "disk/extent.h"
#include "disk/group.h"
#include "disk/inode.h"
#include "disk/super.h"

struct image {
	char dir[64], path[96];
	FILE *f;
	u64 size;
	struct ext4_super super;
	struct super_info sb;
};

/* mke2fs with these arguments and size; then image_open(). */
void image_make(struct image *im, const char *mkfs_args, const char *size);
/* Reads and decodes the superblock again, after tools have changed the image. */
void image_open(struct image *im);
void image_remove(struct image *im);

/* Runs a shell command in which "$I" is the image and "$D" its directory; fails unless rc is in the
 * mask. */
void image_run(struct image *im, const char *command, int allowed_rc_mask);
/* debugfs -w with a script, one command a line. */
void image_debugfs(struct image *im, const char *script);
FILE *image_pipe(struct image *im, const char *command);

void *image_read(struct image *im, u64 offset, size_t len); /* free() it */
void *image_block(struct image *im, pblk_t pblk);
struct ext4_group_desc *image_desc(struct image *im, group_nr group);
struct ext4_inode_disk *image_inode(struct image *im, ino_nr ino);
ino_nr image_lookup(struct image *im, const char *path);
/* Device block of a file's block, 0 for a hole; checks every extent node on the way. */
pblk_t image_map(struct image *im, ino_nr ino, lblk_t lblk);

/* Flips each bit of [from, to) of data in turn; ok(arg) must be false each time, and true before.
 */
void flip_every_bit(void *data, u32 from, u32 to, bool (*ok)(void *arg), void *arg);

#endif
