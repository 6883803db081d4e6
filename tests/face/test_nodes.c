/* The table of inodes that the kernel knows: every lookup is counted, the last forget lets go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../../face/fuse/server.h"

/* Stands for the library: an inode is its number and how many references are held. */
struct uext4_inode {
	uint64_t ino;
	int references;
};

uint64_t uext4_inode_number(const struct uext4_inode *inode)
{
	return inode->ino;
}

void uext4_inode_put(struct uext4_inode *inode)
{
	__atomic_sub_fetch(&inode->references, 1, __ATOMIC_SEQ_CST);
}

static struct uext4_inode *hold(struct uext4_inode *inode)
{
	__atomic_add_fetch(&inode->references, 1, __ATOMIC_SEQ_CST);
	return inode;
}

static int references(struct uext4_inode *inode)
{
	return __atomic_load_n(&inode->references, __ATOMIC_SEQ_CST);
}

static int setup(void **state)
{
	struct server *s = aligned_alloc(64, (sizeof(*s) + 63) / 64 * 64);

	memset(s, 0, sizeof(*s));
	*state = s;
	return nodes_init(s);
}

static int teardown(void **state)
{
	nodes_fini(*state);
	free(*state);
	return 0;
}

static void test_counts_lookups(void **state)
{
	struct server *s = *state;
	struct uext4_inode inode = {.ino = 77};

	assert_null(node_inode(s, 77));
	for (int k = 0; k < 3; k++)
		assert_int_equal(node_remember(s, hold(&inode)), 0);
	assert_int_equal(references(&inode), 1);
	node_forget(s, 77, 1);
	assert_ptr_equal(node_inode(s, 77), &inode);
	node_forget(s, 77, 1);
	assert_ptr_equal(node_inode(s, 77), &inode);
	node_forget(s, 77, 1);
	assert_null(node_inode(s, 77));
	assert_int_equal(references(&inode), 0);
}

static void test_forgets_many_at_once(void **state)
{
	struct server *s = *state;
	struct uext4_inode inode = {.ino = 78};

	for (int k = 0; k < 5; k++)
		node_remember(s, hold(&inode));
	node_forget(s, 78, 4);
	assert_ptr_equal(node_inode(s, 78), &inode);
	node_forget(s, 78, 1);
	assert_int_equal(references(&inode), 0);
	node_forget(s, 78, 1); /* what is not known can't be forgotten */
}

static void test_root_stays(void **state)
{
	struct server *s = *state;
	struct uext4_inode root = {.ino = UEXT4_ROOT_INO, .references = 1};

	s->root = &root;
	assert_int_equal(node_number(&root), FUSE_ROOT_ID);
	node_remember(s, hold(&root));
	node_forget(s, FUSE_ROOT_ID, 100);
	assert_ptr_equal(node_inode(s, FUSE_ROOT_ID), &root);
	assert_int_equal(references(&root), 1);
}

enum { MANY = 20000 };

static void test_grows(void **state)
{
	struct server *s = *state;
	struct uext4_inode *inodes = calloc(MANY, sizeof(*inodes));

	for (int k = 0; k < MANY; k++) {
		inodes[k].ino = 11 + (uint64_t)k * 3;
		node_remember(s, hold(&inodes[k]));
	}
	for (int k = 0; k < MANY; k++)
		assert_ptr_equal(node_inode(s, inodes[k].ino), &inodes[k]);
	assert_true(s->shards[0].bucket_count > SHARD_BUCKETS_MIN);
	for (int k = 0; k < MANY; k += 2)
		node_forget(s, inodes[k].ino, 1);
	nodes_forget_all(s);
	for (int k = 0; k < MANY; k++)
		assert_int_equal(references(&inodes[k]), 0);
	free(inodes);
}

struct worker {
	struct server *s;
	struct uext4_inode *inodes;
};
enum { SHARED = 8, ROUNDS = 20000 };

/* What a thread was told of it forgets itself; in between the node must be there. */
static void *work(void *arg)
{
	struct worker *w = arg;
	bool good = true;

	for (int k = 0; k < ROUNDS; k++) {
		struct uext4_inode *inode = &w->inodes[k % SHARED];

		node_remember(w->s, hold(inode));
		good = good && node_inode(w->s, inode->ino) == inode && references(inode) > 0;
		node_forget(w->s, inode->ino, 1);
	}
	return good ? arg : NULL;
}

static void test_threads(void **state)
{
	struct uext4_inode inodes[SHARED] = {{0}};
	struct worker w = {*state, inodes};
	pthread_t threads[4];
	void *good;

	for (int k = 0; k < SHARED; k++)
		inodes[k].ino = 100 + (uint64_t)k * SHARD_COUNT; /* all in one shard */
	for (int k = 0; k < 4; k++)
		assert_int_equal(pthread_create(&threads[k], NULL, work, &w), 0);
	for (int k = 0; k < 4; k++) {
		pthread_join(threads[k], &good);
		assert_non_null(good);
	}
	for (int k = 0; k < SHARED; k++)
		assert_int_equal(references(&inodes[k]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_counts_lookups, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forgets_many_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_root_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_grows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
