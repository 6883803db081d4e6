/* The count of direct I/O in flight, which truncate and its like wait for (IO-58, IO-136). */
#include "inode/dio.h"
#include "base/trace.h"
#include "inode/inode_priv.h"

#define LOOK_AGAIN_NS NSEC_PER_MSEC
#define DIO_WAITED                                                                                 \
	(1u << 31) /* beside the count: the holder of the inode lock sleeps on dio_idle */

void inode_dio_begin(struct inode *i)
{
	ASSERT(os_rwsem_held_shared(&i->lock));
	atomic_add(&i->dio_in_flight, 1);
}

void inode_dio_end(struct inode *i)
{
	u32 left = atomic_sub(&i->dio_in_flight, 1);

	ASSERT((left & ~DIO_WAITED) != ~DIO_WAITED);
	if (left == DIO_WAITED)
		os_completion_complete(&i->dio_idle);
}

void dio_reaper_add(struct volume *v, struct dio_reaper *r)
{
	struct dio_reapers *all = icache_reapers(v);

	os_rwsem_lock(&all->lock);
	list_add_tail(&all->list, &r->node);
	os_rwsem_unlock(&all->lock);
}

void dio_reaper_remove(struct volume *v, struct dio_reaper *r)
{
	struct dio_reapers *all = icache_reapers(v);

	os_rwsem_lock(&all->lock);
	list_del(&r->node);
	os_rwsem_unlock(&all->lock);
}

static bool help_reaping(struct inode *i)
{
	struct dio_reapers *all = icache_reapers(i->volume);
	struct dio_reaper *r;
	bool helped = false;

	os_rwsem_lock_shared(&all->lock);
	list_for_each_entry (r, &all->list, node)
		if (!os_completion_done(&i->dio_idle))
			helped |= r->reap(r);
	os_rwsem_unlock_shared(&all->lock);
	return helped;
}

/*
 * With nothing to reap, what is left ends by itself, or its owner has not given it to the device
 * yet: then it is worth another look soon.
 */
static void wait_idle(struct inode *i)
{
	while (!os_completion_done(&i->dio_idle))
		if (!help_reaping(i))
			(void)os_completion_wait_until(
				&i->dio_idle, os_clock_mono() + LOOK_AGAIN_NS);
}

/* Nobody else can wait meanwhile, nor begin: both need the inode lock. */
void inode_dio_wait(struct inode *i)
{
	ASSERT(os_rwsem_held(&i->lock));
	os_rank_assert_none_from(RANK_INVALIDATE);
	if (atomic_load_acq(&i->dio_in_flight) == 0)
		return;
	TRACE("dio_wait", i->ino, 0);
	os_completion_init(&i->dio_idle);
	if (atomic_or(&i->dio_in_flight, DIO_WAITED) != 0)
		wait_idle(i);
	atomic_and(&i->dio_in_flight, ~DIO_WAITED);
}

bool inode_dio_busy(const struct inode *i)
{
	return atomic_load_acq(&i->dio_in_flight) != 0;
}
