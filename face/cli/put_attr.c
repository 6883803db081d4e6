/* Owners, modes, times and extended attributes, on their way in. */
#include "copy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

enum { VALUE_BYTES_MAX = 65536 };

int put_attr(struct copy *copy, const struct stat *st, struct uext4_inode *inode)
{
	const struct owner *o = &copy->owner;
	struct uext4_setattr set = {
		.valid = UEXT4_SET_UID | UEXT4_SET_GID | UEXT4_SET_ATIME | UEXT4_SET_MTIME,
		.mode = st->st_mode & 07777,
		.uid = o->set_uid ? o->uid : st->st_uid,
		.gid = o->set_gid ? o->gid : st->st_gid,
		.atime = st->st_atim,
		.mtime = st->st_mtim};

	if (!S_ISLNK(st->st_mode))
		set.valid |= UEXT4_SET_MODE;
	return uext4_setattr(inode, NULL, &set);
}

/* What belongs to the host's own policy, or does not fit the kind of file, is left behind. */
static bool is_portable(const char *name)
{
	return strcmp(name, "security.selinux") && strncmp(name, "system.nfs", 10);
}

static int put_one(const char *path, const char *name, char *value, struct uext4_inode *inode)
{
	ssize_t n = lgetxattr(path, name, value, VALUE_BYTES_MAX);

	if (n < 0)
		return errno == ENODATA || errno == EOPNOTSUPP ? 0 : -errno;
	return uext4_setxattr(inode, NULL, name, value, (size_t)n, 0);
}

int put_xattrs(struct copy *copy, const char *path, struct uext4_inode *inode)
{
	ssize_t len = llistxattr(path, NULL, 0);
	char *names, *value;
	int err = 0;

	if (len <= 0)
		return len == 0 || errno == EOPNOTSUPP ? 0 : -errno;
	names = malloc((size_t)len);
	value = malloc(VALUE_BYTES_MAX);
	if (!names || !value)
		err = -ENOMEM;
	else
		len = llistxattr(path, names, (size_t)len);
	if (len < 0)
		err = -errno;
	for (char *name = names; !err && name < names + len; name += strlen(name) + 1)
		if (is_portable(name))
			err = put_one(path, name, value, inode);
	free(names);
	free(value);
	return err;
}
