/*
 * Images in memory for the tests of bad input: a device that checks its
 * bounds, an undo of everything that was written, and base images full of all
 * kinds of structures.
 */
#ifndef FUZZ_IMAGE_H
#define FUZZ_IMAGE_H

#include <pthread.h>
#include <uext4.h>

#include "disk/super.h"

enum base {
	BASE_4K,     /* metadata_csum, 64bit, orphan file, 4 KiB blocks */
	BASE_1K,     /* the same with 1 KiB blocks */
	BASE_PLAIN,  /* 1 KiB, extents, no checksums at all */
	BASE_EXT3,   /* 1 KiB, indirect maps */
	BASE_NOJRNL, /* 1 KiB, metadata_csum, no journal */
	BASE_QUOTA,  /* as 1K, with quotas: opened read-only */
	BASE_COUNT
};
extern const char *const base_names[BASE_COUNT];

/* What a base image holds; image.ino says where. */
enum node {
	NODE_ROOT,
	NODE_PLAIN,  /* 10 blocks */
	NODE_DEEP,   /* every other block of 800 */
	NODE_FAST,   /* symlink in the inode */
	NODE_SLOW,   /* symlink in a block */
	NODE_LINEAR, /* directory of one block */
	NODE_INDEX,  /* indexed directory; at 1 KiB with a level of nodes */
	NODE_XATTR,  /* attributes in the inode and in a block */
	NODE_ACL,
	NODE_CHAR,
	NODE_VICTIM, /* a file to be made an orphan */
	NODE_COUNT
};

struct image {
	u8 *pristine, *work;
	u64 size;
	u8 *dirty;    /* per page of work; atomic */
	bool outside; /* a request went beyond the device; atomic */
	struct super_info sb;
	ino_nr ino[NODE_COUNT];
	enum base base;
	/* lock: keeps a snapshot whole against writers */
	pthread_rwlock_t lock;
};

/* Makes and fills a base image; exits the process with a message when that fails. */
void image_build(struct image *img, enum base base);
void image_free(struct image *img);
/* Takes back everything written since the last time. */
void image_restore(struct image *img);
/* Tells that bytes of work were changed by hand. */
void image_touch(struct image *img, const void *at, u64 len);
/* Makes what is in work the state that restore returns to. */
void image_adopt(struct image *img);

int image_open(struct image *img, const struct uext4_options *opt, struct uext4_fs **out);
int image_check(struct image *img, const struct uext4_check_options *opt,
	struct uext4_check_result *result);
/* Complaints of e2fsck -fn about work, one kind per line, numbers and names taken out. */
char *image_fsck(struct image *img);

#endif
