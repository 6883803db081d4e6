/* What each layer adds to the contract that test_conformance.c proves for all. */
#include "dev_test.h"

#include <stdlib.h>

#include "base/trace.h"

static struct dev *mem_make(u8 fill)
{
	struct dev *dev;

	assert_int_equal(dev_mem_create(1u << 20, 512, &dev), 0);
	memset(dev_mem_data(dev), fill, 1u << 20);
	return dev;
}

static void put(struct dev *dev, u64 at, u8 value, size_t len, u32 flags)
{
	u8 *mem = malloc(len);

	memset(mem, value, len);
	assert_int_equal(dev_write(dev, at, mem, len, flags), 0);
	free(mem);
}

static void check_bytes(struct dev *dev, u64 at, u8 value, size_t len)
{
	u8 *mem = malloc(len);

	assert_int_equal(dev_read(dev, at, mem, len), 0);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(mem[i], value);
	free(mem);
}

static void test_mem_arguments(void **state)
{
	struct dev *dev;

	assert_int_equal(dev_mem_create(0, 512, &dev), -EINVAL);
	assert_int_equal(dev_mem_create(1000, 512, &dev), -EINVAL);
	assert_int_equal(dev_mem_create(4096, 1000, &dev), -EINVAL);
	assert_int_equal(
		dev_mem_create(1ull << 36, 4096, &dev), 0); /* takes memory as it is used */
	put(dev, (1ull << 36) - 4096, 9, 4096, 0);
	check_bytes(dev, (1ull << 36) - 4096, 9, 4096);
	dev_close(dev);
	dev_close(NULL);
}

static void test_partition_window(void **state)
{
	struct dev *mem = mem_make(1), *part;

	assert_int_equal(dev_partition_create(mem, true, 4096, 8192, &part), 0);
	assert_int_equal(part->info.size, 8192);
	put(part, 0, 2, 8192, DEV_FUA);
	check_bytes(mem, 4096, 2, 8192);
	check_bytes(mem, 0, 1, 4096);
	check_bytes(mem, 12288, 1, 4096);
	assert_int_equal(dev_read(part, 8192, &(u8[512]){0}, 512), -EIO);
	dev_close(part);
	assert_int_equal(dev_partition_create(mem, true, 4096, 0, &part), 0);
	assert_int_equal(part->info.size, (1u << 20) - 4096);
	dev_close(part);
	assert_int_equal(dev_partition_create(mem, true, 100, 0, &part), -EINVAL);
	assert_int_equal(dev_partition_create(mem, true, 0, 100, &part), -EINVAL);
	assert_int_equal(dev_partition_create(mem, true, 4096, 1u << 20, &part), -EINVAL);
	assert_int_equal(dev_partition_create(mem, true, 1u << 20, 0, &part), -EINVAL);
	assert_int_equal(dev_partition_create(mem, true, 512, (u64)0 - 512, &part), -EINVAL);
	dev_close(mem);
}

/* RC-12: nothing that happens on the overlay reaches the device below. */
static void test_overlay_leaves_lower_alone(void **state)
{
	struct dev *mem = mem_make(1), *over;

	assert_int_equal(dev_overlay_create(mem, true, &over), 0);
	check_bytes(over, 0, 1, 1u << 20);
	put(over, 512, 2, 512, DEV_FUA | DEV_PREFLUSH);
	put(over, 65536 - 1024, 3, 2048, 0); /* across two chunks */
	assert_int_equal(dev_write_zeroes(over, 131072, 200000 / 512 * 512, 0), 0);
	put(over, 131072 + 512, 4, 512, 0); /* into a chunk of zeros only */
	assert_int_equal(dev_flush(over), 0);
	check_bytes(over, 0, 1, 512);
	check_bytes(over, 512, 2, 512);
	check_bytes(over, 1024, 1, 512);
	check_bytes(over, 65536 - 1024, 3, 2048);
	check_bytes(over, 65536 + 1024, 1, 65536 - 1024);
	check_bytes(over, 131072, 0, 512);
	check_bytes(over, 131072 + 512, 4, 512);
	check_bytes(over, 131072 + 1024, 0, 200000 / 512 * 512 - 1024);
	check_bytes(mem, 0, 1, 1u << 20);
	dev_overlay_detach(over);
	check_bytes(mem, 0, 1, 1u << 20);
	dev_close(mem);
}

static void test_overlay_on_read_only(void **state)
{
	const char *path = image_make(1u << 20);
	struct dev *file = file_open(path, (struct dev_file_options){.read_only = true}), *over;

	assert_int_equal(dev_overlay_create(file, false, &over), 0);
	assert_false(over->info.read_only);
	put(over, 4096, 7, 4096, 0);
	check_bytes(over, 4096, 7, 4096);
	check_bytes(file, 4096, 0, 4096);
	dev_overlay_detach(over); /* leaves file open although it was not borrowed */
	check_bytes(file, 4096, 0, 4096);
	dev_close(file);
	image_remove(path);
}

static void check_entry(
	const struct dev_record_entry *e, enum dev_record_kind kind, u64 at, u64 len)
{
	assert_int_equal(e->kind, kind);
	assert_int_equal(e->offset, at);
	assert_int_equal(e->len, len);
}

static void test_record_log(void **state)
{
	const struct dev_record_entry *e;
	struct dev *dev;

	assert_int_equal(dev_record_create(mem_make(0), false, &dev), 0);
	assert_true(dev->info.volatile_cache);
	assert_int_equal(dev_record_entries(dev, &e), 0);
	put(dev, 4096, 5, 1024, 0);
	check_bytes(dev, 4096, 5, 1024); /* reads leave no entry */
	assert_int_equal(dev_flush(dev), 0);
	put(dev, 8192, 6, 512, DEV_FUA | DEV_PREFLUSH);
	assert_int_equal(dev_write_zeroes(dev, 0, 512, 0), 0);
	assert_int_equal(dev_discard(dev, 512, 512), 0);
	put(dev, 4096, 7, 1024, 0);
	assert_int_equal(dev_record_entries(dev, &e), 9);
	check_entry(&e[0], DEV_REC_SUBMIT_WRITE, 4096, 1024);
	check_entry(&e[1], DEV_REC_WRITE, 4096, 1024);
	assert_ptr_equal(e[0].data, e[1].data);
	assert_int_equal(((u8 *)e[1].data)[1023], 5); /* the bytes of then */
	check_entry(&e[2], DEV_REC_FLUSH, 0, 0);
	assert_int_equal(e[2].covers, 2);
	check_entry(&e[4], DEV_REC_WRITE, 8192, 512);
	assert_int_equal(e[4].flags, DEV_FUA | DEV_PREFLUSH);
	assert_int_equal(e[4].covers, 3);
	check_entry(&e[5], DEV_REC_ZERO, 0, 512);
	check_entry(&e[6], DEV_REC_DISCARD, 512, 512);
	dev_record_clear(dev);
	assert_int_equal(dev_record_entries(dev, &e), 0);
	dev_close(dev);
}

/* A write that fails below has begun but never completed; a flush in flight covers no later write.
 */
static void test_record_order(void **state)
{
	struct dev_fault_rule rule = {.ops = 1u << DEV_WRITE, .error = EIO};
	const struct dev_record_entry *e;
	struct dev *fault, *dev;
	u8 block[512] = {0};
	struct iovec iov = {block, 512};
	struct dev_req flush = {.op = DEV_FLUSH},
		       write = {.op = DEV_WRITE, .len = 512, .iov = &iov, .iov_count = 1};
	struct dev_req *reqs[] = {&flush, &write};
	struct dev_queue *q;

	assert_int_equal(dev_fault_create(mem_make(0), false, &fault), 0);
	assert_int_equal(dev_record_create(fault, false, &dev), 0);
	assert_int_equal(dev_fault_add(fault, &rule), 0);
	assert_int_equal(dev_write(dev, 0, block, 512, 0), -EIO);
	assert_int_equal(dev_record_entries(dev, &e), 1);
	assert_int_equal(e[0].kind, DEV_REC_SUBMIT_WRITE);
	dev_fault_clear(fault);
	assert_int_equal(dev_queue_get(dev, &q), 0);
	dev_submit(q, reqs, 2);
	dev_queue_put(q);
	assert_int_equal(dev_record_entries(dev, &e), 4);
	for (unsigned i = 1; i < 4; i++)
		if (e[i].kind == DEV_REC_FLUSH)
			assert_int_equal(e[i].covers, 1);
	dev_close(dev);
}

static struct dev *fault_make(struct dev_fault_rule rule)
{
	struct dev *dev;

	assert_int_equal(dev_fault_create(mem_make(1), false, &dev), 0);
	assert_int_equal(dev_fault_add(dev, &rule), 0);
	return dev;
}

static void test_fault_count_and_after(void **state)
{
	struct dev *dev = fault_make((struct dev_fault_rule){
		.ops = 1u << DEV_READ, .after = 2, .count = 3, .error = ENXIO});
	u8 block[512];

	for (unsigned i = 0; i < 8; i++) {
		int expected = i >= 2 && i < 5 ? -ENXIO : 0;

		assert_int_equal(dev_write(dev, 0, block, 512, 0), 0); /* not counted */
		assert_int_equal(dev_read(dev, 0, block, 512), expected);
	}
	assert_int_equal(dev_fault_hits(dev), 3);
	dev_fault_clear(dev);
	assert_int_equal(
		dev_fault_add(dev, &(struct dev_fault_rule){.ops = 1, .error = 0}), -EINVAL);
	dev_close(dev);
}

static void test_fault_range(void **state)
{
	struct dev *dev =
		fault_make((struct dev_fault_rule){.ops = 1u << DEV_WRITE | 1u << DEV_FLUSH,
			.offset = 4096,
			.len = 1024,
			.error = EIO});
	u8 mem[8192] = {0};

	assert_int_equal(dev_write(dev, 0, mem, 4096, 0), 0);
	assert_int_equal(dev_write(dev, 5120, mem, 512, 0), 0);
	assert_int_equal(dev_flush(dev), 0); /* touches no range */
	assert_int_equal(dev_write(dev, 3584, mem, 1024, 0), -EIO);
	assert_int_equal(dev_write(dev, 4608, mem, 512, 0), -EIO);
	assert_int_equal(dev_write(dev, 0, mem, 8192, 0), -EIO);
	dev_fault_clear(dev);
	assert_int_equal(
		dev_fault_add(dev, &(struct dev_fault_rule){.ops = 1u << DEV_FLUSH, .error = EIO}),
		0);
	assert_int_equal(dev_flush(dev), -EIO);
	assert_int_equal(dev_fault_hits(dev), 4);
	dev_close(dev);
}

/* A torn write leaves whole sectors of itself at its start, the old bytes behind, never all of it.
 */
static void test_fault_torn(void **state)
{
	struct dev *dev = fault_make(
		(struct dev_fault_rule){.ops = 1u << DEV_WRITE, .error = EIO, .torn = true});
	unsigned lengths = 0;
	u8 mem[4096], back[4096];

	memset(mem, 2, sizeof(mem));
	for (u32 i = 0; i < 100; i++) {
		u32 k = 0, at = i * 4096;

		assert_int_equal(dev_write(dev, at, mem, 4096, DEV_FUA), -EIO);
		assert_int_equal(dev_read(dev, at, back, 4096), 0);
		while (k < 8 && back[k * 512] == 2)
			k++;
		assert_true(k < 8);
		for (u32 b = 0; b < 4096; b++)
			assert_int_equal(back[b], b < k * 512 ? 2 : 1);
		lengths |= 1u << k;
	}
	assert_true(__builtin_popcount(lengths) > 3);
	dev_close(dev);
}

/* Rules are tested in order: the first that fires decides, a spent one lets the next see it. */
static void test_fault_rules_in_order(void **state)
{
	struct dev *dev = fault_make(
		(struct dev_fault_rule){.ops = 1u << DEV_READ, .count = 1, .error = EIO});
	u8 block[512];

	assert_int_equal(dev_fault_add(dev,
				 &(struct dev_fault_rule){
					 .ops = 1u << DEV_READ, .count = 1, .error = ENXIO}),
		0);
	assert_int_equal(dev_read(dev, 0, block, 512), -EIO);
	assert_int_equal(dev_read(dev, 0, block, 512), -ENXIO);
	assert_int_equal(dev_read(dev, 0, block, 512), 0);
	dev_close(dev);
}

static unsigned user_flushes, user_fails;

static int user_read(void *arg, u64 offset, void *buf, size_t len)
{
	memset(buf, 3, len);
	return user_fails ? -ENODATA : 0;
}

static int user_write(void *arg, u64 offset, const void *buf, size_t len)
{
	return user_fails ? (int)len : 0; /* as someone might who takes it for write(2) */
}

static int user_flush(void *arg)
{
	user_flushes++;
	return 0;
}

static void test_user_device(void **state)
{
	struct dev_user_ops ops = {.read = user_read, .write = user_write, .flush = user_flush};
	struct dev *dev;

	ops.size = 10000, ops.block_size = 1000;
	assert_int_equal(dev_user_create(&ops, NULL, &dev), -EINVAL);
	ops.block_size = 1024;
	assert_int_equal(dev_user_create(&ops, NULL, &dev), 0);
	assert_int_equal(dev->info.size, 9216);
	assert_false(dev->info.can_fua);
	user_flushes = user_fails = 0;
	put(dev, 0, 1, 1024, DEV_FUA | DEV_PREFLUSH);
	assert_int_equal(user_flushes, 2);
	check_bytes(dev, 0, 3, 1024);
	user_fails = 1;
	assert_int_equal(dev_read(dev, 0, &(u8[1024]){0}, 1024), -ENODATA);
	assert_int_equal(dev_write(dev, 0, &(u8[1024]){0}, 1024, DEV_FUA), -EIO);
	assert_int_equal(user_flushes, 2);
	dev_close(dev);
	ops.write = NULL;
	assert_int_equal(dev_user_create(&ops, NULL, &dev), 0);
	assert_int_equal(dev_write(dev, 0, &(u8[1024]){0}, 1024, 0), -EROFS);
	dev_close(dev);
}

static unsigned alloc_nr, alloc_fail;

static bool fail_nth(const char *name)
{
	return strcmp(name, "os_alloc") == 0 && ++alloc_nr == alloc_fail;
}

/* Each allocation of a creation fails once: an error, no leak (by the sanitizer), lower untouched.
 */
static void test_creation_without_memory(void **state)
{
	for (unsigned z = 0; z < 3; z++)
		for (alloc_fail = 1;; alloc_fail++) {
			struct dev *mem = mem_make(0), *dev;
			int err;

			alloc_nr = 0;
			fault_hook = fail_nth;
			err = z == 0   ? dev_overlay_create(mem, true, &dev)
			      : z == 1 ? dev_fault_create(mem, true, &dev)
				       : dev_partition_create(mem, true, 0, 0, &dev);
			fault_hook = NULL;
			if (!err)
				dev_close(dev);
			check_bytes(mem, 0, 0, 4096);
			dev_close(mem);
			if (!err)
				break;
			assert_int_equal(err, -ENOMEM);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mem_arguments),
		cmocka_unit_test(test_partition_window),
		cmocka_unit_test(test_overlay_leaves_lower_alone),
		cmocka_unit_test(test_overlay_on_read_only),
		cmocka_unit_test(test_record_log),
		cmocka_unit_test(test_record_order),
		cmocka_unit_test(test_fault_count_and_after),
		cmocka_unit_test(test_fault_range),
		cmocka_unit_test(test_fault_torn),
		cmocka_unit_test(test_fault_rules_in_order),
		cmocka_unit_test(test_user_device),
		cmocka_unit_test(test_creation_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
