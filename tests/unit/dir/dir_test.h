/*
 * A mounted image for the tests of directories: the public interface on top,
 * the rooms below open for inspection. Every call fails the running test on an
 * error unless it returns one.
 */
#ifndef TESTS_DIR_TEST_H
#define TESTS_DIR_TEST_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "api/api_priv.h"
#include "base/rng.h"
#include "fixture/volume_fixture.h"

struct dir_test {
	struct fixture f; /* the image; never mounted by it */
	struct uext4_fs *fs;
	struct uext4_inode *root;
	struct volume *v;
	bool expect_errors;
	bool nodelalloc; /* options of the mount, set between dt_make and dt_up */
	u64 cache_bytes;
	u32 errors; /* atomic: messages of level error */
};

void dt_make(struct dir_test *t, u64 bytes, const char *mke2fs_options);
void dt_up(struct dir_test *t);
/* Closes; fails if errors were logged that were not expected. */
void dt_down(struct dir_test *t);
/* dt_down, e2fsck (OC-2), removes the image. */
void dt_end(struct dir_test *t);
/* One debugfs command on the image, between dt_down and dt_up; output to be freed. */
char *dt_debugfs(struct dir_test *t, const char *command, bool write);

struct uext4_inode *dt_get(struct dir_test *t, const char *path);
struct uext4_inode *dt_mkdir(struct uext4_inode *dir, const char *name);
int dt_create(struct uext4_inode *dir, const char *name, u32 mode, struct uext4_inode **out);
/* 0 or the error; the inode's number in *ino when it is not NULL. */
int dt_lookup(struct uext4_inode *dir, const char *name, u64 *ino);
u32 dt_links(struct uext4_inode *i);

struct dt_names {
	char (*name)[256];
	u64 *ino;
	u32 count, cap;
};
/* All entries in readdir order, in batches of `batch`. */
void dt_list(struct uext4_inode *dir, u32 batch, struct dt_names *out);
void dt_names_free(struct dt_names *n);
int dt_readdir(struct uext4_inode *dir, u32 batch, u64 *cookie, struct dt_names *out);

/* A name of 1..255 bytes, any but NUL and '/', the same for the same number. */
void dt_name(u64 n, u32 len_max, char out[256]);

#endif
