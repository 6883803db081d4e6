/*
 * Damaged logs: what is an ordinary end, what refuses the replay; and that a
 * refused one has written nothing.
 */
#include "log_builder.h"

#include "base/crc.h"
#include "base/util.h"

#include <string.h>

static struct log_builder lb;

static void make(const struct log_options *o)
{
	u32 t, i;

	lb_open(&lb, o);
	for (t = 0; t < 4; t++) {
		for (i = 0; i < 3; i++)
			lb_log(&lb, LB_HOME + t + i, t * 10 + i + 1);
		lb_revoke(&lb, LB_HOME + 30);
		lb_commit(&lb);
	}
}

static const struct log_note *find(u32 txn, enum log_role role)
{
	u32 i;

	for (i = 0; i < lb.note_count; i++)
		if (lb.notes[i].seq == lb.o.sequence + txn && lb.notes[i].role == role)
			return &lb.notes[i];
	fail();
	return NULL;
}

static void expect_refused(int err)
{
	assert_int_equal(lb_recover(&lb), err);
	lb_expect_untouched(&lb);
	lb_close(&lb);
}

static void expect_txns(u32 txns)
{
	assert_int_equal(lb_recover(&lb), 0);
	lb_expect(&lb, txns);
	lb_close(&lb);
}

static const enum log_csum kinds[] = {LOG_V2, LOG_V3};

/* RC-3, RC-6: a zeroed block other than data ends the log before its transaction. */
static void test_RC_6_zeroed_blocks(void **state)
{
	u32 k, i;

	for (k = 0; k < array_len(kinds); k++)
		for (i = 0;; i++) {
			struct log_options o = {.sequence = 50, .csum = kinds[k]};
			struct log_note n;

			make(&o);
			if (i == lb.note_count) {
				lb_close(&lb);
				break;
			}
			n = lb.notes[i];
			memset(lb_block(&lb, n.log_block), 0, lb.bs);
			if (n.role == ROLE_DATA)
				expect_refused(-EBADMSG);
			else
				expect_txns(n.seq - 50);
		}
}

/* RC-6, RC-8: one wrong byte behind an intact header of a complete transaction. */
static void test_RC_6_garbled_blocks(void **state)
{
	u32 k, i;

	for (k = 0; k < array_len(kinds); k++)
		for (i = 0;; i++) {
			struct log_options o = {.sequence = 50, .csum = kinds[k]};
			u8 *block;

			make(&o);
			if (i == lb.note_count) {
				lb_close(&lb);
				break;
			}
			/* Behind the tags, within the commit header, anywhere in data. */
			block = lb_block(&lb, lb.notes[i].log_block);
			block[lb.notes[i].role == ROLE_COMMIT ? 0x36 : 900] ^= 0x40;
			expect_refused(-EBADMSG);
		}
}

/* RC-6: a commit of which only the header reached the device counts. */
static void test_RC_6_partial_commit(void **state)
{
	u32 k, txn;

	for (k = 0; k < array_len(kinds); k++)
		for (txn = 0; txn < 4; txn++) {
			struct log_options o = {.sequence = 50, .csum = kinds[k]};

			make(&o);
			memset(lb_block(&lb, find(txn, ROLE_COMMIT)->log_block) + 512, 0x77, 512);
			expect_txns(4);
		}
}

/* RC-7: the same damage with a commit time before the previous one is an old round's end. */
static void test_RC_7_stale_by_time(void **state)
{
	static const enum log_role roles[] = {ROLE_DESCRIPTOR, ROLE_REVOKE, ROLE_COMMIT};
	u32 k, r, older;

	for (k = 0; k < array_len(kinds); k++)
		for (r = 0; r < array_len(roles); r++)
			for (older = 0; older < 2; older++) {
				struct log_options o = {.sequence = 50, .csum = kinds[k]};
				u8 *commit;

				make(&o);
				commit = lb_block(&lb, find(2, ROLE_COMMIT)->log_block);
				lb_put32(commit, 0x34, older ? 1000 : 1001);
				lb_seal(&lb, find(2, ROLE_COMMIT)->log_block, ROLE_COMMIT);
				lb_block(&lb, find(2, roles[r])->log_block)[0x39] ^= 1;
				if (older)
					expect_txns(2);
				else
					expect_refused(-EBADMSG);
			}
}

/* RC-7: time that stands still or goes back between sound transactions changes nothing. */
static void test_RC_7_clock_back(void **state)
{
	struct log_options o = {.sequence = 1, .csum = LOG_V3};
	u32 t;

	lb_open(&lb, &o);
	for (t = 0; t < 5; t++) {
		lb.sec = t == 3 ? 10 : 1000;
		lb_log(&lb, LB_HOME + t, t + 1);
		lb_commit(&lb);
	}
	expect_txns(5);
}

/* RC-8 and RC-5: a bad copy matters unless a revoke covers it, even if a newer copy follows. */
static void test_RC_8_revoked_copy_may_be_bad(void **state)
{
	u32 revoke;

	for (revoke = 0; revoke < 2; revoke++) {
		struct log_options o = {.sequence = 50, .csum = LOG_V3};

		lb_open(&lb, &o);
		lb_log(&lb, LB_HOME, 1);
		lb_commit(&lb);
		if (revoke)
			lb_revoke(&lb, LB_HOME);
		lb_log(&lb, LB_HOME + 1, 2);
		lb_commit(&lb);
		lb_log(&lb, LB_HOME, 3);
		lb_commit(&lb);
		lb_block(&lb, find(0, ROLE_DATA)->log_block)[100] ^= 1;
		if (revoke)
			expect_txns(3);
		else
			expect_refused(-EBADMSG);
	}
}

/* RC-3: bad data in the unfinished transaction is no matter. */
static void test_RC_3_bad_data_in_the_tail(void **state)
{
	struct log_options o = {.sequence = 50, .csum = LOG_V3};

	make(&o);
	lb_log(&lb, LB_HOME + 40, 9);
	lb_log(&lb, LB_HOME + 41, 9);
	lb_abandon(&lb);
	lb_block(&lb, find(4, ROLE_DATA)->log_block)[0] ^= 1;
	expect_txns(4);
}

/* RC-13: blocks of another file system with the expected sequence. */
static void test_RC_13_other_uuid(void **state)
{
	struct log_options o = {.sequence = 50, .csum = LOG_V3};
	const struct log_note *n;

	make(&o);
	/* The fifth transaction looks right, but was sealed with another seed, at an older time. */
	lb.sec = 5;
	lb_log(&lb, LB_HOME + 60, 9);
	lb_commit(&lb);
	n = find(4, ROLE_DESCRIPTOR);
	lb_block(&lb, n->log_block)[lb.bs - 1] ^= 0x55;
	lb_block(&lb, find(4, ROLE_COMMIT)->log_block)[0x12] ^= 0x55;
	expect_txns(4);
}

/* v1: the commit's crc covers descriptors and data; a missing one is accepted. */
static void test_RC_6_v1_checksum(void **state)
{
	u32 i;

	for (i = 0;; i++) {
		struct log_options o = {.sequence = 50, .csum = LOG_V1};

		make(&o);
		if (i == lb.note_count)
			break;
		lb_block(&lb,
			lb.notes[i].log_block)[lb.notes[i].role == ROLE_COMMIT ? 0x11 : 900] ^= 1;
		if (lb.notes[i].role == ROLE_REVOKE)
			expect_txns(4);
		else
			expect_refused(-EBADMSG);
	}
	memset(lb_block(&lb, find(1, ROLE_COMMIT)->log_block) + 12, 0, 8);
	expect_txns(4);
}

/* JB-24: with async commit a torn last transaction is an ordinary end, one in the middle is not. */
static void test_JB_24_async_commit(void **state)
{
	u32 txn;

	for (txn = 0; txn < 4; txn++) {
		struct log_options o = {.sequence = 50, .csum = LOG_V1, .incompat = 4};

		make(&o);
		lb_block(&lb, find(txn, ROLE_DATA)->log_block)[10] ^= 1;
		if (txn == 3)
			expect_txns(3);
		else
			expect_refused(-EBADMSG);
	}
}

/* Garbage under the expected header: tags beyond the block, records beyond the block. */
static void test_RC_4_runaway_blocks(void **state)
{
	struct log_options o = {.sequence = 50};
	u8 *block;
	u32 i;

	/* A descriptor without a last tag: it ends with its block. */
	make(&o);
	block = lb_block(&lb, find(2, ROLE_DESCRIPTOR)->log_block);
	for (i = 12 + 24; i + 8 <= lb.bs; i += 8)
		lb_put32(block, i + 4, 2);
	expect_txns(2);

	/* Nothing but revoke blocks of one transaction, all around. */
	make(&o);
	for (i = 1; i < 1024; i++) {
		block = lb_block(&lb, i);
		memset(block, 0, lb.bs);
		lb_put32(block, 0, 0xc03b3998);
		lb_put32(block, 4, 5);
		lb_put32(block, 8, 50);
		lb_put32(block, 12, 16);
	}
	expect_txns(0);

	/* r_count beyond the block. */
	make(&o);
	lb_put32(lb_block(&lb, find(1, ROLE_REVOKE)->log_block), 12, lb.bs + 1);
	expect_refused(-EUCLEAN);

	/* Within the checksum's tail. */
	o.csum = LOG_V3;
	make(&o);
	i = find(1, ROLE_REVOKE)->log_block;
	lb_put32(lb_block(&lb, i), 12, lb.bs - 3);
	lb_seal(&lb, i, ROLE_REVOKE);
	expect_refused(-EUCLEAN);

	/* The largest and the smallest that are legal. */
	make(&o);
	lb_put32(lb_block(&lb, i), 12, lb.bs - 4);
	lb_seal(&lb, i, ROLE_REVOKE);
	expect_txns(4);
	make(&o);
	lb_put32(lb_block(&lb, i), 12, 3);
	lb_seal(&lb, i, ROLE_REVOKE);
	expect_txns(4);
}

/* RC-10: targets outside the file system or in the log; a revoked one does not matter. */
static void test_RC_10_targets(void **state)
{
	static const struct {
		pblk_t pblk;
		bool external_ok;
	} bad[] = {{LB_FS_BLOCKS, false}, {0xffffffff, false}, {LB_LOG_PBLK, true},
		{LB_LOG_PBLK + 1023, true}};
	u32 i, place;

	for (place = 0; place < 2; place++)
		for (i = 0; i < array_len(bad); i++) {
			struct log_options o = {.sequence = 50, .external = place};

			make(&o);
			lb_log(&lb, LB_HOME + 1, 70);
			lb_log(&lb, bad[i].pblk, 71);
			lb_commit(&lb);
			if (place && bad[i].external_ok) {
				expect_txns(5);
				continue;
			}
			expect_refused(-EUCLEAN);
		}
	for (i = 0; i < 2; i++) {
		struct log_options o = {.sequence = 50, .split = true};
		const struct journal_run *run;

		make(&o);
		run = &lb.runs[i ? 3 : 1];
		lb_log(&lb, run->pblk + run->len - 1, 71);
		lb_commit(&lb);
		expect_refused(-EUCLEAN);
	}
}

/* RC-10: a log that grows the file system carries its new size. */
static void test_RC_10_grown_file_system(void **state)
{
	u32 magic;

	for (magic = 0; magic < 2; magic++) {
		struct log_options o = {.sequence = 50};
		u8 *block;

		lb_open(&lb, &o);
		lb.sb.blocks_count = LB_HOME + 10;
		lb_log(&lb, 1, 1);
		lb_log(&lb, LB_HOME + 20, 2);
		lb_commit(&lb);
		block = lb_block(&lb, find(0, ROLE_DATA)->log_block);
		memset(block, 0, lb.bs);
		block[4] = (u8)LB_FS_BLOCKS;
		block[5] = (u8)(LB_FS_BLOCKS >> 8);
		block[0x38] = magic ? 0x53 : 0;
		block[0x39] = magic ? 0xef : 0;
		if (magic)
			expect_txns(1);
		else
			expect_refused(-EUCLEAN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_RC_6_zeroed_blocks),
		cmocka_unit_test(test_RC_6_garbled_blocks),
		cmocka_unit_test(test_RC_6_partial_commit),
		cmocka_unit_test(test_RC_7_stale_by_time),
		cmocka_unit_test(test_RC_7_clock_back),
		cmocka_unit_test(test_RC_8_revoked_copy_may_be_bad),
		cmocka_unit_test(test_RC_3_bad_data_in_the_tail),
		cmocka_unit_test(test_RC_13_other_uuid),
		cmocka_unit_test(test_RC_6_v1_checksum),
		cmocka_unit_test(test_JB_24_async_commit),
		cmocka_unit_test(test_RC_4_runaway_blocks),
		cmocka_unit_test(test_RC_10_targets),
		cmocka_unit_test(test_RC_10_grown_file_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
