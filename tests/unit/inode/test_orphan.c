/* Orphan records: list and file (OR-1, OR-2), cleanup (OR-5), hostile entries (OR-6). */
#include "inode/inode_test.h"

#include "base/trace.h"

#define FILES 300

static const char list_options[] = "-b 1024 -O ^orphan_file";
static const char file_options[] = "-b 1024 -O orphan_file";
/* Two blocks of 254 slots. */
static const char small_options[] = "-b 1024 -O orphan_file -E orphan_file_size=2";

static void record(struct inode *i, bool add)
{
	struct handle h;

	fixture_start(container_of(i->volume, struct fixture, v), &h,
		ORPHAN_CREDITS + INODE_DIRTY_CREDITS, 0);
	assert_int_equal(add ? orphan_add(&h, i) : orphan_remove(&h, i), 0);
	assert_int_equal(inode_dirty(&h, i), 0);
	fixture_stop(&h);
}

static u32 head_of(struct inode_test *t)
{
	struct le32 head;

	fixture_peek(&t->f, 1024 + 0xe8, &head, 4);
	return le32_to_cpu(head);
}

static u32 next_of(struct inode_test *t, ino_nr ino)
{
	struct le32 next;

	fixture_peek(&t->f, it_raw_offset(t, ino) + 0x14, &next, 4);
	return le32_to_cpu(next);
}

/* Everything recorded is home, nothing is finished: as after a crash and its replay. */
static void stop_with_orphans(struct inode_test *t)
{
	assert_int_equal(journal_flush(t->f.v.journal), 0);
	it_crash(t);
}

static void test_OR_1_list(void **state)
{
	static const u32 order[] = {
		4, 3, 1, 0}; /* 2 was removed from the middle, 5 from the head */
	struct inode *i[6];
	struct inode_test t;
	ino_nr ino;

	it_make(&t, 8 << 20, list_options, 6, 0);
	it_up(&t, 0);
	for (u32 k = 0; k < 6; k++) {
		i[k] = it_file(&t, k);
		record(i[k], true);
		record(i[k], true); /* once is enough */
	}
	record(i[2], false);
	record(i[2], false);
	record(i[5], false);
	for (u32 k = 0; k < 6; k++)
		inode_put(i[k]);
	stop_with_orphans(&t);
	ino = head_of(&t);
	for (u32 k = 0; k < array_len(order); k++) {
		assert_int_equal(ino, t.file + order[k]);
		ino = next_of(&t, ino);
	}
	assert_int_equal(ino, 0);
	assert_int_equal(next_of(&t, t.file + 2), 0);
	assert_int_equal(next_of(&t, t.file + 5), 0);
	fixture_remove(&t.f);
}

/* IO-34. Links 0: deleted; else truncated to the size. Twice is the same as once. */
static void cleanup(const char *options)
{
	struct orphan_report report = {0};
	struct inode_test t;
	struct inode *i;

	it_make(&t, 16 << 20, options, 4, 0);
	it_fill_file(&t, 1, 100000);
	it_fill_file(&t, 2, 100000);
	it_unname(&t, 2);
	it_unname(&t, 3);
	it_up(&t, 0);
	i = it_file(&t, 1);
	inode_set_size(i, 5000);
	inode_set_disk_size(i, 5000);
	record(i, true);
	record(i, true);
	inode_put(i);
	for (u32 k = 2; k < 4; k++) {
		i = it_file(&t, k);
		it_unlink(i);
		t.f.v.flags |= VOLUME_READ_ONLY; /* not finished here */
		inode_put(i);
		t.f.v.flags &= ~(u32)VOLUME_READ_ONLY;
	}
	stop_with_orphans(&t);
	it_up(&t, 0);
	assert_int_equal(orphans_cleanup(&t.f.v, false, &report), 0);
	assert_int_equal(report.truncated, 1);
	assert_int_equal(report.deleted, 2);
	assert_int_equal(report.skipped, 0);
	assert_true(orphans_empty(&t.f.v));
	i = it_file(&t, 1);
	assert_int_equal(i->f.blocks, 5 * 2);
	inode_put(i);
	assert_int_equal(orphans_cleanup(&t.f.v, false, &report), 0);
	assert_int_equal(report.truncated + report.deleted, 3);
	assert_int_equal(inode_get(&t.f.v, t.file + 2, &i), -ESTALE);
	it_end(&t);
}

static void test_OR_5_cleanup_list(void **state)
{
	cleanup(list_options);
}

static void test_OR_5_cleanup_file(void **state)
{
	cleanup(file_options);
}

static void test_OR_2_overflow(void **state)
{
	struct orphan_report report = {0};
	struct inode_test t;
	struct inode *i;
	u32 slots, listed = 0;

	it_make(&t, 16 << 20, small_options, 600, 0);
	for (u32 k = 0; k < 600; k += 50)
		it_unname(&t, k);
	it_up(&t, 0);
	slots = 2 * 254;
	for (u32 k = 0; k < 600; k++) {
		i = it_file(&t, k);
		if (k % 50 == 0)
			it_unlink(i);
		else
			record(i, true);
		listed += (i->state & INODE_ORPHAN_LIST) != 0;
		if (k % 50 == 0)
			t.f.v.flags |= VOLUME_READ_ONLY;
		if (k % 50 == 0)
			inode_put(i);
		t.f.v.flags &= ~(u32)VOLUME_READ_ONLY;
	}
	assert_int_equal(listed, 600 - slots);
	for (u32 k = 0; k < 600; k++)
		if (k % 50) {
			i = it_file(&t, k);
			inode_put(i);
			inode_put(i);
		}
	stop_with_orphans(&t);
	it_up(&t, 0);
	assert_false(orphans_empty(&t.f.v));
	assert_int_equal(orphans_cleanup(&t.f.v, false, &report), 0);
	assert_int_equal(report.deleted, 12);
	assert_int_equal(report.truncated, 588);
	assert_true(orphans_empty(&t.f.v));
	it_end(&t);
}

/* A slot freed in the middle is used again. */
static void test_OR_2_slots(void **state)
{
	struct inode *i[FILES];
	struct inode_test t;

	it_make(&t, 16 << 20, small_options, FILES, 0);
	it_up(&t, 0);
	for (u32 k = 0; k < FILES; k++) {
		i[k] = it_file(&t, k);
		record(i[k], true);
		assert_true(i[k]->state & INODE_ORPHAN_FILE);
	}
	for (u32 k = 100; k < 200; k++)
		record(i[k], false);
	for (u32 k = 100; k < 200; k++)
		record(i[k], true);
	for (u32 k = 0; k < FILES; k++)
		for (u32 j = 0; j < k; j++)
			assert_int_not_equal(i[k]->orphan_slot, i[j]->orphan_slot);
	for (u32 k = 0; k < FILES; k++) {
		record(i[k], false);
		inode_put(i[k]);
	}
	assert_true(orphans_empty(&t.f.v));
	it_end(&t);
}

static void poke32(struct inode_test *t, u64 at, u32 value)
{
	const struct le32 raw = cpu_to_le32(value);

	fixture_poke(&t->f, at, &raw, 4);
}

/* The head and, by `next`, the list behind it are poked; the cleanup ends and reports. */
static void hostile_list(u32 head, bool cycle, u32 truncated)
{
	struct orphan_report report = {0};
	struct inode_test t;

	it_make(&t, 8 << 20, "-b 1024 -O ^orphan_file,^metadata_csum", 3, 0);
	poke32(&t, 1024 + 0xe8, head ? head : t.file);
	if (cycle) {
		poke32(&t, it_raw_offset(&t, t.file) + 0x14, t.file + 1);
		poke32(&t, it_raw_offset(&t, t.file + 1) + 0x14, t.file);
	}
	it_up(&t, FIXTURE_QUIET);
	assert_int_equal(orphans_cleanup(&t.f.v, false, &report), 0);
	assert_int_equal(report.truncated, truncated);
	assert_int_equal(report.deleted, 0);
	it_end(&t); /* nothing else was damaged */
}

static void test_OR_6_list(void **state)
{
	hostile_list(0, false, 1);
	hostile_list(2, false, 0);	    /* the root */
	hostile_list(8, false, 0);	    /* the journal */
	hostile_list(1900, false, 0);	    /* free */
	hostile_list(0x7fffffff, false, 0); /* out of range */
}

static bool fail_alloc(const char *name)
{
	return strcmp(name, "os_alloc") == 0;
}

/* What can't be looked at is no damage: nothing is cut off. */
static void test_OR_5_no_memory(void **state)
{
	struct orphan_report report = {0};
	struct inode_test t;

	it_make(&t, 8 << 20, "-b 1024 -O ^orphan_file,^metadata_csum", 3, 0);
	poke32(&t, 1024 + 0xe8, t.file);
	poke32(&t, it_raw_offset(&t, t.file) + 0x14, t.file + 1);
	it_up(&t, 0);
	fault_hook = fail_alloc;
	assert_int_equal(orphans_cleanup(&t.f.v, false, &report), -ENOMEM);
	fault_hook = NULL;
	assert_int_equal(report.skipped, 0);
	assert_int_equal(le32_to_cpu(volume_super(&t.f.v)->s_last_orphan), t.file);
	assert_int_equal(orphans_cleanup(&t.f.v, false, &report), 0);
	assert_int_equal(report.truncated, 2);
	it_end(&t);
}

static void test_OR_6_cycle(void **state)
{
	/* The first is met again, but its own record has ended meanwhile. */
	hostile_list(0, true, 3);
}

static u64 orphan_block(struct inode_test *t)
{
	char command[64], *out;
	struct le32 ino;
	u64 block;

	fixture_peek(&t->f, 1024 + 0x280, &ino, 4);
	snprintf(command, sizeof(command), "bmap <%u> 0", le32_to_cpu(ino));
	out = it_debugfs(t, command, false);
	block = strtoull(strchr(out, '\n') + 1, NULL, 10);
	free(out);
	assert_true(block > 0);
	return block * 1024;
}

static void test_OR_6_file(void **state)
{
	struct orphan_report report = {0};
	struct inode_test t;
	u64 at;

	it_make(&t, 8 << 20, "-b 1024 -O orphan_file,^metadata_csum", 3, 0);
	at = orphan_block(&t);
	poke32(&t, at + 0, t.file);
	poke32(&t, at + 40, t.file + 1);
	poke32(&t, at + 80, t.file + 1); /* twice */
	poke32(&t, at + 120, 2);
	poke32(&t, at + 160, 1900);
	it_up(&t, FIXTURE_QUIET);
	assert_false(orphans_empty(&t.f.v));
	assert_int_equal(orphans_cleanup(&t.f.v, false, &report), 0);
	assert_int_equal(report.truncated, 3);
	assert_int_equal(report.skipped, 2);
	it_down(&t);
	poke32(&t, at + 120, 0);
	poke32(&t, at + 160, 0);
	fixture_fsck(&t.f);
	fixture_remove(&t.f);
}

static void test_OR_6_bad_block(void **state)
{
	struct inode_test t;

	it_make(&t, 8 << 20, "-b 1024 -O orphan_file", 3, 0);
	poke32(&t, orphan_block(&t) + 4, t.file); /* the checksum is wrong now */
	assert_int_equal(it_try_up(&t, FIXTURE_QUIET), -EBADMSG);
	poke32(&t, orphan_block(&t) + 4, 0);
	poke32(&t, orphan_block(&t) + 1016, 1); /* magic */
	assert_int_not_equal(it_try_up(&t, FIXTURE_QUIET), 0);
	fixture_remove(&t.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_OR_1_list),
		cmocka_unit_test(test_OR_5_cleanup_list),
		cmocka_unit_test(test_OR_5_cleanup_file),
		cmocka_unit_test(test_OR_5_no_memory),
		cmocka_unit_test(test_OR_2_overflow),
		cmocka_unit_test(test_OR_2_slots),
		cmocka_unit_test(test_OR_6_list),
		cmocka_unit_test(test_OR_6_cycle),
		cmocka_unit_test(test_OR_6_file),
		cmocka_unit_test(test_OR_6_bad_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
