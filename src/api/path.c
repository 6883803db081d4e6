/*
 * Walking paths: symlinks, "..", search permission. One walker serves every
 * *at call; it holds a reference to the current directory only.
 */
#include "api/api_priv.h"
#include "base/err.h"
#include "os/mem.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <string.h>

#define SYMLINKS_MAX 40

struct walk {
	struct volume *volume;
	const struct cred *cred;
	struct inode *dir; /* one reference: where the next component is looked up */
	char *rest;	   /* owned: what is left of the path, symlinks expanded */
	const char *next;  /* into rest */
	unsigned symlinks;
	char last[256];	  /* the component taken by walk_component */
	bool must_be_dir; /* a slash followed the last component */
};

static void walk_enter(struct walk *w, struct inode *dir)
{
	inode_put(w->dir);
	w->dir = dir;
}

static int walk_to_root(struct walk *w)
{
	struct inode *root;
	int err = inode_get(w->volume, UEXT4_ROOT_INO, &root);

	if (!err)
		walk_enter(w, root);
	return err;
}

static int walk_init(struct walk *w, struct uext4_fs *fs, struct uext4_inode *at, const char *path,
	const struct cred *cred)
{
	size_t len = strlen(path);

	*w = (struct walk){.volume = &fs->fs->volume, .cred = cred};
	if (len == 0)
		return ERR(ENOENT);
	if (len >= PATH_MAX)
		return ERR(ENAMETOOLONG);
	w->rest = os_strdup(path);
	if (!w->rest)
		return ERR(ENOMEM);
	w->next = w->rest;
	if (path[0] == '/' || !at) {
		int err = inode_get(w->volume, UEXT4_ROOT_INO, &w->dir);

		if (err)
			os_free(w->rest);
		return err;
	}
	w->dir = to_inode(at);
	inode_hold(w->dir);
	return 0;
}

static void walk_fini(struct walk *w)
{
	if (w->dir)
		inode_put(w->dir);
	os_free(w->rest);
}

/* Takes the next component into last; false at the end of the path. */
static int walk_component(struct walk *w)
{
	size_t len;

	w->next += strspn(w->next, "/");
	if (!*w->next)
		return 0;
	len = strcspn(w->next, "/");
	if (len > 255)
		return ERR(ENAMETOOLONG);
	memcpy(w->last, w->next, len);
	w->last[len] = 0;
	w->next += len;
	w->must_be_dir = *w->next == '/';
	return 1;
}

static bool walk_at_end(const struct walk *w)
{
	return w->next[strspn(w->next, "/")] == 0;
}

/* "." and ".." ask for search permission like any other name. */
static int walk_lookup(struct walk *w, struct inode **out)
{
	return api_lookup(w->dir, w->cred, (struct name){w->last, (u32)strlen(w->last)}, out);
}

/* Puts the target in front of what is left. Takes the reference to link. */
static int walk_follow(struct walk *w, struct inode *link)
{
	size_t tail = strlen(w->next), size = (size_t)inode_size(link);
	char *joined;
	ssize_t n;

	if (++w->symlinks > SYMLINKS_MAX) {
		inode_put(link);
		return ERR(ELOOP);
	}
	if (size + tail >= PATH_MAX) {
		inode_put(link);
		return ERR(ENAMETOOLONG);
	}
	joined = os_zalloc(size + tail + 1);
	if (!joined) {
		inode_put(link);
		return ERR(ENOMEM);
	}
	n = inode_readlink(link, joined, size);
	inode_put(link);
	if (n <= 0) {
		os_free(joined);
		return n ? (int)n : ERR(ENOENT);
	}
	memcpy(joined + min_of((size_t)n, size), w->next, tail);
	os_free(w->rest);
	w->rest = joined;
	w->next = joined;
	return joined[0] == '/' ? walk_to_root(w) : 0;
}

/* Resolves every component; `follow_last` decides about a symlink in the last place. */
static int walk_all(struct walk *w, bool follow_last, struct inode **out)
{
	int more;

	while ((more = walk_component(w)) > 0) {
		struct inode *i;
		int err = walk_lookup(w, &i);

		if (err)
			return err;
		if (inode_is(i, S_IFLNK) && (follow_last || w->must_be_dir || !walk_at_end(w))) {
			err = walk_follow(w, i);
			if (err)
				return err;
			continue;
		}
		if (w->must_be_dir && !inode_is(i, S_IFDIR)) {
			inode_put(i);
			return ERR(ENOTDIR);
		}
		walk_enter(w, i);
	}
	if (more < 0)
		return more;
	*out = w->dir;
	w->dir = NULL;
	return 0;
}

int uext4_resolve(struct uext4_fs *fs, struct uext4_inode *at, const char *path, unsigned flags,
	const struct uext4_cred *cred, struct uext4_inode **out)
{
	struct cred c = cred_from(cred);
	struct inode *i;
	struct walk w;
	int err = walk_init(&w, fs, at, path, &c);

	if (err)
		return err;
	err = walk_all(&w, !(flags & UEXT4_NOFOLLOW), &i);
	if (!err)
		*out = from_inode(i);
	walk_fini(&w);
	return err;
}

/* Walks everything but the last component, which stays in w->last. */
static int walk_to_parent(struct walk *w)
{
	int more;

	while ((more = walk_component(w)) > 0) {
		struct inode *i;
		int err;

		if (walk_at_end(w))
			return inode_is(w->dir, S_IFDIR) ? 0 : ERR(ENOTDIR);
		err = walk_lookup(w, &i);
		if (err)
			return err;
		if (!inode_is(i, S_IFLNK)) {
			walk_enter(w, i);
			continue;
		}
		err = walk_follow(w, i);
		if (err)
			return err;
	}
	return more ? more : ERR(EEXIST); /* "/" names no component */
}

/* As open(2) with O_CREAT: a symlink in the last place leads to where a new file would go. */
static int walk_to_new(struct walk *w)
{
	struct inode *i;
	int err;

	for (;;) {
		err = walk_to_parent(w);
		if (!err)
			err = walk_lookup(w, &i);
		if (err)
			return err == -ENOENT && walk_at_end(w) ? 0 : err;
		if (!inode_is(i, S_IFLNK)) {
			inode_put(i);
			return 0;
		}
		err = walk_follow(w, i);
		if (err)
			return err;
	}
}

int api_resolve_last(struct uext4_fs *fs, struct uext4_inode *at, const char *path,
	const struct uext4_cred *cred, bool follow, struct last_name *out)
{
	struct cred c = cred_from(cred);
	struct walk w;
	int err = walk_init(&w, fs, at, path, &c);

	if (err)
		return err;
	err = follow ? walk_to_new(&w) : walk_to_parent(&w);
	if (!err) {
		memcpy(out->name, w.last, strlen(w.last) + 1);
		out->dir = from_inode(w.dir);
		out->slash = w.must_be_dir;
		w.dir = NULL;
	}
	walk_fini(&w);
	return err;
}

int uext4_resolve_parent(struct uext4_fs *fs, struct uext4_inode *at, const char *path,
	const struct uext4_cred *cred, struct uext4_inode **dir, char *name)
{
	struct last_name last;
	int err = api_resolve_last(fs, at, path, cred, false, &last);

	if (err)
		return err;
	if (strcmp(last.name, ".") == 0 || strcmp(last.name, "..") == 0) {
		uext4_inode_put(last.dir);
		return ERR(EINVAL);
	}
	strcpy(name, last.name);
	*dir = last.dir;
	return 0;
}
