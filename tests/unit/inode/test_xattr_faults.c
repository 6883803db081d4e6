/* XA-4, XA-5: every allocation and read fails once while attribute blocks are shared, copied and
 * freed. Whichever it is, the old value stays or the new one comes, each block counts its users,
 * nothing is damaged, and the journal goes on.
 */
#include "inode/inode_test.h"

#include "base/trace.h"
#include "os/atomic.h"
#include "os/thread.h"

#define VALUE 300

static u32 victim; /* thread; atomic; 0 = none */
static u64 countdown;
static bool hit;

static bool fail_nth(const char *name)
{
	if (atomic_load_relaxed(&victim) != os_thread_self() ||
		(strcmp(name, "os_alloc") && strcmp(name, "buf_read")))
		return false;
	if (countdown == 0 || --countdown)
		return false;
	hit = true;
	return true;
}

/* kind 0: none. */
static int set(struct inode_test *t, u32 n, u8 kind)
{
	struct inode *i = it_file(t, n);
	u8 value[VALUE];
	int err;

	memset(value, kind, VALUE);
	os_rwsem_lock(&i->lock);
	err = kind ? xattr_set(i, &it_root, "user.x", value, VALUE, 0)
		   : xattr_remove(i, &it_root, "user.x");
	os_rwsem_unlock(&i->lock);
	inode_put(i);
	return err;
}

static void expect(struct inode_test *t, u32 n, u8 kind)
{
	struct inode *i = it_file(t, n);
	u8 value[VALUE], want[VALUE];

	memset(want, kind, VALUE);
	assert_int_equal(
		xattr_get(i, "user.x", value, VALUE), kind ? (ssize_t)VALUE : -(ssize_t)ENODATA);
	if (kind)
		assert_memory_equal(value, want, VALUE);
	inode_put(i);
}

/* f0 goes from one kind to another, while f1 and f2 have theirs. */
struct change {
	u8 from, to, f1, f2;
};

static void give(struct inode_test *t, u32 n, u8 kind)
{
	int err = set(t, n, kind);

	assert_true(err == 0 || (!kind && err == -ENODATA));
}

static bool round_n(struct inode_test *t, const struct change *c, u64 n)
{
	struct inode *i;
	int err;

	it_up(t, FIXTURE_QUIET);
	give(t, 1, c->f1);
	give(t, 2, c->f2);
	give(t, 0, c->from);
	it_down(t);
	it_up(t, FIXTURE_QUIET);
	give(t, 1, c->f1); /* so that its block is known */
	i = it_file(t, 0);
	hit = false;
	countdown = n;
	atomic_store_relaxed(&victim, os_thread_self());
	err = set(t, 0, c->to);
	atomic_store_relaxed(&victim, 0);
	countdown = 0;
	inode_put(i);
	if (err)
		assert_true(hit && (err == -ENOMEM || err == -EIO));
	expect(t, 0, err ? c->from : c->to);
	expect(t, 1, c->f1);
	expect(t, 2, c->f2);
	assert_int_equal(set(t, 0, c->to), c->to || err ? 0 : -ENODATA);
	it_down(t);
	assert_int_equal(t->f.errors, 0);
	fixture_fsck(&t->f);
	return hit;
}

static void count_to_success(const char *options, const struct change *c)
{
	struct inode_test t;
	u64 n = 1;

	it_make(&t, 8 << 20, options, 3, 0);
	fault_hook = fail_nth;
	while (round_n(&t, c, n))
		n++;
	fault_hook = NULL;
	assert_true(n > 3);
	fixture_remove(&t.f);
}

static void changes(const struct change *c)
{
	count_to_success("-b 1024 -I 128", c);
	count_to_success("-b 1024 -I 128 -O ^has_journal", c);
}

static void test_XA_4_own_block_to_shared(void **state)
{
	changes(&(struct change){.from = 1, .to = 2, .f1 = 2});
}

static void test_XA_4_shared_block_to_another(void **state)
{
	changes(&(struct change){.from = 1, .to = 2, .f1 = 2, .f2 = 1});
}

static void test_XA_4_shared_block_copied(void **state)
{
	changes(&(struct change){.from = 1, .to = 3, .f1 = 1});
}

static void test_XA_4_own_block_freed(void **state)
{
	changes(&(struct change){.from = 1, .f1 = 2});
}

static void test_XA_4_first_block(void **state)
{
	changes(&(struct change){.to = 2, .f1 = 2});
	changes(&(struct change){.to = 3, .f1 = 2});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_XA_4_own_block_to_shared),
		cmocka_unit_test(test_XA_4_shared_block_to_another),
		cmocka_unit_test(test_XA_4_shared_block_copied),
		cmocka_unit_test(test_XA_4_own_block_freed),
		cmocka_unit_test(test_XA_4_first_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
