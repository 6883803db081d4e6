/*
 * Crashes and I/O errors within recovery, and recovery into an overlay: the
 * log stays good until everything is home.
 */
#include "crash_states.h"
#include "log_builder.h"

#include "base/util.h"

#include <stdlib.h>
#include <string.h>

static struct log_builder lb;

static void make(const struct log_options *o)
{
	u32 t, i;

	lb_open(&lb, o);
	for (t = 0; t < 8; t++) {
		for (i = 0; i < 6; i++)
			lb_log(&lb, LB_HOME + (t * 5 + i * 3) % 40, t * 10 + i + 1);
		if (t % 2)
			lb_revoke(&lb, LB_HOME + t * 5);
		lb_commit(&lb);
	}
}

static size_t size_of(void)
{
	return (size_t)LB_FS_BLOCKS * lb.bs;
}

static void crash_and_recover(const struct dev_record_entry *e, size_t count, const u8 *before)
{
	size_t cut;
	u64 choice;

	for (cut = 0; cut <= count; cut++)
		for (choice = CRASH_NONE; choice < CRASH_RANDOM + 6; choice++) {
			memcpy(dev_mem_data(lb.fs), before, size_of());
			crash_apply(e, count, cut, choice, dev_mem_data(lb.fs));
			assert_int_equal(lb_recover(&lb), 0);
			lb_expect(&lb, 8);
			lb_expect_clean(&lb, 50 + 8 + 1);
		}
}

/* RC-11: cut the replay's own stream everywhere; a second run ends where the first would have. */
static void test_RC_11_crash_within_recovery(void **state)
{
	struct log_options o = {.sequence = 50, .csum = LOG_V3};
	const struct dev_record_entry *e;
	size_t count;
	u8 *before;

	make(&o);
	before = malloc(size_of());
	memcpy(before, dev_mem_data(lb.fs), size_of());
	assert_int_equal(dev_record_create(lb.fs, true, &lb.use_fs), 0);
	lb.use_log = lb.use_fs;
	assert_int_equal(lb_recover(&lb), 0);
	count = dev_record_entries(lb.use_fs, &e);
	assert_true(count > 4);
	{
		struct dev *record = lb.use_fs;

		lb.use_fs = lb.use_log = lb.fs;
		crash_and_recover(e, count, before);
		dev_close(record);
	}
	free(before);
	lb_close(&lb);
}

/* RC-11, JB-40: home writes, then a flush, then one FUA write of the journal superblock. */
static void test_RC_11_order(void **state)
{
	struct log_options o = {.sequence = 50, .csum = LOG_V3};
	const struct dev_record_entry *e;
	size_t count, i, home = 0, flush = 0, super = 0;

	make(&o);
	assert_int_equal(dev_record_create(lb.fs, true, &lb.use_fs), 0);
	lb.use_log = lb.use_fs;
	assert_int_equal(lb_recover(&lb), 0);
	count = dev_record_entries(lb.use_fs, &e);
	for (i = 0; i < count; i++) {
		if (e[i].kind == DEV_REC_FLUSH)
			flush = i;
		if (e[i].kind != DEV_REC_WRITE)
			continue;
		if (e[i].offset == (u64)LB_LOG_PBLK * lb.bs) {
			assert_true(e[i].flags & DEV_FUA);
			assert_int_equal(super, 0);
			super = i;
		} else {
			assert_true(e[i].offset >= (u64)LB_HOME * lb.bs);
			home = i;
		}
	}
	assert_true(home && home < flush && flush < super);
	dev_close(lb.use_fs);
	lb_close(&lb);
}

/* JB-23: with a log of its own, the file system's device is flushed before the log is let go. */
static void test_JB_23_external_log(void **state)
{
	struct log_options o = {.sequence = 50, .csum = LOG_V3, .external = true};
	const struct dev_record_entry *e, *le;
	size_t count, log_count;

	make(&o);
	assert_int_equal(dev_record_create(lb.fs, true, &lb.use_fs), 0);
	assert_int_equal(dev_record_create(lb.log, true, &lb.use_log), 0);
	assert_int_equal(lb_recover(&lb), 0);
	count = dev_record_entries(lb.use_fs, &e);
	log_count = dev_record_entries(lb.use_log, &le);
	assert_int_equal(e[count - 1].kind, DEV_REC_FLUSH);
	assert_int_equal(log_count, 2);
	assert_true(le[1].flags & DEV_FUA);
	lb_expect(&lb, 8);
	dev_close(lb.use_fs);
	dev_close(lb.use_log);
	lb_close(&lb);
}

/* Every I/O fails once in turn: an error, and the next recovery is complete. */
static void test_RC_11_io_errors(void **state)
{
	static const unsigned ops[] = {1u << DEV_READ, 1u << DEV_WRITE, 1u << DEV_FLUSH};
	u32 k, after, torn;

	for (torn = 0; torn < 2; torn++)
		for (k = 0; k < array_len(ops); k++)
			for (after = 0;; after++) {
				struct log_options o = {.sequence = 50, .csum = LOG_V3};
				struct dev_fault_rule rule = {.ops = ops[k],
					.after = after,
					.count = 1,
					.error = EIO,
					.torn = torn};
				bool hit;
				int err;

				make(&o);
				assert_int_equal(dev_fault_create(lb.fs, true, &lb.use_fs), 0);
				lb.use_log = lb.use_fs;
				assert_int_equal(dev_fault_add(lb.use_fs, &rule), 0);
				err = lb_recover(&lb);
				hit = dev_fault_hits(lb.use_fs) != 0;
				dev_close(lb.use_fs);
				lb.use_fs = lb.use_log = lb.fs;
				/* A failed read ahead is tried again in small. */
				if (hit && !err)
					assert_int_equal(ops[k], 1u << DEV_READ);
				assert_int_equal(lb_recover(&lb), 0);
				lb_expect(&lb, 8);
				lb_expect_clean(&lb, 59);
				lb_close(&lb);
				if (!hit)
					break;
			}
}

/* Every allocation fails once in turn: an error, nothing lost, nothing leaked. */
static void test_RC_11_no_memory(void **state)
{
	u32 n;

	for (n = 1;; n++) {
		struct log_options o = {.sequence = 50, .csum = LOG_V3};
		bool struck;
		int err;

		make(&o);
		lb.alloc_fails = n;
		err = lb_recover(&lb);
		struck = lb.alloc_fails == 0;
		assert_true(!err || (struck && err == -ENOMEM));
		lb.alloc_fails = 0;
		if (err)
			assert_int_equal(lb_recover(&lb), 0);
		lb_expect(&lb, 8);
		lb_expect_clean(&lb, 59);
		lb_close(&lb);
		if (!struck)
			break;
	}
	assert_true(n > 8);
}

/* A sector that can't be read behind the end of the log does not matter, one inside does. */
static void test_RC_3_unreadable_sectors(void **state)
{
	u32 i, csum, data_errors = 0;
	int err;

	for (csum = 0; csum < 2; csum++)
		for (i = 1; i < 140; i++) {
			struct log_options o = {.sequence = 50, .csum = csum ? LOG_V3 : LOG_NONE};
			struct dev_fault_rule rule = {
				.ops = 1u << DEV_READ, .error = EIO, .len = 1024};

			make(&o);
			rule.offset = (u64)(LB_LOG_PBLK + i) * lb.bs;
			assert_int_equal(dev_fault_create(lb.fs, true, &lb.use_fs), 0);
			lb.use_log = lb.use_fs;
			assert_int_equal(dev_fault_add(lb.use_fs, &rule), 0);
			err = lb_recover(&lb);
			if (i < lb.next && lb.notes[i - 1].role == ROLE_DATA)
				data_errors += err != 0; /* a revoked copy is not needed */
			else
				assert_int_equal(err, i > lb.next ? 0 : -EIO);
			if (err)
				assert_int_equal(lb_get32(lb_block(&lb, 0), 0x1c), 1);
			else
				lb_expect(&lb, 8);
			dev_close(lb.use_fs);
			lb_close(&lb);
		}
	assert_true(data_errors > 20);
}

/* RC-12: into an overlay; the device keeps every byte, the overlay shows the result. */
static void test_RC_12_overlay(void **state)
{
	struct log_options o = {.sequence = 50, .csum = LOG_V3};
	struct dev *overlay;
	u8 *before, *after;

	make(&o);
	before = malloc(size_of());
	after = malloc(size_of());
	memcpy(before, dev_mem_data(lb.fs), size_of());
	assert_int_equal(dev_overlay_create(lb.fs, true, &overlay), 0);
	assert_int_equal(lb_recover_to(&lb, overlay, false), 0);
	assert_memory_equal(before, dev_mem_data(lb.fs), size_of());
	assert_int_equal(dev_read(overlay, 0, after, size_of()), 0);
	dev_close(overlay);
	/* The overlay's home blocks; the log itself is as before. */
	memcpy(dev_mem_data(lb.fs), after, size_of());
	lb_expect(&lb, 8);
	assert_int_equal(lb_get32(lb_block(&lb, 0), 0x1c), 1);
	free(before);
	free(after);
	lb_close(&lb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_RC_11_crash_within_recovery),
		cmocka_unit_test(test_RC_11_order),
		cmocka_unit_test(test_JB_23_external_log),
		cmocka_unit_test(test_RC_11_io_errors),
		cmocka_unit_test(test_RC_11_no_memory),
		cmocka_unit_test(test_RC_3_unreadable_sectors),
		cmocka_unit_test(test_RC_12_overlay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
