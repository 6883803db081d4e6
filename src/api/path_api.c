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

/* A file that was just made is opened by its maker whatever its mode says, as open(2) does. */
static int open_created(
	struct uext4_inode *i, int flags, const struct uext4_cred *cred, struct uext4_file **out)
{
	struct uext4_cred trusted = cred ? *cred : (struct uext4_cred){.privileged = true};

	trusted.trusted = true;
	return uext4_file_open(i, &trusted, flags & ~O_TRUNC, out);
}

/* -EEXIST when the name is there: then it is opened by a full walk, which follows symlinks. */
static int create_and_open(struct uext4_fs *fs, struct uext4_inode *at, const char *path, int flags,
	u32 mode, const struct uext4_cred *cred, struct uext4_file **out)
{
	struct uext4_create req = {.mode = S_IFREG | (mode & 07777)};
	struct uext4_inode *i;
	int err = uext4_mknodat(fs, at, path, cred, &req, &i);

	if (err)
		return err;
	err = open_created(i, flags, cred, out);
	uext4_inode_put(i);
	return err;
}

int uext4_openat(struct uext4_fs *fs, struct uext4_inode *at, const char *path, int flags,
	uint32_t mode, const struct uext4_cred *cred, struct uext4_file **out)
{
	struct uext4_inode *i;
	int err;

	if (flags & O_CREAT) {
		err = create_and_open(fs, at, path, flags, mode, cred, out);
		if (err != -EEXIST || flags & O_EXCL)
			return err;
	}
	err = uext4_resolve(fs, at, path, flags & O_NOFOLLOW ? UEXT4_NOFOLLOW : 0, cred, &i);
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
	struct uext4_inode *dir;
	char name[256];
	int err = uext4_resolve_parent(fs, at, path, cred, &dir, name);

	if (err)
		return err;
	err = uext4_create(dir, cred, name, req, out);
	uext4_inode_put(dir);
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
	struct uext4_inode *dir;
	char name[256];
	int err = uext4_resolve_parent(fs, at, path, cred, &dir, name);

	if (err)
		return err;
	err = uext4_symlink(dir, cred, name, target, NULL);
	uext4_inode_put(dir);
	return err;
}

int uext4_linkat(struct uext4_fs *fs, struct uext4_inode *from_at, const char *from,
	struct uext4_inode *to_at, const char *to, const struct uext4_cred *cred)
{
	struct uext4_inode *dir, *i;
	char name[256];
	int err = uext4_resolve(fs, from_at, from, UEXT4_NOFOLLOW, cred, &i);

	if (err)
		return err;
	err = uext4_resolve_parent(fs, to_at, to, cred, &dir, name);
	if (!err) {
		err = uext4_link(i, cred, dir, name);
		uext4_inode_put(dir);
	}
	uext4_inode_put(i);
	return err;
}

int uext4_unlinkat(struct uext4_fs *fs, struct uext4_inode *at, const char *path, int flags,
	const struct uext4_cred *cred)
{
	struct uext4_inode *dir;
	char name[256];
	int err = uext4_resolve_parent(fs, at, path, cred, &dir, name);

	if (err)
		return err;
	err = flags & AT_REMOVEDIR ? uext4_rmdir(dir, cred, name) : uext4_unlink(dir, cred, name);
	uext4_inode_put(dir);
	return err;
}

int uext4_renameat(struct uext4_fs *fs, struct uext4_inode *from_at, const char *from,
	struct uext4_inode *to_at, const char *to, unsigned flags, const struct uext4_cred *cred)
{
	struct uext4_inode *from_dir, *to_dir;
	char from_name[256], to_name[256];
	int err = uext4_resolve_parent(fs, from_at, from, cred, &from_dir, from_name);

	if (err)
		return err;
	err = uext4_resolve_parent(fs, to_at, to, cred, &to_dir, to_name);
	if (!err) {
		err = uext4_rename(from_dir, from_name, to_dir, to_name, cred, flags);
		uext4_inode_put(to_dir);
	}
	uext4_inode_put(from_dir);
	return err;
}
