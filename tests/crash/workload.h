/* Seeded operations on one mounted file system by several threads, each in its own directory. */
#ifndef CRASH_WORKLOAD_H
#define CRASH_WORKLOAD_H

#include "base/rng.h"
#include "fs/fs.h"
#include "model.h"

#include <uext4.h>

enum { THREADS_MAX = 4, HELD_MAX = 4 };

struct held {
	struct uext4_inode *inode;
	struct mnode *node;
};

struct worker {
	struct uext4_fs *fs;
	struct dev *record;
	struct model model;
	struct rng rng;
	unsigned ops;
	uint32_t next_id;
	struct held held[HELD_MAX]; /* open files without a name */
	char failure[600];	    /* the first unexpected answer */
};

/* Makes the directory t<thread>; call workload_run on a thread of its own, then workload_end. */
void workload_begin(struct worker *w, unsigned thread, uint64_t seed, unsigned ops);
void workload_run(void *worker);
void workload_end(struct worker *w);

/* Marks the end of the creations before the workload: from then on they can't be lost. */
const char *thread_dir(unsigned thread);

#endif
