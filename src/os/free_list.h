/*
 * A list of free memory that nobody waits for: who finds it busy goes on
 * without it. Address sanitizer builds keep none, to see every use after free.
 */
#ifndef OS_FREE_LIST_H
#define OS_FREE_LIST_H

#include "base/types.h"
#include "os/atomic.h"

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

struct free_list {
	u32 busy;		  /* taken by trying only */
	u32 count;		  /* lock: busy; read without it as a hint */
	struct free_object *head; /* lock: busy */
};

static inline bool free_list_enter(struct free_list *l)
{
	return !atomic_load_relaxed(&l->busy) &&
	       !__atomic_exchange_n(&l->busy, 1, __ATOMIC_ACQUIRE);
}

static inline void free_list_leave(struct free_list *l)
{
	atomic_store_rel(&l->busy, 0);
}

static inline void *free_list_pop(struct free_list *l)
{
	struct free_object *f;

	if (!atomic_load_relaxed(&l->count) || !free_list_enter(l))
		return NULL;
	f = l->head;
	if (f) {
		l->head = f->next;
		atomic_store_relaxed(&l->count, l->count - 1);
	}
	free_list_leave(l);
	return f;
}

/* False when the list is busy or holds max objects: then the caller frees p. */
static inline bool free_list_push(struct free_list *l, void *p, u32 max)
{
	struct free_object *f = p;
	bool kept;

	if (!KEEP_FREE_LISTS || !free_list_enter(l))
		return false;
	kept = l->count < max;
	if (kept) {
		f->next = l->head;
		l->head = f;
		atomic_store_relaxed(&l->count, l->count + 1);
	}
	free_list_leave(l);
	return kept;
}

#endif
