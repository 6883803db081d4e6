/*
 * Recovery: brings a file system that stopped without unmount to the state of
 * its last complete transaction.
 *
 * The log is read once, from its start to the first block that does not
 * continue the chain (RC-3). What later transactions overwrite or revoke is
 * dropped in memory, the remaining copies are written home sorted by address,
 * flushed, and only then the journal superblock says that the log is empty. A
 * crash anywhere in between finds the log as it was, so that recovery simply
 * runs again with the same result (RC-11).
 *
 * Damage is answered as Linux does (RC-6 to RC-8): an unfinished transaction at
 * the end is normal and dropped; a complete one that fails a checksum refuses
 * the whole replay, before the first home write, for older transactions may
 * only go home together with the newer ones that the device has acknowledged.
 *
 * Memory: 24 bytes per logged block, at most the ring's length, one window of
 * the log and one batch of writes.
 */
#include "base/err.h"
#include "base/mutant.h"
#include "disk/jbd2.h"
#include "journal/recover.h"
#include "journal/recover_fc.h"
#include "os/mem.h"

#define WINDOW_BYTES (1u << 20)
#define GROW_START 256u

int recover_grow(void **items, u32 *max, u32 count, size_t size)
{
	u32 new_max = *max ? *max * 2 : GROW_START;
	void *bigger;

	if (count < *max)
		return 0;
	bigger = os_realloc(*items, (size_t)new_max * size);
	if (!bigger)
		return ERR(ENOMEM);
	*items = bigger;
	*max = new_max;
	return 0;
}

static int read_log(struct recovery *r, u32 pos, u32 count)
{
	pblk_t pblk;
	int err = log_map(r->j, recover_log_block(r, pos), &pblk);

	if (err)
		return err;
	return dev_read(
		r->j->p.log_dev, pblk * r->block_size, r->window, (size_t)count * r->block_size);
}

int recover_read(struct recovery *r, u32 pos, u32 want, const u8 **block)
{
	if (pos < r->window_pos || pos - r->window_pos >= r->window_len) {
		u32 max = min_of(max_of(want, 1u), r->window_max);
		u32 count = log_contiguous(
			r->j, recover_log_block(r, pos), min_of(max, r->ring_len - pos));
		int err = read_log(r, pos, count);

		/* A bad sector behind the log's end must not matter. */
		if (err && count > 1) {
			count = 1;
			err = read_log(r, pos, count);
		}
		r->window_len = 0;
		if (err)
			return err;
		r->window_pos = pos;
		r->window_len = count;
	}
	*block = r->window + (size_t)(pos - r->window_pos) * r->block_size;
	return 0;
}

static int recovery_init(struct recovery *r, struct journal *j, struct dev *target)
{
	*r = (struct recovery){.j = j, .log = j->p.log, .target = target};
	r->block_size = j->block_size;
	if (be32_to_cpu(j->super->s_header.h_blocktype) == JBD2_SUPER_V2)
		r->incompat = be32_to_cpu(j->super->s_feature_incompat);
	r->tail_size = jbd2_tail_size(r->incompat);
	r->start = be32_to_cpu(j->super->s_start);
	r->start_seq = be32_to_cpu(j->super->s_sequence);
	r->ring_len = j->log_end - j->log_first;
	r->window_max = max_of(min_of(WINDOW_BYTES / r->block_size, r->ring_len / 4), 1u);
	r->window = os_alloc_pages((size_t)r->window_max * r->block_size);
	return r->window ? 0 : ERR(ENOMEM);
}

static void recovery_fini(struct recovery *r)
{
	if (r->window)
		os_free_pages(r->window, (size_t)r->window_max * r->block_size);
	os_free(r->tags);
	os_free(r->revokes);
}

static int recovery_run(struct recovery *r)
{
	int err = recover_scan(r);

	if (!err)
		err = recover_check_fast_commits(r);
	if (!err)
		err = recover_revoke(r);
	if (!err)
		err = recover_select(r);
	if (!err)
		err = recover_replay(r);
	if (!err && !r->j->p.no_barrier)
		err = dev_flush(r->target);
	return err;
}

/* The next transaction gets a sequence number that this log has not seen (JB-31). */
static int mark_recovered(struct recovery *r, bool mark_clean)
{
	struct journal *j = r->j;
	int err;

	j->head = recover_log_block(r, r->end_pos);
	j->next_seq = r->end_seq + 1;
	if (MUTANT(SEQUENCE_REUSED)) {
		j->head = r->start;
		j->next_seq = r->start_seq;
	}
	j->log_used = 0;
	if (!mark_clean)
		return 0;
	err = journal_super_set_tail(j, 0, j->next_seq, j->head, DEV_FUA);
	if (err)
		log_msg(r->log, LOG_ERROR,
			"journal: replayed, but the log can't be marked empty (error %d)", -err);
	return err;
}

int journal_recover(struct journal *j, struct dev *target, bool mark_clean)
{
	struct recovery r;
	int err;

	if (!journal_is_dirty(j))
		return 0;
	err = recovery_init(&r, j, target);
	if (!err)
		err = recovery_run(&r);
	if (!err)
		err = mark_recovered(&r, mark_clean);
	if (!err)
		log_msg(r.log, LOG_INFO,
			"journal: replayed %u blocks of %u transactions, from %u on", r.tag_count,
			r.end_seq - r.start_seq, r.start_seq);
	else
		log_msg(r.log, LOG_ERROR,
			"journal: recovery failed (error %d), nothing was marked as done; the log "
			"is kept: repair the cause and mount again, or let e2fsck decide",
			-err);
	recovery_fini(&r);
	return err;
}
