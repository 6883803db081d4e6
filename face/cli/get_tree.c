/*
 * Copying a tree of an image out. The image may have been made to do harm: on the host nothing is
 * followed, and every entry is made by a single name in a directory that is held open.
 */
#include "copy.h"
#include "entries.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct get {
	struct copy *copy;
	struct uext4_inode *inode;
	struct uext4_stat st;
	const char *path;
	int host_dir;
	const char *to;
};

/* Directories stay and are filled up, files and links make room; devices are not ours to remove. */
static int make_room(const struct get *g)
{
	struct stat st;

	if (fstatat(g->host_dir, g->to, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISDIR(st.st_mode) && S_ISDIR(g->st.mode))
		return 0;
	if (S_ISDIR(st.st_mode) || S_ISDIR(g->st.mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -ENOTDIR;
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return -EEXIST;
	return unlinkat(g->host_dir, g->to, 0) < 0 ? -errno : 0;
}

static int get_file(const struct get *g)
{
	int fd = openat(
		g->host_dir, g->to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int err;

	if (fd < 0)
		return -errno;
	err = get_data(g->copy, g->inode, g->st.size, fd);
	if (close(fd) < 0 && !err)
		err = -errno;
	return err;
}

static int get_symlink(const struct get *g)
{
	int err = 0;
	char *target = symlink_read(g->inode, &err);

	if (!target)
		return err;
	err = symlinkat(target, g->host_dir, g->to) < 0 ? -errno : 0;
	free(target);
	return err;
}

static void get_below(const struct get *g, const char *name, int fd)
{
	char *path = path_join(g->path, name);
	struct uext4_inode *inode = NULL;
	int err = path ? uext4_lookup(g->inode, NULL, name, &inode) : -ENOMEM;

	if (err)
		cli_fail(g->copy->cli, path ? path : name, err);
	else
		get_entry(g->copy, inode, path, fd, name);
	uext4_inode_put(inode);
	free(path);
}

static int get_entries(const struct get *g, int fd)
{
	struct entries entries;
	struct level level;
	int err;

	if (!level_enter(g->copy->cli, &level, g->inode, g->path))
		return 0;
	err = entries_read(g->inode, false, &entries);
	for (size_t k = 0; k < entries.count; k++)
		get_below(g, entries.list[k].name, fd);
	entries_free(&entries);
	level_leave(g->copy->cli);
	return err;
}

static int get_directory(const struct get *g)
{
	int fd, err;

	if (mkdirat(g->host_dir, g->to, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(g->host_dir, g->to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = get_entries(g, fd);
	close(fd);
	return err;
}

static int get_node(const struct get *g)
{
	dev_t dev = makedev(g->st.rdev_major, g->st.rdev_minor);

	return mknodat(g->host_dir, g->to, (g->st.mode & S_IFMT) | 0600, dev) < 0 ? -errno : 0;
}

static int get_content(const struct get *g)
{
	switch (g->st.mode & S_IFMT) {
	case S_IFREG:
		return get_file(g);
	case S_IFDIR:
		return g->copy->recursive ? get_directory(g) : -EISDIR;
	case S_IFLNK:
		return get_symlink(g);
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return get_node(g);
	default:
		return -EUCLEAN;
	}
}

/*
 * Noted by the path of the directory that is open and the name in it: right even when links led
 * there. Allocated.
 */
static char *host_path(const struct get *g)
{
	char fd_path[64], dir[PATH_MAX];
	ssize_t n;

	if (g->host_dir == AT_FDCWD)
		return strdup(g->to);
	snprintf(fd_path, sizeof(fd_path), "/proc/self/fd/%d", g->host_dir);
	n = readlink(fd_path, dir, sizeof(dir) - 1);
	if (n < 0)
		return NULL;
	dir[n] = '\0';
	return path_join(dir, g->to);
}

static bool has_names(const struct get *g)
{
	return g->st.links > 1 && !S_ISDIR(g->st.mode);
}

static int note_link(const struct get *g)
{
	char *path;

	if (!has_names(g))
		return 0;
	path = host_path(g);
	return path ? links_note(&g->copy->links, 0, g->st.ino, path) : -ENOMEM;
}

/* True when the file is there under another name already and was linked to it. */
static bool get_as_link(const struct get *g, int *err)
{
	const char *first = has_names(g) ? links_find(&g->copy->links, 0, g->st.ino) : NULL;

	if (first)
		*err = linkat(AT_FDCWD, first, g->host_dir, g->to, 0) < 0 ? -errno : 0;
	return first;
}

void get_entry(struct copy *copy, struct uext4_inode *inode, const char *path, int host_dir,
	const char *to)
{
	struct get g = {.copy = copy, .inode = inode, .path = path, .host_dir = host_dir, .to = to};
	int err = uext4_stat(inode, &g.st);

	if (!err)
		err = make_room(&g);
	if (!err && get_as_link(&g, &err))
		goto out;
	if (!err)
		err = get_content(&g);
	if (!err)
		err = get_attr(copy, inode, &g.st, host_dir, to);
	if (!err)
		err = note_link(&g);
out:
	if (err)
		cli_fail(copy->cli, path, err);
	progress_add(&copy->progress, 1, 0);
}
