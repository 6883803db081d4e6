/* What the page cache may hold under a writer that is faster than the device. */
#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "iomap/folio.h"
#include "os/atomic.h"
#include "os/lock.h"

enum {
	BS = 4096,
	MAX = 16 << 20, /* of the cache */
	LIMIT = MAX / 100 * 20,
	TOTAL = 64 << 20,
	PIECE = 48 << 10,
	HOLD = LIMIT - PIECE, /* a writer that must wait is further ahead than this */
};

static struct {
	struct os_mutex lock;
	struct os_cond moved;
	u64 written, placed; /* lock: bytes */
	bool open;	     /* lock: the device keeps nobody waiting any more */
} gate;

/* Nothing goes out before the writer is about as far ahead as it may be. */
static int hold_back(struct fake *f)
{
	os_mutex_lock(&gate.lock);
	while (!gate.open && gate.written < gate.placed + HOLD)
		os_cond_wait(&gate.moved, &gate.lock);
	os_mutex_unlock(&gate.lock);
	return 0;
}

static void gate_tell(u64 written, u64 dirty, bool open)
{
	os_mutex_lock(&gate.lock);
	gate.written = written;
	gate.placed = written - dirty;
	gate.open = open;
	os_cond_broadcast(&gate.moved);
	os_mutex_unlock(&gate.lock);
}

static void fill(u8 *data, u64 pos)
{
	for (u64 k = 0; k < PIECE; k += 8) {
		u64 value = (pos + k) * 0x9e3779b97f4a7c15ull;

		memcpy(data + k, &value, 8);
	}
}

/* IO-64: dirty data is bounded however slow the device is, and so is the cache. */
static void test_IO_64_slow_device(void **state)
{
	static const struct fake_options o = {.block_size = BS,
		.max_bytes = MAX,
		.expire_ms = 1000000,
		.file_blocks = TOTAL / BS,
		.device_blocks = TOTAL / BS,
		.delayed = true};
	struct page_cache_stats stats;
	u8 data[PIECE], got[PIECE];
	u64 most_dirty = 0, most = 0;
	struct fake f;

	os_mutex_init(&gate.lock, RANK_LEAF, "gate");
	os_cond_init(&gate.moved, "gate");
	gate.open = false;
	fake_init(&f, &o);
	f.on_place = hold_back;
	for (u64 pos = 0; pos + PIECE <= TOTAL; pos += PIECE) {
		fill(data, pos);
		assert_int_equal(fake_write(&f, pos, data, PIECE), PIECE);
		page_cache_stats(f.pages, &stats);
		gate_tell(pos + PIECE, stats.dirty_bytes, false);
		most_dirty = max_of(most_dirty, stats.dirty_bytes);
		most = max_of(most, stats.bytes);
	}
	assert_in_range(most_dirty, LIMIT / 2, LIMIT + PIECE);
	assert_in_range(most, MAX / 2, MAX);
	gate_tell(TOTAL, 0, true);
	assert_int_equal(fake_sync(&f), 0);
	for (u64 pos = 0; pos + PIECE <= TOTAL; pos += PIECE) {
		fill(data, pos);
		assert_int_equal(fake_read(&f, pos, got, PIECE), PIECE);
		assert_memory_equal(got, data, PIECE);
	}
	fake_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_IO_64_slow_device)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
