/*
 * An image to damage: the linear directory l and the indexed directory d. Byte by byte, since
 * debugfs would mend the checksums (OC-8).
 */
#ifndef TESTS_DIR_HOSTILE_H
#define TESTS_DIR_HOSTILE_H

#include "dir/dir_test.h"
#include "disk/dirent.h"

enum { BS = 1024, NAMES = 150 };

struct plan {
	const char *what;
	void (*damage)(u8 *block);
	int want; /* of a lookup */
};

struct hostile {
	struct dir_test t;
	struct super_info sb;
	u32 seed;
	u64 offset; /* of the chosen block, in bytes */
	u8 block[BS];
};

/* l: one block with the names alpha, beta, gamma; d: indexed, with NAMES names of dt_name. */
void hostile_make(struct hostile *h, const char *options);
/* Reads a directory's block into h->block, with what its checksum needs. */
void hostile_choose(struct hostile *h, const char *dir, u32 lblk);
/* HD-10: unmounts; the chosen block is still as it was planted. */
void hostile_down(struct hostile *h, const u8 *planted);
void hostile_lookup_all(struct uext4_inode *d, int want);
bool give_all(void *arg, const struct uext4_dirent *e);

#endif
