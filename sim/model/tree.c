/* What each operation does to a tree, by the rules of POSIX and Linux. */
#include "sim/model/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/fs.h>

/* Long targets have a block, which is metadata: it must be escaped in the log (JB-11). */
#define JOURNAL_MAGIC "\xc0\x3b\x39\x98"

const char *op_name(enum op_kind kind)
{
	static const char *const names[OP_KINDS] = {"lookup", "create", "tmpfile", "link", "unlink",
		"rmdir", "rename", "chmod", "setxattr", "stat", "getxattr", "write", "truncate",
		"fallocate", "copy", "read", "fsync", "fdatasync", "sync"};

	return names[kind];
}

u16 name_intern(struct names *n, const char *text)
{
	for (unsigned k = 0; k < n->count; k++)
		if (strcmp(n->text[k], text) == 0)
			return (u16)k;
	if (n->count == NAMES_MAX)
		abort();
	n->text[n->count] = strdup(text);
	return (u16)n->count++;
}

void names_fini(struct names *n)
{
	while (n->count)
		free(n->text[--n->count]);
}

void tree_init(struct tree *t, u16 root_links, u16 root_mode)
{
	memset(t, 0, sizeof(*t));
	t->nodes = 1;
	t->node[NODE_ROOT] = (struct tree_node){.mode = root_mode, .links = root_links};
}

static bool is_dir(const struct tree *t, u16 node)
{
	return S_ISDIR(t->node[node].mode);
}

static int find(const struct tree *t, u16 dir, u16 name)
{
	for (int k = 0; k < t->entries; k++)
		if (t->entry[k].dir == dir && t->entry[k].name == name)
			return k;
	return -1;
}

u16 tree_node_of(const struct tree *t, u16 dir, u16 name)
{
	int k = find(t, dir, name);

	return k < 0 ? NODE_NONE : t->entry[k].node;
}

static bool is_empty(const struct tree *t, u16 dir)
{
	for (int k = 0; k < t->entries; k++)
		if (t->entry[k].dir == dir)
			return false;
	return true;
}

static u16 parent_of(const struct tree *t, u16 dir)
{
	for (int k = 0; k < t->entries; k++)
		if (t->entry[k].node == dir)
			return t->entry[k].dir;
	return NODE_NONE;
}

/* Whether dir is node or lies below it. */
static bool is_within(const struct tree *t, u16 dir, u16 node)
{
	for (; dir != NODE_NONE; dir = dir == NODE_ROOT ? NODE_NONE : parent_of(t, dir))
		if (dir == node)
			return true;
	return false;
}

static void entry_add(struct tree *t, u16 dir, u16 name, u16 node)
{
	if (t->entries == TREE_ENTRIES)
		abort();
	t->entry[t->entries++] = (struct tree_entry){dir, name, node};
	if (is_dir(t, node))
		t->node[dir].links++;
}

static void entry_remove(struct tree *t, int k)
{
	if (is_dir(t, t->entry[k].node))
		t->node[t->entry[k].dir].links--;
	t->entry[k] = t->entry[--t->entries];
}

/* The last of a directory's links goes with its name. */
static void drop_link(struct tree *t, u16 node)
{
	struct tree_node *n = &t->node[node];

	n->links = is_dir(t, node) ? 0 : (u16)(n->links - 1);
}

static bool is_dead(const struct tree *t, u16 dir)
{
	return t->node[dir].links == 0;
}

static void node_make(struct tree *t, const struct op *o)
{
	if (o->node >= TREE_NODES)
		abort();
	if (t->nodes <= o->node)
		t->nodes = (u16)(o->node + 1);
	t->node[o->node] = (struct tree_node){.mode = o->mode,
		.links = S_ISDIR(o->mode) ? 2 : o->kind == OP_CREATE,
		.linkable = o->kind == OP_TMPFILE};
}

static int apply_lookup(struct tree *t, const struct op *o)
{
	u16 node = is_dead(t, o->dir) ? NODE_NONE : tree_node_of(t, o->dir, o->name);

	return node == NODE_NONE ? -ENOENT : node;
}

static int apply_create(struct tree *t, const struct op *o, u16 *touched)
{
	if (is_dead(t, o->dir))
		return -ENOENT;
	if (find(t, o->dir, o->name) >= 0)
		return -EEXIST;
	node_make(t, o);
	entry_add(t, o->dir, o->name, o->node);
	touched[0] = o->node;
	touched[1] = o->dir;
	return 0;
}

static int apply_link(struct tree *t, const struct op *o, u16 *touched)
{
	struct tree_node *n = &t->node[o->node];

	if (is_dead(t, o->dir))
		return -ENOENT;
	if (find(t, o->dir, o->name) >= 0)
		return -EEXIST;
	if (is_dir(t, o->node))
		return -EPERM;
	if (!n->links && !n->linkable)
		return -ENOENT;
	n->links++;
	n->linkable = 0;
	entry_add(t, o->dir, o->name, o->node);
	touched[0] = o->node;
	touched[1] = o->dir;
	return 0;
}

static int apply_unlink(struct tree *t, const struct op *o, u16 *touched)
{
	int k = is_dead(t, o->dir) ? -1 : find(t, o->dir, o->name);
	bool rmdir = o->kind == OP_RMDIR;
	u16 node;

	if (k < 0)
		return -ENOENT;
	node = t->entry[k].node;
	if (rmdir != is_dir(t, node))
		return rmdir ? -ENOTDIR : -EISDIR;
	if (rmdir && !is_empty(t, node))
		return -ENOTEMPTY;
	entry_remove(t, k);
	drop_link(t, node);
	touched[0] = node;
	touched[1] = o->dir;
	return 0;
}

static int rename_check(const struct tree *t, const struct op *o, u16 moved, u16 victim)
{
	bool swap = o->flags & RENAME_EXCHANGE;

	if (victim == NODE_NONE && swap)
		return -ENOENT;
	if (victim != NODE_NONE && o->flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (is_dir(t, moved) && is_within(t, o->to_dir, moved))
		return -EINVAL;
	if (victim == NODE_NONE)
		return 0;
	if (is_dir(t, victim) && is_within(t, o->dir, victim))
		return swap ? -EINVAL : -ENOTEMPTY;
	if (swap || victim == moved)
		return 0;
	if (is_dir(t, moved) != is_dir(t, victim))
		return is_dir(t, moved) ? -ENOTDIR : -EISDIR;
	return is_dir(t, victim) && !is_empty(t, victim) ? -ENOTEMPTY : 0;
}

static int apply_rename(struct tree *t, const struct op *o, u16 *touched)
{
	int from = is_dead(t, o->dir) ? -1 : find(t, o->dir, o->name), to, err;
	u16 moved, victim;

	if (from < 0 || is_dead(t, o->to_dir))
		return -ENOENT;
	moved = t->entry[from].node;
	victim = tree_node_of(t, o->to_dir, o->to_name);
	err = rename_check(t, o, moved, victim);
	if (err || moved == victim)
		return err;
	entry_remove(t, from);
	to = find(t, o->to_dir, o->to_name);
	if (to >= 0)
		entry_remove(t, to);
	entry_add(t, o->to_dir, o->to_name, moved);
	if (o->flags & RENAME_EXCHANGE)
		entry_add(t, o->dir, o->name, victim);
	else if (victim != NODE_NONE)
		drop_link(t, victim);
	touched[0] = moved;
	touched[1] = o->dir;
	touched[2] = o->to_dir;
	touched[3] = victim;
	return 0;
}

int tree_apply(struct tree *t, const struct op *o, u16 touched[TOUCHED_MAX])
{
	for (int k = 0; k < TOUCHED_MAX; k++)
		touched[k] = NODE_NONE;
	switch (o->kind) {
	case OP_LOOKUP:
		return apply_lookup(t, o);
	case OP_CREATE:
		return apply_create(t, o, touched);
	case OP_LINK:
		return apply_link(t, o, touched);
	case OP_UNLINK:
	case OP_RMDIR:
		return apply_unlink(t, o, touched);
	case OP_RENAME:
		return apply_rename(t, o, touched);
	case OP_TMPFILE:
		if (is_dead(t, o->dir))
			return -ENOENT;
		node_make(t, o);
		return 0;
	case OP_CHMOD:
		t->node[o->node].mode = o->mode;
		break;
	case OP_SETXATTR:
		if (!o->xattr && !t->node[o->node].xattr)
			return -ENODATA;
		t->node[o->node].xattr = o->xattr;
		break;
	default:
		return 0;
	}
	touched[0] = o->node;
	return 0;
}

/* The file system may refuse anything for want of space or because the device fails. */
static bool is_excuse(s64 result)
{
	return result == -ENOSPC || result == -ENOMEM || result == -EIO || result == -EROFS ||
	       result == -EDQUOT;
}

bool tree_agrees(struct tree *t, const struct op *o, u16 touched[TOUCHED_MAX])
{
	const struct tree_node *n = &t->node[o->node < TREE_NODES ? o->node : 0];

	if (is_excuse(o->result)) {
		touched[0] = NODE_NONE;
		return true;
	}
	switch (o->kind) {
	case OP_STAT:
		touched[0] = NODE_NONE;
		return n->mode == o->mode && n->links == o->links;
	case OP_GETXATTR:
		touched[0] = NODE_NONE;
		return n->xattr == o->xattr;
	case OP_LOOKUP:
		return tree_apply(t, o, touched) == (o->result < 0 ? o->result : o->node);
	default:
		return tree_apply(t, o, touched) == o->result;
	}
}

static u64 mix(u64 h, u64 v)
{
	h = (h ^ v) * 0x9fb21c651e98df25ull;
	return h ^ h >> 29;
}

u64 fact_entry(u16 dir, const char *name, u16 node)
{
	u64 h = mix(mix(1, dir), node);

	while (*name)
		h = mix(h, (u8)*name++);
	return h;
}

u64 fact_node(u16 node, const struct tree_node *n)
{
	return mix(mix(mix(mix(mix(2, node), n->mode), n->links), n->xattr), 7);
}

u64 tree_hash(const struct tree *t, const struct names *names)
{
	u64 h = 0;

	for (int k = 0; k < t->entries; k++)
		h += fact_entry(t->entry[k].dir, names->text[t->entry[k].name], t->entry[k].node);
	for (u16 k = 0; k < t->nodes; k++)
		if (t->node[k].mode && t->node[k].links)
			h += fact_node(k, &t->node[k]);
	return h;
}

u32 xattr_value(u16 version, char *out)
{
	static const u32 lens[] = {XATTR_VALUE_MAX, 8, 40, 300};
	u32 len = lens[version % 4];

	memset(out, version, len);
	return len;
}

u32 symlink_target(u16 node, char *out)
{
	static const char *const shapes[] = {"to/%080u", "to/%u", JOURNAL_MAGIC "%080u"};

	return (u32)snprintf(out, TARGET_SIZE_MAX, shapes[node % 3], node);
}
