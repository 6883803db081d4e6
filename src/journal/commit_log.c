/* What a commit writes to the log: revoke blocks, descriptors with their data, the record. */
#include "base/crc.h"
#include "base/mutant.h"
#include "base/trace.h"
#include "disk/jbd2.h"
#include "journal/journal_locks.h"
#include "journal/txn_priv.h"
#include "os/clock.h"

#include <string.h>

/* The log being written. Commit thread only. */
struct logger {
	struct journal *j;
	struct txn *t;
	u32 pos;	   /* next log block */
	u32 left;	   /* buffers still to be logged */
	struct list *node; /* of the next join to look at, in t->bufs */
	u32 v1_crc;
};

static u32 incompat(const struct journal *j)
{
	u32 bits = j->is_64bit ? JBD2_FEATURE_INCOMPAT_64BIT : 0;

	if (j->csum == JOURNAL_CSUM_V2)
		bits |= JBD2_FEATURE_INCOMPAT_CSUM_V2;
	else if (j->csum == JOURNAL_CSUM_V3)
		bits |= JBD2_FEATURE_INCOMPAT_CSUM_V3;
	return bits;
}

/* JB-13, and never more than a batch holds: a descriptor is ready when its last block is. */
u32 commit_tags_per_block(const struct journal *j)
{
	return min_of(
		jbd2_tags_per_block(j->block_size, incompat(j)), batch_group_max(j->commit_io) - 1);
}

u32 commit_revokes_per_block(const struct journal *j)
{
	return (j->block_size - (u32)sizeof(struct jbd2_revoke) - jbd2_tail_size(incompat(j))) /
	       jbd2_record_size(incompat(j));
}

static int log_block(struct logger *l, u8 **block)
{
	pblk_t pblk;
	int err = log_map(l->j, l->pos, &pblk);

	if (err)
		return err;
	*block = batch_block(l->j->commit_io, pblk);
	l->pos = log_next(l->j, l->pos, 1);
	return 0;
}

static void put_header(const struct journal *j, const struct txn *t, void *block, u32 type)
{
	memset(block, 0, j->block_size);
	jbd2_header_set(block, type, t->seq);
}

static void put_tail(const struct journal *j, u8 *block)
{
	if (j->csum >= JOURNAL_CSUM_V2)
		jbd2_tail_csum_set(j->csum_seed, block, j->block_size);
}

static int write_revokes(struct logger *l)
{
	struct journal *j = l->j;
	u32 size = jbd2_record_size(incompat(j));
	pblk_t pblk;
	bool more = revoke_pop(j, l->t->tid, &pblk);

	while (more) {
		u32 used = sizeof(struct jbd2_revoke), n;
		u8 *block;
		int err = log_block(l, &block);

		if (err)
			return err;
		put_header(j, l->t, block, JBD2_REVOKE);
		for (n = 0; more && n < j->revokes_per_block; n++, used += size) {
			if (j->is_64bit)
				*(struct be64 *)(block + used) = cpu_to_be64(pblk);
			else
				*(struct be32 *)(block + used) = cpu_to_be32((u32)pblk);
			more = revoke_pop(j, l->t->tid, &pblk);
		}
		((struct jbd2_revoke *)block)->r_count = cpu_to_be32(used);
		put_tail(j, block);
	}
	return 0;
}

/* The next buffer that has to be logged; there is one as long as l->left. */
static struct buf *next_dirty(struct logger *l, struct buf_join **join)
{
	do {
		*join = list_entry(l->node, struct buf_join, node);
		l->node = l->node->next;
	} while (!((*join)->flags & JOIN_DIRTY));
	return buf_of_join(*join, l->t->tid);
}

/*
 * Copies b as this transaction left it: frozen (and sealed) if the next one has
 * changed it since, else live. From then on the data may change (JB-7, JB-8).
 */
static void stage(struct journal *j, struct buf *b, struct buf_join *join, u32 pos, u8 *block)
{
	os_mutex_lock(&b->lock);
	memcpy(block, b->frozen ? b->frozen : b->data, j->block_size);
	if (b->frozen)
		bcache_data_free(b->cache, b->frozen);
	else
		buf_seal_locked(b, block);
	b->frozen = NULL;
	join->log_block = pos;
	atomic_or(&join->flags, JOIN_STAGED);
	if (jbd2_must_escape(block)) {
		jbd2_escape(block);
		atomic_or(&join->flags, JOIN_ESCAPED);
	}
	os_mutex_unlock(&b->lock);
	TRACE("commit_stage", b->pblk, pos);
}

/* One data block of a group; *offset is where the descriptor's tags end. */
static int write_data_block(struct logger *l, u8 *descriptor, u32 *offset)
{
	struct journal *j = l->j;
	u32 pos = l->pos;
	struct buf_join *join;
	struct buf *b = next_dirty(l, &join);
	struct jbd2_tag tag = {.blocknr = b->pblk};
	u8 *block;
	int err = log_block(l, &block);

	if (err)
		return err;
	stage(j, b, join, pos, block);
	if (join->flags & JOIN_ESCAPED && !MUTANT(ESCAPE_UNMARKED))
		tag.flags |= JBD2_FLAG_ESCAPE;
	if (j->csum >= JOURNAL_CSUM_V2)
		tag.checksum = jbd2_tag_csum(j->csum_seed, l->t->seq, block, j->block_size);
	BUG_ON(!jbd2_tag_put(descriptor, j->block_size, incompat(j), offset, &tag));
	return 0;
}

static int write_group(struct logger *l)
{
	struct journal *j = l->j;
	u32 n = min_of(l->left, j->tags_per_block), offset = 0, i;
	u8 *descriptor;
	int err;

	batch_reserve(j->commit_io, n + 1); /* keeps the descriptor in memory until the end */
	err = log_block(l, &descriptor);
	if (err)
		return err;
	put_header(j, l->t, descriptor, JBD2_DESCRIPTOR);
	for (i = 0; i < n && !err; i++)
		err = write_data_block(l, descriptor, &offset);
	if (err)
		return err;
	jbd2_tag_finish(descriptor, incompat(j), offset);
	put_tail(j, descriptor);
	if (j->csum == JOURNAL_CSUM_V1) /* the group lies in one piece */
		l->v1_crc = crc32_be(l->v1_crc, descriptor, (size_t)(n + 1) * j->block_size);
	l->left -= n;
	return 0;
}

/* JB-32: the journal superblock points at the first transaction before that is committed. */
static int write_first_tail(struct journal *j, struct txn *t)
{
	int err;

	TRACE("commit_first_tail", t->seq, t->log_start);
	os_mutex_lock(&j->tail_lock);
	err = journal_super_set_tail(j, t->log_start, t->seq, 0, DEV_FUA);
	os_mutex_unlock(&j->tail_lock);
	return err;
}

int commit_write_log(struct journal *j, struct txn *t)
{
	struct logger l = {.j = j,
		.t = t,
		.pos = t->log_start,
		.left = t->dirty,
		.node = t->bufs.next,
		.v1_crc = ~0u};
	int err, err2;

	err = batch_begin(j->commit_io);
	if (err)
		return err;
	TRACE("commit_log", t->seq, t->log_len);
	err = write_revokes(&l);
	while (!err && l.left)
		err = write_group(&l);
	err2 = batch_end(j->commit_io);
	err = err ? err : err2;
	BUG_ON(!err && l.pos != log_next(j, t->log_start, t->log_len - 1));
	t->v1_crc = l.v1_crc;
	TRACE("commit_logged", t->seq, err);
	if (!err && t->first && !MUTANT(FIRST_TAIL_MISSING))
		err = write_first_tail(j, t);
	return err;
}

/* RC-7: commit times never step back. */
static void put_time(struct journal *j, struct jbd2_commit *c)
{
	struct os_time now = os_clock_wall();

	if (now.sec > 0 &&
		((u64)now.sec > j->last_commit_sec ||
			((u64)now.sec == j->last_commit_sec && now.nsec > j->last_commit_nsec))) {
		j->last_commit_sec = (u64)now.sec;
		j->last_commit_nsec = now.nsec;
	}
	c->c_commit_sec = cpu_to_be64(j->last_commit_sec);
	c->c_commit_nsec = cpu_to_be32(j->last_commit_nsec);
}

int commit_write_record(struct journal *j, struct txn *t)
{
	struct jbd2_commit *c = j->block;
	u32 flags = j->p.no_barrier ? 0 : DEV_PREFLUSH | DEV_FUA;
	bool flushes = !j->p.no_barrier && j->p.log_dev == j->p.fs_dev;
	pblk_t pblk;
	int err = log_map(j, log_next(j, t->log_start, t->log_len - 1), &pblk);

	if (err)
		return err;
	put_header(j, t, c, JBD2_COMMIT);
	put_time(j, c);
	if (j->csum == JOURNAL_CSUM_V1) {
		c->c_chksum_type = JBD2_CHECKSUM_CRC32;
		c->c_chksum_size = 4;
		c->c_chksum[0] = cpu_to_be32(t->v1_crc);
	} else if (j->csum >= JOURNAL_CSUM_V2) {
		jbd2_commit_csum_set(j->csum_seed, c, j->block_size);
	}
	if (MUTANT(COMMIT_NO_PREFLUSH))
		flags &= ~(u32)DEV_PREFLUSH;
	if (MUTANT(COMMIT_NO_FUA))
		flags &= ~(u32)DEV_FUA;
	TRACE("commit_record", t->seq, pblk);
	if (flushes)
		commit_flush_begins(j);
	err = dev_write(j->p.log_dev, pblk * j->block_size, c, j->block_size, flags);
	TRACE("commit_durable", t->seq, err);
	if (!err && flushes)
		commit_flush_ended(j);
	return err;
}
