/*
 * What a file system may show, live and after a power cut.
 *
 * A workload tells the oracle of each call before it begins and after it has
 * ended. The oracle keeps the orders of the operations that explain the answers
 * (order.h) and the changes of each file (content.h). It says of what is read:
 * legal, or which name, attribute or byte is not and what it could be.
 *
 * Contents are numbered by file, names by text; all of it belongs to one OS thread.
 */
#ifndef MODEL_ORACLE_H
#define MODEL_ORACLE_H

#include "sim/model/content.h"

#include <uext4.h>

enum { WHY_SIZE = 900 };

/* What a sync call that has returned promised. */
struct ack {
	u32 begin; /* what ended before */
	u64 at;	   /* is there in every cut from this position on */
	u16 node;  /* of this file; NODE_NONE: of all */
	bool data_only;
};

struct oracle {
	struct names names;
	struct order order;
	struct op **ops; /* owned */
	unsigned op_count, settled;
	struct content content[TREE_NODES];
	struct ack *acks;
	unsigned ack_count;
	u16 nodes;
	u32 time;
	u32 writes; /* numbers the changes */
	bool lossy; /* no journal: a cut may leave anything but what was synced */
	u64 (*position)(void *arg);
	void *arg;
	char why[WHY_SIZE]; /* what is illegal; empty so far */
};

/* The root as it is on an empty file system. position may be NULL: no history. */
struct oracle *oracle_create(u16 root_links, u16 root_mode);
void oracle_destroy(struct oracle *o);
/* What the original knows, of which all is durable; its operations are settled. */
struct oracle *oracle_copy(const struct oracle *o);
void oracle_position(struct oracle *o, u64 (*position)(void *arg), void *arg);

u16 oracle_node(struct oracle *o); /* a number for a new file; 0 when there are no more */
struct op *oracle_begin(struct oracle *o, const struct op *call);
/* A write, truncation or fallocate; number chooses the bytes of a write. After oracle_begin. */
void oracle_change(struct oracle *o, struct op *op, bool constant, u32 number);
void oracle_end(struct oracle *o, struct op *op, s64 result);

/* The data that a read gave; op is the read, not yet ended. */
bool oracle_read(struct oracle *o, struct op *op, const u8 *data, s64 got);
/* While nothing runs: takes the operations since the last time; and compares all that is there. */
bool oracle_digest(struct oracle *o);
bool oracle_settle(struct oracle *o, struct uext4_fs *fs);
/* Whether the recovered file system may be what a cut at this position left. */
bool oracle_crash(struct oracle *o, struct uext4_fs *fs, u64 position);
/* Positions with the same number allow the same. */
u64 oracle_promise(const struct oracle *o, u64 position);
/* Believes of the first name of each state that it is another file's: for the test of the tests. */
void oracle_lie(struct oracle *o);
/* All operations, one a line. */
void oracle_print(const struct oracle *o);

#endif
