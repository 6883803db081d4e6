/* Copying a tree of the host into an image. */
#include "copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* One file on its way in. */
struct put {
	struct copy *copy;
	int host_dir;
	const char *name, *path;
	struct stat st;
	struct uext4_inode *dir;
	const char *to;
	struct uext4_inode *inode; /* what it became; a reference */
};

/* A directory stays and is filled up; a file is overwritten in place; all else makes room. */
static int make_room(struct put *p)
{
	struct uext4_inode *old = NULL;
	struct uext4_stat st;
	int err;

	if (!strcmp(p->to, ".")) {
		uext4_inode_hold(p->dir);
		p->inode = p->dir;
		return 0;
	}
	err = uext4_lookup(p->dir, NULL, p->to, &old);
	if (err)
		return err == -ENOENT ? 0 : err;
	err = uext4_stat(old, &st);
	if (!err && S_ISDIR(st.mode) != S_ISDIR(p->st.st_mode))
		err = S_ISDIR(st.mode) ? -EISDIR : -ENOTDIR;
	if (!err && (S_ISDIR(st.mode) || (S_ISREG(st.mode) && S_ISREG(p->st.st_mode)))) {
		p->inode = old;
		return 0;
	}
	uext4_inode_put(old);
	return err ? err : uext4_unlink(p->dir, NULL, p->to);
}

static int create(struct put *p)
{
	struct uext4_create make = {
		.mode = (p->st.st_mode & S_IFMT) | (S_ISDIR(p->st.st_mode) ? 0700 : 0600),
		.rdev_major = major(p->st.st_rdev),
		.rdev_minor = minor(p->st.st_rdev)};

	return p->inode ? 0 : uext4_create(p->dir, NULL, p->to, &make, &p->inode);
}

static int put_file(struct put *p)
{
	int fd = openat(p->host_dir, p->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK), err;

	if (fd < 0)
		return -errno;
	err = create(p);
	if (!err)
		err = put_data(p->copy, fd, p->inode);
	close(fd);
	return err;
}

static int put_symlink(struct put *p)
{
	char target[PATH_MAX + 1];
	ssize_t len = readlinkat(p->host_dir, p->name, target, PATH_MAX);

	if (len < 0)
		return -errno;
	target[len] = '\0';
	return uext4_symlink(p->dir, NULL, p->to, target, &p->inode);
}

/* The names in the directory fd, which stays open. NULL without memory or on an error. */
static char **read_names(int fd, size_t *count, int *err)
{
	int copy_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = copy_fd < 0 ? NULL : fdopendir(copy_fd);
	char **names = NULL;
	size_t capacity = 0;
	struct dirent *d;

	*count = 0;
	*err = stream ? 0 : -errno;
	while (!*err && (d = readdir(stream))) {
		if (is_dot(d->d_name))
			continue;
		if (*count == capacity) {
			char **more;

			capacity = capacity ? 2 * capacity : 64;
			more = realloc(names, capacity * sizeof(*names));
			*err = more ? 0 : -ENOMEM;
			names = more ? more : names;
		}
		if (!*err && !(names[*count] = strdup(d->d_name)))
			*err = -ENOMEM;
		*count += !*err;
	}
	if (stream)
		closedir(stream);
	else if (copy_fd >= 0)
		close(copy_fd);
	return names;
}

static int put_directory(struct put *p)
{
	int fd = openat(p->host_dir, p->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char **names;
	size_t count;
	int err;

	if (fd < 0)
		return -errno;
	err = create(p);
	if (err)
		goto out;
	names = read_names(fd, &count, &err);
	for (size_t k = 0; k < count; k++) {
		char *path = path_join(p->path, names[k]);

		put_entry(p->copy, fd, names[k], path ? path : names[k], p->inode, names[k]);
		free(path);
		free(names[k]);
	}
	free(names);
out:
	close(fd);
	return err;
}

/* True when the file was copied before under another name and is now linked to that. */
static bool put_as_link(struct put *p, int *err)
{
	struct uext4_inode *first;

	if (p->st.st_nlink < 2 || S_ISDIR(p->st.st_mode))
		return false;
	first = links_find(&p->copy->links, p->st.st_dev, p->st.st_ino);
	if (!first)
		return false;
	if (p->inode == first)
		return true;
	if (p->inode)
		*err = uext4_unlink(p->dir, NULL, p->to);
	if (!*err)
		*err = uext4_link(first, NULL, p->dir, p->to);
	return true;
}

static int put_content(struct put *p)
{
	switch (p->st.st_mode & S_IFMT) {
	case S_IFREG:
		return put_file(p);
	case S_IFDIR:
		return p->copy->recursive ? put_directory(p) : -EISDIR;
	case S_IFLNK:
		return put_symlink(p);
	default:
		return create(p);
	}
}

static int note_link(struct put *p)
{
	if (p->st.st_nlink < 2 || S_ISDIR(p->st.st_mode))
		return 0;
	uext4_inode_hold(p->inode);
	return links_note(&p->copy->links, p->st.st_dev, p->st.st_ino, p->inode);
}

/* Extended attributes are read by path, since links and devices can't be opened. */
static int put_meta(struct put *p)
{
	char path[64 + NAME_MAX + 1];
	int err = put_attr(p->copy, &p->st, p->inode);

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", p->host_dir, p->name);
	if (!err)
		err = put_xattrs(p->copy, p->host_dir == AT_FDCWD ? p->name : path, p->inode);
	return err;
}

void put_entry(struct copy *copy, int host_dir, const char *name, const char *path,
	struct uext4_inode *dir, const char *to)
{
	struct put p = {.copy = copy,
		.host_dir = host_dir,
		.name = name,
		.path = path,
		.dir = dir,
		.to = to};
	int err = fstatat(host_dir, name, &p.st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : make_room(&p);

	if (!err && put_as_link(&p, &err))
		goto out;
	if (!err)
		err = put_content(&p);
	if (!err)
		err = put_meta(&p);
	if (!err)
		err = note_link(&p);
out:
	if (err)
		cli_fail(copy->cli, path, err);
	uext4_inode_put(p.inode);
	progress_add(&copy->progress, 1, 0);
}
