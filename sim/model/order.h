/*
 * Which orders of the operations explain what their callers were told.
 *
 * Operations that overlapped may have taken effect in any order in which each
 * returns what it did return; the others in the order of time. The oracle keeps
 * every state that some such order passes through. Law 3: what is found
 * after a crash is one of them, in which no operation is done that had not begun,
 * and all are done that a sync has promised.
 */
#ifndef MODEL_ORDER_H
#define MODEL_ORDER_H

#include "sim/model/tree.h"

/* A state that was passed through: done are the operations that ended by `layer`, and those of the
 * threads in `early`. */
struct passage {
	struct tree tree;
	u64 hash, full_hash;
	u32 early;
	u32 layer;	 /* time */
	u32 found;	 /* time: early operations began before it */
	u64 earliest_at; /* no cut before this position can show it */
};

struct order {
	struct passage **passages; /* owned, in order of discovery */
	size_t count;
	struct {
		u32 passage, early;
	} now[512]; /* the states that the tree may be in */
	size_t now_count;
	u32 time; /* of the last end */
	const struct names *names;
};

void order_init(struct order *o, const struct tree *start, const struct names *names);
void order_fini(struct order *o);
/* A deep copy. */
void order_copy(struct order *to, const struct order *from, const struct names *names);
/*
 * Takes count further operations, all of which have ended, in the order of their
 * begin. False: no order explains them; the one at which it fails goes to *bad.
 */
bool order_extend(struct order *o, struct op **ops, size_t count, const struct op **bad);
/* Keeps the states of now that have this hash; false if there is none. */
bool order_settle(struct order *o, u64 hash);
/* Whether the operation is done in a state that was passed through. */
bool passage_has(const struct passage *p, const struct op *op);

#endif
