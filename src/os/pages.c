/*
 * Page memory. Blocks of 4 KiB to 1 MiB in powers of two are kept when freed,
 * up to CLASS_BYTES_MAX per size and shard: the C library would hand them back
 * to the kernel and pay a page fault per page when they come again. Memory that
 * one thread frees and another needs is found by looking at all shards.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/trace.h"
#include "os/free_list.h"
#include "os/mem.h"
#include "os/page_arena.h"
#include "os/thread.h"

#define PAGE_SHIFT 12
#define PAGE_BYTES (1u << PAGE_SHIFT)
#define CLASSES 9 /* 4 KiB .. 1 MiB */
#define SHARDS 8
#define CLASS_BYTES_MAX (256 * 1024)
#define FILL_MAX (64 * 1024) /* checks: a large buffer costs page faults */

struct shard {
	struct free_list classes[CLASSES];
} __attribute__((aligned(64)));

static struct shard shards[SHARDS];

/* CLASSES when blocks of this size are not kept. */
static unsigned class_of(size_t size)
{
	unsigned n;

	if (!is_pow2(size))
		return CLASSES;
	n = (unsigned)__builtin_ctzll(size) - PAGE_SHIFT;
	return min_of(n, (unsigned)CLASSES);
}

static void *pop_any(unsigned n)
{
	unsigned own = os_shard(SHARDS);
	void *p = NULL;

	for (unsigned i = 0; i < SHARDS && !p; i++)
		p = free_list_pop(&shards[(own + i) % SHARDS].classes[n]);
	return p;
}

/* Address sanitizer builds ask the C library, which it knows. */
static bool in_arena(unsigned n)
{
	return KEEP_FREE_LISTS && n < ARENA_ORDERS;
}

static void *new_pages(unsigned n, size_t size)
{
	return in_arena(n) ? arena_alloc(n) : aligned_alloc(PAGE_BYTES, size);
}

static void drop_pages(unsigned n, void *p)
{
	if (in_arena(n))
		arena_free(p, n);
	else
		free(p);
}

void *os_alloc_pages(size_t size)
{
	void *p = NULL;
	unsigned n;

	if (FAULT("os_alloc") || size > SIZE_MAX - PAGE_BYTES)
		return NULL;
	size = (size_t)round_up_to(size ? size : 1, PAGE_BYTES);
	n = class_of(size);
	if (n < CLASSES)
		p = pop_any(n);
	if (!p)
		p = new_pages(n, size);
#ifdef UEXT4_DEBUG
	if (p)
		memset(p, 0xa5, min_of(size, (size_t)FILL_MAX)); /* no one relies on zeros */
#endif
	return p;
}

void os_free_pages(void *p, size_t size)
{
	unsigned n = class_of((size_t)round_up_to(size ? size : 1, PAGE_BYTES));
	u32 max;

	if (!p)
		return;
	max = (u32)max_of(CLASS_BYTES_MAX >> PAGE_SHIFT >> n, 1);
	if (n == CLASSES || !free_list_push(&shards[os_shard(SHARDS)].classes[n], p, max))
		drop_pages(n, p);
}

void os_mem_trim(void)
{
	void *p;

	for (unsigned n = 0; n < CLASSES; n++)
		while ((p = pop_any(n)))
			drop_pages(n, p);
}
