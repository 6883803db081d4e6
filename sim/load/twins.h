/* File names of which many share their hash with another: they meet in one leaf, and go on in the
 * next. */
#ifndef LOAD_TWINS_H
#define LOAD_TWINS_H

#include "base/types.h"

enum { TWIN_LEN = 96 };

/* Fills count names: pairs of one hash first, then any. The same on every file system of sim_mkfs.
 */
void twins_make(char (*out)[TWIN_LEN + 1], unsigned count);

#endif
