/* Copying trees between the host and an image. */
#ifndef FACE_CLI_COPY_H
#define FACE_CLI_COPY_H

#include "cli.h"
#include "links.h"
#include "owner.h"

enum {
	COPY_BYTES = 1 << 20,
	RESERVE_BYTES = 1 << 20, /* pieces this long get their space before their bytes */
};

struct copy {
	struct cli *cli;
	bool recursive;
	struct owner owner; /* put: instead of the source's */
	bool root;	    /* get: owners and devices can be made */
	struct links links;
	struct progress progress;
	char *buf; /* COPY_BYTES */
};

/* 0, or -ENOMEM. */
int copy_init(struct copy *copy, struct cli *cli, const char *what);

/* put_tree.c: the host's file `name` in directory host_dir becomes `to` in dir; path is for
 * messages. */
void put_entry(struct copy *copy, int host_dir, const char *name, const char *path,
	struct uext4_inode *dir, const char *to);
/* put_data.c: fills a file of the image from fd, holes left out. 0 or -errno. */
int put_data(struct copy *copy, int fd, struct uext4_inode *inode);
/* put_attr.c */
struct stat;
int put_attr(struct copy *copy, const struct stat *st, struct uext4_inode *inode);
/* host_path leads to the file through /proc or is a plain path; links are not followed. */
int put_xattrs(struct copy *copy, const char *host_path, struct uext4_inode *inode);

/* get_tree.c: inode becomes `to` in the host's directory host_dir; path is for messages. */
void get_entry(struct copy *copy, struct uext4_inode *inode, const char *path, int host_dir,
	const char *to);
/* get_data.c */
int get_data(struct copy *copy, struct uext4_inode *inode, uint64_t size, int fd);
/* get_attr.c: owner, mode, extended attributes, times of host_dir/to, in that order. */
int get_attr(struct copy *copy, struct uext4_inode *inode, const struct uext4_stat *st,
	int host_dir, const char *to);

#endif
