/* Problems that wait for a path. */
#ifndef CHECK_PATHS_H
#define CHECK_PATHS_H

#include "check/check_priv.h"

struct saved {
	struct check_problem p;
	char *text, *path;
};

#endif
