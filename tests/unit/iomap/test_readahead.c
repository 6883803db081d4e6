/* What is read ahead of a reader who goes through a file. */
#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { BS = 4096, FILE_BYTES = 4 << 20, WINDOW = 64 << 10, PIECE = 64 << 10 };

static u64 bytes_read(struct fake *f)
{
	struct page_cache_stats st;

	page_cache_quiesce(f->pages);
	page_cache_resume(f->pages);
	page_cache_stats(f->pages, &st);
	return st.read_bytes;
}

/* A file whose bytes are on the device and not in memory. */
static void cold_file(struct fake *f, u8 *data)
{
	fake_init(f, &(struct fake_options){.block_size = BS,
			     .max_bytes = 64 << 20,
			     .expire_ms = 1000000,
			     .file_blocks = FILE_BYTES / BS,
			     .device_blocks = FILE_BYTES / BS});
	for (u32 k = 0; k < FILE_BYTES; k++)
		data[k] = (u8)(k % 251);
	assert_int_equal(fake_write(f, 0, data, FILE_BYTES), FILE_BYTES);
	assert_int_equal(fake_sync(f), 0);
	assert_int_equal(iofile_invalidate_range(&f->io, 0, UINT64_MAX), 0);
	assert_int_equal(bytes_read(f), 0);
}

static void expect(struct fake *f, const u8 *data, u64 pos, u64 len, u64 total)
{
	u8 got[PIECE];

	assert_int_equal(fake_read(f, pos, got, len), len);
	assert_memory_equal(got, data + pos, len);
	assert_int_equal(bytes_read(f), total);
}

/* Entering a window has the next one read, twice as large; within it nothing more is. */
static void test_next_window_when_one_is_entered(void **state)
{
	u8 *data = malloc(FILE_BYTES);
	struct fake f;

	cold_file(&f, data);
	expect(&f, data, 0, BS, WINDOW + 2 * WINDOW);
	expect(&f, data, BS, BS, 3 * WINDOW);
	expect(&f, data, WINDOW / 2, BS, 3 * WINDOW);
	expect(&f, data, WINDOW - BS, BS, 7 * WINDOW);
	expect(&f, data, WINDOW, BS, 7 * WINDOW);
	expect(&f, data, 3 * WINDOW, BS, 15 * WINDOW);
	fake_fini(&f);
	free(data);
}

/* All of it, once. */
static void test_everything_once(void **state)
{
	u8 *data = malloc(FILE_BYTES);
	struct fake f;

	cold_file(&f, data);
	for (u64 pos = 0; pos < FILE_BYTES; pos += PIECE) {
		u8 got[PIECE];

		assert_int_equal(fake_read(&f, pos, got, PIECE), PIECE);
		assert_memory_equal(got, data + pos, PIECE);
	}
	assert_int_equal(bytes_read(&f), FILE_BYTES);
	fake_fini(&f);
	free(data);
}

/* Who jumps about gets what is asked for. */
static void test_none_for_jumps(void **state)
{
	u8 *data = malloc(FILE_BYTES);
	struct fake f;

	cold_file(&f, data);
	expect(&f, data, 3 << 20, BS, BS);
	expect(&f, data, 1 << 20, BS, 2 * BS);
	expect(&f, data, 2 << 20, BS, 3 * BS);
	fake_fini(&f);
	free(data);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next_window_when_one_is_entered),
		cmocka_unit_test(test_everything_once),
		cmocka_unit_test(test_none_for_jumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
