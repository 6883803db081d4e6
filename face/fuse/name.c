/* Names: looking them up, making, moving and removing them. */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* A name that is not there is remembered, too: nobody else will make it. */
void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct server *s = server_of(req);
	struct uext4_inode *dir = node_inode(s, parent), *inode = NULL;
	struct uext4_cred cred = cred_of(req);
	int err = dir ? uext4_lookup(dir, &cred, name, &inode) : -ESTALE;

	if (err == -ENOENT) {
		struct fuse_entry_param none = {.entry_timeout = cache_seconds()};

		fuse_reply_entry(req, &none);
		return;
	}
	reply_entry(req, err, inode);
}

void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	node_forget(server_of(req), ino, count);
	fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t k = 0; k < count; k++)
		node_forget(server_of(req), forgets[k].ino, forgets[k].nlookup);
	fuse_reply_none(req);
}

void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct uext4_inode *inode = node_inode(server_of(req), ino);
	char target[PATH_MAX + 1];
	ssize_t n = inode ? uext4_readlink(inode, target, PATH_MAX) : -ESTALE;

	if (n < 0) {
		reply_status(req, (int)n);
	} else if (n > PATH_MAX) {
		reply_status(req, -ENAMETOOLONG);
	} else {
		target[n] = '\0';
		fuse_reply_readlink(req, target);
	}
}

/* Groups decide only whether a set-group-ID bit may stay. */
static int create_in(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev,
	struct uext4_inode **out)
{
	struct uext4_inode *dir = node_inode(server_of(req), parent);
	uint32_t groups[GROUPS_MAX];
	struct uext4_cred cred = mode & S_ISGID ? cred_with_groups(req, groups) : cred_of(req);
	struct uext4_create make = {.mode = mode,
		.umask = fuse_req_ctx(req)->umask,
		.rdev_major = major(rdev),
		.rdev_minor = minor(rdev)};

	return dir ? uext4_create(dir, &cred, name, &make, out) : -ESTALE;
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct uext4_inode *inode = NULL;
	int err = create_in(req, parent, name, mode, rdev, &inode);

	reply_entry(req, err, inode);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	op_mknod(req, parent, name, (mode & ~(mode_t)S_IFMT) | S_IFDIR, 0);
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct uext4_inode *dir = node_inode(server_of(req), parent), *inode = NULL;
	struct uext4_cred cred = cred_of(req);
	int err = dir ? uext4_symlink(dir, &cred, name, target, &inode) : -ESTALE;

	reply_entry(req, err, inode);
}

void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	struct server *s = server_of(req);
	struct uext4_inode *inode = node_inode(s, ino), *dir = node_inode(s, parent);
	struct uext4_cred cred = cred_of(req);
	int err = inode && dir ? uext4_link(inode, &cred, dir, name) : -ESTALE;

	if (!err)
		uext4_inode_hold(inode);
	reply_entry(req, err, inode);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct uext4_inode *dir = node_inode(server_of(req), parent);
	struct uext4_cred cred = cred_of(req);

	reply_status(req, dir ? uext4_unlink(dir, &cred, name) : -ESTALE);
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct uext4_inode *dir = node_inode(server_of(req), parent);
	struct uext4_cred cred = cred_of(req);

	reply_status(req, dir ? uext4_rmdir(dir, &cred, name) : -ESTALE);
}

void op_rename(fuse_req_t req, fuse_ino_t from_parent, const char *from, fuse_ino_t to_parent,
	const char *to, unsigned flags)
{
	struct server *s = server_of(req);
	struct uext4_inode *from_dir = node_inode(s, from_parent),
			   *to_dir = node_inode(s, to_parent);
	struct uext4_cred cred = cred_of(req);
	bool known = from_dir && to_dir;

	reply_status(req, known ? uext4_rename(from_dir, from, to_dir, to, &cred, flags) : -ESTALE);
}

/* Makes the file, or takes the one that is there; inode is a reference. */
static int create_or_take(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	int flags, struct uext4_inode **inode)
{
	struct uext4_cred cred = cred_of(req);
	int err = create_in(req, parent, name, (mode & ~(mode_t)S_IFMT) | S_IFREG, 0, inode);

	if (err == -EEXIST && !(flags & O_EXCL))
		err = uext4_lookup(node_inode(server_of(req), parent), &cred, name, inode);
	return err;
}

void op_create(
	fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct server *s = server_of(req);
	struct uext4_cred cred = cred_of(req);
	struct uext4_inode *inode = NULL;
	struct fuse_entry_param e;
	int err = create_or_take(req, parent, name, mode, fi->flags, &inode);

	if (err)
		goto out;
	err = handle_open(s, inode, &cred, fi);
	if (err) {
		uext4_inode_put(inode);
		goto out;
	}
	err = entry_fill(s, inode, &e);
	if (err) {
		handle_close(s, (struct handle *)(uintptr_t)fi->fh);
		goto out;
	}
	if (fuse_reply_create(req, &e, fi) < 0) {
		handle_close(s, (struct handle *)(uintptr_t)fi->fh);
		entry_undo(s, &e);
	}
	return;
out:
	reply_status(req, err);
}
