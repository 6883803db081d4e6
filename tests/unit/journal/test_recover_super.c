/* The journal superblock: what journal_open accepts, what it refuses, what live journaling makes of
 * it. */
#include "log_builder.h"

#include "base/crc.h"
#include "base/util.h"
#include "disk/features.h"
#include "journal/journal_priv.h"

#include <string.h>

static struct log_builder lb;

struct opened {
	struct bcache *cache;
	struct journal *j;
};

static int open_journal(struct opened *o)
{
	struct bcache_params cp = {
		.dev = lb.use_fs, .sb = &lb.sb, .block_size = lb.bs, .max_bytes = 1 << 20};
	struct journal_params jp = {.fs_dev = lb.use_fs,
		.log_dev = lb.use_log,
		.sb = &lb.sb,
		.runs = lb.runs,
		.run_count = lb.run_count};
	int err;

	assert_int_equal(bcache_create(&cp, &o->cache), 0);
	jp.bcache = o->cache;
	err = journal_open(&jp, &o->j);
	if (err)
		bcache_destroy(o->cache);
	return err;
}

static void close_journal(struct opened *o)
{
	journal_destroy(o->j);
	bcache_destroy(o->cache);
}

static int try_open(void)
{
	struct opened o;
	int err = open_journal(&o);

	if (!err)
		close_journal(&o);
	return err;
}

static void reseal(void)
{
	u8 *s = lb_block(&lb, 0);

	lb_put32(s, 0xfc, 0);
	lb_put32(s, 0xfc, crc32c(~0u, s, 1024));
}

struct poke {
	size_t offset;
	u32 value;
	int want;
};

/* RC-4, JB-34, HD-9: one wrong field, checksum valid. */
static void test_RC_4_superblock_fields(void **state)
{
	static const struct poke pokes[] = {
		{0x00, 0xc03b3999, -EUCLEAN}, {0x04, 2, -EUCLEAN}, {0x04, 5, -EUCLEAN},
		{0x0c, 2048, -EUCLEAN}, {0x0c, 0, -EUCLEAN},
		{0x10, 1101, -EUCLEAN}, /* longer than the inode */
		{0x10, 0xffffffff, -EUCLEAN}, {0x10, 0, -EUCLEAN}, {0x10, 2, -EUCLEAN},
		{0x10, 1050, 0}, {0x14, 0, -EUCLEAN}, {0x14, 1100, -EUCLEAN}, {0x1c, 0, 0},
		{0x1c, 1099, 0}, {0x1c, 1100, -EUCLEAN}, {0x1c, 0xffffffff, -EUCLEAN}, {0x18, 0, 0},
		{0x24, 1, -EUCLEAN},	   /* v1 and v3 */
		{0x28, 0x18, -EUCLEAN},	   /* v2 and v3 */
		{0x28, 0x50, -EOPNOTSUPP}, /* unknown */
		{0x28, 0x80000010, -EOPNOTSUPP}, {0x2c, 1, -EOPNOTSUPP},
		{0x50, 0x01000000, -EUCLEAN},		    /* checksum type */
		{0x50, 0, -EUCLEAN}, {0x24, 0xfffffffe, 0}, /* unknown compat bits */
		{0x58, 0xffffffff, 0},			    /* a wild head */
		{0x20, 0xfffffffb, 0},			    /* an errno */
	};
	size_t i;

	for (i = 0; i < array_len(pokes); i++) {
		struct log_options o = {.log_blocks = 1100, .sequence = 5, .csum = LOG_V3};

		lb_open(&lb, &o);
		lb_put32(lb_block(&lb, 0), pokes[i].offset, pokes[i].value);
		reseal();
		if (try_open() != pokes[i].want)
			fail_msg("offset %zx value %x: %d", pokes[i].offset, pokes[i].value,
				try_open());
		lb_close(&lb);
	}
}

/* RC-4: the first block of the log below the ring. */
static void test_RC_4_start_before_first(void **state)
{
	struct log_options o = {.sequence = 5, .csum = LOG_V3};

	lb_open(&lb, &o);
	lb_put32(lb_block(&lb, 0), 0x14, 10);
	lb_put32(lb_block(&lb, 0), 0x1c, 9);
	reseal();
	assert_int_equal(try_open(), -EUCLEAN);
	lb_close(&lb);
}

/* RC-6: a wrong checksum refuses; without csum_v2/v3 the field means nothing. */
static void test_RC_6_superblock_checksum(void **state)
{
	u32 csum, bit;

	for (csum = LOG_NONE; csum <= LOG_V3; csum++)
		for (bit = 0; bit < 2; bit++) {
			struct log_options o = {.sequence = 5, .csum = csum};

			lb_open(&lb, &o);
			lb_block(&lb, 0)[bit ? 0xff : 0x120] ^= 1;
			assert_int_equal(try_open(), csum >= LOG_V2 ? -EBADMSG : 0);
			lb_close(&lb);
		}
}

/* JB-36: the fast-commit area must leave a ring. */
static void test_JB_36_area_size(void **state)
{
	static const struct {
		u32 fc;
		int want;
	} cases[] = {{16, 0}, {1, 0}, {1040, -EUCLEAN}, {1039, -EUCLEAN}, {0xffffffff, -EUCLEAN}};
	size_t i;

	for (i = 0; i < array_len(cases); i++) {
		struct log_options o = {
			.log_blocks = 1040, .sequence = 5, .csum = LOG_V3, .fc_blocks = 16};

		lb_open(&lb, &o);
		lb_put32(lb_block(&lb, 0), 0x54, cases[i].fc);
		reseal();
		assert_int_equal(try_open(), cases[i].want);
		lb_close(&lb);
	}
}

/* HD-3: holes, overlong runs, places outside the device. */
static void test_HD_3_log_runs(void **state)
{
	static const struct journal_run bad[] = {
		{1, 1024, LB_LOG_PBLK},
		{0, 0, LB_LOG_PBLK},
		{0, 100, LB_LOG_PBLK},
		{0, 1024, LB_FS_BLOCKS},
		{0, 1024, LB_FS_BLOCKS - 1023},
		{0, 1024, UINT64_MAX - 10},
	};
	struct log_options o = {.sequence = 5};
	size_t i;

	for (i = 0; i < array_len(bad); i++) {
		lb_open(&lb, &o);
		lb.runs[0] = bad[i];
		assert_int_equal(try_open(), -EUCLEAN);
		lb.run_count = 0;
		assert_int_equal(try_open(), -EUCLEAN);
		lb_close(&lb);
	}
	o.split = true;
	lb_open(&lb, &o);
	assert_int_equal(try_open(), 0);
	lb.runs[2].lblk++;
	assert_int_equal(try_open(), -EUCLEAN);
	lb_close(&lb);
}

/* JB-37: an external log counts the blocks of its device; its ring must not reach the superblock.
 */
static void test_JB_37_external_numbers(void **state)
{
	struct log_options o = {
		.sequence = 5, .csum = LOG_V3, .external = true, .log_blocks = 1100, .start = 70};
	u8 *log, *s;
	u32 first;

	for (first = 63; first < 67; first++) {
		lb_open(&lb, &o);
		lb_log(&lb, LB_HOME, 1);
		lb_commit(&lb);
		/* Log block n at device block n, the superblock in block 64. */
		log = dev_mem_data(lb.log);
		memmove(log + 70 * lb.bs, lb_block(&lb, 70), (size_t)5 * lb.bs);
		lb.runs[0] = (struct journal_run){LB_LOG_PBLK, 1100 - LB_LOG_PBLK, LB_LOG_PBLK};
		s = log + (size_t)LB_LOG_PBLK * lb.bs;
		lb_put32(s, 0x14, first);
		lb_put32(s, 0xfc, 0);
		lb_put32(s, 0xfc, crc32c(~0u, s, 1024));
		assert_int_equal(try_open(), first <= LB_LOG_PBLK ? -EUCLEAN : 0);
		if (first > LB_LOG_PBLK) {
			assert_int_equal(lb_recover(&lb), 0);
			lb_expect(&lb, 1);
			assert_int_equal(lb_get32(s, 0x1c), 0);
		}
		lb_close(&lb);
	}
}

/* RC-15: the errno survives recovery, for the mount to see. */
static void test_RC_15_stored_errno(void **state)
{
	static const u32 stored[] = {0, 0xfffffffb, 5, 0x80000000};
	static const int want[] = {0, -5, -5, -EIO};
	size_t i;

	for (i = 0; i < array_len(stored); i++) {
		struct log_options o = {.sequence = 5, .csum = LOG_V3};
		struct opened op;

		lb_open(&lb, &o);
		lb_log(&lb, LB_HOME, 1);
		lb_commit(&lb);
		lb_put32(lb_block(&lb, 0), 0x20, stored[i]);
		reseal();
		assert_int_equal(lb_recover(&lb), 0);
		lb_expect(&lb, 1);
		assert_int_equal(open_journal(&op), 0);
		assert_int_equal(journal_stored_errno(op.j), want[i]);
		assert_false(journal_is_dirty(op.j));
		close_journal(&op);
		lb_close(&lb);
	}
}

/* JB-31, JB-33: where the next transaction goes, and its number. */
static void test_JB_31_next_position(void **state)
{
	struct log_options o = {.sequence = 5, .csum = LOG_V3};
	static const struct {
		u32 stored, want;
	} heads[] = {{0, 1}, {1, 1}, {45, 45}, {1023, 1023}, {1024, 1}, {0xffffffff, 1}};
	struct opened op;
	size_t i;

	for (i = 0; i < array_len(heads); i++) {
		lb_open(&lb, &o);
		lb_put32(lb_block(&lb, 0), 0x1c, 0);
		lb_put32(lb_block(&lb, 0), 0x58, heads[i].stored);
		reseal();
		assert_int_equal(open_journal(&op), 0);
		assert_int_equal(op.j->head, heads[i].want);
		assert_int_equal(op.j->next_seq, 6);
		close_journal(&op);
		lb_close(&lb);
	}
	/* After recovery: behind the last transaction, one number is left out. */
	lb_open(&lb, &o);
	lb_log(&lb, LB_HOME, 1);
	lb_commit(&lb);
	assert_int_equal(open_journal(&op), 0);
	assert_true(journal_is_dirty(op.j));
	assert_int_equal(journal_recover(op.j, lb.use_fs, true), 0);
	assert_false(journal_is_dirty(op.j));
	assert_int_equal(op.j->next_seq, 7);
	assert_int_equal(op.j->head, 4);
	close_journal(&op);
	assert_int_equal(open_journal(&op), 0);
	assert_int_equal(op.j->next_seq, 8);
	assert_int_equal(op.j->head, 4);
	close_journal(&op);
	lb_close(&lb);
}

/* RC-2: a dirty log that is thrown away leaves no number that it may contain. */
static void test_RC_2_discard(void **state)
{
	struct log_options o = {.sequence = 0xffffffff, .csum = LOG_V3};
	struct opened op;

	lb_open(&lb, &o);
	lb_log(&lb, LB_HOME, 1);
	lb_commit(&lb);
	assert_int_equal(open_journal(&op), 0);
	assert_int_equal(journal_discard(op.j), 0);
	assert_false(journal_is_dirty(op.j));
	assert_true((s32)(op.j->next_seq - (0xffffffff + 1023u)) > 0);
	close_journal(&op);
	assert_int_equal(open_journal(&op), 0);
	assert_false(journal_is_dirty(op.j));
	assert_true((s32)(op.j->next_seq - (0xffffffff + 1023u)) > 0);
	close_journal(&op);
	assert_int_equal(lb_recover(&lb), 0);
	lb_expect(&lb, 0);
	lb_close(&lb);
}

static void upgrade(u32 ro_compat, u32 incompat)
{
	struct opened op;

	lb.sb.feature_ro_compat = ro_compat;
	lb.sb.feature_incompat = incompat;
	assert_int_equal(open_journal(&op), 0);
	assert_int_equal(journal_super_upgrade(op.j), 0);
	close_journal(&op);
	assert_int_equal(try_open(), 0);
}

/* JB-34: 64bit and csum_v3 follow the file system; v1, v2 and async commit go; errno is cleared. */
static void test_JB_34_upgrade(void **state)
{
	u32 csum, meta, wide;
	const u8 *s;

	for (csum = LOG_NONE; csum <= LOG_V3; csum++)
		for (meta = 0; meta < 2; meta++)
			for (wide = 0; wide < 2; wide++) {
				struct log_options o = {.sequence = 5, .csum = csum, .incompat = 4};

				lb_open(&lb, &o);
				s = lb_block(&lb, 0);
				lb_put32(lb_block(&lb, 0), 0x1c, 0);
				lb_put32(lb_block(&lb, 0), 0x20, (u32)-5);
				reseal();
				upgrade(meta ? EXT4_FEATURE_RO_COMPAT_METADATA_CSUM : 0,
					wide ? EXT4_FEATURE_INCOMPAT_64BIT : 0);
				assert_int_equal(lb_get32(s, 0x24), 0);
				assert_int_equal(
					lb_get32(s, 0x28), 1 | (wide ? 2 : 0) | (meta ? 0x10 : 0));
				assert_int_equal(lb_get32(s, 0x20), 0);
				assert_int_equal(s[0x50], meta ? 4 : 0);
				assert_int_equal(lb_get32(s, 0x18), 5);
				lb_close(&lb);
			}
}

/* A version 1 superblock has no feature fields; live journaling makes it version 2. */
static void test_JB_34_version_1(void **state)
{
	struct log_options o = {.sequence = 5};
	u8 *s;

	lb_open(&lb, &o);
	lb_log(&lb, LB_HOME, 1);
	lb_commit(&lb);
	s = lb_block(&lb, 0);
	lb_put32(s, 4, 3);
	memset(s + 0x24, 0xff, 1024 - 0x24);
	assert_int_equal(lb_recover(&lb), 0);
	lb_expect(&lb, 1);
	memcpy(lb.sb.uuid, "fedcba9876543210", 16);
	upgrade(EXT4_FEATURE_RO_COMPAT_METADATA_CSUM, 0);
	assert_int_equal(lb_get32(s, 4), 4);
	assert_int_equal(lb_get32(s, 0x28), 0x11);
	assert_int_equal(lb_get32(s, 0x2c), 0);
	assert_int_equal(lb_get32(s, 0x40), 1);
	assert_memory_equal(s + 0x30, "fedcba9876543210", 16);
	assert_int_equal(lb_get32(s, 0x100), 0);
	lb_close(&lb);
}

/* JB-40: after an abort only the errno is written. */
static void test_JB_38_after_abort(void **state)
{
	struct log_options o = {.sequence = 5, .csum = LOG_V3};
	struct opened op;

	lb_open(&lb, &o);
	lb_put32(lb_block(&lb, 0), 0x1c, 0);
	reseal();
	assert_int_equal(open_journal(&op), 0);
	journal_abort(op.j, -EIO);
	assert_int_equal(journal_super_set_tail(op.j, 3, 9, 0, DEV_FUA), -EROFS);
	assert_int_equal(lb_get32(lb_block(&lb, 0), 0x18), 5);
	assert_int_equal(journal_super_set_errno(op.j, -EIO), 0);
	assert_int_equal(lb_get32(lb_block(&lb, 0), 0x20), (u32)-EIO);
	assert_int_equal(lb_get32(lb_block(&lb, 0), 0x1c), 0);
	close_journal(&op);
	assert_int_equal(try_open(), 0);
	lb_close(&lb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_RC_4_superblock_fields),
		cmocka_unit_test(test_RC_4_start_before_first),
		cmocka_unit_test(test_RC_6_superblock_checksum),
		cmocka_unit_test(test_JB_36_area_size),
		cmocka_unit_test(test_HD_3_log_runs),
		cmocka_unit_test(test_JB_37_external_numbers),
		cmocka_unit_test(test_RC_15_stored_errno),
		cmocka_unit_test(test_JB_31_next_position),
		cmocka_unit_test(test_RC_2_discard),
		cmocka_unit_test(test_JB_34_upgrade),
		cmocka_unit_test(test_JB_34_version_1),
		cmocka_unit_test(test_JB_38_after_abort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
