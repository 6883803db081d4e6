/* Direct I/O through the public interface: errors, locks, order, sizes, failures. */
#include "dir/dir_test.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/trace.h"
#include "os/atomic.h"
#include "os/thread.h"

#define BLOCK 4096u
#define SECTOR 512u

static u8 *buf; /* aligned, 64 blocks */

static struct uext4_file *file_open(struct dir_test *t, const char *name, int flags)
{
	struct uext4_file *file = NULL;

	assert_int_equal(uext4_openat(t->fs, t->root, name, flags | O_CREAT, 0644, NULL, &file), 0);
	return file;
}

static void up(struct dir_test *t, const char *mke2fs_options)
{
	buf = aligned_alloc(BLOCK, 64 * BLOCK);
	memset(buf, 'b', 64 * BLOCK);
	dt_make(t, 32 << 20, mke2fs_options);
	dt_up(t);
}

static void down(struct dir_test *t)
{
	free(buf);
	dt_end(t);
}

static u64 size_of(struct uext4_file *file)
{
	struct uext4_stat st;

	assert_int_equal(uext4_stat(uext4_file_inode(file), &st), 0);
	return st.size;
}

static u64 sectors_of(struct uext4_file *file)
{
	struct uext4_stat st;

	assert_int_equal(uext4_stat(uext4_file_inode(file), &st), 0);
	return st.blocks;
}

static void expect_bytes(struct uext4_file *file, u64 pos, u64 len, u8 value)
{
	u8 *got = aligned_alloc(BLOCK, round_up_to(len, BLOCK));

	assert_int_equal(uext4_pread(file, got, len, pos), len);
	for (u64 k = 0; k < len; k++)
		if (got[k] != value)
			fail_msg("byte %llu is %02x", (unsigned long long)(pos + k), got[k]);
	free(got);
}

static ssize_t rw(struct uext4_file *file, bool write, u64 pos, void *data, u64 len, unsigned flags)
{
	struct iovec iov = {data, len};

	return write ? uext4_pwritev2(file, &iov, 1, pos, flags)
		     : uext4_preadv2(file, &iov, 1, pos, flags);
}

/* --- errors --- */

struct row {
	int open;
	bool write;
	unsigned flags;
	u64 pos, len, skew;
	ssize_t expect;
};

static void table(struct dir_test *t, const struct row *rows, unsigned count)
{
	for (unsigned k = 0; k < count; k++) {
		const struct row *r = &rows[k];
		struct uext4_file *file = file_open(t, "file", r->open);
		ssize_t n = rw(file, r->write, r->pos, buf + r->skew, r->len, r->flags);

		if (n != r->expect)
			fail_msg("row %u: %zd, not %zd", k, n, r->expect);
		uext4_file_close(file);
	}
}

#define RW (O_RDWR | O_DIRECT)

static void test_IO_36_to_43_errors(void **state)
{
	static const struct row rows[] = {
		/* Who may, and what is known at all. */
		{O_RDONLY | O_DIRECT, true, 0, 0, BLOCK, 0, -EBADF},
		{O_WRONLY | O_DIRECT, false, 0, 0, BLOCK, 0, -EBADF},
		{RW, true, 0x8000, 0, BLOCK, 0, -EOPNOTSUPP},
		{RW, false, UEXT4_RWF_ATOMIC, 0, BLOCK, 0, -EOPNOTSUPP},
		{O_RDWR, true, UEXT4_RWF_NOWAIT, 0, BLOCK, 0, -EOPNOTSUPP},
		{O_RDWR, false, UEXT4_RWF_NOWAIT, 0, BLOCK, 0, -EOPNOTSUPP},
		{O_RDWR, true, UEXT4_RWF_ATOMIC, 0, BLOCK, 0, -EOPNOTSUPP},
		{RW, true, 0, 1ull << 63, BLOCK, 0, -EINVAL},
		/* Alignment: the sector counts, not the block. */
		{RW, true, 0, 1, SECTOR, 0, -EINVAL},
		{RW, true, 0, 0, SECTOR + 1, 0, -EINVAL},
		{RW, true, 0, 0, SECTOR, 8, -EINVAL},
		{RW, false, 0, 0, SECTOR, 8, -EINVAL},
		{RW, false, 0, 7, SECTOR, 0, -EINVAL},
		{RW, true, 0, SECTOR, SECTOR, SECTOR, SECTOR},
		/* At the end there is nothing, whatever the alignment. */
		{RW, false, 0, 8 * BLOCK, 5, 3, 0},
		{RW, false, 0, 9 * BLOCK + 1, 5, 3, 0},
		{RW, true, 0, 0, 0, 0, 0},
		{RW, false, 0, 0, 0, 0, 0},
		/* Limits. */
		{RW, true, 0, (1ull << 44) - BLOCK, BLOCK, 0, -EFBIG},
		{RW, true, 0, INT64_MAX - BLOCK + 1, BLOCK, 0, -EFBIG},
		/* IO-43 */
		{RW, true, UEXT4_RWF_NOWAIT, 8 * BLOCK, BLOCK, 0, -EAGAIN},
		{RW, true, UEXT4_RWF_NOWAIT | UEXT4_RWF_APPEND, 0, BLOCK, 0, -EAGAIN},
		/* IO-61: a device of 512-byte sectors may tear a block of 4096. */
		{RW, true, UEXT4_RWF_ATOMIC, 0, BLOCK, 0, -EOPNOTSUPP},
	};
	struct uext4_file *file;
	struct dir_test t;

	up(&t, "-b 4096 -N 64");
	file = file_open(&t, "file", O_RDWR);
	assert_int_equal(uext4_pwrite(file, buf, 8 * BLOCK, 0), 8 * BLOCK);
	assert_int_equal(uext4_fsync(file), 0);
	table(&t, rows, array_len(rows));
	assert_int_equal(size_of(file), 8 * BLOCK);
	uext4_file_close(file);
	down(&t);
}

static void flags_set(struct uext4_file *file, u32 flags)
{
	struct uext4_setattr a = {.valid = UEXT4_SET_FLAGS, .flags = flags};
	struct uext4_stat st;

	assert_int_equal(uext4_stat(uext4_file_inode(file), &st), 0);
	a.flags |= st.flags & ~(0x10u | 0x20u);
	assert_int_equal(uext4_setattr(uext4_file_inode(file), NULL, &a), 0);
}

/* IO-38, IO-36: immutable, append only, read-only, shut down. */
static void test_IO_38_refused(void **state)
{
	struct uext4_file *file;
	struct dir_test t;

	up(&t, "-b 4096");
	file = file_open(&t, "file", RW);
	assert_int_equal(uext4_pwrite(file, buf, BLOCK, 0), BLOCK);
	flags_set(file, 0x10);
	assert_int_equal(uext4_pwrite(file, buf, BLOCK, 0), -EPERM);
	flags_set(file, 0x20);
	assert_int_equal(uext4_pwrite(file, buf, BLOCK, 0), -EPERM);
	assert_int_equal(rw(file, true, 0, buf, BLOCK, UEXT4_RWF_APPEND), BLOCK);
	assert_int_equal(size_of(file), 2 * BLOCK);
	flags_set(file, 0);
	assert_int_equal(uext4_remount(t.fs, true), 0);
	assert_int_equal(uext4_pwrite(file, buf, BLOCK, 0), -EROFS);
	assert_int_equal(uext4_pread(file, buf, BLOCK, 0), BLOCK);
	assert_int_equal(uext4_remount(t.fs, false), 0);
	t.expect_errors = true;
	assert_int_equal(uext4_shutdown(t.fs, UEXT4_SHUTDOWN_SYNC), 0);
	assert_int_equal(uext4_pwrite(file, buf, BLOCK, 0), -EIO);
	assert_int_equal(uext4_pread(file, buf, BLOCK, 0), -EIO);
	uext4_file_close(file);
	uext4_inode_put(t.root);
	(void)uext4_close(t.fs);
	dt_up(&t);
	down(&t);
}

/* --- which lock --- */

static u32 upgrades; /* atomic */

static void count_upgrades(const char *name, u64 a, u64 b)
{
	if (!strcmp(name, "direct_upgrade"))
		atomic_add(&upgrades, 1);
}

static void expect_lock(struct uext4_file *file, bool exclusive, u64 pos, u64 len)
{
	upgrades = 0;
	assert_int_equal(uext4_pwrite(file, buf, len, pos), len);
	if ((upgrades != 0) != exclusive)
		fail_msg("at %llu: %u upgrades", (unsigned long long)pos, upgrades);
}

static void test_IO_39_locks(void **state)
{
	struct uext4_setattr suid = {.valid = UEXT4_SET_MODE, .mode = 04755};
	struct uext4_cred user = {.uid = 1000, .gid = 1000, .trusted = true};
	struct uext4_file *file, *other;
	struct dir_test t;

	up(&t, "-b 4096");
	file = file_open(&t, "file", RW);
	assert_int_equal(uext4_pwrite(file, buf, 16 * BLOCK, 0), 16 * BLOCK);
	assert_int_equal(uext4_fallocate(file, 0, 16 * BLOCK, 16 * BLOCK), 0);
	trace_hook = count_upgrades;
	expect_lock(file, false, 0, 4 * BLOCK);		      /* written */
	expect_lock(file, false, 3 * SECTOR, SECTOR);	      /* the same, unaligned */
	expect_lock(file, false, 16 * BLOCK, BLOCK);	      /* unwritten */
	expect_lock(file, true, 22 * BLOCK + SECTOR, SECTOR); /* the same, unaligned */
	expect_lock(file, true, 14 * BLOCK, 6 * BLOCK);	      /* not one mapping */
	expect_lock(file, true, 32 * BLOCK, BLOCK);	      /* extends */
	expect_lock(file, true, 33 * BLOCK - SECTOR, 2 * SECTOR);
	assert_int_equal(uext4_ftruncate(file, 50 * BLOCK), 0);
	expect_lock(file, true, 40 * BLOCK, BLOCK); /* hole */
	expect_lock(file, false, 40 * BLOCK, BLOCK);
	assert_int_equal(uext4_setattr(uext4_file_inode(file), NULL, &suid), 0);
	assert_int_equal(uext4_file_open(uext4_file_inode(file), &user, RW, &other), 0);
	expect_lock(other, true, 0, BLOCK);
	expect_lock(other, false, 0, BLOCK);
	trace_hook = NULL;
	expect_bytes(file, 22 * BLOCK, SECTOR, 0); /* IO-49 */
	expect_bytes(file, 22 * BLOCK + SECTOR, SECTOR, 'b');
	expect_bytes(file, 22 * BLOCK + 2 * SECTOR, 6 * SECTOR, 0);
	uext4_file_close(other);
	uext4_file_close(file);
	down(&t);
}

static struct uext4_file *appender;

/* Between the shared and the exclusive lock another append passes. */
static void append_between(const char *name, u64 a, u64 b)
{
	if (strcmp(name, "direct_upgrade"))
		return;
	trace_hook = NULL;
	memset(buf + BLOCK, 'o', BLOCK);
	assert_int_equal(rw(appender, true, 0, buf + BLOCK, BLOCK, UEXT4_RWF_APPEND), BLOCK);
}

static void test_IO_38_append_upgrade(void **state)
{
	struct dir_test t;

	up(&t, "-b 4096");
	appender = file_open(&t, "file", RW | O_APPEND);
	assert_int_equal(uext4_pwrite(appender, buf, BLOCK, 0), BLOCK);
	trace_hook = append_between;
	assert_int_equal(uext4_pwrite(appender, buf, BLOCK, 0), BLOCK);
	trace_hook = NULL;
	assert_int_equal(size_of(appender), 3 * BLOCK);
	expect_bytes(appender, 0, BLOCK, 'b');
	expect_bytes(appender, BLOCK, BLOCK, 'o');
	expect_bytes(appender, 2 * BLOCK, BLOCK, 'b');
	uext4_file_close(appender);
	down(&t);
}

/* --- order --- */

static struct dir_test *env;
static struct uext4_file *watched;
static char events[200];
static u64 commits_at_end;

static void note_order(const char *name, u64 a, u64 b)
{
	struct inode *i = to_inode(uext4_file_inode(watched));
	struct uext4_stats s;
	struct mapping m;

	if (strncmp(name, "direct_", 7))
		return;
	snprintf(events + strlen(events), sizeof(events) - strlen(events), "%s ", name + 7);
	if (!strcmp(name, "direct_ended")) {
		assert_int_equal(uext4_stats(env->fs, &s), 0);
		commits_at_end = s.commits;
	}
	/* IO-44, IO-27: nothing to be read, no size, before the data is there. */
	if (!strcmp(name, "direct_written")) {
		assert_int_equal(map_lookup(&i->map, 0, 1, &m), 0);
		assert_int_equal(m.state, MAP_UNWRITTEN);
		assert_int_equal(inode_size(i), 0);
	}
}

static void test_IO_50_order(void **state)
{
	struct uext4_stats s;
	struct dir_test t;

	up(&t, "-b 4096");
	env = &t;
	watched = file_open(&t, "file", RW | O_DSYNC);
	events[0] = 0;
	trace_hook = note_order;
	assert_int_equal(uext4_pwrite(watched, buf, BLOCK, 0), BLOCK);
	trace_hook = NULL;
	assert_string_equal(events, "upgrade started written converted invalidated ended ");
	assert_int_equal(uext4_stats(t.fs, &s), 0);
	assert_true(s.commits > commits_at_end); /* (6) is last */
	assert_int_equal(size_of(watched), BLOCK);
	uext4_file_close(watched);
	down(&t);
}

static void write_back_meanwhile(const char *name, u64 a, u64 b)
{
	if (strcmp(name, "direct_started"))
		return;
	trace_hook = NULL;
	assert_int_equal(
		iofile_write_range(&to_inode(uext4_file_inode(watched))->io, 0, UINT64_MAX, true),
		0);
}

/* IO-29: writeback lifts the size on disk while an extending write is on its way. */
static void test_IO_29_writeback_meanwhile(void **state)
{
	struct uext4_file *cached;
	struct dir_test t;

	up(&t, "-b 4096");
	cached = file_open(&t, "file", O_RDWR);
	watched = file_open(&t, "file", RW);
	assert_int_equal(uext4_pwrite(cached, buf, BLOCK, 4 * BLOCK), BLOCK);
	trace_hook = write_back_meanwhile;
	assert_int_equal(uext4_pwrite(watched, buf, BLOCK, BLOCK), BLOCK);
	trace_hook = NULL;
	assert_false(orphans_pending(t.v));
	assert_int_equal(size_of(watched), 5 * BLOCK);
	uext4_file_close(cached);
	uext4_file_close(watched);
	dt_down(&t);
	fixture_fsck(&t.f);
	dt_up(&t);
	watched = file_open(&t, "file", RW);
	assert_int_equal(size_of(watched), 5 * BLOCK);
	expect_bytes(watched, 0, BLOCK, 0);
	expect_bytes(watched, BLOCK, BLOCK, 'b');
	expect_bytes(watched, 2 * BLOCK, 2 * BLOCK, 0);
	expect_bytes(watched, 4 * BLOCK, BLOCK, 'b');
	uext4_file_close(watched);
	down(&t);
}

/* IO-79: what lay behind the end of the file stays zero when a write begins further. */
static void test_IO_79_gap(void **state)
{
	struct uext4_file *cached;
	struct dir_test t;

	up(&t, "-b 4096");
	cached = file_open(&t, "file", O_RDWR);
	watched = file_open(&t, "file", RW);
	assert_int_equal(uext4_pwrite(cached, buf, BLOCK, 0), BLOCK);
	assert_int_equal(uext4_fsync(cached), 0);
	assert_int_equal(uext4_ftruncate(cached, 100), 0);
	assert_int_equal(uext4_pwrite(watched, buf, SECTOR, 6 * SECTOR), SECTOR);
	expect_bytes(cached, 0, 100, 'b');
	expect_bytes(cached, 100, 6 * SECTOR - 100, 0);
	expect_bytes(cached, 6 * SECTOR, SECTOR, 'b');
	uext4_file_close(cached);
	uext4_file_close(watched);
	down(&t);
}

/* --- IO-41 --- */

static void test_IO_41_one_block(void **state)
{
	struct uext4_completion c[8];
	struct uext4_request r[8];
	struct uext4_queue *q;
	struct dir_test t;

	up(&t, "-b 4096");
	watched = file_open(&t, "file", RW);
	assert_int_equal(uext4_queue_create(t.fs, NULL, &q), 0);
	for (unsigned round = 0; round < 60; round++) {
		u64 at = round * BLOCK;

		assert_int_equal(uext4_fallocate(watched, 0, at, BLOCK), 0);
		for (unsigned k = 0; k < 8; k++) {
			memset(buf + k * SECTOR, 'A' + (int)k, SECTOR);
			r[k] = (struct uext4_request){.op = UEXT4_OP_WRITE,
				.file = watched,
				.buf = buf + k * SECTOR,
				.len = SECTOR,
				.offset = at + k * SECTOR};
		}
		assert_int_equal(uext4_queue_submit(q, r, 8), 8);
		assert_int_equal(uext4_queue_reap(q, c, 8, 8, -1), 8);
		for (unsigned k = 0; k < 8; k++)
			expect_bytes(watched, at + k * SECTOR, SECTOR, (u8)('A' + k));
	}
	uext4_queue_destroy(q);
	uext4_file_close(watched);
	down(&t);
}

/*
 * Neighbours that share blocks, at once: some fall into holes and go through the cache. A page must
 * not bring back what a direct write has just replaced.
 */
static void neighbours(const char *mke2fs_options)
{
	struct uext4_completion c[16];
	struct uext4_request r[16];
	struct uext4_queue *q;
	struct dir_test t;

	up(&t, mke2fs_options);
	watched = file_open(&t, "file", RW);
	assert_int_equal(uext4_queue_create(t.fs, NULL, &q), 0);
	for (unsigned round = 0; round < 150; round++) {
		u64 at = round % 50 * 11 * SECTOR, pos = at;

		if (round % 50 == 0)
			assert_int_equal(uext4_ftruncate(watched, 0), 0);
		for (unsigned k = 0; k < 16; k++) {
			u64 len = SECTOR * (1 + (round + k) % 7);

			memset(buf + k * BLOCK, (int)(round + k), len);
			r[k] = (struct uext4_request){.op = UEXT4_OP_WRITE,
				.file = watched,
				.buf = buf + k * BLOCK,
				.len = len,
				.offset = pos};
			pos += len;
		}
		assert_int_equal(uext4_queue_submit(q, r, 16), 16);
		assert_int_equal(uext4_queue_reap(q, c, 16, 16, -1), 16);
		for (unsigned k = 0; k < 16; k++) {
			assert_true(c[k].result > 0);
			expect_bytes(watched, r[k].offset, r[k].len, (u8)(round + k));
		}
	}
	assert_int_equal(uext4_fsync(watched), 0); /* IO-52: nothing was lost */
	uext4_queue_destroy(q);
	uext4_file_close(watched);
	down(&t);
}

/* A buffered write waits for a direct one in flight, whoever reaps: no page of the range is
 * dirtied. */
static void test_IO_52_buffered_waits(void **state)
{
	struct uext4_completion c;
	struct uext4_file *cached;
	struct uext4_request r;
	struct uext4_queue *q;
	struct dir_test t;

	up(&t, "-b 4096");
	watched = file_open(&t, "file", RW);
	cached = file_open(&t, "file", O_RDWR);
	assert_int_equal(uext4_pwrite(watched, buf, BLOCK, 0), BLOCK);
	assert_int_equal(uext4_queue_create(t.fs, NULL, &q), 0);
	memset(buf, 'd', SECTOR);
	r = (struct uext4_request){
		.op = UEXT4_OP_WRITE, .file = watched, .buf = buf, .len = SECTOR, .offset = SECTOR};
	assert_int_equal(uext4_queue_submit(q, &r, 1), 1);
	assert_int_equal(uext4_pwrite(cached, "c", 1, 0), 1);
	assert_int_equal(uext4_queue_reap(q, &c, 1, 1, -1), 1);
	assert_int_equal(c.result, SECTOR);
	assert_int_equal(uext4_fsync(cached), 0);
	expect_bytes(watched, SECTOR, SECTOR, 'd');
	uext4_queue_destroy(q);
	uext4_file_close(cached);
	uext4_file_close(watched);
	down(&t);
}

static void test_IO_48_neighbours(void **state)
{
	neighbours("-b 1024 -O ^extent,^64bit");
	neighbours("-b 4096 -O ^extent,^64bit");
	neighbours("-b 4096");
}

/* --- the fast path --- */

static u64 allocations;
static u32 self; /* only what this thread does counts */

static bool count_allocations(const char *name)
{
	allocations += os_thread_self() == self && !strcmp(name, "os_alloc");
	return false;
}

static u64 handles(struct dir_test *t)
{
	struct uext4_stats s;

	assert_int_equal(uext4_stats(t->fs, &s), 0);
	return s.handles;
}

static u64 misses;

static void count_misses(const char *name, u64 a, u64 b)
{
	misses += os_thread_self() == self &&
		  (!strcmp(name, "direct_upgrade") || !strcmp(name, "map_create_miss") ||
			  !strcmp(name, "dio_wait"));
}

/*
 * A read or overwrite of mapped blocks allocates nothing, opens no handle and takes no lock
 * exclusively. Only the first write of a tick of the clock has times to store.
 */
static void fast(struct dir_test *t, bool write, bool queued)
{
	struct uext4_completion c;
	struct uext4_queue *q;
	unsigned clean = 0;

	assert_int_equal(uext4_queue_create(t->fs, NULL, &q), 0);
	self = os_thread_self();
	fault_hook = count_allocations;
	trace_hook = count_misses;
	for (unsigned k = 0; k < 200000 && clean < 10; k++) {
		struct uext4_request r = {.op = write ? UEXT4_OP_WRITE : UEXT4_OP_READ,
			.file = watched,
			.buf = buf,
			.len = BLOCK,
			.offset = k % 16 * BLOCK};
		u64 before = handles(t);

		allocations = misses = 0;
		if (queued) {
			assert_int_equal(uext4_queue_submit(q, &r, 1), 1);
			assert_int_equal(uext4_queue_reap(q, &c, 1, 1, -1), 1);
			assert_int_equal(c.result, BLOCK);
		} else {
			assert_int_equal(rw(watched, write, r.offset, buf, BLOCK, 0), BLOCK);
		}
		assert_int_equal(misses, 0);
		if (handles(t) != before)
			continue; /* a tick has passed */
		assert_int_equal(allocations, 0);
		clean++;
	}
	fault_hook = NULL;
	trace_hook = NULL;
	assert_int_equal(clean, 10);
	uext4_queue_destroy(q);
}

static void test_IO_39_fast_path(void **state)
{
	struct dir_test t;

	up(&t, "-b 4096");
	watched = file_open(&t, "file", RW);
	assert_int_equal(uext4_pwrite(watched, buf, 16 * BLOCK, 0), 16 * BLOCK);
	assert_int_equal(uext4_fsync(watched), 0);
	assert_int_equal(uext4_pread(watched, buf, BLOCK, 0), BLOCK);
	fast(&t, false, false);
	fast(&t, true, false);
	fast(&t, false, true);
	fast(&t, true, true);
	uext4_file_close(watched);
	down(&t);
}

/* --- fallback --- */

/* IO-47, IO-44: holes of a file without extents go through the cache, and are on the device. */
static void test_IO_47_indirect(void **state)
{
	struct uext4_extent e[8];
	struct dir_test t;
	u64 sectors;

	up(&t, "-b 1024 -O ^extent,^64bit");
	watched = file_open(&t, "file", RW);
	assert_int_equal(uext4_pwrite(watched, buf, 2 * BLOCK, 0), 2 * BLOCK);
	assert_int_equal(uext4_ftruncate(watched, 8 * BLOCK), 0);
	memset(buf, 'c', 4 * BLOCK);
	assert_int_equal(uext4_pwrite(watched, buf, 4 * BLOCK, BLOCK), 4 * BLOCK);
	assert_false(iofile_is_dirty(&to_inode(uext4_file_inode(watched))->io));
	assert_true(uext4_extents(uext4_file_inode(watched), 0, e, 8) > 0);
	assert_int_equal(e[0].state, UEXT4_EXTENT_WRITTEN);
	assert_int_equal(rw(watched, true, 0, buf, BLOCK, UEXT4_RWF_APPEND), BLOCK);
	assert_int_equal(size_of(watched), 9 * BLOCK);
	expect_bytes(watched, 0, BLOCK, 'b');
	expect_bytes(watched, BLOCK, 4 * BLOCK, 'c');
	expect_bytes(watched, 5 * BLOCK, 3 * BLOCK, 0);
	expect_bytes(watched, 8 * BLOCK, BLOCK, 'c');
	sectors = sectors_of(watched);
	assert_int_equal(uext4_pwrite(watched, buf, BLOCK, 0), BLOCK); /* directly */
	assert_int_equal(sectors_of(watched), sectors);
	uext4_file_close(watched);
	down(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_36_to_43_errors),
		cmocka_unit_test(test_IO_38_refused),
		cmocka_unit_test(test_IO_39_locks),
		cmocka_unit_test(test_IO_38_append_upgrade),
		cmocka_unit_test(test_IO_50_order),
		cmocka_unit_test(test_IO_29_writeback_meanwhile),
		cmocka_unit_test(test_IO_79_gap),
		cmocka_unit_test(test_IO_41_one_block),
		cmocka_unit_test(test_IO_52_buffered_waits),
		cmocka_unit_test(test_IO_48_neighbours),
		cmocka_unit_test(test_IO_39_fast_path),
		cmocka_unit_test(test_IO_47_indirect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
