/*
 * What the kernel is told about this server, and the table of operations.
 *
 * Left out on purpose: flush, opendir, releasedir and access answer ENOSYS, after which the kernel
 * does not ask again; flock and fcntl locks stay in the kernel, which sees every user.
 */
#include "server.h"

static void want(struct fuse_conn_info *conn, unsigned caps)
{
	conn->want |= conn->capable & caps;
}

static void op_init(void *arg, struct fuse_conn_info *conn)
{
	struct server *s = arg;

	/* Without opendir, listings are cached until their directory changes. */
	want(conn, FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS |
			   FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_ATOMIC_O_TRUNC |
			   FUSE_CAP_ASYNC_DIO | FUSE_CAP_CACHE_SYMLINKS |
			   FUSE_CAP_NO_OPENDIR_SUPPORT | FUSE_CAP_DONT_MASK | FUSE_CAP_IOCTL_DIR |
			   FUSE_CAP_EXPLICIT_INVAL_DATA);
	if (!s->options->fakeroot && !s->options->fs.no_acl)
		want(conn, FUSE_CAP_POSIX_ACL);
	/*
	 * The kernel clears set-user-ID itself, knowing who writes. Cached data is never stale:
	 * all changes go through the kernel.
	 */
	conn->want &= ~(unsigned)(FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_AUTO_INVAL_DATA |
				  FUSE_CAP_SPLICE_READ);
	conn->max_readahead = 1 << 20;
	conn->max_background = 64;
	conn->congestion_threshold = 48;
	fuse_apply_conn_info_opts(s->conn_options, conn);
	s->writeback = conn->want & FUSE_CAP_WRITEBACK_CACHE;
}

const struct fuse_lowlevel_ops server_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.release = op_release,
	.fsync = op_fsync,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.fsyncdir = op_fsyncdir,
	.statfs = op_statfs,
	.setxattr = op_setxattr,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.removexattr = op_removexattr,
	.create = op_create,
	.ioctl = op_ioctl,
	.lseek = op_lseek,
	.fallocate = op_fallocate,
	.copy_file_range = op_copy_file_range,
};
