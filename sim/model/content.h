/*
 * What the bytes of one file may be.
 *
 * A change is a write, or a truncation, which makes zeros behind the new end.
 * A change that must have been followed by another that covers a byte is over;
 * what the remaining ones make of the byte is legal, and zero as long as no
 * change that covers it must be there (laws 1 and 2). "Must be there" is: live,
 * it ended before the read began; after a crash, a sync promised it.
 *
 * A shift (collapse, insert) runs beside no other of its file: what was before it
 * is asked for at the place from where the byte came. What ran beside it was ahead
 * of it or behind it. It is durable when it returns; a cut meanwhile may leave it
 * done up to a seam (IO-108). A byte of a copy is one that a read of its source
 * could have given meanwhile.
 */
#ifndef MODEL_CONTENT_H
#define MODEL_CONTENT_H

#include "sim/model/order.h"

enum change_kind {
	CHANGE_WRITE,
	CHANGE_TRUNCATE,
	CHANGE_ZERO,	 /* zeros in the range */
	CHANGE_GROW,	 /* only the size, at least to the end of the range */
	CHANGE_COLLAPSE, /* the range goes */
	CHANGE_INSERT,	 /* the range comes */
	CHANGE_COPY,
	CHANGE_SEEN, /* the size that was observed while nothing ran */
};

struct change {
	enum change_kind kind;
	bool keeps_size; /* ZERO */
	bool maybe;	 /* may never have been, although the call did not fail */
	struct op *op;
	u32 number;	 /* chooses the bytes */
	u64 offset, end; /* the range; of a truncation, and what is seen, end is the size */
	bool floating;	 /* an append whose place is not known */
	bool constant;	 /* all bytes the same, since the place wasn't known in advance */
	bool overlaps;	 /* another change of the file's size ran at the same time */
	u32 seen_time;	 /* SEEN only */
	const struct content *source; /* COPY: from there */
	u64 source_offset;
};

/* A sync of the file: what ended before `begin` can't be lost after position `at`. */
struct promise {
	u32 begin;
	u64 at;
};

struct content {
	struct change *changes; /* owned, by begin */
	struct promise *promises;
	unsigned change_count, promise_count;
};

/* What is looked at: a read that ran from `begin` to now, or the state after a cut. */
struct content_view {
	bool crash;
	u32 begin;		       /* live */
	u32 until;		       /* live: what began later was not yet; 0: now */
	u64 cut;		       /* crash: position */
	const struct passage *passage; /* crash: the tree that was found */
	u32 safe_before;	     /* crash: what had ended by then is there for another reason */
	const struct change *moving; /* crash: the shift under way, if any of it was done */
	u64 seam;		     /* where it stands: see bytes.c; UINT64_MAX: at the end */
};

struct change *content_add(struct content *c, struct change change);
void content_promise(struct content *c, u32 begin, u64 at);
void content_fini(struct content *c);
void content_copy(struct content *to, const struct content *from);
/* An append that no other change overlapped gets its place. */
void content_pin(struct content *c, struct op *op);

void content_sizes(
	const struct content *c, const struct content_view *v, u64 *least, u64 *greatest);
/* The shift that a cut has interrupted, or NULL. */
const struct change *content_moving(const struct content *c, const struct content_view *v);
/* Whether data may be [offset, offset + len) of the file; else *bad is the first illegal byte. */
bool content_legal(const struct content *c, const struct content_view *v, u64 offset,
	const u8 *data, u64 len, u64 *bad);
/* Says what a byte could be. */
void content_explain(
	const struct content *c, const struct content_view *v, u64 at, char *out, size_t size);
/* What change `number` writes: offset is the file's, or 0 where the place is not known. 1 .. 127,
 * so that it is no poison. */
u8 content_byte(u32 number, u64 offset);
void content_fill(u32 number, u64 offset, bool constant, u8 *out, u64 len);

#endif
