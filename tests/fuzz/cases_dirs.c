/* DR-1, DR-2, DR-5, DR-7, DR-10, DR-12, MD-25: directories. */
#include "cases.h"

#include <errno.h>

#include "base/util.h"

#define LF(off, n, v)                                                                              \
	{                                                                                          \
		{                                                                                  \
			.what = OBJ_LEAF, .owner = NODE_LINEAR, .offset = off, .len = n,           \
			.value = v                                                                 \
		}                                                                                  \
	}
#define IL(off, n, v)                                                                              \
	{                                                                                          \
		{                                                                                  \
			.what = OBJ_LEAF, .owner = NODE_INDEX, .offset = off, .len = n, .value = v \
		}                                                                                  \
	}
#define RT(off, n, v)                                                                              \
	{                                                                                          \
		{                                                                                  \
			.what = OBJ_DX_ROOT, .owner = NODE_INDEX, .offset = off, .len = n,         \
			.value = v                                                                 \
		}                                                                                  \
	}
#define ND(off, n, v)                                                                              \
	{                                                                                          \
		{                                                                                  \
			.what = OBJ_DX_NODE, .owner = NODE_INDEX, .offset = off, .len = n,         \
			.value = v                                                                 \
		}                                                                                  \
	}
#define FOUND 0, 0, EUCLEAN
#define HARMLESS 0, 0, ANY

/* The linear directory: "." at 0, ".." at 12, "sub" at 24, "short" at 36. */
static const struct poke_case cases[] = {
	{"'.' rec_len 0", B_ALL, LF(4, 2, 0), FOUND},
	{"'.' rec_len 8", B_ALL, LF(4, 2, 8), FOUND},
	{"'.' rec_len 13", B_ALL, LF(4, 2, 13), FOUND},
	{"'.' rec_len behind the block", B_ALL, LF(4, 2, 0xfffc), FOUND},
	{"'.' rec_len the block", B(4K), LF(4, 2, 4096), 0, 0, ANY},
	{"'.' name_len 255", B_ALL, LF(6, 1, 255), FOUND},
	{"'.' name_len 0", B_ALL, LF(6, 1, 0), FOUND},
	{"'.' inode out of range", B_ALL, LF(0, 4, ~0u), FOUND},
	{"'.' of another", B_ALL, LF(0, 4, 2), HARMLESS},
	{"'.' unused", B_ALL, LF(0, 4, 0), HARMLESS},
	{"'.' is named '/'", B_ALL, LF(8, 1, '/'), HARMLESS},
	{"'..' out of range", B_ALL, LF(12, 4, ~0u), FOUND},
	{"'..' unused", B_ALL, LF(12, 4, 0), HARMLESS},
	{"'..' is the directory", B_ALL, LF(12, 4, POKE_INO(NODE_LINEAR)), HARMLESS},
	{"'..' is a file", B_ALL, LF(12, 4, POKE_INO(NODE_PLAIN)), HARMLESS},
	{"entry of inode 1", B_ALL, LF(36, 4, 1), HARMLESS},
	{"entry of the journal", B_ALL, LF(36, 4, 8), 0, 0, EUCLEAN},
	{"entry of the resize inode", B_ALL, LF(36, 4, 7), 0, 0, EUCLEAN},
	{"entry of the root", B_ALL, LF(36, 4, 2), HARMLESS},
	{"entry out of range", B_ALL, LF(36, 4, ~0u), FOUND},
	{"entry of a free inode", B_ALL, LF(36, 4, 900), HARMLESS},
	{"entry of its directory", B_ALL, LF(36, 4, POKE_INO(NODE_LINEAR)), HARMLESS},
	{"subdirectory is the directory", B_ALL, LF(24, 4, POKE_INO(NODE_LINEAR)), HARMLESS},
	{"subdirectory is the root", B_ALL, LF(24, 4, 2), HARMLESS},
	{"subdirectory is a file", B_ALL, LF(24, 4, POKE_INO(NODE_PLAIN)), HARMLESS},
	{"entry of the orphan file", B_OFILE, LF(36, 4, 12), HARMLESS},
	{"wrong type", B_ALL, LF(43, 1, 2), HARMLESS},
	{"unknown type", B_ALL, LF(43, 1, 99), HARMLESS},
	{"tail's type", B_ALL, LF(43, 1, 0xde), HARMLESS},
	{"'/' in a name", B_ALL, LF(45, 1, '/'), FOUND},
	{"NUL in a name", B_ALL, LF(45, 1, 0), FOUND},
	{"empty name", B_ALL, LF(42, 1, 0), FOUND},
	{"name longer than its entry", B_ALL, LF(42, 1, 200), FOUND},
	{"rec_len 0", B_ALL, LF(40, 2, 0), FOUND},
	{"rec_len 4", B_ALL, LF(40, 2, 4), FOUND},
	{"rec_len leaves 4 bytes", B(PLAIN) | B(EXT3), LF(40, 2, 1024 - 36 - 4), FOUND},
	{"rec_len across the tail", B(1K) | B(NOJRNL), LF(40, 2, 1024 - 36), FOUND},
	{"rec_len odd", B_ALL, LF(40, 2, 21), FOUND},
	{"leaf entry's rec_len", B_ALL, IL(4, 2, 0), FOUND},
	{"leaf entry's inode", B_ALL, IL(0, 4, ~0u), FOUND},
	{"leaf entry's name", B_ALL, IL(8, 1, 0), FOUND},
	{"leaf entry renamed", B_ALL, IL(8, 1, 'z'), HARMLESS},
	{"root: '.' rec_len", B_ALL, RT(4, 2, 16), FOUND},
	{"root: '.' of another", B_ALL, RT(0, 4, 2), HARMLESS},
	{"root: '..' rec_len", B_ALL, RT(16, 2, 12), FOUND},
	{"root: '..' out of range", B_ALL, RT(12, 4, ~0u), FOUND},
	{"root: reserved", B_ALL, RT(0x18, 4, 1), HARMLESS},
	{"root: hash 3", B_ALL, RT(0x1c, 1, 3), HARMLESS},
	{"root: hash 6", B_ALL, RT(0x1c, 1, 6), HARMLESS},
	{"root: hash 99", B_ALL, RT(0x1c, 1, 99), HARMLESS},
	{"root: another hash", B_ALL, RT(0x1c, 1, 2), HARMLESS},
	{"root: info length", B_ALL, RT(0x1d, 1, 0), HARMLESS},
	{"root: levels 0", B_SMALL, RT(0x1e, 1, 0), HARMLESS},
	{"root: levels 2", B_ALL, RT(0x1e, 1, 2), HARMLESS},
	{"root: levels 255", B_ALL, RT(0x1e, 1, 255), HARMLESS},
	{"root: flags", B_ALL, RT(0x1f, 1, 1), HARMLESS},
	{"root: limit 0", B_ALL, RT(0x20, 2, 0), HARMLESS},
	{"root: limit absurd", B_ALL, RT(0x20, 2, 0xffff), HARMLESS},
	{"root: count 0", B_ALL, RT(0x22, 2, 0), HARMLESS},
	{"root: count absurd", B_ALL, RT(0x22, 2, 0xffff), HARMLESS},
	{"root: first child is the root", B_ALL, RT(0x24, 4, 0), HARMLESS},
	{"root: first child outside", B_ALL, RT(0x24, 4, 0x0fffffff), HARMLESS},
	{"root: high bits of a child", B_ALL, RT(0x27, 1, 0xf0), HARMLESS},
	{"root: second hash 0", B_ALL, RT(0x28, 4, 0), HARMLESS},
	{"root: second hash highest", B_ALL, RT(0x28, 4, ~0u), HARMLESS},
	{"root: second child is the first", B_ALL, RT(0x2c, 4, 1), HARMLESS},
	{"node: shape", B_SMALL, ND(0, 4, 2), HARMLESS},
	{"node: rec_len", B_SMALL, ND(4, 2, 12), HARMLESS},
	{"node: limit", B_SMALL, ND(8, 2, 0xffff), HARMLESS},
	{"node: count 0", B_SMALL, ND(10, 2, 0), HARMLESS},
	{"node: count absurd", B_SMALL, ND(10, 2, 0xffff), HARMLESS},
	{"node: first child is the root", B_SMALL, ND(12, 4, 0), HARMLESS},
	{"node: first child outside", B_SMALL, ND(12, 4, 0x0fffffff), HARMLESS},
	{"node: second child is a node", B_SMALL, ND(20, 4, 1), HARMLESS},
	{"node: second hash 0", B_SMALL, ND(16, 4, 0), HARMLESS},
};

const struct case_list case_dirs = {"directories", cases, array_len(cases)};
