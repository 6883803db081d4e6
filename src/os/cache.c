/*
 * Fixed-size objects: free lists, one per shard, in front of os_alloc.
 *
 * Nobody ever waits here: a thread that finds its shard busy goes to os_alloc
 * or os_free. Address sanitizer builds keep no lists, so that it sees every
 * use after free; debug builds poison.
 */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/trace.h"
#include "os/assert.h"
#include "os/atomic.h"
#include "os/mem.h"
#include "os/thread.h"

#define SHARDS 16
#define SHARD_BYTES_MAX (128 * 1024)
#define SHARD_OBJECTS_MIN 8

#if defined(__SANITIZE_ADDRESS__)
#define KEEP_FREE_LISTS false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEP_FREE_LISTS false
#endif
#endif
#ifndef KEEP_FREE_LISTS
#define KEEP_FREE_LISTS true
#endif

struct free_object {
	struct free_object *next;
};

struct shard {
	u32 busy; /* held by a try only */
	u32 count;
	struct free_object *free; /* lock: busy */
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
	if (!c)
		return;
	ASSERT(atomic_load_acq(&c->live) == 0);
	for (unsigned i = 0; i < SHARDS; i++) {
		struct free_object *f = c->shards[i].free;

		while (f) {
			struct free_object *next = f->next;

			os_free(f);
			f = next;
		}
	}
	os_free_pages(c, sizeof(*c));
}

static bool shard_enter(struct shard *s)
{
	return KEEP_FREE_LISTS && !atomic_load_relaxed(&s->busy) &&
	       !__atomic_exchange_n(&s->busy, 1, __ATOMIC_ACQUIRE);
}

static void shard_leave(struct shard *s)
{
	atomic_store_rel(&s->busy, 0);
}

static void debug_mark(struct os_cache *c, void *p, int pattern, int live)
{
#ifdef UEXT4_DEBUG
	memset(p, pattern, c->size);
	__atomic_fetch_add(&c->live, live, __ATOMIC_ACQ_REL);
#endif
}

static void *shard_pop(struct os_cache *c)
{
	struct shard *s = &c->shards[os_shard(SHARDS)];
	struct free_object *f;

	if (!shard_enter(s))
		return NULL;
	f = s->free;
	if (f) {
		s->free = f->next;
		s->count--;
	}
	shard_leave(s);
	return f;
}

static bool shard_push(struct os_cache *c, void *p)
{
	struct shard *s = &c->shards[os_shard(SHARDS)];
	struct free_object *f = p;
	bool kept;

	if (!shard_enter(s))
		return false;
	kept = s->count < c->shard_max;
	if (kept) {
		f->next = s->free;
		s->free = f;
		s->count++;
	}
	shard_leave(s);
	return kept;
}

void *os_cache_alloc(struct os_cache *c)
{
	void *p;

	if (FAULT("os_alloc"))
		return NULL;
	p = shard_pop(c);
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
	if (!shard_push(c, p))
		os_free(p);
}
