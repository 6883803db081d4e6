/* The direct I/O engine against files whose map is a table. */
#include "direct_room.h"

#include "base/rng.h"
#include "base/trace.h"
#include "dev/devices.h"

/* IO-37, IO-57: what is not a multiple of the sector; nothing at the end before any of that. */
static void test_IO_37_alignment(void **state)
{
	struct room *r = room_up();

	place(&r->f, 0, FAKE_WRITTEN);
	r->f.size = BS;
	assert_int_equal(direct_write(&r->f, 1, r->a, SECTOR), -EINVAL);
	assert_int_equal(direct_write(&r->f, 0, r->a, SECTOR - 1), -EINVAL);
	assert_int_equal(direct_write(&r->f, 0, r->a + 1, SECTOR), -EINVAL);
	assert_int_equal(direct_read(&r->f, 0, r->a + 256, SECTOR), -EINVAL);
	assert_int_equal(direct_write(&r->f, SECTOR, r->a + SECTOR, SECTOR), SECTOR);
	assert_int_equal(written_calls, 1);
	room_down(r);
}

/* IO-49: around what was written into a block that held nothing there are zeros. */
static void test_IO_49_padding(void **state)
{
	struct room *r = room_up();
	u64 k = 0;

	memset(r->a, 'x', BYTES);
	for (u64 from = 0; from < BS; from += SECTOR)
		for (u64 len = SECTOR; from + len <= 2 * BS; len += SECTOR, k += 2) {
			u64 pos = k * BS + from, end = pos + len;

			if (k + 2 > BLOCKS)
				break;
			place(&r->f, k, FAKE_UNWRITTEN);
			assert_int_equal(direct_write(&r->f, pos, r->a, len), len);
			expect(block_data(&r->f, k), from, 0);
			expect(block_data(&r->f, k) + from, min_of(len, BS - from), 'x');
			expect(block_data(&r->f, (end - 1) / BS) + ((end - 1) % BS + 1),
				BS - ((end - 1) % BS + 1), 0);
		}
	room_down(r);
}

/* IO-49, IO-80: nothing is zeroed around an overwrite of a written block inside the file. */
static void test_IO_49_overwrite(void **state)
{
	struct room *r = room_up();

	memset(r->a, 'x', BYTES);
	place(&r->f, 7, FAKE_WRITTEN);
	r->f.size = 8 * BS;
	assert_int_equal(direct_write(&r->f, 7 * BS + SECTOR, r->a, SECTOR), SECTOR);
	expect(block_data(&r->f, 7), SECTOR, 7);
	expect(block_data(&r->f, 7) + SECTOR, SECTOR, 'x');
	expect(block_data(&r->f, 7) + 2 * SECTOR, BS - 2 * SECTOR, 7);
	/* Across the end of the file the tail does become zero. */
	r->f.size = 7 * BS + 3 * SECTOR - 1;
	assert_int_equal(direct_write(&r->f, 7 * BS + 2 * SECTOR, r->a, SECTOR), SECTOR);
	expect(block_data(&r->f, 7) + 3 * SECTOR, BS - 3 * SECTOR, 0);
	room_down(r);
}

/* IO-57: clipped to the size; what the sector holds behind it reaches nobody. */
static void test_IO_57_end(void **state)
{
	struct room *r = room_up();

	place(&r->f, 0, FAKE_WRITTEN);
	place(&r->f, 1, FAKE_WRITTEN);
	memset(block_data(&r->f, 1), 0x55, BS);
	r->f.size = BS + 100;
	memset(r->a, 'z', BYTES);
	assert_int_equal(direct_read(&r->f, 0, r->a, 2 * BS), BS + 100);
	expect(r->a, BS, 0);
	expect(r->a + BS, 100, 0x55);
	expect(r->a + BS + 100, SECTOR - 100, 0);
	expect(r->a + BS + SECTOR, BS - SECTOR, 'z');
	room_down(r);
}

/* IO-1: holes and unwritten blocks read as zeros. */
static void test_IO_1_states(void **state)
{
	struct room *r = room_up();
	struct iovec iov[3];

	place(&r->f, 1, FAKE_WRITTEN);
	place(&r->f, 2, FAKE_UNWRITTEN);
	place(&r->f, 3, FAKE_WRITTEN);
	r->f.size = 4 * BS;
	memset(r->a, 'z', BYTES);
	iov[0] = (struct iovec){r->a, SECTOR};
	iov[1] = (struct iovec){r->a + SECTOR, 3 * BS};
	iov[2] = (struct iovec){r->a + SECTOR + 3 * BS, BS - SECTOR};
	assert_int_equal(transfer(&r->f, 0, 0, iov, 3), 4 * BS);
	expect(r->a, BS, 0);
	expect(r->a + BS, BS, 1);
	expect(r->a + 2 * BS, BS, 0);
	expect(r->a + 3 * BS, BS, 3);
	room_down(r);
}

/* IO-53: an error in the middle fails the whole; nothing is converted. */
static void test_IO_53_middle(void **state)
{
	struct room *r = room_up();
	struct dev_fault_rule rule = {.ops = 1u << DEV_WRITE, .len = SECTOR, .error = EIO};

	for (u64 k = 0; k < 3; k++)
		place(&r->f, k, FAKE_UNWRITTEN);
	rule.offset = (u64)r->f.map[1].device_block * BS;
	assert_int_equal(dev_fault_add(r->f.dev, &rule), 0);
	assert_int_equal(direct_write(&r->f, 0, r->a, 3 * BS), -EIO);
	assert_int_equal(dev_fault_hits(r->f.dev), 1);
	for (u64 k = 0; k < 3; k++)
		assert_int_equal(r->f.map[k].state, FAKE_UNWRITTEN);
	rule.ops = 1u << DEV_READ;
	for (u64 k = 0; k < 3; k++)
		r->f.map[k].state = FAKE_WRITTEN;
	r->f.size = 3 * BS;
	dev_fault_clear(r->f.dev);
	assert_int_equal(dev_fault_add(r->f.dev, &rule), 0);
	assert_int_equal(direct_read(&r->f, 0, r->a, 3 * BS), -EIO);
	assert_int_equal(direct_read(&r->f, 2 * BS, r->a, BS), BS);
	room_down(r);
}

/* The conversion's error is the write's. */
static void test_IO_50_conversion_fails(void **state)
{
	struct room *r = room_up();

	written_err = -ENOSPC;
	assert_int_equal(direct_write(&r->f, 0, r->a, BS), -ENOSPC);
	assert_int_equal(r->f.map[0].state, FAKE_UNWRITTEN);
	room_down(r);
}

/* IO-47: what was done before -ENOTBLK counts. */
static void test_IO_47_part(void **state)
{
	struct room *r = room_up();

	stop_at = 2 * BS;
	assert_int_equal(direct_write(&r->f, 0, r->a, 4 * BS), 2 * BS);
	assert_int_equal(r->f.map[1].state, FAKE_WRITTEN);
	stop_at = 1;
	assert_int_equal(direct_write(&r->f, BS, r->a, BS), 0);
	room_down(r);
}

/* IO-46: the cache was emptied, and then somebody dirtied a page: its data may not be lost. */
static void test_IO_46_delayed_again(void **state)
{
	struct room *r = room_up();

	place(&r->f, 1, FAKE_DELAYED);
	r->f.size = 2 * BS;
	assert_int_equal(direct_write(&r->f, BS, r->a, BS), -EIO);
	assert_int_equal(direct_read(&r->f, BS, r->a, BS), -EIO);
	assert_int_equal(r->f.map[1].state, FAKE_DELAYED);
	room_down(r);
}

/* IO-48: dirty pages go out first and are gone after a write. */
static void test_IO_48_dirty(void **state)
{
	struct room *r = room_up();

	memset(r->a, 'x', BYTES);
	memset(r->b, 'y', BYTES);
	assert_int_equal(fake_write(&r->f, 0, r->b, 8 * BS), 8 * BS);
	assert_int_equal(direct_read(&r->f, BS, r->a, BS), BS);
	expect(r->a, BS, 'y');
	memset(r->a, 'x', BYTES);
	assert_int_equal(fake_write(&r->f, 0, r->b, 8 * BS), 8 * BS);
	assert_int_equal(direct_write(&r->f, 2 * BS, r->a, 2 * BS), 2 * BS);
	assert_int_equal(fake_sync(&r->f), 0);
	assert_int_equal(fake_read(&r->f, 0, r->b, 8 * BS), 8 * BS);
	expect(r->b, 2 * BS, 'y');
	expect(r->b + 2 * BS, 2 * BS, 'x');
	expect(r->b + 4 * BS, 4 * BS, 'y');
	fake_device_read(&r->f, r->b, 8 * BS);
	expect(r->b + 2 * BS, 2 * BS, 'x');
	room_down(r);
}

static struct room *dirtied;

/* A page of the range is dirtied while the data is on its way. */
static void dirty_behind(const char *name, u64 a, u64 b)
{
	struct iovec iov = {dirtied->b, SECTOR};

	if (!strcmp(name, "direct_written"))
		assert_int_equal(iofile_write(&dirtied->f.io, BS, &iov, 1), SECTOR);
}

/* IO-52: the write is good; that the page could not be dropped is told by fsync, once. */
static void test_IO_52_page_stays(void **state)
{
	struct room *r = room_up();
	u32 cursor;

	for (u64 k = 0; k < 4; k++)
		place(&r->f, k, FAKE_WRITTEN);
	r->f.size = 4 * BS;
	cursor = iofile_error_sample(&r->f.io);
	dirtied = r;
	trace_hook = dirty_behind;
	assert_int_equal(direct_write(&r->f, 0, r->a, 4 * BS), 4 * BS);
	trace_hook = NULL;
	assert_int_equal(iofile_error_check(&r->f.io, &cursor), -EIO);
	assert_int_equal(iofile_error_check(&r->f.io, &cursor), 0);
	room_down(r);
}

/* IO-82: who reads while the data is on its way caches what was there; not for long. */
static void read_behind(const char *name, u64 a, u64 b)
{
	if (!strcmp(name, "direct_written"))
		assert_int_equal(fake_read(&dirtied->f, 0, dirtied->b, 2 * BS), 2 * BS);
}

static void test_IO_82_read_meanwhile(void **state)
{
	struct room *r = room_up();

	place(&r->f, 0, FAKE_UNWRITTEN);
	place(&r->f, 1, FAKE_WRITTEN);
	r->f.size = 2 * BS;
	memset(r->a, 'x', BYTES);
	dirtied = r;
	trace_hook = read_behind;
	assert_int_equal(direct_write(&r->f, 0, r->a, BS), BS);
	trace_hook = NULL;
	expect(r->b, BS, 0);
	assert_int_equal(fake_read(&r->f, 0, r->b, BS), BS);
	expect(r->b, BS, 'x');
	room_down(r);
}

/* IO-43: anything that is not one mapping without cached pages. */
static void test_IO_43_nowait(void **state)
{
	struct room *r = room_up();
	struct iovec one = {r->a, BS}, two = {r->a, 2 * BS};

	for (u64 k = 0; k < 4; k++)
		place(&r->f, k, FAKE_WRITTEN);
	r->f.size = 4 * BS;
	assert_int_equal(transfer(&r->f, IOMAP_NOWAIT, 0, &one, 1), BS);
	assert_int_equal(transfer(&r->f, IOMAP_NOWAIT | IOMAP_WRITE, 0, &one, 1), BS);
	assert_int_equal(transfer(&r->f, IOMAP_NOWAIT, 0, &two, 1), -EAGAIN);
	assert_int_equal(transfer(&r->f, IOMAP_NOWAIT | IOMAP_WRITE, 0, &two, 1), -EAGAIN);
	assert_int_equal(fake_read(&r->f, 0, r->b, BS), BS);
	assert_int_equal(transfer(&r->f, IOMAP_NOWAIT, 0, &one, 1), BS); /* clean */
	assert_int_equal(transfer(&r->f, IOMAP_NOWAIT | IOMAP_WRITE, 0, &one, 1), -EAGAIN);
	assert_int_equal(fake_write(&r->f, 0, r->b, BS), BS);
	assert_int_equal(transfer(&r->f, IOMAP_NOWAIT, 0, &one, 1), -EAGAIN);
	room_down(r);
}

static u64 allocations, fail_at;

static bool count_allocations(const char *name)
{
	return !strcmp(name, "os_alloc") && ++allocations == fail_at;
}

/* Few segments take no memory; with many, each allocation may fail and nothing is half-done. */
static void test_memory(void **state)
{
	struct room *r = room_up();
	bool failed = true;

	for (u64 k = 0; k < BLOCKS; k++)
		place(&r->f, k, FAKE_WRITTEN);
	r->f.size = BYTES;
	/* The first calls make the device's queues. */
	assert_int_equal(direct_write(&r->f, 0, r->a, 2 * BS), 2 * BS);
	assert_int_equal(direct_write(&r->f, 0, r->a, BS), BS);
	fault_hook = count_allocations;
	fail_at = allocations = 0;
	assert_int_equal(direct_write(&r->f, 0, r->a, BS), BS);
	assert_int_equal(direct_read(&r->f, 0, r->a, 2 * BS), 2 * BS);
	assert_int_equal(allocations, 0);
	for (fail_at = 1; failed; fail_at++) {
		ssize_t n;

		allocations = 0;
		n = direct_write(&r->f, 0, r->a, BYTES);
		failed = allocations >= fail_at;
		assert_true(n == BYTES || (failed && n == -ENOMEM));
	}
	assert_true(fail_at > BLOCKS / 2);
	fault_hook = NULL;
	room_down(r);
}

static void random_op(struct room *r, struct rng *g)
{
	u64 pos = rng_below(g, BYTES / SECTOR) * SECTOR;
	u64 want = SECTOR * (1 + rng_below(g, 60)), len = min_of(want, BYTES - pos);
	struct iovec iov[3] = {{r->a, 0}, {r->a, SECTOR}, {r->a + SECTOR, len - SECTOR}};
	u64 there = pos < r->f.size ? min_of(len, r->f.size - pos) : 0;

	switch (rng_below(g, 5)) {
	case 0:
		for (u64 k = 0; k < len; k++)
			r->a[k] = (u8)(1 + rng_below(g, 200));
		assert_int_equal(transfer(&r->f, IOMAP_WRITE, pos, iov, 3), len);
		memcpy(r->model + pos, r->a, len);
		break;
	case 1:
		pos += rng_below(g, SECTOR);
		len = min_of(len, BYTES - pos);
		memset(r->a, (int)(1 + rng_below(g, 200)), len);
		assert_int_equal(fake_write(&r->f, pos, r->a, len), len);
		memcpy(r->model + pos, r->a, len);
		break;
	case 2:
		if (rng_below(g, 6) == 0) {
			u64 size = rng_below(g, BYTES);

			assert_int_equal(fake_truncate(&r->f, size), 0);
			memset(r->model + size, 0, BYTES - size);
		}
		break;
	case 3:
		if (pos >= r->f.size)
			break;
		assert_int_equal(transfer(&r->f, 0, pos, iov, 3), there);
		assert_memory_equal(r->a, r->model + pos, there);
		break;
	default:
		assert_int_equal(fake_read(&r->f, pos, r->a, len), there);
		assert_memory_equal(r->a, r->model + pos, there);
	}
}

static void test_IO_48_model(void **state)
{
	for (u32 seed = 1; seed <= 8; seed++) {
		struct room *r = room_up();
		struct rng g;

		rng_init(&g, seed);
		for (unsigned k = 0; k < 3000; k++)
			random_op(r, &g);
		room_down(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_37_alignment),
		cmocka_unit_test(test_IO_49_padding),
		cmocka_unit_test(test_IO_49_overwrite),
		cmocka_unit_test(test_IO_57_end),
		cmocka_unit_test(test_IO_1_states),
		cmocka_unit_test(test_IO_53_middle),
		cmocka_unit_test(test_IO_50_conversion_fails),
		cmocka_unit_test(test_IO_47_part),
		cmocka_unit_test(test_IO_46_delayed_again),
		cmocka_unit_test(test_IO_48_dirty),
		cmocka_unit_test(test_IO_52_page_stays),
		cmocka_unit_test(test_IO_82_read_meanwhile),
		cmocka_unit_test(test_IO_43_nowait),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_IO_48_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
