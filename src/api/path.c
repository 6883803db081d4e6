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
	struct uext4_fs *fs;
	const struct cred *cred;
	struct inode *dir; /* where the next component is looked up */
	bool held;	   /* a reference to dir is ours, not the caller's or the mount's */
	const char *next;  /* what is left of the path, symlinks expanded */
	char *expanded;	   /* owned: what next points into, after a symlink */
	unsigned symlinks;
	unsigned lookups;
	struct name last; /* the component taken by walk_component; into the path */
	bool must_be_dir; /* a slash followed the last component */
};

static void walk_leave(struct walk *w)
{
	if (w->held)
		inode_put(w->dir);
	w->held = false;
}

static void walk_enter(struct walk *w, struct inode *dir)
{
	walk_leave(w);
	w->dir = dir;
	w->held = true;
}

/* The first who asks gets the reference that the mount keeps. */
static int root_of(struct uext4_fs *fs, struct inode **out)
{
	struct inode *fresh;
	int err;

	*out = atomic_load_acq(&fs->fs->root);
	if (*out)
		return 0;
	err = inode_get(&fs->fs->volume, UEXT4_ROOT_INO, &fresh);
	if (err)
		return err;
	if (atomic_cas(&fs->fs->root, out, fresh))
		*out = fresh;
	else
		inode_put(fresh);
	return 0;
}

static int walk_to_root(struct walk *w)
{
	walk_leave(w);
	return root_of(w->fs, &w->dir);
}

static int walk_init(struct walk *w, struct uext4_fs *fs, struct uext4_inode *at, const char *path,
	const struct cred *cred)
{
	*w = (struct walk){.fs = fs, .cred = cred, .next = path, .dir = to_inode(at)};
	if (path[0] == 0)
		return ERR(ENOENT);
	if (strlen(path) >= PATH_MAX)
		return ERR(ENAMETOOLONG);
	return path[0] == '/' || !at ? walk_to_root(w) : 0;
}

static void walk_fini(struct walk *w)
{
	walk_leave(w);
	os_free(w->expanded);
	tally_add(&w->fs->fs->volume.operations, OP_LOOKUP, w->lookups);
}

/* The directory with a reference of the caller's. */
static struct inode *walk_take_dir(struct walk *w)
{
	if (!w->held)
		inode_hold(w->dir);
	w->held = false;
	return w->dir;
}

static const char *behind_slashes(const char *s)
{
	while (*s == '/')
		s++;
	return s;
}

/* Takes the next component into last; false at the end of the path. */
static int walk_component(struct walk *w)
{
	const char *begin = behind_slashes(w->next), *end;

	if (!*begin)
		return 0;
	end = strchrnul(begin, '/');
	if (end - begin > 255)
		return ERR(ENAMETOOLONG);
	w->last = (struct name){begin, (u32)(end - begin)};
	w->next = end;
	w->must_be_dir = *end == '/';
	return 1;
}

static bool walk_at_end(const struct walk *w)
{
	return *behind_slashes(w->next) == 0;
}

/* "." and ".." ask for search permission like any other name. */
static int walk_lookup(struct walk *w, struct inode **out)
{
	w->lookups++;
	return dir_lookup_inode(w->dir, w->cred, w->last, out);
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
	os_free(w->expanded);
	w->expanded = joined;
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
	*out = walk_take_dir(w);
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
		memcpy(out->name, w.last.s, w.last.len);
		out->name[w.last.len] = 0;
		out->dir = from_inode(walk_take_dir(&w));
		out->slash = w.must_be_dir;
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
