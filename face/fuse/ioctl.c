/* Inode flags by ioctl: the words that chattr(1) speaks, and those that the kernel asks with. */
#include "server.h"

#include <errno.h>
#include <linux/fs.h>
#include <string.h>

static const struct {
	uint32_t flag, xflag;
} xflags[] = {
	{FS_IMMUTABLE_FL, FS_XFLAG_IMMUTABLE},
	{FS_APPEND_FL, FS_XFLAG_APPEND},
	{FS_SYNC_FL, FS_XFLAG_SYNC},
	{FS_NOATIME_FL, FS_XFLAG_NOATIME},
	{FS_NODUMP_FL, FS_XFLAG_NODUMP},
	{FS_PROJINHERIT_FL, FS_XFLAG_PROJINHERIT},
};
enum { XFLAG_COUNT = sizeof(xflags) / sizeof(xflags[0]) };

/* What one ioctl came with. */
struct call {
	fuse_req_t req;
	struct uext4_inode *inode;
	const void *in;
	size_t in_size, out_size;
};

static int get_flags(const struct call *c)
{
	struct uext4_stat st;
	int err = uext4_stat(c->inode, &st);

	if (err)
		return err;
	if (c->out_size < sizeof(st.flags))
		return -EINVAL;
	fuse_reply_ioctl(c->req, 0, &st.flags, sizeof(st.flags));
	return 0;
}

static int get_xattr(const struct call *c)
{
	struct fsxattr x = {0};
	struct uext4_stat st;
	int err = uext4_stat(c->inode, &st);

	if (err)
		return err;
	if (c->out_size < sizeof(x))
		return -EINVAL;
	for (int k = 0; k < XFLAG_COUNT; k++)
		if (st.flags & xflags[k].flag)
			x.fsx_xflags |= xflags[k].xflag;
	x.fsx_projid = st.project;
	fuse_reply_ioctl(c->req, 0, &x, sizeof(x));
	return 0;
}

static int change(const struct call *c, uint32_t flags)
{
	struct uext4_cred cred = cred_of(c->req);
	struct uext4_setattr set = {.valid = UEXT4_SET_FLAGS, .flags = flags};
	int err = uext4_setattr(c->inode, &cred, &set);

	if (!err)
		fuse_reply_ioctl(c->req, 0, NULL, 0);
	return err;
}

static int set_flags(const struct call *c)
{
	uint32_t flags;

	if (c->in_size < sizeof(flags))
		return -EINVAL;
	memcpy(&flags, c->in, sizeof(flags));
	return change(c, flags);
}

static int set_xattr(const struct call *c)
{
	struct fsxattr x;
	struct uext4_stat st;
	int err = uext4_stat(c->inode, &st);

	if (err)
		return err;
	if (c->in_size < sizeof(x))
		return -EINVAL;
	memcpy(&x, c->in, sizeof(x));
	if (x.fsx_projid != st.project)
		return -EOPNOTSUPP;
	for (int k = 0; k < XFLAG_COUNT; k++) {
		st.flags &= ~xflags[k].flag;
		if (x.fsx_xflags & xflags[k].xflag)
			st.flags |= xflags[k].flag;
		x.fsx_xflags &= ~xflags[k].xflag;
	}
	return x.fsx_xflags ? -EOPNOTSUPP : change(c, st.flags);
}

static int trim(const struct call *c)
{
	struct fstrim_range r;
	uint64_t bytes;
	int err;

	if (fuse_req_ctx(c->req)->uid != 0)
		return -EPERM;
	if (c->in_size < sizeof(r) || c->out_size < sizeof(r))
		return -EINVAL;
	memcpy(&r, c->in, sizeof(r));
	err = uext4_trim(server_of(c->req)->fs, r.start, r.len, r.minlen, &bytes);
	if (err)
		return err;
	r.len = bytes;
	fuse_reply_ioctl(c->req, 0, &r, sizeof(r));
	return 0;
}

/* The numbers of the first two say long, what they carry is an int. */
static const struct {
	unsigned cmd;
	int (*run)(const struct call *call); /* replies, or returns an error */
} calls[] = {
	{FS_IOC_GETFLAGS, get_flags},
	{FS_IOC_SETFLAGS, set_flags},
	{FS_IOC_FSGETXATTR, get_xattr},
	{FS_IOC_FSSETXATTR, set_xattr},
	{FITRIM, trim},
};

void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg, struct fuse_file_info *fi,
	unsigned flags, const void *in, size_t in_size, size_t out_size)
{
	struct call c = {req, node_inode(server_of(req), ino), in, in_size, out_size};
	int err = -ENOTTY;

	for (size_t k = 0; k < sizeof(calls) / sizeof(calls[0]); k++)
		if (calls[k].cmd == cmd)
			err = c.inode ? calls[k].run(&c) : -ESTALE;
	if (err)
		reply_status(req, err);
}
