/* The lock checker, called as production's inline functions call it. */
#ifndef SIM_OS_LOCK_CHECK_H
#define SIM_OS_LOCK_CHECK_H

#include "os/lock.h"
#include "os/thread.h"
#include "sim/os/sched.h"

#define LOCK_CHECK(l, order, where)                                                                \
	(rank_where = (where), rank_check(l, (enum lock_rank)(l)->rank, order, (l)->name))
#define LOCK_PUSH(l, order, mode, where)                                                           \
	(rank_where = (where), rank_push(l, (enum lock_rank)(l)->rank, order, (l)->name, mode),    \
		(l)->owner = (mode) == RANK_EXCLUSIVE ? sched->current->id : 0)
#define LOCK_POP(l, mode, where)                                                                   \
	(rank_where = (where), rank_pop(l, mode, (l)->name), (l)->owner = 0)

#endif
