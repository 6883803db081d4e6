/* uext4/inode.h: operations that make, move and remove names. */
#include "api/api_priv.h"
#include "base/err.h"

#include <string.h>

static int create_in(struct inode *dir, const struct uext4_cred *cred, const char *name,
	const struct create_request *req, struct uext4_inode **out)
{
	struct cred c = cred_from(cred);
	struct inode *i;
	struct name n;
	int err = name_check(name, &n);

	if (err)
		return err;
	api_count(dir, OP_CREATE);
	err = dir_create(dir, &c, n, req, out ? &i : NULL);
	if (!err && out)
		*out = from_inode(i);
	return err;
}

static struct create_request request_of(const struct uext4_create *req)
{
	u32 type = req->mode & S_IFMT ? req->mode & S_IFMT : S_IFREG; /* as mknod(2) */

	return (struct create_request){.mode = type | (req->mode & 07777),
		.umask = req->umask,
		.rdev_major = req->rdev_major,
		.rdev_minor = req->rdev_minor};
}

/* Symbolic links have a call of their own. */
static bool type_ok(u32 mode)
{
	return S_ISREG(mode) || S_ISDIR(mode) || S_ISCHR(mode) || S_ISBLK(mode) || S_ISFIFO(mode) ||
	       S_ISSOCK(mode);
}

int uext4_create(struct uext4_inode *dir, const struct uext4_cred *cred, const char *name,
	const struct uext4_create *req, struct uext4_inode **out)
{
	struct create_request r = request_of(req);

	if (!type_ok(r.mode))
		return ERR(EINVAL);
	return create_in(to_inode(dir), cred, name, &r, out);
}

int uext4_symlink(struct uext4_inode *dir, const struct uext4_cred *cred, const char *name,
	const char *target, struct uext4_inode **out)
{
	size_t len = strlen(target);
	struct create_request r = {
		.mode = S_IFLNK | 0777, .target = target, .target_len = (u32)len};

	if (len == 0)
		return ERR(ENOENT);
	if (len >= to_inode(dir)->volume->sb.block_size)
		return ERR(ENAMETOOLONG);
	return create_in(to_inode(dir), cred, name, &r, out);
}

int uext4_tmpfile(struct uext4_inode *dir, const struct uext4_cred *cred,
	const struct uext4_create *req, struct uext4_inode **out)
{
	struct create_request r = request_of(req);
	struct cred c = cred_from(cred);
	struct inode *i;
	int err;

	api_count(to_inode(dir), OP_CREATE);
	err = dir_tmpfile(to_inode(dir), &c, &r, &i);

	if (!err)
		*out = from_inode(i);
	return err;
}

int uext4_link(struct uext4_inode *inode, const struct uext4_cred *cred, struct uext4_inode *dir,
	const char *name)
{
	struct cred c = cred_from(cred);
	struct name n;
	int err = name_check(name, &n);

	api_count(to_inode(dir), OP_CREATE);
	return err ? err : dir_link(to_inode(dir), &c, n, to_inode(inode));
}

int uext4_unlink(struct uext4_inode *dir, const struct uext4_cred *cred, const char *name)
{
	struct cred c = cred_from(cred);
	struct name n;
	int err = name_check(name, &n);

	api_count(to_inode(dir), OP_REMOVE);
	return err ? err : dir_unlink(to_inode(dir), &c, n);
}

int uext4_rmdir(struct uext4_inode *dir, const struct uext4_cred *cred, const char *name)
{
	struct cred c = cred_from(cred);
	struct name n;
	int err = name_check(name, &n);

	api_count(to_inode(dir), OP_REMOVE);
	return err ? err : dir_rmdir(to_inode(dir), &c, n);
}

int uext4_rename(struct uext4_inode *from_dir, const char *from, struct uext4_inode *to_dir,
	const char *to, const struct uext4_cred *cred, unsigned flags)
{
	struct cred c = cred_from(cred);
	struct name nf, nt;
	int err = name_check(from, &nf);

	if (!err)
		err = name_check(to, &nt);
	api_count(to_inode(from_dir), OP_RENAME);
	return err ? err : dir_rename(to_inode(from_dir), nf, to_inode(to_dir), nt, &c, flags);
}
