/* For tests that fail an operation at one point: a tree of all kinds of things, every operation on
 * it, its sum. */
#ifndef TESTS_DIR_FAULTS_H
#define TESTS_DIR_FAULTS_H

#include "dir/dir_test.h"

#include <fcntl.h>
#include <unistd.h>

#define FAULTS_BYTES (4u << 20)

struct fault_op {
	const char *name;
	int (*run)(struct uext4_fs *fs);
};
extern const struct fault_op fault_ops[];
extern const unsigned fault_op_count;
int name_tmpfile(struct uext4_fs *fs); /* two steps, so not among them */

/* A mount of an image in memory. */
struct uext4_fs *faults_up(u8 *image);
/* Makes what the operations work on. */
void faults_populate(u8 *image);
/* Of all names, types, links, sizes, contents and attributes. */
u32 tree_sum(struct uext4_fs *fs);

#endif
