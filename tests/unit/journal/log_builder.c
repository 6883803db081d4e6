#include "log_builder.h"

#include "base/crc.h"
#include "base/trace.h"
#include "base/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0xc03b3998u

static const char uuid[16] = "0123456789abcde";

u32 lb_get32(const void *p, size_t offset)
{
	const u8 *b = (const u8 *)p + offset;

	return (u32)b[0] << 24 | (u32)b[1] << 16 | (u32)b[2] << 8 | b[3];
}

void lb_put32(void *p, size_t offset, u32 value)
{
	u8 *b = (u8 *)p + offset;

	b[0] = (u8)(value >> 24);
	b[1] = (u8)(value >> 16);
	b[2] = (u8)(value >> 8);
	b[3] = (u8)value;
}

static void put16(void *p, size_t offset, u32 value)
{
	((u8 *)p)[offset] = (u8)(value >> 8);
	((u8 *)p)[offset + 1] = (u8)value;
}

static u32 seed(void)
{
	return crc32c(~0u, uuid, 16);
}

static bool has_tails(const struct log_builder *lb)
{
	return lb->o.csum >= LOG_V2;
}

u8 *lb_block(struct log_builder *lb, u32 log_block)
{
	u32 i;

	for (i = 0; i < lb->run_count; i++) {
		const struct journal_run *run = &lb->runs[i];

		if (log_block >= run->lblk && log_block - run->lblk < run->len)
			return (u8 *)dev_mem_data(lb->log) +
			       (run->pblk + log_block - run->lblk) * lb->bs;
	}
	fail_msg("log block %u has no place", log_block);
	return NULL;
}

u8 *lb_home(struct log_builder *lb, pblk_t pblk)
{
	assert_true(pblk < LB_FS_BLOCKS);
	return (u8 *)dev_mem_data(lb->fs) + pblk * lb->bs;
}

void lb_fill(const struct log_builder *lb, u8 *data, pblk_t pblk, u64 value)
{
	u32 i;

	for (i = 0; i < lb->bs / 8; i++) {
		u64 word = value * 0x9e3779b97f4a7c15ull + pblk * 31 + i;

		memcpy(data + (size_t)i * 8, &word, 8);
	}
	if (value & LB_ESCAPED)
		lb_put32(data, 0, MAGIC);
	else if (lb_get32(data, 0) == MAGIC)
		data[0] ^= 1;
}

static void make_runs(struct log_builder *lb)
{
	u32 n = lb->maxlen, a = n / 3, b = n / 4;

	if (!lb->o.split) {
		lb->runs[0] = (struct journal_run){0, n, LB_LOG_PBLK};
		lb->run_count = 1;
		return;
	}
	lb->runs[0] = (struct journal_run){0, a, LB_LOG_PBLK + 2 * n};
	lb->runs[1] = (struct journal_run){a, 1, LB_LOG_PBLK + n};
	lb->runs[2] = (struct journal_run){a + 1, b, LB_LOG_PBLK};
	lb->runs[3] = (struct journal_run){a + 1 + b, n - a - 1 - b, LB_LOG_PBLK + n + n / 2};
	lb->run_count = 4;
}

void lb_open(struct log_builder *lb, const struct log_options *o)
{
	memset(lb, 0, sizeof(*lb));
	lb->o = *o;
	lb->bs = o->block_size ? o->block_size : 1024;
	lb->maxlen = o->log_blocks ? o->log_blocks : 1024;
	lb->first = 1;
	lb->end = lb->maxlen - o->fc_blocks;
	lb->next = o->start ? o->start : 1;
	lb->o.start = lb->next;
	lb->seq = o->sequence;
	lb->sec = 1000;
	assert_int_equal(dev_mem_create((u64)LB_FS_BLOCKS * lb->bs, 512, &lb->fs), 0);
	lb->log = lb->fs;
	if (o->external)
		assert_int_equal(dev_mem_create((u64)LB_FS_BLOCKS * lb->bs, 512, &lb->log), 0);
	lb->fs->info.volatile_cache = lb->log->info.volatile_cache = true;
	lb->use_fs = lb->fs;
	lb->use_log = lb->log;
	lb->sb.block_size = lb->bs;
	lb->sb.blocks_count = LB_FS_BLOCKS;
	make_runs(lb);
	lb_write_super(lb);
}

void lb_close(struct log_builder *lb)
{
	if (lb->log != lb->fs)
		dev_close(lb->log);
	dev_close(lb->fs);
}

void lb_write_super(struct log_builder *lb)
{
	u8 *s = lb_block(lb, 0);
	u32 incompat = lb->o.incompat | (lb->o.is_64bit ? 2u : 0) |
		       (lb->o.csum == LOG_V2 ? 8u : 0) | (lb->o.csum == LOG_V3 ? 0x10u : 0) |
		       (lb->o.fc_blocks ? 0x20u : 0);

	memset(s, 0, lb->bs);
	lb_put32(s, 0x00, MAGIC);
	lb_put32(s, 0x04, 4);
	lb_put32(s, 0x0c, lb->bs);
	lb_put32(s, 0x10, lb->maxlen);
	lb_put32(s, 0x14, lb->first);
	lb_put32(s, 0x18, lb->o.sequence);
	lb_put32(s, 0x1c, lb->o.start);
	lb_put32(s, 0x24, lb->o.csum == LOG_V1);
	lb_put32(s, 0x28, incompat);
	memcpy(s + 0x30, uuid, 16);
	lb_put32(s, 0x40, 1);
	lb_put32(s, 0x54, lb->o.fc_blocks);
	if (has_tails(lb)) {
		s[0x50] = 4;
		lb_put32(s, 0xfc, crc32c(~0u, s, 1024));
	}
}

static void add_event(struct log_builder *lb, pblk_t pblk, u64 value, bool revoke)
{
	assert_true(lb->event_count < LB_EVENTS_MAX);
	lb->events[lb->event_count++] = (struct log_event){lb->txn, pblk, value, revoke};
}

void lb_log(struct log_builder *lb, pblk_t pblk, u64 value)
{
	add_event(lb, pblk, value, false);
}

void lb_revoke(struct log_builder *lb, pblk_t pblk)
{
	add_event(lb, pblk, 0, true);
}

/* Takes the next log block for role; its contents are zeroed, with a header unless it is data. */
static u8 *take(struct log_builder *lb, enum log_role role, pblk_t home)
{
	static const u32 types[] = {[ROLE_DESCRIPTOR] = 1, [ROLE_COMMIT] = 2, [ROLE_REVOKE] = 5};
	u8 *block = lb_block(lb, lb->next);

	assert_true(lb->note_count < LB_EVENTS_MAX);
	lb->notes[lb->note_count++] = (struct log_note){lb->next, lb->seq, role, home};
	if (++lb->next == lb->end)
		lb->next = lb->first;
	memset(block, 0, lb->bs);
	if (role != ROLE_DATA) {
		lb_put32(block, 0, MAGIC);
		lb_put32(block, 4, types[role]);
		lb_put32(block, 8, lb->seq);
	}
	return block;
}

u32 lb_tag_size(const struct log_builder *lb)
{
	if (lb->o.csum == LOG_V3)
		return 16;
	return 8 + (lb->o.is_64bit ? 4 : 0) + (lb->o.csum == LOG_V2 ? 2 : 0);
}

static void put_tag(const struct log_builder *lb, u8 *tag, pblk_t pblk, u32 flags, const u8 *logged)
{
	u32 csum = 0;
	u8 be_seq[4];

	if (has_tails(lb)) {
		lb_put32(be_seq, 0, lb->seq);
		csum = crc32c(crc32c(seed(), be_seq, 4), logged, lb->bs);
	}
	lb_put32(tag, 0, (u32)pblk);
	if (lb->o.csum == LOG_V3) {
		lb_put32(tag, 4, flags);
		lb_put32(tag, 8, (u32)(pblk >> 32));
		lb_put32(tag, 12, csum);
		return;
	}
	put16(tag, 4, csum & 0xffff);
	put16(tag, 6, flags);
	if (lb->o.is_64bit)
		lb_put32(tag, 8, (u32)(pblk >> 32));
}

static void put_data(struct log_builder *lb, u8 *block, const struct log_event *e)
{
	lb_fill(lb, block, e->pblk, e->value);
	if (e->value & LB_ESCAPED)
		memset(block, 0, 4);
}

void lb_seal(struct log_builder *lb, u32 log_block, enum log_role role)
{
	u8 *block = lb_block(lb, log_block);

	if (!has_tails(lb) || role == ROLE_DATA)
		return;
	if (role == ROLE_COMMIT) {
		lb_put32(block, 0x10, 0);
		lb_put32(block, 0x10, crc32c(seed(), block, lb->bs));
		return;
	}
	lb_put32(block, lb->bs - 4, 0);
	lb_put32(block, lb->bs - 4, crc32c(seed(), block, lb->bs));
}

/* The next event of the transaction at hand of one kind, or NULL. */
static struct log_event *next_event(struct log_builder *lb, u32 *i, bool revoke)
{
	while (*i < lb->event_count) {
		struct log_event *e = &lb->events[(*i)++];

		if (e->revoke == revoke)
			return e;
	}
	return NULL;
}

static void write_revokes(struct log_builder *lb)
{
	u32 size = lb->o.is_64bit ? 8 : 4, limit = lb->bs - (has_tails(lb) ? 4 : 0);
	u32 i = lb->pending, used = 0, place = 0;
	struct log_event *e;
	u8 *block = NULL;

	while ((e = next_event(lb, &i, true)) != NULL) {
		if (block && used + size > limit) {
			lb_seal(lb, place, ROLE_REVOKE);
			block = NULL;
		}
		if (!block) {
			place = lb->next;
			block = take(lb, ROLE_REVOKE, 0);
			used = 16;
		}
		if (size == 8)
			lb_put32(block, used, (u32)(e->pblk >> 32));
		lb_put32(block, used + size - 4, (u32)e->pblk);
		used += size;
		lb_put32(block, 12, used);
	}
	if (block)
		lb_seal(lb, place, ROLE_REVOKE);
}

/* One descriptor with as many tags as fit; false when no event is left. */
static bool write_group(struct log_builder *lb, u32 *i, u32 *crc)
{
	u32 size = lb_tag_size(lb), limit = lb->bs - (has_tails(lb) ? 4 : 0), at = 12;
	u32 place = lb->next, look = *i;
	struct log_event *e = next_event(lb, &look, false), *next;
	u8 *blocks[256], *descriptor;
	u32 n = 0, k;

	if (!e)
		return false;
	descriptor = take(lb, ROLE_DESCRIPTOR, 0);
	for (; e; e = next) {
		u32 used = size + (n ? 0 : 16), flags = n ? 2 : 0;

		*i = look;
		next = next_event(lb, &look, false);
		if (e->value & LB_ESCAPED)
			flags |= 1;
		if (at + used + size > limit || n == 255)
			next = NULL;
		if (!next)
			flags |= 8;
		blocks[n] = take(lb, ROLE_DATA, e->pblk);
		put_data(lb, blocks[n], e);
		put_tag(lb, descriptor + at, e->pblk, flags, blocks[n]);
		at += used;
		n++;
	}
	lb_seal(lb, place, ROLE_DESCRIPTOR);
	*crc = crc32_be(*crc, descriptor, lb->bs);
	for (k = 0; k < n; k++)
		*crc = crc32_be(*crc, blocks[k], lb->bs);
	return true;
}

static u32 write_blocks(struct log_builder *lb)
{
	u32 i = lb->pending, crc = ~0u;

	write_revokes(lb);
	while (write_group(lb, &i, &crc))
		;
	return crc;
}

void lb_commit(struct log_builder *lb)
{
	u32 crc = write_blocks(lb), place = lb->next;
	u8 *block = take(lb, ROLE_COMMIT, 0);

	lb_put32(block, 0x34, (u32)lb->sec);
	lb_put32(block, 0x30, (u32)(lb->sec >> 32));
	if (lb->o.csum == LOG_V1) {
		block[0x0c] = 1;
		block[0x0d] = 4;
		lb_put32(block, 0x10, crc);
	}
	lb_seal(lb, place, ROLE_COMMIT);
	lb->sec++;
	lb->seq++;
	lb->txn++;
	lb->pending = lb->event_count;
}

void lb_abandon(struct log_builder *lb)
{
	write_blocks(lb);
	lb->event_count = lb->pending;
}

/* --- recovery and its result --- */

static void keep_message(void *arg, enum log_level level, const char *message)
{
	struct log_builder *lb = arg;

	if (getenv("LB_LOG"))
		fprintf(stderr, "log %d: %s\n", level, message);
	if (level != LOG_ERROR)
		return;
	if (!lb->errors++)
		snprintf(lb->message, sizeof(lb->message), "%s", message);
}

static u32 allocs_left; /* one test at a time */

static bool fail_alloc(const char *name)
{
	return strcmp(name, "os_alloc") == 0 && allocs_left && --allocs_left == 0;
}

static int open_and_recover(
	const struct journal_params *p, struct dev *target, bool mark_clean, u32 alloc_fails)
{
	struct journal *j;
	int err;

	allocs_left = alloc_fails;
	fault_hook = alloc_fails ? fail_alloc : NULL;
	err = journal_open(p, &j);
	if (!err) {
		err = journal_recover(j, target, mark_clean);
		journal_destroy(j);
	}
	fault_hook = NULL;
	return err;
}

int lb_recover_to(struct log_builder *lb, struct dev *target, bool mark_clean)
{
	const struct log_sink sink = {keep_message, lb};
	struct bcache_params cp = {.dev = lb->use_fs,
		.sb = &lb->sb,
		.block_size = lb->bs,
		.max_bytes = 1 << 20,
		.log = &sink};
	struct journal_params jp = {.fs_dev = lb->use_fs,
		.log_dev = lb->use_log,
		.sb = &lb->sb,
		.log = &sink,
		.runs = lb->runs,
		.run_count = lb->run_count};
	int err;

	lb->errors = 0;
	lb->message[0] = 0;
	assert_int_equal(bcache_create(&cp, &jp.bcache), 0);
	err = open_and_recover(&jp, target, mark_clean, lb->alloc_fails);
	lb->alloc_fails = allocs_left; /* 0: it struck */
	bcache_destroy(jp.bcache);
	assert_true(!err || err == -ENOMEM || lb->errors);
	return err;
}

int lb_recover(struct log_builder *lb)
{
	return lb_recover_to(lb, lb->use_fs, true);
}

static bool revoked(const struct log_builder *lb, u32 txns, const struct log_event *copy)
{
	u32 i;

	for (i = 0; i < lb->event_count; i++) {
		const struct log_event *e = &lb->events[i];

		if (e->revoke && e->pblk == copy->pblk && e->txn < txns && e->txn >= copy->txn)
			return true;
	}
	return false;
}

static const struct log_event *last_copy(const struct log_builder *lb, u32 txns, pblk_t pblk)
{
	u32 i = lb->event_count;

	while (i--) {
		const struct log_event *e = &lb->events[i];

		if (!e->revoke && e->pblk == pblk && e->txn < txns && !revoked(lb, txns, e))
			return e;
	}
	return NULL;
}

void lb_expect(struct log_builder *lb, u32 txns)
{
	u8 *want = calloc(1, lb->bs);
	pblk_t pblk;

	for (pblk = LB_HOME; pblk < LB_FS_BLOCKS; pblk++) {
		const struct log_event *e = last_copy(lb, txns, pblk);

		if (e)
			lb_fill(lb, want, pblk, e->value);
		else
			memset(want, 0, lb->bs);
		if (memcmp(lb_home(lb, pblk), want, lb->bs) != 0)
			fail_msg("block %llu is not what %u transactions left",
				(unsigned long long)pblk, txns);
	}
	free(want);
}

void lb_expect_clean(struct log_builder *lb, u32 sequence)
{
	const u8 *s = lb_block(lb, 0);

	assert_int_equal(lb_get32(s, 0x1c), 0);
	assert_int_equal(lb_get32(s, 0x18), sequence);
}

void lb_expect_untouched(struct log_builder *lb)
{
	lb_expect(lb, 0);
	assert_int_equal(lb_get32(lb_block(lb, 0), 0x1c), lb->o.start);
	assert_int_equal(lb_get32(lb_block(lb, 0), 0x18), lb->o.sequence);
}
