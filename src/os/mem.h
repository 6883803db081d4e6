/*
 * Memory. NULL means out of memory (fault point "os_alloc"); callers return
 * ENOMEM. Block buffers come aligned for direct I/O.
 */
#ifndef OS_MEM_H
#define OS_MEM_H

#include "base/types.h"

void *os_alloc(size_t size);
void *os_zalloc(size_t size);
void *os_calloc(size_t n, size_t size); /* zeroed; NULL on overflow */
void *os_realloc(void *p, size_t size);
void os_free(void *p); /* from any of the above; NULL is fine */
char *os_strdup(const char *s);
char *os_strndup(const char *s, size_t len);

/* Aligned to 4096; size is rounded up to a multiple of it. */
void *os_alloc_pages(size_t size);
void os_free_pages(void *p, size_t size);
void os_mem_trim(void); /* gives idle page memory (some MiB at most) back to the system */

/* Fixed-size objects: sharded free lists in front of os_alloc; nobody waits on the fast path. */
struct os_cache;
int os_cache_create(struct os_cache **out, const char *name, size_t size);
void os_cache_destroy(struct os_cache *c); /* all objects must be freed */
void *os_cache_alloc(struct os_cache *c);  /* contents undefined */
void os_cache_free(struct os_cache *c, void *p);

#endif
