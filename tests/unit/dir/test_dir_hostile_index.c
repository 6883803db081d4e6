/* Damaged indexes with good checksums (DR-7, DR-12): names are found and listed, none entered. */
#include "dir/hostile.h"

#include "base/util.h"

static struct ext4_dx_root *root_of(u8 *b)
{
	return (struct ext4_dx_root *)b;
}

static struct ext4_dx_entry *entries_of(u8 *b)
{
	return dx_entries(b, EXT4_DX_ROOT_COUNT_OFFSET);
}

static void hash_order(u8 *b)
{
	entries_of(b)[2].hash = cpu_to_le32(2);
}

static void count_zero(u8 *b)
{
	root_of(b)->countlimit.count = cpu_to_le16(0);
}

static void block_outside(u8 *b)
{
	for (u32 k = 0; k < le16_to_cpu(root_of(b)->countlimit.count); k++)
		entries_of(b)[k].block = cpu_to_le32(5000);
}

static void block_zero(u8 *b)
{
	entries_of(b)[1].block = cpu_to_le32(0);
}

static void levels(u8 *b)
{
	root_of(b)->info.indirect_levels = 2;
}

static void levels_without_nodes(u8 *b)
{
	root_of(b)->info.indirect_levels = 1;
}

static void version(u8 *b)
{
	root_of(b)->info.hash_version = 3;
}

static void info_length(u8 *b)
{
	root_of(b)->info.info_length = 12;
}

static void flags(u8 *b)
{
	root_of(b)->info.unused_flags = 1;
}

static void dot(u8 *b)
{
	root_of(b)->dot_name[0] = 'x';
}

static void dotdot_len(u8 *b)
{
	root_of(b)->dotdot_rec_len = cpu_to_le16(24);
}

/* Its names are not found by their hash, and no node says that the block exists. */
static void leaf_not_named(u8 *b)
{
	u32 count = le16_to_cpu(root_of(b)->countlimit.count);

	root_of(b)->countlimit.count = cpu_to_le16((u16)(count - 1));
}

static void leaf_twice(u8 *b)
{
	entries_of(b)[2].block = entries_of(b)[1].block;
}

static const struct plan index_plans[] = {
	{"order of hashes", hash_order, 0},
	{"no entry", count_zero, 0},
	{"block outside", block_outside, 0},
	{"block 0", block_zero, 0},
	{"three levels", levels, 0},
	{"nodes that are leaves", levels_without_nodes, -EUCLEAN},
	{"hash version", version, 0},
	{"length of info", info_length, 0},
	{"flags", flags, 0},
	{"no dot", dot, 0},
	{"no dotdot", dotdot_len, 0},
};

/* Each name once, in one call and in many. */
static void list_all(struct uext4_inode *d)
{
	static const u32 batches[] = {7, 1, 100000};

	for (u32 b = 0; b < array_len(batches); b++) {
		struct dt_names list = {0};
		char name[256];
		u64 cookie = 0;
		int n;

		while ((n = dt_readdir(d, batches[b], &cookie, &list)) > 0)
			continue;
		assert_int_equal(n, 0);
		assert_int_equal(list.count, NAMES + 2);
		for (u32 k = 0; k < NAMES; k++) {
			u32 seen = 0;

			dt_name(k, 60, name);
			for (u32 i = 0; i < list.count; i++)
				seen += strcmp(list.name[i], name) == 0;
			assert_int_equal(seen, 1);
		}
		dt_names_free(&list);
	}
}

/* The directory, with a valid checksum of its damaged root. */
static struct uext4_inode *mount_damaged(struct hostile *h, const struct plan *plan, u8 *block)
{
	memcpy(block, h->block, BS);
	plan->damage(block);
	dx_csum_set(&h->sb, h->seed, block, EXT4_DX_ROOT_COUNT_OFFSET);
	fixture_poke(&h->t.f, h->offset, block, BS);
	dt_up(&h->t);
	return dt_get(&h->t, "d");
}

/* DR-12: names are still found one by one; with checksums nothing may be entered. */
static void test_DR_12_bad_index(void **state)
{
	struct hostile *h = calloc(1, sizeof(*h));

	hostile_make(h, "-b 1024");
	hostile_choose(h, "d", 0);
	for (u32 k = 0; k < array_len(index_plans); k++) {
		u8 block[BS];
		struct uext4_inode *d = mount_damaged(h, &index_plans[k], block);

		if (index_plans[k].want == 0)
			hostile_lookup_all(d, 0);
		assert_int_equal(dt_create(d, "new", S_IFREG, NULL), -EUCLEAN);
		list_all(d);
		uext4_inode_put(d);
		assert_int_equal(uext4_rmdir(h->t.root, NULL, "d"), -ENOTEMPTY);
		assert_true(h->t.errors > 0);
		hostile_down(h, block);
	}
	fixture_remove(&h->t.f);
	free(h);
}

/* DR-12: without checksums the index is given up. */
static void test_DR_12_goes_linear(void **state)
{
	struct hostile *h = calloc(1, sizeof(*h));
	struct uext4_inode *d;

	hostile_make(h, "-b 1024 -O ^metadata_csum,^64bit");
	hostile_choose(h, "d", 0);
	root_of(h->block)->info.hash_version = 3;
	fixture_poke(&h->t.f, h->offset, h->block, BS);
	dt_up(&h->t);
	d = dt_get(&h->t, "d");
	hostile_lookup_all(d, 0);
	assert_int_equal(dt_create(d, "new", S_IFREG, NULL), 0);
	assert_false(to_inode(d)->f.flags & EXT4_INDEX_FL);
	hostile_lookup_all(d, 0);
	assert_int_equal(dt_lookup(d, "new", NULL), 0);
	uext4_inode_put(d);
	dt_down(&h->t);
	free(fixture_run(&h->t.f, "debugfs -w -R 'ssv state 1' %s"));
	h->t.expect_errors = false;
	dt_up(&h->t);
	dt_end(&h->t);
	free(h);
}

/* Every entry names the same leaf, and says that the one before goes on in it. */
static void one_leaf_only(u8 *b)
{
	struct ext4_dx_countlimit *cl = &root_of(b)->countlimit;

	cl->count = cl->limit;
	for (u32 k = 1; k < le16_to_cpu(cl->limit); k++)
		entries_of(b)[k] = (struct ext4_dx_entry){cpu_to_le32(1), entries_of(b)[0].block};
}

/* DR-7: a leaf has one place in the index; else the index is no guide to all names. */
static void test_DR_7_leaves_once(void **state)
{
	static const struct plan plans[] = {{"one leaf for all", one_leaf_only, 0},
		{"a leaf twice", leaf_twice, 0}, {"a leaf not named", leaf_not_named, 0}};
	struct hostile *h = calloc(1, sizeof(*h));

	hostile_make(h, "-b 1024");
	hostile_choose(h, "d", 0);
	for (u32 k = 0; k < array_len(plans); k++) {
		u8 block[BS];
		struct uext4_inode *d = mount_damaged(h, &plans[k], block);

		list_all(d);
		uext4_inode_put(d);
		assert_int_equal(uext4_rmdir(h->t.root, NULL, "d"), -ENOTEMPTY);
		hostile_down(h, block);
	}
	fixture_remove(&h->t.f);
	free(h);
}

static bool count_names(void *arg, const struct uext4_dirent *e)
{
	++*(u32 *)arg;
	return true;
}

/* The names before and behind a leaf that can't be read are listed, and the gap is no secret. */
static void test_DR_12_bad_leaf_too(void **state)
{
	struct hostile *h = calloc(1, sizeof(*h));
	struct uext4_inode *d;
	u8 leaf[BS];
	u32 n = 0, end;

	hostile_make(h, "-b 1024");
	hostile_choose(h, "d", 2);
	memcpy(leaf, h->block, BS);
	leaf[40] ^= 1; /* its checksum is wrong now */
	fixture_poke(&h->t.f, h->offset, leaf, BS);
	hostile_choose(h, "d", 0);
	count_zero(h->block);
	dx_csum_set(&h->sb, h->seed, h->block, EXT4_DX_ROOT_COUNT_OFFSET);
	fixture_poke(&h->t.f, h->offset, h->block, BS);
	dt_up(&h->t);
	d = dt_get(&h->t, "d");
	assert_int_equal(uext4_readdir(d, NULL, 0, count_names, &n), -EBADMSG);
	end = n;
	assert_true(n > NAMES / 2 && n < NAMES);
	assert_int_equal(uext4_readdir(d, NULL, 0, count_names, &n), -EBADMSG);
	assert_int_equal(n, 2 * end);
	uext4_inode_put(d);
	assert_int_equal(uext4_rmdir(h->t.root, NULL, "d"), -ENOTEMPTY);
	hostile_down(h, h->block);
	fixture_remove(&h->t.f);
	free(h);
}

/* A directory that was cut: names behind its end are not said to be absent, nor made anew. */
static void test_DR_12_cut_off(void **state)
{
	struct hostile *h = calloc(1, sizeof(*h));
	struct uext4_inode *d;
	u32 n = 0, found = 0;

	hostile_make(h, "-b 1024");
	free(dt_debugfs(&h->t, "sif d size 2048", true));
	dt_up(&h->t);
	d = dt_get(&h->t, "d");
	assert_int_equal(uext4_readdir(d, NULL, 0, count_names, &n), -EUCLEAN);
	assert_true(n > 2 && n < NAMES);
	for (u32 k = 0; k < NAMES; k++) {
		struct uext4_inode *i = NULL;
		char name[256];
		int err;

		dt_name(k, 60, name);
		err = uext4_lookup(d, NULL, name, &i);
		assert_true(err == 0 || err == -EUCLEAN);
		assert_int_equal(dt_create(d, name, S_IFREG, NULL), err ? err : -EEXIST);
		found += err == 0;
		uext4_inode_put(i);
	}
	assert_int_equal(found + 2, n);
	uext4_inode_put(d);
	dt_down(&h->t);
	fixture_remove(&h->t.f);
	free(h);
}

/* DR-16: nothing in it, but an index that lies: a removal would free what it does not name. */
static void test_DR_16_empty_with_bad_index(void **state)
{
	struct hostile *h = calloc(1, sizeof(*h));
	struct uext4_inode *d;
	char name[256];

	hostile_make(h, "-b 1024");
	dt_up(&h->t);
	d = dt_get(&h->t, "d");
	for (u32 k = 0; k < NAMES; k++) {
		dt_name(k, 60, name);
		assert_int_equal(uext4_unlink(d, NULL, name), 0);
	}
	uext4_inode_put(d);
	dt_down(&h->t);
	hostile_choose(h, "d", 0);
	leaf_twice(h->block);
	dx_csum_set(&h->sb, h->seed, h->block, EXT4_DX_ROOT_COUNT_OFFSET);
	fixture_poke(&h->t.f, h->offset, h->block, BS);
	dt_up(&h->t);
	assert_int_equal(uext4_rmdir(h->t.root, NULL, "d"), -ENOTEMPTY);
	hostile_down(h, h->block);
	fixture_remove(&h->t.f);
	free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_DR_12_bad_index),
		cmocka_unit_test(test_DR_12_goes_linear),
		cmocka_unit_test(test_DR_7_leaves_once),
		cmocka_unit_test(test_DR_12_bad_leaf_too),
		cmocka_unit_test(test_DR_12_cut_off),
		cmocka_unit_test(test_DR_16_empty_with_bad_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
