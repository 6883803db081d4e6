/* Freed metadata: revoke, cancel, forget; seen through crash images. */
#include "crash.h"

#include "journal/txn_priv.h"

#include <stdlib.h>
#include <string.h>

static const struct fixture_options v3 = {.incompat = 0x12};

static void commit(struct fixture *f)
{
	assert_int_equal(journal_commit(f->j, journal_running_tid(f->j), NULL), 0);
}

/* One handle that frees block n. */
static void free_block(struct fixture *f, u32 n)
{
	struct handle h;
	struct buf *b;

	assert_int_equal(buf_read(f->cache, FX_META + n, &fx_type, &fx_ctx, &b), 0);
	assert_int_equal(handle_start(f->j, &h, 1, 1), 0);
	assert_int_equal(journal_forget(&h, f->cache, FX_META + n, b), 0);
	assert_int_equal(handle_stop(&h), 0);
}

static void create_block(struct fixture *f, u32 n, u64 value)
{
	struct handle h;
	struct buf *b;

	assert_int_equal(handle_start(f->j, &h, 1, 0), 0);
	assert_int_equal(buf_create(&h, f->cache, FX_META + n, &fx_type, &fx_ctx, &b), 0);
	fx_fill(b->data, b->pblk, value);
	assert_int_equal(buf_dirty(&h, b), 0);
	buf_put(b);
	assert_int_equal(handle_stop(&h), 0);
}

static void write_data(struct fixture *f, u32 n, const char *text)
{
	u8 block[FX_BLOCK_SIZE] = {0};

	bcache_invalidate(f->cache, FX_META + n, 1);
	strcpy((char *)block, text);
	assert_int_equal(dev_write(f->dev, (u64)(FX_META + n) * FX_BLOCK_SIZE, block, sizeof(block),
				 DEV_FUA),
		0);
}

static const char *home_text(struct fixture *f, u32 n)
{
	return (char *)dev_mem_data(f->mem) + (u64)(FX_META + n) * FX_BLOCK_SIZE;
}

/* Power cut now; then recovery. */
static void crash_and_recover(struct fixture *f)
{
	struct fixture old = *f;
	u8 *image = malloc((size_t)FX_BLOCKS * FX_BLOCK_SIZE);

	memcpy(image, dev_mem_data(f->mem), (size_t)FX_BLOCKS * FX_BLOCK_SIZE);
	fx_close(f);
	fx_format(f, &old.opt);
	memcpy(dev_mem_data(f->mem), image, (size_t)FX_BLOCKS * FX_BLOCK_SIZE);
	free(image);
	assert_int_equal(fx_attach(f, true), 0);
}

/* JB-15: replay must not overwrite what the block became. */
static void test_JB_15_freed_block_reused_as_data(void **state)
{
	struct fixture f;

	fx_open(&f, &v3);
	fx_op(&f, 0, 2, 1);
	commit(&f);
	free_block(&f, 0);
	commit(&f);
	write_data(&f, 0, "file data");
	crash_and_recover(&f);
	assert_string_equal(home_text(&f, 0), "file data");
	assert_int_equal(fx_home_value(&f, FX_META + 1), 1);
	fx_close(&f);
}

/* The same when the running process goes on: no late checkpoint write either (JB-19). */
static void test_JB_19_no_home_write_after_forget(void **state)
{
	struct fixture f;

	fx_open(&f, &v3);
	fx_op(&f, 0, 2, 1);
	commit(&f);
	free_block(&f, 0);
	commit(&f);
	write_data(&f, 0, "file data");
	assert_int_equal(journal_flush(f.j), 0);
	assert_string_equal(home_text(&f, 0), "file data");
	fx_close(&f);
}

/* JB-19: until the freeing transaction commits, the freed block's last state survives a crash. */
static void test_JB_19_freed_but_not_committed(void **state)
{
	struct fixture f;

	fx_open(&f, &v3);
	fx_op(&f, 0, 2, 1);
	commit(&f);
	fx_op(&f, 0, 1, 2);
	free_block(&f, 0);
	fx_checkpoint(&f); /* the old transaction leaves the log */
	crash_and_recover(&f);
	assert_int_equal(fx_get(&f, 0), 1);
	fx_close(&f);
}

/* JB-16: freed and logged again in one transaction: the revoke is cancelled. */
static void test_JB_16_cancel_in_same_transaction(void **state)
{
	struct fixture f;

	fx_open(&f, &v3);
	fx_op(&f, 0, 1, 1);
	commit(&f);
	free_block(&f, 0);
	create_block(&f, 0, 2);
	commit(&f);
	crash_and_recover(&f);
	assert_int_equal(fx_get(&f, 0), 2);
	fx_close(&f);
}

/* Freed, created and freed again in one transaction needs its revoke back. */
static void test_JB_16_cancelled_revoke_returns(void **state)
{
	struct fixture f;

	fx_open(&f, &v3);
	fx_op(&f, 0, 1, 1);
	commit(&f);
	free_block(&f, 0);
	create_block(&f, 0, 2);
	free_block(&f, 0);
	commit(&f);
	write_data(&f, 0, "file data");
	crash_and_recover(&f);
	assert_string_equal(home_text(&f, 0), "file data");
	fx_close(&f);
}

/* Also when the old copy is home already but its transaction has not left the log. */
static void test_JB_16_cancelled_revoke_of_a_checkpointed_block(void **state)
{
	struct fixture f;
	struct handle h;
	struct buf *b;
	bool drop;

	fx_open(&f, &v3);
	fx_op(&f, 0, 2, 1);
	commit(&f);
	b = buf_find(f.cache, FX_META);
	os_mutex_lock(&b->lock);
	drop = checkpoint_remove_locked(f.j, b);
	os_mutex_unlock(&b->lock);
	assert_true(drop);
	buf_put(b);
	buf_put(b);
	bcache_invalidate(f.cache, FX_META, 1);
	assert_int_equal(handle_start(f.j, &h, 1, 1), 0);
	assert_int_equal(journal_forget(&h, f.cache, FX_META, NULL), 0);
	assert_int_equal(handle_stop(&h), 0);
	create_block(&f, 0, 2);
	free_block(&f, 0);
	commit(&f);
	write_data(&f, 0, "file data");
	crash_and_recover(&f);
	assert_string_equal(home_text(&f, 0), "file data");
	fx_close(&f);
}

/* JB-17: freed in N, logged again in N+1: N's revoke stays, N+1's copy replays. */
static void test_JB_17_tables_switch(void **state)
{
	struct fixture f;

	fx_open(&f, &v3);
	fx_op(&f, 0, 1, 1);
	commit(&f);
	free_block(&f, 0);
	commit(&f);
	create_block(&f, 0, 3);
	commit(&f);
	crash_and_recover(&f);
	assert_int_equal(fx_get(&f, 0), 3);
	fx_close(&f);
}

/* Born and freed in one transaction: nothing logged, nothing revoked, nothing written. */
static void test_born_and_freed(void **state)
{
	struct journal_stats s;
	struct fixture f;

	fx_open(&f, &v3);
	create_block(&f, 0, 1);
	free_block(&f, 0);
	commit(&f);
	journal_stats(f.j, &s);
	assert_int_equal(s.blocks_logged, 0);
	assert_int_equal(s.revokes, 0);
	fx_close(&f);
}

static struct fixture *changes;

static void change_during_commit(const char *name, u64 a, u64 b)
{
	struct fixture *f = changes;

	if (!f || strcmp(name, "commit_log") != 0)
		return;
	changes = NULL;
	fx_op(f, 0, 1, 2);
}

/* JB-15: born in N, changed by N+1 while N commits, then freed there: N's copy needs the revoke. */
static void test_JB_15_born_in_the_transaction_before(void **state)
{
	struct fixture f;

	fx_open(&f, &v3);
	trace_hook = change_during_commit;
	create_block(&f, 0, 1);
	changes = &f;
	commit(&f);
	assert_null(changes);
	free_block(&f, 0);
	commit(&f);
	write_data(&f, 0, "file data");
	crash_and_recover(&f);
	assert_string_equal(home_text(&f, 0), "file data");
	fx_close(&f);
	trace_hook = NULL;
}

/* More revokes than one block holds, none lost. */
static void test_many_revokes(void **state)
{
	struct fixture f;
	u32 i, n = 300; /* 125 records of 8 bytes fit a block */

	fx_open(&f, &v3);
	fx_op(&f, 0, 150, 1);
	commit(&f);
	fx_op(&f, 150, 150, 1);
	commit(&f);
	for (i = 0; i < n; i++)
		free_block(&f, i);
	commit(&f);
	for (i = 0; i < n; i++)
		write_data(&f, i, "data");
	crash_and_recover(&f);
	for (i = 0; i < n; i++)
		assert_string_equal(home_text(&f, i), "data");
	fx_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_JB_15_freed_block_reused_as_data),
		cmocka_unit_test(test_JB_19_no_home_write_after_forget),
		cmocka_unit_test(test_JB_19_freed_but_not_committed),
		cmocka_unit_test(test_JB_16_cancel_in_same_transaction),
		cmocka_unit_test(test_JB_16_cancelled_revoke_returns),
		cmocka_unit_test(test_JB_16_cancelled_revoke_of_a_checkpointed_block),
		cmocka_unit_test(test_JB_17_tables_switch),
		cmocka_unit_test(test_born_and_freed),
		cmocka_unit_test(test_JB_15_born_in_the_transaction_before),
		cmocka_unit_test(test_many_revokes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
