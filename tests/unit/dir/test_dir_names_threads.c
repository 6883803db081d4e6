/*
 * Names change while others look them up, which enters them into the cache: who has changed a name
 * sees it changed, whatever the others found before.
 */
#include "dir/dir_test.h"

#include "os/atomic.h"
#include "os/thread.h"

#define READERS 2
#define ROUNDS 1500

struct shared {
	struct uext4_inode *a, *b;
	u32 done; /* atomic */
	int unexpected;
};

static void read_names(void *arg)
{
	static const char *const names[] = {"x", "y", "z"};
	struct shared *s = arg;
	u32 k = 0;

	while (!atomic_load_acq(&s->done)) {
		struct uext4_inode *i = NULL;
		int err = uext4_lookup(k % 2 ? s->a : s->b, NULL, names[k % 3], &i);

		k++;
		if (!err)
			uext4_inode_put(i);
		else if (err != -ENOENT)
			atomic_store_rel(&s->unexpected, err);
	}
}

static u64 number_of(struct uext4_inode *dir, const char *name)
{
	struct uext4_inode *i = NULL;
	u64 ino;

	if (uext4_lookup(dir, NULL, name, &i))
		return 0;
	ino = uext4_inode_number(i);
	uext4_inode_put(i);
	return ino;
}

/* x comes, goes to y, over z, across, changes places, goes. */
static void one_round(struct uext4_inode *a, struct uext4_inode *b)
{
	u64 x, z;

	assert_int_equal(dt_create(a, "x", S_IFREG | 0644, NULL), 0);
	assert_int_equal(dt_create(a, "z", S_IFREG | 0644, NULL), 0);
	x = number_of(a, "x");
	z = number_of(a, "z");
	assert_true(x && z);
	assert_int_equal(uext4_rename(a, "x", b, "y", NULL, 0), 0);
	assert_int_equal(number_of(a, "x"), 0);
	assert_int_equal(number_of(b, "y"), x);
	assert_int_equal(uext4_rename(b, "y", a, "z", NULL, RENAME_F_EXCHANGE), 0);
	assert_int_equal(number_of(b, "y"), z);
	assert_int_equal(number_of(a, "z"), x);
	assert_int_equal(uext4_rename(a, "z", b, "y", NULL, 0), 0);
	assert_int_equal(number_of(a, "z"), 0);
	assert_int_equal(number_of(b, "y"), x);
	assert_int_equal(uext4_unlink(b, NULL, "y"), 0);
	assert_int_equal(number_of(b, "y"), 0);
}

static void test_DR_18_changed_names_are_seen(void **state)
{
	struct os_thread *thread[READERS];
	struct shared s = {0};
	struct dir_test t;

	dt_make(&t, 16 << 20, "-b 1024");
	dt_up(&t);
	s.a = dt_mkdir(t.root, "a");
	s.b = dt_mkdir(t.root, "b");
	for (u32 k = 0; k < READERS; k++)
		assert_int_equal(os_thread_create(&thread[k], "lookups", read_names, &s), 0);
	for (u32 k = 0; k < ROUNDS; k++)
		one_round(s.a, s.b);
	atomic_store_rel(&s.done, 1);
	for (u32 k = 0; k < READERS; k++)
		os_thread_join(thread[k]);
	assert_int_equal(s.unexpected, 0);
	uext4_inode_put(s.a);
	uext4_inode_put(s.b);
	dt_end(&t);
}

static void watch_modes(void *arg)
{
	static const char *const names[] = {"x", "y"};
	struct shared *s = arg;

	for (u32 k = 0; !atomic_load_acq(&s->done); k++) {
		struct uext4_inode *i;
		struct uext4_stat st;

		if (uext4_lookup(s->a, NULL, names[k % 2], &i))
			continue;
		if (uext4_stat(i, &st) || (st.mode & 0777) != 0600 + k % 2)
			atomic_store_rel(&s->unexpected, 1);
		uext4_inode_put(i);
	}
}

/* Two files in turns have the one number that is left: who finds a name gets its file. */
static void test_numbers_change_hands(void **state)
{
	struct os_thread *thread[READERS];
	struct shared s = {0};
	struct dir_test t;
	char name[16];
	u32 left = 0;

	dt_make(&t, 16 << 20, "-b 1024 -N 16");
	dt_up(&t);
	s.a = dt_mkdir(t.root, "a");
	for (; left < 16; left++) {
		snprintf(name, sizeof(name), "%u", left);
		if (dt_create(t.root, name, S_IFREG | 0644, NULL))
			break;
	}
	assert_in_range(left, 1, 15);
	snprintf(name, sizeof(name), "%u", left - 1);
	assert_int_equal(uext4_unlink(t.root, NULL, name), 0);
	for (u32 k = 0; k < READERS; k++)
		assert_int_equal(os_thread_create(&thread[k], "lookups", watch_modes, &s), 0);
	for (u32 k = 0; k < ROUNDS / 5; k++) {
		const char *n = k % 2 ? "y" : "x";

		while (dt_create(s.a, n, S_IFREG | (0600 + k % 2), NULL))
			os_yield(); /* a reader holds the last file */
		assert_int_equal(uext4_unlink(s.a, NULL, n), 0);
	}
	atomic_store_rel(&s.done, 1);
	for (u32 k = 0; k < READERS; k++)
		os_thread_join(thread[k]);
	assert_int_equal(s.unexpected, 0);
	uext4_inode_put(s.a);
	dt_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_change_hands),
		cmocka_unit_test(test_DR_18_changed_names_are_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
