/*
 * What the map tests share: a real file of a real image, whose map is ours. Its raw inode is
 * written like the inode room will, so that e2fsck judges every test's result.
 */
#ifndef TESTS_MAP_TEST_H
#define TESTS_MAP_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/trace.h"
#include "fixture/volume_fixture.h"
#include "map/map.h"
#include "os/atomic.h"

struct tmap {
	struct fixture f;
	struct filemap fm;
	bool extents;
	s64 blocks;		  /* lock: fm.lock; what i_blocks must say */
	u64 size_blocks;	  /* i_size */
	u32 dirties;		  /* calls of ops->dirty */
	struct os_mutex raw_lock; /* rank INODE_META: the raw inode's bytes */
	pblk_t inode_pblk;
	u32 inode_offset;
};

/* A fresh image with one empty file (inode 12) mapped by extents or indirect blocks. */
void tmap_open(struct tmap *t, u64 bytes, const char *mke2fs, bool extents, u32 flags);
/* Verifies everything, writes the inode, unmounts, runs e2fsck, removes the image. */
void tmap_close(struct tmap *t);
/* The same without removing the image. */
void tmap_finish(struct tmap *t);
/* The map read back from the inode table, as a new mount would. */
void tmap_reopen(struct tmap *t);
u32 tmap_seed(struct tmap *t);

/* Each in a handle of exactly the promised credits. */
int tmap_create(struct tmap *t, lblk_t lblk, u32 len, u32 flags, struct mapping *out);
int tmap_written(struct tmap *t, lblk_t lblk, u32 len);
int tmap_unwritten(struct tmap *t, lblk_t lblk, u32 len);
int tmap_remove(struct tmap *t, lblk_t from, lblk_t end);
int tmap_shift(struct tmap *t, lblk_t from, s64 delta);
struct mapping tmap_lookup(struct tmap *t, lblk_t lblk, u32 len);
void tmap_expect(struct tmap *t, lblk_t lblk, u32 len, enum map_state state);

/* Nodes of the tree or tables of the indirect map outside the inode. */
u32 tmap_tree_blocks(struct tmap *t);
u32 tmap_depth(struct tmap *t);
u32 tmap_extents(struct tmap *t);
/* Whole tree, cache, and block count; data = mapped blocks. */
void tmap_check(struct tmap *t, u64 data);

/* The named fault point fails at its nth call (1 = next), once or from then on. */
void tmap_fault(const char *name, u32 nth, bool persistent);
/* At every nth call. */
void tmap_fault_every(const char *name, u32 nth);
void tmap_fault_off(void);
u32 tmap_fault_hits(void);

/* Fills so many free blocks, those the file will get next, with this byte. */
void tmap_poison(struct tmap *t, u32 blocks, u8 byte);
bool tmap_block_is(struct tmap *t, pblk_t pblk, u8 byte);

u32 tmap_random(u64 *state, u32 below);

#endif
