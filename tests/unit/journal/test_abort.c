/* JB-38, JB-39: every k-th write fails: nothing acknowledged is lost, nothing hangs. */
#include "journal_fixture.h"

#include "journal/journal_priv.h"

#include <string.h>

#define OPS 40
#define BLOCKS 12

static const struct fixture_options opt = {.ring = 48, .incompat = 0x12};

static void recovered(struct fixture *f, u32 acked, u32 issued)
{
	u64 value = 0;
	u32 i;

	dev_fault_clear(f->dev);
	assert_int_equal(fx_attach(f, false), 0);
	if (journal_is_dirty(f->j))
		assert_int_equal(journal_recover(f->j, f->dev, true), 0);
	/* Each operation writes all blocks: they agree, and on nothing older than what was
	 * acknowledged. */
	for (i = 0; i < BLOCKS / 2; i++) {
		value = fx_home_value(f, FX_META + i);
		assert_int_equal(value, fx_home_value(f, FX_META));
	}
	assert_true(value >= acked && value <= issued);
}

static int try_op(struct fixture *f, u32 value)
{
	struct handle h;
	struct buf *b;
	u32 i;
	int err = handle_start(f->j, &h, BLOCKS / 2 + 1, 0);

	if (err)
		return err;
	for (i = 0; i < BLOCKS / 2 && !err; i++) {
		err = buf_read(f->cache, FX_META + i, &fx_type, &fx_ctx, &b);
		if (err)
			break;
		err = buf_write_access(&h, b);
		if (!err) {
			fx_fill(b->data, b->pblk, value);
			err = buf_dirty(&h, b);
		}
		buf_put(b);
	}
	h.sync = true;
	i = (u32)handle_stop(&h);
	return err ? err : (int)i;
}

/* True if the fault struck. */
static bool run(u64 after, unsigned op_mask)
{
	struct fixture f;
	u32 i, acked = 0, issued = 0;
	bool hit;

	fx_open(&f, &opt);
	assert_int_equal(dev_fault_add(f.dev,
				 &(struct dev_fault_rule){
					 .ops = op_mask, .after = after, .count = 1, .error = EIO}),
		0);
	for (i = 1; i <= OPS; i++) {
		int err;

		issued = i;
		err = try_op(&f, i);
		if (!err)
			acked = i;
		else
			assert_true(journal_aborted(f.j));
		if (journal_aborted(f.j))
			assert_int_equal(try_op(&f, i), -EROFS);
	}
	if (fx_detach(&f) == 0)
		assert_int_equal(acked, issued);
	else
		assert_int_equal(f.aborts, 1);
	hit = dev_fault_hits(f.dev) > 0;
	recovered(&f, acked, issued);
	fx_close(&f);
	return hit;
}

static void test_JB_38_every_write(void **state)
{
	u64 after;

	for (after = 0; run(after, 1u << DEV_WRITE); after++)
		;
	assert_true(after > 2 * OPS);
}

static void test_JB_39_every_flush(void **state)
{
	u64 after;

	for (after = 0; run(after, 1u << DEV_FLUSH); after++)
		;
	assert_true(after > 0);
}

/* JB-38: the reason is stored in the journal superblock for the next mount. */
static void test_JB_38_errno_is_stored(void **state)
{
	struct fixture f;

	fx_open(&f, &opt);
	fx_op(&f, 0, 1, 1);
	journal_abort(f.j, -EIO);
	assert_int_equal(journal_commit_all(f.j, NULL), -EIO);
	assert_int_equal(fx_detach(&f), -EIO);
	assert_int_equal((s32)fx_be32(fx_log_block(&f, 0), 0x20), -EIO);
	assert_int_equal(fx_attach(&f, false), 0);
	assert_int_equal(journal_stored_errno(f.j), -EIO);
	fx_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_JB_38_every_write),
		cmocka_unit_test(test_JB_39_every_flush),
		cmocka_unit_test(test_JB_38_errno_is_stored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
