/*
 * A thread of a workload: makes calls of the public interface and tells the
 * oracle of each. A step is one line of a workload; it may take several calls.
 */
#ifndef LOAD_PLAYER_H
#define LOAD_PLAYER_H

#include "base/rng.h"
#include "sim/load/world.h"

struct player {
	struct world *world;
	u8 thread;
	bool alone; /* no other thread runs: the place of an append is known */
	struct rng rng;
	struct ref {
		struct uext4_inode *inode;
		u16 node;
		u16 mode;
	} held[4]; /* open files, perhaps without a name */
};

/* Each gives 0 or a negative errno, after the oracle has heard of it. */
int call_lookup(struct player *p, const struct ref *dir, const char *name, struct ref *out);
int call_create(
	struct player *p, const struct ref *dir, const char *name, u16 mode, struct ref *out);
int call_tmpfile(struct player *p, const struct ref *dir, struct ref *out);
int call_link(struct player *p, const struct ref *file, const struct ref *dir, const char *name);
int call_unlink(struct player *p, const struct ref *dir, const char *name, bool rmdir);
int call_rename(struct player *p, const struct ref *from_dir, const char *from,
	const struct ref *to_dir, const char *to, u32 flags);
int call_chmod(struct player *p, const struct ref *file, u16 mode);
int call_setxattr(struct player *p, const struct ref *file, u16 version); /* 0 removes it */
void call_stat(struct player *p, struct ref *file);
void call_getxattr(struct player *p, const struct ref *file);
s64 call_write(struct player *p, const struct ref *file, u64 offset, u64 len, u32 flags);
int call_truncate(struct player *p, const struct ref *file, u64 size);
int call_fallocate(struct player *p, const struct ref *file, u32 mode, u64 offset, u64 len);
s64 call_read(struct player *p, const struct ref *file, u64 offset, u64 len, u32 flags);
s64 call_copy(struct player *p, const struct ref *from, u64 from_offset, const struct ref *to,
	u64 to_offset, u64 len);
/* Reads, writes, fallocates (without shifts) and syncs of one file, all in flight at once. */
void call_batch(struct player *p, const struct ref *file, const struct op *calls, unsigned count);
void call_trim(struct player *p);
int call_sync(struct player *p, const struct ref *file, enum op_kind kind); /* NULL: all */
void ref_put(struct ref *r);

/* What these calls are made of. */
enum { BATCH_MAX = 8 };
struct op *call_begin(struct player *p, struct op call);
int call_end(struct player *p, struct op *op, s64 result);
u8 *io_memory(u64 len);
void io_align(u32 flags, u64 *offset, u64 *len); /* multiples of a sector, as O_DIRECT asks */
bool player_root(struct player *p, struct ref *out);

#endif
