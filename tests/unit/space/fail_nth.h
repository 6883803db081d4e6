/* One thread's nth allocation of memory or read of a buffer fails, n counted up by the test. */
#ifndef SPACE_FAIL_NTH_H
#define SPACE_FAIL_NTH_H

#include <string.h>

#include "base/trace.h"
#include "os/thread.h"

static u32 victim; /* thread */
static u64 countdown;
static bool hit;

static bool fail_nth(const char *name)
{
	if (os_thread_self() != victim || (strcmp(name, "os_alloc") && strcmp(name, "buf_read")))
		return false;
	if (countdown == 0 || --countdown)
		return false;
	hit = true;
	return true;
}

#endif
