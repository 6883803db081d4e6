/*
 * One kind of damage after the other, made by debugfs, which keeps checksums
 * valid: the checker names it. HD-1 to HD-7, AL-1, AL-8, DR-2, DR-14, MD-16 to
 * MD-20, MD-25, MD-27, MD-29, OR-1, OR-3, RC-2 as far as they are about what is on disk.
 */
#include "check_test.h"

#include "base/util.h"

struct damage {
	const char *script; /* of debugfs */
	const char *kind, *text;
};

static const struct damage superblock[] = {
	{"ssv free_blocks_count 77\n", "count", "the superblock counts 77 free blocks"},
	{"ssv free_inodes_count 77\n", "count", "the superblock counts 77 free inodes"},
	{"ssv r_blocks_count 3000\n", "superblock", "more than half"},
	{"ssv magic 0\n", NULL, NULL},
	{"ssv inodes_per_group 3\n", "superblock", "damaged"},
	{"feature ^extra_isize\nssv min_extra_isize 33\n", "superblock", "no multiples of 4"},
	{"ssv rev_level 2\n", "superblock", "revision 2"},
	{"feature FEATURE_C31\n", "superblock", "feature C80000000 is unknown"},
	{"ssv usr_quota_inum 12\n", "superblock", "inode 12 can't be a quota file"},
	{"ssv journal_inum 12\n", "journal", "no usable journal"},
	{"ssv journal_uuid 11111111-2222-3333-4444-555555555555\n", "superblock",
		"another device's journal"},
	{"ssv last_orphan 12\n", "orphan", "though the file system was unmounted"},
	{"ssv last_orphan 2\n", "orphan", "can't be an orphan"},
	{"feature orphan_file orphan_present\n", "superblock", "orphan file has no inode"},
	{"ssv state 2\n", "note superblock", "errors were recorded"},
};

static const struct damage groups[] = {
	{"set_bg 0 free_blocks_count 5\nset_bg 0 checksum calc\n", "count", "counts 5 free blocks"},
	{"set_bg 0 free_inodes_count 5\nset_bg 0 checksum calc\n", "count", "counts 5 free inodes"},
	{"set_bg 0 used_dirs_count 55\nset_bg 0 checksum calc\n", "count", "counts 55 directories"},
	{"set_bg 0 checksum 5\n", "group", "wrong checksum of its descriptor"},
	{"set_bg 0 flags 1\nset_bg 0 checksum calc\n", "group",
		"inode bitmap is said to be unused"},
	{"set_bg 0 flags 2\nset_bg 0 checksum calc\n", "group", "is the last"},
	{"set_bg 0 itable_unused 5000\nset_bg 0 checksum calc\n", "group", "unused inodes of"},
	{"set_bg 0 itable_unused 1010\nset_bg 0 checksum calc\n", "directory", "unused inode"},
	{"set_bg 0 block_bitmap 0\nset_bg 0 checksum calc\n", "group", "block bitmap can't be"},
	{"set_bg 0 inode_bitmap 99999\nset_bg 0 checksum calc\n", "group", "inode bitmap can't be"},
	{"set_bg 0 inode_table 4090\nset_bg 0 checksum calc\n", "group", "inode table can't be"},
	{"set_bg 0 block_bitmap_csum_lo 1\nset_bg 0 checksum calc\n", "bitmap", "block bitmap"},
	{"set_bg 0 inode_bitmap_csum_lo 1\nset_bg 0 checksum calc\n", "bitmap", "inode bitmap"},
	{"freei <12>\n", "bitmap", "inodes in use, but marked free: 1, between 12 and 12"},
	{"seti <500>\n", "bitmap", "inodes marked in use, but used by nobody: 1, between 500"},
	{"freeb 1 4\n", "bitmap", "blocks in use, but marked free: 4, between 1 and 4"},
	{"setb 4000 3\n", "bitmap",
		"blocks marked in use, but used by nobody: 3, between 4000 and 4002"},
};

static const struct damage inodes[] = {
	{"sif /plain mode 0\n", "inode", "unknown file type"},
	{"sif /plain mode 040755\n", "directory", "wrong checksum"},
	{"sif /plain size 100\n", "map", "its size is 100, but block 8 of it has data"},
	{"sif /dir size 1000\n", "map", "has 1 blocks, but a size of 1000"},
	{"sif /dir size 2048\n", "map", "has 1 blocks, but a size of 2048"},
	{"sif /plain blocks 4\n", "map", "it counts 4 sectors"},
	{"sif /plain dtime 1700000000\n", "inode", "has a deletion time"},
	{"sif /plain dtime 20\n", "inode", "lost orphan list"},
	{"sif /plain faddr 20\n", "inode", "fragment address"},
	{"sif /plain flags 0\n", "inode", "has an extent tree, but not the flag"},
	{"sif /plain flags 0x81000\n", "inode", "flag of an indexed directory, but is none"},
	{"sif /plain flags 0x100080000\n", NULL, NULL},
	{"sif /plain checksum 5\n", "inode", "wrong checksum"},
	{"sif /plain links_count 3\n", "links", "/plain: it counts 3 links, but has 2"},
	{"sif /dir links_count 9\n", "links", "/dir: it counts 9 links, but has 3"},
	{"sif /plain links_count 0\n", "directory", "leads to the unused inode"},
	{"sif /plain links_count 0\nsif /plain dtime 0\n", "inode", "no deletion time"},
	{"sif /plain extra_isize 33\n", "inode", "impossible size of the extra fields"},
	{"sif /plain file_acl 1\n", "inode", "attribute block is outside"},
	{"sif /plain file_acl 3000\n", "attribute", "attribute block: wrong checksum"},
	{"sif /link size 3\n", "inode", "the symbolic link has 5 bytes"},
	{"sif /long size 30\n", "inode", "the symbolic link has 100 bytes"},
	{"sif /node size 30\n", "inode", "a special file has a size"},
	{"sif /node block[3] 30\n", "inode", "a special file has blocks"},
	{"sif <2> mode 0100755\n", "inode", "the root is no directory"},
	{"sif <8> mode 040755\n", "journal", "no usable journal"},
	{"sif <7> block[DIND] 0\n", "map", "does not list the reserved descriptor blocks"},
	{"sif <7> block[0] 9\n", "map", "does not list the reserved descriptor blocks"},
};

static const struct damage names[] = {
	{"unlink /dir/file\n", "links", "no name leads to it"},
	{"unlink /dir/sub\n", "links", "no name leads to it"},
	{"unlink /short\n", "links", "/plain: it counts 2 links, but has 1"},
	{"ln /plain /third\n", "links", "it counts 2 links, but has 3"},
	{"ln /dir /dir2\n", "directory", "is a second name of directory"},
	{"ln <2> /dir/up\n", "directory", "leads to the root"},
	{"ln <8> /journal\n", "directory", "leads to the reserved inode 8"},
	{"ln <600> /nothing\n", "directory", "leads to the unused inode 600"},
	{"cd /dir\nln /dir self\n", "directory", "its own directory"},
	{"ln /dir/sub /other/sub\nunlink /dir/sub\n", "links", "its \"..\" leads to inode"},
	{"ln /dir /dir/sub/up\nunlink /dir\n", "links", "is a circle"},
	{"kill_file /dir/file\n", "inode", "/dir/file: it is in use, but has a deletion time"},
	{"clri <2>\n", "links", "there is no root directory"},
};

static struct world w;

static int make(void **state)
{
	world_make(&w, "-t ext4 -b 1024 -O ^orphan_file,^metadata_csum_seed -J size=1", "4M");
	return 0;
}

static int drop(void **state)
{
	world_remove(&w);
	return 0;
}

/* Without a kind: only that it does no harm to the checker. */
static void run(const struct damage *d, size_t count)
{
	for (size_t k = 0; k < count; k++) {
		world_restore(&w);
		image_debugfs(&w.im, d[k].script);
		if (d[k].kind)
			world_finds(&w, d[k].kind, d[k].text);
		else
			world_check(&w, NULL);
	}
}

static void test_sound(void **state)
{
	world_restore(&w);
	world_sound(&w);
	assert_int_equal(w.result.directories, 5);
	assert_int_equal(w.result.notes, 0);
}

static void test_superblock(void **state)
{
	run(superblock, array_len(superblock));
}

static void test_groups(void **state)
{
	run(groups, array_len(groups));
}

static void test_inodes(void **state)
{
	run(inodes, array_len(inodes));
}

static void test_names(void **state)
{
	run(names, array_len(names));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound),
		cmocka_unit_test(test_superblock),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_inodes),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, make, drop);
}
