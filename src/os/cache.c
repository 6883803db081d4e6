/* Fixed-size objects: one free list per shard in front of os_alloc. Debug builds poison. */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/trace.h"
#include "os/assert.h"
#include "os/free_list.h"
#include "os/mem.h"
#include "os/thread.h"

#define SHARDS 16
#define SHARD_BYTES_MAX (128 * 1024)
#define SHARD_OBJECTS_MIN 8

struct shard {
	struct free_list free;
} __attribute__((aligned(64)));

struct os_cache {
	const char *name;
	size_t size;
	u32 shard_max; /* objects kept per shard */
	s64 live;      /* no lock: atomic. Debug builds */
	struct shard shards[SHARDS];
};

int os_cache_create(struct os_cache **out, const char *name, size_t size)
{
	struct os_cache *c = os_alloc_pages(sizeof(*c));

	*out = c;
	if (!c)
		return ERR(ENOMEM);
	memset(c, 0, sizeof(*c));
	c->name = name;
	c->size = max_of(size, sizeof(struct free_object));
	c->shard_max = (u32)max_of(SHARD_BYTES_MAX / c->size, (size_t)SHARD_OBJECTS_MIN);
	return 0;
}

void os_cache_destroy(struct os_cache *c)
{
	void *p;

	if (!c)
		return;
	ASSERT(atomic_load_acq(&c->live) == 0);
	for (unsigned i = 0; i < SHARDS; i++)
		while ((p = free_list_pop(&c->shards[i].free)))
			os_free(p);
	os_free_pages(c, sizeof(*c));
}

static void debug_mark(struct os_cache *c, void *p, int pattern, int live)
{
#ifdef UEXT4_DEBUG
	memset(p, pattern, c->size);
	__atomic_fetch_add(&c->live, live, __ATOMIC_ACQ_REL);
#endif
}

void *os_cache_alloc(struct os_cache *c)
{
	void *p;

	if (FAULT("os_alloc"))
		return NULL;
	p = free_list_pop(&c->shards[os_shard(SHARDS)].free);
	if (!p)
		p = os_alloc(c->size);
	if (p)
		debug_mark(c, p, 0xa5, 1);
	return p;
}

void os_cache_free(struct os_cache *c, void *p)
{
	if (!p)
		return;
	debug_mark(c, p, 0x6b, -1);
	if (!free_list_push(&c->shards[os_shard(SHARDS)].free, p, c->shard_max))
		os_free(p);
}
