/* The buffer cache alone. */
#include "journal_fixture.h"

#include "journal/buffer_priv.h"

#include <string.h>

static struct fixture f;

static void seal_home(u32 n, u64 value)
{
	u8 *data = (u8 *)dev_mem_data(f.mem) + (u64)(FX_META + n) * FX_BLOCK_SIZE;

	fx_fill(data, FX_META + n, value);
	fx_type.seal(&f.sb, data, FX_META + n, &fx_ctx);
}

static int setup(void **state)
{
	fx_open(&f, &(struct fixture_options){.no_journal = true, .cache_bytes = 256 * 1024});
	return 0;
}

static int teardown(void **state)
{
	fx_close(&f);
	return 0;
}

static int read_as(u32 n, const struct buf_type *type, const struct buf_ctx *ctx, struct buf **b)
{
	return buf_read(f.cache, FX_META + n, type, ctx, b);
}

static void test_read_verifies(void **state)
{
	struct buf *b, *again;

	seal_home(0, 7);
	seal_home(1, 8);
	((u8 *)dev_mem_data(f.mem))[(u64)(FX_META + 1) * FX_BLOCK_SIZE + 100] ^= 1;
	assert_int_equal(read_as(0, &fx_type, &fx_ctx, &b), 0);
	assert_int_equal(fx_value(b->data), 7);
	assert_int_equal(read_as(0, &fx_type, &fx_ctx, &again), 0);
	assert_ptr_equal(b, again);
	buf_put(again);
	buf_put(b);
	assert_int_equal(read_as(1, &fx_type, &fx_ctx, &b), -EBADMSG);
	assert_int_equal(buf_read(f.cache, FX_BLOCKS, &fx_type, &fx_ctx, &b), -EUCLEAN);
}

/* A failed verification is not remembered as success, nor is the block's other kind. */
static void test_HD_8_other_kind_is_refused(void **state)
{
	struct buf_ctx other = fx_ctx;
	struct handle h;
	struct buf *b, *b2;

	seal_home(0, 7);
	assert_int_equal(read_as(0, &fx_type, &fx_ctx, &b), 0);
	assert_int_equal(read_as(0, &fx_other_type, &fx_ctx, &b2), -EUCLEAN);
	assert_int_equal(read_as(0, &fx_other_type, &fx_ctx, &b2), -EUCLEAN);
	other.csum_seed = 78;
	assert_int_equal(read_as(0, &fx_type, &other, &b2), -EBADMSG);
	/* Dirty: neither another kind nor another owner, even if the bytes would do. */
	assert_int_equal(handle_start(f.j, &h, 1, 0), 0);
	memcpy(b->data, "OTHR", 4);
	assert_int_equal(buf_dirty(&h, b), 0);
	assert_int_equal(handle_stop(&h), 0);
	assert_int_equal(read_as(0, &fx_other_type, &fx_ctx, &b2), -EUCLEAN);
	assert_int_equal(read_as(0, &fx_type, &fx_ctx, &b2), 0);
	buf_put(b2);
	buf_retype(b, &fx_other_type, &fx_ctx);
	assert_int_equal(read_as(0, &fx_other_type, &fx_ctx, &b2), 0);
	buf_put(b2);
	buf_put(b);
}

static int setup_journal(void **state)
{
	fx_open(&f, &(struct fixture_options){.cache_bytes = 256 * 1024});
	return 0;
}

/* Committed and not yet home: the checkpoint seals it as what it was when it was changed. */
static void test_HD_8_awaiting_checkpoint(void **state)
{
	struct handle h;
	struct buf *b, *b2;

	assert_int_equal(handle_start(f.j, &h, 1, 0), 0);
	assert_int_equal(read_as(0, &fx_type, &fx_ctx, &b), 0);
	assert_int_equal(buf_write_access(&h, b), 0);
	memcpy(b->data, "OTHR", 4);
	assert_int_equal(buf_dirty(&h, b), 0);
	assert_int_equal(handle_stop(&h), 0);
	assert_int_equal(read_as(0, &fx_other_type, &fx_ctx, &b2), -EUCLEAN);
	assert_int_equal(journal_commit_all(f.j, NULL), 0);
	assert_int_equal(read_as(0, &fx_other_type, &fx_ctx, &b2), -EUCLEAN);
	fx_checkpoint(&f);
	assert_int_equal(read_as(0, &fx_other_type, &fx_ctx, &b2), 0); /* nobody's any more */
	buf_put(b2);
	buf_put(b);
}

/* Changed data whose checksum is stale in memory can still be judged as another context. */
static void test_unsealed_data_is_judged_sealed(void **state)
{
	struct buf_ctx deeper = fx_ctx;
	struct handle h;
	struct buf *b;

	assert_int_equal(handle_start(f.j, &h, 1, 0), 0);
	fx_set(&f, &h, 0, 5);
	assert_int_equal(handle_stop(&h), 0);
	deeper.arg = 3;
	assert_int_equal(read_as(0, &fx_type, &deeper, &b), 0);
	buf_put(b);
}

static void test_bound(void **state)
{
	struct bcache_stats s;
	struct buf *b, *held;
	u32 i;

	assert_int_equal(read_as(0, &fx_type, &fx_ctx, &held), 0);
	for (i = 0; i < 2000; i++) {
		assert_int_equal(buf_read(f.cache, FX_META + i, &fx_type, &fx_ctx, &b), 0);
		buf_put(b);
	}
	bcache_stats(f.cache, &s);
	assert_true(s.bytes <= f.opt.cache_bytes + 64 * FX_BLOCK_SIZE);
	assert_true(s.evictions > 1000);
	b = buf_find(f.cache, FX_META);
	assert_ptr_equal(b, held);
	buf_put(b);
	buf_put(held);
}

static void test_reset(void **state)
{
	struct buf *b;

	assert_int_equal(read_as(0, &fx_type, &fx_ctx, &b), 0);
	assert_int_equal(bcache_reset(f.cache), -EBUSY);
	buf_put(b);
	assert_int_equal(bcache_reset(f.cache), 0);
	assert_null(buf_find(f.cache, FX_META));
	seal_home(0, 9);
	assert_int_equal(fx_get(&f, 0), 9);
}

/* IO-7: an image held by a reader does not come back for those who look later. */
static void test_IO_7_invalidate(void **state)
{
	struct buf *held;

	seal_home(0, 7);
	assert_int_equal(read_as(0, &fx_type, &fx_ctx, &held), 0);
	assert_int_equal(fx_get(&f, 1), 0);
	assert_int_equal(bcache_invalidate(f.cache, FX_META - 100, 1000), 0);
	assert_null(buf_find(f.cache, FX_META));
	assert_null(buf_find(f.cache, FX_META + 1));
	seal_home(0, 8);
	assert_int_equal(fx_value(held->data), 7);
	assert_int_equal(fx_get(&f, 0), 8);
	buf_put(held);
}

static void test_readahead(void **state)
{
	struct buf *b;
	u32 i;

	for (i = 0; i < 100; i++)
		seal_home(i, 1000 + i);
	buf_readahead(f.cache, FX_META, 100);
	os_workqueue_flush(f.cache->readahead);
	for (i = 0; i < 100; i++) {
		b = buf_find(f.cache, FX_META + i);
		assert_non_null(b);
		buf_put(b);
		assert_int_equal(fx_get(&f, i), 1000 + i);
	}
	buf_readahead(f.cache, FX_BLOCKS - 3, 100); /* clipped at the end */
	buf_readahead(f.cache, FX_BLOCKS + 3, 1);
}

/* A read error is returned, and the next reader tries again. */
static void test_read_error(void **state)
{
	struct buf *b;

	assert_int_equal(
		dev_fault_add(f.dev,
			&(struct dev_fault_rule){.ops = 1u << DEV_READ, .count = 1, .error = EIO}),
		0);
	assert_int_equal(read_as(0, &fx_type, &fx_ctx, &b), -EIO);
	assert_int_equal(read_as(0, &fx_type, &fx_ctx, &b), 0);
	buf_put(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_read_verifies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_HD_8_other_kind_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_HD_8_awaiting_checkpoint, setup_journal, teardown),
		cmocka_unit_test_setup_teardown(
			test_unsealed_data_is_judged_sealed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_IO_7_invalidate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_readahead, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_error, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
