/*
 * Damaged directories with good checksums (DR-1, DR-2, DR-7, DR-12, HD-6): refused
 * with EUCLEAN, left as they are, and no way to make us loop or crash.
 */
#include "dir/hostile.h"

#include "base/util.h"

static struct ext4_dirent *entry(u8 *block, const char *name)
{
	u32 at = 0;

	for (;; at += le16_to_cpu(((struct ext4_dirent *)(block + at))->rec_len)) {
		struct ext4_dirent *e = (struct ext4_dirent *)(block + at);

		if (e->name_len == strlen(name) && memcmp(e->name, name, e->name_len) == 0)
			return e;
	}
}

static void set_len(u8 *block, const char *name, u32 len)
{
	entry(block, name)->rec_len = cpu_to_le16((u16)len);
}

static void len_zero(u8 *b)
{
	set_len(b, "beta", 0);
}

static void len_eight(u8 *b)
{
	set_len(b, "beta", 8);
}

static void len_odd(u8 *b)
{
	set_len(b, "beta", 14);
}

static void len_short_for_name(u8 *b)
{
	entry(b, "beta")->name_len = 9;
}

static void len_behind_end(u8 *b)
{
	set_len(b, "gamma", 2048);
}

static void len_behind_tail(u8 *b)
{
	set_len(b, "gamma", le16_to_cpu(entry(b, "gamma")->rec_len) + 12);
}

static void len_leaves_rest(u8 *b)
{
	set_len(b, "gamma", le16_to_cpu(entry(b, "gamma")->rec_len) - 8);
}

static void len_ends_early(u8 *b)
{
	set_len(b, "gamma", 16);
}

static void ino_impossible(u8 *b)
{
	entry(b, "beta")->inode = cpu_to_le32(0x7fffffff);
}

static void name_empty(u8 *b)
{
	entry(b, "beta")->name_len = 0;
}

static void name_slash(u8 *b)
{
	entry(b, "beta")->name[1] = '/';
}

static void name_nul(u8 *b)
{
	entry(b, "beta")->name[1] = 0;
}

static const struct plan leaf_plans[] = {
	{"length 0", len_zero, 0},
	{"length 8", len_eight, 0},
	{"length no multiple of 4", len_odd, 0},
	{"shorter than the name", len_short_for_name, 0},
	{"behind the block", len_behind_end, 0},
	{"over the tail", len_behind_tail, 0},
	{"rest below 12 bytes", len_leaves_rest, 0},
	{"chain ends early", len_ends_early, 0},
	{"impossible inode", ino_impossible, 0},
	{"empty name", name_empty, 0},
	{"slash in the name", name_slash, 0},
	{"NUL in the name", name_nul, 0},
};

static void expect_all(struct hostile *h, const char *dir, int want)
{
	struct uext4_inode *d = dt_get(&h->t, dir);

	assert_int_equal(dt_lookup(d, "alpha", NULL), want);
	assert_int_equal(uext4_readdir(d, NULL, 0, give_all, NULL), want);
	assert_int_equal(dt_create(d, "new", S_IFREG, NULL), want);
	assert_int_equal(uext4_unlink(d, NULL, "alpha"), want);
	assert_int_equal(uext4_rename(d, "alpha", d, "b", NULL, 0), want);
	assert_int_equal(uext4_rename(d, "alpha", h->t.root, "b", NULL, 0), want);
	uext4_inode_put(d);
	/* what can't be read is not empty */
	assert_int_equal(uext4_rmdir(h->t.root, NULL, dir), -ENOTEMPTY);
	assert_true(h->t.errors > 0);
}

static void test_DR_1_entries(void **state)
{
	struct hostile *h = calloc(1, sizeof(*h));

	hostile_make(h, "-b 1024");
	hostile_choose(h, "l", 0);
	for (u32 k = 0; k < array_len(leaf_plans); k++) {
		u8 block[BS];

		memcpy(block, h->block, BS);
		leaf_plans[k].damage(block);
		dir_leaf_csum_set(&h->sb, h->seed, block);
		fixture_poke(&h->t.f, h->offset, block, BS);
		dt_up(&h->t);
		expect_all(h, "l", -EUCLEAN);
		hostile_down(h, block);
	}
	fixture_remove(&h->t.f);
	free(h);
}

static void test_DR_4_checksum(void **state)
{
	struct hostile *h = calloc(1, sizeof(*h));

	hostile_make(h, "-b 1024");
	hostile_choose(h, "l", 0);
	for (u32 k = BS - 12; k <= BS; k++) { /* each byte of the tail, then one of an entry */
		u8 block[BS];

		memcpy(block, h->block, BS);
		block[k == BS ? 60 : k] ^= 1;
		fixture_poke(&h->t.f, h->offset, block, BS);
		dt_up(&h->t);
		expect_all(h, "l", -EBADMSG);
		hostile_down(h, block);
	}
	fixture_remove(&h->t.f);
	free(h);
}

/* --- what entries may not name --- */

static void test_MD_25_reserved_numbers(void **state)
{
	static const u32 numbers[] = {1, 3, 7, 8, 10};
	struct hostile *h = calloc(1, sizeof(*h));
	u8 block[BS];

	hostile_make(h, "-b 1024");
	hostile_choose(h, "l", 0);
	for (u32 k = 0; k < array_len(numbers); k++) {
		struct uext4_inode *d;

		memcpy(block, h->block, BS);
		entry(block, "alpha")->inode = cpu_to_le32(numbers[k]);
		dir_leaf_csum_set(&h->sb, h->seed, block);
		fixture_poke(&h->t.f, h->offset, block, BS);
		dt_up(&h->t);
		d = dt_get(&h->t, "l");
		assert_int_equal(dt_lookup(d, "alpha", NULL), -EUCLEAN);
		assert_int_equal(uext4_unlink(d, NULL, "alpha"), -EUCLEAN);
		assert_int_equal(uext4_rename(d, "alpha", d, "x", NULL, 0), -EUCLEAN);
		assert_int_equal(uext4_rename(d, "beta", d, "alpha", NULL, 0), -EUCLEAN);
		uext4_inode_put(d);
		hostile_down(h, block);
	}
	fixture_remove(&h->t.f);
	free(h);
}

/* A name for the directory itself: every operation would lock it twice. */
static void test_DR_2_names_itself(void **state)
{
	struct hostile *h = calloc(1, sizeof(*h));
	struct ext4_dirent *e;
	struct uext4_inode *d;

	hostile_make(h, "-b 1024");
	hostile_choose(h, "l", 0);
	e = entry(h->block, "alpha");
	e->inode = entry(h->block, ".")->inode;
	e->file_type = EXT4_FT_DIR;
	dir_leaf_csum_set(&h->sb, h->seed, h->block);
	fixture_poke(&h->t.f, h->offset, h->block, BS);
	dt_up(&h->t);
	d = dt_get(&h->t, "l");
	assert_int_equal(uext4_rmdir(d, NULL, "alpha"), -EUCLEAN);
	assert_int_equal(uext4_unlink(d, NULL, "alpha"), -EUCLEAN);
	assert_int_equal(uext4_rename(d, "alpha", h->t.root, "x", NULL, 0), -EINVAL);
	assert_true(uext4_rename(d, "beta", d, "alpha", NULL, 0) < 0);
	assert_true(uext4_rename(h->t.root, "d", d, "alpha", NULL, 0) < 0);
	uext4_inode_put(d);
	hostile_down(h, h->block);
	fixture_remove(&h->t.f);
	free(h);
}

/* DR-18: a move whose ".." can't be rewritten does not begin. */
static void test_DR_18_bad_dotdot(void **state)
{
	struct hostile *h = calloc(1, sizeof(*h));
	u8 block[BS];

	hostile_make(h, "-b 1024");
	for (u32 k = 0; k < 2; k++) {
		const char *dir = k ? "d" : "l";

		hostile_choose(h, dir, 0);
		memcpy(block, h->block, BS);
		((struct ext4_dx_root *)block)->dotdot_inode =
			((struct ext4_dx_root *)block)->dot_inode;
		if (k)
			dx_csum_set(&h->sb, h->seed, block, EXT4_DX_ROOT_COUNT_OFFSET);
		else
			dir_leaf_csum_set(&h->sb, h->seed, block);
		fixture_poke(&h->t.f, h->offset, block, BS);
		dt_up(&h->t);
		if (k == 0)
			uext4_inode_put(dt_mkdir(h->t.root, "to"));
		assert_int_equal(
			uext4_renameat(h->t.fs, NULL, dir, NULL, "to/x", 0, NULL), -EUCLEAN);
		assert_int_equal(dt_lookup(h->t.root, dir, NULL), 0);
		hostile_down(h, block);
		fixture_poke(&h->t.f, h->offset, h->block, BS);
	}
	h->t.expect_errors = false;
	free(fixture_run(&h->t.f, "debugfs -w -R 'ssv state 1' %s"));
	dt_up(&h->t);
	dt_end(&h->t);
	free(h);
}

/* HD-6: no blocks at all, and a hole in the middle. */
static void test_HD_6_size_and_hole(void **state)
{
	struct hostile *h = calloc(1, sizeof(*h));
	struct uext4_inode *d;

	hostile_make(h, "-b 1024");
	free(dt_debugfs(&h->t, "sif l size 0", true));
	free(dt_debugfs(&h->t, "punch d 1 40", true));
	dt_up(&h->t);
	expect_all(h, "l", -EUCLEAN);
	d = dt_get(&h->t, "d");
	hostile_lookup_all(d, -EUCLEAN);
	assert_int_equal(dt_create(d, "new", S_IFREG, NULL), -EUCLEAN);
	assert_int_equal(uext4_readdir(d, NULL, 0, give_all, NULL), -EUCLEAN);
	uext4_inode_put(d);
	dt_down(&h->t);
	fixture_remove(&h->t.f);
	free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_DR_1_entries),
		cmocka_unit_test(test_DR_4_checksum),
		cmocka_unit_test(test_MD_25_reserved_numbers),
		cmocka_unit_test(test_DR_2_names_itself),
		cmocka_unit_test(test_DR_18_bad_dotdot),
		cmocka_unit_test(test_HD_6_size_and_hole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
