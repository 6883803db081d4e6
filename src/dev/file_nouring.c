/* Builds without liburing: every queue works by plain calls. */
#include "base/err.h"
#include "dev/file_priv.h"

int ring_create(struct file_dev *f, unsigned depth, struct ring **out)
{
	return -ENOSYS;
}

void ring_destroy(struct ring *r)
{
}

int ring_set_event(struct ring *r, int fd)
{
	return 0;
}

void ring_submit(struct file_queue *q, struct dev_req **reqs, unsigned n)
{
}

void ring_reap(struct file_queue *q, unsigned min, u64 deadline_ns)
{
}
