/* The end of a process that must not go on. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/assert.h"
#include "os/rank_check.h"

void os_bug(const char *what, const char *file, int line)
{
	dprintf(STDERR_FILENO, "uext4: BUG: %s (%s:%d)\n", what, file, line);
	rank_dump(STDERR_FILENO);
	abort();
}
