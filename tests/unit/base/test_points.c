/* Errors, messages, trace and fault points, random numbers, hashes, endian types, lists. */
#include <stdio.h>

#include "base/endian.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/trace.h"
#include "base_test.h"

static struct {
	int err, line;
	const char *name;
	u64 a, b;
	enum log_level level;
	char message[600];
} seen;

static void see_err(int err, const char *file, int line)
{
	assert_non_null(strstr(file, "test_points.c"));
	seen.err = err;
	seen.line = line;
}

static void test_err(void **state)
{
	assert_int_equal(ERR(EIO), -EIO);
	err_set_hook(see_err);
	assert_int_equal(ERR(EUCLEAN), -EUCLEAN);
	assert_int_equal(seen.line, __LINE__ - 1);
	assert_int_equal(seen.err, -EUCLEAN);
	err_set_hook(NULL);
	assert_int_equal(ERR(ENOMEM), -ENOMEM);
	assert_int_equal(seen.err, -EUCLEAN);
}

static void see_message(void *arg, enum log_level level, const char *message)
{
	assert_ptr_equal(arg, &seen);
	seen.level = level;
	snprintf(seen.message, sizeof(seen.message), "%s", message);
}

static void test_log(void **state)
{
	struct log_sink sink = {see_message, &seen};
	char longer[1000];

	log_msg(NULL, LOG_ERROR, "dropped %d", 1);
	log_msg(&(struct log_sink){NULL, NULL}, LOG_ERROR, "dropped");
	log_msg(&sink, LOG_WARNING, "inode %u: %s", 12, "bad");
	assert_int_equal(seen.level, LOG_WARNING);
	assert_string_equal(seen.message, "inode 12: bad");
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	log_msg(&sink, LOG_INFO, "%s", longer);
	assert_int_equal(strlen(seen.message), 511);
}

static void see_trace(const char *name, u64 a, u64 b)
{
	seen.name = name;
	seen.a = a;
	seen.b = b;
}

static bool fail_one(const char *name)
{
	return strcmp(name, "one") == 0;
}

static void test_trace(void **state)
{
	TRACE("off", 1, 2);
	assert_false(FAULT("one"));
	trace_hook = see_trace;
	fault_hook = fail_one;
	TRACE("on", 3, 4);
	assert_string_equal(seen.name, "on");
	assert_int_equal(seen.a, 3);
	assert_int_equal(seen.b, 4);
	assert_true(FAULT("one"));
	assert_false(FAULT("two"));
	trace_hook = NULL;
	fault_hook = NULL;
}

static void test_rng(void **state)
{
	struct rng a, b;
	unsigned count[6] = {0};

	rng_init(&a, 0);
	assert_true(rng_u64(&a) == 0xe220a8397b1dcdafull); /* published splitmix64 vector */
	assert_true(rng_u64(&a) == 0x6e789e6aa1b965f4ull);
	rng_init(&a, 7);
	rng_init(&b, 7);
	for (int i = 0; i < 6000; i++) {
		u64 x = rng_below(&a, 6);

		assert_true(x < 6 && x == rng_below(&b, 6));
		count[x]++;
	}
	for (int i = 0; i < 6; i++)
		assert_in_range(count[i], 850, 1150);
	assert_int_equal(rng_below(&a, 1), 0);
	assert_true(rng_below(&a, ~0ull) < ~0ull);
}

/* Consecutive numbers spread over the slots of a table. */
static void test_hash(void **state)
{
	unsigned count[256] = {0};

	for (u64 i = 0; i < 256 * 16; i++)
		count[hash_slot(i * 4096, 8)]++;
	for (int i = 0; i < 256; i++)
		assert_in_range(count[i], 1, 48);
	assert_true(hash_slot(123, 32) == hash_u64(123) >> 32);
}

static void test_endian(void **state)
{
	static const u8 bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct le16 l16;
	struct le32 l32;
	struct le64 l64;
	struct be16 b16;
	struct be32 b32;
	struct be64 b64;

	memcpy(&l16, bytes, 2);
	memcpy(&l32, bytes, 4);
	memcpy(&l64, bytes, 8);
	memcpy(&b16, bytes, 2);
	memcpy(&b32, bytes, 4);
	memcpy(&b64, bytes, 8);
	assert_true(le16_to_cpu(l16) == 0x0201 && be16_to_cpu(b16) == 0x0102);
	assert_true(le32_to_cpu(l32) == 0x04030201 && be32_to_cpu(b32) == 0x01020304);
	assert_true(
		le64_to_cpu(l64) == 0x0807060504030201 && be64_to_cpu(b64) == 0x0102030405060708);
	assert_true(cpu_to_be32(0x01020304).raw == b32.raw);
	assert_true(cpu_to_le64(0x0807060504030201).raw == l64.raw);
}

struct node {
	struct list link;
	int value;
};

static int digits_of(struct list *head)
{
	struct node *n;
	int digits = 0;

	list_for_each_entry (n, head, link)
		digits = digits * 10 + n->value;
	return digits;
}

static void test_list(void **state)
{
	struct list head = LIST_INIT(head), other = LIST_INIT(other);
	struct node a = {.value = 1}, b = {.value = 2}, c = {.value = 3}, *n, *tmp;

	assert_true(list_empty(&head));
	list_add_tail(&head, &b.link);
	list_add_tail(&head, &c.link);
	list_add_head(&head, &a.link);
	assert_int_equal(digits_of(&head), 123);
	list_move_tail(&head, &a.link);
	assert_int_equal(digits_of(&head), 231);
	list_del(&c.link);
	assert_true(list_empty(&c.link));
	list_add_tail(&other, &c.link);
	list_splice_tail(&other, &head);
	assert_true(list_empty(&head));
	assert_int_equal(digits_of(&other), 321);
	list_splice_tail(&other, &head);
	assert_ptr_equal(list_first(&other, struct node, link), &c);
	list_for_each_entry_safe (n, tmp, &other, link)
		list_del(&n->link);
	assert_true(list_empty(&other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_trace),
		cmocka_unit_test(test_rng),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_endian),
		cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
