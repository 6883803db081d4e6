/*
 * fsx: random operations on files whose bytes are known. Each thread has its own files, so that
 * it knows them; all share one file system.
 *
 * Where space may end, a failed call leaves doubt: each byte of its range may be the old or the
 * new one. What the file then holds is read once, and must stay.
 */
#ifndef STRESS_FSX_H
#define STRESS_FSX_H

#include "base/rng.h"
#include "host.h"

enum fsx_mode { FSX_BUFFERED = 1, FSX_DIRECT = 2, FSX_ASYNC = 4, FSX_MIXED = 7 };

struct fsx_options {
	u64 ops, seed, bytes; /* bytes: the largest size of a file */
	u64 remount;	      /* every so many operations; 0 = never */
	unsigned threads, mode;
	bool full; /* space may end */
	bool verbose;
	const char *model_dir; /* what must be in the files at the end goes there; NULL = nowhere */
};

/* A file and what must be in it. Bytes of the model behind the size are 0. */
struct subject {
	char name[16];
	void *file, *direct;
	u8 *model;
	u64 size;
};

enum { SUBJECTS = 2, NOTES = 64, SECTOR = 512 };

struct fsx {
	const struct host *host;
	const struct fsx_options *o;
	unsigned thread;
	u64 op, done, refused; /* done: with each request of a batch; refused: for lack of space */
	struct rng rng;
	struct subject subjects[SUBJECTS];
	void *queue;
	u8 *buf;	/* o->bytes per request of a batch; aligned */
	u8 *found;	/* what a file held while in doubt */
	u8 *doubt;	/* how a subject would be if what failed had succeeded */
	u64 doubt_size; /* also of it */
	bool doubted;
	char notes[NOTES][120]; /* the latest operations */
};

void fsx_init(struct fsx *x, const struct host *host, const struct fsx_options *o, unsigned thread);
void fsx_open(struct fsx *x);
void fsx_close(struct fsx *x);
void fsx_fini(struct fsx *x); /* stores the models */

/* One random operation. */
void fsx_step(struct fsx *x);
void fsx_check_all(struct fsx *x);

/* --- for the operations --- */

/* Ends the program after the latest operations were listed. */
__attribute__((noreturn, format(printf, 2, 3))) void fsx_fail(
	struct fsx *x, const char *format, ...);
__attribute__((format(printf, 2, 3))) void fsx_note(struct fsx *x, const char *format, ...);
/* Fails unless err is 0, or ENOSPC where space may end; true: ENOSPC. */
bool fsx_refused(struct fsx *x, s64 err, const char *what);

u64 fsx_below(struct fsx *x, u64 n);
void fsx_fill(struct fsx *x, u8 *buf, u64 len);
void *fsx_handle(const struct subject *s, bool direct);

void model_write(struct subject *s, const u8 *buf, u64 len, u64 pos);
void model_zero(struct subject *s, u64 pos, u64 len); /* inside the size */
void model_resize(struct subject *s, u64 size);
void model_collapse(struct subject *s, u64 pos, u64 len);
void model_insert(struct subject *s, u64 pos, u64 len);
/* The bytes that were read must be those of the model. */
void model_compare(struct fsx *x, const struct subject *s, const u8 *got, u64 len, u64 pos);

/* The subject as it would be; the same model_ calls change it. Ends with doubt_end. */
struct subject doubt_begin(struct fsx *x, const struct subject *s);
/* Reads the file and takes it for the model, if each byte is of one of the two. */
void doubt_end(struct fsx *x, struct subject *s, const struct subject *other);

/* async.c */
void fsx_batch(struct fsx *x, struct subject *s);

#endif
