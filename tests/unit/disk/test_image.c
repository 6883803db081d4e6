/* Every checksum and the geometry of real file systems of many feature sets. */
#include "image.h"

#include <sys/stat.h>

#include "base/bits.h"
#include "base/err.h"
#include "base/util.h"
#include "disk/dirent.h"
#include "disk/jbd2.h"
#include "disk/mmp.h"
#include "disk/orphan.h"
#include "disk/xattr.h"

static void populate(struct image *im)
{
	image_run(im,
		"cd $D/tree && dd if=/dev/urandom of=big bs=64k count=4 && "
		"n=$(printf %0248d 7); i=0; "
		"while [ $i -lt 400 ]; do echo mkdir $n$i; i=$((i+1)); done >$D/script; "
		"for d in d1 d2 d3; do echo mkdir $d; done >>$D/script",
		0);
	image_run(im, "debugfs -w -f $D/script $I", 0);
	image_debugfs(im, "symlink short target\n"
			  "mknod null c 1 3\n"
			  "mknod large c 300 70000\n"
			  "ea_set d1 user.one value\n"
			  "ea_set d1 user.two another\n"
			  "cd d2\n"
			  "mknod fifo p\n");
	image_run(im, "debugfs -w -R \"write $D/tree/big big\" $I", 0);
	/* One attribute too large for any inode, so that a block is used. */
	image_run(im,
		"head -c 700 /dev/zero | tr '\\0' x >$D/tree/v; debugfs -w -R \"ea_set -f "
		"$D/tree/v "
		"d3 user.large\" $I",
		0);
	image_run(im, "e2fsck -fyD $I", 1);
	image_run(im, "e2fsck -fn $I", 0);
	image_open(im);
}

static void check_supers(struct image *im)
{
	const struct super_info *sb = &im->sb;

	for (group_nr g = 1; g < sb->group_count; g++) {
		struct ext4_super *s;

		if (!super_group_has_super(sb, g))
			continue;
		s = image_read(
			im, super_group_first_block(sb, g) << sb->block_bits, EXT4_SUPER_SIZE);
		assert_int_equal(le16_to_cpu(s->s_magic), EXT4_SUPER_MAGIC);
		assert_true(super_csum_verify(s));
		assert_int_equal(le16_to_cpu(s->s_block_group_nr), g);
		free(s);
	}
}

static void check_group(struct image *im, group_nr g)
{
	const struct super_info *sb = &im->sb;
	struct ext4_group_desc *d = image_desc(im, g);
	u16 flags = group_desc_flags(d);
	void *bits;

	assert_true(group_desc_verify(sb, g, d));
	if (!(flags & EXT4_BG_BLOCK_UNINIT)) {
		bits = image_block(im, group_desc_block_bitmap(sb, d));
		assert_true(group_block_bitmap_csum_ok(sb, d, bits));
		if (!super_has_bigalloc(sb))
			assert_int_equal(super_group_blocks(sb, g) -
						 bits_weight(bits, 0, super_group_blocks(sb, g)),
				group_desc_free_clusters(sb, d));
		free(bits);
	}
	if (!(flags & EXT4_BG_INODE_UNINIT)) {
		bits = image_block(im, group_desc_inode_bitmap(sb, d));
		assert_true(group_inode_bitmap_csum_ok(sb, d, bits));
		assert_int_equal(sb->inodes_per_group - bits_weight(bits, 0, sb->inodes_per_group),
			group_desc_free_inodes(sb, d));
		free(bits);
	}
	free(d);
}

static void check_xattrs(struct image *im, struct ext4_inode_disk *raw, struct inode_fields *f)
{
	u32 at = EXT4_INODE_SIZE_OLD + f->extra_isize;
	const struct super_info *sb = &im->sb;
	const struct ext4_xattr_entry *e;
	const char *why;
	void *block;
	u32 hash;

	if (at < sb->inode_size && xattr_ibody_present((u8 *)raw + at, sb->inode_size - at))
		assert_int_equal(
			xattr_ibody_verify(sb, (u8 *)raw + at, sb->inode_size - at, &why), 0);
	if (!f->file_acl)
		return;
	block = image_block(im, f->file_acl);
	assert_int_equal(xattr_block_verify(sb, block, &why), 0);
	assert_true(xattr_block_csum_verify(sb, f->file_acl, block));
	e = (void *)((u8 *)block + sizeof(struct ext4_xattr_header));
	hash = le32_to_cpu(((struct ext4_xattr_header *)block)->h_hash);
	assert_true(hash == 0 || hash == xattr_block_hash(e)); /* debugfs does not share blocks */
	for (; !xattr_is_last(e); e = xattr_next(e))
		assert_true(xattr_entry_hash_ok(block, e));
	free(block);
}

/* Counts the kinds of things seen, so that a test can't pass on an empty image. */
struct seen {
	u32 inodes, dirs, indexed, nodes, attr_blocks;
};

static void check_dir_block(struct image *im, struct seen *seen, u32 seed,
	const struct inode_fields *f, lblk_t lblk, const void *block)
{
	const struct super_info *sb = &im->sb;
	u32 blocks = (u32)(f->size >> sb->block_bits);
	const char *why = "";

	if (f->flags & EXT4_INDEX_FL && lblk == 0) {
		assert_int_equal(dx_root_verify(sb, block, blocks, &why), 0);
		assert_true(dx_csum_verify(sb, seed, block, EXT4_DX_ROOT_COUNT_OFFSET));
	} else if (f->flags & EXT4_INDEX_FL && dx_block_is_node(sb, block)) {
		seen->nodes++;
		assert_int_equal(dx_node_verify(sb, block, blocks, &why), 0);
		assert_true(dx_csum_verify(sb, seed, block, EXT4_DX_NODE_COUNT_OFFSET));
	} else {
		assert_int_equal(dirent_verify_all(sb, block, dir_leaf_size(sb), &why), 0);
		assert_true(dir_leaf_csum_verify(sb, seed, block));
	}
}

static void check_inode(struct image *im, ino_nr ino, struct seen *seen)
{
	const struct super_info *sb = &im->sb;
	struct ext4_inode_disk *raw = image_inode(im, ino), *copy;
	u32 seed = inode_csum_seed(sb, ino, inode_raw_generation(raw));
	struct inode_fields f;
	const char *why;

	if (!inode_csum_verify(sb, seed, raw))
		fail_msg("inode %u: bad checksum", ino);
	assert_int_equal(inode_unpack(sb, raw, &f, &why), 0);
	copy = malloc(sb->inode_size);
	memcpy(copy, raw, sb->inode_size);
	assert_int_equal(inode_pack(sb, &f, copy), 0);
	assert_memory_equal(copy, raw, sb->inode_size);
	free(copy);
	if (f.links && f.mode) {
		if (inode_fields_verify(sb, &f, &why))
			fail_msg("inode %u: %s", ino, why);
		check_xattrs(im, raw, &f);
		seen->inodes++;
		seen->attr_blocks += f.file_acl != 0;
		seen->dirs += S_ISDIR(f.mode);
		seen->indexed += S_ISDIR(f.mode) && f.flags & EXT4_INDEX_FL;
	}
	if (f.links && (S_ISDIR(f.mode) || S_ISREG(f.mode)))
		for (lblk_t lblk = 0; lblk < div_up(f.size, sb->block_size) && lblk < 1000;
			lblk++) {
			pblk_t pblk = image_map(im, ino, lblk);
			void *block;

			if (!pblk || !S_ISDIR(f.mode))
				continue;
			block = image_block(im, pblk);
			check_dir_block(im, seen, seed, &f, lblk, block);
			free(block);
		}
	free(raw);
}

static void check_journal(struct image *im)
{
	const struct super_info *sb = &im->sb;
	struct ext4_inode_disk *raw = image_inode(im, sb->journal_inum);
	u64 blocks = (le32_to_cpu(raw->i_size_lo) | (u64)le32_to_cpu(raw->i_size_hi) << 32) >>
		     sb->block_bits;
	struct jbd2_super *js = image_block(im, image_map(im, sb->journal_inum, 0));
	struct jbd2_info info;
	const char *why = "";

	if (jbd2_super_decode(js, sb->block_size, blocks, &info, &why))
		fail_msg("%s", why);
	assert_int_equal(info.maxlen, blocks);
	free(js);
	free(raw);
}

static void check_orphan_file(struct image *im)
{
	const struct super_info *sb = &im->sb;
	ino_nr ino = sb->orphan_file_inum;
	struct ext4_inode_disk *raw = image_inode(im, ino);
	u32 seed = inode_csum_seed(sb, ino, inode_raw_generation(raw));
	u32 blocks = le32_to_cpu(raw->i_size_lo) >> sb->block_bits;
	const char *why;

	assert_true(blocks > 0);
	for (lblk_t lblk = 0; lblk < blocks; lblk++) {
		pblk_t pblk = image_map(im, ino, lblk);
		void *block = image_block(im, pblk);

		assert_int_equal(orphan_block_verify(sb, block, &why), 0);
		assert_true(orphan_csum_verify(sb, seed, pblk, block));
		free(block);
	}
	free(raw);
}

/* Block 0 of 1 KiB bigalloc file systems is in group 0 but in no list of dumpe2fs. */
static unsigned boot_block(const struct super_info *sb, group_nr group)
{
	return group == 0 && sb->block_size == 1024 && sb->first_data_block == 0;
}

/* Against dumpe2fs: where each group's copies, bitmaps and tables lie (MD-14). */
static void check_geometry(struct image *im)
{
	const struct super_info *sb = &im->sb;
	FILE *p = image_pipe(im, "dumpe2fs $I");
	unsigned group = ~0u, base = 0, count = 0, v;
	unsigned long long a, b;
	struct ext4_group_desc *d = NULL;
	char line[512], *s;

	while (fgets(line, sizeof(line), p)) {
		if (sscanf(line, "Group %u: (Blocks %llu-%llu", &v, &a, &b) == 3) {
			if (group != ~0u)
				assert_int_equal(super_group_base_blocks(sb, group), base);
			free(d);
			d = image_desc(im, group = v);
			base = boot_block(sb, group);
			count++;
			assert_int_equal(super_group_first_block(sb, group), a);
			assert_int_equal(super_group_blocks(sb, group), b - a + 1);
			continue;
		}
		if ((s = strstr(line, "superblock at ")) &&
			sscanf(s, "superblock at %llu", &a) == 1) {
			assert_true(super_group_has_super(sb, group));
			base++;
		}
		if ((s = strstr(line, "roup descriptors at ")) &&
			sscanf(s, "roup descriptors at %llu-%llu", &a, &b) == 2)
			base += (unsigned)(b - a + 1);
		if ((s = strstr(line, "roup descriptor at ")) &&
			sscanf(s, "roup descriptor at %llu", &a) == 1) {
			base++;
			if (group % sb->descs_per_block == 0)
				assert_int_equal(
					super_gdt_block(sb, group / sb->descs_per_block), a);
		}
		if (sscanf(line, " Reserved GDT blocks at %llu-%llu", &a, &b) == 2)
			base += (unsigned)(b - a + 1);
		if (sscanf(line, " Block bitmap at %llu", &a) == 1)
			assert_int_equal(group_desc_block_bitmap(sb, d), a);
		if (sscanf(line, " Inode bitmap at %llu", &a) == 1)
			assert_int_equal(group_desc_inode_bitmap(sb, d), a);
		if (sscanf(line, " Inode table at %llu-%llu", &a, &b) == 2) {
			assert_int_equal(group_desc_inode_table(sb, d), a);
			assert_int_equal(sb->itable_blocks, b - a + 1);
		}
	}
	assert_int_equal(count, sb->group_count);
	assert_int_equal(super_group_base_blocks(sb, group), base);
	free(d);
	pclose(p);
}

static void check_everything(const char *mkfs_args, const char *size, bool many)
{
	struct seen seen = {0};
	struct image im;

	image_make(&im, mkfs_args, size);
	if (many)
		populate(&im);
	check_geometry(&im);
	check_supers(&im);
	for (group_nr g = 0; g < im.sb.group_count; g++)
		check_group(&im, g);
	for (ino_nr ino = 1; ino <= im.sb.inodes_count; ino++)
		check_inode(&im, ino, &seen);
	if (super_has_journal(&im.sb))
		check_journal(&im);
	if (super_has_orphan_file(&im.sb))
		check_orphan_file(&im);
	assert_true(seen.dirs >= 2);
	if (many) {
		assert_true(seen.inodes > 400);
		assert_true(im.sb.inode_size >= 1024 || seen.attr_blocks >= 1);
		assert_true(!super_has_dir_index(&im.sb) || seen.indexed >= 1);
		assert_true(im.sb.block_size > 1024 || seen.nodes >= 2);
	}
	image_remove(&im);
}

#define IMAGE_TEST(name, args, size, many)                                                         \
	static void test_image_##name(void **state)                                                \
	{                                                                                          \
		check_everything(args, size, many);                                                \
	}

IMAGE_TEST(default_4k,
	"-t ext4 -b 4096 -O metadata_csum,metadata_csum_seed,64bit,orphan_file -N 2048", "64M",
	true)
IMAGE_TEST(seed_after_uuid_change,
	"-t ext4 -b 1024 -O metadata_csum,metadata_csum_seed -U "
	"11111111-2222-3333-4444-555555555555 -N 1024",
	"16M", true)
IMAGE_TEST(small_inodes, "-t ext4 -b 1024 -I 128 -O metadata_csum,^64bit -N 1024", "24M", true)
IMAGE_TEST(large_inodes, "-t ext4 -b 2048 -I 1024 -O metadata_csum -N 1024", "32M", true)
IMAGE_TEST(uninit_bg, "-t ext4 -b 1024 -O ^metadata_csum,uninit_bg,^64bit -N 1024", "24M", true)
IMAGE_TEST(
	uninit_bg_64bit, "-t ext4 -b 1024 -O ^metadata_csum,uninit_bg,64bit -N 1024", "24M", true)
IMAGE_TEST(no_checksums, "-t ext4 -b 1024 -O ^metadata_csum,^uninit_bg -N 1024", "24M", true)
IMAGE_TEST(block_64k, "-t ext4 -b 65536 -O metadata_csum,^has_journal,^resize_inode -N 1024", "64M",
	true)
IMAGE_TEST(meta_bg, "-t ext4 -b 1024 -g 256 -O meta_bg,^resize_inode,metadata_csum -N 4096", "24M",
	false)
IMAGE_TEST(meta_bg_no_flex,
	"-t ext4 -b 1024 -g 256 -O meta_bg,^resize_inode,^flex_bg,^sparse_super,metadata_csum -N "
	"4096",
	"24M", false)
IMAGE_TEST(sparse_super2,
	"-t ext4 -b 1024 -g 1024 -O sparse_super2,^resize_inode,metadata_csum -N 4096", "24M",
	false)
IMAGE_TEST(all_supers,
	"-t ext4 -b 1024 -g 1024 -O ^sparse_super,^resize_inode,metadata_csum -N 4096", "24M",
	false)
IMAGE_TEST(many_groups, "-t ext4 -b 1024 -g 256 -O metadata_csum -N 4096", "64M", false)
IMAGE_TEST(desc_128, "-t ext4 -b 1024 -g 1024 -E desc_size=128 -O metadata_csum,64bit -N 4096",
	"24M", false)
IMAGE_TEST(bigalloc, "-t ext4 -b 1024 -C 4096 -O bigalloc,metadata_csum -N 2048", "64M", false)
IMAGE_TEST(bigalloc_4k, "-t ext4 -b 4096 -C 65536 -O bigalloc,metadata_csum -N 2048", "64M", false)
IMAGE_TEST(ext2, "-t ext2 -b 1024 -N 1024", "16M", false)
IMAGE_TEST(ext3, "-t ext3 -b 4096 -N 1024", "16M", false)
IMAGE_TEST(rev0, "-t ext2 -r 0 -b 1024 -N 1024", "16M", false)

/* The MMP block, as mke2fs writes it. */
static void test_MD_21_mmp_block(void **state)
{
	struct ext4_mmp *m;
	struct image im;
	const char *why;

	image_make(&im, "-t ext4 -O mmp,metadata_csum -N 64", "16M");
	m = image_block(&im, im.sb.mmp_block);
	assert_int_equal(mmp_verify(&im.sb, m, &why), 0);
	assert_int_equal(le32_to_cpu(m->mmp_seq), EXT4_MMP_SEQ_CLEAN);
	m->mmp_seq = cpu_to_le32(1);
	assert_int_equal(mmp_verify(&im.sb, m, &why), -EBADMSG);
	mmp_csum_set(&im.sb, m);
	assert_int_equal(mmp_verify(&im.sb, m, &why), 0);
	m->mmp_magic = cpu_to_le32(0);
	mmp_csum_set(&im.sb, m);
	assert_int_equal(mmp_verify(&im.sb, m, &why), -EUCLEAN);
	free(m);
	image_remove(&im);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_image_default_4k),
		cmocka_unit_test(test_image_seed_after_uuid_change),
		cmocka_unit_test(test_image_small_inodes),
		cmocka_unit_test(test_image_large_inodes),
		cmocka_unit_test(test_image_uninit_bg),
		cmocka_unit_test(test_image_uninit_bg_64bit),
		cmocka_unit_test(test_image_no_checksums),
		cmocka_unit_test(test_image_block_64k),
		cmocka_unit_test(test_image_meta_bg),
		cmocka_unit_test(test_image_meta_bg_no_flex),
		cmocka_unit_test(test_image_sparse_super2),
		cmocka_unit_test(test_image_all_supers),
		cmocka_unit_test(test_image_many_groups),
		cmocka_unit_test(test_image_desc_128),
		cmocka_unit_test(test_image_bigalloc),
		cmocka_unit_test(test_image_bigalloc_4k),
		cmocka_unit_test(test_image_ext2),
		cmocka_unit_test(test_image_ext3),
		cmocka_unit_test(test_image_rev0),
		cmocka_unit_test(test_MD_21_mmp_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
