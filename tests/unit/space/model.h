/* The truth about an image's bitmaps as dumpe2fs prints it, for comparison. */
#ifndef TESTS_SPACE_MODEL_H
#define TESTS_SPACE_MODEL_H

#include "fixture/volume_fixture.h"

struct model {
	u8 *block; /* 0 free, 1 used, 2 freed but not committed */
	u8 *inode; /* by number; 0 free, 1 used */
	u64 blocks, free_blocks, overhead;
	u32 inodes, free_inodes, dirs;
};

/* Reads the image (not mounted). */
void model_read(struct model *m, struct fixture *f);
void model_free(struct model *m);
/* The image must be exactly what m says; freed blocks count as free. */
void model_compare(const struct model *m, struct fixture *f);
/* The same, but the superblock's counts may be old (MD-12). */
void model_compare_crashed(const struct model *m, struct fixture *f);

/* Asserts the range's state and sets it. */
void model_move(struct model *m, pblk_t pblk, u32 len, u8 from, u8 to);
/* Freed blocks become free. */
void model_commit(struct model *m);

/* One allocation or free in a handle of its own. */
int alloc_blocks(struct fixture *f, const struct alloc_request *req, struct alloc_result *got);
int drop_blocks(struct fixture *f, pblk_t pblk, u32 len, u32 flags);
/* The number behind `what` in dumpe2fs' lines about a group. */
pblk_t bitmap_place(struct fixture *f, u32 group, const char *what);

u32 rnd(u32 n); /* deterministic */
void rnd_seed(u64 seed);

#endif
