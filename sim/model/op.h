/*
 * One call of the public interface, as the oracle sees it: what was asked, when
 * it began and ended, and what came back. Nodes are numbered by the oracle in
 * the order of their creation; node 0 is the root. A file carries its number as
 * uid, so that it is recognised after a crash.
 *
 * Time is a counter of begins and ends: operations overlap if their times do.
 * A position is one in the history of the device.
 */
#ifndef MODEL_OP_H
#define MODEL_OP_H

#include "base/types.h"

#include <errno.h>
#include <sys/stat.h>

enum op_kind {
	OP_LOOKUP,
	OP_CREATE, /* mode says what */
	OP_TMPFILE,
	OP_LINK,
	OP_UNLINK,
	OP_RMDIR,
	OP_RENAME,
	OP_CHMOD,
	OP_SETXATTR,
	OP_STAT,
	OP_GETXATTR,
	OP_WRITE,
	OP_TRUNCATE,
	OP_FALLOCATE, /* flags: the mode */
	OP_COPY,      /* copy_file_range */
	OP_READ,
	OP_FSYNC,
	OP_FDATASYNC,
	OP_SYNC,
	OP_KINDS,
};

enum { NODE_ROOT = 0, NODE_NONE = 0xffff, TOUCHED_MAX = 4, THREADS_MAX = 16 };
enum { OP_APPEND = 1, OP_DSYNC = 2, OP_DIRECT = 4, OP_NOWAIT = 8 };

/* The result of a request whose queue was destroyed: it may have been done, or not. */
#define RESULT_UNTOLD (-EINPROGRESS)

struct op {
	enum op_kind kind;
	u8 thread;
	u16 dir, to_dir;   /* nodes */
	u16 name, to_name; /* numbers of names */
	u16 node;	   /* the file meant, found (lookup) or made (create) */
	u16 mode;	   /* create, chmod; seen (stat) */
	u16 links;	   /* seen (stat) */
	u16 xattr;	   /* version: set or seen; 0 = none */
	u32 flags;	   /* OP_; of a rename RENAME_ */
	u64 offset, len;   /* bytes; of a truncation: the new size */
	u16 from;	   /* copy: the source, and where in it */
	u64 from_offset;
	s64 result;	      /* 0, a count, or a negative errno */
	u32 begin, end;	      /* times; end 0 while it runs */
	u64 begin_at, end_at; /* positions */
	u16 touched[TOUCHED_MAX];
	bool applied; /* touched is filled in */
};

const char *op_name(enum op_kind kind);
static inline bool op_changes_tree(const struct op *o)
{
	return o->kind <= OP_SETXATTR && o->kind != OP_LOOKUP;
}

static inline bool op_in_order(const struct op *o)
{
	return o->kind <= OP_GETXATTR;
}

#endif
