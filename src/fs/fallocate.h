/*
 * Space operations on a file: what fallocate(2) does (IO-100..109).
 *
 * Each runs under the inode lock, exclusive, with direct I/O awaited and the
 * dirty data that it moves or drops written out first: so no block of its range
 * is delayed, and no commit promises data that goes (IO-77). Those that change
 * existing mappings hold the invalidate lock while the cache is empty (IO-106).
 *
 * Every transaction in between leaves a legal file: a crash finds a prefix of
 * the work done.
 */
#ifndef FS_FALLOCATE_H
#define FS_FALLOCATE_H

#include "fs/fs_priv.h"

struct space_op {
	struct inode *i;
	u64 start, end; /* bytes, end exclusive; start < end <= the largest file */
	bool keep_size;
};

/* fallocate.c: the file gets at least this long, unless keep_size; never shorter. */
int space_op_grow(struct handle *h, const struct space_op *op, u64 done_to);
/* What the range holds dirty goes to the device. */
int space_op_settle(struct inode *i, u64 start, u64 end);
/* A hole at lblk becomes unwritten blocks; *lblk moves behind what was looked at. */
int space_op_allocate(const struct space_op *op, lblk_t *lblk, lblk_t end);

/* zero.c */
int punch_hole(const struct space_op *op);
int zero_range(const struct space_op *op);
/* shift.c */
int collapse_range(const struct space_op *op);
int insert_range(const struct space_op *op);

#endif
