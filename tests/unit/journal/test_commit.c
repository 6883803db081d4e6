/* What a commit writes, and in which order. */
#include "journal_fixture.h"

#include "base/crc.h"
#include "base/util.h"
#include "journal/journal_priv.h"
#include "os/thread.h"

#include <string.h>

#define MAGIC 0xc03b3998u

static const struct fixture_options v3 = {.incompat = 0x12};

static size_t stream(struct fixture *f, const struct dev_record_entry **e)
{
	return dev_record_entries(f->rec, e);
}

static bool in_log(const struct fixture *f, u64 offset)
{
	pblk_t pblk = offset / FX_BLOCK_SIZE;

	return pblk >= FX_LOG_PBLK && pblk < FX_LOG_PBLK + FX_LOG_BLOCKS;
}

static bool is_block(const struct dev_record_entry *e, u32 type)
{
	return e->data && fx_be32(e->data, 0) == MAGIC && fx_be32(e->data, 4) == type;
}

static void commit(struct fixture *f, tid_nr tid)
{
	assert_int_equal(journal_commit(f->j, tid, NULL), 0);
}

/* First commit: log data, all complete, journal superblock FUA, then the record with flush and FUA.
 */
static void test_JB_22_order_of_a_commit(void **state)
{
	const struct dev_record_entry *e;
	struct fixture f;
	size_t n, i, record = 0, super = 0, last_log = 0;

	fx_open(&f, &v3);
	dev_record_clear(f.rec);
	commit(&f, fx_op(&f, 0, 5, 1));
	n = stream(&f, &e);
	for (i = 0; i < n; i++) {
		if (e[i].kind != DEV_REC_WRITE)
			continue;
		assert_true(in_log(&f, e[i].offset)); /* JB-11: nothing went home */
		if (is_block(&e[i], 2)) {
			assert_int_equal(record, 0);
			assert_int_equal(e[i].flags, DEV_PREFLUSH | DEV_FUA);
			record = i;
		} else if (is_block(&e[i], 4)) {
			assert_true(e[i].flags & DEV_FUA);
			super = i;
		} else {
			last_log = i;
		}
	}
	assert_true(record && super && last_log);
	assert_true(last_log < record && super < record); /* JB-32 */
	assert_int_equal(record, n - 1);
	fx_close(&f);
}

/* JB-11, JB-27: a home write follows its durable commit; the tail follows a flush of the home
 * writes. JB-28: none of them comes between that flush and the tail that counts on it. */
static void test_JB_27_checkpoint_order(void **state)
{
	const struct dev_record_entry *e;
	bool home = false, flushed = false, super = false;
	struct fixture f;
	size_t n, i;

	fx_open(&f, &v3);
	commit(&f, fx_op(&f, 0, 5, 1));
	dev_record_clear(f.rec);
	assert_int_equal(journal_flush(f.j), 0);
	n = stream(&f, &e);
	for (i = 0; i < n; i++) {
		if (e[i].kind == DEV_REC_FLUSH && home)
			flushed = true;
		if (e[i].kind != DEV_REC_WRITE)
			continue;
		if (!in_log(&f, e[i].offset)) {
			assert_false(flushed);
			home = true;
		} else {
			assert_true(is_block(&e[i], 4) && (e[i].flags & DEV_FUA));
			assert_true(home && flushed);
			super = true;
		}
	}
	assert_true(super);
	for (i = 0; i < 5; i++)
		assert_int_equal(fx_home_value(&f, FX_META + i), 1);
	assert_int_equal(fx_be32(fx_log_block(&f, 0), 0x1c), 0); /* start */
	fx_close(&f);
}

/* JB-7: the running transaction changes a block after lock-down, before the commit copied it. */
struct gate {
	struct fixture *f;
	struct handle h;
	bool done;
};
static struct gate *gate;

static void change_during_commit(const char *name, u64 a, u64 b)
{
	if (!gate || gate->done || strcmp(name, "commit_log") != 0)
		return;
	gate->done = true;
	fx_op(gate->f, 0, 2, 2);
}

static void check_logged(struct fixture *f, u32 log_block, u64 value)
{
	assert_int_equal(fx_value(fx_log_block(f, log_block)), value);
}

static void test_JB_7_frozen_copy_is_logged(void **state)
{
	struct fixture f;
	struct gate g = {.f = &f};
	tid_nr tid;

	gate = &g;
	trace_hook = change_during_commit;
	fx_open(&f, &v3);
	tid = fx_op(&f, 0, 3, 1);
	commit(&f, tid);
	assert_true(g.done);
	check_logged(&f, 2, 1); /* 1 is the descriptor */
	check_logged(&f, 3, 1);
	check_logged(&f, 4, 1);
	assert_int_equal(fx_get(&f, 0), 2);
	commit(&f, journal_running_tid(f.j));
	check_logged(&f, 7, 2);
	assert_int_equal(journal_flush(f.j), 0);
	assert_int_equal(fx_home_value(&f, FX_META), 2);
	assert_int_equal(fx_home_value(&f, FX_META + 2), 1);
	fx_close(&f);
	trace_hook = NULL;
	gate = NULL;
}

/* JB-7 without memory for the copy: the writer waits until the commit has the block. */
static int freeze_failed, at_log;

static bool fail_freeze(const char *name)
{
	if (strcmp(name, "buf_freeze") != 0)
		return false;
	__atomic_store_n(&freeze_failed, 1, __ATOMIC_SEQ_CST);
	return true;
}

static void wait_for_failed_freeze(const char *name, u64 a, u64 b)
{
	if (strcmp(name, "commit_log") != 0 || __atomic_load_n(&at_log, __ATOMIC_SEQ_CST))
		return;
	__atomic_store_n(&at_log, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&freeze_failed, __ATOMIC_SEQ_CST))
		os_yield();
}

static void test_JB_7_no_memory_to_freeze(void **state)
{
	struct fixture f;
	tid_nr tid;

	freeze_failed = at_log = 0;
	fault_hook = fail_freeze;
	trace_hook = wait_for_failed_freeze;
	fx_open(&f, &v3);
	tid = fx_op(&f, 0, 2, 1);
	journal_commit_start(f.j, tid);
	while (!__atomic_load_n(&at_log, __ATOMIC_SEQ_CST))
		os_yield();
	fx_op(&f, 0, 2, 2);
	assert_int_equal(journal_commit_wait(f.j, tid), 0);
	check_logged(&f, 2, 1);
	check_logged(&f, 3, 1);
	assert_int_equal(fx_get(&f, 0), 2);
	assert_int_equal(fx_detach(&f), 0);
	fault_hook = NULL;
	trace_hook = NULL;
	assert_int_equal(fx_home_value(&f, FX_META), 2);
	fx_close(&f);
}

/* JB-26: checkpoint writes the committed copy of a block that the running transaction holds. */
static void test_JB_26_hot_block_goes_home_as_committed(void **state)
{
	struct fixture f;

	fx_open(&f, &v3);
	commit(&f, fx_op(&f, 0, 3, 1));
	fx_op(&f, 1, 1, 2);
	fx_checkpoint(&f);
	assert_int_equal(fx_home_value(&f, FX_META), 1);
	assert_int_equal(fx_home_value(&f, FX_META + 1), 1);
	assert_int_equal(fx_get(&f, 1), 2);
	assert_int_equal(journal_flush(f.j), 0);
	assert_int_equal(fx_home_value(&f, FX_META + 1), 2);
	fx_close(&f);
}

/* JB-13: 61 tags fit a 1 KiB v3 descriptor; first tag without, others with same_uuid; last flagged.
 */
static void check_descriptor(struct fixture *f, u32 log_block, u32 tags)
{
	const u8 *d = fx_log_block(f, log_block);
	u32 i, at = 12;

	assert_int_equal(fx_be32(d, 4), 1);
	for (i = 0; i < tags; i++) {
		u32 flags = fx_be32(d, at + 4);
		const u8 *data = fx_log_block(f, log_block + 1 + i);
		u8 seq[4];
		u32 seed = crc32c(~0u, "0123456789abcdef", 16);

		assert_int_equal(!!(flags & 2), i != 0);
		assert_int_equal(!!(flags & 8), i + 1 == tags);
		memcpy(seq, d + 8, 4);
		assert_int_equal(
			fx_be32(d, at + 12), crc32c(crc32c(seed, seq, 4), data, FX_BLOCK_SIZE));
		at += i ? 16 : 32;
	}
}

static void test_JB_13_descriptor_limits(void **state)
{
	static const u32 counts[] = {1, 60, 61, 62, 123};
	u32 i, log_block;

	for (i = 0; i < array_len(counts); i++) {
		u32 n = counts[i], done;
		struct fixture f;

		fx_open(&f, &v3);
		commit(&f, fx_op(&f, 0, n, 9));
		log_block = 1;
		for (done = 0; done < n;) {
			u32 part = min_of(61u, n - done);

			check_descriptor(&f, log_block, part);
			log_block += part + 1;
			done += part;
		}
		assert_int_equal(fx_be32(fx_log_block(&f, log_block), 4), 2);
		fx_close(&f);
	}
}

/* JB-12: a block that begins with the magic is logged with zeros and its flag; home keeps it. */
static void test_JB_12_escape(void **state)
{
	struct fixture f;
	struct handle h;
	struct buf *b;
	u32 be;

	fx_open(&f, &v3);
	assert_int_equal(handle_start(f.j, &h, 1, 0), 0);
	assert_int_equal(buf_read(f.cache, FX_META, &fx_type, &fx_ctx, &b), 0);
	assert_int_equal(buf_write_access(&h, b), 0);
	fx_put_be32(b->data, 0, MAGIC);
	fx_put_be32(b->data, 4, 2);
	assert_int_equal(buf_dirty(&h, b), 0);
	assert_int_equal(handle_stop(&h), 0);
	commit(&f, journal_running_tid(f.j));
	assert_int_equal(fx_be32(fx_log_block(&f, 2), 0), 0);
	assert_int_equal(fx_be32(fx_log_block(&f, 2), 4), 2);
	assert_int_equal(fx_be32(fx_log_block(&f, 1), 12 + 4) & 1, 1);
	check_descriptor(&f, 1, 1);
	/* Read back from the log while the block is hot (JB-26), it is whole again. */
	assert_int_equal(handle_start(f.j, &h, 1, 0), 0);
	assert_int_equal(buf_write_access(&h, b), 0);
	assert_int_equal(handle_stop(&h), 0);
	buf_put(b);
	fx_checkpoint(&f);
	be = fx_be32((u8 *)dev_mem_data(f.mem) + (u64)FX_META * FX_BLOCK_SIZE, 0);
	assert_int_equal(be, MAGIC);
	fx_close(&f);
}

/* JB-8: every copy in the log carries its own valid checksum; checked by the descriptor test's
 * data. */
static void test_JB_8_logged_copy_is_sealed(void **state)
{
	const char *why = NULL;
	struct fixture f;

	fx_open(&f, &v3);
	commit(&f, fx_op(&f, 0, 1, 5));
	assert_int_equal(fx_type.verify(&f.sb, fx_log_block(&f, 2), FX_META, &fx_ctx, &why), 0);
	fx_close(&f);
}

/* JB-14: a transaction without changes costs no log write and no sequence number. */
static void test_JB_14_empty_transaction(void **state)
{
	const struct dev_record_entry *e;
	struct fixture f;
	struct handle h;
	bool flushed = true;
	tid_nr tid;

	fx_open(&f, &v3);
	dev_record_clear(f.rec);
	assert_int_equal(handle_start(f.j, &h, 3, 0), 0);
	tid = handle_tid(&h);
	assert_int_equal(handle_stop(&h), 0);
	assert_int_equal(journal_commit(f.j, tid, &flushed), 0);
	assert_false(flushed);
	assert_int_equal(stream(&f, &e), 0);
	commit(&f, fx_op(&f, 0, 1, 5));
	assert_int_equal(fx_be32(fx_log_block(&f, 1), 8), f.opt.sequence + 1);
	fx_close(&f);
}

struct cb {
	struct commit_callback cb;
	struct fixture *f;
	int err;
	int runs;
	bool durable;
};

static void on_commit(struct commit_callback *c, int err)
{
	struct cb *cb = container_of(c, struct cb, cb);
	const struct dev_record_entry *e;
	size_t n = stream(cb->f, &e), i;

	cb->err = err;
	cb->runs++;
	for (i = 0; i < n; i++)
		if (e[i].kind == DEV_REC_WRITE && is_block(&e[i], 2))
			cb->durable = true;
}

/* AL-4: callbacks run once, after the record is durable; with an error after an abort. */
static void test_AL_4_callbacks(void **state)
{
	struct fixture f;
	struct cb cb = {.cb.fn = on_commit, .f = &f};
	struct handle h;

	fx_open(&f, &v3);
	dev_record_clear(f.rec);
	assert_int_equal(handle_start(f.j, &h, 1, 0), 0);
	fx_set(&f, &h, 0, 1);
	handle_on_commit(&h, &cb.cb);
	assert_int_equal(handle_stop(&h), 0);
	assert_int_equal(cb.runs, 0);
	commit(&f, journal_running_tid(f.j));
	assert_int_equal(cb.runs, 1);
	assert_int_equal(cb.err, 0);
	assert_true(cb.durable);
	assert_int_equal(handle_start(f.j, &h, 1, 0), 0);
	fx_set(&f, &h, 0, 2);
	handle_on_commit(&h, &cb.cb);
	assert_int_equal(handle_stop(&h), 0);
	journal_abort(f.j, -EIO);
	assert_int_equal(fx_detach(&f), -EIO);
	assert_int_equal(cb.runs, 2);
	assert_true(cb.err < 0);
	fx_close(&f);
}

/* JB-25, IO-88: flushed is true only for a commit whose flush came after the call. */
static void test_JB_25_flushed(void **state)
{
	struct fixture f;
	bool flushed;
	tid_nr tid;

	fx_open(&f, &v3);
	tid = fx_op(&f, 0, 1, 1);
	assert_int_equal(journal_commit(f.j, tid, &flushed), 0);
	assert_true(flushed);
	assert_int_equal(journal_commit(f.j, tid, &flushed), 0);
	assert_false(flushed);
	fx_close(&f);
}

static struct sync_call {
	struct fixture *f;
	struct os_thread *thread;
	tid_nr tid;
	bool flushed;
} * sync_call;

static void sync_main(void *arg)
{
	struct sync_call *c = arg;

	assert_int_equal(journal_commit(c->f->j, c->tid, &c->flushed), 0);
}

/* A commit's flush is over, but the commit not yet: now somebody syncs a transaction without
 * changes. */
static void sync_behind_flush(const char *name, u64 a, u64 b)
{
	struct sync_call *c = sync_call;
	struct journal *j;
	struct handle h;
	bool asked = false;

	if (!c || strcmp(name, "commit_durable") != 0)
		return;
	sync_call = NULL;
	j = c->f->j;
	assert_int_equal(handle_start(j, &h, 1, 0), 0);
	c->tid = handle_tid(&h);
	assert_int_equal(handle_stop(&h), 0);
	assert_int_equal(os_thread_create(&c->thread, "sync", sync_main, c), 0);
	while (!asked) {
		os_mutex_lock(&j->lock);
		asked = j->request_tid == c->tid;
		os_mutex_unlock(&j->lock);
		os_yield();
	}
}

/* IO-88: what was written after that flush began still needs one. */
static void test_JB_25_flush_of_an_older_commit(void **state)
{
	struct fixture f;
	struct sync_call c = {.f = &f};

	trace_hook = sync_behind_flush;
	fx_open(&f, &v3);
	sync_call = &c;
	commit(&f, fx_op(&f, 0, 1, 1));
	os_thread_join(c.thread);
	assert_false(c.flushed);
	fx_close(&f);
	trace_hook = NULL;
}

/* JB-23: with an external journal the fs device is flushed between the data and the record. */
static void test_JB_23_external(void **state)
{
	const struct dev_record_entry *e;
	struct fixture f;
	size_t n, i, flushes = 0;

	fx_open(&f, &(struct fixture_options){.incompat = 0x12, .external = true});
	dev_record_clear(f.rec);
	commit(&f, fx_op(&f, 0, 1, 1));
	n = stream(&f, &e);
	for (i = 0; i < n; i++)
		flushes += e[i].kind == DEV_REC_FLUSH;
	assert_int_equal(flushes, 1);
	dev_record_clear(f.rec);
	assert_int_equal(journal_flush(f.j), 0);
	n = stream(&f, &e);
	assert_true(n > 0 && e[n - 1].kind == DEV_REC_FLUSH);
	fx_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_JB_22_order_of_a_commit),
		cmocka_unit_test(test_JB_27_checkpoint_order),
		cmocka_unit_test(test_JB_7_frozen_copy_is_logged),
		cmocka_unit_test(test_JB_7_no_memory_to_freeze),
		cmocka_unit_test(test_JB_26_hot_block_goes_home_as_committed),
		cmocka_unit_test(test_JB_13_descriptor_limits),
		cmocka_unit_test(test_JB_12_escape),
		cmocka_unit_test(test_JB_8_logged_copy_is_sealed),
		cmocka_unit_test(test_JB_14_empty_transaction),
		cmocka_unit_test(test_AL_4_callbacks),
		cmocka_unit_test(test_JB_25_flushed),
		cmocka_unit_test(test_JB_25_flush_of_an_older_commit),
		cmocka_unit_test(test_JB_23_external),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
