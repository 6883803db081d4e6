/*
 * A mount on a device in memory that can go wrong: writes of marked data fail,
 * writes after the Nth are lost, and what the device holds at any moment can
 * be mounted as after a power cut.
 */
#ifndef TESTS_FS_DISK_H
#define TESTS_FS_DISK_H

#include "dir/dir_test.h"
#include "os/lock.h"

#define POISON 0xEEu /* what every free block holds */
#define MARKED 0xD7u /* data whose writes fail on demand begins with it */

struct disk {
	struct os_mutex lock; /* rank LEAF: a device's blocks don't tear */
	u8 *bytes;
	u64 size;
	bool fail_marked; /* atomic */
	bool fail_zeros;  /* atomic: so do writes that begin with a zero */
	u64 writes;	  /* atomic: so far */
	u64 cut_after;	  /* atomic: later writes are lost; 0 = none */
};

struct disk_test {
	struct dir_test t; /* t.f: the image that the disk began as */
	struct disk disk;
	struct uext4_options options; /* set before disk_up */
};

/* An image of an empty file system on which free blocks hold POISON. */
void disk_make(struct disk_test *d, u64 bytes, const char *mke2fs_options);
void disk_up(struct disk_test *d);
int disk_down(struct disk_test *d);
/* The same disk as it is now, after the power came back, in place of the mounted one. */
void disk_power_cut(struct disk_test *d);
/* Unmounts, checks by e2fsck, forgets it. */
void disk_end(struct disk_test *d);

struct uext4_file *disk_open(struct disk_test *d, const char *name, int flags);
/* Commits all metadata; writes no file's data. */
void disk_commit(struct disk_test *d);
u64 disk_claimed(struct disk_test *d);
/* len bytes from pos on are value; fails the test with the first that isn't. */
void disk_expect(struct uext4_file *file, u64 pos, u64 len, u8 value);
void disk_write(struct uext4_file *file, u64 pos, u64 len, u8 value);
struct uext4_stat disk_stat(struct uext4_file *file);

#endif
