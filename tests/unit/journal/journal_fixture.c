#include "journal_fixture.h"

#include "base/crc.h"
#include "base/err.h"
#include "base/util.h"
#include "journal/txn_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CSUM_OFFSET (FX_BLOCK_SIZE - 4)

static u32 block_csum(const void *data, pblk_t pblk, const struct buf_ctx *ctx)
{
	return crc32c(crc32c(ctx->csum_seed, &pblk, sizeof(pblk)), data, CSUM_OFFSET);
}

static bool all_zero(const u8 *data)
{
	u32 i;

	for (i = 0; i < FX_BLOCK_SIZE; i++)
		if (data[i])
			return false;
	return true;
}

static int fx_verify(const struct super_info *sb, const void *data, pblk_t pblk,
	const struct buf_ctx *ctx, const char **why)
{
	u32 stored;

	memcpy(&stored, (const u8 *)data + CSUM_OFFSET, 4);
	if (stored == block_csum(data, pblk, ctx) || all_zero(data))
		return 0;
	*why = "checksum";
	return ERR(EBADMSG);
}

static void fx_seal(const struct super_info *sb, void *data, pblk_t pblk, const struct buf_ctx *ctx)
{
	u32 csum = block_csum(data, pblk, ctx);

	memcpy((u8 *)data + CSUM_OFFSET, &csum, 4);
}

static int other_verify(const struct super_info *sb, const void *data, pblk_t pblk,
	const struct buf_ctx *ctx, const char **why)
{
	if (memcmp(data, "OTHR", 4) == 0)
		return 0;
	*why = "magic";
	return ERR(EUCLEAN);
}

const struct buf_type fx_type = {.name = "test block", .verify = fx_verify, .seal = fx_seal};
const struct buf_type fx_other_type = {.name = "other block", .verify = other_verify};
const struct buf_ctx fx_ctx = {.csum_seed = 77, .owner = 11};

u32 fx_be32(const void *p, size_t offset)
{
	const u8 *b = (const u8 *)p + offset;

	return (u32)b[0] << 24 | (u32)b[1] << 16 | (u32)b[2] << 8 | b[3];
}

void fx_put_be32(void *p, size_t offset, u32 value)
{
	u8 *b = (u8 *)p + offset;

	b[0] = (u8)(value >> 24);
	b[1] = (u8)(value >> 16);
	b[2] = (u8)(value >> 8);
	b[3] = (u8)value;
}

static struct dev *log_mem(const struct fixture *f)
{
	return f->log_mem ? f->log_mem : f->mem;
}

pblk_t fx_log_pblk(const struct fixture *f, u32 log_block)
{
	u32 i;

	for (i = 0; i < f->run_count; i++)
		if (log_block >= f->runs[i].lblk && log_block - f->runs[i].lblk < f->runs[i].len)
			return f->runs[i].pblk + (log_block - f->runs[i].lblk);
	fail();
	return 0;
}

const u8 *fx_log_block(const struct fixture *f, u32 log_block)
{
	return (u8 *)dev_mem_data(log_mem(f)) + fx_log_pblk(f, log_block) * FX_BLOCK_SIZE;
}

static void write_super(struct fixture *f)
{
	u8 *s = (u8 *)fx_log_block(f, 0);
	u32 csum;

	fx_put_be32(s, 0x00, 0xc03b3998);
	fx_put_be32(s, 0x04, 4);
	fx_put_be32(s, 0x0c, FX_BLOCK_SIZE);
	fx_put_be32(s, 0x10, FX_LOG_BLOCKS);
	fx_put_be32(s, 0x14, 1);
	fx_put_be32(s, 0x18, f->opt.sequence);
	fx_put_be32(s, 0x1c, f->opt.start);
	fx_put_be32(s, 0x24, f->opt.compat);
	fx_put_be32(s, 0x28, f->opt.incompat);
	memcpy(s + 0x30, "0123456789abcdef", 16);
	fx_put_be32(s, 0x40, 1);
	fx_put_be32(s, 0x58, f->opt.head);
	if (f->opt.incompat & 0x18) {
		s[0x50] = 4;
		csum = crc32c(~0u, s, 1024);
		fx_put_be32(s, 0xfc, csum);
	}
}

static void make_runs(struct fixture *f)
{
	u32 n = FX_LOG_BLOCKS, part = f->opt.ring ? f->opt.ring / 3 : n / 3;

	if (!f->opt.split_log) {
		f->runs[0] = (struct journal_run){.len = n, .pblk = FX_LOG_PBLK};
		f->run_count = 1;
		return;
	}
	f->runs[0] = (struct journal_run){.len = part, .pblk = FX_LOG_PBLK + n - part};
	f->runs[1] = (struct journal_run){.lblk = part, .len = part, .pblk = FX_LOG_PBLK};
	f->runs[2] = (struct journal_run){
		.lblk = 2 * part, .len = n - 2 * part, .pblk = FX_LOG_PBLK + part};
	f->run_count = 3;
}

static void make_devs(struct dev **mem, struct dev **rec, struct dev **top)
{
	assert_int_equal(dev_mem_create((u64)FX_BLOCKS * FX_BLOCK_SIZE, 512, mem), 0);
	(*mem)->info.volatile_cache = true;
	assert_int_equal(dev_record_create(*mem, true, rec), 0);
	assert_int_equal(dev_fault_create(*rec, true, top), 0);
}

void fx_format(struct fixture *f, const struct fixture_options *opt)
{
	memset(f, 0, sizeof(*f));
	f->opt = opt ? *opt : (struct fixture_options){0};
	if (!f->opt.sequence)
		f->opt.sequence = 1;
	if (!f->opt.cache_bytes)
		f->opt.cache_bytes = 64 << 20;
	f->sb.block_size = FX_BLOCK_SIZE;
	f->sb.blocks_count = FX_BLOCKS;
	if (f->opt.incompat & 0x18)
		f->sb.feature_ro_compat |= EXT4_FEATURE_RO_COMPAT_METADATA_CSUM;
	if (f->opt.incompat & 2)
		f->sb.feature_incompat |= EXT4_FEATURE_INCOMPAT_64BIT;
	make_devs(&f->mem, &f->rec, &f->dev);
	if (f->opt.external)
		make_devs(&f->log_mem, &f->log_rec, &f->log_dev);
	make_runs(f);
	if (!f->opt.no_journal)
		write_super(f);
}

static void on_abort(void *arg, int err)
{
	struct fixture *f = arg;

	f->aborted = err;
	__atomic_add_fetch(&f->aborts, 1, __ATOMIC_SEQ_CST);
}

static void print_log(void *arg, enum log_level level, const char *message)
{
	if (getenv("FX_LOG"))
		fprintf(stderr, "log %d: %s\n", level, message);
}

static const struct log_sink sink = {.fn = print_log};

int fx_attach(struct fixture *f, bool run)
{
	struct bcache_params cp = {.dev = f->dev,
		.sb = &f->sb,
		.block_size = FX_BLOCK_SIZE,
		.max_bytes = f->opt.cache_bytes,
		.log = &sink};
	struct journal_params jp = {.fs_dev = f->dev,
		.sb = &f->sb,
		.log = &sink,
		.runs = f->runs,
		.run_count = f->run_count,
		.commit_interval_ms = 1000000,
		.aborted = on_abort,
		.arg = f};
	int err;

	assert_int_equal(bcache_create(&cp, &f->cache), 0);
	jp.bcache = f->cache;
	if (!f->opt.no_journal)
		jp.log_dev = f->opt.external ? f->log_dev : f->dev;
	err = journal_open(&jp, &f->j);
	if (!err && f->opt.ring)
		f->j->log_end = f->opt.ring;
	if (!err && run && journal_is_dirty(f->j))
		err = journal_recover(f->j, f->dev, true);
	if (!err && run)
		err = journal_run(f->j);
	if (err) {
		journal_destroy(f->j);
		f->j = NULL;
		bcache_destroy(f->cache);
		f->cache = NULL;
	}
	return err;
}

void fx_open(struct fixture *f, const struct fixture_options *opt)
{
	fx_format(f, opt);
	assert_int_equal(fx_attach(f, true), 0);
}

int fx_detach(struct fixture *f)
{
	int err = 0;

	if (f->j) {
		err = journal_stop(f->j);
		journal_destroy(f->j);
		bcache_destroy(f->cache);
	}
	f->j = NULL;
	f->cache = NULL;
	return err;
}

void fx_close(struct fixture *f)
{
	fx_detach(f);
	dev_close(f->dev);
	dev_close(f->rec);
	dev_close(f->mem);
	dev_close(f->log_dev);
	dev_close(f->log_rec);
	dev_close(f->log_mem);
}

void fx_fill(void *data, pblk_t pblk, u64 value)
{
	u64 *words = data;
	u32 i;

	for (i = 0; i < CSUM_OFFSET / 8; i++)
		words[i] = value * 1000003 + pblk + i;
	words[0] = value;
}

u64 fx_value(const void *data)
{
	u64 value;

	memcpy(&value, data, 8);
	return value;
}

u64 fx_home_value(const struct fixture *f, pblk_t pblk)
{
	const u8 *data = (u8 *)dev_mem_data(f->mem) + pblk * FX_BLOCK_SIZE;
	const char *why;

	assert_int_equal(fx_verify(NULL, data, pblk, &fx_ctx, &why), 0);
	return fx_value(data);
}

void fx_set(struct fixture *f, struct handle *h, u32 n, u64 value)
{
	struct buf *b;

	assert_int_equal(buf_read(f->cache, FX_META + n, &fx_type, &fx_ctx, &b), 0);
	assert_int_equal(buf_write_access(h, b), 0);
	fx_fill(b->data, b->pblk, value);
	assert_int_equal(buf_dirty(h, b), 0);
	buf_put(b);
}

u64 fx_get(struct fixture *f, u32 n)
{
	struct buf *b;
	u64 value;

	assert_int_equal(buf_read(f->cache, FX_META + n, &fx_type, &fx_ctx, &b), 0);
	value = fx_value(b->data);
	buf_put(b);
	return value;
}

tid_nr fx_op(struct fixture *f, u32 n, u32 count, u64 value)
{
	struct handle h;
	tid_nr tid;
	u32 i;

	assert_int_equal(handle_start(f->j, &h, count, 0), 0);
	for (i = 0; i < count; i++)
		fx_set(f, &h, n + i, value);
	tid = handle_tid(&h);
	assert_int_equal(handle_stop(&h), 0);
	return tid;
}

void fx_checkpoint(struct fixture *f)
{
	struct journal *j = f->j;

	os_mutex_lock(&j->lock);
	while (j->log_used) {
		assert_false(journal_aborted(j));
		checkpoint_kick_locked(j, 0);
		os_cond_wait(&j->state_cond, &j->lock);
	}
	os_mutex_unlock(&j->lock);
}
