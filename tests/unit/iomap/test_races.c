/* What threads may do to one another's pages. */
#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/rng.h"
#include "dev/devices.h"
#include "iomap/folio.h"
#include "os/atomic.h"
#include "os/clock.h"
#include "os/thread.h"

#define BS 4096u
#define BLOCKS 128u

static const struct fake_options plain = {.block_size = BS,
	.max_bytes = 64u << 20,
	.expire_ms = 1000000,
	.file_blocks = BLOCKS,
	.device_blocks = 4 * BLOCKS};

static u8 value_at(u64 pos)
{
	return (u8)(1 + pos % 97);
}

static void fill_values(u8 *buf, u64 pos, u64 len)
{
	for (u64 k = 0; k < len; k++)
		buf[k] = value_at(pos + k);
}

/* --- a write in progress --- */

static void write_back_now(struct fake *f)
{
	assert_int_equal(iofile_write_range(&f->io, 0, UINT64_MAX, true), 0);
}

/* IO-72: the bytes of an append are in the cache before the size says so: writeback may not cut
 * them. */
static void test_IO_73_append_meets_writeback(void **state)
{
	u8 data[3 * BS], got[3 * BS];
	struct fake f;

	fake_init(&f, &plain);
	fill_values(data, 0, sizeof(data));
	f.on_end = write_back_now;
	assert_int_equal(fake_write(&f, 0, data, 100), 100);
	assert_int_equal(fake_write(&f, 100, data + 100, 2 * BS), 2 * BS);
	assert_int_equal(fake_read(&f, 0, got, sizeof(got)), 100 + 2 * BS);
	assert_memory_equal(got, data, 100 + 2 * BS);
	assert_int_equal(fake_sync(&f), 0);
	assert_int_equal(iofile_invalidate_range(&f.io, 0, UINT64_MAX), 0);
	assert_int_equal(fake_read(&f, 0, got, sizeof(got)), 100 + 2 * BS);
	assert_memory_equal(got, data, 100 + 2 * BS);
	fake_fini(&f);
}

static struct os_thread *reader;
static u8 reader_got[8 * BS];
static bool reader_done;

static void reader_run(void *arg)
{
	struct fake *f = arg;

	assert_int_equal(fake_read(f, 0, reader_got, sizeof(reader_got)), sizeof(reader_got));
	atomic_store_rel(&reader_done, true);
}

/* The blocks are mapped now, the data is not in: a reader gets time to take what the device holds.
 */
static void read_meanwhile(struct fake *f, u64 pos, u64 len)
{
	f->on_begin = NULL;
	assert_int_equal(os_thread_create(&reader, "reader", reader_run, f), 0);
	for (int k = 0; k < 50 && !atomic_load_acq(&reader_done); k++)
		os_sleep_ns(NSEC_PER_MSEC);
}

static void new_block_race(bool cached)
{
	u8 data[2 * BS];
	struct fake f;

	fake_init(&f, &plain);
	reader_done = false;
	fill_values(data, 2 * BS, sizeof(data));
	assert_int_equal(fake_truncate(&f, sizeof(reader_got)), 0);
	if (cached)
		assert_int_equal(fake_read(&f, 0, reader_got, 100), 100);
	f.on_begin = read_meanwhile;
	assert_int_equal(fake_write(&f, 2 * BS, data, sizeof(data)), sizeof(data));
	os_thread_join(reader);
	for (u64 k = 0; k < sizeof(reader_got); k++)
		assert_int_not_equal(reader_got[k], POISON);
	fake_fini(&f);
}

static void test_IO_1_reader_of_new_blocks(void **state)
{
	new_block_race(false);
	new_block_race(true);
}

static struct os_thread *syncer;
static bool sync_left_dirty;

static void sync_run(void *arg)
{
	struct fake *f = arg;

	assert_int_equal(fake_sync(f), 0);
	sync_left_dirty = iofile_is_dirty(&f->io);
}

/* The only folio is claimed: a sync comes and waits for it (its reference shows that). */
static int no_place_yet(struct fake *f)
{
	struct folio *folio = folio_find(&f->io, 0);

	f->on_place = NULL;
	assert_int_equal(os_thread_create(&syncer, "syncer", sync_run, f), 0);
	while (atomic_load_acq(&folio->refs) < 4)
		os_sleep_ns(NSEC_PER_MSEC);
	folio_put(folio);
	return -ENOSPC;
}

static void sync_first(struct fake *f)
{
	os_thread_join(syncer);
}

/* What another writer claimed, could not place and gave back, a sync writes itself. */
static void test_IO_94_sync_meets_a_retry(void **state)
{
	struct fake_options o = plain;
	u8 data[BS];
	struct fake f;

	o.delayed = true;
	fake_init(&f, &o);
	fill_values(data, 0, sizeof(data));
	assert_int_equal(fake_write(&f, 0, data, sizeof(data)), sizeof(data));
	f.on_place = no_place_yet;
	f.on_retry = sync_first;
	assert_int_equal(iofile_write_range(&f.io, 0, UINT64_MAX, false), 0);
	assert_false(sync_left_dirty);
	fake_fini(&f);
}

static unsigned refusals, retries;
static int lost_with;

static int record(struct iofile *io, u64 pos, u64 len, int err)
{
	lost_with = err;
	if (err || !refusals)
		return err;
	refusals--;
	return -ENOSPC;
}

static void count_retry(struct fake *f)
{
	retries++;
}

/* What is on the device, but has no room for its record, stays dirty while room may come. */
static void test_IO_75_record_without_room(void **state)
{
	struct iofile_ops ops;
	u8 data[BS];
	struct fake f;

	fake_init(&f, &plain);
	ops = *f.io.ops;
	ops.written = record;
	f.io.ops = &ops;
	fill_values(data, 0, sizeof(data));
	for (unsigned k = 0; k < 2; k++) {
		bool room_comes = k == 0;

		assert_int_equal(fake_write(&f, 0, data, sizeof(data)), sizeof(data));
		refusals = 2;
		retries = 0;
		f.on_retry = room_comes ? count_retry : NULL;
		assert_int_equal(
			iofile_write_range(&f.io, 0, UINT64_MAX, true), room_comes ? 0 : -ENOSPC);
		assert_int_equal(retries, room_comes ? 2 : 0);
		assert_int_equal(lost_with, room_comes ? 0 : -ENOSPC);
		assert_false(iofile_is_dirty(&f.io));
	}
	fake_fini(&f);
}

static unsigned size_asked;

/* Between any two looks at it the size goes up or down: an append and a truncate. */
static u64 restless_size(struct fake *f)
{
	return size_asked++ % 2 ? BS : 8 * BS;
}

/* IO-81: however the size moves, a reader gets no more than it has room for. */
static void test_IO_81_restless_size(void **state)
{
	u8 data[8 * BS], got[8 * BS];
	struct iovec iov[2] = {{got, 2 * BS}, {got + 2 * BS, 6 * BS}};
	struct fake f;

	fake_init(&f, &plain);
	fill_values(data, 0, sizeof(data));
	assert_int_equal(fake_write(&f, 0, data, sizeof(data)), sizeof(data));
	f.on_size = restless_size;
	for (unsigned k = 0; k < 4; k++) {
		size_asked = k;
		memset(got, 0xAA, sizeof(got));
		assert_in_range(iofile_read(&f.io, 0, iov, 1, false), 1, 2 * BS);
		for (u64 k = 2 * BS; k < sizeof(got); k++)
			assert_int_equal(got[k], 0xAA);
	}
	f.on_size = NULL;
	fake_fini(&f);
}

/* --- sync and the flusher --- */

static void expire_now(struct fake *f)
{
	os_mutex_lock(&f->pages->lock);
	f->pages->p.expire_ms = 0;
	os_mutex_unlock(&f->pages->lock);
}

static u64 rounds_of(struct fake *f)
{
	u64 rounds;

	os_mutex_lock(&f->pages->lock);
	rounds = f->pages->rounds;
	os_mutex_unlock(&f->pages->lock);
	return rounds;
}

static u8 synced[BS];

static void sync_all_run(void *arg)
{
	struct fake *f = arg;

	assert_int_equal(page_cache_sync(f->pages), 0);
	fake_device_read(f, synced, BS);
}

/* An fsync has the only folio. A pass of the flusher either waits for it, or is over too early. */
static int flusher_passes_by(struct fake *f)
{
	struct folio *folio = folio_find(&f->io, 0);
	u64 rounds = rounds_of(f);

	f->on_place = NULL;
	expire_now(f);
	while (atomic_load_acq(&folio->refs) < 4 && rounds_of(f) < rounds + 2) {
		flusher_kick(f->pages);
		os_sleep_ns(NSEC_PER_MSEC);
	}
	assert_int_equal(os_thread_create(&syncer, "syncer", sync_all_run, f), 0);
	if (atomic_load_acq(&folio->refs) < 4)
		os_thread_join(syncer);
	else
		f->on_retry = sync_first;
	folio_put(folio);
	return 0;
}

/* A sync waits for what an fsync has in flight, though the flusher took the file off the list. */
static void test_IO_94_sync_waits_for_an_fsync(void **state)
{
	struct fake_options o = plain;
	u8 data[BS];
	struct fake f;

	o.delayed = true;
	fake_init(&f, &o);
	fill_values(data, 0, BS);
	f.on_place = flusher_passes_by;
	assert_int_equal(fake_write(&f, 0, data, BS), BS);
	assert_int_equal(fake_sync(&f), 0);
	if (f.on_retry)
		os_thread_join(syncer);
	assert_memory_equal(synced, data, BS);
	fake_fini(&f);
}

static u8 slow_memory[1 << 20];
static bool slow_entered, slow_left;

static int slow_read(void *arg, u64 offset, void *buf, size_t len)
{
	memcpy(buf, slow_memory + offset, len);
	return 0;
}

static int slow_write(void *arg, u64 offset, const void *buf, size_t len)
{
	atomic_store_rel(&slow_entered, true);
	os_sleep_ns(100 * NSEC_PER_MSEC);
	memcpy(slow_memory + offset, buf, len);
	atomic_store_rel(&slow_left, true);
	return 0;
}

/* The flusher took the file off the list: a sync still waits for what it has in flight. */
static void test_IO_94_sync_waits_for_the_flusher(void **state)
{
	const struct dev_user_ops ops = {.read = slow_read,
		.write = slow_write,
		.size = sizeof(slow_memory),
		.block_size = 512};
	struct fake_options o = plain;
	struct page_cache_params p = {.block_size = BS, .max_bytes = 16 << 20, .expire_ms = 1};
	const struct iofile_ops *file_ops;
	struct fake f;
	u8 data[BS];

	fake_init(&f, &o);
	file_ops = f.io.ops;
	iofile_fini(&f.io);
	page_cache_destroy(f.pages);
	assert_int_equal(dev_user_create(&ops, NULL, &p.dev), 0);
	assert_int_equal(page_cache_create(&p, &f.pages), 0);
	iofile_init(&f.io, f.pages, file_ops);
	fill_values(data, 0, BS);
	assert_int_equal(fake_write(&f, 0, data, BS), BS);
	while (!atomic_load_acq(&slow_entered))
		os_sleep_ns(NSEC_PER_MSEC);
	assert_int_equal(page_cache_sync(f.pages), 0);
	assert_true(atomic_load_acq(&slow_left));
	fake_fini(&f);
	dev_close(p.dev);
}

/* --- everything at once --- */

struct storm {
	struct fake f;
	bool stop; /* atomic */
};

static void storm_reader(void *arg)
{
	struct storm *s = arg;
	struct rng rng;
	u8 *buf = malloc(16 * BS);

	rng_init(&rng, os_thread_self());
	while (!atomic_load_acq(&s->stop)) {
		u64 pos = rng_u64(&rng) % (BS * BLOCKS), len = 1 + rng_u64(&rng) % (16 * BS);
		ssize_t n = fake_read(&s->f, pos, buf, len);

		assert_true(n >= 0);
		for (ssize_t k = 0; k < n; k++)
			if (buf[k] && buf[k] != value_at(pos + (u64)k))
				fail_msg("byte %llu is %02x", (unsigned long long)pos + (u64)k,
					buf[k]);
	}
	free(buf);
}

static void storm_syncer(void *arg)
{
	struct storm *s = arg;

	while (!atomic_load_acq(&s->stop)) {
		assert_int_equal(page_cache_sync(s->f.pages), 0);
		(void)iofile_invalidate_range(&s->f.io, 0, BS * BLOCKS / 2);
		os_sleep_ns(NSEC_PER_MSEC / 4);
	}
}

static void storm_writer(struct storm *s, u8 *model, unsigned ops)
{
	u8 *buf = malloc(32 * BS);
	struct rng rng;

	rng_init(&rng, 5);
	for (unsigned k = 0; k < ops; k++) {
		u64 pos = rng_u64(&rng) % (BS * BLOCKS);
		u64 len = 1 + rng_u64(&rng) % (32 * BS);

		len = min_of(len, BS * BLOCKS - pos);
		if (rng_u64(&rng) % 4 == 0) {
			assert_int_equal(fake_truncate(&s->f, pos), 0);
			memset(model + pos, 0, BS * BLOCKS - pos);
			continue;
		}
		fill_values(buf, pos, len);
		assert_int_equal(fake_write(&s->f, pos, buf, len), len);
		memcpy(model + pos, buf, len);
	}
	free(buf);
}

static void storm_run(u32 block_size, bool delayed)
{
	static u8 model[BS * BLOCKS], got[BS * BLOCKS];
	struct storm s = {0};
	struct os_thread *t[4];
	u64 size;

	fake_init(&s.f, &(struct fake_options){.block_size = block_size,
				.max_bytes = 32 * BS,
				.expire_ms = 1,
				.file_blocks = BS * BLOCKS / block_size,
				.device_blocks = 4 * BS * BLOCKS / block_size,
				.delayed = delayed});
	memset(model, 0, sizeof(model));
	for (int k = 0; k < 3; k++)
		assert_int_equal(os_thread_create(&t[k], "reader", storm_reader, &s), 0);
	assert_int_equal(os_thread_create(&t[3], "syncer", storm_syncer, &s), 0);
	storm_writer(&s, model, 400);
	atomic_store_rel(&s.stop, true);
	for (int k = 0; k < 4; k++)
		os_thread_join(t[k]);
	size = atomic_load_acq(&s.f.size);
	assert_int_equal(fake_read(&s.f, 0, got, sizeof(got)), size);
	assert_memory_equal(got, model, size);
	assert_int_equal(fake_sync(&s.f), 0);
	fake_device_read(&s.f, got, size);
	assert_memory_equal(got, model, size);
	fake_fini(&s.f);
}

static void test_IO_99_storm_4k(void **state)
{
	storm_run(4096, false);
	storm_run(4096, true);
}

static void test_IO_99_storm_1k(void **state)
{
	storm_run(1024, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_73_append_meets_writeback),
		cmocka_unit_test(test_IO_1_reader_of_new_blocks),
		cmocka_unit_test(test_IO_94_sync_meets_a_retry),
		cmocka_unit_test(test_IO_94_sync_waits_for_an_fsync),
		cmocka_unit_test(test_IO_75_record_without_room),
		cmocka_unit_test(test_IO_81_restless_size),
		cmocka_unit_test(test_IO_94_sync_waits_for_the_flusher),
		cmocka_unit_test(test_IO_99_storm_4k),
		cmocka_unit_test(test_IO_99_storm_1k),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
