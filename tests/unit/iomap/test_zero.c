/* Zeroing where the map says that there is nothing, and the cache has something. */
#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "os/atomic.h"

#define BS 1024u
#define BLOCKS 16u
#define FROM 100u
#define LEN (2 * BS)

static const struct fake_options shape = {.block_size = BS,
	.max_bytes = 1 << 20,
	.expire_ms = 1000000,
	.file_blocks = BLOCKS,
	.device_blocks = 4 * BLOCKS};

static struct fake f;
static u8 data[8 * BS], got[8 * BS];

/* As in a file system, what is on the device is written from then on. */
static int convert(struct iofile *io, u64 pos, u64 len, int err)
{
	for (u64 k = pos / BS; !err && k < (pos + len) / BS; k++)
		f.map[k].state = FAKE_WRITTEN;
	atomic_add(&f.cookie, 1);
	return err;
}

/* Eight blocks, dirty; the map says unwritten. */
static void dirty_over_unwritten(void)
{
	static struct iofile_ops ops;

	fake_init(&f, &shape);
	ops = *f.io.ops;
	ops.written = convert;
	f.io.ops = &ops;
	memset(data, 'd', sizeof(data));
	assert_int_equal(fake_write(&f, 0, data, sizeof(data)), sizeof(data));
	for (u64 k = 0; k < 8; k++)
		f.map[k].state = FAKE_UNWRITTEN;
}

static void expect_zeroed(void)
{
	memset(data + FROM, 0, LEN);
	assert_int_equal(fake_read(&f, 0, got, sizeof(got)), sizeof(got));
	assert_memory_equal(got, data, sizeof(got));
	assert_int_equal(fake_sync(&f), 0);
	fake_device_read(&f, got, sizeof(got));
	assert_memory_equal(got, data, sizeof(got));
	fake_fini(&f);
}

static void test_IO_121_dirty_over_unwritten(void **state)
{
	dirty_over_unwritten();
	assert_int_equal(fake_zero(&f, FROM, LEN), 0);
	expect_zeroed();
}

/* Nothing is there: nothing becomes dirty. */
static void test_IO_121_clean_unwritten(void **state)
{
	fake_init(&f, &shape);
	fake_reserve(&f, 0, 8 * BS);
	assert_int_equal(fake_truncate(&f, 8 * BS), 0);
	assert_int_equal(fake_zero(&f, FROM, LEN), 0);
	assert_false(iofile_is_dirty(&f.io));
	fake_fini(&f);
}

static unsigned begun;

static int begin_then_write_back(struct iofile *io, u64 pos, u64 len, u32 request, struct iomap *m)
{
	int err = io->ops->write->begin(io, pos, len, request, m);

	if (begun++ == 0) /* the mapping is known, no folio is locked yet */
		assert_int_equal(fake_sync(&f), 0);
	return err;
}

/* IO-119: between the look at the map and the folio's lock it was written back. */
static void test_IO_119_written_back_meanwhile(void **state)
{
	static const struct iomap_ops ops = {.begin = begin_then_write_back};

	dirty_over_unwritten();
	begun = 0;
	assert_int_equal(iofile_zero(&f.io, FROM, LEN, &ops), 0);
	assert_true(begun > 1);
	expect_zeroed();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_121_dirty_over_unwritten),
		cmocka_unit_test(test_IO_121_clean_unwritten),
		cmocka_unit_test(test_IO_119_written_back_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
