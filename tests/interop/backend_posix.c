/* The host's own file operations below one directory. */
#include "backend.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static char root_dir[PATH_MAX];
static int root_fd;

/* errno as a negative result. */
static ssize_t result(ssize_t r)
{
	return r < 0 ? -errno : r;
}

static const char *full(const char *path, char *buf)
{
	snprintf(buf, 2 * PATH_MAX, "%s/%s", root_dir, path);
	return buf;
}

static struct timespec time_of(struct statx_timestamp t)
{
	return (struct timespec){.tv_sec = t.tv_sec, .tv_nsec = t.tv_nsec};
}

static int posix_stat(const char *path, struct node *out)
{
	struct statx s;

	if (statx(root_fd, *path ? path : ".", AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME,
		    &s) < 0)
		return -errno;
	*out = (struct node){.ino = s.stx_ino,
		.size = s.stx_size,
		.blocks = s.stx_blocks,
		.mode = s.stx_mode,
		.links = s.stx_nlink,
		.uid = s.stx_uid,
		.gid = s.stx_gid,
		.major = s.stx_rdev_major,
		.minor = s.stx_rdev_minor,
		.atime = time_of(s.stx_atime),
		.mtime = time_of(s.stx_mtime),
		.ctime = time_of(s.stx_ctime),
		.btime = time_of(s.stx_btime)};
	return 0;
}

static int posix_list(const char *path, void (*fn)(void *arg, const char *name), void *arg)
{
	char buf[2 * PATH_MAX];
	struct dirent *e;
	DIR *d = opendir(full(path, buf));

	if (!d)
		return -errno;
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			fn(arg, e->d_name);
	closedir(d);
	return 0;
}

/* Only regular files are opened: a device node of the tree must not be touched. */
static int open_regular(const char *path, int flags)
{
	struct stat s;

	if (fstatat(root_fd, path, &s, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(s.st_mode))
		return -EISDIR;
	if (!S_ISREG(s.st_mode))
		return S_ISLNK(s.st_mode) ? -ELOOP : -ENXIO;
	return (int)result(openat(root_fd, path, flags | O_NOFOLLOW));
}

static ssize_t posix_read(const char *path, void *buf, size_t len, uint64_t offset)
{
	int fd = open_regular(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = result(pread(fd, buf, len, (off_t)offset));
	close(fd);
	return n;
}

static ssize_t posix_readlink(const char *path, char *buf, size_t size)
{
	return result(readlinkat(root_fd, path, buf, size));
}

static ssize_t posix_getxattr(const char *path, const char *name, void *value, size_t size)
{
	char buf[2 * PATH_MAX];

	return result(lgetxattr(full(path, buf), name, value, size));
}

static ssize_t posix_listxattr(const char *path, char *names, size_t size)
{
	char buf[2 * PATH_MAX];

	return result(llistxattr(full(path, buf), names, size));
}

static int posix_create(const char *path, uint32_t mode, uint32_t major, uint32_t minor)
{
	if (S_ISDIR(mode))
		return (int)result(mkdirat(root_fd, path, mode & 07777));
	return (int)result(mknodat(root_fd, path, mode, makedev(major, minor)));
}

static int posix_symlink(const char *target, const char *path)
{
	return (int)result(symlinkat(target, root_fd, path));
}

static int posix_link(const char *from, const char *to)
{
	return (int)result(linkat(root_fd, from, root_fd, to, 0));
}

static int posix_unlink(const char *path, bool dir)
{
	return (int)result(unlinkat(root_fd, path, dir ? AT_REMOVEDIR : 0));
}

static int posix_rename(const char *from, const char *to, unsigned flags)
{
	return (int)result(renameat2(root_fd, from, root_fd, to, flags));
}

static ssize_t posix_write(
	const char *path, const void *buf, size_t len, uint64_t offset, bool sync)
{
	int fd = open_regular(path, O_WRONLY);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = result(pwrite(fd, buf, len, (off_t)offset));
	if (n >= 0 && sync && fsync(fd) < 0)
		n = -errno;
	close(fd);
	return n;
}

static int posix_truncate(const char *path, uint64_t size)
{
	int fd = open_regular(path, O_WRONLY), r;

	if (fd < 0)
		return fd;
	r = (int)result(ftruncate(fd, (off_t)size));
	close(fd);
	return r;
}

static int posix_falloc(const char *path, int mode, uint64_t offset, uint64_t len)
{
	int fd = open_regular(path, O_RDWR), r;

	if (fd < 0)
		return fd;
	r = (int)result(fallocate(fd, mode, (off_t)offset, (off_t)len));
	close(fd);
	return r;
}

static int64_t posix_seek(const char *path, uint64_t offset, int whence)
{
	int fd = open_regular(path, O_RDONLY);
	int64_t r;

	if (fd < 0)
		return fd;
	r = result(lseek(fd, (off_t)offset, whence));
	close(fd);
	return r;
}

static int posix_chmod(const char *path, uint32_t mode)
{
	return (int)result(fchmodat(root_fd, path, mode, 0));
}

static int posix_chown(const char *path, uint32_t uid, uint32_t gid)
{
	return (int)result(fchownat(root_fd, path, uid, gid, AT_SYMLINK_NOFOLLOW));
}

static int posix_utimens(const char *path, struct timespec atime, struct timespec mtime)
{
	struct timespec t[2] = {atime, mtime};

	return (int)result(utimensat(root_fd, path, t, AT_SYMLINK_NOFOLLOW));
}

static int posix_setxattr(
	const char *path, const char *name, const void *value, size_t size, int flags)
{
	char buf[2 * PATH_MAX];

	return (int)result(lsetxattr(full(path, buf), name, value, size, flags));
}

static int posix_removexattr(const char *path, const char *name)
{
	char buf[2 * PATH_MAX];

	return (int)result(lremovexattr(full(path, buf), name));
}

static int posix_sync(void)
{
	return (int)result(syncfs(root_fd));
}

static int posix_close(void)
{
	return (int)result(close(root_fd));
}

static const struct backend posix = {
	.stat = posix_stat,
	.list = posix_list,
	.read = posix_read,
	.readlink = posix_readlink,
	.getxattr = posix_getxattr,
	.listxattr = posix_listxattr,
	.create = posix_create,
	.symlink = posix_symlink,
	.link = posix_link,
	.unlink = posix_unlink,
	.rename = posix_rename,
	.write = posix_write,
	.truncate = posix_truncate,
	.fallocate = posix_falloc,
	.seek = posix_seek,
	.chmod = posix_chmod,
	.chown = posix_chown,
	.utimens = posix_utimens,
	.setxattr = posix_setxattr,
	.removexattr = posix_removexattr,
	.sync = posix_sync,
	.close = posix_close,
};

const struct backend *backend_posix(const char *root)
{
	umask(0);
	root_fd = open(root, O_RDONLY | O_DIRECTORY);
	if (root_fd < 0)
		return NULL;
	snprintf(root_dir, sizeof(root_dir), "%s", root);
	return &posix;
}
