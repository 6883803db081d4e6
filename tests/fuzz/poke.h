/*
 * Finding the structures of an image, changing one field, and making the
 * checksum of what holds it valid again.
 */
#ifndef FUZZ_POKE_H
#define FUZZ_POKE_H

#include "image.h"

enum object {
	OBJ_NONE,
	OBJ_SUPER,
	OBJ_GROUP, /* descriptor of group 0 */
	OBJ_GROUP_LAST,
	OBJ_BLOCK_BITMAP, /* of group 0 */
	OBJ_INODE_BITMAP,
	OBJ_JSUPER, /* big-endian; also OBJ_LOG */
	OBJ_LOG,    /* first block of the log: a descriptor in a dirty image */
	OBJ_JINODE,
	OBJ_ORPHAN_INODE,
	OBJ_ORPHAN,   /* block 0 of the orphan file */
	OBJ_INODE,    /* of a node, like those below */
	OBJ_EXTENT,   /* first node below the root */
	OBJ_EXTENT2,  /* first node below that */
	OBJ_INDIRECT, /* single indirect block */
	OBJ_LEAF,     /* first leaf of a directory */
	OBJ_DX_ROOT,
	OBJ_DX_NODE,
	OBJ_XATTR, /* attribute block */
	OBJ_QUOTA_INODE,
	OBJ_QUOTA_HEADER, /* of the users' quotas, like those below; 1 KiB blocks */
	OBJ_QUOTA_ROOT,
	OBJ_QUOTA_NODE, /* the last on the way to id 0 */
	OBJ_QUOTA_DATA,
	OBJ_COUNT
};
extern const char *const object_names[OBJ_COUNT];

struct place {
	u8 *at; /* in image.work; NULL: this image has no such thing */
	u32 len;
	pblk_t pblk;
	u32 seed; /* of the inode that owns it */
	group_nr group;
};

/* The device block of a block of a file, or 0. */
pblk_t place_map(struct image *img, ino_nr ino, lblk_t lblk);
struct place place_find(struct image *img, enum object what, enum node owner);
/* Makes checksums match what is there now. */
void place_seal(struct image *img, enum object what, const struct place *p);

struct poke {
	enum object what;
	enum node owner;
	u32 offset, len; /* bytes; len 1, 2, 4, 8 */
	u64 value;
	bool at_end; /* offset counts from the end */
	bool set;    /* the bits of value are added to what is there */
};
/* Values that only the image knows. */
#define POKE_INO(node) (1ull << 63 | (node))
#define POKE_SELF (1ull << 62)	 /* the block that is changed */
#define POKE_ITABLE (1ull << 61) /* a block of the inode table */
/* False: this image has no such thing. */
bool poke_apply(struct image *img, const struct poke *p);
/* Field of the image as a host number. */
u64 poke_read(const u8 *at, u32 len, bool big_endian);
void poke_write(u8 *at, u32 len, bool big_endian, u64 value);

#endif
