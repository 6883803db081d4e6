/*
 * The lock checker of debug builds: what each thread holds, and the rules of
 * os/rank.h. Only lock implementations call it. A broken rule ends in os_bug
 * with a message that names both locks.
 *
 * The state is one small array per thread: no locks, no allocation.
 */
#ifndef OS_RANK_CHECK_H
#define OS_RANK_CHECK_H

#include "base/types.h"
#include "os/rank.h"

enum rank_mode { RANK_EXCLUSIVE, RANK_SHARED, RANK_PSEUDO };

#ifdef UEXT4_DEBUG

#define RANK_HELD_MAX 64 /* a thread that nests deeper has lost its way */

struct rank_entry {
	const void *lock;
	const char *name;
	const void *where; /* return address */
	enum lock_rank rank;
	unsigned order;
	enum rank_mode mode;
};

struct rank_list {
	unsigned count;
	struct rank_entry held[RANK_HELD_MAX];
};

/* Before blocking: recursion, rank and order against everything held. */
void rank_check(const void *lock, enum lock_rank rank, unsigned order, const char *name);
/* The caller's caller now holds it. */
void rank_push(const void *lock, enum lock_rank rank, unsigned order, const char *name,
	enum rank_mode mode);
void rank_pop(const void *lock, enum rank_mode mode, const char *name);
void rank_downgrade(const void *lock, const char *name);
/* Held by this thread exclusively, or in any mode when shared is true. */
bool rank_held(const void *lock, bool shared);
void rank_assert_none_from(enum lock_rank rank);
void rank_thread_exit(void); /* the thread ends: it may hold nothing */
void rank_dump(int fd);	     /* what this thread holds, for os_bug; no allocation */
/* "name address [rank, order] at module+offset", for addr2line. */
void rank_describe(const struct rank_entry *h, char *out, size_t size);

#ifdef UEXT4_SIM
/* The simulator switches threads itself, and says for whom its lock functions were called. */
extern struct rank_list *rank_current;
extern const void *rank_where;
#endif

#else

static inline void rank_thread_exit(void)
{
}

static inline void rank_dump(int fd)
{
}

#endif
#endif
