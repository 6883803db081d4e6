/*
 * A simulated disk with a mounted file system and the oracle that watches it.
 * Made anew for each run from a base, which is an image that mke2fs has made and
 * the oracle that knows what a first mount has put there.
 */
#ifndef LOAD_WORLD_H
#define LOAD_WORLD_H

#include "dev/devices.h"
#include "os/lock.h"
#include "sim/disk/disk.h"
#include "sim/explore/recover.h"
#include "sim/model/oracle.h"
#include "sim/os/sim.h"

/* An image that mke2fs and then prepare made. */
struct base {
	const char *name;
	unsigned kib;
	const char *mke2fs; /* arguments */
	unsigned cache_kib; /* of the mount; 0: more than there is */
	bool lossy;	    /* no journal: only what was synced survives a cut */
	bool discard;	    /* freed blocks become poison */
	bool ready;
	struct sim_pages image;
	struct oracle *oracle; /* knows what is in it */
};

struct world {
	const struct base *base;
	struct sim_disk *disk;
	struct uext4_fs *fs;
	struct oracle *oracle;
	struct os_mutex shifting[TREE_NODES]; /* by file: the order of shifts is known, for the
						 oracle's sake */
	struct dev *fault;		      /* the mount's device, when faults are to come */
	bool with_faults;
	bool has_errors; /* recorded in the superblock: e2fsck has to come first */
	char error[512]; /* the first error message of the file system */
};

/* Puts something on the empty file system. */
typedef void world_prepare_fn(struct world *w);
/* Makes the image when first asked for; ends the process if that fails. */
void base_make(struct base *b, world_prepare_fn *prepare);
void base_free(struct base *b);

/* choose may be NULL: then the disk does everything at once and in order. */
void world_create(struct world *w, const struct base *b, u32 (*choose)(u32));
void world_destroy(struct world *w);
/* In a run these fail the run; outside they end the process. */
void world_mount(struct world *w);
void world_unmount(struct world *w);
void world_abandon(struct world *w); /* unmounts what may have failed */
void world_settle(struct world *w);
void world_fail(struct world *w, const char *what, s64 err);

/* What the explorer asks of a recovered file system; arg is the world. */
int world_look(void *arg, struct uext4_fs *fs, struct explore_state *state);
u64 world_promise(void *arg, size_t position);

#endif
