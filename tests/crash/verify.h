/* Compares a recovered file system with the models of the threads that worked on it. */
#ifndef CRASH_VERIFY_H
#define CRASH_VERIFY_H

#include "model.h"

#include <uext4.h>

struct verdict {
	char why[2048];	 /* empty: all is well */
	uint64_t device; /* byte of the device that holds an illegal byte; 0 = none */
};
/*
 * The subtree of the model's thread must be what some prefix of its operations
 * left, with all that was promised before position `at` of the recorded stream,
 * and every byte legal. Fills v when it is not.
 */
bool verify_thread(struct uext4_fs *fs, const struct model *m, size_t at, struct verdict *v);

#endif
