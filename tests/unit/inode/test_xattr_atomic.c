/* XA-2, XA-5, XA-6: order on disk, failures in the middle of a set, copies of blocks with values.
 */
#include "inode/inode_test.h"

#include "base/trace.h"
#include "disk/xattr_format.h"
#include "os/atomic.h"
#include "os/thread.h"

#define BLOCK 1024

static s64 fail_at; /* counts down; 1 = the next one fails. Only in `thread`. */
static u32 thread;  /* atomic; 0 = none */
static u64 hits;
static struct inode *target; /* only within its xattr_set_in: under xattr_lock */

static bool outside(void)
{
	if (!os_rwsem_trylock_shared(&target->xattr_lock))
		return false;
	os_rwsem_unlock_shared(&target->xattr_lock);
	return true;
}

static bool fail_nth(const char *name)
{
	if (atomic_load_relaxed(&thread) != os_thread_self() || fail_at == 0 ||
		strcmp(name, "os_alloc") != 0 || outside() || --fail_at != 0)
		return false;
	hits++;
	return true;
}

static int set(struct inode_test *t, u32 n, const char *name, const void *value, size_t size)
{
	struct inode *i = it_file(t, n);
	int err;

	os_rwsem_lock(&i->lock);
	err = value ? xattr_set(i, &it_root, name, value, size, 0)
		    : xattr_remove(i, &it_root, name);
	os_rwsem_unlock(&i->lock);
	inode_put(i);
	return err;
}

static void expect(struct inode_test *t, u32 n, const char *name, const u8 *want, size_t size)
{
	static u8 value[65536];
	struct inode *i = it_file(t, n);

	assert_int_equal(xattr_get(i, name, value, sizeof(value)), size);
	assert_memory_equal(value, want, size);
	inode_put(i);
}

/* Every allocation of a replacement fails once: the old value is there, or the new one. */
static void replace_failing(const char *options, size_t old_size, size_t new_size)
{
	static u8 old[20000], new[20000];
	struct inode_test t;
	struct inode *i;
	struct orphan_report report = {0};
	bool reached = true;

	memset(old, 'o', sizeof(old));
	memset(new, 'n', sizeof(new));
	it_make(&t, 8 << 20, options, 2, 0);
	it_up(&t, FIXTURE_QUIET);
	assert_int_equal(set(&t, 0, "user.other", "kept", 4), 0);
	i = it_file(&t, 0);
	hits = 0;
	for (s64 n = 1; reached; n++) {
		int err;

		assert_int_equal(set(&t, 0, "user.a", old, old_size), 0);
		os_rwsem_lock(&i->lock);
		target = i;
		fail_at = n;
		atomic_store_relaxed(&thread, os_thread_self());
		err = xattr_set(i, &it_root, "user.a", new, new_size, 0);
		atomic_store_relaxed(&thread, 0);
		reached = fail_at == 0;
		fail_at = 0;
		os_rwsem_unlock(&i->lock);
		expect(&t, 0, "user.a", err ? old : new, err ? old_size : new_size);
		assert_true(n < 200);
	}
	assert_true(hits >= 3);
	inode_put(i);
	expect(&t, 0, "user.a", new, new_size);
	expect(&t, 0, "user.other", (const u8 *)"kept", 4);
	it_down(&t); /* deletions that failed have left their records */
	it_up(&t, 0);
	assert_int_equal(orphans_cleanup(&t.f.v, false, &report), 0);
	it_end(&t);
}

static void test_XA_5_failures(void **state)
{
	fault_hook = fail_nth;
	replace_failing("-b 1024 -I 128", 100, 500);
	replace_failing("-b 1024 -I 256", 20, 500);
	replace_failing("-b 1024 -I 256", 500, 20);
	replace_failing("-b 1024 -I 256 -O ea_inode", 20, 20000);
	replace_failing("-b 1024 -I 256 -O ea_inode", 20000, 500);
	replace_failing("-b 1024 -I 128 -O ea_inode", 19000, 18000);
	fault_hook = NULL;
}

static u64 block_offset(struct inode_test *t)
{
	char *out = it_debugfs(t, "stat f0", false), *at = strstr(out, "File ACL: ");
	u64 pblk;

	assert_non_null(at);
	pblk = strtoull(at + 10, NULL, 10);
	assert_true(pblk > 0);
	free(out);
	return pblk * BLOCK;
}

static void test_XA_2_sorted(void **state)
{
	static const char *const names[] = {"user.bb", "security.a", "user.z", "trusted.ab",
		"user.aa", "user.\xe9", "user.a", "trusted.c"};
	const struct ext4_xattr_entry *e, *last = NULL;
	struct inode_test t;
	u8 block[BLOCK];
	u32 count = 0;

	it_make(&t, 8 << 20, "-b 1024 -I 128", 1, 0);
	it_up(&t, 0);
	for (u32 k = 0; k < array_len(names); k++)
		assert_int_equal(set(&t, 0, names[k], "xyz", k % 4), 0);
	it_down(&t);
	fixture_peek(&t.f, block_offset(&t), block, BLOCK);
	for (e = (void *)(block + 32); e->e_name_len; count++) {
		if (last) {
			int order = e->e_name_index - last->e_name_index;

			if (!order)
				order = e->e_name_len - last->e_name_len;
			if (!order)
				order = memcmp(e->e_name, last->e_name, e->e_name_len);
			assert_true(order > 0);
		}
		last = e;
		e = (const void *)((const u8 *)e + ((16u + e->e_name_len + 3) & ~3u));
	}
	assert_int_equal(count, array_len(names));
	fixture_fsck(&t.f);
	fixture_remove(&t.f);
}

/* As Linux makes it: f1 shares the block of f0, which refers to a value in an EA inode. */
static void make_shared(struct inode_test *t, const u8 *value, size_t size)
{
	const struct le32 two = cpu_to_le32(2);
	char command[64];
	u64 at;

	it_make(t, 8 << 20, "-b 1024 -I 128 -O ea_inode,^metadata_csum", 2, 0);
	it_unname(t, 1);
	it_up(t, 0);
	assert_int_equal(set(t, 0, "user.a", value, size), 0);
	it_down(t);
	at = block_offset(t);
	fixture_poke(&t->f, at + 4, &two, 4);
	snprintf(command, sizeof(command), "sif <%u> file_acl %u", t->file + 1, (u32)(at / BLOCK));
	free(it_debugfs(t, command, true));
	snprintf(command, sizeof(command), "sif <%u> blocks %u", t->file + 1,
		2 + (u32)div_up(size, BLOCK) * 2);
	free(it_debugfs(t, command, true));
}

static void test_XA_6_copy_of_shared(void **state)
{
	static u8 value[5000] = {1, 2, 3};
	struct inode_test t;
	struct inode *i;

	make_shared(&t, value, sizeof(value));
	it_up(&t, 0);
	assert_int_equal(
		set(&t, 0, "user.b", "b", 1), 0); /* a copy: two blocks refer to the value */
	expect(&t, 0, "user.a", value, sizeof(value));
	expect(&t, 1, "user.a", value, sizeof(value));
	i = it_file(&t, 1);
	assert_int_equal(xattr_get(i, "user.b", NULL, 0), -ENODATA);
	it_unlink(i);
	inode_put(i);
	expect(&t, 0, "user.a", value, sizeof(value));
	it_down(&t);
	fixture_fsck(&t.f);
	it_up(&t, 0);
	assert_int_equal(set(&t, 0, "user.a", NULL, 0), 0);
	it_end(&t); /* and the EA inode is gone, or e2fsck would find it */
}

static void test_XA_6_delete_shared(void **state)
{
	static u8 value[5000] = {1, 2, 3};
	struct inode_test t;
	struct inode *i;

	make_shared(&t, value, sizeof(value));
	it_up(&t, 0);
	i = it_file(&t, 1);
	it_unlink(i);
	inode_put(i);
	expect(&t, 0, "user.a", value, sizeof(value));
	it_down(&t);
	fixture_fsck(&t.f);
	free(it_debugfs(&t, "unlink f0", true));
	it_up(&t, 0);
	i = it_file(&t, 0);
	it_unlink(i);
	inode_put(i);
	it_end(&t);
}

/* OR-7: deleting drops many values, in as many transactions as a small journal needs. */
static void test_OR_7_many_values(void **state)
{
	static u8 value[3000];
	struct space_counts before, after;
	struct inode_test t;
	struct inode *i;
	char name[32];
	u32 count = 0;

	it_make(&t, 16 << 20, "-b 1024 -I 256 -O ea_inode", 1, 0);
	it_unname(&t, 0);
	it_up(&t, 0);
	space_counts(&t.f.v, &before);
	for (int err = 0; !err; count++) {
		snprintf(name, sizeof(name), "user.%u", count);
		err = set(&t, 0, name, value, sizeof(value));
		assert_true(!err || err == -ENOSPC);
	}
	assert_true(count > 30);
	i = it_file(&t, 0);
	it_unlink(i);
	inode_put(i);
	fixture_commit(&t.f);
	space_counts(&t.f.v, &after);
	assert_int_equal(after.free_blocks, before.free_blocks);
	assert_int_equal(after.free_inodes, before.free_inodes + 1);
	it_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_XA_5_failures),
		cmocka_unit_test(test_XA_2_sorted),
		cmocka_unit_test(test_XA_6_copy_of_shared),
		cmocka_unit_test(test_XA_6_delete_shared),
		cmocka_unit_test(test_OR_7_many_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
