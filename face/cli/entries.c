/* Reading directories, and walking trees, in an image. */
#include "entries.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reading {
	struct entries *to;
	bool dots, no_memory;
};

static bool grow(struct entries *e)
{
	size_t capacity = e->capacity ? 2 * e->capacity : 64;
	struct entry *list = realloc(e->list, capacity * sizeof(*list));

	if (!list)
		return false;
	e->list = list;
	e->capacity = capacity;
	return true;
}

/* A name with a slash can only come from a broken image; no path can name it. */
static bool add(void *arg, const struct uext4_dirent *d)
{
	struct reading *r = arg;
	struct entries *e = r->to;
	char *name;

	if (memchr(d->name, '/', d->name_len) || memchr(d->name, '\0', d->name_len))
		return true;
	name = strndup(d->name, d->name_len);
	if (!name || (e->count == e->capacity && !grow(e))) {
		free(name);
		r->no_memory = true;
		return false;
	}
	if (!r->dots && is_dot(name))
		free(name);
	else
		e->list[e->count++] = (struct entry){name, d->ino, d->type};
	return true;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

int entries_read(struct uext4_inode *dir, bool dots, struct entries *out)
{
	struct reading r = {.to = out, .dots = dots};
	int err;

	*out = (struct entries){0};
	err = uext4_readdir(dir, NULL, 0, add, &r);
	if (r.no_memory)
		err = -ENOMEM;
	if (err < 0) {
		entries_free(out);
		return err;
	}
	if (out->count)
		qsort(out->list, out->count, sizeof(*out->list), compare);
	return 0;
}

void entries_free(struct entries *entries)
{
	for (size_t k = 0; k < entries->count; k++)
		free(entries->list[k].name);
	free(entries->list);
	*entries = (struct entries){0};
}

char *symlink_read(struct uext4_inode *link, int *err)
{
	ssize_t len = uext4_readlink(link, NULL, 0), got;
	char *target = len < 0 ? NULL : malloc((size_t)len + 1);

	*err = len < 0 ? (int)len : -ENOMEM;
	if (!target)
		return NULL;
	got = uext4_readlink(link, target, (size_t)len);
	if (got < 0) {
		*err = (int)got;
		free(target);
		return NULL;
	}
	target[got < len ? got : len] = '\0';
	return target;
}

static void walk_below(
	struct cli *cli, struct uext4_inode *dir, const char *path, walk_fn *fn, void *arg)
{
	struct entries entries;
	struct level level;
	int err;

	if (!level_enter(cli, &level, dir, path))
		return;
	err = entries_read(dir, false, &entries);
	if (err)
		cli_fail(cli, path, err);
	for (size_t k = 0; k < entries.count; k++) {
		char *below = path_join(path, entries.list[k].name);
		struct uext4_inode *inode = NULL;

		err = below ? uext4_lookup(dir, NULL, entries.list[k].name, &inode) : -ENOMEM;
		if (err)
			cli_fail(cli, below ? below : path, err);
		else
			walk(cli, inode, below, fn, arg);
		uext4_inode_put(inode);
		free(below);
	}
	entries_free(&entries);
	level_leave(cli);
}

void walk(struct cli *cli, struct uext4_inode *inode, const char *path, walk_fn *fn, void *arg)
{
	struct uext4_stat st;
	int err = uext4_stat(inode, &st);

	if (err) {
		cli_fail(cli, path, err);
		return;
	}
	fn(cli, inode, path, arg);
	if ((st.mode & S_IFMT) == S_IFDIR)
		walk_below(cli, inode, path, fn, arg);
}
