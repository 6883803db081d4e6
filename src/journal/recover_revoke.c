/*
 * Revoke and selection: which copy of each block goes home.
 *
 * A copy is dropped when its block was revoked by its own or a later complete
 * transaction (RC-5). Only revokes of blocks that are in the log matter, so
 * the table of revokes is the sorted list of copies itself: its size follows
 * from the number of logged blocks however many records a log holds, and a
 * record costs one binary search.
 */
#include "base/err.h"
#include "base/mutant.h"
#include "disk/jbd2.h"
#include "journal/recover.h"

#include <stdlib.h>

static int compare_tags(const void *a, const void *b)
{
	const struct recover_tag *x = a, *y = b;

	if (x->pblk != y->pblk)
		return x->pblk < y->pblk ? -1 : 1;
	return x->pos < y->pos ? -1 : x->pos > y->pos;
}

/* The oldest copy of pblk, or NULL. */
static struct recover_tag *first_copy(struct recovery *r, pblk_t pblk)
{
	u32 low = 0, high = r->tag_count;

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (r->tags[mid].pblk < pblk)
			low = mid + 1;
		else
			high = mid;
	}
	return low < r->tag_count && r->tags[low].pblk == pblk ? &r->tags[low] : NULL;
}

static void apply_record(struct recovery *r, pblk_t pblk, u32 seq)
{
	struct recover_tag *tag = first_copy(r, pblk);

	r->records++;
	if (!tag || MUTANT(REVOKE_IGNORED) ||
		(tag->flags & RECOVER_REVOKED && seq_geq(tag->revoke_seq, seq)))
		return;
	tag->flags |= RECOVER_REVOKED;
	tag->revoke_seq = seq;
}

static int apply_revoke_block(
	struct recovery *r, const struct recover_revoke_block *rb, const u8 *block)
{
	u32 used = be32_to_cpu(((const struct jbd2_revoke *)block)->r_count);
	u32 size = jbd2_record_size(r->incompat);
	u32 offset;

	if (used > r->block_size - r->tail_size) {
		log_msg(r->log, LOG_ERROR,
			"journal: transaction %u: revoke block at log block %u claims %u bytes",
			rb->seq, recover_log_block(r, rb->pos), used);
		return ERR(EUCLEAN);
	}
	for (offset = sizeof(struct jbd2_revoke); offset + size <= used; offset += size) {
		const void *record = block + offset;

		apply_record(r,
			size == sizeof(struct be64) ? be64_to_cpu(*(const struct be64 *)record)
						    : be32_to_cpu(*(const struct be32 *)record),
			rb->seq);
	}
	return 0;
}

/* How many revoke blocks from i on lie side by side in the log. */
static u32 adjacent(const struct recovery *r, u32 i)
{
	u32 n = 1;

	while (i + n < r->revoke_count && r->revokes[i + n].pos == r->revokes[i].pos + n)
		n++;
	return n;
}

int recover_revoke(struct recovery *r)
{
	u32 i;

	if (r->tag_count)
		qsort(r->tags, r->tag_count, sizeof(*r->tags), compare_tags);
	for (i = 0; i < r->revoke_count; i++) {
		const u8 *block;
		int err = recover_read(r, r->revokes[i].pos, adjacent(r, i), &block);

		if (err)
			log_msg(r->log, LOG_ERROR,
				"journal: revoke block at log block %u can't be read (error %d)",
				recover_log_block(r, r->revokes[i].pos), -err);
		else
			err = apply_revoke_block(r, &r->revokes[i], block);
		if (err)
			return err;
	}
	return 0;
}

/* RC-8: a copy that would be replayed must be intact, even if a newer one follows. */
static int check_copy(struct recovery *r, const struct recover_tag *tag)
{
	if (!(tag->flags & (RECOVER_BAD | RECOVER_UNREADABLE)))
		return 0;
	log_msg(r->log, LOG_ERROR,
		"journal: transaction %u: the copy of block %llu at log block %u %s; nothing was "
		"replayed",
		tag->seq, (unsigned long long)tag->pblk, recover_log_block(r, tag->pos),
		tag->flags & RECOVER_BAD ? "fails its checksum" : "can't be read");
	return tag->flags & RECOVER_BAD ? ERR(EBADMSG) : ERR(EIO);
}

/* The newest copy of the group [i, end) that is not revoked goes to *keep. */
static int select_copy(struct recovery *r, u32 i, u32 end, u32 *keep)
{
	const struct recover_tag first = r->tags[i];
	const struct recover_tag *newest = NULL;

	for (; i < end; i++) {
		const struct recover_tag *tag = &r->tags[i];
		int err;

		if (first.flags & RECOVER_REVOKED &&
			(MUTANT(REVOKE_FOR_EVER) || seq_geq(first.revoke_seq, tag->seq)))
			continue;
		err = check_copy(r, tag);
		if (err)
			return err;
		if (!newest || !MUTANT(REPLAY_OLDEST))
			newest = tag;
	}
	if (newest)
		r->tags[(*keep)++] = *newest;
	return 0;
}

int recover_select(struct recovery *r)
{
	u32 i, end, keep = 0;

	for (i = 0; i < r->tag_count; i = end) {
		int err;

		for (end = i + 1; end < r->tag_count && r->tags[end].pblk == r->tags[i].pblk;)
			end++;
		err = select_copy(r, i, end, &keep);
		if (err)
			return err;
	}
	r->tag_count = keep;
	return recover_check_targets(r);
}
