/*
 * A red-black tree: a red node has no red child, and every path from a node
 * down to a missing child passes the same number of black nodes.
 */
#include "base/rbtree.h"

static bool is_red(const struct rb_node *n)
{
	return n != NULL && n->red;
}

static struct rb_node **child(struct rb_node *n, bool right)
{
	return right ? &n->right : &n->left;
}

static bool is_right(const struct rb_node *n)
{
	return n->parent->right == n;
}

/* Puts to (or nothing) where n hangs. */
static void replace(struct rb_root *root, struct rb_node *n, struct rb_node *to)
{
	if (n->parent == NULL)
		root->node = to;
	else
		*child(n->parent, is_right(n)) = to;
	if (to != NULL)
		to->parent = n->parent;
}

/* Moves n down to the side that right names; its other child takes its place. */
static void rotate(struct rb_root *root, struct rb_node *n, bool right)
{
	struct rb_node *up = *child(n, !right), *moved = *child(up, right);

	replace(root, n, up);
	*child(n, !right) = moved;
	if (moved != NULL)
		moved->parent = n;
	*child(up, right) = n;
	n->parent = up;
}

void rb_insert(
	struct rb_root *root, struct rb_node *parent, struct rb_node **link, struct rb_node *n)
{
	*n = (struct rb_node){.parent = parent, .red = true};
	*link = n;
	while (is_red(n->parent)) { /* so n->parent is not the root */
		struct rb_node *grand = n->parent->parent;
		bool right = is_right(n->parent);
		struct rb_node *uncle = *child(grand, !right);

		grand->red = true;
		if (is_red(uncle)) {
			n->parent->red = uncle->red = false;
			n = grand;
			continue;
		}
		if (is_right(n) != right)
			rotate(root, n->parent, right);
		(*child(grand, right))->red = false;
		rotate(root, grand, !right);
		break;
	}
	root->node->red = false;
}

/* The paths through the right (or left) child of parent lack one black node; that child is black.
 */
static void mend(struct rb_root *root, struct rb_node *parent, bool right)
{
	while (parent != NULL) {
		struct rb_node *n = *child(parent, right), *sibling = *child(parent, !right);

		if (is_red(n)) {
			n->red = false;
			return;
		}
		if (sibling->red) {
			sibling->red = false;
			parent->red = true;
			rotate(root, parent, right);
			sibling = *child(parent, !right);
		}
		if (is_red(sibling->left) || is_red(sibling->right)) {
			if (!is_red(*child(sibling, !right))) {
				rotate(root, sibling, !right);
				sibling = sibling->parent;
			}
			sibling->red = parent->red;
			parent->red = false;
			(*child(sibling, !right))->red = false;
			rotate(root, parent, right);
			return;
		}
		sibling->red = true;
		n = parent;
		parent = n->parent;
		right = parent != NULL && is_right(n);
	}
	if (root->node != NULL)
		root->node->red = false;
}

/* Exchanges n, which has two children, with its successor, so that n has at most one. */
static void sink(struct rb_root *root, struct rb_node *n)
{
	struct rb_node *next = rb_next(n), at = *next;

	replace(root, n, next);
	next->red = n->red;
	next->left = n->left;
	next->left->parent = next;
	if (at.parent == n) {
		next->right = n;
		n->parent = next;
	} else {
		next->right = n->right;
		next->right->parent = next;
		at.parent->left = n;
		n->parent = at.parent;
	}
	n->left = NULL;
	n->right = at.right;
	if (n->right != NULL)
		n->right->parent = n;
	n->red = at.red;
}

void rb_erase(struct rb_root *root, struct rb_node *n)
{
	struct rb_node *parent;
	bool right;

	if (n->left != NULL && n->right != NULL)
		sink(root, n);
	parent = n->parent;
	right = parent != NULL && is_right(n);
	replace(root, n, n->left != NULL ? n->left : n->right);
	if (!n->red)
		mend(root, parent, right);
}

static struct rb_node *outermost(struct rb_node *n, bool right)
{
	while (n != NULL && *child(n, right) != NULL)
		n = *child(n, right);
	return n;
}

static struct rb_node *neighbour(const struct rb_node *n, bool right)
{
	struct rb_node *inner = right ? n->right : n->left;

	if (inner != NULL)
		return outermost(inner, !right);
	while (n->parent != NULL && is_right(n) == right)
		n = n->parent;
	return n->parent;
}

struct rb_node *rb_first(const struct rb_root *root)
{
	return outermost(root->node, false);
}

struct rb_node *rb_last(const struct rb_root *root)
{
	return outermost(root->node, true);
}

struct rb_node *rb_next(const struct rb_node *n)
{
	return neighbour(n, true);
}

struct rb_node *rb_prev(const struct rb_node *n)
{
	return neighbour(n, false);
}
