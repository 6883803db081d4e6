#include "base/rbtree.h"
#include "base/rng.h"
#include "base_test.h"

#define KEYS 400

struct item {
	struct rb_node node;
	unsigned key;
	bool in;
};

static struct item items[KEYS];

static void insert(struct rb_root *root, struct item *it)
{
	struct rb_node *parent = NULL, **link = &root->node;

	while (*link != NULL) {
		parent = *link;
		link = it->key < rb_entry(parent, struct item, node)->key ? &parent->left
									  : &parent->right;
	}
	rb_insert(root, parent, link, &it->node);
	it->in = true;
}

/* Black nodes on each path down, after proving that all paths agree. */
static unsigned black_height(const struct rb_node *n)
{
	unsigned left, right;

	if (n == NULL)
		return 1;
	if (n->red) {
		assert_false(n->left != NULL && n->left->red);
		assert_false(n->right != NULL && n->right->red);
	}
	assert_true(n->left == NULL || n->left->parent == n);
	assert_true(n->right == NULL || n->right->parent == n);
	left = black_height(n->left);
	right = black_height(n->right);
	assert_int_equal(left, right);
	return left + !n->red;
}

/* The tree holds exactly the items that are in, in order both ways, and is balanced. */
static void check(const struct rb_root *root)
{
	struct rb_node *n = rb_first(root);

	assert_true(root->node == NULL || (root->node->parent == NULL && !root->node->red));
	black_height(root->node);
	for (unsigned i = 0; i < KEYS; i++)
		if (items[i].in) {
			assert_ptr_equal(n, &items[i].node);
			n = rb_next(n);
		}
	assert_null(n);
	n = rb_last(root);
	for (unsigned i = KEYS; i-- != 0;)
		if (items[i].in) {
			assert_ptr_equal(n, &items[i].node);
			n = rb_prev(n);
		}
	assert_null(n);
}

static void reset(void)
{
	for (unsigned i = 0; i < KEYS; i++)
		items[i] = (struct item){.key = i};
}

static void test_ascending(void **state)
{
	struct rb_root root = {NULL};

	reset();
	check(&root);
	for (unsigned i = 0; i < KEYS; i++) {
		insert(&root, &items[i]);
		check(&root);
	}
	for (unsigned i = 0; i < KEYS; i++) {
		rb_erase(&root, &items[i].node);
		items[i].in = false;
		check(&root);
	}
	assert_null(root.node);
}

static void test_random(void **state)
{
	struct rb_root root = {NULL};
	struct rng r;

	reset();
	rng_init(&r, 3);
	for (int round = 0; round < 6000; round++) {
		/* In turns mostly filling and mostly emptying, so that small and large trees occur.
		 */
		struct item *it = &items[rng_below(&r, KEYS)];
		bool want_in = rng_below(&r, 10) < (round / 1000 % 2 ? 1 : 9);

		if (want_in == it->in)
			continue;
		if (want_in)
			insert(&root, it);
		else
			rb_erase(&root, &it->node);
		it->in = want_in;
		check(&root);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ascending),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
