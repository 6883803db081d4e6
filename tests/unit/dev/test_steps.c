/*
 * Which system calls a request becomes, and what happens when they are
 * interrupted, do part of the work or are not supported. The linker puts the
 * functions below between the file device and libc or liburing.
 *
 * R read, W write, D write with RWF_DSYNC, F fdatasync, Z zero range, P punch.
 */
#include "dev_test.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/uio.h>
#ifdef UEXT4_URING
#include <liburing.h>
#endif

ssize_t __real_preadv64(int fd, const struct iovec *iov, int n, off_t at);
ssize_t __real_pwritev64(int fd, const struct iovec *iov, int n, off_t at);
ssize_t __real_pwritev64v2(int fd, const struct iovec *iov, int n, off_t at, int flags);
int __real_fdatasync(int fd);
int __real_fallocate64(int fd, int mode, off_t at, off_t len);
ssize_t __wrap_preadv64(int fd, const struct iovec *iov, int n, off_t at);
ssize_t __wrap_pwritev64(int fd, const struct iovec *iov, int n, off_t at);
ssize_t __wrap_pwritev64v2(int fd, const struct iovec *iov, int n, off_t at, int flags);
int __wrap_fdatasync(int fd);
int __wrap_fallocate64(int fd, int mode, off_t at, off_t len);

static char calls[64];
static unsigned interrupt; /* that many calls fail with EINTR first */
static size_t part_bytes;  /* a transfer moves no more; 0 = all */
static bool no_dsync, no_zero_range;
static int sync_error;

static void note(char c)
{
	size_t len = strlen(calls);

	assert_true(len + 1 < sizeof(calls));
	calls[len] = c;
	calls[len + 1] = '\0';
}

static bool interrupted(void)
{
	if (!interrupt)
		return false;
	interrupt--;
	errno = EINTR;
	return true;
}

/* The first segment only, in whole sectors, of which no more than part_bytes are admitted. */
static const struct iovec *part_of(const struct iovec *iov, int *n, struct iovec *part)
{
	if (!part_bytes)
		return iov;
	*part = (struct iovec){iov->iov_base, min_of(iov->iov_len, round_up_to(part_bytes, 512))};
	*n = 1;
	return part;
}

static ssize_t admit(ssize_t n)
{
	return part_bytes ? min_of(n, (ssize_t)part_bytes) : n;
}

ssize_t __wrap_preadv64(int fd, const struct iovec *iov, int n, off_t at)
{
	struct iovec part;

	if (interrupted())
		return -1;
	note('R');
	iov = part_of(iov, &n, &part);
	return admit(__real_preadv64(fd, iov, n, at));
}

ssize_t __wrap_pwritev64(int fd, const struct iovec *iov, int n, off_t at)
{
	struct iovec part;

	if (interrupted())
		return -1;
	note('W');
	iov = part_of(iov, &n, &part);
	return admit(__real_pwritev64(fd, iov, n, at));
}

ssize_t __wrap_pwritev64v2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	struct iovec part;

	assert_int_equal(flags, RWF_DSYNC);
	if (interrupted())
		return -1;
	note('D');
	if (no_dsync) {
		errno = EOPNOTSUPP;
		return -1;
	}
	iov = part_of(iov, &n, &part);
	return admit(__real_pwritev64v2(fd, iov, n, at, flags));
}

int __wrap_fdatasync(int fd)
{
	if (interrupted())
		return -1;
	note('F');
	if (sync_error) {
		errno = sync_error;
		return -1;
	}
	return __real_fdatasync(fd);
}

int __wrap_fallocate64(int fd, int mode, off_t at, off_t len)
{
	bool zero = mode & FALLOC_FL_ZERO_RANGE;

	assert_true(mode & FALLOC_FL_KEEP_SIZE);
	if (interrupted())
		return -1;
	note(zero ? 'Z' : 'P');
	if (zero && no_zero_range) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return __real_fallocate64(fd, mode, at, len);
}

#ifdef UEXT4_URING
int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);

static unsigned batches;
static bool stall; /* requests become timers that never end */
static struct io_uring *stalled_ring;
static u64 stalled_data;

static char letter(const struct io_uring_sqe *sqe)
{
	switch (sqe->opcode) {
	case IORING_OP_READ:
	case IORING_OP_READV:
		return 'R';
	case IORING_OP_WRITE:
	case IORING_OP_WRITEV:
		return sqe->rw_flags == RWF_DSYNC ? 'D' : 'W';
	case IORING_OP_FSYNC:
		return sqe->fsync_flags == IORING_FSYNC_DATASYNC ? 'F' : '?';
	case IORING_OP_FALLOCATE:
		return sqe->len & FALLOC_FL_ZERO_RANGE ? 'Z' : 'P';
	}
	return '?';
}

static void stall_last(struct io_uring *ring)
{
	static struct __kernel_timespec hours = {.tv_sec = 36000};
	struct io_uring_sqe *sqe = &ring->sq.sqes[ring->sq.sqe_head & *ring->sq.kring_mask];

	stalled_ring = ring;
	stalled_data = sqe->user_data;
	io_uring_prep_timeout(sqe, &hours, 0, 0);
	sqe->user_data = stalled_data;
}

static void stalled_cancel(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(stalled_ring);

	stall = false;
	io_uring_prep_timeout_remove(sqe, stalled_data, 0);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	assert_int_equal(__real_io_uring_submit(stalled_ring), 1);
}

int __wrap_io_uring_submit(struct io_uring *ring)
{
	batches++;
	for (unsigned i = ring->sq.sqe_head; i != ring->sq.sqe_tail; i++) {
		const struct io_uring_sqe *sqe = &ring->sq.sqes[i & *ring->sq.kring_mask];

		assert_true(sqe->flags & IOSQE_FIXED_FILE);
		note(letter(sqe));
	}
	if (stall)
		stall_last(ring);
	return __real_io_uring_submit(ring);
}
#endif

struct fixture {
	const char *path;
	struct dev *dev;
	struct dev_queue *q;
	u8 *mem;
};

static void fixture_init(struct fixture *f, struct dev_file_options opt)
{
	f->path = image_make(ZOO_BYTES);
	f->dev = file_open(f->path, opt);
	f->mem = os_alloc_pages(1u << 20);
	for (u32 i = 0; i < 1u << 20; i++)
		f->mem[i] = (u8)(i * 7 + i / 4096);
	assert_int_equal(dev_queue_create(f->dev, 32, &f->q), 0);
	interrupt = part_bytes = no_dsync = no_zero_range = 0;
	sync_error = 0;
	calls[0] = '\0';
}

static void fixture_fini(struct fixture *f)
{
	dev_queue_destroy(f->q);
	dev_close(f->dev);
	image_remove(f->path);
	os_free_pages(f->mem, 1u << 20);
}

static int request(struct fixture *f, enum dev_op op, u32 flags, u64 at, u64 len)
{
	struct iovec iov = {f->mem, len};
	struct dev_req req = {.op = op, .flags = flags, .offset = at, .len = len}, *r = &req;

	if (op == DEV_READ || op == DEV_WRITE) {
		req.iov = &iov;
		req.iov_count = 1;
	}
	calls[0] = '\0';
	dev_submit(f->q, &r, 1);
	dev_drain(f->q);
	return req.result;
}

static void check(struct fixture *f, enum dev_op op, u32 flags, u64 len, const char *expected)
{
	assert_int_equal(request(f, op, flags, 4096, len), 0);
	assert_string_equal(calls, expected);
}

static void check_table(struct fixture *f)
{
	check(f, DEV_READ, 0, 4096, "R");
	check(f, DEV_WRITE, 0, 4096, "W");
	check(f, DEV_WRITE, DEV_FUA, 4096, "D");
	check(f, DEV_WRITE, DEV_PREFLUSH, 4096, "FW");
	check(f, DEV_WRITE, DEV_PREFLUSH | DEV_FUA, 4096, "FD"); /* JB-22 */
	check(f, DEV_FLUSH, 0, 0, "F");
	check(f, DEV_WRITE_ZEROES, 0, 65536, "W");
	check(f, DEV_WRITE_ZEROES, DEV_FUA, 65536, "D");
	check(f, DEV_WRITE_ZEROES, 0, 262144, "Z");
	check(f, DEV_WRITE_ZEROES, DEV_FUA, 262144, "ZF");
	check(f, DEV_WRITE_ZEROES, DEV_PREFLUSH | DEV_FUA, 262144, "FZF");
	check(f, DEV_DISCARD, 0, 4096, "P");
}

static void test_JB_22_steps(void **state)
{
	for (unsigned mode = 0; mode < 4; mode++) {
		struct fixture f;

		fixture_init(
			&f, (struct dev_file_options){.no_uring = mode & 1, .no_direct = mode & 2});
		check_table(&f);
		fixture_fini(&f);
	}
}

static void test_without_dsync(void **state)
{
	struct fixture f;

	fixture_init(&f, (struct dev_file_options){.no_uring = true});
	no_dsync = true;
	check(&f, DEV_WRITE, DEV_FUA, 4096, "DWF");
	check(&f, DEV_WRITE, DEV_FUA | DEV_PREFLUSH, 4096, "FWF"); /* it has learnt */
	check(&f, DEV_WRITE_ZEROES, DEV_FUA, 4096, "WF");
	check(&f, DEV_WRITE, 0, 4096, "W");
	fixture_fini(&f);
}

static void test_without_zero_range(void **state)
{
	struct fixture f;
	u8 *back = os_alloc_pages(1u << 20);

	fixture_init(&f, (struct dev_file_options){.no_uring = true});
	no_zero_range = true;
	assert_int_equal(request(&f, DEV_WRITE, 0, 0, 1u << 20), 0);
	check(&f, DEV_WRITE_ZEROES, DEV_FUA, 786432, "ZDD");
	check(&f, DEV_WRITE_ZEROES, 0, 786432, "WW");
	assert_int_equal(dev_read(f.dev, 0, back, 1u << 20), 0);
	for (u32 i = 0; i < 1u << 20; i++)
		assert_int_equal(back[i], i >= 4096 && i < 4096 + 786432 ? 0 : f.mem[i]);
	os_free_pages(back, 1u << 20);
	fixture_fini(&f);
}

/* Part of a transfer is done, not a whole number of blocks at times, and calls are interrupted. */
static void test_short_and_interrupted(void **state)
{
	static const size_t parts[] = {512, 1536, 4096, 40000};

	for (unsigned mode = 0; mode < 2; mode++)
		for (unsigned i = 0; i < array_len(parts) * 2; i++) {
			u8 back[65536], *want;
			struct fixture f;

			fixture_init(&f,
				(struct dev_file_options){.no_uring = true, .no_direct = mode & 1});
			part_bytes = parts[i / 2] + (i % 2 ? 77 : 0);
			want = os_alloc_pages(65536);
			memcpy(want, f.mem, 8192);
			interrupt = i % 2 ? 3 : 0;
			assert_int_equal(request(&f, DEV_WRITE, 0, 512, 8192), 0);
			memset(f.mem, 0, 8192);
			interrupt = i % 2 ? 3 : 0;
			assert_int_equal(request(&f, DEV_READ, 0, 512, 8192), 0);
			assert_memory_equal(f.mem, want, 8192);
			interrupt = i % 2 ? 3 : 0;
			part_bytes = 0;
			assert_int_equal(dev_read(f.dev, 512, back + 1, 8192), 0); /* bounced */
			assert_memory_equal(back + 1, want, 8192);
			os_free_pages(want, 65536);
			fixture_fini(&f);
		}
}

/* A failed flush before a write keeps the write back; after it, it fails the request. */
static void test_flush_fails(void **state)
{
	struct fixture f;

	fixture_init(&f, (struct dev_file_options){.no_uring = true});
	sync_error = EIO;
	assert_int_equal(request(&f, DEV_WRITE, DEV_PREFLUSH, 4096, 4096), -EIO);
	assert_string_equal(calls, "F");
	assert_int_equal(request(&f, DEV_FLUSH, 0, 0, 0), -EIO);
	no_dsync = true;
	assert_int_equal(request(&f, DEV_WRITE, DEV_FUA, 4096, 4096), -EIO);
	assert_string_equal(calls, "DWF");
	fixture_fini(&f);
}

#ifdef UEXT4_URING
static void test_one_system_call_per_batch(void **state)
{
	struct dev_req req[32], *reqs[32];
	struct iovec iov[32];
	struct fixture f;

	fixture_init(&f, (struct dev_file_options){0});
	for (unsigned i = 0; i < 32; i++) {
		iov[i] = (struct iovec){f.mem + i * 4096, 4096};
		req[i] = (struct dev_req){.op = DEV_READ,
			.offset = i * 8192,
			.len = 4096,
			.iov = &iov[i],
			.iov_count = 1};
		reqs[i] = &req[i];
	}
	batches = 0;
	dev_submit(f.q, reqs, 32);
	dev_drain(f.q);
	assert_int_equal(batches, 1);
	assert_int_equal(strlen(calls), 32);
	fixture_fini(&f);
}

/* The deadline ends the wait, not the request; what the kernel cancels is done by plain calls. */
static void test_deadline_and_cancel(void **state)
{
	struct dev_req req = {.op = DEV_FLUSH, .result = 1}, *r = &req;
	struct fixture f;

	fixture_init(&f, (struct dev_file_options){0});
	stall = true;
	dev_submit(f.q, &r, 1);
	assert_int_equal(dev_reap(f.q, 0, 0), 0);
	assert_int_equal(dev_reap(f.q, 1, os_clock_mono() + NSEC_PER_MSEC), 0);
	assert_int_equal(dev_reap(f.q, 1, 1), 0); /* long past */
	assert_int_equal(f.q->in_flight, 1);
	stalled_cancel();
	assert_int_equal(dev_reap(f.q, 1, 0), 1);
	assert_int_equal(req.result, 0);
	assert_string_equal(calls, "FF");
	fixture_fini(&f);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_JB_22_steps),
		cmocka_unit_test(test_without_dsync),
		cmocka_unit_test(test_without_zero_range),
		cmocka_unit_test(test_short_and_interrupted),
		cmocka_unit_test(test_flush_fails),
#ifdef UEXT4_URING
		cmocka_unit_test(test_one_system_call_per_batch),
		cmocka_unit_test(test_deadline_and_cancel),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
