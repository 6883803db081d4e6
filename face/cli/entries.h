/* Directories of an image: reading them, and going down. */
#ifndef FACE_CLI_ENTRIES_H
#define FACE_CLI_ENTRIES_H

#include "cli.h"

struct entry {
	char *name;
	uint64_t ino;
	unsigned type;
};
struct entries {
	struct entry *list;
	size_t count, capacity;
};
/* All entries, sorted by name; the dots only if asked for. 0 or -errno. */
int entries_read(struct uext4_inode *dir, bool dots, struct entries *out);
void entries_free(struct entries *entries);
/* The target, allocated, or NULL with *err set. */
char *symlink_read(struct uext4_inode *link, int *err);

/*
 * A directory on the way down from the one that a command was given. A broken image may have a
 * directory below itself, so whoever descends asks first; false after a message.
 */
struct level {
	uint64_t ino;
	unsigned depth;
	const struct level *above;
};
bool level_enter(struct cli *cli, struct level *level, struct uext4_inode *dir, const char *path);
void level_leave(struct cli *cli);

/* Calls fn for inode and, if it is a directory, for all below it, parents first. */
typedef void walk_fn(struct cli *cli, struct uext4_inode *inode, const char *path, void *arg);
void walk(struct cli *cli, struct uext4_inode *inode, const char *path, walk_fn *fn, void *arg);

#endif
