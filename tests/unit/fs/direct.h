/* For tests of direct I/O through the public interface: an image, a file, one aligned buffer. */
#ifndef TESTS_FS_DIRECT_H
#define TESTS_FS_DIRECT_H

#include "dir/dir_test.h"

#include <fcntl.h>

#define BLOCK 4096u
#define SECTOR 512u
#define RW (O_RDWR | O_DIRECT)

extern u8 *buf; /* aligned, 64 blocks, full of 'b' */

void direct_up(struct dir_test *t, const char *mke2fs_options);
void direct_down(struct dir_test *t);
struct uext4_file *direct_open(struct dir_test *t, const char *name, int flags);
u64 direct_size(struct uext4_file *file);
u64 direct_sectors(struct uext4_file *file);
/* len bytes from pos on are value; fails the test with the first that isn't. */
void direct_expect(struct uext4_file *file, u64 pos, u64 len, u8 value);
ssize_t direct_rw(
	struct uext4_file *file, bool write, u64 pos, void *data, u64 len, unsigned flags);

#endif
