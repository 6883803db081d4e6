/* The oracle alone: what it lets pass, and that it stops what is wrong. */
#include "sim/model/oracle.h"
#include "sim/model/walk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <linux/falloc.h>
#include <sys/stat.h>

#include <cmocka.h>

static u64 now;

static u64 position(void *arg)
{
	return now;
}

static struct oracle *fresh(void)
{
	struct oracle *o = oracle_create(3, S_IFDIR | 0755);

	now = 0;
	oracle_position(o, position, NULL);
	return o;
}

static struct op *begin(struct oracle *o, u8 thread, struct op call, const char *name)
{
	call.thread = thread;
	call.name = name_intern(&o->names, name ? name : "");
	now++;
	return oracle_begin(o, &call);
}

static void end(struct oracle *o, struct op *op, s64 result)
{
	now++;
	oracle_end(o, op, result);
}

static u16 create(struct oracle *o, const char *name)
{
	u16 node = oracle_node(o);
	struct op call = {.kind = OP_CREATE, .node = node, .mode = S_IFREG | 0644};

	end(o, begin(o, 0, call, name), 0);
	return node;
}

static struct op *unlink_begin(struct oracle *o, u8 thread, const char *name)
{
	return begin(o, thread, (struct op){.kind = OP_UNLINK}, name);
}

/* Calls that overlap may take effect in either order; one after the other they may not. */
static void test_orders(void **state)
{
	struct oracle *o = fresh();
	struct op *a, *b;

	create(o, "a");
	a = unlink_begin(o, 0, "a");
	b = unlink_begin(o, 1, "a");
	end(o, b, 0);
	end(o, a, -ENOENT);
	assert_true(oracle_digest(o));
	create(o, "a");
	end(o, unlink_begin(o, 0, "a"), 0);
	end(o, unlink_begin(o, 1, "a"), 0); /* it was gone */
	assert_false(oracle_digest(o));
	assert_non_null(strstr(o->why, "no order explains"));
	oracle_destroy(o);
}

/* Two that overlap can't both have removed the one name. */
static void test_one_winner(void **state)
{
	struct oracle *o = fresh();
	struct op *a, *b;

	create(o, "a");
	a = unlink_begin(o, 0, "a");
	b = unlink_begin(o, 1, "a");
	end(o, a, 0);
	end(o, b, 0);
	assert_false(oracle_digest(o));
	oracle_destroy(o);
}

/* Law 3: each state on the way is kept, and not one more. */
static void test_passages(void **state)
{
	struct oracle *o = fresh();
	struct op call = {.kind = OP_CREATE, .mode = S_IFREG | 0644};
	struct op *a, *b;

	call.node = oracle_node(o);
	a = begin(o, 0, call, "a");
	call.node = oracle_node(o);
	b = begin(o, 1, call, "b");
	end(o, a, 0);
	end(o, b, 0);
	assert_true(oracle_digest(o));
	/* nothing; a; b; a and b */
	assert_int_equal(o->order.count, 4);
	assert_int_equal(o->order.now_count, 1);
	for (size_t k = 0; k < 4; k++) {
		const struct passage *p = o->order.passages[k];

		assert_int_equal(passage_has(p, a) + passage_has(p, b), p->tree.entries);
	}
	oracle_destroy(o);
}

static void write_some(struct oracle *o, u16 node, u64 offset, u64 len, u32 number)
{
	struct op call = {.kind = OP_WRITE, .node = node, .offset = offset, .len = len};
	struct op *op = begin(o, 0, call, NULL);

	oracle_change(o, op, false, number);
	end(o, op, (s64)len);
}

static bool legal(struct oracle *o, const struct content_view *v, u16 node, const u8 *data, u64 len)
{
	u64 bad;

	return content_legal(&o->content[node], v, 0, data, len, &bad);
}

/* Laws 1 and 2: old or new or not yet written before a sync; new only after it; never poison. */
static void test_bytes(void **state)
{
	struct oracle *o = fresh();
	u16 node = create(o, "a");
	struct content_view v = {.crash = true};
	u8 first[100], second[100], none[100] = {0}, mixed[100];

	content_fill(7, 0, false, first, 100);
	content_fill(8, 0, false, second, 100);
	memcpy(mixed, first, 50);
	memcpy(mixed + 50, second + 50, 50);
	write_some(o, node, 0, 100, 7);
	v.cut = now;
	assert_true(legal(o, &v, node, first, 100));
	assert_true(legal(o, &v, node, none, 100));
	assert_false(legal(o, &v, node, second, 100));
	end(o, begin(o, 0, (struct op){.kind = OP_FSYNC, .node = node}, NULL), 0);
	assert_true(legal(o, &v, node, none, 100)); /* cut before the fsync ended */
	v.cut = now;
	assert_false(legal(o, &v, node, none, 100));
	write_some(o, node, 0, 100, 8);
	v.cut = now;
	assert_true(legal(o, &v, node, first, 100));
	assert_true(legal(o, &v, node, second, 100));
	assert_true(legal(o, &v, node, mixed, 100));
	assert_false(legal(o, &v, node, none, 100)); /* the first write is safe */
	mixed[30] = 0xbd;
	assert_false(legal(o, &v, node, mixed, 100));
	oracle_destroy(o);
}

/* Live, a read shows what ended before it began. */
static void test_live_bytes(void **state)
{
	struct oracle *o = fresh();
	u16 node = create(o, "a");
	struct content_view v = {0};
	u8 first[100], second[100];
	u64 least, greatest;

	content_fill(7, 0, false, first, 100);
	content_fill(8, 0, false, second, 100);
	write_some(o, node, 0, 100, 7);
	write_some(o, node, 0, 100, 8);
	v.begin = o->time + 1;
	assert_true(legal(o, &v, node, second, 100));
	assert_false(legal(o, &v, node, first, 100));
	content_sizes(&o->content[node], &v, &least, &greatest);
	assert_int_equal(least, 100);
	assert_int_equal(greatest, 100);
	oracle_destroy(o);
}

/* A truncation makes zeros; after a crash it may not have happened. */
static void test_truncation(void **state)
{
	struct oracle *o = fresh();
	u16 node = create(o, "a");
	struct content_view live = {0}, crash = {.crash = true};
	struct op *op;
	u64 least, greatest;
	u8 first[100], cut[100];

	content_fill(7, 0, false, first, 100);
	memcpy(cut, first, 100);
	memset(cut + 40, 0, 60);
	write_some(o, node, 0, 100, 7);
	end(o, begin(o, 0, (struct op){.kind = OP_FSYNC, .node = node}, NULL), 0);
	op = begin(o, 0, (struct op){.kind = OP_TRUNCATE, .node = node, .len = 40}, NULL);
	oracle_change(o, op, false, 0);
	end(o, op, 0);
	op = begin(o, 0, (struct op){.kind = OP_TRUNCATE, .node = node, .len = 100}, NULL);
	oracle_change(o, op, false, 0);
	end(o, op, 0);
	live.begin = o->time + 1;
	crash.cut = now;
	assert_true(legal(o, &live, node, cut, 100));
	assert_false(legal(o, &live, node, first, 100));
	assert_true(legal(o, &crash, node, first, 100));
	assert_true(legal(o, &crash, node, cut, 100));
	content_sizes(&o->content[node], &crash, &least, &greatest);
	assert_int_equal(least, 40);
	assert_int_equal(greatest, 100);
	oracle_destroy(o);
}

static struct op *shift_begin(struct oracle *o, u16 node, u32 mode, u64 offset, u64 len)
{
	struct op call = {.kind = OP_FALLOCATE, .node = node, .offset = offset, .len = len};
	struct op *op;

	call.flags = mode;
	op = begin(o, 0, call, NULL);
	oracle_change(o, op, false, 0);
	return op;
}

static bool found(struct oracle *o, u64 cut, u16 node, const u8 *data, u64 size)
{
	struct found_file f = {.node = node, .read = true, .size = size, .data = data};

	return oracle_file_legal(o, &f, &(struct content_view){.crash = true, .cut = cut});
}

/* IO-106, IO-108: what is behind moves up; a cut leaves it done up to a block, and durable at last.
 */
static void test_IO_108_collapse(void **state)
{
	struct oracle *o = fresh();
	u16 node = create(o, "a");
	struct op *op;
	u8 old[4096], done[4096], part[4096];
	u64 during;

	content_fill(7, 0, false, old, 4096);
	memcpy(done, old, 1024);
	memcpy(done + 1024, old + 2048, 2048);
	memset(done + 3072, 1, 1024);
	write_some(o, node, 0, 4096, 7);
	end(o, begin(o, 0, (struct op){.kind = OP_FSYNC, .node = node}, NULL), 0);
	op = shift_begin(o, node, FALLOC_FL_COLLAPSE_RANGE, 1024, 1024);
	during = now;
	end(o, op, 0);
	assert_true(found(o, during, node, old, 4096));
	assert_true(found(o, during, node, done, 3072));
	assert_false(found(o, during, node, done, 4096)); /* bytes of nowhere at the end */
	memcpy(part, old, 4096);
	memset(part + 1024, 0, 1024);
	assert_true(found(o, during, node, part, 4096)); /* emptied */
	memcpy(part + 1024, old + 2048, 1024);
	memset(part + 2048, 0, 1024);
	assert_true(found(o, during, node, part, 4096)); /* one block has moved */
	memcpy(part + 2048, old + 2048, 1024);
	assert_false(found(o, during, node, part, 4096)); /* and is still there as well */
	assert_true(found(o, now, node, done, 3072));
	assert_false(found(o, now, node, old, 4096));
	write_some(o, node, 1024, 100, 8);
	assert_true(found(o, now, node, done, 3072));
	content_fill(8, 1024, false, done + 1024, 100);
	assert_true(found(o, now, node, done, 3072));
	assert_false(found(o, during, node, done, 3072));
	oracle_destroy(o);
}

static void test_IO_108_insert(void **state)
{
	struct oracle *o = fresh();
	u16 node = create(o, "a");
	u8 old[4096] = {0}, done[4096] = {0}, part[4096] = {0};
	struct op *op;
	u64 during;

	content_fill(7, 0, false, old, 3072);
	memcpy(done, old, 1024);
	memcpy(done + 2048, old + 1024, 2048);
	write_some(o, node, 0, 3072, 7);
	end(o, begin(o, 0, (struct op){.kind = OP_FSYNC, .node = node}, NULL), 0);
	op = shift_begin(o, node, FALLOC_FL_INSERT_RANGE, 1024, 1024);
	during = now;
	end(o, op, 0);
	assert_true(found(o, during, node, old, 3072));
	assert_true(found(o, during, node, old, 4096)); /* the size comes first */
	assert_true(found(o, during, node, done, 4096));
	assert_false(found(o, during, node, done, 3072));
	memcpy(part, old, 2048);
	memcpy(part + 3072, old + 2048, 1024);
	assert_true(found(o, during, node, part, 4096)); /* the last block has moved */
	assert_false(found(o, now, node, part, 4096));
	assert_true(found(o, now, node, done, 4096));
	oracle_destroy(o);
}

/* IO-106: what runs beside a shift is ahead of it or behind it, and not lost between. */
static void test_IO_106_beside_a_shift(void **state)
{
	struct oracle *o = fresh();
	u16 node = create(o, "a");
	struct content_view v = {0};
	struct op *op;
	u8 old[4096], ahead[3072], behind[3072], lost[3072];
	u64 least, greatest;

	content_fill(7, 0, false, old, 4096);
	write_some(o, node, 0, 4096, 7);
	op = shift_begin(o, node, FALLOC_FL_COLLAPSE_RANGE, 1024, 1024);
	write_some(o, node, 2000, 2000, 8);
	end(o, op, 0);
	v.begin = o->time + 1;
	memcpy(lost, old, 1024);
	memcpy(lost + 1024, old + 2048, 2048);
	memcpy(behind, lost, 3072);
	content_fill(8, 2000, false, behind + 2000, 1072);
	memcpy(ahead, lost, 3072);
	content_fill(8, 2048, false, ahead + 1024, 1952);
	assert_true(legal(o, &v, node, ahead, 3072));
	assert_true(legal(o, &v, node, behind, 3072));
	assert_false(legal(o, &v, node, lost, 3072));
	content_fill(8, 2000, false, old + 2000, 2000); /* and the shift is there */
	assert_false(legal(o, &v, node, old, 3072));
	content_sizes(&o->content[node], &v, &least, &greatest);
	assert_int_equal(least, 3072);
	assert_int_equal(greatest, 4000); /* of the write behind it */
	oracle_destroy(o);
}

/* A copy has what its source had while it ran, at whatever place that is now. */
static void test_copy(void **state)
{
	struct oracle *o = fresh();
	u16 from = create(o, "a"), to = create(o, "b");
	struct op call = {.kind = OP_COPY, .node = to, .from = from, .offset = 50, .len = 100};
	struct content_view v = {0};
	struct op *op;
	u8 first[100], second[100], copied[150] = {0};

	content_fill(7, 0, false, first, 100);
	content_fill(8, 0, false, second, 100);
	write_some(o, from, 0, 100, 7);
	op = begin(o, 1, call, NULL);
	oracle_change(o, op, false, 0);
	write_some(o, from, 0, 50, 8);
	end(o, op, 100);
	write_some(o, from, 0, 100, 9);
	v.begin = o->time + 1;
	memcpy(copied + 50, first, 100);
	assert_true(legal(o, &v, to, copied, 150));
	memcpy(copied + 60, second + 10, 40);
	assert_true(legal(o, &v, to, copied, 150));
	memcpy(copied + 60, second + 10, 50); /* the second write ended at 50 */
	assert_false(legal(o, &v, to, copied, 150));
	content_fill(9, 0, false, copied + 50, 100); /* later than the copy */
	assert_false(legal(o, &v, to, copied, 150));
	memcpy(copied + 50, first, 100);
	end(o, shift_begin(o, from, FALLOC_FL_COLLAPSE_RANGE, 0, 10), 0);
	v.begin = o->time + 1;
	assert_true(legal(o, &v, to, copied, 150));
	oracle_destroy(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_one_winner),
		cmocka_unit_test(test_passages),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_live_bytes),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_IO_108_collapse),
		cmocka_unit_test(test_IO_108_insert),
		cmocka_unit_test(test_IO_106_beside_a_shift),
		cmocka_unit_test(test_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
