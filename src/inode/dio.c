/* The count of direct I/O in flight, which truncate and its like wait for (IO-58, IO-136). */
#include "inode/dio.h"
#include "base/trace.h"
#include "inode/inode_priv.h"

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
		os_completion_wait(&i->dio_idle);
	atomic_and(&i->dio_in_flight, ~DIO_WAITED);
}

bool inode_dio_busy(const struct inode *i)
{
	return atomic_load_acq(&i->dio_in_flight) != 0;
}
