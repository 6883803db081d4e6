/* Buddies in regions that are aligned to their size, so that a block's region is known. */
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/list.h"
#include "base/util.h"
#include "os/assert.h"
#include "os/atomic.h"
#include "os/page_arena.h"

#define PAGE_BYTES ((size_t)4096)
#define REGION_BYTES ((size_t)1 << 20)
#define REGION_PAGES (REGION_BYTES / PAGE_BYTES)
#define USABLE_PAGES (REGION_PAGES - 1) /* the first holds struct region */
#define SPINS 100

struct region {
	u32 free_pages;		     /* lock: arena */
	u8 free_order[REGION_PAGES]; /* lock: arena; 1 + order where a free block begins, else 0 */
};

static struct {
	u32 busy;			/* the lock; held for a few instructions, takes no other */
	u32 empty_regions;		/* lock; regions without a block in use */
	struct list free[ARENA_ORDERS]; /* lock; in the blocks themselves; zero: not yet used */
} arena;

static void arena_enter(void)
{
	unsigned spins = 0;

	while (__atomic_exchange_n(&arena.busy, 1, __ATOMIC_ACQUIRE))
		if (++spins % SPINS == 0)
			sched_yield();
	if (!arena.free[0].next)
		for (unsigned k = 0; k < ARENA_ORDERS; k++)
			list_init(&arena.free[k]);
}

static void arena_leave(void)
{
	atomic_store_rel(&arena.busy, 0);
}

static struct region *region_of(const void *p)
{
	return (struct region *)((uintptr_t)p & ~(REGION_BYTES - 1));
}

static size_t index_of(const void *p)
{
	return ((uintptr_t)p & (REGION_BYTES - 1)) / PAGE_BYTES;
}

static void *block_at(struct region *r, size_t page)
{
	return (char *)r + page * PAGE_BYTES;
}

static void put_locked(struct region *r, size_t page, unsigned order)
{
	r->free_order[page] = (u8)(order + 1);
	list_add_head(&arena.free[order], block_at(r, page));
}

static void take_locked(struct region *r, size_t page)
{
	r->free_order[page] = 0;
	list_del(block_at(r, page));
}

/* Every block of a region that is wholly free, as large as they come. */
static void region_put_locked(struct region *r)
{
	r->free_pages = USABLE_PAGES;
	for (size_t page = 1; page < REGION_PAGES;) {
		unsigned order = (unsigned)__builtin_ctzll(page);

		order = min_of(order, (unsigned)ARENA_ORDERS - 1);
		put_locked(r, page, order);
		page += (size_t)1 << order;
	}
	arena.empty_regions++;
}

static void region_take_locked(struct region *r)
{
	for (size_t page = 1; page < REGION_PAGES; page++)
		if (r->free_order[page])
			take_locked(r, page);
	arena.empty_regions--;
}

/* Zeroed by the system. */
static struct region *region_map(void)
{
	char *p = mmap(
		NULL, 2 * REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (p == MAP_FAILED)
		return NULL;
	before = (REGION_BYTES - (uintptr_t)p % REGION_BYTES) % REGION_BYTES;
	if (before)
		munmap(p, before);
	munmap(p + before + REGION_BYTES, REGION_BYTES - before);
	return (struct region *)(p + before);
}

static void *alloc_locked(unsigned order)
{
	unsigned from = order;
	struct region *r;
	size_t page;
	void *p;

	while (from < ARENA_ORDERS && list_empty(&arena.free[from]))
		from++;
	if (from == ARENA_ORDERS)
		return NULL;
	p = arena.free[from].next;
	r = region_of(p);
	page = index_of(p);
	take_locked(r, page);
	while (from > order) {
		from--;
		put_locked(r, page + ((size_t)1 << from), from);
	}
	if (r->free_pages == USABLE_PAGES)
		arena.empty_regions--;
	r->free_pages -= 1u << order;
	return p;
}

void *arena_alloc(unsigned order)
{
	struct region *fresh;
	void *p;

	arena_enter();
	p = alloc_locked(order);
	arena_leave();
	if (p)
		return p;
	fresh = region_map();
	if (!fresh)
		return NULL;
	arena_enter();
	region_put_locked(fresh);
	p = alloc_locked(order);
	arena_leave();
	return p;
}

/* One empty region is kept: the next allocation would ask for it again. */
void arena_free(void *p, unsigned order)
{
	struct region *r = region_of(p), *gone = NULL;
	size_t page = index_of(p);
	unsigned size = 1u << order;

	arena_enter();
	ASSERT(page > 0 && page % size == 0 && !r->free_order[page]);
	for (; order < ARENA_ORDERS - 1; order++) {
		size_t buddy = page ^ ((size_t)1 << order);

		if (r->free_order[buddy] != order + 1)
			break;
		take_locked(r, buddy);
		page &= buddy;
	}
	put_locked(r, page, order);
	r->free_pages += size;
	if (r->free_pages == USABLE_PAGES && ++arena.empty_regions > 1) {
		region_take_locked(r);
		gone = r;
	}
	arena_leave();
	if (gone)
		munmap(gone, REGION_BYTES);
}
