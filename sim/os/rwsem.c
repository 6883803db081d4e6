/*
 * Read-write semaphore with the rules of src/os/rwsem.c: a queue in order of
 * arrival; new readers queue behind whoever waits; the last holder hands the
 * lock to the readers at the head, or wakes the writer there, whom other
 * writers may overtake.
 */
#include "os/assert.h"
#include "sim/os/lock_check.h"

#define WRITER (1u << 31)
#define QUEUED (1u << 30) /* somebody waits, or was woken and has not come yet */

/* s->guard, of no use here, counts woken writers that have not come yet: 0 or 1. */

static u64 tickets;

void os_rwsem_init(struct os_rwsem *s, enum lock_rank rank, const char *name)
{
	*s = (struct os_rwsem)OS_RWSEM_INIT((u16)rank, name);
}

void os_rwsem_fini(struct os_rwsem *s)
{
	ASSERT(s->state == 0);
}

static bool queues_for(const struct fiber *f, const struct os_rwsem *s)
{
	return f->wait_for == s && (f->wait == WAIT_READ || f->wait == WAIT_WRITE);
}

static struct fiber *queue_head(const struct os_rwsem *s)
{
	struct fiber *f, *head = NULL;

	list_for_each_entry (f, &sched->waiting, node)
		if (queues_for(f, s) && (!head || f->ticket < head->ticket))
			head = f;
	return head;
}

static void mark_queue(struct os_rwsem *s)
{
	s->state = (s->state & ~QUEUED) | (s->guard || queue_head(s) ? QUEUED : 0);
}

static void grant_readers(struct os_rwsem *s)
{
	struct fiber *f;

	while (!s->guard && (f = queue_head(s)) && f->wait == WAIT_READ) {
		f->granted = true;
		s->state++;
		sched_wake(f);
	}
	mark_queue(s);
}

/* The last holder has left. */
static void hand_over(struct os_rwsem *s)
{
	struct fiber *head = s->guard ? NULL : queue_head(s);

	if (head && head->wait == WAIT_WRITE) {
		s->guard++;
		sched_wake(head);
	}
	grant_readers(s);
}

static void take_shared(struct os_rwsem *s)
{
	if (!(s->state & (WRITER | QUEUED))) {
		s->state++;
		return;
	}
	sched->current->ticket = ++tickets;
	s->state |= QUEUED;
	sched_block(WAIT_READ, s, s->name, NEVER);
	ASSERT(sched->current->granted);
}

static void take_exclusive(struct os_rwsem *s)
{
	struct fiber *f = sched->current;

	f->losses = 0;
	f->ticket = ++tickets;
	while (s->state & ~QUEUED) {
		s->state |= QUEUED;
		sched_block(WAIT_WRITE, s, s->name, NEVER);
		s->guard--;
		if (s->state & ~QUEUED)
			sched_lost(f);
	}
	s->state |= WRITER;
	mark_queue(s);
}

static void lock_shared(struct os_rwsem *s, unsigned order, const void *where)
{
	LOCK_CHECK(s, order, where);
	sched_point(POINT_LOCK, s->name);
	take_shared(s);
	rank_where = where;
	rank_push(s, (enum lock_rank)s->rank, order, s->name, RANK_SHARED);
}

void os_rwsem_lock_shared(struct os_rwsem *s)
{
	lock_shared(s, 0, __builtin_return_address(0));
}

void os_rwsem_lock_shared_nested(struct os_rwsem *s, unsigned order)
{
	lock_shared(s, order, __builtin_return_address(0));
}

static void lock_exclusive(struct os_rwsem *s, unsigned order, const void *where)
{
	LOCK_CHECK(s, order, where);
	sched_point(POINT_LOCK, s->name);
	take_exclusive(s);
	LOCK_PUSH(s, order, RANK_EXCLUSIVE, where);
}

void os_rwsem_lock(struct os_rwsem *s)
{
	lock_exclusive(s, 0, __builtin_return_address(0));
}

void os_rwsem_lock_nested(struct os_rwsem *s, unsigned order)
{
	lock_exclusive(s, order, __builtin_return_address(0));
}

bool os_rwsem_trylock_shared(struct os_rwsem *s)
{
	sched_point(POINT_LOCK, s->name);
	if (s->state & (WRITER | QUEUED))
		return false;
	s->state++;
	rank_where = __builtin_return_address(0);
	rank_push(s, (enum lock_rank)s->rank, 0, s->name, RANK_SHARED);
	return true;
}

bool os_rwsem_trylock(struct os_rwsem *s)
{
	sched_point(POINT_LOCK, s->name);
	if (s->state)
		return false;
	s->state = WRITER;
	LOCK_PUSH(s, 0, RANK_EXCLUSIVE, __builtin_return_address(0));
	return true;
}

/* Who gets it next may free it: nothing touches it after hand_over. */
void os_rwsem_unlock_shared(struct os_rwsem *s)
{
	const char *name = s->name;

	rank_where = __builtin_return_address(0);
	rank_pop(s, RANK_SHARED, name);
	if (!(--s->state & ~QUEUED))
		hand_over(s);
	sched_point(POINT_UNLOCK, name);
}

void os_rwsem_unlock(struct os_rwsem *s)
{
	const char *name = s->name;

	LOCK_POP(s, RANK_EXCLUSIVE, __builtin_return_address(0));
	BUG_ON(!(s->state & WRITER));
	s->state &= ~WRITER;
	hand_over(s);
	sched_point(POINT_UNLOCK, name);
}

void os_rwsem_downgrade(struct os_rwsem *s)
{
	rank_where = __builtin_return_address(0);
	rank_downgrade(s, s->name);
	BUG_ON(!(s->state & WRITER));
	s->owner = 0;
	s->state = (s->state & ~WRITER) + 1;
	grant_readers(s);
	sched_point(POINT_UNLOCK, s->name);
}

bool os_rwsem_held(const struct os_rwsem *s)
{
	return rank_held(s, false);
}

bool os_rwsem_held_shared(const struct os_rwsem *s)
{
	return rank_held(s, true);
}
