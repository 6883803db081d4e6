/*
 * Assertions of two strengths.
 *
 * ASSERT: proven invariants; debug builds only. BUG_ON: checked in every
 * build, aborts with a message: going on would damage the image. Data that
 * comes from outside is never asserted but answered with an error.
 */
#ifndef OS_ASSERT_H
#define OS_ASSERT_H

#include "base/util.h"

void os_bug(const char *what, const char *file, int line) __attribute__((noreturn, cold));

#define BUG_ON(cond)                                                                               \
	do {                                                                                       \
		if (unlikely(cond))                                                                \
			os_bug(#cond, __FILE__, __LINE__);                                         \
	} while (0)

#ifdef UEXT4_DEBUG
#define ASSERT(cond) BUG_ON(!(cond))
#else
#define ASSERT(cond) ((void)sizeof(cond))
#endif

#endif
