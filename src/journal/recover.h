/*
 * Recovery, inside the journal room. One struct recovery lives through the steps
 *
 *   recover_scan     walks the log once, checks every checksum, lists the blocks
 *                    of complete transactions; finds the first unseen sequence
 *   recover_revoke   reads the revoke blocks of the same transactions
 *   recover_select   one copy per home block, targets validated, bad blocks refused
 *   recover_replay   writes the chosen copies home
 *
 * Nothing is written before recover_replay (RC-8, RC-10). All steps work on the
 * list that the scan made, so that they cannot disagree about the end of the log.
 *
 * A `pos` counts log blocks from the start of the log, along the ring: it orders
 * copies by age, and it never exceeds the ring's length (RC-4).
 */
#ifndef JOURNAL_RECOVER_H
#define JOURNAL_RECOVER_H

#include "disk/jbd2_format.h"
#include "journal/journal_priv.h"

enum {
	RECOVER_ESCAPED = 1, /* the first four bytes are the magic (JB-12) */
	RECOVER_BAD = 2,     /* the copy fails its checksum */
	RECOVER_UNREADABLE = 4,
	RECOVER_REVOKED = 8, /* revoke_seq is valid; on the oldest copy of a home block */
};

/* One block copy in the log. */
struct recover_tag {
	pblk_t pblk; /* its home */
	u32 pos;
	u32 seq;
	u32 revoke_seq; /* newest revoke of pblk */
	u32 flags;
};

/* One revoke block. */
struct recover_revoke_block {
	u32 pos;
	u32 seq;
};

struct recovery {
	struct journal *j;
	const struct log_sink *log;
	struct dev *target;
	u32 block_size;
	u32 incompat;  /* the journal's feature word, for tags and records */
	u32 tail_size; /* bytes of the checksum at the end of descriptors and revoke blocks */
	u32 start;     /* first log block */
	u32 start_seq;
	u32 ring_len;

	u8 *window; /* log blocks read ahead: [window_pos, window_pos + window_len) */
	u32 window_max, window_pos, window_len;

	struct recover_tag *tags; /* scan: in log order; later: by home block */
	u32 tag_count, tag_max;
	struct recover_revoke_block *revokes;
	u32 revoke_count, revoke_max;
	u64 records; /* revoke records read */

	u32 end_seq; /* first unseen sequence */
	u32 end_pos; /* behind the last complete transaction */
};

/* Log block number of a position. */
static inline u32 recover_log_block(const struct recovery *r, u32 pos)
{
	return log_next(r->j, r->start, pos);
}

/*
 * *block points into the window, valid until the next call. want >= 1: how many
 * blocks from pos on the caller is going to read. An error is the caller's to report.
 */
int recover_read(struct recovery *r, u32 pos, u32 want, const u8 **block);

int recover_scan(struct recovery *r);
int recover_revoke(struct recovery *r);
int recover_select(struct recovery *r);
int recover_replay(struct recovery *r);

/* RC-10: every chosen copy goes to a block of the file system, none into the log. */
int recover_check_targets(struct recovery *r);

/* One more element for the array at *items of *max elements; -ENOMEM. */
int recover_grow(void **items, u32 *max, u32 count, size_t size);

#endif
