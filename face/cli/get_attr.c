/* Owners, modes, times and extended attributes, on their way out. */
#include "copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { VALUE_BYTES_MAX = 65536 };

/* Only root may set these, and not every file system has them; the rest must work. */
static bool may_fail(const struct copy *copy, const char *name, int err)
{
	return err == ENOTSUP || (!copy->root && strncmp(name, "user.", 5));
}

static int set_one(struct copy *copy, struct uext4_inode *inode, const char *name, char *value,
	const char *path)
{
	ssize_t n = uext4_getxattr(inode, NULL, name, value, VALUE_BYTES_MAX);

	if (n < 0)
		return (int)n;
	if (lsetxattr(path, name, value, (size_t)n, 0) < 0 && !may_fail(copy, name, errno))
		return -errno;
	return 0;
}

static int get_xattrs(struct copy *copy, struct uext4_inode *inode, const char *path)
{
	char *names = malloc(VALUE_BYTES_MAX), *value = malloc(VALUE_BYTES_MAX);
	ssize_t len =
		names && value ? uext4_listxattr(inode, NULL, names, VALUE_BYTES_MAX) : -ENOMEM;
	int err = len < 0 ? (int)len : 0;

	for (char *name = names; !err && name < names + len; name += strlen(name) + 1)
		err = set_one(copy, inode, name, value, path);
	free(names);
	free(value);
	return err;
}

/* Without the right owner no set-user-ID may appear. The mode that may be given, or -errno. */
static int get_owner(struct copy *copy, const struct uext4_stat *st, int host_dir, const char *to)
{
	if (fchownat(host_dir, to, st->uid, st->gid, AT_SYMLINK_NOFOLLOW) == 0)
		return (int)(st->mode & 07777);
	return copy->root ? -errno : (int)(st->mode & 01777);
}

/* A change of owner would drop capabilities, a mode may forbid the rest, and both set times. */
int get_attr(struct copy *copy, struct uext4_inode *inode, const struct uext4_stat *st,
	int host_dir, const char *to)
{
	struct timespec times[2] = {st->atime, st->mtime};
	char path[64 + NAME_MAX + 1];
	int mode = get_owner(copy, st, host_dir, to), err;

	if (mode < 0)
		return mode;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", host_dir, to);
	err = get_xattrs(copy, inode, host_dir == AT_FDCWD ? to : path);
	if (err)
		return err;
	if (!S_ISLNK(st->mode) && fchmodat(host_dir, to, (mode_t)mode, 0) < 0)
		return -errno;
	return utimensat(host_dir, to, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}
