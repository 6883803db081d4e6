/* Recovers an ext4 image with the journal room alone; for tests against other implementations. */
#ifndef TESTS_IMAGE_RECOVER_H
#define TESTS_IMAGE_RECOVER_H

#include <stddef.h>
#include "base/types.h"

struct image_recovery {
	char message[1024]; /* first error message */
	bool was_dirty;
};

/* Runs a shell command made from fmt; its exit status. */
int sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Root, loop devices, e2fsprogs: what the tests of this kind need. */
bool oracles_available(void);

/* log_path: image of an external journal, or NULL. Returns journal_recover's error, or an earlier
 * one. */
int image_recover(const char *path, const char *log_path, struct image_recovery *out);

/*
 * First block in which two images differ, or -1. The blocks of the journal
 * inode and the 1024 bytes of the superblock do not count.
 */
s64 image_compare(const char *a, const char *b);

/* Flips bits of one byte of a log block of the internal journal; block 0 is its superblock. */
void image_poke_log(const char *path, u32 log_block, u32 offset, u8 bits);
/* Journal superblock field at a byte offset. */
u32 image_log_field(const char *path, u32 offset);

#endif
