/* A walk over all names, attributes and data. */
#include "sim/model/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DATA_MAX = 4 << 20 };

struct listing {
	struct walk *w;
	u16 dir;
	u16 names[TREE_ENTRIES];
	u16 count;
};

static bool bad(struct walk *w, const char *what, const char *name, s64 err)
{
	if (!w->o->why[0])
		snprintf(w->o->why, WHY_SIZE, "%s \"%s\": %s", what, name,
			err < 0 ? strerror((int)-err) : "not legal");
	return false;
}

static int known_name(const struct names *n, const char *text, size_t len)
{
	for (unsigned k = 0; k < n->count; k++)
		if (strncmp(n->text[k], text, len) == 0 && n->text[k][len] == 0)
			return (int)k;
	return -1;
}

/* Not of the workload: mke2fs made it, or who tried out a recovered file system. */
static bool is_foreign(const struct uext4_dirent *e)
{
	return (e->name_len == 10 && memcmp(e->name, "lost+found", 10) == 0) ||
	       (e->name_len == 5 && memcmp(e->name, "after", 5) == 0);
}

static bool keep_name(void *arg, const struct uext4_dirent *e)
{
	struct listing *l = arg;
	bool dots = (e->name_len == 1 && e->name[0] == '.') ||
		    (e->name_len == 2 && memcmp(e->name, "..", 2) == 0);
	int name;
	char text[NAME_LEN + 1];

	if (dots || (l->dir == NODE_ROOT && is_foreign(e)))
		return true;
	name = known_name(&l->w->o->names, e->name, e->name_len);
	snprintf(text, sizeof(text), "%.*s", (int)e->name_len, e->name);
	if (name < 0 || l->count == TREE_ENTRIES)
		return bad(l->w, "a name that nobody made:", text, 0);
	for (u16 k = 0; k < l->count; k++)
		if (l->names[k] == name)
			return bad(l->w, "a name is listed twice:", text, 0);
	l->names[l->count++] = (u16)name;
	return true;
}

static bool read_data(struct walk *w, struct uext4_inode *i, struct found_file *f)
{
	struct uext4_file *file;
	u8 *data = w->data + w->data_used;
	int err = uext4_file_open(i, NULL, O_RDONLY | O_NOATIME, &file);
	ssize_t n;

	if (err)
		return bad(w, "open", f->path, err);
	if (f->size > DATA_MAX - w->data_used) {
		uext4_file_close(file);
		return bad(w, "the size of", f->path, -EFBIG);
	}
	n = uext4_pread(file, data, f->size, 0);
	uext4_file_close(file);
	if (n < 0 || (u64)n != f->size)
		return bad(w, "read", f->path, n < 0 ? n : -ENODATA);
	f->read = true;
	f->data = data;
	w->data_used += f->size;
	return true;
}

static bool read_xattr(struct walk *w, struct uext4_inode *i, const char *path, u16 *version)
{
	char value[XATTR_VALUE_MAX + 1], legal[XATTR_VALUE_MAX];
	ssize_t n = uext4_getxattr(i, NULL, "user.v", value, sizeof(value));
	u32 len;

	*version = 0;
	if (n == -ENODATA)
		return true;
	if (n <= 0)
		return bad(w, "the attribute of", path, n);
	*version = (u8)value[0];
	len = xattr_value(*version, legal);
	if (len != (u32)n || memcmp(value, legal, len) != 0)
		return bad(w, "the attribute's value of", path, 0);
	return true;
}

static bool read_link(struct walk *w, struct uext4_inode *i, u16 node, const char *path)
{
	char target[TARGET_SIZE_MAX + 1] = "", legal[TARGET_SIZE_MAX + 1] = "";
	ssize_t n = uext4_readlink(i, target, TARGET_SIZE_MAX);
	u32 len = symlink_target(node, legal);

	if (n < 0 || n != len || memcmp(target, legal, len) != 0)
		return bad(w, "the target of", path, n < 0 ? n : 0);
	return true;
}

static bool read_dir(struct walk *w, struct uext4_inode *dir, u16 node, const char *path);

static bool read_inode(struct walk *w, struct uext4_inode *i, u16 dir, u16 name)
{
	const char *path = w->o->names.text[name];
	struct tree *t = &w->tree;
	struct tree_node *n;
	struct uext4_stat st;
	int err = uext4_stat(i, &st);
	struct found_file *f;
	u16 node = (u16)st.uid;

	if (err)
		return bad(w, "stat", path, err);
	if (st.uid == 0 || st.uid >= w->o->nodes)
		return bad(w, "a file that nobody made:", path, 0);
	if (t->entries == TREE_ENTRIES)
		return bad(w, "too many names:", path, 0);
	t->entry[t->entries++] = (struct tree_entry){dir, name, node};
	n = &t->node[node];
	if (n->mode)
		return !S_ISDIR(n->mode) || bad(w, "a second name of a directory:", path, 0);
	*n = (struct tree_node){.mode = (u16)st.mode, .links = (u16)st.links};
	if (t->nodes <= node)
		t->nodes = (u16)(node + 1);
	f = &w->file[node];
	*f = (struct found_file){.node = node, .size = st.size};
	snprintf(f->path, sizeof(f->path), "%s", path);
	if (S_ISLNK(st.mode))
		return read_link(w, i, node, path);
	if (S_ISREG(st.mode) && !read_data(w, i, f))
		return false;
	if ((S_ISREG(st.mode) || S_ISDIR(st.mode)) && !read_xattr(w, i, path, &n->xattr))
		return false;
	return !S_ISDIR(st.mode) || read_dir(w, i, node, path);
}

static bool read_dir(struct walk *w, struct uext4_inode *dir, u16 node, const char *path)
{
	struct listing *l = calloc(1, sizeof(*l));
	bool ok;
	int err;

	if (!l)
		abort();
	l->w = w;
	l->dir = node;
	err = uext4_readdir(dir, NULL, 0, keep_name, l);
	ok = err ? bad(w, "readdir", path, err) : !w->o->why[0];
	for (u16 k = 0; ok && k < l->count; k++) {
		const char *text = w->o->names.text[l->names[k]];
		struct uext4_inode *i;

		err = uext4_lookup(dir, NULL, text, &i);
		if (err) {
			ok = bad(w, "lookup", text, err);
			break;
		}
		ok = read_inode(w, i, node, l->names[k]);
		uext4_inode_put(i);
	}
	free(l);
	return ok;
}

bool walk_read(struct walk *w, struct oracle *o, struct uext4_fs *fs)
{
	static u8 data[DATA_MAX];
	struct uext4_inode *root;
	struct uext4_stat st;
	bool ok;
	int err;

	w->o = o;
	w->fs = fs;
	w->data = data;
	w->data_used = 0;
	memset(w->file, 0, sizeof(w->file[0]) * o->nodes);
	err = uext4_root(fs, &root);
	if (err)
		return bad(w, "open", "/", err);
	err = uext4_stat(root, &st);
	tree_init(&w->tree, (u16)st.links, (u16)st.mode);
	ok = err ? bad(w, "stat", "/", err)
		 : read_xattr(w, root, "/", &w->tree.node[NODE_ROOT].xattr) &&
			     read_dir(w, root, NODE_ROOT, "/");
	uext4_inode_put(root);
	return ok;
}

static size_t entry_text(
	const struct tree *t, int k, const struct names *names, char *out, size_t n)
{
	const struct tree_entry *e = &t->entry[k];

	return (size_t)snprintf(
		out, n, "name \"%s\" of file %u in %u", names->text[e->name], e->node, e->dir);
}

static bool has_entry(const struct tree *t, const struct tree_entry *e)
{
	for (int k = 0; k < t->entries; k++)
		if (t->entry[k].dir == e->dir && t->entry[k].name == e->name &&
			t->entry[k].node == e->node)
			return true;
	return false;
}

static size_t only_in(const struct tree *a, const struct tree *b, const struct names *names,
	const char *which, char *out, size_t size)
{
	size_t n = 0;

	for (int k = 0; k < a->entries && n + 300 < size; k++)
		if (!has_entry(b, &a->entry[k])) {
			n += (size_t)snprintf(out + n, size - n, "%s ", which);
			n += entry_text(a, k, names, out + n, size - n);
			n += (size_t)snprintf(out + n, size - n, "; ");
		}
	return n;
}

void tree_difference(const struct tree *found, const struct tree *legal, const struct names *names,
	char *out, size_t size)
{
	size_t n = only_in(found, legal, names, "there is", out, size);

	n += only_in(legal, found, names, "there should be", out + n, size - n);
	for (u16 k = 0; k < found->nodes && k < legal->nodes && n + 120 < size; k++) {
		const struct tree_node *a = &found->node[k], *b = &legal->node[k];

		if (a->mode && b->links && fact_node(k, a) != fact_node(k, b))
			n += (size_t)snprintf(out + n, size - n,
				"file %u has mode %o links %u xattr %u for mode %o links %u xattr "
				"%u; ",
				k, a->mode, a->links, a->xattr, b->mode, b->links, b->xattr);
	}
}
