/*
 * The contract of dev.h, run over every device: random batches of requests
 * that do not overlap against a model in memory.
 */
#include "dev_test.h"

#include <stdlib.h>

#define BATCH_MAX 300 /* more than the depth of any queue here */
#define ROUNDS 12
#define CELL_BYTES 4096u /* the device is cut into cells; a batch uses each at most once */
#define CELLS (ZOO_BYTES / CELL_BYTES)

struct model {
	struct dev *dev;
	struct rng rng;
	u8 *bytes;
	u8 *unknown; /* per 512 bytes: discarded and not written since */
};

struct job {
	struct dev_req req;
	struct iovec iov[5];
	u8 *memory;
	unsigned done_calls;
};

static u64 completed;

static void job_done(struct dev_req *req)
{
	((struct job *)req)->done_calls++;
	completed++;
}

static void model_init(struct model *m, const struct zoo_entry *z, u64 seed)
{
	print_message("# %s\n", z->name);
	assert_int_equal(z->make(&m->dev), 0);
	assert_int_equal(m->dev->info.size, ZOO_BYTES);
	rng_init(&m->rng, seed);
	m->bytes = calloc(1, ZOO_BYTES);
	m->unknown = calloc(1, ZOO_BYTES / 512);
}

static void model_fini(struct model *m)
{
	dev_close(m->dev);
	free(m->bytes);
	free(m->unknown);
}

/* Random segments, unaligned memory, lengths that need not be whole blocks. */
static void job_segments(struct model *m, struct job *j)
{
	bool aligned = rng_below(&m->rng, 2);
	u32 count = 1 + (u32)rng_below(&m->rng, 5);
	u64 left = j->req.len;
	u8 *at;

	j->memory = os_alloc_pages(j->req.len + 4096);
	at = j->memory + (aligned ? 0 : 1 + rng_below(&m->rng, 4000));
	j->req.iov = j->iov;
	j->req.iov_count = count;
	for (u32 i = 0; i < count; i++) {
		u64 n = i + 1 == count ? left : rng_below(&m->rng, left + 1);

		if (aligned && i + 1 < count)
			n = round_down_to(n, m->dev->info.block_size);
		j->iov[i] = (struct iovec){at, n};
		at += n;
		left -= n;
	}
}

static void job_fill(struct model *m, struct job *j)
{
	for (unsigned i = 0; i < j->req.iov_count; i++)
		for (size_t k = 0; k < j->iov[i].iov_len; k++)
			((u8 *)j->iov[i].iov_base)[k] = (u8)rng_u64(&m->rng);
}

static enum dev_op op_pick(struct model *m)
{
	static const enum dev_op ops[] = {DEV_READ, DEV_READ, DEV_READ, DEV_WRITE, DEV_WRITE,
		DEV_WRITE, DEV_WRITE_ZEROES, DEV_DISCARD, DEV_FLUSH};
	enum dev_op op = ops[rng_below(&m->rng, array_len(ops))];

	return op == DEV_DISCARD && !m->dev->info.can_discard ? DEV_WRITE_ZEROES : op;
}

static void job_plan(struct model *m, struct job *j, u64 cell, u64 cells)
{
	u32 bs = m->dev->info.block_size;
	u64 room = cells * CELL_BYTES / bs, first = rng_below(&m->rng, room);

	*j = (struct job){.req = {.op = op_pick(m), .result = 12345, .done = job_done}};
	if (j->req.op == DEV_FLUSH)
		return;
	j->req.offset = cell * CELL_BYTES + first * bs;
	j->req.len = (1 + rng_below(&m->rng, room - first)) * bs;
	if (j->req.op == DEV_WRITE || j->req.op == DEV_WRITE_ZEROES)
		j->req.flags = (u32)(rng_below(&m->rng, 8) ? 0 : rng_below(&m->rng, 4));
	if (j->req.op == DEV_READ || j->req.op == DEV_WRITE)
		job_segments(m, j);
	if (j->req.op == DEV_WRITE)
		job_fill(m, j);
}

static void job_check_read(const struct model *m, const struct job *j)
{
	u8 *got = malloc(j->req.len);
	u64 skip;

	iov_copy_out(j->req.iov, 0, got, j->req.len);
	for (skip = 0; skip < j->req.len; skip += 512)
		if (!m->unknown[(j->req.offset + skip) / 512])
			assert_memory_equal(got + skip, m->bytes + j->req.offset + skip, 512);
	free(got);
}

static void job_apply(struct model *m, struct job *j)
{
	u8 *at = m->bytes + j->req.offset;

	assert_int_equal(j->req.result, 0);
	assert_int_equal(j->done_calls, 1);
	if (j->req.op == DEV_READ)
		job_check_read(m, j);
	else if (j->req.op == DEV_WRITE)
		iov_copy_out(j->req.iov, 0, at, j->req.len);
	else if (j->req.op == DEV_WRITE_ZEROES)
		memset(at, 0, j->req.len);
	if (j->req.op == DEV_WRITE || j->req.op == DEV_WRITE_ZEROES || j->req.op == DEV_DISCARD)
		memset(m->unknown + j->req.offset / 512, j->req.op == DEV_DISCARD,
			j->req.len / 512);
	if (j->memory)
		os_free_pages(j->memory, j->req.len + 4096);
}

/* Cells are dealt out in order, so no two requests of a batch overlap. */
static unsigned batch_plan(struct model *m, struct job *jobs, struct dev_req **reqs)
{
	u64 cell = rng_below(&m->rng, CELLS / 2);
	unsigned n = 0, limit = 1 + (unsigned)rng_below(&m->rng, BATCH_MAX);

	while (n < limit && cell < CELLS) {
		u64 cells = rng_below(&m->rng, 20) ? 1 : 1 + rng_below(&m->rng, 60);

		cells = min_of(cells, CELLS - cell);
		job_plan(m, &jobs[n], cell, cells);
		reqs[n] = &jobs[n].req;
		cell += cells;
		n++;
	}
	return n;
}

static void batch_run(struct model *m, struct dev_queue *q)
{
	static struct job jobs[BATCH_MAX];
	static struct dev_req *reqs[BATCH_MAX];
	unsigned n = batch_plan(m, jobs, reqs), half = n / 2, ran = 0;

	completed = 0;
	dev_submit(q, reqs, half);
	dev_submit(q, reqs + half, n - half);
	assert_int_equal(completed, 0); /* submitting calls nobody back */
	assert_int_equal(q->in_flight, n);
	while (q->in_flight) {
		unsigned min = 1 + (unsigned)rng_below(&m->rng, 10), left = q->in_flight, got;

		got = (unsigned)dev_reap(q, min, 0);
		assert_true(got >= min_of(min, left));
		ran += got;
	}
	assert_int_equal(ran, n);
	assert_int_equal(completed, n);
	for (unsigned i = 0; i < n; i++)
		job_apply(m, &jobs[i]);
}

static void whole_check(struct model *m)
{
	u8 *all = malloc(ZOO_BYTES);

	assert_int_equal(dev_read(m->dev, 0, all, ZOO_BYTES), 0);
	for (u64 at = 0; at < ZOO_BYTES; at += 512)
		if (!m->unknown[at / 512])
			assert_memory_equal(all + at, m->bytes + at, 512);
	free(all);
}

static void test_random_batches(void **state)
{
	for (unsigned z = 0; z < zoo_count; z++)
		for (u64 seed = 1; seed <= 2; seed++) {
			struct dev_queue *q;
			struct model m;

			model_init(&m, &zoo[z], seed);
			assert_int_equal(dev_queue_create(m.dev, seed == 1 ? 7 : 64, &q), 0);
			for (unsigned i = 0; i < ROUNDS; i++)
				batch_run(&m, q);
			dev_queue_destroy(q);
			whole_check(&m);
			model_fini(&m);
		}
}

static void test_sync_calls(void **state)
{
	for (unsigned z = 0; z < zoo_count; z++) {
		struct model m;
		u8 out[8192 + 3], in[8192 + 3];

		model_init(&m, &zoo[z], 1);
		memset(out, 0x5a, sizeof(out));
		assert_int_equal(dev_write(m.dev, 8192, out + 3, 8192, DEV_FUA | DEV_PREFLUSH), 0);
		assert_int_equal(dev_read(m.dev, 8192, in + 1, 8192), 0);
		assert_memory_equal(in + 1, out + 3, 8192);
		assert_int_equal(dev_flush(m.dev), 0);
		assert_int_equal(dev_write_zeroes(m.dev, 12288, 4096, DEV_FUA), 0);
		memset(out + 3 + 4096, 0, 4096);
		assert_int_equal(dev_read(m.dev, 8192, in + 1, 8192), 0);
		assert_memory_equal(in + 1, out + 3, 8192);
		assert_int_equal(dev_read(m.dev, 0, NULL, 0), 0);
		model_fini(&m);
	}
}

static bool is_zero(const u8 *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

/* Large enough for the devices' own shortcuts, with odd edges; what is around stays. */
static void test_large_zeroes(void **state)
{
	static u8 all[ZOO_BYTES];
	const u64 from = 61440, to = ZOO_BYTES - 126976;

	for (unsigned z = 0; z < zoo_count; z++)
		for (unsigned flags = 0; flags <= DEV_FUA; flags++) {
			struct model m;

			model_init(&m, &zoo[z], 1);
			memset(all, 0x77, sizeof(all));
			assert_int_equal(dev_write(m.dev, 0, all, ZOO_BYTES, 0), 0);
			assert_int_equal(dev_write_zeroes(m.dev, from, to - from, flags), 0);
			assert_int_equal(dev_read(m.dev, 0, all, ZOO_BYTES), 0);
			assert_true(is_zero(all + from, to - from));
			for (u64 i = 0; i < ZOO_BYTES; i = i == from - 1 ? to : i + 1)
				assert_int_equal(all[i], 0x77);
			model_fini(&m);
		}
}

/* Files and memory read zeros after a discard, whatever a disk may do. */
static void test_discard(void **state)
{
	static u8 all[ZOO_BYTES];

	for (unsigned z = 0; z < zoo_count; z++) {
		struct model m;

		model_init(&m, &zoo[z], 1);
		memset(all, 0x77, sizeof(all));
		assert_int_equal(dev_write(m.dev, 0, all, ZOO_BYTES, 0), 0);
		if (m.dev->info.can_discard) {
			assert_int_equal(dev_discard(m.dev, 4096, ZOO_BYTES - 8192), 0);
			assert_int_equal(dev_read(m.dev, 0, all, ZOO_BYTES), 0);
			assert_true(is_zero(all + 4096, ZOO_BYTES - 8192));
			assert_int_equal(all[4095], 0x77);
			assert_int_equal(all[ZOO_BYTES - 4096], 0x77);
		} else {
			assert_int_equal(dev_discard(m.dev, 4096, 4096), -EOPNOTSUPP);
		}
		model_fini(&m);
	}
}

/* One request with more segments and bytes than one system call moves at once. */
static void test_many_segments(void **state)
{
	enum { SEGMENTS = 1500, BYTES = SEGMENTS * 1024 };
	static struct iovec iov[SEGMENTS + 1];

	for (unsigned z = 0; z < zoo_count; z++)
		for (unsigned odd = 0; odd < 2; odd++) {
			u32 step = max_of(zoo[z].name[0] == 'r' ? 4096u : 1024u, 1024u);
			unsigned count = BYTES / step;
			struct dev_req req = {.op = DEV_WRITE, .len = (u64)count * step};
			u8 *mem = os_alloc_pages(BYTES), *back = malloc(BYTES);
			struct dev_queue *q;
			struct model m;

			model_init(&m, &zoo[z], 1);
			for (unsigned i = 0; i < BYTES; i++)
				mem[i] = (u8)rng_u64(&m.rng);
			for (unsigned i = 0; i < count; i++)
				iov[i] = (struct iovec){mem + i * step, step};
			iov[0].iov_len -= odd;
			if (odd)
				iov[1] = (struct iovec){(u8 *)iov[1].iov_base - 1, step + 1};
			req.iov = iov;
			req.iov_count = count;
			assert_int_equal(dev_queue_get(m.dev, &q), 0);
			run(q, &req);
			assert_int_equal(dev_read(m.dev, 0, back, req.len), 0);
			assert_memory_equal(back, mem, req.len);
			memset(mem, 0, BYTES);
			req.op = DEV_READ;
			run(q, &req);
			assert_memory_equal(back, mem, req.len);
			dev_queue_put(q);
			model_fini(&m);
			os_free_pages(mem, BYTES);
			free(back);
		}
}

/* Aligned memory, but segments that end inside a block. */
static void test_odd_segments(void **state)
{
	for (unsigned z = 0; z < zoo_count; z++) {
		u8 *mem = os_alloc_pages(3 * 4096), back[4096];
		struct iovec iov[3] = {{mem, 700}, {mem + 4096, 0}, {mem + 8192, 3396}};
		struct dev_req req = {
			.op = DEV_WRITE, .offset = 8192, .len = 4096, .iov = iov, .iov_count = 3};
		struct dev_queue *q;
		struct model m;

		model_init(&m, &zoo[z], 1);
		memset(mem, 1, 700);
		memset(mem + 8192, 2, 3396);
		assert_int_equal(dev_queue_get(m.dev, &q), 0);
		run(q, &req);
		assert_int_equal(dev_read(m.dev, 8192, back, 4096), 0);
		for (unsigned i = 0; i < 4096; i++)
			assert_int_equal(back[i], i < 700 ? 1 : 2);
		memset(mem, 0, 3 * 4096);
		req.op = DEV_READ;
		run(q, &req);
		assert_int_equal(mem[699], 1);
		assert_int_equal(mem[700], 0);
		assert_int_equal(mem[8192 + 3395], 2);
		dev_queue_put(q);
		model_fini(&m);
		os_free_pages(mem, 3 * 4096);
	}
}

struct chain {
	struct dev_req req;
	struct iovec iov;
	struct dev_queue *q;
	unsigned left;
	u8 *mem;
};

static void chain_next(struct dev_req *req)
{
	struct chain *c = (struct chain *)req;
	struct dev_req *again = req;

	assert_int_equal(req->result, 0);
	if (--c->left)
		dev_submit(c->q, &again, 1);
}

/* Callbacks submit to the queue that calls them, also with its depth used up. */
static void test_callbacks_submit(void **state)
{
	enum { CHAINS = 40 };

	for (unsigned z = 0; z < zoo_count; z++) {
		static struct chain c[CHAINS];
		struct dev_req *reqs[CHAINS];
		struct dev_queue *q;
		struct model m;

		model_init(&m, &zoo[z], 1);
		assert_int_equal(dev_queue_create(m.dev, 4, &q), 0);
		for (unsigned i = 0; i < CHAINS; i++) {
			c[i] = (struct chain){.q = q, .left = 10, .mem = os_alloc_pages(4096)};
			c[i].iov = (struct iovec){c[i].mem, 4096};
			c[i].req = (struct dev_req){.op = DEV_READ,
				.offset = i * 4096,
				.len = 4096,
				.iov = &c[i].iov,
				.iov_count = 1,
				.done = chain_next};
			reqs[i] = &c[i].req;
		}
		dev_submit(q, reqs, CHAINS);
		dev_drain(q);
		for (unsigned i = 0; i < CHAINS; i++) {
			assert_int_equal(c[i].left, 0);
			os_free_pages(c[i].mem, 4096);
		}
		dev_queue_destroy(q);
		model_fini(&m);
	}
}

static void check_one(struct dev *dev, struct dev_req req, int expected)
{
	struct dev_req *r = &req;
	struct dev_queue *q;

	req.result = 1;
	req.done = job_done;
	assert_int_equal(dev_queue_get(dev, &q), 0);
	completed = 0;
	req.done = NULL;
	dev_submit(q, &r, 1);
	assert_int_equal(q->in_flight, 1);
	assert_int_equal(dev_reap(q, 1, 0), 1);
	assert_int_equal(req.result, expected);
	dev_queue_put(q);
}

static void test_bad_requests(void **state)
{
	static u8 mem[8192];

	for (unsigned z = 0; z < zoo_count; z++) {
		struct iovec iov = {mem, 4096};
		struct dev_req ok = {.op = DEV_READ, .len = 4096, .iov = &iov, .iov_count = 1}, r;
		struct model m;

		model_init(&m, &zoo[z], 1);
		check_one(m.dev, ok, 0);
		r = ok, r.offset = 17;
		check_one(m.dev, r, -EINVAL);
		r = ok, r.len = 0;
		check_one(m.dev, r, -EINVAL);
		r = ok, r.len = 8192;
		check_one(m.dev, r, -EINVAL);
		r = ok, r.flags = DEV_FUA;
		check_one(m.dev, r, -EINVAL);
		r = ok, r.op = 77;
		check_one(m.dev, r, -EINVAL);
		r = ok, r.offset = ZOO_BYTES;
		check_one(m.dev, r, -EIO);
		r = ok, r.offset = (u64)0 - 4096;
		check_one(m.dev, r, -EIO);
		r = ok, r.op = DEV_WRITE_ZEROES, r.offset = 4096, r.len = (u64)0 - 4096;
		check_one(m.dev, r, -EIO);
		model_fini(&m);
	}
}

/* A deadline ends the wait, but nothing in flight is lost. min 0 does not wait. */
static void test_deadline(void **state)
{
	for (unsigned z = 0; z < zoo_count; z++) {
		struct dev_req req = {.op = DEV_FLUSH}, *r = &req;
		struct dev_queue *q;
		struct model m;
		int n;

		model_init(&m, &zoo[z], 1);
		assert_int_equal(dev_queue_get(m.dev, &q), 0);
		assert_int_equal(dev_reap(q, 5, 0), 0); /* nothing in flight */
		dev_submit(q, &r, 1);
		n = dev_reap(q, 0, 0);
		while (q->in_flight) {
			int got = dev_reap(q, 1, os_clock_mono() + 1000);

			assert_true(got == 0 || got == 1);
			n += got;
		}
		assert_int_equal(n, 1);
		assert_int_equal(req.result, 0);
		dev_queue_put(q);
		model_fini(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_batches),
		cmocka_unit_test(test_sync_calls),
		cmocka_unit_test(test_large_zeroes),
		cmocka_unit_test(test_discard),
		cmocka_unit_test(test_many_segments),
		cmocka_unit_test(test_odd_segments),
		cmocka_unit_test(test_callbacks_submit),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
