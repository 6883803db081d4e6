/* Directory entries, leaf tails, index blocks. */
#include "image.h"

#include <sys/stat.h>

#include "base/err.h"
#include "base/rng.h"
#include "base/util.h"
#include "disk/dirent.h"

static struct super_info info(u32 block_size, bool csum)
{
	return (struct super_info){
		.block_size = block_size,
		.inodes_count = 1000,
		.feature_compat = EXT4_FEATURE_COMPAT_DIR_INDEX,
		.feature_ro_compat = csum ? EXT4_FEATURE_RO_COMPAT_METADATA_CSUM : 0,
	};
}

static u32 put(u8 *block, u32 at, u32 ino, u32 rec_len, const char *name, u32 block_size)
{
	struct ext4_dirent *d = (void *)(block + at);

	d->inode = cpu_to_le32(ino);
	d->name_len = (u8)strlen(name);
	d->file_type = EXT4_FT_REG;
	memcpy(d->name, name, strlen(name));
	dirent_set_rec_len(d, rec_len, block_size);
	return at + rec_len;
}

/* Three entries; the middle one is left to the tests. */
static void make_leaf(const struct super_info *sb, u8 *block)
{
	u32 at = put(block, 0, 12, 12, "a", sb->block_size);

	at = put(block, at, 13, 20, "middle", sb->block_size);
	put(block, at, 0, dir_leaf_size(sb) - at, "", sb->block_size);
	dir_leaf_tail_init(sb, block);
}

static int verify_all(const struct super_info *sb, const u8 *block)
{
	const char *why = NULL;
	int err = dirent_verify_all(sb, block, dir_leaf_size(sb), &why);

	assert_true(err == 0 || (err == -EUCLEAN && why && *why));
	return err;
}

static void test_DR_1_each_clause(void **state)
{
	struct super_info sb = info(1024, true);
	u8 block[1024] = {0};
	struct ext4_dirent *d = (void *)(block + 12);

	make_leaf(&sb, block);
	assert_int_equal(verify_all(&sb, block), 0);
	d->rec_len = cpu_to_le16(8); /* shorter than any entry */
	assert_int_equal(verify_all(&sb, block), -EUCLEAN);
	d->rec_len = cpu_to_le16(0);
	assert_int_equal(verify_all(&sb, block), -EUCLEAN);
	d->rec_len = cpu_to_le16(18);
	assert_int_equal(verify_all(&sb, block), -EUCLEAN);
	d->rec_len = cpu_to_le16(20);
	d->name_len = 13; /* needs 24 */
	assert_int_equal(verify_all(&sb, block), -EUCLEAN);
	d->name_len = 6;
	d->rec_len = cpu_to_le16(1012 - 12 + 4); /* over the end */
	assert_int_equal(verify_all(&sb, block), -EUCLEAN);
	d->rec_len = cpu_to_le16(1012 - 12 - 8); /* leaves less than an entry */
	assert_int_equal(verify_all(&sb, block), -EUCLEAN);
	d->rec_len = cpu_to_le16(1012 - 12); /* exactly */
	assert_int_equal(verify_all(&sb, block), 0);
	d->rec_len = cpu_to_le16(20);
	d->inode = cpu_to_le32(1000);
	assert_int_equal(verify_all(&sb, block), 0);
	d->inode = cpu_to_le32(1001);
	assert_int_equal(verify_all(&sb, block), -EUCLEAN);
	d->inode = cpu_to_le32(13);
	d->name[2] = '/';
	assert_int_equal(verify_all(&sb, block), -EUCLEAN);
	d->name[2] = 0;
	assert_int_equal(verify_all(&sb, block), -EUCLEAN);
	d->inode = cpu_to_le32(0); /* unused entries keep old names */
	assert_int_equal(verify_all(&sb, block), 0);
	d->inode = cpu_to_le32(13);
	d->name_len = 0;
	assert_int_equal(verify_all(&sb, block), -EUCLEAN);
}

static void test_DR_1_block_64k(void **state)
{
	struct super_info sb = info(65536, false);
	struct ext4_dirent d = {.rec_len = cpu_to_le16(0)};
	u8 *block = calloc(1, 65536);

	assert_int_equal(dirent_rec_len(&d, 65536), 65536);
	assert_int_equal(dirent_rec_len(&d, 4096), 0);
	dirent_set_rec_len(&d, 65536, 65536);
	assert_int_equal(le16_to_cpu(d.rec_len), 0xffff);
	assert_int_equal(dirent_rec_len(&d, 65536), 65536);
	dirent_set_rec_len(&d, 65524, 65536);
	assert_int_equal(dirent_rec_len(&d, 65536), 65524);
	put(block, 0, 0, 65536, "", 65536);
	assert_int_equal(verify_all(&sb, block), 0);
	free(block);
}

static void test_DR_1_offsets(void **state)
{
	struct super_info sb = info(1024, false);
	u8 block[1024] = {0};
	const char *why;

	make_leaf(&sb, block);
	assert_int_equal(dirent_verify(&sb, block, 1024, 12, &why), 0);
	assert_int_equal(dirent_verify(&sb, block, 1024, 14, &why), -EUCLEAN);
	assert_int_equal(dirent_verify(&sb, block, 1024, 1016, &why), -EUCLEAN);
	assert_int_equal(dirent_verify(&sb, block, 1024, 1024, &why), -EUCLEAN);
	assert_int_equal(dirent_verify(&sb, block, 1024, 0xfffffffc, &why), -EUCLEAN);
	assert_int_equal(dirent_verify_all(&sb, block, 56, &why), -EUCLEAN);
}

/* One entry alone, so that no neighbour hides what is wrong with it. */
static int one(u32 offset, u32 rec_len, u8 name_len, u32 size)
{
	struct super_info sb = info(1024, false);
	u8 region[64] = {0};
	struct ext4_dirent *d = (void *)(region + offset);
	const char *why;

	d->rec_len = cpu_to_le16((u16)rec_len);
	d->name_len = name_len;
	return dirent_verify(&sb, region, size, offset, &why);
}

static void test_DR_1_edges(void **state)
{
	assert_int_equal(one(0, 12, 0, 12), 0);
	assert_int_equal(one(36, 12, 4, 48), 0);
	assert_int_equal(one(36, 12, 5, 48), -EUCLEAN);
	assert_int_equal(one(0, 8, 0, 48), -EUCLEAN);
	assert_int_equal(one(0, 22, 0, 48), -EUCLEAN);
	assert_int_equal(one(2, 12, 0, 48), -EUCLEAN);
	assert_int_equal(one(0, 36, 0, 48), 0);
	assert_int_equal(one(0, 40, 0, 48), -EUCLEAN);
	assert_int_equal(one(0, 48, 0, 48), 0);
	assert_int_equal(one(0, 52, 0, 48), -EUCLEAN);
}

static void test_file_types(void **state)
{
	static const u32 modes[] = {S_IFREG, S_IFDIR, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_IFLNK};

	for (u32 i = 0; i < array_len(modes); i++) {
		assert_int_equal(dirent_type_of_mode(modes[i] | 0644), i + 1);
		assert_int_equal(dirent_mode_of_type((u8)(i + 1)), modes[i]);
	}
	assert_int_equal(dirent_type_of_mode(0), EXT4_FT_UNKNOWN);
	assert_int_equal(dirent_mode_of_type(8), 0);
}

static struct super_info csum_sb;
static u32 csum_offset;

static bool leaf_ok(void *block)
{
	return dir_leaf_csum_verify(&csum_sb, 9, block);
}

static bool dx_ok(void *block)
{
	return dx_csum_verify(&csum_sb, 9, block, csum_offset);
}

static void test_DR_4_leaf_checksum(void **state)
{
	u8 block[1024] = {0};

	csum_sb = info(1024, true);
	assert_int_equal(dir_leaf_size(&csum_sb), 1012);
	make_leaf(&csum_sb, block);
	dir_leaf_csum_set(&csum_sb, 9, block);
	flip_every_bit(block, 0, 1024, leaf_ok, block);
	block[0]++;
	csum_sb = info(1024, false);
	assert_int_equal(dir_leaf_size(&csum_sb), 1024);
	assert_true(leaf_ok(block));
}

/* A root or node with `count` entries. */
static void make_dx(const struct super_info *sb, u8 *block, u32 offset, u32 count)
{
	struct ext4_dx_entry *e = dx_entries(block, offset);
	struct ext4_dx_countlimit *cl = (void *)e;
	struct ext4_dx_root *r = (void *)block;

	memset(block, 0, sb->block_size);
	if (offset == EXT4_DX_ROOT_COUNT_OFFSET) {
		put(block, 0, 20, 12, ".", sb->block_size);
		put(block, 12, 2, sb->block_size - 12, "..", sb->block_size);
		r->info.hash_version = EXT4_HASH_HALF_MD4;
		r->info.info_length = 8;
	} else {
		put(block, 0, 0, sb->block_size, "", sb->block_size);
	}
	for (u32 i = 0; i < count; i++)
		e[i] = (struct ext4_dx_entry){cpu_to_le32(i * 1000), cpu_to_le32(i + 1)};
	cl->limit = cpu_to_le16((u16)dx_limit(sb, offset));
	cl->count = cpu_to_le16((u16)count);
}

static void test_DR_7_limits(void **state)
{
	struct super_info sb = info(4096, true);

	assert_int_equal(dx_limit(&sb, EXT4_DX_ROOT_COUNT_OFFSET), 507);
	assert_int_equal(dx_limit(&sb, EXT4_DX_NODE_COUNT_OFFSET), 510);
	sb = info(4096, false);
	assert_int_equal(dx_limit(&sb, EXT4_DX_ROOT_COUNT_OFFSET), 508);
	assert_int_equal(dx_limit(&sb, EXT4_DX_NODE_COUNT_OFFSET), 511);
}

static int root_verify(const struct super_info *sb, const u8 *block)
{
	const char *why = NULL;
	int err = dx_root_verify(sb, block, 50, &why);

	assert_true(err == 0 || (err == -EUCLEAN && why && *why));
	return err;
}

static int node_verify(const struct super_info *sb, const u8 *block)
{
	const char *why = NULL;
	int err = dx_node_verify(sb, block, 50, &why);

	assert_true(err == 0 || (err == -EUCLEAN && why && *why));
	return err;
}

static void test_DR_7_entries(void **state)
{
	struct super_info sb = info(1024, true);
	const u32 at = EXT4_DX_NODE_COUNT_OFFSET;
	u8 block[1024];
	struct ext4_dx_entry *e = dx_entries(block, at);
	struct ext4_dx_countlimit *cl = (void *)e;

	make_dx(&sb, block, at, 40);
	assert_int_equal(node_verify(&sb, block), 0);
	e[5].hash = cpu_to_le32(le32_to_cpu(e[4].hash) | 1); /* DR-8: continues */
	assert_int_equal(node_verify(&sb, block), 0);
	e[5].hash = cpu_to_le32(3999);
	assert_int_equal(node_verify(&sb, block), -EUCLEAN);
	e[5].hash = cpu_to_le32(5000);
	e[7].block = cpu_to_le32(49 | 0xf0000000);
	assert_int_equal(node_verify(&sb, block), 0);
	e[7].block = cpu_to_le32(50);
	assert_int_equal(node_verify(&sb, block), -EUCLEAN);
	e[7].block = cpu_to_le32(0);
	assert_int_equal(node_verify(&sb, block), -EUCLEAN);
	make_dx(&sb, block, at, 40);
	e[0].block = cpu_to_le32(50);
	assert_int_equal(node_verify(&sb, block), -EUCLEAN);
	make_dx(&sb, block, at, 40);
	cl->limit = cpu_to_le16((u16)(dx_limit(&sb, at) + 1)); /* the tail forgotten */
	assert_int_equal(node_verify(&sb, block), -EUCLEAN);
	make_dx(&sb, block, at, 40);
	cl->count = cpu_to_le16(0);
	assert_int_equal(node_verify(&sb, block), -EUCLEAN);
	cl->count = cpu_to_le16((u16)(dx_limit(&sb, at) + 1));
	assert_int_equal(node_verify(&sb, block), -EUCLEAN);
	make_dx(&sb, block, at, 1);
	assert_int_equal(node_verify(&sb, block), 0);
	block[4]++;
	assert_int_equal(node_verify(&sb, block), -EUCLEAN);
}

static void test_DR_5_root(void **state)
{
	struct super_info sb = info(1024, true);
	u8 block[1024];
	struct ext4_dx_root *r = (void *)block;

#define ROOT_BAD(change)                                                                           \
	do {                                                                                       \
		make_dx(&sb, block, EXT4_DX_ROOT_COUNT_OFFSET, 5);                                 \
		change;                                                                            \
		assert_int_equal(root_verify(&sb, block), -EUCLEAN);                               \
	} while (0)
	make_dx(&sb, block, EXT4_DX_ROOT_COUNT_OFFSET, 5);
	r->info.hash_version = EXT4_HASH_TEA;
	r->dot_inode = r->dotdot_inode = cpu_to_le32(1000);
	assert_int_equal(root_verify(&sb, block), 0);
	assert_false(dx_block_is_node(&sb, block));
	for (u8 v = 3; v <= 7; v++)
		ROOT_BAD(r->info.hash_version = v);
	ROOT_BAD(r->info.info_length = 7);
	ROOT_BAD(r->info.unused_flags = 1);
	ROOT_BAD(r->info.reserved_zero = cpu_to_le32(1));
	ROOT_BAD(r->info.indirect_levels = 2); /* DR-10 */
	ROOT_BAD(r->dot_rec_len = cpu_to_le16(16));
	ROOT_BAD(r->dot_name[0] = 'x');
	ROOT_BAD(r->dot_name_len = 2);
	ROOT_BAD(r->dot_inode = cpu_to_le32(0));
	ROOT_BAD(r->dotdot_rec_len = cpu_to_le16(1000));
	ROOT_BAD(r->dotdot_name[1] = 'x');
	ROOT_BAD(r->dotdot_name_len = 1);
	ROOT_BAD(r->dotdot_inode = cpu_to_le32(1001));
	ROOT_BAD(r->countlimit.limit = cpu_to_le16(1));
	sb.feature_incompat = EXT4_FEATURE_INCOMPAT_LARGEDIR;
	make_dx(&sb, block, EXT4_DX_ROOT_COUNT_OFFSET, 5);
	r->info.indirect_levels = 2;
	assert_int_equal(root_verify(&sb, block), 0);
	ROOT_BAD(r->info.indirect_levels = 3);
	sb.feature_incompat = EXT4_FEATURE_INCOMPAT_CASEFOLD | EXT4_FEATURE_INCOMPAT_ENCRYPT;
	make_dx(&sb, block, EXT4_DX_ROOT_COUNT_OFFSET, 5);
	r->info.hash_version = EXT4_HASH_SIPHASH;
	assert_int_equal(root_verify(&sb, block), 0);
}

static void test_DR_7_checksum(void **state)
{
	u8 block[1024];
	u32 limit;

	csum_sb = info(1024, true);
	for (int i = 0; i < 2; i++) {
		csum_offset = i ? EXT4_DX_ROOT_COUNT_OFFSET : EXT4_DX_NODE_COUNT_OFFSET;
		limit = dx_limit(&csum_sb, csum_offset);
		make_dx(&csum_sb, block, csum_offset, 20);
		dx_csum_set(&csum_sb, 9, block, csum_offset);
		flip_every_bit(block, 0, csum_offset + 20 * 8, dx_ok, block);
		flip_every_bit(
			block, csum_offset + limit * 8, csum_offset + limit * 8 + 8, dx_ok, block);
		block[csum_offset + 20 * 8] ^= 1; /* unused room is not covered */
		assert_true(dx_ok(block));
	}
}

static void test_HD_9_garbage(void **state)
{
	struct super_info sb = info(1024, true);
	u8 *block = malloc(1024); /* so that a sanitizer sees its end */
	const char *why;
	struct rng r;

	rng_init(&r, 4);
	for (u32 n = 0; n < 20000; n++) {
		u32 size = (u32)rng_below(&r, 257) * 4;

		for (u32 i = 0; i < 1024; i++)
			block[i] = (u8)(n % 2		   ? rng_u64(&r)
					: rng_below(&r, 4) ? 0
							   : rng_below(&r, 30));
		dirent_verify_all(&sb, block, size, &why);
		dirent_verify(&sb, block, size, (u32)rng_u64(&r), &why);
		dx_root_verify(&sb, block, 50, &why);
		dx_node_verify(&sb, block, 50, &why);
		dx_csum_verify(&sb, 1, block, EXT4_DX_NODE_COUNT_OFFSET);
		dx_csum_set(&sb, 1, block, EXT4_DX_ROOT_COUNT_OFFSET);
	}
	free(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_DR_1_each_clause),
		cmocka_unit_test(test_DR_1_block_64k),
		cmocka_unit_test(test_DR_1_offsets),
		cmocka_unit_test(test_DR_1_edges),
		cmocka_unit_test(test_file_types),
		cmocka_unit_test(test_DR_4_leaf_checksum),
		cmocka_unit_test(test_DR_7_limits),
		cmocka_unit_test(test_DR_7_entries),
		cmocka_unit_test(test_DR_5_root),
		cmocka_unit_test(test_DR_7_checksum),
		cmocka_unit_test(test_HD_9_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
