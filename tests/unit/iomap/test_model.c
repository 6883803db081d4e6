/* Random operations on one cached file against plain bytes, in many shapes of block and cache. */
#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "os/atomic.h"

struct model {
	struct fake f;
	struct rng rng;
	u8 *bytes, *buf;
	u64 size, max;
};

static u64 pick(struct model *m, u64 n)
{
	return n ? rng_u64(&m->rng) % n : 0;
}

static void compare(struct model *m, const u8 *got, u64 pos, u64 len, const char *what)
{
	for (u64 k = 0; k < len; k++)
		if (got[k] != m->bytes[pos + k])
			fail_msg("%s: byte %llu of %llu is %02x, not %02x", what,
				(unsigned long long)(pos + k), (unsigned long long)m->size, got[k],
				m->bytes[pos + k]);
}

static void do_write(struct model *m)
{
	u64 pos = pick(m, 4) ? pick(m, m->max) : m->size;
	u64 len = 1 + pick(m, pick(m, 4) ? 3 * m->f.o.block_size : m->max / 4);

	len = min_of(len, m->max - min_of(pos, m->max));
	if (!len)
		return;
	for (u64 k = 0; k < len; k++)
		m->buf[k] = (u8)(1 + pick(m, 200));
	assert_int_equal(fake_write(&m->f, pos, m->buf, len), len);
	memcpy(m->bytes + pos, m->buf, len);
	m->size = max_of(m->size, pos + len);
}

static void do_read(struct model *m)
{
	u64 pos = pick(m, m->max), len = 1 + pick(m, m->max / 2);
	u64 expect = pos < m->size ? min_of(len, m->size - pos) : 0;

	assert_int_equal(fake_read(&m->f, pos, m->buf, min_of(len, m->max)),
		min_of(expect, min_of(len, m->max)));
	compare(m, m->buf, pos, min_of(expect, min_of(len, m->max)), "read");
}

static void do_truncate(struct model *m)
{
	u64 size = pick(m, m->max);

	assert_int_equal(fake_truncate(&m->f, size), 0);
	if (size < m->size)
		memset(m->bytes + size, 0, m->size - size);
	m->size = size;
}

static void do_zero(struct model *m)
{
	u64 pos = pick(m, m->size), len = pick(m, m->size - pos);

	if (!len)
		return;
	assert_int_equal(fake_zero(&m->f, pos, len), 0);
	memset(m->bytes + pos, 0, len);
}

/* What is on the device is the file; behind its end the last block holds zeros (IO-73). */
static void do_sync(struct model *m)
{
	u64 rounded = round_up_to(m->size, m->f.o.block_size);

	assert_int_equal(pick(m, 2) ? fake_sync(&m->f) : page_cache_sync(m->f.pages), 0);
	assert_false(iofile_is_dirty(&m->f.io));
	fake_device_read(&m->f, m->buf, min_of(rounded, m->max));
	compare(m, m->buf, 0, min_of(rounded, m->max), "device");
}

static void do_other(struct model *m)
{
	u64 pos = pick(m, m->max), len = 1 + pick(m, m->max - pos), first;

	switch (pick(m, 4)) {
	case 0:
		fake_reserve(&m->f, pos, min_of(len, m->max - pos));
		break;
	case 1:
		(void)iofile_invalidate_range(&m->f.io, pos, pos + len);
		break;
	case 2:
		assert_int_equal(fake_sync(&m->f), 0);
		page_cache_quiesce(m->f.pages); /* readahead in flight would bring data back */
		assert_int_equal(iofile_invalidate_range(&m->f.io, 0, UINT64_MAX), 0);
		assert_false(iofile_has_data(&m->f.io, 0, UINT64_MAX, &first));
		page_cache_resume(m->f.pages);
		break;
	default:
		assert_int_equal(iofile_write_range(&m->f.io, pos, pos + len, pick(m, 2)), 0);
	}
}

static void model_run(u32 block_size, u64 max_bytes, u32 blocks, unsigned ops, u32 shape)
{
	struct model m = {.max = (u64)block_size * blocks};
	struct page_cache_stats st;

	rng_init(&m.rng, block_size * 31 + (u32)max_bytes + shape);
	m.bytes = calloc(1, m.max);
	m.buf = malloc(m.max);
	fake_init(&m.f, &(struct fake_options){.block_size = block_size,
				.max_bytes = max_bytes,
				.expire_ms = 1,
				.file_blocks = blocks,
				.device_blocks = 2 * blocks + 64,
				.one_block = shape & 1,
				.delayed = shape & 2});
	for (unsigned k = 0; k < ops; k++) {
		switch (pick(&m, 12)) {
		case 0:
			do_truncate(&m);
			break;
		case 1:
			do_zero(&m);
			break;
		case 2:
			do_sync(&m);
			break;
		case 3:
			do_other(&m);
			break;
		case 4 ... 7:
			do_read(&m);
			break;
		default:
			do_write(&m);
		}
	}
	do_sync(&m);
	page_cache_stats(m.f.pages, &st);
	/* One chunk's folios and readahead may stand above the bound, no more. */
	assert_in_range(st.bytes, 0, max_bytes + (4u << 20));
	assert_int_equal(st.dirty_bytes, 0);
	fake_fini(&m.f);
	free(m.bytes);
	free(m.buf);
}

static void sweep(u32 block_size, u32 blocks, unsigned ops)
{
	for (u32 shape = 0; shape < 4; shape++) {
		model_run(block_size, 16 * max_of(block_size, 4096u), blocks, ops, shape);
		model_run(block_size, 64u << 20, blocks, ops, shape);
	}
}

static void test_IO_81_model_512(void **state)
{
	sweep(512, 700, 700);
}

static void test_IO_81_model_1k(void **state)
{
	sweep(1024, 600, 700);
}

static void test_IO_81_model_4k(void **state)
{
	sweep(4096, 200, 600);
}

static void test_IO_81_model_64k(void **state)
{
	sweep(65536, 24, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_81_model_512),
		cmocka_unit_test(test_IO_81_model_1k),
		cmocka_unit_test(test_IO_81_model_4k),
		cmocka_unit_test(test_IO_81_model_64k),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
