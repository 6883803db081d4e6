/* HD-4, MD-16: every clause of the checks of a raw inode, and symlinks (MD-19). */
#include "inode/inode_test.h"

#include "disk/inode_format.h"

#define OPTIONS "-b 1024 -I 256 -O ^metadata_csum,project"

static void expect_get(struct inode_test *t, u32 n, int expect)
{
	struct inode *i;
	int err;

	it_up(t, FIXTURE_QUIET);
	err = inode_get(&t->f.v, t->file + n, &i);
	assert_int_equal(err, expect);
	assert_int_equal(t->f.errors > 0, expect == -EUCLEAN || expect == -EBADMSG);
	if (!err)
		inode_put(i);
	it_down(t);
}

struct poke {
	u32 offset, len;
	u8 bytes[4];
	int expect;
};

static void test_HD_4_clauses(void **state)
{
	static const struct poke pokes[] = {
		{0x00, 2, {0, 0}, -EUCLEAN},		    /* no type */
		{0x00, 2, {0xff, 0xf1}, -EUCLEAN},	    /* an unknown one */
		{0x1a, 2, {0, 0}, -ESTALE},		    /* no links */
		{0x6c, 4, {0, 0, 0, 0x80}, -EUCLEAN},	    /* negative size */
		{0x6c, 4, {0, 0, 1, 0}, -EUCLEAN},	    /* larger than a map can hold */
		{0x68, 4, {0xff, 0xff, 0xff, 0}, -EUCLEAN}, /* attribute block outside */
		{0x68, 4, {3, 0, 0, 0}, -EUCLEAN},	    /* ... among the descriptors */
		{0x80, 2, {30, 0}, -EUCLEAN},		    /* extra_isize not a multiple of 4 */
		{0x80, 2, {132, 0}, -EUCLEAN},		    /* ... beyond the inode */
		{0x20, 4, {0, 0, 8, 0x40}, -EUCLEAN},	    /* casefold */
		{0x20, 4, {0, 0, 8, 0x10}, -EUCLEAN},	    /* inline data and extents */
		{0x20, 4, {0, 0, 0, 0x10}, -EUCLEAN},	    /* inline data */
		{0x20, 4, {0, 0, 0x28, 0}, -EUCLEAN},	    /* an attribute value */
		{0x28, 2, {0, 0}, -EUCLEAN},		    /* no extent header */
		{0x2a, 2, {5, 0}, -EUCLEAN},		    /* more extents than fit */
	};
	struct inode_test t;
	u64 at;

	it_make(&t, 8 << 20, OPTIONS, 1, 0);
	at = it_raw_offset(&t, t.file);
	expect_get(&t, 0, 0);
	for (u32 k = 0; k < array_len(pokes); k++) {
		u8 before[4];

		fixture_peek(&t.f, at + pokes[k].offset, before, pokes[k].len);
		fixture_poke(&t.f, at + pokes[k].offset, pokes[k].bytes, pokes[k].len);
		expect_get(&t, 0, pokes[k].expect);
		fixture_poke(&t.f, at + pokes[k].offset, before, pokes[k].len);
	}
	expect_get(&t, 0, 0);
	fixture_fsck(&t.f);
	fixture_remove(&t.f);
}

static void test_HD_4_checksum(void **state)
{
	struct inode_test t;
	u8 b;

	it_make(&t, 8 << 20, "-b 1024 -I 256", 1, 0);
	fixture_peek(&t.f, it_raw_offset(&t, t.file) + 255, &b, 1);
	b ^= 4;
	fixture_poke(&t.f, it_raw_offset(&t, t.file) + 255, &b, 1);
	expect_get(&t, 0, -EBADMSG);
	fixture_remove(&t.f);
}

/* MD-16: fields beyond extra_isize are neither read nor written; attributes keep their place. */
static void extra_isize(u16 extra)
{
	const struct le16 raw = cpu_to_le16(extra);
	u8 before[128], after[128];
	struct inode_test t;
	struct inode *i;
	u64 at;

	it_make(&t, 8 << 20, OPTIONS, 1, 0);
	at = it_raw_offset(&t, t.file) + 128;
	memset(before, 0, sizeof(before));
	fixture_poke(&t.f, at, before, sizeof(before));
	fixture_poke(&t.f, at, &raw, 2);
	fixture_peek(&t.f, at, before, sizeof(before));
	it_up(&t, 0);
	i = it_file(&t, 0);
	os_rwsem_lock(&i->lock);
	i->f.mtime = (struct os_time){.sec = 0x100000000ll, .nsec = 5};
	i->f.projid = 77;
	assert_int_equal(xattr_set(i, &it_root, "user.a", "value", 5, 0), 0);
	os_rwsem_unlock(&i->lock);
	assert_int_equal(i->f.extra_isize, extra);
	inode_put(i);
	it_down(&t);
	fixture_peek(&t.f, at, after, sizeof(after));
	/* Nothing but the attribute's header stands where the fields end. */
	assert_memory_equal(after + (extra ? extra : 2), extra ? "\0\0\x02\xea" : "\0\0\0\0", 4);
	it_up(&t, 0);
	i = it_file(&t, 0);
	assert_int_equal(xattr_get(i, "user.a", NULL, 0), 5);
	assert_int_equal(i->f.projid, extra >= 32 ? 77 : 0);
	assert_int_equal(i->f.mtime.sec, extra >= 12 ? 0x100000000ll : 0x7fffffff);
	inode_put(i);
	it_end(&t);
}

static void test_MD_16_extra_isize(void **state)
{
	extra_isize(0);
	extra_isize(4);
	extra_isize(24);
	extra_isize(28);
	extra_isize(32);
}

/* Takes a nameless inode through all that a symlink can be. */
static void check_symlink(struct inode_test *t, struct inode *dir, size_t len)
{
	struct inode_new req = {.mode = S_IFLNK | 0777, .cred = &it_root, .no_link = true};
	char target[1024], read[1024];
	struct inode *i = NULL;
	struct handle h;

	memset(target, 'x', sizeof(target));
	os_rwsem_lock(&dir->lock);
	fixture_start(&t->f, &h, inode_new_credits(dir) + inode_slow_symlink_credits(dir), 0);
	assert_int_equal(inode_new(&h, dir, &req, &i), 0);
	if (len < 60) {
		assert_int_equal(inode_set_fast_symlink(i, target, len), 0);
		assert_int_equal(inode_dirty(&h, i), 0);
	} else {
		assert_int_equal(inode_set_slow_symlink(&h, i, target, len), 0);
	}
	fixture_stop(&h);
	os_rwsem_unlock(&dir->lock);
	assert_int_equal(inode_symlink_is_fast(i), len < 60);
	if (len < 60)
		assert_int_equal(inode_fast_symlink(i, read), len);
	else
		assert_int_equal(inode_slow_symlink(i, read, sizeof(read)), len);
	assert_memory_equal(read, target, len);
	assert_int_equal(i->f.blocks, len < 60 ? 0 : 2);
	inode_put(i);
}

static void test_MD_19_symlinks(void **state)
{
	static const size_t lens[] = {1, 59, 60, 1023};
	struct inode_test t;
	struct inode *dir;

	it_make(&t, 8 << 20, "-b 1024 -I 256", 0, 1);
	it_up(&t, 0);
	dir = it_dir(&t, 0);
	for (u32 k = 0; k < array_len(lens); k++)
		check_symlink(&t, dir, lens[k]);
	inode_put(dir);
	it_end(&t);
}

/* MD-19: attribute storage doesn't make a fast symlink look like a slow one. */
static void fast_with_attributes(const char *options, size_t size)
{
	static u8 value[20000];
	struct inode_test t;
	struct inode *i;
	char target[64];

	it_make(&t, 8 << 20, options, 1, 0);
	free(it_debugfs(&t, "rm f0", true));
	free(it_debugfs(&t, "symlink s0 to-somewhere-far-away", true));
	it_up(&t, 0);
	i = it_file(&t, 0);
	os_rwsem_lock(&i->lock);
	assert_int_equal(xattr_set(i, &it_root, "trusted.a", value, size, 0), 0);
	os_rwsem_unlock(&i->lock);
	assert_true(i->f.blocks > 0);
	inode_put(i);
	it_down(&t);
	if (size < 1024) /* e2fsck takes Linux's symlinks with large values for damaged ones, too */
		fixture_fsck(&t.f);
	it_up(&t, 0);
	i = it_file(&t, 0);
	assert_int_equal(inode_fast_symlink(i, target), 21);
	assert_memory_equal(target, "to-somewhere-far-away", 21);
	os_rwsem_lock(&i->lock);
	assert_int_equal(xattr_remove(i, &it_root, "trusted.a"), 0);
	os_rwsem_unlock(&i->lock);
	assert_int_equal(i->f.blocks, 0);
	inode_put(i);
	it_end(&t);
}

static void test_MD_19_fast_with_attributes(void **state)
{
	fast_with_attributes("-b 1024 -I 128", 500);
	fast_with_attributes("-b 1024 -I 256 -O ea_inode", 20000);
}

static void test_MD_20_devices(void **state)
{
	struct inode_new req = {.mode = S_IFCHR | 0600, .cred = &it_root, .no_link = true};
	struct inode_test t;
	struct inode *dir, *i = NULL;
	u32 major, minor;
	struct handle h;

	it_make(&t, 8 << 20, "-b 1024", 0, 1);
	it_up(&t, 0);
	dir = it_dir(&t, 0);
	fixture_start(&t.f, &h, inode_new_credits(dir), 0);
	req.rdev_major = 5000; /* no room for it */
	assert_int_equal(inode_new(&h, dir, &req, &i), -EINVAL);
	assert_null(i);
	req.rdev_major = 300;
	req.rdev_minor = 70000;
	assert_int_equal(inode_new(&h, dir, &req, &i), 0);
	fixture_stop(&h);
	inode_dev_decode(i->f.i_block, &major, &minor);
	assert_int_equal(major, 300);
	assert_int_equal(minor, 70000);
	assert_int_equal(i->f.flags & EXT4_EXTENTS_FL, 0);
	inode_put(i);
	inode_put(dir);
	it_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_HD_4_clauses),
		cmocka_unit_test(test_HD_4_checksum),
		cmocka_unit_test(test_MD_16_extra_isize),
		cmocka_unit_test(test_MD_19_symlinks),
		cmocka_unit_test(test_MD_19_fast_with_attributes),
		cmocka_unit_test(test_MD_20_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
