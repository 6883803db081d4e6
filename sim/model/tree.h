/*
 * A tree of names and attributes, small enough to be copied for every state
 * that the oracle keeps. Contents of files are not here: see content.h.
 *
 * Two trees are equal if their facts are: one fact for each name, one for each
 * file that has a name. The hash is the sum over the facts, so that what is
 * read from a recovered file system can be looked up among the states.
 */
#ifndef MODEL_TREE_H
#define MODEL_TREE_H

#include "sim/model/op.h"

enum { TREE_NODES = 1000, TREE_ENTRIES = 600, NAMES_MAX = 400, NAME_LEN = 255 };

struct tree_node {
	u16 mode; /* with the type; 0 = never made */
	u16 links;
	u16 xattr;
	u16 linkable; /* a file that was made without a name */
};

struct tree_entry {
	u16 dir, name, node;
};

struct tree {
	u16 nodes, entries;
	struct tree_node node[TREE_NODES];
	struct tree_entry entry[TREE_ENTRIES];
};

struct names {
	unsigned count;
	char *text[NAMES_MAX]; /* owned */
};

u16 name_intern(struct names *n, const char *text);
void names_fini(struct names *n);

void tree_init(struct tree *t, u16 root_links, u16 root_mode);
/*
 * Does the operation to the tree and says what the call must return. A failed
 * operation changes nothing. touched: the nodes whose inodes it changes, NODE_NONE at the end.
 */
int tree_apply(struct tree *t, const struct op *o, u16 touched[TOUCHED_MAX]);
/* Whether the call's answer is what the tree says. */
bool tree_agrees(struct tree *t, const struct op *o, u16 touched[TOUCHED_MAX]);

u64 fact_entry(u16 dir, const char *name, u16 node);
u64 fact_node(u16 node, const struct tree_node *n);
u64 tree_hash(const struct tree *t, const struct names *names);
/* The node that a name stands for, or NODE_NONE. */
u16 tree_node_of(const struct tree *t, u16 dir, u16 name);

/* What attribute version v and symlink n hold; both return the length. */
u32 xattr_value(u16 version, char *out);
u32 symlink_target(u16 node, char *out);
enum { XATTR_VALUE_MAX = 700, TARGET_SIZE_MAX = 100 };

#endif
