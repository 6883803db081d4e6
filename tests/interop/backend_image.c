/* An image through the public API. */
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uext4.h>

static struct uext4_fs *fs;

static void log_line(void *arg, enum uext4_log_level level, const char *message)
{
	if (level <= UEXT4_LOG_WARNING)
		fprintf(stderr, "uext4: %s\n", message);
}

static int resolve(const char *path, struct uext4_inode **out)
{
	return uext4_resolve(fs, NULL, *path ? path : "/", UEXT4_NOFOLLOW, NULL, out);
}

static int image_stat(const char *path, struct node *out)
{
	struct uext4_stat s;
	int err = uext4_statat(fs, NULL, *path ? path : "/", UEXT4_NOFOLLOW, NULL, &s);

	if (err)
		return err;
	*out = (struct node){.ino = s.ino,
		.size = s.size,
		.blocks = s.blocks,
		.mode = s.mode,
		.links = s.links,
		.uid = s.uid,
		.gid = s.gid,
		.major = s.rdev_major,
		.minor = s.rdev_minor,
		.atime = s.atime,
		.mtime = s.mtime,
		.ctime = s.ctime,
		.btime = s.btime};
	return 0;
}

struct names {
	char **name;
	size_t count, cap;
};

static bool names_add(void *arg, const struct uext4_dirent *e)
{
	struct names *n = arg;

	if (e->name[0] == '.' && (e->name_len == 1 || (e->name_len == 2 && e->name[1] == '.')))
		return true;
	if (n->count == n->cap) {
		n->cap = n->cap ? 2 * n->cap : 64;
		n->name = realloc(n->name, n->cap * sizeof(*n->name));
	}
	n->name[n->count++] = strndup(e->name, e->name_len);
	return true;
}

/* The receiver may call back into the directory, so names are collected first. */
static int image_list(const char *path, void (*fn)(void *arg, const char *name), void *arg)
{
	struct names n = {0};
	struct uext4_inode *dir;
	int err = resolve(path, &dir);

	if (err)
		return err;
	err = uext4_readdir(dir, NULL, 0, names_add, &n);
	uext4_inode_put(dir);
	for (size_t k = 0; k < n.count; k++) {
		fn(arg, n.name[k]);
		free(n.name[k]);
	}
	free(n.name);
	return err;
}

static ssize_t image_read(const char *path, void *buf, size_t len, uint64_t offset)
{
	struct uext4_file *f;
	ssize_t n = uext4_openat(fs, NULL, path, O_RDONLY | O_NOFOLLOW, 0, NULL, &f);

	if (n)
		return n;
	n = uext4_pread(f, buf, len, offset);
	uext4_file_close(f);
	return n;
}

static ssize_t image_readlink(const char *path, char *buf, size_t size)
{
	struct uext4_inode *i;
	ssize_t n = resolve(path, &i);

	if (n)
		return n;
	n = uext4_readlink(i, buf, size);
	uext4_inode_put(i);
	return n;
}

static ssize_t image_getxattr(const char *path, const char *name, void *value, size_t size)
{
	struct uext4_inode *i;
	ssize_t n = resolve(path, &i);

	if (n)
		return n;
	n = uext4_getxattr(i, NULL, name, value, size);
	uext4_inode_put(i);
	return n;
}

static ssize_t image_listxattr(const char *path, char *names, size_t size)
{
	struct uext4_inode *i;
	ssize_t n = resolve(path, &i);

	if (n)
		return n;
	n = uext4_listxattr(i, NULL, names, size);
	uext4_inode_put(i);
	return n;
}

static int image_create(const char *path, uint32_t mode, uint32_t major, uint32_t minor)
{
	struct uext4_create req = {.mode = mode, .rdev_major = major, .rdev_minor = minor};

	return uext4_mknodat(fs, NULL, path, NULL, &req, NULL);
}

static int image_symlink(const char *target, const char *path)
{
	return uext4_symlinkat(fs, target, NULL, path, NULL);
}

static int image_link(const char *from, const char *to)
{
	return uext4_linkat(fs, NULL, from, NULL, to, NULL);
}

static int image_unlink(const char *path, bool dir)
{
	return uext4_unlinkat(fs, NULL, path, dir ? AT_REMOVEDIR : 0, NULL);
}

static int image_rename(const char *from, const char *to, unsigned flags)
{
	return uext4_renameat(fs, NULL, from, NULL, to, flags, NULL);
}

static ssize_t image_write(
	const char *path, const void *buf, size_t len, uint64_t offset, bool sync)
{
	struct uext4_file *f;
	ssize_t n = uext4_openat(fs, NULL, path, O_WRONLY | O_NOFOLLOW, 0, NULL, &f);
	int err;

	if (n)
		return n;
	n = uext4_pwrite(f, buf, len, offset);
	err = n >= 0 && sync ? uext4_fsync(f) : 0;
	uext4_file_close(f);
	return err ? err : n;
}

static int image_truncate(const char *path, uint64_t size)
{
	struct uext4_file *f;
	int err = uext4_openat(fs, NULL, path, O_WRONLY | O_NOFOLLOW, 0, NULL, &f);

	if (err)
		return err;
	err = uext4_ftruncate(f, size);
	uext4_file_close(f);
	return err;
}

static int image_fallocate(const char *path, int mode, uint64_t offset, uint64_t len)
{
	struct uext4_file *f;
	int err = uext4_openat(fs, NULL, path, O_RDWR | O_NOFOLLOW, 0, NULL, &f);

	if (err)
		return err;
	err = uext4_fallocate(f, mode, offset, len);
	uext4_file_close(f);
	return err;
}

static int64_t image_seek(const char *path, uint64_t offset, int whence)
{
	struct uext4_file *f;
	int64_t r = uext4_openat(fs, NULL, path, O_RDONLY | O_NOFOLLOW, 0, NULL, &f);

	if (r)
		return r;
	r = uext4_seek(f, offset, whence);
	uext4_file_close(f);
	return r;
}

static int setattr(const char *path, unsigned flags, const struct uext4_setattr *attr)
{
	struct uext4_inode *i;
	int err = uext4_resolve(fs, NULL, *path ? path : "/", flags, NULL, &i);

	if (err)
		return err;
	err = uext4_setattr(i, NULL, attr);
	uext4_inode_put(i);
	return err;
}

static int image_chmod(const char *path, uint32_t mode)
{
	return setattr(path, 0, &(struct uext4_setattr){.valid = UEXT4_SET_MODE, .mode = mode});
}

static int image_chown(const char *path, uint32_t uid, uint32_t gid)
{
	return setattr(path, UEXT4_NOFOLLOW,
		&(struct uext4_setattr){
			.valid = UEXT4_SET_UID | UEXT4_SET_GID, .uid = uid, .gid = gid});
}

static int image_utimens(const char *path, struct timespec atime, struct timespec mtime)
{
	return setattr(path, UEXT4_NOFOLLOW,
		&(struct uext4_setattr){.valid = UEXT4_SET_ATIME | UEXT4_SET_MTIME,
			.atime = atime,
			.mtime = mtime});
}

static int image_setxattr(
	const char *path, const char *name, const void *value, size_t size, int flags)
{
	struct uext4_inode *i;
	int err = resolve(path, &i);

	if (err)
		return err;
	err = uext4_setxattr(i, NULL, name, value, size, flags);
	uext4_inode_put(i);
	return err;
}

static int image_removexattr(const char *path, const char *name)
{
	struct uext4_inode *i;
	int err = resolve(path, &i);

	if (err)
		return err;
	err = uext4_removexattr(i, NULL, name);
	uext4_inode_put(i);
	return err;
}

static int image_sync(void)
{
	return uext4_sync(fs);
}

static int image_close(void)
{
	return uext4_close(fs);
}

static const struct backend image = {
	.stat = image_stat,
	.list = image_list,
	.read = image_read,
	.readlink = image_readlink,
	.getxattr = image_getxattr,
	.listxattr = image_listxattr,
	.create = image_create,
	.symlink = image_symlink,
	.link = image_link,
	.unlink = image_unlink,
	.rename = image_rename,
	.write = image_write,
	.truncate = image_truncate,
	.fallocate = image_fallocate,
	.seek = image_seek,
	.chmod = image_chmod,
	.chown = image_chown,
	.utimens = image_utimens,
	.setxattr = image_setxattr,
	.removexattr = image_removexattr,
	.sync = image_sync,
	.close = image_close,
};

const struct backend *backend_image(const char *path, bool read_only)
{
	struct uext4_options opt = {.size = sizeof(opt),
		.read_only = read_only,
		.atime = UEXT4_NOATIME,
		.log = log_line};
	int err = uext4_open(path, &opt, &fs);

	if (err) {
		fprintf(stderr, "%s: %s\n", path, strerror(-err));
		return NULL;
	}
	return &image;
}
