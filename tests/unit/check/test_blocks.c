/*
 * Damage inside blocks, by hand and with valid checksums: maps (HD-5), blocks
 * used twice, attributes (HD-7, XA-3, XA-4), directory blocks (DR-1, DR-2) and
 * hash trees (DR-5, DR-7, DR-8).
 */
#include "check_test.h"

#include "base/util.h"
#include "disk/dirent.h"
#include "disk/orphan.h"
#include "disk/xattr.h"

static struct world w;

/* --- maps --- */

static void debugfs_with(const char *format, unsigned a, unsigned b)
{
	char script[300];

	snprintf(script, sizeof(script), format, a, b);
	image_debugfs(&w.im, script);
}

static void test_indirect(void **state)
{
	u32 plain, own;
	struct le32 self[256];

	world_make(&w, "-t ext2 -b 1024", "4M");
	plain = (u32)image_map(&w.im, image_lookup(&w.im, "/plain"), 1);
	debugfs_with("sif /dir/file block[0] %u\n", plain, 0);
	world_finds(&w, "shared: inode 20 /plain", "uses blocks");
	world_finds(&w, "shared: inode 14 /dir/file", "uses blocks");
	world_finds(&w, "bitmap", "marked in use, but used by nobody: 1");
	world_restore(&w);
	debugfs_with("sif /dir/file block[0] %u\n", 3, 0);
	world_finds(&w, "shared: inode 0", "file system metadata is at blocks");
	world_finds(&w, "shared: inode 14", "uses blocks 3-3");
	world_restore(&w);
	debugfs_with("sif /dir/file block[0] %u\n", 99999, 0);
	world_finds(&w, "map", "block 0 of the file is said to be at 99999");
	world_restore(&w);
	debugfs_with("sif /dir block[0] %u\n", 0, 0);
	world_finds(&w, "map", "the directory has 0 blocks");
	world_restore(&w);
	/* an indirect block that consists of pointers to itself, thrice indirect */
	own = (u32)image_map(&w.im, image_lookup(&w.im, "/plain"), 8);
	for (u32 k = 0; k < 256; k++)
		self[k] = cpu_to_le32(own);
	world_write(&w, own * 1024ull, self, sizeof(self));
	debugfs_with("sif /plain block[TIND] %u\n", own, 0);
	world_finds(&w, "shared", "uses blocks");
	world_remove(&w);
}

static void poke_node(u32 offset, u16 value)
{
	ino_nr ino = image_lookup(&w.im, "/big");
	struct ext4_inode_disk *raw = image_inode(&w.im, ino);
	u32 seed = inode_csum_seed(&w.im.sb, ino, inode_raw_generation(raw));
	struct le16 v = cpu_to_le16(value);
	pblk_t child;
	lblk_t first;
	u8 *node;

	extent_index_get(raw->i_block, 0, &first, &child);
	node = image_block(&w.im, child);
	memcpy(node + offset, &v, sizeof(v));
	extent_csum_set(&w.im.sb, seed, node);
	world_write(&w, child * w.im.sb.block_size, node, w.im.sb.block_size);
	free(node);
	free(raw);
}

static void test_extents(void **state)
{
	static const struct {
		u32 offset;
		u16 value;
		const char *text;
	} cases[] = {
		{0, 0, "no extent magic"},
		{2, 500, "too many entries"},
		{2, 0, "is empty"},
		{4, 20, "impossible room"},
		{6, 1, "wrong depth"},
		{12, 1, "does not begin at its parent's key"},
		{16, 0, "an extent is empty"},
		{16, 60, "overlap or are out of order"},
		{24, 0, "overlap or are out of order"},
		{18, 1, "outside the file system"},
	};

	world_make(&w, "-t ext4 -b 1024 -O ^orphan_file,64bit -J size=1", "4M");
	for (size_t k = 0; k < array_len(cases); k++) {
		world_restore(&w);
		poke_node(cases[k].offset, cases[k].value);
		world_finds(&w, "map: inode", cases[k].text);
	}
	world_remove(&w);
}

/* --- attributes --- */

static pblk_t attribute_block(void)
{
	struct ext4_inode_disk *raw = image_inode(&w.im, image_lookup(&w.im, "/plain"));
	pblk_t pblk = le32_to_cpu(raw->i_file_acl_lo);

	free(raw);
	assert_int_not_equal(pblk, 0);
	return pblk;
}

static void poke_attribute(u32 offset, u32 value)
{
	pblk_t pblk = attribute_block();
	u8 *block = image_block(&w.im, pblk);
	struct le32 v = cpu_to_le32(value);

	memcpy(block + offset, &v, sizeof(v));
	xattr_block_csum_set(&w.im.sb, pblk, block);
	world_write(&w, pblk * w.im.sb.block_size, block, w.im.sb.block_size);
	free(block);
}

static void test_attributes(void **state)
{
	static const struct {
		u32 offset, value;
		const char *kind, *text;
	} cases[] = {
		{0, 0, "attribute", "no attribute magic"},
		{4, 2, "attribute", "counts 2 users, but has 1"},
		{8, 2, "attribute", "claims to be several"},
		{0x20, 0x03e80105, "attribute", "outside its block"},
		{0x2c, 5, "attribute", "wrong hash"},
		{0x24, 12, "attribute", "without the ea_inode feature"},
	};

	world_make(&w, "-t ext4 -b 1024 -O ^orphan_file -J size=1", "4M");
	image_run(&w.im,
		"head -c 300 /dev/zero | tr '\\0' v >$D/v; "
		"debugfs -w -R 'ea_set -f '$D/v' /plain user.first' $I; "
		"debugfs -w -R 'ea_set -f '$D/v' /plain user.other' $I; rm $D/v",
		0);
	world_adopt(&w);
	world_sound(&w);
	for (size_t k = 0; k < array_len(cases); k++) {
		world_restore(&w);
		poke_attribute(cases[k].offset, cases[k].value);
		world_finds(&w, cases[k].kind, cases[k].text);
	}
	world_restore(&w);
	image_debugfs(&w.im, "sif /plain file_acl 0\n");
	world_finds(&w, "map", "it counts");
	world_remove(&w);
}

/* XA-6: a value of its own inode, which counts its users and has a checksum. */
static void test_value_inode(void **state)
{
	struct ext4_inode_disk *raw = NULL;
	ino_nr ino = 12;

	world_make(&w, "-t ext4 -b 1024 -O ^orphan_file,ea_inode -J size=1", "4M");
	image_run(&w.im,
		"head -c 3000 /dev/zero | tr '\\0' v >$D/v; "
		"debugfs -w -R 'ea_set -f '$D/v' /plain user.large' $I; rm $D/v",
		0);
	image_open(&w.im);
	image_debugfs(&w.im, "sif /plain blocks 20\n"); /* which debugfs forgets */
	world_sound(&w);
	for (; !raw; ino++) {
		assert_true(ino < 40);
		raw = image_inode(&w.im, ino);
		if (le32_to_cpu(raw->i_flags) & EXT4_EA_INODE_FL)
			break;
		free(raw);
		raw = NULL;
	}
	free(raw);
	debugfs_with("sif <%u> version 5\n", ino, 0);
	world_finds(&w, "links", "counts 5 users, but has 1");
	debugfs_with("sif <%u> version 1\n", ino, 0);
	world_sound(&w);
	world_write(&w, image_map(&w.im, ino, 0) * 1024 + 9, "x", 1);
	world_finds(&w, "attribute", "does not have its checksum");
	world_remove(&w);
}

static void test_bad_blocks(void **state)
{
	world_make(&w, "-t ext4 -b 1024 -O ^orphan_file -J size=1", "4M");
	image_run(&w.im,
		"echo 3000 >$D/bad; mke2fs -q -F -t ext4 -b 1024 -l $D/bad $I 4M; rm $D/bad", 0);
	image_open(&w.im);
	world_sound(&w);
	image_debugfs(&w.im, "sif <1> block[0] 3001\n");
	world_finds(&w, "bitmap", "blocks in use, but marked free: 1, between 3001 and 3001");
	world_remove(&w);
}

/* --- directories --- */

static void test_entries(void **state)
{
	/* "." at 0, ".." at 12, then "sub" (12) and "file" at 36 in one order or the other */
	static const struct {
		u32 offset, len;
		const char *bytes, *text;
	} cases[] = {
		{0, 4, "\x02\0\0\0", "its \".\" leads to inode 2"},
		{0, 4, "\0\0\0\0", "its entry \".\" is missing"},
		{4, 2, "\x10\0", "entry"},
		{9, 1, "x", "has something behind its name"},
		{12, 4, "\xff\xff\0\0", "leads to inode 65535, which can't be"},
		{20, 1, "x", "its entry \"..\" is missing"},
		{24, 4, "\xff\xff\0\0", "which can't be"},
		{28, 2, "\0\0", "an entry has an impossible length"},
		{28, 2, "\x0e\0", "an entry has an impossible length"},
		{30, 1, "\xc8", "an entry is too short for its name"},
		{30, 1, "\0", "has an impossible name"},
		{31, 1, "\x07", "says type 7"},
		{32, 1, "/", "has an impossible name"},
		{32, 1, "\0", "has an impossible name"},
	};

	world_make(&w, "-t ext4 -b 1024 -O ^orphan_file -J size=1", "4M");
	for (size_t k = 0; k < array_len(cases); k++) {
		world_restore(&w);
		world_poke_dir(
			&w, "/dir", 0, cases[k].offset, cases[k].bytes, cases[k].len, SEAL_LEAF);
		world_finds(&w, "directory: inode 13 /dir", cases[k].text);
	}
	world_restore(&w);
	image_debugfs(&w.im, "mkdir /twins\nln /plain /twins/aa\nln /plain /twins/ab\n");
	image_open(&w.im);
	world_poke_dir(&w, "/twins", 0, 24 + 12 + 9, "a", 1, SEAL_LEAF);
	world_finds(&w, "directory", "it has the name aa twice");
	world_remove(&w);
}

/* 400 names in an index that e2fsck has built; entry k of the root is at 0x20 + 8 k. */
static void test_index(void **state)
{
	static const struct {
		u32 offset, len;
		const char *bytes, *text;
	} cases[] = {
		{0x1c, 1, "\x07", "unknown directory hash"},
		{0x1e, 1, "\x02", "too deep"},
		{0x1e, 1, "\x01", "is no node, and should be one"},
		{0x20, 2, "\x05\0", "wrong room"},
		{0x22, 2, "\0\0", "impossible number"},
		{0x22, 2, "\x02\0", "has no place in its index"},
		{0x24, 4, "\xff\xff\0\0", "points behind the directory"},
		{0x24, 4, "\x02\0\0\0", "has two places in its index"},
		{0x28, 4, "\xfe\xff\xff\xff", "out of order"},
		{0x28, 4, "\x02\0\0\0", "has a name whose hash is"},
	};

	world_make(&w, "-t ext4 -b 1024 -O ^orphan_file -J size=1", "4M");
	image_run(&w.im,
		"mkdir $D/tree/many; for k in $(seq 400); do : >$D/tree/many/name-$k; done; "
		"mke2fs -q -F -E lazy_itable_init=0 -t ext4 -b 1024 -O ^orphan_file -J size=1 "
		"-d $D/tree $I 4M; e2fsck -fyD $I || [ $? = 1 ]",
		0);
	world_adopt(&w);
	world_sound(&w);
	for (size_t k = 0; k < array_len(cases); k++) {
		world_restore(&w);
		world_poke_dir(
			&w, "/many", 0, cases[k].offset, cases[k].bytes, cases[k].len, SEAL_ROOT);
		world_finds(&w, "index", cases[k].text);
	}
	world_remove(&w);
}

/* --- orphans --- */

static void test_orphan_file(void **state)
{
	struct le32 slot = cpu_to_le32(14);
	ino_nr ino;
	struct ext4_inode_disk *raw;
	pblk_t pblk;
	u8 *block;

	world_make(&w, "-t ext4 -b 1024 -O orphan_file -J size=1", "4M");
	ino = w.im.sb.orphan_file_inum;
	raw = image_inode(&w.im, ino);
	pblk = image_map(&w.im, ino, 0);
	block = image_block(&w.im, pblk);
	memcpy(block, &slot, sizeof(slot));
	world_write(&w, pblk * 1024, block, 1024);
	world_finds(&w, "orphan", "wrong checksum");
	orphan_csum_set(
		&w.im.sb, inode_csum_seed(&w.im.sb, ino, inode_raw_generation(raw)), pblk, block);
	world_write(&w, pblk * 1024, block, 1024);
	world_finds(&w, "orphan: inode 14", "the orphan file names it");
	free(block);
	free(raw);
	world_restore(&w);
	image_debugfs(&w.im, "ssv orphan_file_inum 14\n");
	world_finds(&w, "orphan", "orphan file");
	world_restore(&w);
	image_debugfs(&w.im, "feature orphan_present\n");
	world_finds(&w, "orphan", "says that there are orphans");
	world_remove(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_indirect),
		cmocka_unit_test(test_extents),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_value_inode),
		cmocka_unit_test(test_bad_blocks),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_index),
		cmocka_unit_test(test_orphan_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
