/* HD-1, HD-2, HD-3: superblock and descriptors. */
#include "cases.h"

#include <errno.h>

#include "base/util.h"

#define SB(off, n, v)                                                                              \
	{                                                                                          \
		{                                                                                  \
			.what = OBJ_SUPER, .offset = off, .len = n, .value = v                     \
		}                                                                                  \
	}
#define GD(off, n, v)                                                                              \
	{                                                                                          \
		{                                                                                  \
			.what = OBJ_GROUP, .offset = off, .len = n, .value = v                     \
		}                                                                                  \
	}
#define GL(off, n, v)                                                                              \
	{                                                                                          \
		{                                                                                  \
			.what = OBJ_GROUP_LAST, .offset = off, .len = n, .value = v                \
		}                                                                                  \
	}
#define REFUSED EUCLEAN, EUCLEAN, 0
#define READ_ONLY EUCLEAN, 0, 0 /* HD-2: reading goes on */
#define FINE 0, 0, 0

static const struct poke_case cases[] = {
	{"magic", B_ALL, SB(0x38, 2, 0), EINVAL, EINVAL, 0},
	{"block size 128 KiB", B_ALL, SB(0x18, 4, 7), REFUSED},
	{"block size 2^32 KiB", B_ALL, SB(0x18, 4, ~0u), REFUSED},
	{"block size doubled", B_SMALL, SB(0x18, 4, 1), REFUSED},
	{"cluster size 2 GiB", B_ALL, SB(0x1c, 4, 21), REFUSED},
	{"cluster size without bigalloc", B_ALL, SB(0x1c, 4, 4), REFUSED},
	{"cluster size below block size", B(4K), SB(0x1c, 4, 0), REFUSED},
	{"revision 2", B_ALL, SB(0x4c, 4, 2), EROFS, 0, 0},
	{"first inode 10", B_ALL, SB(0x54, 4, 10), REFUSED},
	{"inode size 0", B_ALL, SB(0x58, 2, 0), REFUSED},
	{"inode size 64", B_ALL, SB(0x58, 2, 64), REFUSED},
	{"inode size 192", B_ALL, SB(0x58, 2, 192), REFUSED},
	{"inode size above block size", B_ALL, SB(0x58, 2, 8192), REFUSED},
	{"wanted extra size", B_ALL, SB(0x15e, 2, 200), REFUSED},
	{"wanted extra size odd", B_ALL & ~B(EXT3), SB(0x15e, 2, 33), REFUSED},
	{"minimal extra size", B_ALL, SB(0x15c, 2, 200), REFUSED},
	{"reserved descriptor blocks", B_ALL, SB(0xce, 2, 0xffff), REFUSED},
	{"descriptor size 0", B_64, SB(0xfe, 2, 0), REFUSED},
	{"descriptor size 32", B_64, SB(0xfe, 2, 32), REFUSED},
	{"descriptor size 96", B_64, SB(0xfe, 2, 96), REFUSED},
	{"descriptor size 2048", B_64, SB(0xfe, 2, 2048), REFUSED},
	{"blocks per group 0", B_ALL, SB(0x20, 4, 0), REFUSED},
	{"blocks per group odd", B_ALL, SB(0x20, 4, 8191), REFUSED},
	{"blocks per group huge", B_ALL, SB(0x20, 4, ~0u), REFUSED},
	{"clusters per group 0", B_ALL, SB(0x24, 4, 0), REFUSED},
	{"clusters per group huge", B_ALL, SB(0x24, 4, ~0u), REFUSED},
	{"inodes per group 0", B_ALL, SB(0x28, 4, 0), REFUSED},
	{"inodes per group 1", B_ALL, SB(0x28, 4, 1), REFUSED},
	{"inodes per group 8", B_ALL, SB(0x28, 4, 8), REFUSED},
	{"inodes per group huge", B_ALL, SB(0x28, 4, ~0u), REFUSED},
	{"no blocks", B_ALL, SB(0x04, 4, 0), REFUSED},
	{"two blocks", B_ALL, SB(0x04, 4, 2), REFUSED},
	{"more blocks than the device", B_SMALL, SB(0x04, 4, 8193), REFUSED},
	{"2^32 blocks", B_ALL, SB(0x04, 4, ~0u), REFUSED},
	{"2^48 blocks", B_64, SB(0x150, 4, 0x10000), REFUSED},
	{"2^64 blocks", B_64, SB(0x150, 4, ~0u), REFUSED},
	{"first data block behind the end", B_ALL, SB(0x14, 4, ~0u), REFUSED},
	{"first data block 0 at 1 KiB", B_SMALL, SB(0x14, 4, 0), REFUSED},
	{"first data block 1 at 4 KiB", B(4K), SB(0x14, 4, 1), REFUSED},
	{"first data block 2", B_ALL, SB(0x14, 4, 2), REFUSED},
	{"no inodes", B_ALL, SB(0x00, 4, 0), REFUSED},
	{"2^32 inodes", B_ALL, SB(0x00, 4, ~0u), REFUSED},
	{"kind of checksum", B_CSUM, SB(0x175, 1, 2), REFUSED},
	{"hash version 6", B_ALL, SB(0xfc, 1, 6), REFUSED},
	{"hash version 7", B_ALL, SB(0xfc, 1, 7), REFUSED},
	{"hash version 4", B_ALL, SB(0xfc, 1, 4), FINE},
	{"everything reserved", B_ALL, SB(0x08, 4, ~0u), FINE},
	{"state bit of replay", B_ALL, SB(0x3a, 2, 0x21), FINE},
	{"free blocks absurd", B_ALL, SB(0x0c, 4, ~0u), FINE},
	{"free inodes absurd", B_ALL, SB(0x10, 4, ~0u), FINE},
	{"overhead absurd", B_ALL, SB(0x248, 4, ~0u), FINE},
	{"flexible group of 2^32", B(4K) | B(1K), SB(0x174, 1, 32), REFUSED},
	{"flexible group of 2^31", B(4K) | B(1K), SB(0x174, 1, 31), FINE},
	{"stripe absurd", B_ALL, SB(0x170, 4, ~0u), FINE},
	{"journal in the root", B_JOURNAL, SB(0xe0, 4, 2), REFUSED},
	{"journal inode out of range", B_JOURNAL, SB(0xe0, 4, ~0u), REFUSED},
	{"journal in the bad blocks inode", B_JOURNAL, SB(0xe0, 4, 1), REFUSED},
	{"journal in a file", B_JOURNAL, SB(0xe0, 4, POKE_INO(NODE_PLAIN)), REFUSED},
	{"journal in a directory", B_JOURNAL, SB(0xe0, 4, POKE_INO(NODE_LINEAR)), REFUSED},
	{"journal nowhere", B_JOURNAL, SB(0xe0, 4, 0), EINVAL, EINVAL, 0},
	{"journal inside and outside", B_JOURNAL, SB(0xe4, 4, 0x801), REFUSED},
	{"no orphan file", B_OFILE, SB(0x280, 4, 0), REFUSED},
	{"orphan file in the root", B_OFILE, SB(0x280, 4, 2), REFUSED},
	{"orphan file in the journal", B_OFILE, SB(0x280, 4, 8), REFUSED},
	{"orphan file out of range", B_OFILE, SB(0x280, 4, ~0u), REFUSED},
	{"orphan file in a file", B_OFILE, SB(0x280, 4, POKE_INO(NODE_PLAIN)), EBADMSG, 0, ANY},
	{"orphan out of range", B_ALL, SB(0xe8, 4, ~0u), 0, 0, ANY},
	{"orphan root", B_ALL, SB(0xe8, 4, 2), 0, 0, ANY},
	{"orphan journal", B_ALL, SB(0xe8, 4, 8), 0, 0, ANY},
	{"orphan free", B_ALL, SB(0xe8, 4, 900), 0, 0, ANY},
	{"orphan with a name", B_ALL, SB(0xe8, 4, POKE_INO(NODE_PLAIN)), 0, 0, ANY},
	{"orphan device", B_ALL, SB(0xe8, 4, POKE_INO(NODE_CHAR)), 0, 0, ANY},
	{"block bitmap at 0", B_ALL, GD(0, 4, 0), READ_ONLY},
	{"block bitmap in the superblock", B_ALL, GD(0, 4, 1), READ_ONLY},
	{"block bitmap outside", B_ALL, GD(0, 4, ~0u), READ_ONLY},
	{"block bitmap in the inode table", B_ALL, GD(0, 4, POKE_ITABLE), READ_ONLY},
	{"block bitmap at 2^32", B_64, GD(0x20, 4, 1), READ_ONLY},
	{"inode bitmap at 0", B_ALL, GD(4, 4, 0), READ_ONLY},
	{"inode bitmap outside", B_ALL, GD(4, 4, ~0u), READ_ONLY},
	{"inode bitmap in the inode table", B_ALL, GD(4, 4, POKE_ITABLE), READ_ONLY},
	{"inode table at 0", B_ALL, GD(8, 4, 0), REFUSED},
	{"inode table outside", B_ALL, GD(8, 4, ~0u), REFUSED},
	{"inode table across the end", B_SMALL, GD(8, 4, 8190), REFUSED},
	{"inode table at 2^32", B_64, GD(0x28, 4, 1), REFUSED},
	{"free clusters absurd", B_ALL, GD(0x0c, 2, 0xffff), READ_ONLY},
	{"free clusters absurd, high", B_64, GD(0x2c, 2, 0xffff), READ_ONLY},
	{"no free clusters", B_ALL, GD(0x0c, 2, 0), 0, 0, ANY},
	{"free inodes absurd", B_ALL, GD(0x0e, 2, 0xffff), READ_ONLY},
	{"no free inodes", B_ALL & ~B_CSUM, GD(0x0e, 2, 0), 0, 0, ANY},
	{"fewer free inodes than unused", B_CSUM, GD(0x0e, 2, 0), READ_ONLY},
	{"directories absurd", B_ALL, GD(0x10, 2, 0xffff), READ_ONLY},
	{"no directories", B_ALL, GD(0x10, 2, 0), 0, 0, ANY},
	{"inodes said unused", B_CSUM, GD(0x12, 2, 1), READ_ONLY},
	{"blocks said unused", B_CSUM, GD(0x12, 2, 2), 0, 0, ANY},
	{"all flags", B_CSUM, GD(0x12, 2, 0xffff), READ_ONLY},
	{"unused inodes absurd", B_CSUM, GD(0x1c, 2, 0xffff), READ_ONLY},
	{"last: block bitmap outside", B_ALL, GL(0, 4, ~0u), READ_ONLY},
	{"last: inode table outside", B_ALL, GL(8, 4, ~0u), REFUSED},
	{"block bitmap empty", B_ALL,
		{{.what = OBJ_BLOCK_BITMAP, .offset = 0, .len = 8, .value = 0}}, 0, 0, ANY},
	{"block bitmap full", B_ALL,
		{{.what = OBJ_BLOCK_BITMAP, .offset = 200, .len = 8, .value = ~0ull}}, 0, 0, ANY},
	{"inode bitmap empty", B_ALL,
		{{.what = OBJ_INODE_BITMAP, .offset = 0, .len = 8, .value = 0}}, 0, 0, ANY},
	{"inode bitmap full", B_ALL,
		{{.what = OBJ_INODE_BITMAP, .offset = 16, .len = 8, .value = ~0ull}}, 0, 0, ANY},
};

const struct case_list case_super = {"superblock and descriptors", cases, array_len(cases)};
