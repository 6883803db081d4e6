/* Shared by the two halves of direct I/O; fs/file_direct.h is their contract. */
#ifndef FS_FILE_DIRECT_PRIV_H
#define FS_FILE_DIRECT_PRIV_H

#include "fs/file_direct.h"

extern const struct direct_ops file_direct_read_ops;
extern const struct direct_ops file_direct_write_ops;

/*
 * Around a write that extends the file (IO-32): the orphan record before the I/O; after a failure
 * or a short write, blocks behind the end go, then the record. Inode lock exclusive, no handle.
 */
int file_direct_extend_begin(struct file_direct *f);
void file_direct_extend_end(struct file_direct *f, ssize_t n);

#endif
