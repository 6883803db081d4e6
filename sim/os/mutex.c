/*
 * Mutex, condition and completion. Whoever wants a free mutex may take it, in
 * any order: an unlock wakes all who wait, and the strategy chooses.
 */
#include "os/assert.h"
#include "sim/os/lock_check.h"

#define SPURIOUS_ONE_IN 64

void os_mutex_init(struct os_mutex *m, enum lock_rank rank, const char *name)
{
	*m = (struct os_mutex)OS_MUTEX_INIT((u16)rank, name);
}

void os_mutex_fini(struct os_mutex *m)
{
	ASSERT(m->state == 0);
}

u64 os_lock_waits(void)
{
	return 0;
}

static void take(struct os_mutex *m)
{
	struct fiber *f = sched->current;

	f->losses = 0;
	while (m->state) {
		sched_block(WAIT_MUTEX, m, m->name, NEVER);
		if (m->state)
			sched_lost(f);
	}
	m->state = 1;
}

static void release(struct os_mutex *m)
{
	m->owner = 0;
	m->state = 0;
	sched_wake_all(WAIT_MUTEX, m);
}

static void lock(struct os_mutex *m, unsigned order, const void *where)
{
	LOCK_CHECK(m, order, where);
	sched_point(POINT_LOCK, m->name);
	take(m);
	LOCK_PUSH(m, order, RANK_EXCLUSIVE, where);
}

void os_mutex_lock(struct os_mutex *m)
{
	lock(m, 0, __builtin_return_address(0));
}

void os_mutex_lock_nested(struct os_mutex *m, unsigned order)
{
	lock(m, order, __builtin_return_address(0));
}

bool os_mutex_trylock(struct os_mutex *m)
{
	sched_point(POINT_LOCK, m->name);
	if (m->state)
		return false;
	m->state = 1;
	LOCK_PUSH(m, 0, RANK_EXCLUSIVE, __builtin_return_address(0));
	return true;
}

/* Who gets it next may free it: nothing touches it after release. */
void os_mutex_unlock(struct os_mutex *m)
{
	const char *name = m->name;

	LOCK_POP(m, RANK_EXCLUSIVE, __builtin_return_address(0));
	release(m);
	sched_point(POINT_UNLOCK, name);
}

bool os_mutex_held(const struct os_mutex *m)
{
	return rank_held(m, false);
}

void os_cond_init(struct os_cond *c, const char *name)
{
	*c = (struct os_cond)OS_COND_INIT(name);
}

static bool spurious(void)
{
	return sim_running() && !sched->config.punctual && sim_choose(SPURIOUS_ONE_IN) == 1;
}

/* The mutex stays on the checker's list over the wait, as in production. */
static bool cond_wait(struct os_cond *c, struct os_mutex *m, u64 deadline_ns)
{
	struct fiber *f = sched->current;
	bool in_time = true;

	ASSERT(os_mutex_held(m));
	if (unlikely(gates_closed))
		gate_pass(POINT_WAIT, c->name);
	c->waiters++;
	release(m);
	f->given_up = m;
	if (deadline_ns <= sched->clock_ns) {
		in_time = false;
		sched_point(POINT_WAIT, c->name);
	} else if (spurious()) {
		sched_point(POINT_WAIT, c->name);
	} else {
		sched_block(WAIT_COND, c, c->name, deadline_ns);
		in_time = !f->timed_out;
	}
	f->given_up = NULL;
	take(m);
	m->owner = f->id;
	c->waiters--;
	return in_time;
}

void os_cond_wait(struct os_cond *c, struct os_mutex *m)
{
	cond_wait(c, m, NEVER);
}

bool os_cond_wait_until(struct os_cond *c, struct os_mutex *m, u64 deadline_ns)
{
	return cond_wait(c, m, deadline_ns);
}

void os_cond_signal(struct os_cond *c)
{
	u32 n;

	sched_point(POINT_SIGNAL, c->name);
	n = c->waiters ? sched_waiters(WAIT_COND, c) : 0;
	if (n)
		sched_wake(sched_waiter(WAIT_COND, c, n > 1 ? sim_choose(n) : 0));
}

void os_cond_broadcast(struct os_cond *c)
{
	sched_point(POINT_SIGNAL, c->name);
	if (c->waiters)
		sched_wake_all(WAIT_COND, c);
}

void os_completion_init(struct os_completion *c)
{
	c->state = 0;
}

void os_completion_wait(struct os_completion *c)
{
	sched_point(POINT_WAIT, "completion");
	while (c->state != 1)
		sched_block(WAIT_COMPLETION, c, "completion", NEVER);
}

bool os_completion_wait_until(struct os_completion *c, u64 deadline_ns)
{
	sched_point(POINT_WAIT, "completion");
	while (c->state != 1) {
		if (deadline_ns <= sched->clock_ns)
			return false;
		sched_block(WAIT_COMPLETION, c, "completion", deadline_ns);
	}
	return true;
}

bool os_completion_done(const struct os_completion *c)
{
	sched_point(POINT_ATOMIC, "completion");
	return c->state == 1;
}

void os_completion_complete(struct os_completion *c)
{
	sched_point(POINT_SIGNAL, "completion");
	c->state = 1;
	sched_wake_all(WAIT_COMPLETION, c);
}

void os_rank_enter(enum lock_rank rank, const void *what, const char *name)
{
	rank_where = __builtin_return_address(0);
	rank_check(what, rank, 0, name);
	rank_push(what, rank, 0, name, RANK_PSEUDO);
}

void os_rank_leave(enum lock_rank rank, const void *what)
{
	rank_where = __builtin_return_address(0);
	rank_pop(what, RANK_PSEUDO, NULL);
}

void os_rank_assert_none_from(enum lock_rank rank)
{
	rank_where = __builtin_return_address(0);
	rank_assert_none_from(rank);
}
