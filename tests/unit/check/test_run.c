/*
 * How a check runs: it is silent on sound images of all kinds, replays the log
 * in memory (RC-12), knows orphans, keeps to its memory, survives failing reads
 * and allocations, and never writes.
 */
#include "check_test.h"

#include "base/trace.h"
#include "base/util.h"

#include <errno.h>

static struct world w;

static void test_sound_features(void **state)
{
	static const struct {
		const char *args, *size;
	} kinds[] = {
		{"-t ext4 -b 1024", "8M"},
		{"-t ext4 -b 4096", "40M"},
		{"-t ext4 -b 65536", "40M"},
		{"-t ext4 -b 2048 -I 1024", "16M"},
		{"-t ext4 -I 128 -b 1024 -O ^metadata_csum_seed", "8M"},
		{"-t ext4 -b 1024 -O ^metadata_csum,uninit_bg,^64bit", "40M"},
		{"-t ext4 -b 1024 -O ^metadata_csum,^uninit_bg", "40M"},
		{"-t ext4 -b 1024 -O meta_bg,^resize_inode", "80M"},
		{"-t ext4 -b 1024 -O ^flex_bg", "40M"},
		{"-t ext4 -b 1024 -G 64 -O sparse_super2", "40M"},
		{"-t ext4 -b 1024 -O ^sparse_super,^resize_inode,^has_journal,^orphan_file", "40M"},
		{"-t ext4 -b 1024 -O bigalloc -C 16384", "40M"},
		{"-t ext4 -b 4096 -O bigalloc", "100M"},
		{"-t ext4 -b 1024 -O inline_data", "8M"},
		{"-t ext4 -b 4096 -O inline_data,bigalloc", "80M"},
		{"-t ext4 -b 1024 -O quota,project,ea_inode,large_dir,mmp", "16M"},
		{"-t ext4 -b 1024 -O casefold,encrypt,verity", "16M"},
		{"-t ext3 -b 1024", "8M"},
		{"-t ext2 -b 4096", "8M"},
		{"-t ext2 -b 1024 -g 1024 -O none,filetype", "8M"},
	};

	for (size_t k = 0; k < array_len(kinds); k++) {
		world_make(&w, kinds[k].args, kinds[k].size);
		world_sound(&w);
		world_remove(&w);
	}
}

/* --- the log --- */

/* /plain says that it is a block long; the log has its inode as it was. */
static void test_replay(void **state)
{
	struct ext4_group_desc *d;
	char command[300];
	u32 block;

	world_make(&w, "-t ext4 -b 1024 -O ^orphan_file -J size=1", "4M");
	d = image_desc(&w.im, 0);
	block = (u32)group_desc_inode_table(&w.im.sb, d) + 19 / w.im.sb.inodes_per_block;
	free(d);
	snprintf(command, sizeof(command), "dd if=$I of=$D/copy bs=1024 count=1 skip=%u", block);
	image_run(&w.im, command, 0);
	image_debugfs(&w.im, "sif <20> links_count 9\n");
	world_finds(&w, "links", "it counts 9 links");
	snprintf(command, sizeof(command), "jo -c\njw -b %u %s/copy\njc\n", block, w.im.dir);
	image_debugfs(&w.im, command);
	image_run(&w.im, "rm $D/copy", 0);
	assert_int_equal(world_check(&w, NULL), 0);
	if (w.result.problems)
		fail_msg("after replay: %s", w.said);
	assert_true(w.result.replayed && w.result.unclean);
	/* RC-2: without the flag a mount throws the log away */
	image_debugfs(&w.im, "feature ^needs_recovery\n");
	world_finds(&w, "journal", "needs no replay");
	world_finds(&w, "links", "it counts 9 links");
	assert_false(w.result.replayed);
	world_remove(&w);
}

/* OR-1: an open file was deleted, then the power went. */
static void test_orphan(void **state)
{
	world_make(&w, "-t ext4 -b 1024 -O ^orphan_file,^has_journal", "4M");
	image_debugfs(&w.im, "unlink /dir/file\nsif <14> links_count 0\nsif <14> dtime 0\n"
			     "ssv last_orphan 14\n");
	world_finds(&w, "orphan: inode 14", "unmounted");
	image_debugfs(&w.im, "ssv state 0\n");
	assert_int_equal(world_check(&w, NULL), 0);
	if (w.result.problems)
		fail_msg("an orphan after a crash: %s", w.said);
	assert_int_equal(w.result.orphans, 1);
	/* a circle of two */
	image_debugfs(&w.im, "sif <14> dtime 20\nsif <20> dtime 14\n");
	world_finds(&w, "orphan: inode 14", "a second time");
	world_remove(&w);
}

/* OR-7: ... and one of a directory whose deletion had begun: no size, but blocks and "..". */
static void test_orphan_dir(void **state)
{
	world_make(&w, "-t ext4 -b 1024 -O ^orphan_file,^has_journal", "4M");
	image_debugfs(&w.im, "mkdir /gone\nsif /gone links_count 0\nsif /gone size 0\n"
			     "sif / links_count 5\nssv last_orphan 21\nssv state 0\n");
	world_finds(&w, "links: inode 21", "to be deleted, but has 1 names");
	image_debugfs(&w.im, "unlink /gone\n");
	assert_int_equal(world_check(&w, NULL), 0);
	if (w.result.problems || w.result.orphans != 1)
		fail_msg("a half deleted directory: %s", w.said);
	world_remove(&w);
}

/* OR-7: ... and of symlinks: one without its text already, one without its block. */
static void test_orphan_links(void **state)
{
	char command[300], target[101];

	memset(target, 'x', sizeof(target) - 1);
	target[sizeof(target) - 1] = 0;
	world_make(&w, "-t ext4 -b 1024 -O ^orphan_file,^has_journal", "4M");
	snprintf(command, sizeof(command),
		"symlink /fast abc\nsymlink /slow %s\npunch /slow 0 0\nsif /fast block[0] 0\n"
		"sif /fast links_count 0\nsif /slow links_count 0\nsif /fast dtime 22\n"
		"unlink /fast\nunlink /slow\nssv last_orphan 21\nssv state 0\n",
		target);
	image_debugfs(&w.im, command);
	assert_int_equal(world_check(&w, NULL), 0);
	if (w.result.problems || w.result.orphans != 2)
		fail_msg("half deleted symlinks: %s", w.said);
	world_remove(&w);
}

/* --- clusters --- */

/* AL-24: a block stands in its cluster where it stands in the file's. */
static void test_AL_24_misaligned_cluster(void **state)
{
	world_make(&w, "-t ext4 -b 1024 -O bigalloc -C 16384", "40M");
	image_debugfs(&w.im, "sif /plain block[3] 1\n");
	world_finds(&w, "map: inode", "not aligned to its cluster");
	world_remove(&w);
}

/* --- backups --- */

static void test_backup(void **state)
{
	world_make(&w, "-t ext4 -b 1024", "20M");
	world_write(&w, 8193 * 1024 + 0x38, "xx", 2);
	world_finds(&w, "note superblock", "copy in group 1 has no magic number");
	assert_int_equal(w.result.problems, 0);
	world_remove(&w);
}

/* --- what can't be done --- */

static void test_not_ext4(void **state)
{
	struct check_result r;
	struct dev *dev;

	assert_int_equal(dev_mem_create(1 << 20, 512, &dev), 0);
	assert_int_equal(check_device(dev, NULL, &r), -EINVAL);
	dev_close(dev);
	assert_int_equal(dev_mem_create(1024, 512, &dev), 0);
	assert_int_equal(check_device(dev, NULL, &r), -EINVAL);
	dev_close(dev);
}

static void test_memory_bound(void **state)
{
	world_make(&w, "-t ext4 -b 1024", "4M");
	world_sound(&w);
	assert_int_equal(
		world_check(&w, &(struct check_options){.max_memory = w.result.memory}), 0);
	assert_int_equal(
		world_check(&w, &(struct check_options){.max_memory = w.result.memory - 1}),
		-ENOMEM);
	world_remove(&w);
}

static u32 countdown;

static bool fail_allocation(const char *name)
{
	return strcmp(name, "os_alloc") == 0 && countdown && --countdown == 0;
}

/* Each allocation in turn; the image has problems, so that paths and the second walk run, too. */
static void test_allocations(void **state)
{
	const struct check_options o = {.paths = true};
	struct check_result r;
	struct dev *dev;
	int err = 0;
	u32 n = 0;

	world_make(&w, "-t ext2 -b 1024", "4M");
	image_debugfs(&w.im, "sif /dir/file block[0] 3\nsif /plain links_count 5\n");
	dev = world_dev(&w);
	fault_hook = fail_allocation;
	do {
		countdown = ++n;
		err = check_device(dev, &o, &r);
		assert_true(err == 0 || err == -ENOMEM);
	} while (!countdown);
	fault_hook = NULL;
	assert_true(n > 10);
	assert_int_equal(err, 0);
	dev_close(dev);
	world_remove(&w);
}

/* Each read in turn: either it can't be done, or it is told. */
static void test_reads(void **state)
{
	struct dev *dev, *faulty;
	struct check_result r;
	bool hit = true;
	u64 n = 0;

	world_make(&w, "-t ext4 -b 1024", "4M");
	dev = world_dev(&w);
	assert_int_equal(dev_fault_create(dev, false, &faulty), 0);
	for (; hit; n++) {
		const struct dev_fault_rule rule = {
			.ops = 1u << DEV_READ, .after = n, .count = 1, .error = EIO};
		u64 before = dev_fault_hits(faulty);
		int err;

		dev_fault_clear(faulty);
		assert_int_equal(dev_fault_add(faulty, &rule), 0);
		err = check_device(faulty, NULL, &r);
		hit = dev_fault_hits(faulty) != before;
		/* a window of the inode table is tried again, block by block */
		assert_true(!hit || err || r.problems || !r.incomplete);
	}
	assert_true(n > 10);
	assert_int_equal(r.problems, 0);
	dev_close(faulty);
	world_remove(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound_features),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_orphan),
		cmocka_unit_test(test_orphan_dir),
		cmocka_unit_test(test_orphan_links),
		cmocka_unit_test(test_AL_24_misaligned_cluster),
		cmocka_unit_test(test_backup),
		cmocka_unit_test(test_not_ext4),
		cmocka_unit_test(test_memory_bound),
		cmocka_unit_test(test_allocations),
		cmocka_unit_test(test_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
