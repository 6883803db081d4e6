/*
 * Many threads on one file, directly, through queues and through the cache: each owner of a region
 * finds what it wrote last, appends lie one behind the other, and no byte is nobody's.
 */
#include "dir/dir_test.h"

#include <fcntl.h>
#include <unistd.h>

#include "os/atomic.h"
#include "os/thread.h"

#define BLOCK 4096u
#define REGION_BLOCKS 16u
#define OWNERS 3u
#define ROUNDS 60u
#define HEAD ((u64)OWNERS * REGION_BLOCKS * BLOCK)

struct shared {
	struct dir_test t;
	u64 appended; /* atomic */
	u32 bad;      /* atomic */
	bool over;    /* atomic */
};

struct worker {
	struct shared *s;
	struct os_thread *thread;
	unsigned number;
};

static void check(struct shared *s, bool good)
{
	if (!good)
		atomic_add(&s->bad, 1);
}

static struct uext4_file *file_open(struct shared *s, int flags)
{
	struct uext4_file *file = NULL;

	check(s, uext4_openat(s->t.fs, s->t.root, "file", flags, 0, NULL, &file) == 0);
	return file;
}

static bool all(const u8 *p, u64 len, u8 value)
{
	while (len && p[len - 1] == value)
		len--;
	return len == 0;
}

/* Writes its region through a queue, and reads it back by every way there is. */
static void own_region(void *arg)
{
	struct worker *w = arg;
	struct shared *s = w->s;
	u64 base = (u64)w->number * REGION_BLOCKS * BLOCK;
	struct uext4_file *direct = file_open(s, O_RDWR | O_DIRECT), *cached = file_open(s, O_RDWR);
	u8 *buf = aligned_alloc(BLOCK, REGION_BLOCKS * BLOCK);
	struct uext4_request r[REGION_BLOCKS];
	struct uext4_completion c[REGION_BLOCKS];
	struct uext4_queue *q;

	check(s, uext4_queue_create(s->t.fs, NULL, &q) == 0);
	for (unsigned round = 1; round <= ROUNDS; round++) {
		u8 value = (u8)(round + w->number);

		memset(buf, value, REGION_BLOCKS * BLOCK);
		for (unsigned k = 0; k < REGION_BLOCKS; k++)
			r[k] = (struct uext4_request){.op = UEXT4_OP_WRITE,
				.file = round % 5 == 4 ? cached : direct,
				.buf = buf + k * BLOCK,
				.len = BLOCK,
				.offset = base + k * BLOCK};
		check(s, uext4_queue_submit(q, r, REGION_BLOCKS) == (int)REGION_BLOCKS);
		check(s, uext4_queue_reap(q, c, REGION_BLOCKS, REGION_BLOCKS, -1) ==
				 (int)REGION_BLOCKS);
		for (unsigned k = 0; k < REGION_BLOCKS; k++)
			check(s, c[k].result == BLOCK);
		memset(buf, 0, REGION_BLOCKS * BLOCK);
		check(s, uext4_pread(round % 2 ? direct : cached, buf, REGION_BLOCKS * BLOCK,
				 base) == REGION_BLOCKS * BLOCK);
		check(s, all(buf, REGION_BLOCKS * BLOCK, value));
		if (round % 7 == 0) /* unwritten again */
			check(s, uext4_fallocate(direct, FALLOC_FL_ZERO_RANGE, base,
					 REGION_BLOCKS * BLOCK) == 0);
		if (round % 9 == 0)
			check(s, uext4_fdatasync(direct) == 0);
	}
	uext4_queue_destroy(q);
	uext4_file_close(direct);
	uext4_file_close(cached);
	free(buf);
}

static void append(void *arg)
{
	struct worker *w = arg;
	struct shared *s = w->s;
	struct uext4_file *file = file_open(s, O_RDWR | O_DIRECT | O_APPEND);
	u8 *buf = aligned_alloc(BLOCK, BLOCK);

	memset(buf, 'A' + (int)w->number, BLOCK);
	for (unsigned k = 0; k < ROUNDS; k++) {
		check(s, uext4_pwrite(file, buf, BLOCK, 0) == BLOCK);
		atomic_add(&s->appended, BLOCK);
	}
	uext4_file_close(file);
	free(buf);
}

/* IO-59: whatever size one sees, all below it is data. */
static void look(void *arg)
{
	struct worker *w = arg;
	struct shared *s = w->s;
	struct uext4_file *file = file_open(s, w->number % 2 ? O_RDONLY : O_RDONLY | O_DIRECT);
	u8 *buf = aligned_alloc(BLOCK, 4 * BLOCK);

	while (!atomic_load_acq(&s->over)) {
		struct uext4_stat st;
		ssize_t n;

		check(s, uext4_stat(uext4_file_inode(file), &st) == 0);
		if (st.size < HEAD + 4 * BLOCK)
			continue;
		n = uext4_pread(file, buf, 4 * BLOCK, st.size - 4 * BLOCK);
		check(s, n == 4 * BLOCK);
		for (unsigned k = 0; k < 4; k++)
			check(s, buf[k * BLOCK] >= 'A' &&
					 all(buf + k * BLOCK, BLOCK, buf[k * BLOCK]));
	}
	uext4_file_close(file);
	free(buf);
}

static void run(const char *mke2fs_options)
{
	void (*const fn[])(void *) = {
		own_region, own_region, own_region, append, append, look, look};
	struct worker w[array_len(fn)];
	struct shared s = {0};
	struct uext4_file *file;

	dt_make(&s.t, 48 << 20, mke2fs_options);
	dt_up(&s.t);
	assert_int_equal(uext4_openat(s.t.fs, s.t.root, "file", O_RDWR | O_CREAT | O_DIRECT, 0644,
				 NULL, &file),
		0);
	assert_int_equal(uext4_fallocate(file, 0, 0, HEAD), 0);
	for (unsigned k = 0; k < array_len(fn); k++) {
		w[k] = (struct worker){.s = &s, .number = k};
		assert_int_equal(os_thread_create(&w[k].thread, "direct", fn[k], &w[k]), 0);
	}
	for (unsigned k = 0; k < array_len(fn); k++) {
		if (k == 5)
			atomic_store_rel(&s.over, true);
		os_thread_join(w[k].thread);
	}
	assert_int_equal(s.bad, 0);
	assert_int_equal(inode_size(to_inode(uext4_file_inode(file))), HEAD + s.appended);
	assert_false(orphans_pending(s.t.v));
	uext4_file_close(file);
	dt_end(&s.t);
}

static void test_IO_59_one_file(void **state)
{
	run("-b 4096");
	run("-b 1024");
}

/* --- IO-58: truncate against reads and writes in flight --- */

static void cut(void *arg)
{
	struct worker *w = arg;
	struct shared *s = w->s;
	struct uext4_file *file = file_open(s, O_RDWR | O_DIRECT);

	for (unsigned k = 0; k < ROUNDS; k++) {
		check(s, uext4_ftruncate(file, (k % 8) * BLOCK) == 0);
		check(s, uext4_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				 4 * BLOCK) == 0);
	}
	uext4_file_close(file);
}

/* Zeros or what this test writes, whoever cuts meanwhile. */
static void use(void *arg)
{
	struct worker *w = arg;
	struct shared *s = w->s;
	struct uext4_file *file = file_open(s, O_RDWR | O_DIRECT);
	u8 *buf = aligned_alloc(BLOCK, 16 * BLOCK);
	struct uext4_completion c[8];
	struct uext4_request r[8];
	struct uext4_queue *q;

	check(s, uext4_queue_create(s->t.fs, NULL, &q) == 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		memset(buf, 'x', 16 * BLOCK);
		for (unsigned k = 0; k < 8; k++)
			r[k] = (struct uext4_request){.op = k % 2 ? UEXT4_OP_READ : UEXT4_OP_WRITE,
				.file = file,
				.buf = buf + k * BLOCK,
				.len = BLOCK,
				.offset = (round + k) % 8 * BLOCK,
				.user_data = k};
		check(s, uext4_queue_submit(q, r, 8) == 8);
		check(s, uext4_queue_reap(q, c, 8, 8, -1) == 8);
		for (unsigned k = 0; k < 8; k++) {
			u8 *at = buf + c[k].user_data * BLOCK;

			check(s, c[k].result == BLOCK || (c[k].user_data % 2 && !c[k].result));
			check(s, all(at, BLOCK, 'x') || all(at, BLOCK, 0));
		}
	}
	uext4_queue_destroy(q);
	uext4_file_close(file);
	free(buf);
}

static void test_IO_58_truncate(void **state)
{
	void (*const fn[])(void *) = {use, use, use, cut};
	struct worker w[array_len(fn)];
	struct shared s = {0};
	struct uext4_file *file;

	dt_make(&s.t, 32 << 20, "-b 4096");
	dt_up(&s.t);
	assert_int_equal(
		uext4_openat(s.t.fs, s.t.root, "file", O_RDWR | O_CREAT, 0644, NULL, &file), 0);
	uext4_file_close(file);
	for (unsigned k = 0; k < array_len(fn); k++) {
		w[k] = (struct worker){.s = &s, .number = k};
		assert_int_equal(os_thread_create(&w[k].thread, "direct", fn[k], &w[k]), 0);
	}
	for (unsigned k = 0; k < array_len(fn); k++)
		os_thread_join(w[k].thread);
	assert_int_equal(s.bad, 0);
	assert_false(orphans_pending(s.t.v));
	dt_end(&s.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_59_one_file),
		cmocka_unit_test(test_IO_58_truncate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
