/* Memory and the device fail at every place in turn; what was acknowledged holds. */
#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/trace.h"
#include "dev/devices.h"
#include "os/atomic.h"
#include "os/thread.h"

#define BS 1024u
#define BLOCKS 256u
#define BYTES (BS * BLOCKS)

static const struct fake_options shape = {.block_size = BS,
	.max_bytes = 64 * 1024,
	.expire_ms = 1000000,
	.file_blocks = BLOCKS,
	.device_blocks = 2 * BLOCKS,
	.fault = true};

static u32 victim;
static u64 countdown;
static bool hit;

static bool fail_nth(const char *name)
{
	if (os_thread_self() != victim || strcmp(name, "os_alloc") || countdown == 0 || --countdown)
		return false;
	hit = true;
	return true;
}

struct run {
	struct fake f;
	u8 model[BYTES], buf[BYTES];
	u64 size;
	bool lost; /* writeback failed: what the device holds is no longer known */
};

static void check_read(struct run *r, u64 pos, u64 len)
{
	ssize_t n = fake_read(&r->f, pos, r->buf, len);

	if (n < 0)
		return;
	for (ssize_t k = 0; !r->lost && k < n; k++)
		assert_int_equal(r->buf[k], r->model[pos + (u64)k]);
}

static void step_write(struct run *r, u64 pos, u64 len, u8 value)
{
	ssize_t n;

	memset(r->buf, value, len);
	n = fake_write(&r->f, pos, r->buf, len);
	if (n <= 0)
		return;
	memcpy(r->model + pos, r->buf, (size_t)n);
	r->size = max_of(r->size, pos + (u64)n);
}

static void step_truncate(struct run *r, u64 size)
{
	if (fake_truncate(&r->f, size) != 0)
		return;
	if (size < r->size)
		memset(r->model + size, 0, r->size - size);
	r->size = size;
}

static int script(struct run *r)
{
	int err, first = 0;

	step_write(r, 100, 3000, 1);
	err = fake_sync(&r->f);
	first = first ? first : err;
	(void)iofile_invalidate_range(&r->f.io, 0, UINT64_MAX);
	step_write(r, 50000, 70000, 2);
	step_write(r, 1500, 300, 3); /* reads the block first (IO-67) */
	check_read(r, 0, BYTES);
	step_truncate(r, 60001);
	step_truncate(r, 90000);
	step_write(r, 100000, 5000, 4);
	err = page_cache_sync(r->f.pages);
	first = first ? first : err;
	(void)iofile_invalidate_range(&r->f.io, 0, UINT64_MAX);
	check_read(r, 0, BYTES);
	check_read(r, 59000, 2000);
	return first;
}

static void finish(struct run *r)
{
	assert_int_equal(atomic_load_acq(&r->f.size), r->size);
	check_read(r, 0, BYTES);
	(void)fake_sync(&r->f);
	check_read(r, 0, BYTES);
	fake_fini(&r->f);
}

static void test_IO_65_every_allocation_fails(void **state)
{
	struct run *r = malloc(sizeof(*r));
	u64 n;

	fault_hook = fail_nth;
	for (n = 1;; n++) {
		memset(r, 0, sizeof(*r));
		fake_init(&r->f, &shape);
		hit = false;
		victim = os_thread_self();
		countdown = n;
		script(r);
		countdown = 0;
		/* Memory is back: nothing may be forgotten (a file off the list and dirty). */
		assert_int_equal(page_cache_sync(r->f.pages), 0);
		assert_false(iofile_is_dirty(&r->f.io));
		finish(r);
		if (!hit)
			break;
	}
	fault_hook = NULL;
	assert_true(n > 20);
	free(r);
}

static void device_faults(unsigned op, bool loses)
{
	struct run *r = malloc(sizeof(*r));
	u64 hits = 1;

	for (u64 n = 0; hits; n++) {
		u32 cursor;
		int err;

		memset(r, 0, sizeof(*r));
		fake_init(&r->f, &shape);
		cursor = iofile_error_sample(&r->f.io);
		dev_fault_add(
			r->f.dev, &(struct dev_fault_rule){
					  .ops = 1u << op, .after = n, .count = 1, .error = EIO});
		r->lost = loses;
		err = script(r);
		hits = dev_fault_hits(r->f.dev);
		if (hits && loses) {
			assert_true(err == 0 || err == -EIO);
			assert_int_equal(iofile_error_check(&r->f.io, &cursor), -EIO);
		}
		/* IO-91: told once */
		assert_int_equal(iofile_error_check(&r->f.io, &cursor), 0);
		dev_fault_clear(r->f.dev);
		finish(r);
	}
	free(r);
}

static void test_IO_67_every_read_fails(void **state)
{
	device_faults(DEV_READ, false);
}

static void test_IO_91_every_write_fails(void **state)
{
	device_faults(DEV_WRITE, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_65_every_allocation_fails),
		cmocka_unit_test(test_IO_67_every_read_fails),
		cmocka_unit_test(test_IO_91_every_write_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
