/* HD-3, HD-4, MD-16, MD-19: inodes. HD-7: attributes. */
#include "cases.h"

#include <errno.h>

#include "base/util.h"

#define IN(node, off, n, v)                                                                        \
	{                                                                                          \
		{                                                                                  \
			.what = OBJ_INODE, .owner = NODE_##node, .offset = off, .len = n,          \
			.value = v                                                                 \
		}                                                                                  \
	}
#define FLAG(node, v)                                                                              \
	{                                                                                          \
		{                                                                                  \
			.what = OBJ_INODE, .owner = NODE_##node, .offset = 0x20, .len = 4,         \
			.value = v, .set = true                                                    \
		}                                                                                  \
	}
#define XA(off, n, v)                                                                              \
	{                                                                                          \
		{                                                                                  \
			.what = OBJ_XATTR, .owner = NODE_XATTR, .offset = off, .len = n,           \
			.value = v                                                                 \
		}                                                                                  \
	}
#define REFUSED EUCLEAN, EUCLEAN, 0
#define FOUND 0, 0, EUCLEAN

static const struct poke_case cases[] = {
	{"root is a file", B_ALL, IN(ROOT, 0x00, 2, 0x81a4), REFUSED},
	{"root of no type", B_ALL, IN(ROOT, 0x00, 2, 0), REFUSED},
	{"root without links", B_ALL, IN(ROOT, 0x1a, 2, 0), ESTALE, ESTALE, 0},
	{"root without size", B_ALL, IN(ROOT, 0x04, 4, 0), REFUSED},
	{"root without blocks", B_ALL, IN(ROOT, 0x1c, 4, 0), REFUSED},
	{"root of absurd size", B_ALL, IN(ROOT, 0x04, 4, ~0u), 0, 0, ANY},
	{"root encrypted", B_ALL, FLAG(ROOT, 0x800), REFUSED},
	{"type unknown", B_ALL, IN(PLAIN, 0x00, 2, 0xf1a4), FOUND},
	{"no type", B_ALL, IN(PLAIN, 0x00, 2, 0), FOUND},
	{"file is a directory", B_ALL, IN(PLAIN, 0x00, 2, 0x41ed), FOUND},
	{"file is a symlink", B_ALL, IN(PLAIN, 0x00, 2, 0xa1ff), 0, 0, ANY},
	{"directory is a file", B_ALL, IN(LINEAR, 0x00, 2, 0x81a4), 0, 0, ANY},
	{"directory is a device", B_ALL, IN(LINEAR, 0x00, 2, 0x61a4), 0, 0, ANY},
	{"symlink is a directory", B_ALL, IN(FAST, 0x00, 2, 0x41ed), 0, 0, EUCLEAN},
	{"device is a file", B_ALL, IN(CHAR, 0x00, 2, 0x81a4), 0, 0, ANY},
	{"no links", B_ALL, IN(PLAIN, 0x1a, 2, 0), 0, 0, ESTALE},
	{"links absurd", B_ALL, IN(PLAIN, 0x1a, 2, 0xffff), 0, 0, ANY},
	{"directory without links", B_ALL, IN(LINEAR, 0x1a, 2, 0), 0, 0, ESTALE},
	{"directory with one link", B_ALL, IN(LINEAR, 0x1a, 2, 1), 0, 0, ANY},
	{"negative size", B_ALL, IN(PLAIN, 0x6c, 4, 0x80000000), FOUND},
	{"size above the limit", B_ALL, IN(PLAIN, 0x6c, 4, 0x10000), FOUND},
	{"size of 8 TiB", B_EXTENTS & ~B(4K), IN(PLAIN, 0x6c, 4, 0x200), 0, 0, ANY},
	{"directory of 2 GiB", B_ALL, IN(LINEAR, 0x04, 4, 0x7ffff000), 0, 0, ANY},
	{"directory of 8 TiB", B_ALL, IN(LINEAR, 0x6c, 4, 0x200), 0, 0, ANY},
	{"directory of no size", B_ALL, IN(LINEAR, 0x04, 4, 0), 0, 0, ANY},
	{"directory of half a block", B_ALL, IN(LINEAR, 0x04, 4, 512), 0, 0, ANY},
	{"indexed directory of 2 GiB", B_ALL, IN(INDEX, 0x04, 4, 0x7ffff000), 0, 0, ANY},
	{"indexed directory cut", B_ALL, IN(INDEX, 0x04, 4, 8192), 0, 0, EUCLEAN},
	{"linear directory said indexed", B_ALL, FLAG(LINEAR, 0x1000), 0, 0, ANY},
	{"blocks absurd", B_ALL, IN(PLAIN, 0x1c, 4, ~0u), 0, 0, ANY},
	{"no blocks counted", B_ALL, IN(DEEP, 0x1c, 4, 0), 0, 0, ANY},
	{"blocks high absurd", B_ALL, IN(PLAIN, 0x74, 2, 0xffff), 0, 0, ANY},
	{"huge file flag", B_ALL, FLAG(PLAIN, 0x40000), 0, 0, ANY},
	{"attribute block 0 or 1", B_ALL, IN(PLAIN, 0x68, 4, 1), FOUND},
	{"attribute block outside", B_ALL, IN(PLAIN, 0x68, 4, ~0u), FOUND},
	{"attribute block in the inode table", B_ALL, IN(PLAIN, 0x68, 4, POKE_ITABLE), FOUND},
	{"attribute block of data", B_ALL, IN(PLAIN, 0x68, 4, 7000), 0, 0, ANY},
	{"attribute block at 2^32", B_64, IN(PLAIN, 0x76, 2, 1), FOUND},
	{"extra size 30", B_ALL, IN(PLAIN, 0x80, 2, 30), FOUND},
	{"extra size 132", B_ALL, IN(PLAIN, 0x80, 2, 132), FOUND},
	{"extra size 65532", B_ALL, IN(PLAIN, 0x80, 2, 0xfffc), FOUND},
	{"extra size 128", B_ALL, IN(XATTR, 0x80, 2, 128), 0, 0, ANY},
	{"casefold flag", B_ALL, FLAG(PLAIN, 0x40000000), FOUND},
	{"encrypt flag", B_ALL, FLAG(PLAIN, 0x800), FOUND},
	{"verity flag", B_ALL, FLAG(PLAIN, 0x100000), 0, 0, ANY},
	{"inline flag", B_ALL, FLAG(PLAIN, 0x10000000), FOUND},
	{"value flag", B_ALL, FLAG(PLAIN, 0x200000), FOUND},
	{"extents flag on a map", B(EXT3), FLAG(PLAIN, 0x80000), FOUND},
	{"no extents flag on a tree", B_EXTENTS, IN(PLAIN, 0x20, 4, 0), 0, 0, EUCLEAN},
	{"immutable", B_ALL, FLAG(PLAIN, 0x10), 0, 0, EPERM},
	{"immutable directory", B_ALL, FLAG(LINEAR, 0x10), 0, 0, EPERM},
	{"immutable symlink", B_ALL, FLAG(FAST, 0x10), FOUND},
	{"journalled data", B_ALL, FLAG(PLAIN, 0x4000), 0, 0, ANY},
	{"times absurd", B_ALL, IN(PLAIN, 0x88, 4, ~0u), 0, 0, 0},
	{"fast symlink too long", B_ALL, IN(FAST, 0x04, 4, 59), 0, 0, ANY},
	{"fast symlink much too long", B_ALL, IN(FAST, 0x04, 4, 100), 0, 0, EUCLEAN},
	{"fast symlink empty", B_ALL, IN(FAST, 0x04, 4, 0), 0, 0, ANY},
	{"fast symlink of 4 GiB", B_ALL, IN(FAST, 0x04, 4, ~0u), 0, 0, EUCLEAN},
	{"fast symlink with extents", B_EXTENTS, FLAG(FAST, 0x80000), 0, 0, ANY},
	{"slow symlink of 64 KiB", B_ALL, IN(SLOW, 0x04, 4, 65536), 0, 0, EUCLEAN},
	{"slow symlink longer than its text", B_ALL, IN(SLOW, 0x04, 4, 300), 0, 0, ANY},
	{"slow symlink without blocks", B_ALL, IN(SLOW, 0x1c, 4, 0), 0, 0, ANY},
	{"device with a size", B_ALL, IN(CHAR, 0x04, 4, 4096), 0, 0, ANY},
	{"device of no number", B_ALL, IN(CHAR, 0x28, 8, ~0ull), 0, 0, 0},
	{"dtime of a live file", B_ALL, IN(PLAIN, 0x14, 4, 17), 0, 0, 0},
	{"attributes in the inode: no magic", B_ALL, IN(XATTR, 0xa0, 4, 0), 0, 0, ANY},
	{"attributes in the inode: name length", B_ALL, IN(XATTR, 0xa4, 1, 255), FOUND},
	{"attributes in the inode: value offset", B_ALL, IN(XATTR, 0xa6, 2, 0xfffc), FOUND},
	{"attributes in the inode: value over names", B_ALL, IN(XATTR, 0xa6, 2, 4), FOUND},
	{"attributes in the inode: value inode", B_ALL, IN(XATTR, 0xa8, 4, 12), FOUND},
	{"attributes in the inode: value size", B_ALL, IN(XATTR, 0xac, 4, ~0u), FOUND},
	{"attributes in the inode: NUL in the name", B_ALL, IN(XATTR, 0xb4, 1, 0), FOUND},
	{"ACL version", B_ALL,
		{{.what = OBJ_INODE,
			.owner = NODE_ACL,
			.offset = 28,
			.len = 4,
			.value = 9,
			.at_end = true}},
		FOUND},
	{"ACL tag", B_ALL,
		{{.what = OBJ_INODE,
			.owner = NODE_ACL,
			.offset = 24,
			.len = 2,
			.value = 99,
			.at_end = true}},
		FOUND},
	{"attribute block: magic", B_ALL, XA(0, 4, 0), FOUND},
	{"attribute block: refcount 0", B_ALL, XA(4, 4, 0), FOUND},
	{"attribute block: refcount 1025", B_ALL, XA(4, 4, 1025), FOUND},
	{"attribute block: refcount 1024", B_ALL, XA(4, 4, 1024), 0, 0, ANY},
	{"attribute block: refcount absurd", B_ALL, XA(4, 4, ~0u), FOUND},
	{"attribute block: no blocks", B_ALL, XA(8, 4, 0), FOUND},
	{"attribute block: two blocks", B_ALL, XA(8, 4, 2), FOUND},
	{"attribute block: hash", B_ALL, XA(0xc, 4, 77), 0, 0, ANY},
	{"attribute block: name length", B_ALL, XA(0x20, 1, 255), FOUND},
	{"attribute block: no name", B_ALL, XA(0x20, 1, 0), 0, 0, ANY},
	{"attribute block: unknown prefix", B_ALL, XA(0x21, 1, 99), 0, 0, ANY},
	{"attribute block: system.data", B_ALL, XA(0x21, 1, 7), 0, 0, ANY},
	{"attribute block: value offset", B_ALL, XA(0x22, 2, 0xfffc), FOUND},
	{"attribute block: value over names", B_ALL, XA(0x22, 2, 0x20), FOUND},
	{"attribute block: value inode", B_ALL, XA(0x24, 4, 12), FOUND},
	{"attribute block: value size", B_ALL, XA(0x28, 4, ~0u), FOUND},
	{"attribute block: value size above the limit", B_ALL, XA(0x28, 4, 65537), FOUND},
	{"attribute block: entry hash", B_ALL, XA(0x2c, 4, 1), 0, 0, ANY},
	{"attribute block: NUL in the name", B_ALL, XA(0x30, 1, 0), FOUND},
};

const struct case_list case_inodes = {"inodes and attributes", cases, array_len(cases)};
