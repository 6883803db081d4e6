/*
 * Count to failure of the public API, in the simulator: every call, while the
 * 1st, 2nd, ... allocation or request of the device fails, once or from then on.
 *
 * A call works on a fresh mount of a small image, with cold caches and
 * the handles of struct stage open. Shots are all that can be seen of a file
 * system; what a call leaves, live and recovered, must be made of what was
 * there before it and what it would have made.
 */
#ifndef TESTS_SIM_FAULTS_H
#define TESTS_SIM_FAULTS_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <uext4.h>

#include "dev/dev.h"
#include "sim/disk/disk.h"
#include "sim/os/sim.h"

#define K 1024u

/* What a call works on. */
struct stage {
	struct uext4_fs *fs;
	struct dev *fault; /* the mount's device, a dev_fault */
	struct uext4_inode *root, *dir, *link, *acl;
	struct uext4_file *file, *other, *direct; /* "file" and "other"; "direct" with O_DIRECT */
	struct uext4_queue *queue;
	struct uext4_inode *made; /* by the call; put afterwards */
	struct uext4_file *opened;
	u64 number; /* as prepare and run like */
	struct uext4_device_ops ops;
	const char *host; /* path of the image when the device is a file of the host */
	char error[300];  /* the first message of an error */
	bool lost;	  /* data, and a message said so */
};

enum call_flags {
	CALL_WHOLE = 1,	 /* all or nothing, also after a cut; else byte by byte */
	CALL_ZEROS = 2,	 /* bytes that are on their way may be zero meanwhile */
	CALL_OPENS = 4,	 /* no file system is mounted before: the call does that, on stage->fault */
	CALL_CLOSES = 8, /* it unmounts */
	CALL_SYNCS = 16, /* after success all before it survives */
	CALL_STOPS = 32, /* the file system is shut down after it */
	CALL_READS = 64, /* changes nothing */
	CALL_UNCLEAN = 128, /* on the image as it was before an unmount */
	CALL_QUEUED = 256,  /* a part of it may be done before: requests are under way */
	CALL_HOST = 512,    /* the device is a file of the host */
	CALL_SILENT = 1024, /* it can't say what failed in it */
};

struct call {
	const char *function, *variant;
	s64 (*run)(struct stage *s, const struct call *c);
	void (*prepare)(struct stage *s, const struct call *c); /* may be NULL; nothing fails yet */
	unsigned flags;
	/* Arguments, as run likes. */
	const char *name, *to;
	int mode;
	u64 pos, len;
};

#define CALL(function_, variant_, run_, flags_, ...)                                               \
	{                                                                                          \
		.function = function_, .variant = variant_, .run = run_, .flags = flags_,          \
		__VA_ARGS__                                                                        \
	}

/* Each ends with an entry without a function. */
extern const struct call faults_names[], faults_files[], faults_volume[];

/* Functions that can't meet a failure, and why. */
struct no_call {
	const char *function, *why;
};
extern const struct no_call faults_none[];

/* Kinds of file systems. The first is tried with every failure, of the others every stepth. */
struct fault_type {
	const char *name;
	u64 bytes;
	const char *options; /* of mke2fs */
	unsigned step;
};
extern const struct fault_type fault_types[]; /* ends with one without a name */

/* The images; the second is that of the moment before an unmount, with a deleted file open. */
extern struct sim_pages fault_clean, fault_unclean;
void fault_images_make(const struct fault_type *type); /* ends the process if it can't */
/* True when all of it went well; else the reason is printed. */
bool fault_passes(const struct call *c, unsigned step);
/* What all mounts are made with. */
struct uext4_options fault_options(struct stage *s);

/* --- shots --- */

enum { SHOT_ENTRIES = 24, SHOT_BYTES = 24 * 1024 };

struct shot {
	unsigned count;
	struct shot_entry {
		char path[48];
		u32 attributes; /* a sum: mode, links, owner, extended attributes, targets */
		bool file;
		u64 size;
		u8 data[SHOT_BYTES];
	} entry[SHOT_ENTRIES];
};

/* 0, or what failed. */
int shot_take(struct uext4_fs *fs, struct shot *out);
/* NULL, or why got is not made of the shots; zeros: bytes may be 0 as well. */
const char *shot_differs(
	const struct shot *got, const struct shot *const *legal, unsigned count, bool zeros);

#endif
