/*
 * What a tree must look like after each operation of one thread, for the power
 * cut test. A thread owns the subtree of one directory and does its operations
 * one after the other, so the recovered subtree must equal the model after some
 * prefix of them (law 3). The model is kept as text: one sorted line per name.
 *
 * File data has its own model: the list of writes and truncations of each file,
 * from which the legal values of every byte follow (laws 1 and 2).
 */
#ifndef CRASH_MODEL_H
#define CRASH_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum { FILE_MAX = 192 << 10, POISON = 0xa5, XATTR_MAX = 700 };

enum event_kind {
	EVENT_WRITE,	/* [offset, end) gets the operation's pattern */
	EVENT_TRUNCATE, /* offset is the size before, end the size after */
	EVENT_ZERO,	/* [offset, end) becomes zero; empty: only the size changes */
	EVENT_COLLAPSE, /* [offset, end) goes, what follows moves down */
	EVENT_INSERT,	/* [offset, end) comes, what was there moves up */
};

struct event {
	uint32_t op; /* number of the operation of the thread */
	enum event_kind kind;
	uint64_t offset, end;
	uint64_t size; /* of the file afterwards */
};

/* A promise that holds once the recorded stream is longer than pos. */
struct ack {
	uint32_t op;
	size_t pos;
};

struct mnode {
	uint32_t id; /* uid of the file: part of its creation */
	uint32_t mode, create_op, meta_op;
	uint32_t xattr; /* version; 0 = none */
	char target[64];
	uint64_t size;
	struct event *events;
	struct ack *acks;   /* data is safe up to op */
	uint32_t *replaced; /* op of each rename of this file over another (DR-19) */
	size_t event_count, ack_count, replaced_count;
	struct mnode *next;
};

struct mentry {
	char path[160]; /* from the thread's directory, without a leading slash; "" = itself */
	struct mnode *node;
};

struct step {
	size_t begin, end; /* positions in the recorded stream */
	const char *text;
};

struct model {
	unsigned thread;
	struct mentry *entries;
	size_t entry_count;
	struct mnode *nodes;
	struct step *steps; /* step 0 is the empty subtree */
	size_t step_count;
	struct ack *acks; /* names are safe up to op */
	size_t ack_count;
};

void model_init(struct model *m, unsigned thread);
struct mnode *model_node(struct model *m, uint32_t id, uint32_t mode);
struct mentry *model_add(struct model *m, const char *path, struct mnode *n);
void model_remove(struct model *m, struct mentry *e);
struct mentry *model_find(struct model *m, const char *path);
/* Moves a name and all below it. */
void model_move(struct model *m, struct mentry *e, const char *to);
/* Whether all names keep their length in bounds when e becomes `to`. */
bool model_can_move(const struct model *m, const struct mentry *e, const char *to);
bool model_empty(const struct model *m, const char *dir);
/* One line of the text; both the model and the recovered tree print through this. */
int model_line(char *out, size_t size, const char *path, uint32_t uid, uint32_t mode,
	uint32_t links, uint32_t xattr, const char *target);
uint32_t xattr_len(uint32_t version);
/* Ends an operation: the text of the state if it changed names or attributes, else as before. */
void model_step(struct model *m, bool changed, size_t begin, size_t end);

void node_event(struct mnode *n, struct event e);
void node_ack(struct mnode *n, uint32_t op, size_t pos);
void node_replaced(struct mnode *n, uint32_t op);
void model_ack(struct model *m, uint32_t op, size_t pos);

/* The byte that operation op of file id writes at offset; never 0 and never POISON. */
unsigned char pattern(uint32_t id, uint32_t op, uint64_t offset);
/*
 * Whether data (size bytes) is what file n may hold when its state after op
 * `safe` can't be lost and operations after `last` never began; why not is told.
 */
bool node_content_legal(const struct mnode *n, const unsigned char *data, uint64_t size,
	uint32_t safe, uint32_t last, char *why, size_t why_size);

#endif
