/* Part of os/lock_inline.h: the questions to the lock checker; release builds say yes. */
#ifndef OS_LOCK_HELD_H
#define OS_LOCK_HELD_H

#include "os/lock.h"
#include "os/rank_check.h"

#ifdef UEXT4_DEBUG

OS_FAST bool os_mutex_held(const struct os_mutex *m)
{
	return rank_held(m, false);
}

OS_FAST bool os_rwsem_held(const struct os_rwsem *s)
{
	return rank_held(s, false);
}

OS_FAST bool os_rwsem_held_shared(const struct os_rwsem *s)
{
	return rank_held(s, true);
}

OS_FAST void os_rank_enter(enum lock_rank rank, const void *what, const char *name)
{
	rank_check(what, rank, 0, name);
	rank_push(what, rank, 0, name, RANK_PSEUDO);
}

OS_FAST void os_rank_leave(enum lock_rank rank, const void *what)
{
	rank_pop(what, RANK_PSEUDO, NULL);
}

OS_FAST void os_rank_assert_none_from(enum lock_rank rank)
{
	rank_assert_none_from(rank);
}

#else

OS_FAST bool os_mutex_held(const struct os_mutex *m)
{
	return true;
}

OS_FAST bool os_rwsem_held(const struct os_rwsem *s)
{
	return true;
}

OS_FAST bool os_rwsem_held_shared(const struct os_rwsem *s)
{
	return true;
}

OS_FAST void os_rank_enter(enum lock_rank rank, const void *what, const char *name)
{
}

OS_FAST void os_rank_leave(enum lock_rank rank, const void *what)
{
}

OS_FAST void os_rank_assert_none_from(enum lock_rank rank)
{
}

#endif
#endif
