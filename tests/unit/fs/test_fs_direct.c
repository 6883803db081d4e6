/* Direct I/O through the public interface: errors, locks, order, sizes. */
#include "direct.h"

#include "base/trace.h"
#include "os/atomic.h"

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
		struct uext4_file *file = direct_open(t, "file", r->open);
		ssize_t n = direct_rw(file, r->write, r->pos, buf + r->skew, r->len, r->flags);

		if (n != r->expect)
			fail_msg("row %u: %zd, not %zd", k, n, r->expect);
		uext4_file_close(file);
	}
}

static void test_IO_36_to_43_errors(void **state)
{
	static const struct row rows[] = {
		/* Who may, and what is known at all. */
		{O_RDONLY | O_DIRECT, true, 0, 0, BLOCK, 0, -EBADF},
		{O_WRONLY | O_DIRECT, false, 0, 0, BLOCK, 0, -EBADF},
		{RW, true, 0x8000, 0, BLOCK, 0, -EOPNOTSUPP},
		{RW, false, UEXT4_RWF_ATOMIC, 0, BLOCK, 0, -EOPNOTSUPP},
		{O_RDWR, true, UEXT4_RWF_NOWAIT, 0, BLOCK, 0, -EOPNOTSUPP},
		{O_RDWR, false, UEXT4_RWF_NOWAIT, 0, BLOCK, 0, BLOCK}, /* still cached */
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

	direct_up(&t, "-b 4096 -N 64");
	file = direct_open(&t, "file", O_RDWR);
	assert_int_equal(uext4_pwrite(file, buf, 8 * BLOCK, 0), 8 * BLOCK);
	assert_int_equal(uext4_fsync(file), 0);
	table(&t, rows, array_len(rows));
	assert_int_equal(direct_size(file), 8 * BLOCK);
	uext4_file_close(file);
	direct_down(&t);
}

/* IO-43: what is cached, as much as there is in a row; nothing is waited for. */
static void test_IO_43_cached_nowait(void **state)
{
	struct uext4_file *file;
	struct dir_test t;
	ssize_t n;

	direct_up(&t, "-b 4096");
	file = direct_open(&t, "file", O_RDWR);
	for (u64 k = 0; k < 8; k++) /* a folio each */
		assert_int_equal(uext4_pwrite(file, buf, BLOCK, k * BLOCK), BLOCK);
	assert_int_equal(uext4_fsync(file), 0);
	assert_int_equal(direct_rw(file, false, 0, buf, 9 * BLOCK, UEXT4_RWF_NOWAIT), 8 * BLOCK);
	assert_int_equal(direct_rw(file, false, 8 * BLOCK, buf, BLOCK, UEXT4_RWF_NOWAIT), 0);
	assert_int_equal(iofile_invalidate_range(
				 &to_inode(uext4_file_inode(file))->io, 4 * BLOCK, 8 * BLOCK),
		0);
	assert_int_equal(direct_rw(file, false, 0, buf, 8 * BLOCK, UEXT4_RWF_NOWAIT), 4 * BLOCK);
	assert_int_equal(
		iofile_invalidate_range(&to_inode(uext4_file_inode(file))->io, 0, UINT64_MAX), 0);
	assert_int_equal(direct_rw(file, false, 0, buf, 8 * BLOCK, UEXT4_RWF_NOWAIT), -EAGAIN);
	do /* what was missing is being read for the next attempt */
		n = direct_rw(file, false, 0, buf, 8 * BLOCK, UEXT4_RWF_NOWAIT);
	while (n == -EAGAIN);
	assert_true(n > 0);
	for (ssize_t k = 0; k < n; k++)
		assert_int_equal(buf[k], 'b');
	uext4_file_close(file);
	direct_down(&t);
}

static void flags_set(struct uext4_file *file, u32 flags)
{
	struct uext4_setattr a = {.valid = UEXT4_SET_FLAGS, .flags = flags};
	struct uext4_stat st;

	assert_int_equal(uext4_stat(uext4_file_inode(file), &st), 0);
	a.flags |= st.flags & ~(0x10u | 0x20u);
	assert_int_equal(uext4_setattr(uext4_file_inode(file), NULL, &a), 0);
}

/* IO-38, IO-36: immutable, append only, read-only, shut direct_down. */
static void test_IO_38_refused(void **state)
{
	struct uext4_file *file;
	struct dir_test t;

	direct_up(&t, "-b 4096");
	file = direct_open(&t, "file", RW);
	assert_int_equal(uext4_pwrite(file, buf, BLOCK, 0), BLOCK);
	flags_set(file, 0x10);
	assert_int_equal(uext4_pwrite(file, buf, BLOCK, 0), -EPERM);
	flags_set(file, 0x20);
	assert_int_equal(uext4_pwrite(file, buf, BLOCK, 0), -EPERM);
	assert_int_equal(direct_rw(file, true, 0, buf, BLOCK, UEXT4_RWF_APPEND), BLOCK);
	assert_int_equal(direct_size(file), 2 * BLOCK);
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
	direct_down(&t);
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

/* IO-40: shared for an overwrite: one mapping has the range, inside the size; an unwritten one
 * counts if the write is aligned. */
static void test_IO_39_locks(void **state)
{
	struct uext4_setattr suid = {.valid = UEXT4_SET_MODE, .mode = 04755};
	struct uext4_cred user = {.uid = 1000, .gid = 1000, .trusted = true};
	struct uext4_file *file, *other;
	struct dir_test t;

	direct_up(&t, "-b 4096");
	file = direct_open(&t, "file", RW);
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
	direct_expect(file, 22 * BLOCK, SECTOR, 0); /* IO-49 */
	direct_expect(file, 22 * BLOCK + SECTOR, SECTOR, 'b');
	direct_expect(file, 22 * BLOCK + 2 * SECTOR, 6 * SECTOR, 0);
	uext4_file_close(other);
	uext4_file_close(file);
	direct_down(&t);
}

static struct uext4_file *appender;

/* Between the shared and the exclusive lock another append passes. */
static void append_between(const char *name, u64 a, u64 b)
{
	if (strcmp(name, "direct_upgrade"))
		return;
	trace_hook = NULL;
	memset(buf + BLOCK, 'o', BLOCK);
	assert_int_equal(direct_rw(appender, true, 0, buf + BLOCK, BLOCK, UEXT4_RWF_APPEND), BLOCK);
}

static void test_IO_38_append_upgrade(void **state)
{
	struct dir_test t;

	direct_up(&t, "-b 4096");
	appender = direct_open(&t, "file", RW | O_APPEND);
	assert_int_equal(uext4_pwrite(appender, buf, BLOCK, 0), BLOCK);
	trace_hook = append_between;
	assert_int_equal(uext4_pwrite(appender, buf, BLOCK, 0), BLOCK);
	trace_hook = NULL;
	assert_int_equal(direct_size(appender), 3 * BLOCK);
	direct_expect(appender, 0, BLOCK, 'b');
	direct_expect(appender, BLOCK, BLOCK, 'o');
	direct_expect(appender, 2 * BLOCK, BLOCK, 'b');
	uext4_file_close(appender);
	direct_down(&t);
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

	direct_up(&t, "-b 4096");
	env = &t;
	watched = direct_open(&t, "file", RW | O_DSYNC);
	events[0] = 0;
	trace_hook = note_order;
	assert_int_equal(uext4_pwrite(watched, buf, BLOCK, 0), BLOCK);
	trace_hook = NULL;
	assert_string_equal(events, "upgrade started written converted invalidated ended ");
	assert_int_equal(uext4_stats(t.fs, &s), 0);
	assert_true(s.commits > commits_at_end); /* (6) is last */
	assert_int_equal(direct_size(watched), BLOCK);
	uext4_file_close(watched);
	direct_down(&t);
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

	direct_up(&t, "-b 4096");
	cached = direct_open(&t, "file", O_RDWR);
	watched = direct_open(&t, "file", RW);
	assert_int_equal(uext4_pwrite(cached, buf, BLOCK, 4 * BLOCK), BLOCK);
	trace_hook = write_back_meanwhile;
	assert_int_equal(uext4_pwrite(watched, buf, BLOCK, BLOCK), BLOCK);
	trace_hook = NULL;
	assert_false(orphans_pending(t.v));
	assert_int_equal(direct_size(watched), 5 * BLOCK);
	uext4_file_close(cached);
	uext4_file_close(watched);
	dt_down(&t);
	fixture_fsck(&t.f);
	dt_up(&t);
	watched = direct_open(&t, "file", RW);
	assert_int_equal(direct_size(watched), 5 * BLOCK);
	direct_expect(watched, 0, BLOCK, 0);
	direct_expect(watched, BLOCK, BLOCK, 'b');
	direct_expect(watched, 2 * BLOCK, 2 * BLOCK, 0);
	direct_expect(watched, 4 * BLOCK, BLOCK, 'b');
	uext4_file_close(watched);
	direct_down(&t);
}

/* IO-79: what lay behind the end of the file stays zero when a write begins further. */
static void test_IO_79_gap(void **state)
{
	struct uext4_file *cached;
	struct dir_test t;

	direct_up(&t, "-b 4096");
	cached = direct_open(&t, "file", O_RDWR);
	watched = direct_open(&t, "file", RW);
	assert_int_equal(uext4_pwrite(cached, buf, BLOCK, 0), BLOCK);
	assert_int_equal(uext4_fsync(cached), 0);
	assert_int_equal(uext4_ftruncate(cached, 100), 0);
	assert_int_equal(uext4_pwrite(watched, buf, SECTOR, 6 * SECTOR), SECTOR);
	direct_expect(cached, 0, 100, 'b');
	direct_expect(cached, 100, 6 * SECTOR - 100, 0);
	direct_expect(cached, 6 * SECTOR, SECTOR, 'b');
	uext4_file_close(cached);
	uext4_file_close(watched);
	direct_down(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_36_to_43_errors),
		cmocka_unit_test(test_IO_43_cached_nowait),
		cmocka_unit_test(test_IO_38_refused),
		cmocka_unit_test(test_IO_39_locks),
		cmocka_unit_test(test_IO_38_append_upgrade),
		cmocka_unit_test(test_IO_50_order),
		cmocka_unit_test(test_IO_29_writeback_meanwhile),
		cmocka_unit_test(test_IO_79_gap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
