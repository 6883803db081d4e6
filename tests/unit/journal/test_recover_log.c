/*
 * Recovery of intact logs: every feature mix, wraps, revokes, sequences; and
 * the end of the log where it belongs.
 */
#include "log_builder.h"

#include "base/util.h"

#include <stdio.h>
#include <string.h>

static struct log_builder lb;

static void make_mix(const struct log_options *o, u32 txns)
{
	u32 t, i;

	lb_open(&lb, o);
	for (t = 0; t < txns; t++) {
		for (i = 0; i < 5; i++) {
			u64 value = t * 100 + i + 1;

			lb_log(&lb, LB_HOME + t * 2 + i, i == 2 ? value | LB_ESCAPED : value);
		}
		if (t % 3 == 1)
			lb_revoke(&lb, LB_HOME + t * 2);
		lb_commit(&lb);
	}
}

/* RC-9, JB-12, JB-13: all tag layouts, checksum kinds, block sizes, and places of the log. */
static void test_RC_9_tag_layouts(void **state)
{
	static const u32 sizes[] = {1024, 4096, 65536};
	u32 csum, wide, place, k;

	for (csum = LOG_NONE; csum <= LOG_V3; csum++)
		for (wide = 0; wide < 2; wide++)
			for (place = 0; place < 3; place++)
				for (k = 0; k < array_len(sizes); k++) {
					struct log_options o = {.block_size = sizes[k],
						.sequence = 7,
						.csum = csum,
						.is_64bit = wide,
						.split = place == 1,
						.external = place == 2};

					make_mix(&o, 6);
					assert_int_equal(lb_recover(&lb), 0);
					lb_expect(&lb, 6);
					lb_expect_clean(&lb, 7 + 6 + 1);
					assert_int_equal(lb_recover(&lb), 0);
					lb_expect(&lb, 6);
					lb_close(&lb);
				}
}

/* JB-29: the log begins at every offset, so that each kind of block meets the wrap. */
static void test_JB_29_wrap(void **state)
{
	u32 start, csum, split;

	for (csum = LOG_NONE; csum <= LOG_V3; csum++)
		for (split = 0; split < 2; split++)
			for (start = 960; start < 1024; start++) {
				struct log_options o = {.sequence = 100,
					.start = start,
					.csum = csum,
					.split = split};

				make_mix(&o, 7);
				assert_int_equal(lb_recover(&lb), 0);
				lb_expect(&lb, 7);
				lb_close(&lb);
			}
}

/* JB-13: transactions around the size of a descriptor; the block count decides. */
static void test_JB_13_descriptor_sizes(void **state)
{
	static const u32 counts[] = {1, 2, 60, 61, 62, 63, 121, 122, 123, 124, 125, 200, 300};
	u32 csum, k, i;

	for (csum = LOG_NONE; csum <= LOG_V3; csum++)
		for (k = 0; k < array_len(counts); k++) {
			struct log_options o = {.sequence = 1, .csum = csum};

			lb_open(&lb, &o);
			for (i = 0; i < counts[k]; i++)
				lb_log(&lb, LB_HOME + i, i + 1);
			lb_commit(&lb);
			lb_log(&lb, LB_HOME, 999);
			lb_commit(&lb);
			assert_int_equal(lb_recover(&lb), 0);
			lb_expect(&lb, 2);
			lb_close(&lb);
		}
}

/* A log that fills the ring to the last block. */
static void test_RC_4_full_ring(void **state)
{
	struct log_options o = {.sequence = 5, .start = 20, .csum = LOG_V3};
	u32 i;

	lb_open(&lb, &o);
	for (i = 0; i < 1023 / 3; i++) {
		lb_log(&lb, LB_HOME + i, i + 1);
		lb_commit(&lb);
	}
	assert_int_equal(lb.next, 20);
	assert_int_equal(lb_recover(&lb), 0);
	lb_expect(&lb, 341);
	lb_expect_clean(&lb, 5 + 341 + 1);
	lb_close(&lb);
}

/*
 * RC-5: one block over three transactions; in each it may be untouched,
 * logged, revoked or both; the third may be complete or not.
 */
static void test_RC_5_revoke_permutations(void **state)
{
	u32 mix, wide, complete, t;

	for (wide = 0; wide < 2; wide++)
		for (complete = 0; complete < 2; complete++)
			for (mix = 0; mix < 64; mix++) {
				struct log_options o = {
					.sequence = 0xfffffffe, .csum = LOG_V3, .is_64bit = wide};

				lb_open(&lb, &o);
				for (t = 0; t < 3; t++) {
					u32 what = mix >> (2 * t) & 3;

					lb_log(&lb, LB_HOME + 50 + t, t);
					if (what & 1)
						lb_log(&lb, LB_HOME, t + 1);
					if (what & 2)
						lb_revoke(&lb, LB_HOME);
					if (t < 2 || complete)
						lb_commit(&lb);
					else
						lb_abandon(&lb);
				}
				assert_int_equal(lb_recover(&lb), 0);
				lb_expect(&lb, 2 + complete);
				lb_close(&lb);
			}
}

/* JB-18: revokes count although the superblock lacks the feature bit; and with it just the same. */
static void test_JB_18_revoke_without_flag(void **state)
{
	u32 flag;

	for (flag = 0; flag < 2; flag++) {
		struct log_options o = {.sequence = 3, .incompat = flag};

		lb_open(&lb, &o);
		lb_log(&lb, LB_HOME, 1);
		lb_commit(&lb);
		lb_revoke(&lb, LB_HOME);
		lb_log(&lb, LB_HOME + 1, 2);
		lb_commit(&lb);
		assert_int_equal(lb_recover(&lb), 0);
		lb_expect(&lb, 2);
		lb_close(&lb);
	}
}

/* RC-5: many revoke blocks; a transaction of nothing but revokes is one too. */
static void test_RC_5_many_revokes(void **state)
{
	struct log_options o = {.sequence = 1, .csum = LOG_V3, .is_64bit = true};
	u32 i, t;

	lb_open(&lb, &o);
	for (i = 0; i < 40; i++)
		lb_log(&lb, LB_HOME + i, i + 1);
	lb_commit(&lb);
	for (t = 0; t < 3; t++) {
		for (i = 0; i < 500; i++)
			lb_revoke(&lb, LB_HOME + (t * 7 + i * 3) % 500);
		lb_commit(&lb);
	}
	lb_log(&lb, LB_HOME + 3, 77);
	lb_commit(&lb);
	assert_int_equal(lb_recover(&lb), 0);
	lb_expect(&lb, 5);
	lb_close(&lb);
}

/* JB-30: sequences around the wrap of 32 bits; 0 is one of them. */
static void test_JB_30_sequence_wrap(void **state)
{
	u32 start;

	for (start = 0xfffffff0; start != 4; start++) {
		struct log_options o = {.sequence = start, .csum = LOG_V3};

		make_mix(&o, 8);
		assert_int_equal(lb_recover(&lb), 0);
		lb_expect(&lb, 8);
		lb_expect_clean(&lb, start + 9);
		lb_close(&lb);
	}
}

/* RC-3: older rounds of the ring and an unfinished transaction end the log without error. */
static void test_RC_3_stale_and_unfinished(void **state)
{
	u32 csum, old;

	for (csum = LOG_NONE; csum <= LOG_V3; csum++)
		for (old = 1; old < 30; old++) {
			struct log_options o = {.sequence = 1, .csum = csum};
			u32 i, txns;

			lb_open(&lb, &o);
			/* An older round, forgotten afterwards. */
			for (i = 0; i < old; i++) {
				lb_log(&lb, LB_HOME + 100 + i, 1);
				lb_commit(&lb);
			}
			lb.event_count = lb.pending = lb.txn = lb.note_count = 0;
			lb.o.sequence = lb.seq;
			lb.o.start = lb.next = 1;
			lb_write_super(&lb);
			for (txns = 0; txns < old % 5; txns++) {
				lb_log(&lb, LB_HOME + txns, 5);
				lb_commit(&lb);
			}
			lb_log(&lb, LB_HOME, 6);
			lb_log(&lb, LB_HOME + 1, 6);
			lb_abandon(&lb);
			assert_int_equal(lb_recover(&lb), 0);
			lb_expect(&lb, txns);
			lb_close(&lb);
		}
}

/* RC-3: zero or garble every block in turn, without checksums: what comes before it stays. */
static void test_RC_3_lost_blocks_without_checksums(void **state)
{
	u32 i, garble;

	for (garble = 0; garble < 2; garble++)
		for (i = 0;; i++) {
			struct log_options o = {.sequence = 9};
			const struct log_note *n;

			make_mix(&o, 4);
			if (i == lb.note_count) {
				lb_close(&lb);
				break;
			}
			n = &lb.notes[i];
			if (n->role != ROLE_DATA) {
				memset(lb_block(&lb, n->log_block), garble ? 0xa5 : 0, lb.bs);
				assert_int_equal(lb_recover(&lb), 0);
				/* A transaction that lost its revoke block is incomplete. */
				lb_expect(&lb, n->seq - 9);
			}
			lb_close(&lb);
		}
}

/* JB-36: the ring ends before the fast-commit area. */
static void test_JB_36_ring_ends_before_fast_commits(void **state)
{
	u32 start;

	for (start = 976; start < 1024; start++) {
		struct log_options o = {.log_blocks = 1056,
			.sequence = 4,
			.start = start,
			.csum = LOG_V3,
			.fc_blocks = 32};

		make_mix(&o, 5);
		assert_int_equal(lb_recover(&lb), 0);
		lb_expect(&lb, 5);
		lb_close(&lb);
	}
}

static void put_fc_head(u32 tid)
{
	u8 *fc = lb_block(&lb, lb.end + 1);

	memset(fc, 0, lb.bs);
	fc[0] = 9;
	fc[2] = 8;
	fc[8] = (u8)tid;
	fc[9] = (u8)(tid >> 8);
	fc[10] = (u8)(tid >> 16);
	fc[11] = (u8)(tid >> 24);
}

/*
 * RC-16: fast commits behind the last transaction are refused, older ones are void; which they
 * are is told by the head record (RC-17), the only one that is looked at.
 */
static void test_RC_16_fast_commits(void **state)
{
	struct log_options o = {.log_blocks = 1056, .sequence = 4, .csum = LOG_V3, .fc_blocks = 32};
	int delta;

	for (delta = -2; delta <= 2; delta++) {
		make_mix(&o, 3);
		put_fc_head(lb.seq + (u32)delta);
		if (delta == 0) {
			assert_int_equal(lb_recover(&lb), -EOPNOTSUPP);
			lb_expect_untouched(&lb);
			assert_non_null(strstr(lb.message, "fast commit"));
		} else {
			assert_int_equal(lb_recover(&lb), 0);
			lb_expect(&lb, 3);
		}
		lb_close(&lb);
	}
}

/* Blocks beyond 2^32 carry their high half; the device ends long before. */
static void test_RC_10_high_half(void **state)
{
	u32 csum;

	for (csum = LOG_NONE; csum <= LOG_V3; csum++) {
		struct log_options o = {.sequence = 4, .csum = csum, .is_64bit = true};

		lb_open(&lb, &o);
		lb_log(&lb, LB_HOME | 1ull << 32, 3);
		lb_commit(&lb);
		assert_int_equal(lb_recover(&lb), -EUCLEAN);
		lb_expect_untouched(&lb);
		lb_close(&lb);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_RC_9_tag_layouts),
		cmocka_unit_test(test_JB_29_wrap),
		cmocka_unit_test(test_JB_13_descriptor_sizes),
		cmocka_unit_test(test_RC_4_full_ring),
		cmocka_unit_test(test_RC_5_revoke_permutations),
		cmocka_unit_test(test_JB_18_revoke_without_flag),
		cmocka_unit_test(test_RC_5_many_revokes),
		cmocka_unit_test(test_JB_30_sequence_wrap),
		cmocka_unit_test(test_RC_3_stale_and_unfinished),
		cmocka_unit_test(test_RC_3_lost_blocks_without_checksums),
		cmocka_unit_test(test_JB_36_ring_ends_before_fast_commits),
		cmocka_unit_test(test_RC_16_fast_commits),
		cmocka_unit_test(test_RC_10_high_half),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
