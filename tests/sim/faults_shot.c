/* All that can be seen of a small file system, and whether it may look so. */
#include "faults.h"

#include <stdio.h>

#include "base/crc.h"
#include "base/util.h"

struct walk {
	struct uext4_fs *fs;
	struct shot *shot;
	const char *dir; /* being listed */
};

static int add_xattrs(struct uext4_inode *inode, u32 *sum)
{
	char list[1024], value[4096];
	ssize_t len = uext4_listxattr(inode, NULL, list, sizeof(list));

	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(list + at) + 1) {
		ssize_t n = uext4_getxattr(inode, NULL, list + at, value, sizeof(value));

		if (n < 0)
			return (int)n;
		/* In any order. */
		*sum += crc32c(crc32c(~0u, list + at, strlen(list + at)), value, (size_t)n);
	}
	return len < 0 ? (int)len : 0;
}

static int add_content(struct uext4_inode *inode, struct shot_entry *e, u32 mode)
{
	struct uext4_file *f;
	ssize_t n;
	int err;

	if (S_ISLNK(mode)) {
		n = uext4_readlink(inode, (char *)e->data, SHOT_BYTES);
		e->attributes = crc32c(e->attributes, e->data, n > 0 ? (size_t)n : 0);
		return n < 0 ? (int)n : 0;
	}
	e->file = S_ISREG(mode);
	if (!e->file)
		return 0;
	err = uext4_file_open(inode, NULL, O_RDONLY | O_NOATIME, &f);
	if (err)
		return err;
	n = uext4_pread(f, e->data, SHOT_BYTES, 0);
	uext4_file_close(f);
	if (n >= 0 && (u64)n != e->size)
		return -EOVERFLOW;
	return n < 0 ? (int)n : 0;
}

static int add_inode(struct walk *w, const char *path, bool *is_dir)
{
	struct shot_entry *e = &w->shot->entry[w->shot->count++];
	struct uext4_inode *inode;
	struct uext4_stat s;
	int err = uext4_resolve(w->fs, NULL, path, UEXT4_NOFOLLOW, NULL, &inode);

	if (err)
		return err;
	*e = (struct shot_entry){0};
	snprintf(e->path, sizeof(e->path), "%s", path);
	err = uext4_stat(inode, &s);
	if (!err) {
		u32 facts[] = {s.mode, s.links, s.uid, s.gid, s.rdev_major, s.rdev_minor, s.flags};

		*is_dir = S_ISDIR(s.mode);
		e->size = *is_dir ? 0 : s.size;
		e->attributes = crc32c(~0u, facts, sizeof(facts));
		err = add_xattrs(inode, &e->attributes);
	}
	if (!err)
		err = add_content(inode, e, s.mode);
	uext4_inode_put(inode);
	return err;
}

struct names {
	unsigned count;
	char name[SHOT_ENTRIES][24];
};

static bool collect(void *arg, const struct uext4_dirent *d)
{
	struct names *n = arg;

	if (d->name[0] == '.')
		return true;
	if (n->count == SHOT_ENTRIES)
		return false;
	snprintf(n->name[n->count++], sizeof(n->name[0]), "%.*s", (int)d->name_len, d->name);
	return true;
}

static int add_tree(struct walk *w, const char *path)
{
	struct names names = {0};
	struct uext4_inode *dir;
	bool is_dir;
	int err = w->shot->count < SHOT_ENTRIES ? add_inode(w, path, &is_dir) : -EOVERFLOW;

	if (err || !is_dir)
		return err;
	err = uext4_resolve(w->fs, NULL, path, 0, NULL, &dir);
	if (err)
		return err;
	err = uext4_readdir(dir, NULL, 0, collect, &names);
	uext4_inode_put(dir);
	for (unsigned k = 0; k < names.count && !err; k++) {
		char below[48];

		snprintf(below, sizeof(below), "%s%s%s", path, path[1] ? "/" : "", names.name[k]);
		err = add_tree(w, below);
	}
	return err;
}

int shot_take(struct uext4_fs *fs, struct shot *out)
{
	struct walk w = {.fs = fs, .shot = out};

	out->count = 0;
	return add_tree(&w, "/");
}

static const struct shot_entry *find(const struct shot *s, const char *path)
{
	for (unsigned k = 0; k < s->count; k++)
		if (strcmp(s->entry[k].path, path) == 0)
			return &s->entry[k];
	return NULL;
}

static char why[200];

static const char *differs(const struct shot_entry *e, const char *what)
{
	snprintf(why, sizeof(why), "%s: %s", e->path, what);
	return why;
}

static bool byte_is_legal(const struct shot_entry *got, u64 at, const struct shot *const *legal,
	unsigned count, bool zeros)
{
	if (zeros && got->data[at] == 0)
		return true;
	for (unsigned k = 0; k < count; k++) {
		const struct shot_entry *e = find(legal[k], got->path);

		/* data is 0 behind the size */
		if (e && e->data[at] == got->data[at])
			return true;
	}
	return false;
}

static const char *entry_differs(
	const struct shot_entry *got, const struct shot *const *legal, unsigned count, bool zeros)
{
	bool known = false, attributes = false;
	u64 low = UINT64_MAX, high = 0;

	for (unsigned k = 0; k < count; k++) {
		const struct shot_entry *e = find(legal[k], got->path);

		if (!e)
			continue;
		known = true;
		attributes |= e->attributes == got->attributes;
		low = min_of(low, e->size);
		high = max_of(high, e->size);
	}
	if (!known)
		return differs(got, "a name from nowhere");
	if (!attributes)
		return differs(got, "attributes from nowhere");
	if (got->size < low || got->size > high)
		return differs(got, "a size from nowhere");
	for (u64 at = 0; got->file && at < got->size; at++)
		if (!byte_is_legal(got, at, legal, count, zeros)) {
			differs(got, "");
			snprintf(why + strlen(why), 40, "byte %llu is %02x", (unsigned long long)at,
				got->data[at]);
			return why;
		}
	return NULL;
}

const char *shot_differs(
	const struct shot *got, const struct shot *const *legal, unsigned count, bool zeros)
{
	const char *wrong = NULL;

	for (unsigned k = 0; k < got->count && !wrong; k++)
		wrong = entry_differs(&got->entry[k], legal, count, zeros);
	for (unsigned k = 0; k < legal[0]->count && !wrong; k++) {
		const struct shot_entry *e = &legal[0]->entry[k];
		bool everywhere = true;

		for (unsigned n = 1; n < count; n++)
			everywhere &= find(legal[n], e->path) != NULL;
		if (everywhere && !find(got, e->path))
			wrong = differs(e, "is gone");
	}
	return wrong;
}
