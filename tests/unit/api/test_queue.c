/* Queues of requests: uext4/queue.h. */
#include "dir/dir_test.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define BLOCK 4096u
#define DEPTH 32
#define SECTORS (BLOCK / 512)

struct queue_test {
	struct dir_test t;
	struct uext4_file *file; /* O_DIRECT */
	struct uext4_queue *q;
	u8 *buf; /* DEPTH blocks, aligned */
};

static void up(struct queue_test *x, const char *mke2fs_options, u64 bytes)
{
	struct uext4_queue_options o = {.size = sizeof(o), .depth = DEPTH};

	*x = (struct queue_test){.buf = aligned_alloc(BLOCK, DEPTH * BLOCK)};
	dt_make(&x->t, 32 << 20, mke2fs_options);
	dt_up(&x->t);
	assert_int_equal(uext4_openat(x->t.fs, x->t.root, "file", O_RDWR | O_CREAT | O_DIRECT, 0644,
				 NULL, &x->file),
		0);
	memset(x->buf, 'a', BLOCK);
	for (u64 pos = 0; pos < bytes; pos += BLOCK)
		assert_int_equal(uext4_pwrite(x->file, x->buf, BLOCK, pos), BLOCK);
	assert_int_equal(uext4_queue_create(x->t.fs, &o, &x->q), 0);
}

static void down(struct queue_test *x)
{
	uext4_queue_destroy(x->q);
	uext4_file_close(x->file);
	dt_end(&x->t);
	free(x->buf);
}

static struct uext4_request rw(
	struct queue_test *x, enum uext4_op op, unsigned slot, u64 pos, u64 len)
{
	return (struct uext4_request){.op = op,
		.file = x->file,
		.buf = x->buf + slot * BLOCK,
		.len = len,
		.offset = pos,
		.user_data = slot};
}

static void one(struct queue_test *x, struct uext4_request r, s64 expect)
{
	struct uext4_completion c;

	r.user_data = 77;
	assert_int_equal(uext4_queue_submit(x->q, &r, 1), 1);
	assert_int_equal(uext4_queue_reap(x->q, &c, 1, 1, -1), 1);
	assert_int_equal(c.user_data, 77);
	assert_int_equal(c.result, expect);
}

static void test_batch(void **state)
{
	struct uext4_completion c[DEPTH];
	struct uext4_request r[DEPTH + 1];
	struct queue_test x;
	u32 seen = 0;

	up(&x, "-b 4096", DEPTH * BLOCK);
	for (unsigned k = 0; k < DEPTH; k++) {
		memset(x.buf + k * BLOCK, 'A' + (int)k, BLOCK);
		r[k] = rw(&x, UEXT4_OP_WRITE, k, k * BLOCK, BLOCK);
	}
	r[DEPTH] = r[0];
	assert_int_equal(uext4_queue_submit(x.q, r, DEPTH + 1), DEPTH); /* full */
	assert_int_equal(uext4_queue_submit(x.q, r, 1), -EAGAIN);
	assert_int_equal(uext4_queue_reap(x.q, c, 5, 5, -1), 5);
	assert_int_equal(uext4_queue_reap(x.q, c + 5, DEPTH, DEPTH, -1), DEPTH - 5);
	for (unsigned k = 0; k < DEPTH; k++) {
		assert_int_equal(c[k].result, BLOCK);
		seen |= 1u << c[k].user_data;
	}
	assert_int_equal(seen, UINT32_MAX);
	assert_int_equal(uext4_queue_reap(x.q, c, DEPTH, DEPTH, -1), 0); /* nothing to wait for */
	for (unsigned k = 0; k < DEPTH; k++) {
		memset(x.buf + k * BLOCK, 0, BLOCK);
		r[k] = rw(&x, UEXT4_OP_READ, k, (DEPTH - 1 - k) * BLOCK, BLOCK);
	}
	assert_int_equal(uext4_queue_submit(x.q, r, DEPTH), DEPTH);
	assert_int_equal(uext4_queue_reap(x.q, c, DEPTH, DEPTH, -1), DEPTH);
	for (unsigned k = 0; k < DEPTH; k++)
		for (unsigned n = 0; n < BLOCK; n++)
			assert_int_equal(x.buf[k * BLOCK + n], 'A' + DEPTH - 1 - k);
	down(&x);
}

/* Every kind of request, and what is wrong with some. */
static void test_IO_122_kinds(void **state)
{
	struct iovec iov[6];
	struct uext4_request r;
	struct queue_test x;
	struct uext4_file *plain, *reader;

	up(&x, "-b 4096", 8 * BLOCK);
	assert_int_equal(uext4_openat(x.t.fs, x.t.root, "file", O_RDWR, 0, NULL, &plain), 0);
	assert_int_equal(uext4_openat(x.t.fs, x.t.root, "file", O_RDONLY, 0, NULL, &reader), 0);
	one(&x, (struct uext4_request){.op = UEXT4_OP_NOP}, 0);
	one(&x, (struct uext4_request){.op = UEXT4_OP_READ}, -EBADF);
	one(&x, (struct uext4_request){.op = (enum uext4_op)99, .file = x.file}, -EINVAL);
	one(&x, rw(&x, UEXT4_OP_WRITE, 0, 512 * 3, 511), -EINVAL);
	one(&x, rw(&x, UEXT4_OP_WRITE, 0, 8 * BLOCK, BLOCK), BLOCK);  /* extends */
	one(&x, rw(&x, UEXT4_OP_WRITE, 0, 20 * BLOCK, BLOCK), BLOCK); /* behind a hole */
	one(&x, rw(&x, UEXT4_OP_WRITE, 0, 12 * BLOCK, 512), 512);     /* part of a hole */
	one(&x, rw(&x, UEXT4_OP_READ, 0, 21 * BLOCK, BLOCK), 0);
	for (unsigned k = 0; k < 6; k++)
		iov[k] = (struct iovec){x.buf + k * BLOCK, 512 * (k + 1)};
	r = rw(&x, UEXT4_OP_WRITE, 0, 0, 0);
	r.iov = iov;
	r.iov_count = 6;
	one(&x, r, 21 * 512);
	r.iov_count = -1;
	one(&x, r, -EINVAL);
	r = rw(&x, UEXT4_OP_WRITE, 0, 3, 5);
	r.file = plain;
	one(&x, r, 5);
	r.flags = UEXT4_RWF_NOWAIT;
	one(&x, r, -EOPNOTSUPP);
	r.file = reader;
	one(&x, r, -EBADF);
	r = rw(&x, UEXT4_OP_WRITE, 0, 0, BLOCK);
	r.flags = UEXT4_RWF_APPEND;
	one(&x, r, BLOCK);
	r.flags = UEXT4_RWF_NOWAIT;
	r.offset = 40 * BLOCK;
	one(&x, r, -EAGAIN); /* IO-43: would have to allocate */
	r.flags = UEXT4_RWF_DSYNC;
	one(&x, r, BLOCK);
	one(&x, (struct uext4_request){.op = UEXT4_OP_FSYNC, .file = x.file}, 0);
	one(&x, (struct uext4_request){.op = UEXT4_OP_FDATASYNC, .file = reader}, 0);
	one(&x,
		(struct uext4_request){
			.op = UEXT4_OP_FALLOCATE, .file = x.file, .offset = 50 * BLOCK, .len = 9},
		0);
	one(&x, rw(&x, UEXT4_OP_WRITE, 0, 42 * BLOCK, BLOCK), BLOCK);
	uext4_file_close(reader);
	uext4_file_close(plain);
	down(&x);
}

static void test_eventfd(void **state)
{
	struct pollfd p = {.events = POLLIN};
	struct uext4_request r[2];
	struct uext4_completion c[2];
	struct queue_test x;
	unsigned got = 0;
	u64 count;

	up(&x, "-b 4096", 4 * BLOCK);
	p.fd = uext4_queue_eventfd(x.q);
	assert_true(p.fd >= 0);
	assert_int_equal(uext4_queue_eventfd(x.q), p.fd);
	for (unsigned round = 0; round < 50; round++) {
		r[0] = rw(&x, UEXT4_OP_READ, 0, 0, BLOCK);
		r[1] = (struct uext4_request){.op = UEXT4_OP_FSYNC, .file = x.file};
		assert_int_equal(uext4_queue_submit(x.q, r, 2), 2);
		for (got = 0; got < 2;) {
			assert_int_equal(poll(&p, 1, -1), 1);
			assert_int_equal(read(p.fd, &count, sizeof(count)), sizeof(count));
			got += (unsigned)uext4_queue_reap(x.q, c, 2, 0, 0);
		}
	}
	down(&x);
}

/* One reap for each event, and that one waits: nothing stays behind that no event tells of. */
static void test_eventfd_and_waiting(void **state)
{
	struct pollfd p = {.events = POLLIN};
	struct uext4_completion c[DEPTH];
	struct uext4_request r[DEPTH];
	struct queue_test x;
	u64 count;

	up(&x, "-b 4096", DEPTH * BLOCK);
	p.fd = uext4_queue_eventfd(x.q);
	for (unsigned k = 0; k < DEPTH; k++)
		r[k] = rw(&x, UEXT4_OP_READ, k, k * BLOCK, BLOCK);
	for (unsigned round = 0; round < 50; round++) {
		assert_int_equal(uext4_queue_submit(x.q, r, DEPTH), DEPTH);
		for (int got = 0; got < DEPTH;) {
			assert_int_equal(poll(&p, 1, -1), 1);
			assert_int_equal(read(p.fd, &count, sizeof(count)), sizeof(count));
			got += uext4_queue_reap(x.q, c, DEPTH, 1, -1);
		}
	}
	down(&x);
}

static unsigned submit_writes(struct queue_test *x, unsigned round)
{
	struct uext4_request r[DEPTH];

	for (unsigned k = 0; k < DEPTH; k++) {
		memset(x->buf + k * BLOCK, 'a' + (int)((round + k) % 26), BLOCK);
		r[k] = rw(x, UEXT4_OP_WRITE, k, k * BLOCK, BLOCK);
	}
	return (unsigned)uext4_queue_submit(x->q, r, DEPTH);
}

/* Blocks that hold what submit_writes wrote; the others are zero. */
static unsigned count_written(struct queue_test *x, unsigned round)
{
	unsigned n = 0;

	for (unsigned k = 0; k < DEPTH; k++) {
		int c = 'a' + (int)((round + k) % 26);

		assert_int_equal(uext4_pread(x->file, x->buf, BLOCK, k * BLOCK), BLOCK);
		assert_true(x->buf[0] == c || x->buf[0] == 0);
		assert_memory_equal(x->buf, x->buf + 1, BLOCK - 1);
		n += x->buf[0] == c;
	}
	return n;
}

static void holes_again(struct queue_test *x)
{
	assert_int_equal(uext4_ftruncate(x->file, 0), 0);
	assert_int_equal(uext4_ftruncate(x->file, DEPTH * BLOCK), 0);
}

/* Writes into holes get their blocks on a thread and go to the device from within reap. */
static void test_eventfd_holes(void **state)
{
	struct pollfd p = {.events = POLLIN};
	struct uext4_completion c[DEPTH];
	struct queue_test x;
	u64 count;

	up(&x, "-b 4096", 0);
	p.fd = uext4_queue_eventfd(x.q);
	for (unsigned round = 0; round < 10; round++) {
		holes_again(&x);
		assert_int_equal(submit_writes(&x, round), DEPTH);
		for (unsigned got = 0; got < DEPTH;) {
			int n;

			assert_int_equal(poll(&p, 1, -1), 1);
			assert_int_equal(read(p.fd, &count, sizeof(count)), sizeof(count));
			n = uext4_queue_reap(x.q, c, DEPTH, 0, 0);
			for (int k = 0; k < n; k++)
				assert_int_equal(c[k].result, BLOCK);
			got += (unsigned)n;
		}
		assert_int_equal(count_written(&x, round), DEPTH);
	}
	down(&x);
}

enum { BY_WAITING, BY_EACH, BY_TIME, BY_LOOKING, BY_EVENT, WAYS };

/* How many completions of at most max the way brings at once. */
static int reap_by(struct queue_test *x, int way, struct uext4_completion *c, unsigned max)
{
	struct pollfd p = {.events = POLLIN};
	u64 count;

	switch (way) {
	case BY_WAITING:
		return uext4_queue_reap(x->q, c, max, max, -1);
	case BY_EACH:
		return uext4_queue_reap(x->q, c, 1, 1, -1);
	case BY_TIME:
		return uext4_queue_reap(x->q, c, max, max, 3600 * (s64)NSEC_PER_SEC);
	case BY_EVENT:
		p.fd = uext4_queue_eventfd(x->q);
		assert_int_equal(poll(&p, 1, -1), 1);
		assert_int_equal(read(p.fd, &count, sizeof(count)), sizeof(count));
		break;
	}
	return uext4_queue_reap(x->q, c, max, 0, 0);
}

/* What the next reap of a caller that has waited for ever would begin itself, it begins in any
 * way. */
static void test_holes_after_waiting(void **state)
{
	struct uext4_completion c[DEPTH];
	struct queue_test x;

	up(&x, "-b 4096", 0);
	for (int way = 0; way < WAYS; way++) {
		holes_again(&x);
		one(&x, (struct uext4_request){.op = UEXT4_OP_NOP}, 0);
		assert_int_equal(submit_writes(&x, (unsigned)way), DEPTH);
		for (unsigned got = 0; got < DEPTH;) {
			int n = reap_by(&x, way, c, DEPTH - got);

			assert_true(n >= 0 && (n > 0 || way >= BY_LOOKING));
			for (int k = 0; k < n; k++)
				assert_int_equal(c[k].result, BLOCK);
			got += (unsigned)n;
		}
		assert_int_equal(count_written(&x, (unsigned)way), DEPTH);
	}
	down(&x);
}

/* Whoever waits for the event, too: it tells what is left for the next reap. */
static void test_event_after_waiting(void **state)
{
	struct uext4_completion c[DEPTH];
	struct queue_test x;
	u64 count;
	int fd;

	up(&x, "-b 4096", 0);
	fd = uext4_queue_eventfd(x.q);
	holes_again(&x);
	one(&x, (struct uext4_request){.op = UEXT4_OP_NOP}, 0);
	assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
	assert_int_equal(submit_writes(&x, 0), DEPTH);
	for (int got = 0; got < DEPTH;)
		got += reap_by(&x, BY_EVENT, c, DEPTH);
	down(&x);
}

/* A queue that ends waits for what has begun, and leaves no trace of the rest. */
static void test_destroy_holes(void **state)
{
	struct uext4_queue_options o = {.size = sizeof(o), .depth = DEPTH};
	struct queue_test x;

	up(&x, "-b 4096", 0);
	for (unsigned round = 0; round < 20; round++) {
		struct uext4_stat st;
		unsigned written;

		holes_again(&x);
		if (round % 2)
			one(&x, (struct uext4_request){.op = UEXT4_OP_NOP}, 0);
		assert_int_equal(submit_writes(&x, round), DEPTH);
		uext4_queue_destroy(x.q);
		assert_int_equal(uext4_statat(x.t.fs, x.t.root, "file", 0, NULL, &st), 0);
		written = count_written(&x, round);
		/* One more for a node of the extent tree. */
		assert_in_range(st.blocks, written * SECTORS, (written + 1) * SECTORS);
		assert_int_equal(uext4_queue_create(x.t.fs, &o, &x.q), 0);
	}
	down(&x);
}

/* IO-51: file closed and unlinked, and nobody reaps; a queue that ends; a file system that stays.
 */
static void test_IO_51_close_unlink(void **state)
{
	struct uext4_request r[DEPTH];
	struct uext4_stat st;
	struct queue_test x;

	up(&x, "-b 4096", DEPTH * BLOCK);
	for (unsigned k = 0; k < DEPTH; k++)
		r[k] = rw(&x, k % 2 ? UEXT4_OP_WRITE : UEXT4_OP_READ, k, k * BLOCK, BLOCK);
	assert_int_equal(uext4_queue_submit(x.q, r, DEPTH), DEPTH);
	assert_int_equal(uext4_unlink(x.t.root, NULL, "file"), 0);
	uext4_file_close(x.file);
	x.file = NULL;
	assert_int_equal(uext4_close(x.t.fs), -EBUSY);
	uext4_queue_destroy(x.q);
	x.q = NULL;
	assert_int_equal(uext4_statat(x.t.fs, x.t.root, "file", 0, NULL, &st), -ENOENT);
	down(&x);
}

/* IO-58: a truncate waits for transfers that nobody reaps. */
static void test_IO_58_truncate_unreaped(void **state)
{
	struct uext4_request r[DEPTH];
	struct uext4_completion c[DEPTH];
	struct queue_test x;

	up(&x, "-b 4096", DEPTH * BLOCK);
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned k = 0; k < DEPTH; k++)
			r[k] = rw(&x, k % 3 ? UEXT4_OP_READ : UEXT4_OP_WRITE, k, k * BLOCK, BLOCK);
		assert_int_equal(uext4_queue_submit(x.q, r, DEPTH), DEPTH);
		assert_int_equal(uext4_ftruncate(x.file, 0), 0);
		assert_int_equal(uext4_queue_reap(x.q, c, DEPTH, DEPTH, -1), DEPTH);
		for (unsigned k = 0; k < DEPTH; k++)
			assert_true(c[k].result == BLOCK || c[k].result == 0);
		assert_int_equal(uext4_ftruncate(x.file, DEPTH * BLOCK), 0);
		if (round % 2)
			assert_int_equal(uext4_fallocate(x.file, 0, 0, DEPTH * BLOCK), 0);
	}
	down(&x);
}

/* IO-62: after a shutdown every request ends, with an error, and none is lost. */
static void test_IO_62_shutdown(void **state)
{
	struct uext4_request r[DEPTH];
	struct uext4_completion c[DEPTH];
	struct queue_test x;

	up(&x, "-b 4096", 4 * BLOCK);
	assert_int_equal(uext4_fsync(x.file), 0);
	assert_int_equal(uext4_fallocate(x.file, 0, 0, DEPTH * BLOCK), 0);
	assert_int_equal(uext4_fsync(x.file), 0);
	x.t.expect_errors = true;
	for (unsigned k = 0; k < DEPTH; k++)
		r[k] = rw(&x, UEXT4_OP_WRITE, k, k * BLOCK, BLOCK);
	assert_int_equal(uext4_queue_submit(x.q, r, DEPTH / 2), DEPTH / 2);
	assert_int_equal(uext4_shutdown(x.t.fs, UEXT4_SHUTDOWN_NOLOGFLUSH), 0);
	assert_int_equal(uext4_queue_submit(x.q, r + DEPTH / 2, DEPTH / 2), DEPTH / 2);
	assert_int_equal(uext4_queue_reap(x.q, c, DEPTH, DEPTH, -1), DEPTH);
	for (unsigned k = 0; k < DEPTH; k++)
		assert_true(c[k].result == -EIO || c[k].result == -EROFS ||
			    (c[k].result == BLOCK && c[k].user_data < DEPTH / 2));
	uext4_queue_destroy(x.q);
	uext4_file_close(x.file);
	uext4_inode_put(x.t.root);
	(void)uext4_close(x.t.fs);
	x.t.fs = NULL;
	x.file = NULL;
	x.q = NULL;
	dt_up(&x.t); /* replays */
	down(&x);
}

/* IO-55: once a completion was seen, fsync covers it: data, conversion and size. */
static void test_IO_63_remount(void **state)
{
	struct uext4_request r[DEPTH];
	struct uext4_completion c[DEPTH];
	struct queue_test x;

	up(&x, "-b 4096", BLOCK);
	assert_int_equal(uext4_fallocate(x.file, 0, 0, DEPTH * BLOCK), 0);
	for (unsigned k = 0; k < DEPTH; k++)
		r[k] = rw(&x, UEXT4_OP_WRITE, k, k * BLOCK, BLOCK);
	assert_int_equal(uext4_queue_submit(x.q, r, DEPTH), DEPTH);
	assert_int_equal(uext4_remount(x.t.fs, true), 0);
	assert_int_equal(uext4_queue_reap(x.q, c, DEPTH, DEPTH, -1), DEPTH);
	for (unsigned k = 0; k < DEPTH; k++)
		assert_true(c[k].result == BLOCK || c[k].result == -EROFS);
	assert_int_equal(uext4_remount(x.t.fs, false), 0);
	down(&x);
}

/* IO-122: without a ring the queue works as well, and says what it is. */
static void test_serial(void **state)
{
	struct uext4_options opt = {.size = sizeof(opt), .no_io_uring = true};
	struct queue_test x;

	up(&x, "-b 4096", BLOCK);
	uext4_queue_destroy(x.q);
	uext4_file_close(x.file);
	dt_down(&x.t);
	assert_int_equal(uext4_open(x.t.f.path, &opt, &x.t.fs), 0);
	assert_int_equal(uext4_queue_create(x.t.fs, NULL, &x.q), 0);
	assert_true(uext4_queue_is_serial(x.q));
	assert_int_equal(
		uext4_openat(x.t.fs, NULL, "file", O_RDWR | O_DIRECT, 0, NULL, &x.file), 0);
	one(&x, rw(&x, UEXT4_OP_READ, 1, 0, BLOCK), BLOCK);
	assert_int_equal(x.buf[BLOCK], 'a');
	uext4_queue_destroy(x.q);
	uext4_file_close(x.file);
	assert_int_equal(uext4_close(x.t.fs), 0);
	fixture_remove(&x.t.f);
	free(x.buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_serial),
		cmocka_unit_test(test_IO_122_kinds),
		cmocka_unit_test(test_eventfd),
		cmocka_unit_test(test_eventfd_and_waiting),
		cmocka_unit_test(test_eventfd_holes),
		cmocka_unit_test(test_holes_after_waiting),
		cmocka_unit_test(test_event_after_waiting),
		cmocka_unit_test(test_destroy_holes),
		cmocka_unit_test(test_IO_51_close_unlink),
		cmocka_unit_test(test_IO_58_truncate_unreaped),
		cmocka_unit_test(test_IO_62_shutdown),
		cmocka_unit_test(test_IO_63_remount),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
