/* Queues between threads: the pool, its reserves, hand-over, many users of one device. */
#include "dev_test.h"

#include "base/trace.h"
#include "os/lock.h"

#define THREADS 6
#define REGION_BYTES (ZOO_BYTES / 16)
#define PAGE 4096u

struct worker {
	struct dev *dev;
	unsigned nr;
	unsigned rounds;
};

static void sync_round(struct worker *w, struct rng *r)
{
	u8 out[PAGE + 1], in[PAGE + 1];
	u64 at = w->nr * REGION_BYTES + rng_below(r, REGION_BYTES / PAGE) * PAGE;

	memset(out, (int)rng_u64(r), sizeof(out));
	assert_int_equal(dev_write(w->dev, at, out + 1, PAGE, (u32)rng_below(r, 2)), 0);
	assert_int_equal(dev_read(w->dev, at, in, PAGE), 0);
	assert_memory_equal(in, out + 1, PAGE);
}

/* A batch over the region, with sync calls while the queue is held. */
static void batch_round(struct worker *w, struct rng *r)
{
	enum { N = REGION_BYTES / PAGE };
	struct dev_req req[N], *reqs[N];
	struct iovec iov[N];
	u8 *mem = os_alloc_pages(REGION_BYTES), tag = (u8)rng_u64(r), block[PAGE];
	struct dev_queue *q;

	memset(mem, tag, REGION_BYTES);
	for (u32 i = 0; i < N; i++) {
		iov[i] = (struct iovec){mem + i * PAGE, PAGE};
		req[i] = (struct dev_req){.op = DEV_WRITE,
			.offset = w->nr * REGION_BYTES + i * PAGE,
			.len = PAGE,
			.iov = &iov[i],
			.iov_count = 1};
		reqs[i] = &req[i];
	}
	assert_int_equal(dev_queue_get(w->dev, &q), 0);
	dev_submit(q, reqs, N);
	assert_int_equal(dev_read(w->dev, ZOO_BYTES - PAGE, block, PAGE), 0);
	dev_drain(q);
	memset(mem, 0, REGION_BYTES);
	for (u32 i = 0; i < N; i++) {
		assert_int_equal(req[i].result, 0);
		req[i].op = DEV_READ;
	}
	dev_submit(q, reqs, N);
	dev_queue_put(q); /* drains */
	for (u32 i = 0; i < REGION_BYTES; i++)
		assert_int_equal(mem[i], tag);
	os_free_pages(mem, REGION_BYTES);
}

static void worker_run(void *arg)
{
	struct worker *w = arg;
	struct rng r;

	rng_init(&r, w->nr);
	for (unsigned i = 0; i < w->rounds; i++) {
		sync_round(w, &r);
		if (i % 4 == 0)
			batch_round(w, &r);
		if (i % 8 == 0)
			assert_int_equal(dev_flush(w->dev), 0);
	}
}

static void workers_run(struct dev *dev, unsigned rounds)
{
	struct worker w[THREADS];
	struct os_thread *t[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		w[i] = (struct worker){dev, i, rounds};
		t[i] = spawn(worker_run, &w[i]);
	}
	for (unsigned i = 0; i < THREADS; i++)
		os_thread_join(t[i]);
}

static void test_many_threads(void **state)
{
	for (unsigned z = 0; z < zoo_count; z++) {
		struct dev *dev;

		print_message("# %s\n", zoo[z].name);
		assert_int_equal(zoo[z].make(&dev), 0);
		workers_run(dev, 12);
		dev_close(dev);
	}
}

/* Only what ends at a ring takes requests side by side. */
static void test_serial(void **state)
{
	for (unsigned z = 0; z < zoo_count; z++) {
		struct dev_queue *q;
		struct dev *dev;

		print_message("# %s\n", zoo[z].name);
		assert_int_equal(zoo[z].make(&dev), 0);
		assert_int_equal(dev_queue_create(dev, 8, &q), 0);
		assert_int_equal(q->serial, !zoo[z].ring || !uring_works());
		dev_queue_destroy(q);
		dev_close(dev);
	}
}

static bool fail_alloc(const char *name)
{
	return strcmp(name, "os_alloc") == 0;
}

static void reserve_worker(void *arg)
{
	struct worker *w = arg;
	static u8 mem[THREADS][PAGE] __attribute__((aligned(4096)));

	for (unsigned i = 0; i < w->rounds; i++) {
		struct dev_queue *q;

		assert_int_equal(dev_queue_get(w->dev, &q), 0);
		os_yield();
		assert_int_equal(dev_write(w->dev, w->nr * PAGE, mem[w->nr], PAGE, 0), 0);
		dev_queue_put(q);
		assert_int_equal(dev_read(w->dev, w->nr * PAGE, mem[w->nr], PAGE), 0);
	}
}

static struct os_completion started;

static void reserve_thread(void *arg)
{
	os_completion_wait(&started);
	reserve_worker(arg);
}

/* Without any memory all threads share the two reserves and get through. */
static void reserves_run(const struct zoo_entry *z)
{
	struct worker w[THREADS];
	struct os_thread *t[THREADS];
	struct dev *dev;

	assert_int_equal(z->make(&dev), 0);
	os_completion_init(&started);
	for (unsigned i = 0; i < THREADS; i++) {
		w[i] = (struct worker){dev, i, 5};
		t[i] = spawn(reserve_thread, &w[i]);
	}
	fault_hook = fail_alloc;
	os_completion_complete(&started);
	for (unsigned i = 0; i < THREADS; i++)
		os_thread_join(t[i]);
	fault_hook = NULL;
	dev_close(dev);
}

static void test_reserves(void **state)
{
	for (unsigned z = 0; z < zoo_count; z++)
		if (!strstr(zoo[z].name, "overlay") && !strstr(zoo[z].name, "record") &&
			!strstr(zoo[z].name, "tower")) /* those keep what is written in memory */
			reserves_run(&zoo[z]);
}

/* A device that completes requests when it is told to. */
struct slow_dev {
	struct dev dev;
	unsigned allowed, queues;
};

struct slow_queue {
	struct dev_queue base;
	struct list held;
};

static int slow_create(struct dev *dev, unsigned depth, struct dev_queue **out)
{
	struct slow_queue *q = os_zalloc(sizeof(*q));

	assert_non_null(q);
	list_init(&q->held);
	((struct slow_dev *)dev)->queues++;
	*out = &q->base;
	return 0;
}

static void slow_destroy(struct dev_queue *q)
{
	((struct slow_dev *)q->dev)->queues--;
	os_free(q);
}

static void slow_submit(struct dev_queue *base, struct dev_req **reqs, unsigned n)
{
	struct slow_queue *q = (struct slow_queue *)base;

	assert_true(base->active <= base->depth);
	for (unsigned i = 0; i < n; i++)
		list_add_tail(&q->held, &reqs[i]->node);
}

static void slow_reap(struct dev_queue *base, unsigned min, u64 deadline_ns)
{
	struct slow_queue *q = (struct slow_queue *)base;
	struct slow_dev *d = (struct slow_dev *)base->dev;
	unsigned n = 0;

	for (; d->allowed && !list_empty(&q->held); n++, d->allowed--) {
		struct dev_req *r = list_first(&q->held, struct dev_req, node);

		list_del(&r->node);
		r->result = 0;
		dev_queue_complete(base, r);
	}
	if (n < min && !deadline_ns)
		fail_msg("waits for ever: %u of %u", n, min);
}

static void slow_close(struct dev *dev)
{
	assert_int_equal(((struct slow_dev *)dev)->queues, 0);
	os_free(dev);
}

static const struct dev_ops slow_ops = {
	.name = "slow",
	.queue_create = slow_create,
	.queue_destroy = slow_destroy,
	.submit = slow_submit,
	.reap = slow_reap,
	.close = slow_close,
};

static struct slow_dev *slow_make(void)
{
	struct slow_dev *d = os_zalloc(sizeof(*d));

	d->dev.ops = &slow_ops;
	d->dev.info = (struct dev_info){.size = 65536, .block_size = 512, .mem_align = 1};
	assert_int_equal(dev_setup(&d->dev), 0);
	return d;
}

static unsigned ran;

static void count_done(struct dev_req *req)
{
	ran++;
}

static void check_waits(struct dev *dev, struct slow_dev *slow)
{
	struct dev_req req[10], *reqs[10];
	struct dev_queue *q;

	for (unsigned i = 0; i < 10; i++) {
		req[i] = (struct dev_req){.op = DEV_FLUSH, .done = count_done};
		reqs[i] = &req[i];
	}
	ran = 0;
	assert_int_equal(dev_queue_create(dev, 4, &q), 0);
	dev_submit(q, reqs, 10);
	assert_int_equal(q->active, 4);
	assert_int_equal(dev_reap(q, 0, 0), 0);
	assert_int_equal(dev_reap(q, 1, 1), 0); /* the deadline: nothing is lost */
	assert_int_equal(q->in_flight, 10);
	slow->allowed = 3;
	assert_int_equal(dev_reap(q, 2, 0), 3); /* waits for no more than it needs */
	assert_int_equal(ran, 3);
	slow->allowed = 5;
	assert_int_equal(dev_reap(q, 5, 0), 5); /* feeds what was held back on the way */
	slow->allowed = 1;
	assert_int_equal(dev_reap(q, 2, 1), 1);
	slow->allowed = 1;
	dev_drain(q);
	assert_int_equal(ran, 10);
	dev_queue_destroy(q);
}

static void test_waits_as_asked(void **state)
{
	struct slow_dev *slow = slow_make();
	struct dev *dev = &slow->dev;

	check_waits(dev, slow);
	assert_int_equal(dev_partition_create(dev, false, 0, 0, &dev), 0);
	check_waits(dev, slow);
	assert_int_equal(dev_fault_create(dev, false, &dev), 0);
	check_waits(dev, slow);
	dev_close(dev);
}

/* Two at a time get two, and what is given back serves the next. */
static void test_pool_reuses(void **state)
{
	struct slow_dev *slow = slow_make();
	unsigned reserves = slow->queues;
	struct dev_queue *a, *b;

	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(dev_queue_get(&slow->dev, &a), 0);
		assert_int_equal(dev_queue_get(&slow->dev, &b), 0);
		assert_ptr_not_equal(a, b);
		dev_queue_put(a);
		dev_queue_put(b);
		assert_int_equal(slow->queues, reserves + 2);
	}
	dev_close(&slow->dev);
}

/* More idle queues than one shard keeps: the rest is destroyed, not leaked. */
static void test_pool_overflow(void **state)
{
	struct dev_queue *q[40];
	struct dev *dev = &slow_make()->dev; /* counts its queues */

	for (unsigned i = 0; i < array_len(q); i++)
		assert_int_equal(dev_queue_get(dev, &q[i]), 0);
	for (unsigned i = 0; i < array_len(q); i++)
		dev_queue_put(q[i]);
	dev_close(dev);
}

struct handover {
	struct dev_queue *q;
	struct dev_req req[32];
	struct iovec iov[32];
	u8 *mem;
	struct os_completion submitted, reaped;
};

static void submitter(void *arg)
{
	struct handover *h = arg;
	struct dev_req *reqs[32];

	for (unsigned i = 0; i < 32; i++) {
		h->iov[i] = (struct iovec){h->mem + i * PAGE, PAGE};
		h->req[i] = (struct dev_req){.op = i % 2 ? DEV_FLUSH : DEV_WRITE,
			.offset = i % 2 ? 0 : i * PAGE,
			.len = i % 2 ? 0 : PAGE,
			.iov = &h->iov[i],
			.iov_count = i % 2 ? 0 : 1,
			.result = 1};
		reqs[i] = &h->req[i];
	}
	dev_submit(h->q, reqs, 32);
	os_completion_complete(&h->submitted);
	os_completion_wait(&h->reaped); /* sleeps: others must not need it */
}

/* One thread submits and sleeps, another one reaps. */
static void test_queue_changes_hands(void **state)
{
	for (unsigned z = 0; z < zoo_count; z++) {
		struct handover h = {.mem = os_alloc_pages(32 * PAGE)};
		struct os_thread *t;
		struct dev *dev;

		memset(h.mem, 1, 32 * PAGE);
		assert_int_equal(zoo[z].make(&dev), 0);
		assert_int_equal(dev_queue_create(dev, 16, &h.q), 0);
		os_completion_init(&h.submitted);
		os_completion_init(&h.reaped);
		t = spawn(submitter, &h);
		os_completion_wait(&h.submitted);
		dev_drain(h.q);
		os_completion_complete(&h.reaped);
		os_thread_join(t);
		for (unsigned i = 0; i < 32; i++)
			assert_int_equal(h.req[i].result, 0);
		dev_queue_destroy(h.q);
		dev_close(dev);
		os_free_pages(h.mem, 32 * PAGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_threads),
		cmocka_unit_test(test_serial),
		cmocka_unit_test(test_reserves),
		cmocka_unit_test(test_waits_as_asked),
		cmocka_unit_test(test_pool_reuses),
		cmocka_unit_test(test_pool_overflow),
		cmocka_unit_test(test_queue_changes_hands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
