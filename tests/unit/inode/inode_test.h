/*
 * The volume fixture with page cache, inode cache and orphan records on top.
 * Files f0, f1, ... and directories d0, d1, ... exist before, made by debugfs,
 * so that e2fsck finds a name for every inode the tests change.
 */
#ifndef TESTS_INODE_TEST_H
#define TESTS_INODE_TEST_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/rng.h"
#include "fixture/volume_fixture.h"
#include "inode/inode.h"
#include "inode/orphan.h"
#include "inode/xattr.h"

struct inode_test {
	struct fixture f; /* f.v is the volume */
	ino_nr file, dir; /* numbers of f0 and d0; the others follow */
	u32 files, dirs;
	u32 max_unused; /* for the inode cache; set between it_make and it_up */
};

extern const struct cred it_root;

void it_make(struct inode_test *t, u64 bytes, const char *options, u32 files, u32 dirs);
/* Brings everything up; orphans are not cleaned up. fixture flags. */
void it_up(struct inode_test *t, u32 flags);
int it_try_up(struct inode_test *t, u32 flags);
/* Writes everything back and stops. */
void it_down(struct inode_test *t);
void it_crash(struct inode_test *t);
/* it_down, e2fsck, remove the image. */
void it_end(struct inode_test *t);
struct inode *it_file(struct inode_test *t, u32 n);
struct inode *it_dir(struct inode_test *t, u32 n);
/* Size of the raw inode and its place on the image, between mounts. */
/* f0 takes this many bytes of contents; before it_up. */
void it_fill_file(struct inode_test *t, u32 n, u64 bytes);
/* Removes the name only: the inode keeps its link. Before it_up. */
void it_unname(struct inode_test *t, u32 n);
/* Ends the only link in a handle, with an orphan record. */
void it_unlink(struct inode *i);
u64 it_raw_offset(struct inode_test *t, ino_nr ino);
/* One debugfs command line on the image; output to be freed. */
char *it_debugfs(struct inode_test *t, const char *command, bool write);

#endif
