/*
 * Intrusive balanced binary tree. The caller walks down itself and links the
 * node, then calls rb_insert; the owner of the root names the lock.
 */
#ifndef BASE_RBTREE_H
#define BASE_RBTREE_H

#include "base/util.h"

struct rb_node {
	struct rb_node *parent, *left, *right;
	bool red;
};

struct rb_root {
	struct rb_node *node;
};

/* Links n as child of parent at *link (a NULL child slot or &root->node) and rebalances. */
void rb_insert(
	struct rb_root *root, struct rb_node *parent, struct rb_node **link, struct rb_node *n);
void rb_erase(struct rb_root *root, struct rb_node *n);
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *n);
struct rb_node *rb_prev(const struct rb_node *n);

#define rb_entry(ptr, type, member) container_of(ptr, type, member)

#endif
