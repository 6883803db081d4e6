/* Credits, extend, restart, reserved handles, ordered data. */
#include "journal_fixture.h"

#include "base/util.h"
#include "journal/txn_priv.h"

#include <string.h>

static const struct fixture_options v3 = {.incompat = 0x12};

/* JB-3: a handle larger than a transaction may be is refused at once. */
static void test_JB_3_too_large(void **state)
{
	struct fixture f;
	struct handle h;

	fx_open(&f, &v3);
	assert_int_equal(handle_start(f.j, &h, 1024, 0), -ENOSPC);
	assert_int_equal(handle_start(f.j, &h, f.j->max_credits + 1, 0), -ENOSPC);
	assert_int_equal(handle_start(f.j, &h, f.j->max_credits, 1), -ENOSPC);
	assert_int_equal(handle_start(f.j, &h, f.j->max_credits, 0), 0);
	assert_int_equal(handle_stop(&h), 0);
	fx_close(&f);
}

/* Unused credits return; dirtying twice costs one; forgetting gives one back. */
static void test_credits(void **state)
{
	struct fixture f;
	struct handle h;
	struct buf *b;

	fx_open(&f, &v3);
	assert_int_equal(handle_start(f.j, &h, 5, 3), 0);
	fx_set(&f, &h, 0, 1);
	fx_set(&f, &h, 0, 2);
	fx_set(&f, &h, 1, 2);
	assert_int_equal(h.credits, 3);
	assert_int_equal(buf_read(f.cache, FX_META, &fx_type, &fx_ctx, &b), 0);
	assert_int_equal(journal_forget(&h, f.cache, FX_META, b), 0);
	assert_int_equal(h.credits, 4);
	assert_int_equal(h.revoke_credits, 2);
	assert_int_equal(handle_stop(&h), 0);
	assert_int_equal(f.j->running->credits, 1);
	assert_int_equal(f.j->running->revokes, 1);
	assert_int_equal(f.j->running->open, 0);
	fx_close(&f);
}

/* JB-5: grows while it fits; else the caller restarts, in a later transaction. */
static void test_JB_5_extend_and_restart(void **state)
{
	struct fixture f;
	struct handle h;
	tid_nr tid;
	u32 max;

	fx_open(&f, &v3);
	max = f.j->max_credits;
	assert_int_equal(handle_start(f.j, &h, max - 5, 0), 0);
	tid = handle_tid(&h);
	assert_int_equal(handle_extend(&h, 5, 0), 0);
	assert_int_equal(handle_extend(&h, 1, 0), 1);
	assert_int_equal(handle_ensure(&h, max, 0), 0);
	fx_set(&f, &h, 0, 1);
	assert_int_equal(handle_ensure(&h, max, 0), 1);
	assert_int_equal(handle_restart(&h, max, 0), 0);
	assert_int_equal(h.credits, max);
	assert_int_not_equal(handle_tid(&h), tid);
	fx_set(&f, &h, 0, 2);
	assert_int_equal(handle_restart(&h, max + 1, 0), -ENOSPC);
	assert_int_equal(handle_stop(&h), 0);
	fx_close(&f);
}

/* A restart that fails leaves a handle that can be stopped, and says so. */
static void test_restart_after_abort(void **state)
{
	struct fixture f;
	struct handle h;
	struct buf *b;

	fx_open(&f, &v3);
	assert_int_equal(handle_start(f.j, &h, 5, 0), 0);
	assert_int_equal(buf_read(f.cache, FX_META, &fx_type, &fx_ctx, &b), 0);
	journal_abort(f.j, -EIO);
	assert_int_equal(buf_write_access(&h, b), -EROFS);
	assert_int_equal(handle_extend(&h, 1, 0), -EROFS);
	assert_int_equal(handle_restart(&h, 5, 0), -EROFS);
	assert_int_equal(handle_stop(&h), -EROFS);
	assert_int_equal(handle_start(f.j, &h, 1, 0), -EROFS);
	buf_put(b);
	assert_int_equal(f.aborts, 1);
	assert_int_equal(f.aborted, -EIO);
	fx_close(&f);
}

/* JB-6: while a commit waits for an open handle, a reserved one still joins. */
static int locked_seen;

static void seen_locked(const char *name, u64 a, u64 b)
{
	if (strcmp(name, "txn_state") == 0 && b == TXN_LOCKED)
		__atomic_store_n(&locked_seen, 1, __ATOMIC_SEQ_CST);
}

static void test_JB_6_reserved_joins_locked(void **state)
{
	struct fixture f;
	struct handle h, r;

	locked_seen = 0;
	trace_hook = seen_locked;
	fx_open(&f, &v3);
	assert_int_equal(handle_start(f.j, &h, 5, 0), 0);
	journal_commit_start(f.j, handle_tid(&h));
	while (!__atomic_load_n(&locked_seen, __ATOMIC_SEQ_CST))
		os_yield();
	os_rank_leave(RANK_HANDLE, &h); /* both handles on one thread, against the checker's rule */
	assert_int_equal(handle_start_reserved(f.j, &r, 3), 0);
	assert_int_equal(handle_tid(&r), handle_tid(&h));
	fx_set(&f, &r, 3, 3);
	assert_int_equal(handle_stop(&r), 0);
	os_rank_enter(RANK_HANDLE, &h, "handle");
	h.sync = true;
	assert_int_equal(handle_stop(&h), 0);
	fx_close(&f);
	trace_hook = NULL;
}

struct ordered {
	struct ordered_inode oi;
	struct fixture *f;
	u64 start, end;
	int calls, result;
	bool before_record, add_more;
};

static int write_range(struct ordered_inode *oi, u64 start, u64 end)
{
	struct ordered *o = container_of(oi, struct ordered, oi);
	u8 block[FX_BLOCK_SIZE] = "ordered";
	struct handle h;

	o->calls++;
	o->start = start;
	o->end = end;
	if (o->add_more) { /* the running transaction maps more of the same file */
		o->add_more = false;
		assert_int_equal(handle_start(o->f->j, &h, 1, 0), 0);
		assert_int_equal(journal_order_data(&h, oi, 100, 200), 0);
		fx_set(o->f, &h, 9, 9);
		assert_int_equal(handle_stop(&h), 0);
	}
	if (o->result)
		return o->result;
	return dev_write(o->f->dev, (u64)(FX_META + 500) * FX_BLOCK_SIZE, block, sizeof(block), 0);
}

static void order(struct ordered *o, u64 start, u64 end)
{
	struct handle h;

	assert_int_equal(handle_start(o->f->j, &h, 1, 0), 0);
	assert_int_equal(journal_order_data(&h, &o->oi, start, end), 0);
	fx_set(o->f, &h, 0, start + 1);
	assert_int_equal(handle_stop(&h), 0);
}

/* JB-20: data before the record; ranges merge; the next transaction's range is kept apart. */
static void test_JB_20_ordered_data(void **state)
{
	const struct dev_record_entry *e;
	struct fixture f;
	struct ordered o = {.f = &f, .add_more = true};
	size_t n, i, data = 0, record = 0;

	fx_open(&f, &v3);
	ordered_inode_init(&o.oi, write_range);
	order(&o, 1000, 2000);
	order(&o, 500, 1500);
	assert_true(journal_data_committing(f.j, &o.oi));
	dev_record_clear(f.rec);
	assert_int_equal(journal_commit(f.j, journal_running_tid(f.j), NULL), 0);
	assert_int_equal(o.start, 500);
	assert_int_equal(o.end, 2000);
	n = dev_record_entries(f.rec, &e);
	for (i = 0; i < n; i++) {
		if (e[i].kind == DEV_REC_WRITE &&
			e[i].offset == (u64)(FX_META + 500) * FX_BLOCK_SIZE)
			data = i + 1;
		if (e[i].kind == DEV_REC_WRITE && fx_be32(e[i].data, 4) == 2)
			record = i + 1;
	}
	assert_true(data && record && data < record);
	assert_true(journal_data_committing(f.j, &o.oi));
	assert_int_equal(journal_commit_all(f.j, NULL), 0);
	assert_int_equal(o.calls, 2);
	assert_int_equal(o.start, 100);
	assert_int_equal(o.end, 200);
	assert_false(journal_data_committing(f.j, &o.oi));
	order(&o, 1, 2);
	journal_release_inode(f.j, &o.oi);
	assert_int_equal(journal_commit_all(f.j, NULL), 0);
	assert_int_equal(o.calls, 2);
	fx_close(&f);
}

/* JB-21: a data error does not stop the commit, unless data_err=abort. */
static void test_JB_21_data_error(void **state)
{
	struct fixture f;
	struct ordered o = {.f = &f, .result = -EIO};

	fx_open(&f, &v3);
	ordered_inode_init(&o.oi, write_range);
	order(&o, 0, 10);
	assert_int_equal(journal_commit_all(f.j, NULL), 0);
	assert_int_equal(f.aborts, 0);
	f.j->p.data_err_abort = true;
	order(&o, 0, 10);
	assert_int_equal(journal_commit_all(f.j, NULL), -EIO);
	assert_int_equal(fx_detach(&f), -EIO);
	assert_int_equal(f.aborts, 1);
	fx_close(&f);
}

/* JB-30, JB-31: sequence numbers cross 2^32; tids never become 0. */
static void test_JB_30_sequence_wrap(void **state)
{
	struct fixture f;
	u32 i;

	fx_open(&f, &(struct fixture_options){.incompat = 0x12, .sequence = 0xfffffff0});
	f.j->next_seq = 0xfffffffe;
	f.j->next_tid = 0xfffffffe;
	f.j->committed_tid = 0xfffffffd;
	for (i = 0; i < 6; i++) {
		tid_nr tid = fx_op(&f, 0, 2, i + 1);

		assert_int_not_equal(tid, 0);
		assert_int_equal(journal_commit(f.j, tid, NULL), 0);
	}
	assert_int_equal(f.j->next_seq, 4);
	assert_int_equal(fx_be32(fx_log_block(&f, 0), 0x18), 0xfffffffe);
	assert_int_equal(fx_detach(&f), 0);
	assert_int_equal(fx_be32(fx_log_block(&f, 0), 0x18), 5); /* last committed + 2 */
	assert_int_equal(fx_be32(fx_log_block(&f, 0), 0x1c), 0);
	assert_int_equal(fx_attach(&f, true), 0);
	assert_int_equal(fx_get(&f, 0), 6);
	fx_close(&f);
}

static struct fixture *stopping; /* atomic: several threads come through the hook */

static void start_while_stopping(const char *name, u64 a, u64 b)
{
	struct fixture *f;
	struct handle h;

	if (strcmp(name, "checkpoint_written") != 0)
		return;
	f = __atomic_exchange_n(&stopping, NULL, __ATOMIC_SEQ_CST);
	if (!f)
		return;
	assert_int_equal(handle_start(f->j, &h, 1, 0), -EROFS);
}

/* MD-11: a handle that comes while the journal stops would miss the last flush; and it can run
 * again. */
static void test_MD_11_no_handle_while_stopping(void **state)
{
	struct fixture f;

	fx_open(&f, &(struct fixture_options){.incompat = 0x12});
	fx_op(&f, 0, 1, 1);
	__atomic_store_n(&stopping, &f, __ATOMIC_SEQ_CST);
	trace_hook = start_while_stopping;
	assert_int_equal(journal_stop(f.j), 0);
	assert_null(stopping);
	trace_hook = NULL;
	assert_int_equal(fx_home_value(&f, FX_META), 1);
	assert_int_equal(journal_run(f.j), 0);
	fx_op(&f, 0, 1, 2);
	fx_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_JB_3_too_large),
		cmocka_unit_test(test_credits),
		cmocka_unit_test(test_JB_5_extend_and_restart),
		cmocka_unit_test(test_restart_after_abort),
		cmocka_unit_test(test_JB_6_reserved_joins_locked),
		cmocka_unit_test(test_JB_20_ordered_data),
		cmocka_unit_test(test_JB_21_data_error),
		cmocka_unit_test(test_JB_30_sequence_wrap),
		cmocka_unit_test(test_MD_11_no_handle_while_stopping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
