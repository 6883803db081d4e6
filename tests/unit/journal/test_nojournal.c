/* JB-43: the same calls without a journal. */
#include "journal_fixture.h"

#include "base/util.h"
#include "journal/txn_priv.h"

#include <string.h>

static const struct fixture_options none = {.no_journal = true};

static void test_dirty_goes_home_on_sync(void **state)
{
	struct fixture f;
	u32 i;

	fx_open(&f, &none);
	assert_false(journal_exists(f.j));
	assert_int_equal(fx_op(&f, 0, 300, 5), 0);
	assert_int_equal(fx_home_value(&f, FX_META), 0);
	assert_int_equal(journal_write_dirty(f.j), 0);
	for (i = 0; i < 300; i++)
		assert_int_equal(fx_home_value(&f, FX_META + i), 5);
	assert_int_equal(f.j->dirty_count, 0);
	fx_close(&f);
}

static void test_write_one(void **state)
{
	const struct dev_record_entry *e;
	struct fixture f;
	struct buf *b;

	fx_open(&f, &none);
	fx_op(&f, 0, 2, 5);
	b = buf_find(f.cache, FX_META);
	dev_record_clear(f.rec);
	assert_int_equal(journal_write_buf(f.j, b), 0);
	assert_int_equal(fx_home_value(&f, FX_META), 5);
	assert_int_equal(fx_home_value(&f, FX_META + 1), 0);
	assert_int_equal(journal_write_buf(f.j, b), 0); /* clean now: nothing to write */
	assert_int_equal(dev_record_entries(f.rec, &e), 2);
	buf_put(b);
	fx_close(&f);
}

/* A freed dirty block never goes home, whoever owns it by then. */
static void test_JB_43_forget(void **state)
{
	struct fixture f;
	struct handle h;
	u8 block[FX_BLOCK_SIZE] = "file data";

	fx_open(&f, &none);
	fx_op(&f, 0, 2, 5);
	assert_int_equal(handle_start(f.j, &h, 1, 1), 0);
	assert_int_equal(journal_forget(&h, f.cache, FX_META, NULL), 0);
	assert_int_equal(handle_stop(&h), 0);
	bcache_invalidate(f.cache, FX_META, 1);
	assert_int_equal(
		dev_write(f.dev, (u64)FX_META * FX_BLOCK_SIZE, block, sizeof(block), 0), 0);
	assert_int_equal(journal_write_dirty(f.j), 0);
	assert_string_equal(
		(char *)dev_mem_data(f.mem) + (u64)FX_META * FX_BLOCK_SIZE, "file data");
	assert_int_equal(fx_home_value(&f, FX_META + 1), 5);
	fx_close(&f);
}

static int runs;

static void count(struct commit_callback *cb, int err)
{
	runs += err == 0;
}

static void test_callbacks_run_at_stop(void **state)
{
	struct commit_callback cb = {.fn = count};
	struct fixture f;
	struct handle h;

	fx_open(&f, &none);
	runs = 0;
	assert_int_equal(handle_start(f.j, &h, 1, 1), 0);
	handle_on_commit(&h, &cb);
	assert_int_equal(runs, 0);
	assert_int_equal(handle_stop(&h), 0);
	assert_int_equal(runs, 1);
	fx_close(&f);
}

/* A failed write keeps the buffer dirty: the next attempt brings it home. */
static void test_failed_write_is_tried_again(void **state)
{
	struct fixture f;

	fx_open(&f, &none);
	fx_op(&f, 0, 3, 5);
	assert_int_equal(
		dev_fault_add(f.dev,
			&(struct dev_fault_rule){.ops = 1u << DEV_WRITE, .count = 1, .error = EIO}),
		0);
	assert_int_equal(journal_write_dirty(f.j), -EIO);
	assert_int_equal(f.j->dirty_count, 3);
	assert_int_equal(journal_write_dirty(f.j), 0);
	assert_int_equal(fx_home_value(&f, FX_META + 2), 5);
	fx_close(&f);
}

/* Sync handles write before they return. */
static void test_sync_handle(void **state)
{
	struct fixture f;
	struct handle h;

	fx_open(&f, &none);
	assert_int_equal(handle_start(f.j, &h, 1, 0), 0);
	fx_set(&f, &h, 0, 8);
	h.sync = true;
	assert_int_equal(handle_stop(&h), 0);
	assert_int_equal(fx_home_value(&f, FX_META), 8);
	fx_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dirty_goes_home_on_sync),
		cmocka_unit_test(test_write_one),
		cmocka_unit_test(test_JB_43_forget),
		cmocka_unit_test(test_callbacks_run_at_stop),
		cmocka_unit_test(test_failed_write_is_tried_again),
		cmocka_unit_test(test_sync_handle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
