/* uext4/path.h: the *at calls, each a walk and one operation on inodes. */
#include "api/api_priv.h"
#include "base/err.h"

#include <fcntl.h>
#include <string.h>

static int open_existing(
	struct uext4_inode *i, int flags, const struct uext4_cred *cred, struct uext4_file **out)
{
	if (flags & O_DIRECTORY && !inode_is(to_inode(i), S_IFDIR))
		return ERR(ENOTDIR);
	return uext4_file_open(i, cred, flags, out);
}

/* A name in front of a slash that is to be something else than a directory. */
static int slash_error(struct last_name *l, const struct uext4_cred *cred)
{
	struct uext4_inode *i;
	int err = uext4_lookup(l->dir, cred, l->name, &i);

	if (!err)
		uext4_inode_put(i);
	return err ? err : ERR(EEXIST);
}

/*
 * -EEXIST when the name is there: then it is opened by a full walk, which follows symlinks. A new
 * file is opened by its maker whatever its mode says, as open(2) does; and nothing can fail once it
 * is there.
 */
static int create_and_open(struct uext4_fs *fs, struct uext4_inode *at, const char *path, int flags,
	u32 mode, const struct uext4_cred *cred, struct uext4_file **out)
{
	struct uext4_create req = {.mode = S_IFREG | (mode & 07777)};
	struct uext4_file *f;
	struct uext4_inode *i;
	struct last_name l;
	int err = api_resolve_last(fs, at, path, cred, !(flags & (O_EXCL | O_NOFOLLOW)), &l);

	if (err)
		return err;
	err = l.slash ? ERR(EISDIR) : api_file_alloc(cred, flags, &f);
	if (err)
		goto out_dir;
	err = uext4_create(l.dir, cred, l.name, &req, &i);
	if (err) {
		api_file_free(f);
		goto out_dir;
	}
	f->cred.check = false;
	api_file_start(f, to_inode(i));
	uext4_inode_put(i);
	*out = f;
out_dir:
	uext4_inode_put(l.dir);
	return err;
}

/* With O_CREAT, a name that was there and then is not was removed by someone: start over. */
int uext4_openat(struct uext4_fs *fs, struct uext4_inode *at, const char *path, int flags,
	uint32_t mode, const struct uext4_cred *cred, struct uext4_file **out)
{
	struct uext4_inode *i;
	int err;

	do {
		if (flags & O_CREAT) {
			err = create_and_open(fs, at, path, flags, mode, cred, out);
			if (err != -EEXIST || flags & O_EXCL)
				return err;
		}
		err = uext4_resolve(
			fs, at, path, flags & O_NOFOLLOW ? UEXT4_NOFOLLOW : 0, cred, &i);
	} while (err == -ENOENT && flags & O_CREAT);
	if (err)
		return err;
	err = open_existing(i, flags, cred, out);
	uext4_inode_put(i);
	return err;
}

int uext4_statat(struct uext4_fs *fs, struct uext4_inode *at, const char *path, unsigned flags,
	const struct uext4_cred *cred, struct uext4_stat *out)
{
	struct uext4_inode *i;
	int err = uext4_resolve(fs, at, path, flags, cred, &i);

	if (err)
		return err;
	err = uext4_stat(i, out);
	uext4_inode_put(i);
	return err;
}

int uext4_mknodat(struct uext4_fs *fs, struct uext4_inode *at, const char *path,
	const struct uext4_cred *cred, const struct uext4_create *req, struct uext4_inode **out)
{
	struct last_name l;
	int err = api_resolve_last(fs, at, path, cred, false, &l);

	if (err)
		return err;
	if (l.slash && !S_ISDIR(req->mode))
		err = slash_error(&l, cred);
	else
		err = uext4_create(l.dir, cred, l.name, req, out);
	uext4_inode_put(l.dir);
	return err;
}

int uext4_mkdirat(struct uext4_fs *fs, struct uext4_inode *at, const char *path, uint32_t mode,
	const struct uext4_cred *cred)
{
	struct uext4_create req = {.mode = S_IFDIR | (mode & 07777)};

	return uext4_mknodat(fs, at, path, cred, &req, NULL);
}

int uext4_symlinkat(struct uext4_fs *fs, const char *target, struct uext4_inode *at,
	const char *path, const struct uext4_cred *cred)
{
	struct last_name l;
	int err = api_resolve_last(fs, at, path, cred, false, &l);

	if (err)
		return err;
	err = l.slash ? slash_error(&l, cred) : uext4_symlink(l.dir, cred, l.name, target, NULL);
	uext4_inode_put(l.dir);
	return err;
}

int uext4_linkat(struct uext4_fs *fs, struct uext4_inode *from_at, const char *from,
	struct uext4_inode *to_at, const char *to, const struct uext4_cred *cred)
{
	struct uext4_inode *i;
	struct last_name l;
	int err = uext4_resolve(fs, from_at, from, UEXT4_NOFOLLOW, cred, &i);

	if (err)
		return err;
	err = api_resolve_last(fs, to_at, to, cred, false, &l);
	if (!err) {
		err = l.slash ? slash_error(&l, cred) : uext4_link(i, cred, l.dir, l.name);
		uext4_inode_put(l.dir);
	}
	uext4_inode_put(i);
	return err;
}

static int unlink_with_slash(struct last_name *l, const struct uext4_cred *cred)
{
	struct uext4_inode *i;
	int err = uext4_lookup(l->dir, cred, l->name, &i);

	if (err)
		return err;
	err = inode_is(to_inode(i), S_IFDIR) ? ERR(EISDIR) : ERR(ENOTDIR);
	uext4_inode_put(i);
	return err;
}

int uext4_unlinkat(struct uext4_fs *fs, struct uext4_inode *at, const char *path, int flags,
	const struct uext4_cred *cred)
{
	struct last_name l;
	int err = api_resolve_last(fs, at, path, cred, false, &l);

	if (err == -EEXIST) /* the root */
		return flags & AT_REMOVEDIR ? ERR(EBUSY) : ERR(EISDIR);
	if (err)
		return err;
	if (flags & AT_REMOVEDIR)
		err = uext4_rmdir(l.dir, cred, l.name);
	else
		err = l.slash ? unlink_with_slash(&l, cred) : uext4_unlink(l.dir, cred, l.name);
	uext4_inode_put(l.dir);
	return err;
}

/* rename(2) takes a slash behind either name only if it moves a directory. */
static int rename_slash_check(struct last_name *from, const struct uext4_cred *cred)
{
	struct uext4_inode *i;
	int err = uext4_lookup(from->dir, cred, from->name, &i);

	if (err)
		return err;
	err = inode_is(to_inode(i), S_IFDIR) ? 0 : ERR(ENOTDIR);
	uext4_inode_put(i);
	return err;
}

static int rename_last(
	struct last_name *from, struct last_name *to, unsigned flags, const struct uext4_cred *cred)
{
	int err = from->slash || to->slash ? rename_slash_check(from, cred) : 0;

	return err ? err : uext4_rename(from->dir, from->name, to->dir, to->name, cred, flags);
}

int uext4_renameat(struct uext4_fs *fs, struct uext4_inode *from_at, const char *from,
	struct uext4_inode *to_at, const char *to, unsigned flags, const struct uext4_cred *cred)
{
	struct last_name lf, lt;
	int err = api_resolve_last(fs, from_at, from, cred, false, &lf);

	if (err)
		return err == -EEXIST ? ERR(EBUSY) : err; /* the root */
	err = api_resolve_last(fs, to_at, to, cred, false, &lt);
	if (!err) {
		err = rename_last(&lf, &lt, flags, cred);
		uext4_inode_put(lt.dir);
	} else if (err == -EEXIST) {
		err = ERR(EBUSY);
	}
	uext4_inode_put(lf.dir);
	return err;
}
