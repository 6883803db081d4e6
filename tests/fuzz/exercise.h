/*
 * Everything a user can do to a file system, done to an image through the
 * public API: open, walk, read, change in every directory, sync, close.
 */
#ifndef FUZZ_EXERCISE_H
#define FUZZ_EXERCISE_H

#include "image.h"

enum { EXERCISE_RO = 1, EXERCISE_QUICK = 2 };

struct report {
	int open_err;
	int close_err;
	bool seen[256];		/* errno values that calls gave */
	bool logged_error;	/* a message of level error or warning */
	bool says_what_to_do;	/* a message that names e2fsck, or a feature */
	bool truncation_failed; /* a file keeps blocks behind its end, and its orphan record */
	int first_odd;		/* an errno that no bad image should cause, or 0 */
	const char *odd_call;
	unsigned messages; /* of level error or warning */
	char log[2000];	   /* the first of them */
};

/* Opens work, uses it, closes it. */
void exercise(struct image *img, unsigned flags, struct report *out);

#endif
