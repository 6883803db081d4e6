/*
 * Quota files (MD-5, MD-25): the checker counts as e2fsck does, which has counted for the images
 * here, and names what is wrong with their trees and entries. No tree leads it astray.
 */
#include "check_test.h"

#include "base/util.h"
#include "disk/quota.h"

static struct world w;

/*
 * Several owners: /plain and /big 1000, /dir 70000, the link 5; two files share a large value in
 * an inode of its own, which counts for each of them.
 */
static void make_owners(const char *args, const char *size)
{
	world_make(&w, args, size);
	image_run(&w.im,
		"head -c 3000 /dev/zero | tr '\\0' v >$D/v; "
		"for f in plain big; do debugfs -w -R \"ea_set -f $D/v /$f user.large\" $I; done; "
		"rm $D/v",
		0);
	image_debugfs(&w.im, "sif /plain uid 1000\nsif /plain gid 100\nsif /big uid 1000\n"
			     "sif /dir uid 70000\nsif /link uid 5\nsif /big projid 7\n");
	world_count(&w);
	world_sound(&w);
	assert_int_equal(w.result.notes, 0);
}

static void make(void)
{
	make_owners("-t ext4 -b 1024 -O quota,project,ea_inode,^orphan_file -J size=1 "
		    "-E quotatype=usrquota:grpquota:prjquota",
		"4M");
}

/* --- what the quotas say --- */

static void test_counts(void **state)
{
	static const struct {
		const char *script, *text;
	} cases[] = {
		{"sif /plain uid 5\n", "user 5 has 0 bytes and 1 inodes by its quota, but"},
		{"sif /plain uid 5\n", "user 1000 has"},
		{"sif /plain uid 66\n", "user 66 has files, but no quota entry"},
		{"sif /plain gid 0x8000000\n", "group 134217728 has files, but no quota entry"},
		{"sif /big projid 0\n", "project 7 has"},
		{"sif /big projid 0\n", "but 0 and 0"},
		{"sif /dir/sub uid 1000\n", "user 1000 has"},
		{"sif /link uid 0\n", "user 5 has 0 bytes and 1 inodes by its quota, but 0 and 0"},
		{"sif <2> uid 9\n", "user 9 has files"},
		{"sif <3> mode 0120600\n", "the user quota file is no regular file"},
		{"sif <4> links_count 0\n", "the group quota file is no regular file"},
		{"sif <3> size 3000\n", "header of the user quota file: impossible number"},
		{"sif <3> size 0x100000000\n", "the user quota file has holes"},
		{"punch <3> 3 3\n", "the user quota file has holes"},
		{"punch <3> 0 0\nsif <3> size 4096\n", "block 0 of the user quota file is a hole"},
	};

	make();
	for (size_t k = 0; k < array_len(cases); k++) {
		world_restore(&w);
		image_debugfs(&w.im, cases[k].script);
		world_finds(&w, "quota: inode", cases[k].text);
	}
	world_restore(&w);
	image_debugfs(&w.im, "ssv usr_quota_inum 0\n");
	world_finds(&w, "inode: inode 3", "a quota file, but the superblock knows none");
	/* hidden inodes are nobody's */
	world_restore(&w);
	image_debugfs(&w.im, "sif <8> uid 66\nsif <3> uid 66\nsif <4> gid 66\n");
	world_sound(&w);
	world_remove(&w);
}

/* OR-1: what the next mount deletes counts until then. */
static void test_orphan(void **state)
{
	char script[200];
	ino_nr ino;

	make_owners("-t ext4 -b 1024 -O quota,ea_inode,^orphan_file,^has_journal", "4M");
	ino = image_lookup(&w.im, "/dir/file");
	snprintf(script, sizeof(script),
		"unlink /dir/file\nsif <%u> links_count 0\nsif <%u> dtime 0\nssv last_orphan %u\n"
		"ssv state 0\n",
		ino, ino, ino);
	image_debugfs(&w.im, script);
	world_sound(&w);
	assert_int_equal(w.result.orphans, 1);
	world_remove(&w);
}

/* More owners than a data block or the first table has, and a block of the file system has four. */
static void test_many(void **state)
{
	char script[12000];
	size_t len = 0;

	world_make(&w, "-t ext4 -O quota -b 4096 -I 128 -N 1000 -O ^metadata_csum,^orphan_file",
		"16M");
	for (unsigned k = 1; k <= 200; k++)
		len += (size_t)snprintf(script + len, sizeof(script) - len,
			"mknod p%u p\nsif p%u uid %u\n", k, k, k * 70001);
	image_debugfs(&w.im, script);
	world_count(&w);
	world_sound(&w);
	image_debugfs(&w.im, "sif p50 uid 60\nsif p60 uid 60\n");
	world_finds(&w, "quota", "user 60 has files, but no quota entry");
	world_finds(&w, "quota", "user 3500050 has 0 bytes and 1 inodes by its quota, but 0 and 0");
	/* bounded memory: what it could not count it does not judge */
	assert_int_equal(world_check(&w, &(struct check_options){.max_owners = 3}), 0);
	assert_int_equal(w.result.problems, 0);
	assert_non_null(strstr(w.said, "not all quotas were compared"));
	world_remove(&w);
}

/* --- the file --- */

/* Changes a number in a block of a quota file. */
static void poke(int type, u32 block, u32 offset, u32 value)
{
	const struct super_info *sb = &w.im.sb;
	struct le32 v = cpu_to_le32(value);
	u32 per_block = sb->block_size / QUOTA_BLOCK_SIZE;
	pblk_t pblk = image_map(&w.im, sb->quota_inum[type], block / per_block);

	world_write(&w, pblk * sb->block_size + block % per_block * QUOTA_BLOCK_SIZE + offset, &v,
		sizeof(v));
}

/* The way to all small ids: blocks 1, 2, 3, 4, then 5 with the entries, id 0's first. */
static void test_tree(void **state)
{
	static const struct {
		u32 block, offset, value;
		const char *text;
	} cases[] = {
		{0, 0, QUOTA_MAGIC_GROUP, "no magic number"},
		{0, 4, 0, "unknown version"},
		{0, 0x14, 1, "impossible number of blocks"},
		{0, 0x14, 99999999, "impossible number of blocks"},
		{0, 0x18, 99, "free room begins behind its end"},
		{0, 0x18, 5, "has block 5 on its list of free blocks"},
		{0, 0x1c, 4, "has block 4 on its list of data blocks with room"},
		{1, 0, 1, "leads to block 1, which can't be"},
		{1, 0, 0, "user 0 has files, but no quota entry"},
		{1, 4, 2, "leads to block 2, which can't be"},
		{1, 4, 5, "leads to block 5, which can't be"},
		{1, 8, 0x80000000, "leads to block 2147483648, which can't be"},
		{2, 0, 1, "leads to block 1, which can't be"},
		{3, 0, 3, "leads to block 3, which can't be"},
		{4, 0, 4, "leads to block 4, which can't be"},
		{4, 8, 5, "the user quota of 2 should be in block 5, but is not"},
		{4, 0, 0, "entries, but its tree leads to"},
		{5, 0, 5, "has block 5 on its list of data blocks with room"},
		{5, 8, 9, "block 5 of the user quota file counts 9 entries"},
		{5, 0x10, 1, "the user quota of 0 should be in block 5, but is not"},
		{5, 0x10 + 0x18, 77, "user 0 has"},
		{5, 0x10 + 0x30, 77, "user 0 has 77 bytes"},
		{5, 0x10 + 13 * 72, 77, "entries, but has"},
	};

	make();
	for (size_t k = 0; k < array_len(cases); k++) {
		world_restore(&w);
		poke(0, cases[k].block, cases[k].offset, cases[k].value);
		world_finds(&w, "quota: inode 3", cases[k].text);
	}
	/* limits, times and pads are the administrator's */
	world_restore(&w);
	poke(0, 0, 8, 1);
	poke(0, 5, 0x10 + 8, 1);
	poke(0, 5, 0x10 + 0x28, 1);
	world_sound(&w);
	world_remove(&w);
}

/* Every way leads to the same node: told some times, and it ends. */
static void test_all_ways(void **state)
{
	make();
	for (u32 k = 0; k < QUOTA_POINTERS; k++)
		poke(2, 1, 4 * k, 2);
	world_finds(&w, "quota", "the tree of the project quota file leads to block 2");
	assert_true(w.result.problems < 20);
	world_remove(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_orphan),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_all_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
