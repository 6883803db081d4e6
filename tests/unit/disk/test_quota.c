/* Quota files: the header's numbers, the way through the tree, the entries of a data block. */
#include "image.h"

#include "base/err.h"
#include "base/util.h"
#include "disk/quota.h"

static struct quota_header header(void)
{
	return (struct quota_header){.dqh_magic = cpu_to_le32(QUOTA_MAGIC_GROUP),
		.dqh_version = cpu_to_le32(1),
		.dqi_blocks = cpu_to_le32(6),
		.dqi_free_blk = cpu_to_le32(5),
		.dqi_free_entry = cpu_to_le32(4)};
}

static void expect(const struct quota_header *h, unsigned type, u64 size, const char *text)
{
	const char *why = "";

	assert_int_equal(quota_header_verify(h, type, size, &why), text ? -EUCLEAN : 0);
	if (text)
		assert_non_null(strstr(why, text));
}

static void test_header(void **state)
{
	struct quota_header h = header();

	expect(&h, 1, 6 * 1024, NULL);
	expect(&h, 1, 6 * 1024 - 1, "number of blocks");
	expect(&h, 0, 6 * 1024, "magic");
	expect(&h, 2, 6 * 1024, "magic");
	h.dqh_version = cpu_to_le32(0);
	expect(&h, 1, 6 * 1024, "version");
	h = header();
	h.dqi_blocks = cpu_to_le32(1);
	expect(&h, 1, 6 * 1024, "number of blocks");
	h.dqi_blocks = cpu_to_le32(UINT32_MAX);
	expect(&h, 1, 6 * 1024, "number of blocks");
	h = header();
	h.dqi_free_blk = cpu_to_le32(6);
	expect(&h, 1, 7 * 1024, "behind its end");
	h = header();
	h.dqi_free_entry = cpu_to_le32(UINT32_MAX);
	expect(&h, 1, 7 * 1024, "behind its end");
}

static void test_node(void **state)
{
	struct le32 node[QUOTA_POINTERS];

	for (u32 k = 0; k < QUOTA_POINTERS; k++)
		node[k] = cpu_to_le32(1000 + k);
	assert_int_equal(quota_node_get(node, 0, 0x12345678), 1000 + 0x12);
	assert_int_equal(quota_node_get(node, 1, 0x12345678), 1000 + 0x34);
	assert_int_equal(quota_node_get(node, 2, 0x12345678), 1000 + 0x56);
	assert_int_equal(quota_node_get(node, 3, 0x12345678), 1000 + 0x78);
}

static void test_entries(void **state)
{
	u8 block[QUOTA_BLOCK_SIZE] = {0};
	struct quota_entry *e = (void *)(block + sizeof(struct quota_block));

	for (u32 k = 0; k < QUOTA_ENTRIES; k++)
		assert_null(quota_entry_get(block, k));
	assert_null(quota_entry_find(block, 0));
	e[13].dqb_itime = cpu_to_le64(1ull << 63);
	assert_ptr_equal(quota_entry_get(block, 13), &e[13]);
	assert_ptr_equal(quota_entry_find(block, 0), &e[13]);
	e[3].dqb_id = cpu_to_le32(77);
	assert_ptr_equal(quota_entry_find(block, 77), &e[3]);
	assert_null(quota_entry_find(block, 78));
}

/* As e2fsck and mke2fs write them. */
static void test_image(void **state)
{
	struct image im;
	const struct quota_entry *e;
	const char *why = "";
	u32 n = QUOTA_ROOT;
	u8 *block;

	image_make(&im, "-t ext4 -b 1024 -O quota", "4M");
	block = image_block(&im, image_map(&im, im.sb.quota_inum[0], 0));
	assert_int_equal(quota_header_verify((const void *)block, 0, 6 * 1024, &why), 0);
	free(block);
	for (unsigned level = 0; level < QUOTA_DEPTH; level++) {
		block = image_block(&im, image_map(&im, im.sb.quota_inum[0], n));
		n = quota_node_get(block, level, 0);
		free(block);
	}
	block = image_block(&im, image_map(&im, im.sb.quota_inum[0], n));
	e = quota_entry_find(block, 0);
	assert_non_null(e);
	assert_int_equal(le64_to_cpu(e->dqb_curinodes), 2); /* the root and lost+found */
	assert_int_equal(le64_to_cpu(e->dqb_curspace), 13 * 1024);
	free(block);
	image_remove(&im);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_node),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
