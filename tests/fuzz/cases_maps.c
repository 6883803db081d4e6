/* HD-5, AL-20, AL-21: extent trees and indirect maps. */
#include "cases.h"

#include <errno.h>

#include "base/util.h"

#define IN(node, off, n, v)                                                                        \
	{                                                                                          \
		{                                                                                  \
			.what = OBJ_INODE, .owner = NODE_##node, .offset = 0x28 + (off), .len = n, \
			.value = v                                                                 \
		}                                                                                  \
	}
#define EX(off, n, v)                                                                              \
	{                                                                                          \
		{                                                                                  \
			.what = OBJ_EXTENT, .owner = NODE_DEEP, .offset = off, .len = n,           \
			.value = v                                                                 \
		}                                                                                  \
	}
#define E2(off, n, v)                                                                              \
	{                                                                                          \
		{                                                                                  \
			.what = OBJ_EXTENT2, .owner = NODE_DEEP, .offset = off, .len = n,          \
			.value = v                                                                 \
		}                                                                                  \
	}
#define ID(off, n, v)                                                                              \
	{                                                                                          \
		{                                                                                  \
			.what = OBJ_INDIRECT, .owner = NODE_DEEP, .offset = off, .len = n,         \
			.value = v                                                                 \
		}                                                                                  \
	}
#define FOUND 0, 0, EUCLEAN

static const struct poke_case cases[] = {
	{"root magic", B_EXTENTS, IN(PLAIN, 0, 2, 0), FOUND},
	{"root entries above max", B_EXTENTS, IN(PLAIN, 2, 2, 5), FOUND},
	{"root without entries", B_EXTENTS, IN(PLAIN, 2, 2, 0), 0, 0, ANY},
	{"root max 0", B_EXTENTS, IN(PLAIN, 4, 2, 0), FOUND},
	{"root max 5", B_EXTENTS, IN(PLAIN, 4, 2, 5), FOUND},
	{"root depth 1 over extents", B_EXTENTS, IN(PLAIN, 6, 2, 1), 0, 0, ANY},
	{"root depth 6", B_EXTENTS, IN(PLAIN, 6, 2, 6), FOUND},
	{"root depth 65535", B_EXTENTS, IN(PLAIN, 6, 2, 0xffff), FOUND},
	{"extent wraps", B_EXTENTS, IN(PLAIN, 12, 4, ~0u), FOUND},
	{"extent far away", B_EXTENTS, IN(PLAIN, 12, 4, 0x7fffffff), 0, 0, ANY},
	{"extent of no length", B_EXTENTS, IN(PLAIN, 16, 2, 0), FOUND},
	{"extent of full length", B_EXTENTS, IN(PLAIN, 16, 2, 0x8000), FOUND},
	{"extent unwritten, longest", B_EXTENTS, IN(PLAIN, 16, 2, 0xffff), FOUND},
	{"extent unwritten", B_EXTENTS, IN(PLAIN, 16, 2, 0x8001), 0, 0, ANY},
	{"extent at 0", B_EXTENTS, IN(PLAIN, 20, 4, 0), FOUND},
	{"extent in the superblock", B_EXTENTS, IN(PLAIN, 20, 4, 1), FOUND},
	{"extent in the inode table", B_EXTENTS, IN(PLAIN, 20, 4, POKE_ITABLE), FOUND},
	{"extent outside", B_EXTENTS, IN(PLAIN, 20, 4, ~0u), FOUND},
	{"extent at 2^47", B_EXTENTS, IN(PLAIN, 18, 2, 0x8000), FOUND},
	{"extent of free blocks", B_EXTENTS, IN(PLAIN, 20, 4, 3900), 0, 0, ANY},
	{"directory's extent in the inode table", B_EXTENTS, IN(LINEAR, 20, 4, POKE_ITABLE), FOUND},
	{"directory's extent outside", B_EXTENTS, IN(LINEAR, 20, 4, ~0u), FOUND},
	{"directory without extents", B_EXTENTS, IN(LINEAR, 2, 2, 0), 0, 0, EUCLEAN},
	{"index without entries", B_EXTENTS, IN(DEEP, 2, 2, 0), FOUND},
	{"index key", B_EXTENTS, IN(DEEP, 12, 4, 100000), FOUND},
	{"index child at 0", B_EXTENTS, IN(DEEP, 16, 4, 0), FOUND},
	{"index child in the inode table", B_EXTENTS, IN(DEEP, 16, 4, POKE_ITABLE), 0, 0, ANY},
	{"index child outside", B_EXTENTS, IN(DEEP, 16, 4, ~0u), FOUND},
	{"index child at 2^32", B_EXTENTS, IN(DEEP, 20, 2, 1), FOUND},
	{"index child is data", B_EXTENTS, IN(DEEP, 16, 4, 3900), 0, 0, ANY},
	{"index said to be a leaf", B_EXTENTS, IN(DEEP, 6, 2, 0), 0, 0, ANY},
	{"index said deeper", B_EXTENTS, IN(DEEP, 6, 2, 3), FOUND},
	{"node magic", B_EXTENTS, EX(0, 2, 0), FOUND},
	{"node entries above max", B_EXTENTS, EX(2, 2, 0xffff), FOUND},
	{"node without entries", B_EXTENTS, EX(2, 2, 0), 0, 0, ANY},
	{"node max", B_EXTENTS, EX(4, 2, 0xffff), 0, 0, ANY},
	{"node max small", B_EXTENTS, EX(4, 2, 1), 0, 0, ANY},
	{"node depth", B_EXTENTS, EX(6, 2, 5), FOUND},
	{"node's first key", B_EXTENTS, EX(12, 4, 1), 0, 0, ANY},
	{"node's second key", B_EXTENTS, EX(24, 4, 0), FOUND},
	{"node's second key wraps", B_EXTENTS, EX(24, 4, ~0u), FOUND},
	{"node is its own child", B(1K) | B(PLAIN) | B(NOJRNL), EX(16, 4, POKE_SELF), FOUND},
	{"leaf's extent in the inode table", B(4K), EX(20, 4, POKE_ITABLE), FOUND},
	{"leaf's extent too long", B(4K), EX(16, 2, 0x8000), FOUND},
	{"deep leaf magic", B_EXTENTS, E2(0, 2, 0), FOUND},
	{"deep leaf entries above max", B_EXTENTS, E2(2, 2, 0xffff), FOUND},
	{"deep leaf depth", B_EXTENTS, E2(6, 2, 1), FOUND},
	{"deep leaf's extent is the leaf", B_EXTENTS, E2(20, 4, POKE_SELF), 0, 0, ANY},
	{"deep leaf's extent in the inode table", B_EXTENTS, E2(20, 4, POKE_ITABLE), FOUND},
	{"deep leaf's extents overlap", B_EXTENTS, E2(16, 2, 100), FOUND},
	{"direct block in the superblock", B(EXT3), IN(PLAIN, 0, 4, 1), FOUND},
	{"direct block in the inode table", B(EXT3), IN(PLAIN, 4, 4, POKE_ITABLE), FOUND},
	{"direct block outside", B(EXT3), IN(PLAIN, 4, 4, ~0u), FOUND},
	{"direct block of a directory outside", B(EXT3), IN(LINEAR, 0, 4, ~0u), FOUND},
	{"directory is a hole", B(EXT3), IN(LINEAR, 0, 4, 0), 0, 0, EUCLEAN},
	{"indirect block outside", B(EXT3), IN(DEEP, 48, 4, ~0u), FOUND},
	{"indirect block in the inode table", B(EXT3), IN(DEEP, 48, 4, POKE_ITABLE), FOUND},
	{"indirect block is a hole", B(EXT3), IN(DEEP, 48, 4, 0), 0, 0, ANY},
	{"double indirect block outside", B(EXT3), IN(DEEP, 52, 4, ~0u), FOUND},
	{"triple indirect block outside", B(EXT3), IN(DEEP, 56, 4, ~0u), 0, 0, ANY},
	{"double indirect block is data", B(EXT3), IN(DEEP, 52, 4, 7000), 0, 0, ANY},
	{"pointer outside", B(EXT3), ID(0, 4, ~0u), FOUND},
	{"pointer in the inode table", B(EXT3), ID(8, 4, POKE_ITABLE), FOUND},
	{"pointer to its own block", B(EXT3), ID(8, 4, POKE_SELF), 0, 0, ANY},
};

const struct case_list case_maps = {"extent trees and maps", cases, array_len(cases)};
