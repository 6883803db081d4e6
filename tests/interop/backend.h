/*
 * One set of file operations with two implementations: a directory of the
 * host (for a kernel mount) and an image through the public API. Paths are
 * relative to the root of the tree, without a leading slash; "" is the root.
 * Calls return >= 0 or a negative errno.
 */
#ifndef INTEROP_BACKEND_H
#define INTEROP_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct node {
	uint64_t ino, size, blocks;
	uint32_t mode, links, uid, gid, major, minor;
	struct timespec atime, mtime, ctime, btime;
};

struct backend {
	int (*stat)(const char *path, struct node *out);
	/* Calls fn for each name but "." and ".."; order as it comes. */
	int (*list)(const char *path, void (*fn)(void *arg, const char *name), void *arg);
	ssize_t (*read)(const char *path, void *buf, size_t len, uint64_t offset);
	ssize_t (*readlink)(const char *path, char *buf, size_t size);
	ssize_t (*getxattr)(const char *path, const char *name, void *value, size_t size);
	ssize_t (*listxattr)(const char *path, char *names, size_t size);

	int (*create)(const char *path, uint32_t mode, uint32_t major, uint32_t minor);
	int (*symlink)(const char *target, const char *path);
	int (*link)(const char *from, const char *to);
	int (*unlink)(const char *path, bool dir);
	int (*rename)(const char *from, const char *to, unsigned flags);
	ssize_t (*write)(const char *path, const void *buf, size_t len, uint64_t offset, bool sync);
	int (*truncate)(const char *path, uint64_t size);
	int (*fallocate)(const char *path, int mode, uint64_t offset, uint64_t len);
	int64_t (*seek)(const char *path, uint64_t offset, int whence);
	int (*chmod)(const char *path, uint32_t mode);
	int (*chown)(const char *path, uint32_t uid, uint32_t gid);
	int (*utimens)(const char *path, struct timespec atime, struct timespec mtime);
	int (*setxattr)(
		const char *path, const char *name, const void *value, size_t size, int flags);
	int (*removexattr)(const char *path, const char *name);
	int (*sync)(void);
	/* 0, or the error of closing. */
	int (*close)(void);
};

/* The root directory of a mounted tree. */
const struct backend *backend_posix(const char *root);
/* An image; read_only as asked. Prints the library's messages to stderr. */
const struct backend *backend_image(const char *image, bool read_only);
/* "posix:DIR", "image:FILE" or "image-ro:FILE"; exits with a message when it can't be opened. */
const struct backend *backend_open(const char *spec);

#endif
