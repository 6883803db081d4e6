/* HD-3, JB-34..37, RC-4: the journal. OR-6: orphans. */
#include "cases.h"

#include <errno.h>

#include "base/util.h"

#define JS(off, n, v)                                                                              \
	{                                                                                          \
		{                                                                                  \
			.what = OBJ_JSUPER, .offset = off, .len = n, .value = v                    \
		}                                                                                  \
	}
/* With a log that must be replayed. */
#define LIVE(off, n, v)                                                                            \
	{                                                                                          \
		{.what = OBJ_JSUPER, .offset = off, .len = n, .value = v},                         \
		{                                                                                  \
			.what = OBJ_SUPER, .offset = 0x60, .len = 4, .value = 4, .set = true       \
		}                                                                                  \
	}
#define JI(off, n, v)                                                                              \
	{                                                                                          \
		{                                                                                  \
			.what = OBJ_JINODE, .offset = off, .len = n, .value = v                    \
		}                                                                                  \
	}
#define OI(off, n, v)                                                                              \
	{                                                                                          \
		{                                                                                  \
			.what = OBJ_ORPHAN_INODE, .offset = off, .len = n, .value = v              \
		}                                                                                  \
	}
#define OB(off, n, v)                                                                              \
	{                                                                                          \
		{.what = OBJ_ORPHAN, .offset = off, .len = n, .value = v},                         \
		{                                                                                  \
			.what = OBJ_SUPER, .offset = 0x64, .len = 4, .value = 0x10000, .set = true \
		}                                                                                  \
	}
#define LIST(node, next)                                                                           \
	{                                                                                          \
		{.what = OBJ_SUPER, .offset = 0xe8, .len = 4, .value = POKE_INO(NODE_##node)},     \
		{                                                                                  \
			.what = OBJ_INODE, .owner = NODE_##node, .offset = 0x14, .len = 4,         \
			.value = next                                                              \
		}                                                                                  \
	}
#define REFUSED EUCLEAN, EUCLEAN, 0
#define FINE 0, 0, ANY

static const struct poke_case cases[] = {
	{"journal magic", B_JOURNAL, JS(0, 4, 0), REFUSED},
	{"journal block type", B_JOURNAL, JS(4, 4, 9), REFUSED},
	{"journal block size", B_JOURNAL, JS(12, 4, 512), REFUSED},
	{"journal of no length", B_JOURNAL, JS(16, 4, 0), REFUSED},
	{"journal too short", B_JOURNAL, JS(16, 4, 1023), REFUSED},
	{"journal longer than its file", B_JOURNAL, JS(16, 4, 100000), REFUSED},
	{"journal of 2^32 blocks", B_JOURNAL, JS(16, 4, ~0u), REFUSED},
	{"journal begins at 0", B_JOURNAL, JS(20, 4, 0), REFUSED},
	{"journal begins behind its end", B_JOURNAL, JS(20, 4, ~0u), REFUSED},
	{"log starts outside", B_JOURNAL, LIVE(28, 4, ~0u), REFUSED},
	{"log starts in the superblock", B_JOURNAL, LIVE(20, 4, 2), 0, 0, ANY},
	{"log starts somewhere", B_JOURNAL, LIVE(28, 4, 77), FINE},
	{"log of another id", B_JOURNAL, LIVE(24, 4, ~0u), FINE},
	{"journal says error", B_JOURNAL, JS(32, 4, (u32)-5), FINE},
	{"journal features unknown", B_JOURNAL, JS(40, 4, 0x40), EOPNOTSUPP, EOPNOTSUPP, 0},
	{"journal with two checksums", B_JOURNAL, JS(40, 4, 0x19), ANY, ANY, ANY},
	{"journal read-only features", B_JOURNAL, JS(44, 4, 1), EOPNOTSUPP, EOPNOTSUPP, 0},
	{"journal users absurd", B_JOURNAL, JS(64, 4, ~0u), FINE},
	{"journal fast-commit area", B_JOURNAL, JS(84, 4, ~0u), FINE},
	{"journal inode is a directory", B_JOURNAL, JI(0, 2, 0x41ed), REFUSED},
	{"journal inode of no type", B_JOURNAL, JI(0, 2, 0), REFUSED},
	{"journal inode without links", B_JOURNAL, JI(0x1a, 2, 0), REFUSED},
	{"journal inode without size", B_JOURNAL, JI(4, 4, 0), REFUSED},
	{"journal inode of absurd size", B_JOURNAL, JI(0x6c, 4, 1), REFUSED},
	{"journal inode encrypted", B_JOURNAL,
		{{.what = OBJ_JINODE, .offset = 0x20, .len = 4, .value = 0x800, .set = true}},
		REFUSED},
	{"journal inode with a hole", B_JOURNAL &B_EXTENTS, JI(0x28 + 16, 2, 1), REFUSED},
	{"journal inode outside", B_JOURNAL &B_EXTENTS, JI(0x28 + 20, 4, ~0u), REFUSED},
	{"journal inode in the inode table", B_JOURNAL &B_EXTENTS, JI(0x28 + 20, 4, POKE_ITABLE),
		REFUSED},
	{"journal inode's map outside", B(EXT3), JI(0x28 + 48, 4, ~0u), REFUSED},
	{"journal inode's map has a hole", B(EXT3), JI(0x28 + 8, 4, 0), REFUSED},
	{"orphan file is a directory", B_OFILE, OI(0, 2, 0x41ed), EUCLEAN, 0, ANY},
	{"orphan file without size", B_OFILE, OI(4, 4, 0), EUCLEAN, 0, ANY},
	{"orphan file of odd size", B_OFILE, OI(4, 4, 1000), EUCLEAN, 0, ANY},
	{"orphan file of 4 GiB", B_OFILE, OI(4, 4, 0xfffff000), EUCLEAN, 0, ANY},
	{"orphan file of 16 TiB", B_OFILE, OI(0x6c, 4, 0x100), EUCLEAN, 0, ANY},
	{"orphan file with a hole", B_OFILE, OI(0x28 + 2, 2, 0), EUCLEAN, 0, ANY},
	{"orphan file outside", B_OFILE, OI(0x28 + 20, 4, ~0u), EUCLEAN, 0, ANY},
	{"orphan block's magic", B_OFILE,
		{{.what = OBJ_ORPHAN, .offset = 8, .len = 4, .value = 0, .at_end = true},
			{.what = OBJ_SUPER,
				.offset = 0x64,
				.len = 4,
				.value = 0x10000,
				.set = true}},
		EUCLEAN, 0, ANY},
	{"orphan entry out of range", B_OFILE, OB(0, 4, ~0u), EUCLEAN, 0, ANY},
	{"orphan entry of inode 1", B_OFILE, OB(0, 4, 1), FINE},
	{"orphan entry of the root", B_OFILE, OB(0, 4, 2), FINE},
	{"orphan entry of the journal", B_OFILE, OB(4, 4, 8), FINE},
	{"orphan entry of the orphan file", B_OFILE, OB(4, 4, 12), FINE},
	{"orphan entry free", B_OFILE, OB(8, 4, 900), FINE},
	{"orphan entry with a name", B_OFILE, OB(0, 4, POKE_INO(NODE_PLAIN)), FINE},
	{"orphan entry of a device", B_OFILE, OB(0, 4, POKE_INO(NODE_CHAR)), FINE},
	{"orphan list of one", B_ALL, LIST(VICTIM, 0), FINE},
	{"orphan list is a cycle", B_ALL, LIST(VICTIM, POKE_INO(NODE_VICTIM)), FINE},
	{"orphan list goes out of range", B_ALL, LIST(VICTIM, ~0u), FINE},
	{"orphan list goes to the root", B_ALL, LIST(VICTIM, 2), FINE},
	{"orphan list goes to a free inode", B_ALL, LIST(VICTIM, 900), FINE},
	{"orphan list with a bad map", B_ALL,
		{{.what = OBJ_SUPER, .offset = 0xe8, .len = 4, .value = POKE_INO(NODE_DEEP)},
			{.what = OBJ_INODE, .owner = NODE_DEEP, .offset = 0x28, .len = 4}},
		FINE},
	{"orphan without a name, with a bad map", B_ALL,
		{{.what = OBJ_INODE, .owner = NODE_VICTIM, .offset = 0x1a, .len = 2},
			{.what = OBJ_INODE,
				.owner = NODE_VICTIM,
				.offset = 0x3c,
				.len = 4,
				.value = POKE_ITABLE}},
		FINE},
};

const struct case_list case_rest = {"journal and orphans", cases, array_len(cases)};
