/*
 * Scripted races of the I/O engine, in the simulator.
 *
 * A race is a body that runs on a fresh, poisoned disk with the file system
 * mounted: it parks threads at gates, lets others pass, and looks at what
 * comes of it. It runs under several schedules per variant. Afterwards no
 * block may be promised and no orphan left, the file system must unmount, and
 * the checker agree. With a look(), power is cut at every position as well.
 *
 * Data are bytes 1 to 127; 0 was never written, 0x80 and more is the medium's
 * poison, which nobody may ever read (law 1).
 */
#ifndef TESTS_SIM_RACE_H
#define TESTS_SIM_RACE_H

#include <errno.h>
#include <string.h>
#include <linux/falloc.h>

#include "api/api_priv.h"
#include "base/mutant.h"
#include "dev/devices.h"
#include "inode/orphan.h"
#include "os/clock.h"
#include "os/thread.h"
#include "sim/explore/recover.h"
#include "sim/os/sim.h"
#include "space/space.h"

#define K 1024u /* the block size, unless the race says otherwise */
#define PROMISES 4

struct race_run {
	const struct race *race;
	unsigned variant;
	u64 seed;
	struct sim_disk *disk;
	struct dev *fault; /* the mount's device, a dev_fault */
	struct uext4_fs *fs;
	size_t promised[PROMISES]; /* positions from which on something must be found; 0 = never */
	bool gone;		   /* the body has shut the file system down: errors are due */
	char error[300];	   /* the first error message */
};

struct race {
	const char *name;
	void (*body)(struct race_run *r);
	/* After a cut: 0, or -EUCLEAN with s->why filled in. May be NULL: no cuts. */
	int (*look)(struct race_run *r, struct uext4_fs *fs, struct explore_state *s);
	u32 block_size;	    /* 0 = 1 KiB */
	const char *mke2fs; /* more options; may be NULL */
	unsigned variants;  /* 0 = 1 */
	unsigned seeds;	    /* schedules per variant; 0 = 6 */
	u64 states;	    /* crash states per schedule; 0 = 60 */
	bool loses_data;    /* error messages are to come */
	bool nodelalloc;
	bool atomics; /* every atomic operation is a point */
};

extern const struct race *const races_direct[],
	*const races_queue[], *const races_space[],
				      *const races_cache[],
					      *const races_cut[],
						      *const races_sync[],
							      *const races_fail[],
								      *const races_names[];

/* True when all of it went well; else, and unless quiet, the reason is printed. */
bool race_passes(const struct race *race, enum mutant mutant, bool quiet);

/* The rest is for bodies. Whatever does not succeed fails the run. */
#define MUST(call)                                                                                 \
	do {                                                                                       \
		s64 must_result = (call);                                                          \
		if (must_result < 0)                                                               \
			sim_fail("%s:%d: %s gave %lld", __FILE__, __LINE__, #call,                 \
				(long long)must_result);                                           \
	} while (0)
#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition))                                                                  \
			sim_fail("%s:%d: not so: %s", __FILE__, __LINE__, #condition);             \
	} while (0)

struct uext4_file *race_open(struct race_run *r, const char *name, int flags);
s64 race_write(struct uext4_file *f, u64 pos, u64 len, u8 value, unsigned rwf);
void race_put(struct uext4_file *f, u64 pos, u64 len, u8 value); /* all of it */
/* Every byte there is one of the two. */
void race_see(struct uext4_file *f, u64 pos, u64 len, u8 value, u8 or);
u64 race_size(struct uext4_file *f);
struct inode *race_inode(struct uext4_file *f);
u64 race_place(struct uext4_file *f, u64 pos); /* on the device */
/* Takes all space there is, with bytes of this value. */
void race_fill(struct race_run *r, const char *name, u8 value);
void race_commit(struct race_run *r); /* the metadata alone */
void race_others_run(void);	      /* until they are done or blocked */
/* From now on this fault point fails, after so many times; NULL: none does. */
void race_fault_after(const char *point, u64 after);
void race_fault(const char *point);
void race_promise(struct race_run *r, unsigned k);

/* For looks. -ENOENT if there is no such file; else its size, and what differs from value or 0. */
struct race_found {
	s64 size;
	u64 zeros;	/* bytes */
	u64 others, at; /* neither; where the first is */
	u8 data[128 * 1024];
};
int race_find(struct uext4_fs *fs, const char *name, u8 value, struct race_found *out);
bool race_due(const struct race_run *r, unsigned k, const struct explore_state *s);
int race_wrong(struct explore_state *s, const char *what) __attribute__((cold));

/* One call in a thread of its own. */
struct job {
	struct race_run *r;
	struct uext4_file *file;
	u64 pos, len;
	unsigned rwf;
	int mode;
	u8 value;
	s64 result;
	bool done;
	void (*fn)(struct job *j);
	struct os_thread *thread;
};
void job_start(struct job *j, const char *name, void (*fn)(struct job *));
s64 job_join(struct job *j);
void job_write(struct job *j);
void job_fsync(struct job *j);
void job_fdatasync(struct job *j);
void job_sync(struct job *j);
void job_truncate(struct job *j);
void job_fallocate(struct job *j);

#endif
