#include "dev/inline_queue.h"
#include "base/err.h"
#include "dev/dev_driver.h"
#include "os/mem.h"

int inline_queue_create(struct dev *dev, unsigned depth, struct dev_queue **out)
{
	struct dev_queue *q = os_zalloc(sizeof(*q));

	if (!q)
		return ERR(ENOMEM);
	q->serial = true;
	*out = q;
	return 0;
}

void inline_queue_destroy(struct dev_queue *q)
{
	os_free(q);
}

void inline_reap(struct dev_queue *q, unsigned min, u64 deadline_ns)
{
}

void inline_submit(struct dev_queue *q, struct dev_req **reqs, unsigned n,
	int (*run)(struct dev *dev, struct dev_req *req))
{
	for (unsigned i = 0; i < n; i++) {
		reqs[i]->result = run(q->dev, reqs[i]);
		dev_queue_complete(q, reqs[i]);
	}
}
