/*
 * Page blocks of 4 to 64 KiB out of regions of 1 MiB, by the buddy method:
 * neighbours that are free become one block again, and a region that is free
 * as a whole goes back to the system. The C library's heap would do neither
 * for aligned blocks that lie among small objects: a cache of pages would take
 * several times its bound.
 */
#ifndef OS_PAGE_ARENA_H
#define OS_PAGE_ARENA_H

#include "base/types.h"

#define ARENA_ORDERS 5 /* 4 KiB << order */

/* NULL: out of memory. From any thread, with any lock held. */
void *arena_alloc(unsigned order);
void arena_free(void *p, unsigned order);

#endif
