/*
 * Scan: from the journal superblock's start to the end of the log.
 *
 * A block continues the log when it carries the magic and the expected
 * sequence; a commit block completes its transaction. Everything else is the
 * end, without error (RC-3): what follows was never finished, or is left from
 * an earlier round. Stale blocks may carry the expected sequence by chance
 * (RC-13); wrong checksums together with a commit time that went back show
 * them (RC-7). The same with a time that did not go back is damage.
 *
 * What the transaction at hand contributed is kept only when its commit block
 * is accepted.
 */
#include "base/crc.h"
#include "base/err.h"
#include "base/mutant.h"
#include "disk/jbd2.h"
#include "journal/recover.h"
#include "os/mem.h"

#include <string.h>

/* Results of the steps besides 0 and errors. */
#define LOG_ENDS 1

struct scan {
	struct recovery *r;
	u32 pos;		     /* next block */
	u32 seq;		     /* transaction at hand */
	u32 tags_done, revokes_done; /* of complete transactions */
	u64 commit_sec;		     /* of the newest complete transaction */
	bool suspect;		     /* a descriptor or revoke block fails its checksum */
	u32 suspect_pos;
	bool torn; /* async commit: transaction torn_seq fails its checksum */
	u32 torn_seq, torn_pos;
	u32 crc; /* v1: over descriptors and data of the transaction */
	u8 *descriptor;
};

static void check_tail(struct scan *s, const u8 *block)
{
	if (!s->r->tail_size || s->suspect ||
		jbd2_tail_csum_ok(s->r->j->csum_seed, block, s->r->block_size))
		return;
	s->suspect = true;
	s->suspect_pos = s->pos;
}

/* Looks at a logged block as far as the log's kind of checksum asks for it. */
static void check_data(struct scan *s, struct recover_tag *tag, const struct jbd2_tag *info)
{
	struct recovery *r = s->r;
	const struct journal *j = r->j;
	const u8 *data;

	if (j->csum == JOURNAL_CSUM_NONE)
		return;
	/* Whether an unreadable block matters is known when its transaction is complete. */
	if (recover_read(r, tag->pos, r->window_max, &data)) {
		tag->flags |= RECOVER_UNREADABLE;
		return;
	}
	if (j->csum == JOURNAL_CSUM_V1)
		s->crc = crc32_be(s->crc, data, r->block_size);
	else if (!jbd2_tag_csum_ok(j->csum_seed, s->seq, data, r->block_size, info))
		tag->flags |= RECOVER_BAD;
}

static int add_tag(struct scan *s, const struct jbd2_tag *info)
{
	struct recovery *r = s->r;
	struct recover_tag *tag;
	int err = recover_grow((void **)&r->tags, &r->tag_max, r->tag_count, sizeof(*tag));

	if (err)
		return err;
	tag = &r->tags[r->tag_count++];
	*tag = (struct recover_tag){.pblk = info->blocknr, .pos = s->pos, .seq = s->seq};
	if (info->flags & JBD2_FLAG_ESCAPE)
		tag->flags = RECOVER_ESCAPED;
	check_data(s, tag, info);
	s->pos++;
	return 0;
}

static int scan_descriptor(struct scan *s, const u8 *block)
{
	struct recovery *r = s->r;
	struct jbd2_tag_iter it;
	struct jbd2_tag info;
	int err;

	check_tail(s, block);
	if (r->j->csum == JOURNAL_CSUM_V1)
		s->crc = crc32_be(s->crc, block, r->block_size);
	memcpy(s->descriptor, block, r->block_size);
	s->pos++;
	jbd2_tag_iter_init(&it, s->descriptor, r->block_size, r->incompat);
	while (jbd2_tag_next(&it, &info)) {
		/* RC-4: no transaction is longer than the ring. */
		if (s->pos >= r->ring_len)
			return LOG_ENDS;
		err = add_tag(s, &info);
		if (err)
			return err;
	}
	return 0;
}

static int scan_revoke(struct scan *s, const u8 *block)
{
	struct recovery *r = s->r;
	int err = recover_grow(
		(void **)&r->revokes, &r->revoke_max, r->revoke_count, sizeof(*r->revokes));

	if (err)
		return err;
	check_tail(s, block);
	r->revokes[r->revoke_count++] = (struct recover_revoke_block){s->pos, s->seq};
	s->pos++;
	return 0;
}

static int refuse(struct scan *s, u32 seq, u32 pos, const char *what)
{
	log_msg(s->r->log, LOG_ERROR,
		"journal: transaction %u is corrupt: the %s at log block %u fails its checksum; "
		"nothing was replayed",
		seq, what, recover_log_block(s->r, pos));
	return ERR(EBADMSG);
}

/* v1: a commit without checksum is as good as one that matches. */
static bool commit_v1_ok(const struct scan *s, const struct jbd2_commit *c)
{
	u32 stored = be32_to_cpu(c->c_chksum[0]);

	if (c->c_chksum_type == 0 && c->c_chksum_size == 0 && stored == 0)
		return true;
	return c->c_chksum_type == JBD2_CHECKSUM_CRC32 && c->c_chksum_size == sizeof(stored) &&
	       stored == s->crc;
}

static bool commit_ok(struct scan *s, const u8 *block)
{
	struct recovery *r = s->r;
	u32 seed = r->j->csum_seed;

	switch (r->j->csum) {
	case JOURNAL_CSUM_NONE:
		return true;
	case JOURNAL_CSUM_V1:
		return commit_v1_ok(s, (const void *)block);
	default:
		if (jbd2_commit_csum_ok(seed, block, r->block_size))
			return true;
	}
	/* RC-6: the device took the commit's first sector; that is all it needs. */
	if (!jbd2_commit_csum_partial_ok(seed, block, r->block_size))
		return false;
	log_msg(r->log, LOG_WARNING,
		"journal: transaction %u: the commit record at log block %u was written in part; "
		"taken as complete",
		s->seq, recover_log_block(r, s->pos));
	return true;
}

static void accept(struct scan *s, u64 sec)
{
	s->commit_sec = sec;
	s->tags_done = s->r->tag_count;
	s->revokes_done = s->r->revoke_count;
	s->r->end_pos = s->pos;
}

/*
 * A bad commit: stale (RC-7), torn by async commit, or damage. With async
 * commit the last transaction may lack data that its record covers (JB-24);
 * a commit that follows it proves that it was durable once.
 */
static int bad_commit(struct scan *s, u64 sec)
{
	if (sec < s->commit_sec)
		return LOG_ENDS;
	if (!(s->r->incompat & JBD2_FEATURE_INCOMPAT_ASYNC_COMMIT))
		return refuse(s, s->seq, s->pos, "commit record");
	s->torn = true;
	s->torn_seq = s->seq;
	s->torn_pos = s->pos;
	s->pos++;
	s->seq++;
	return 0;
}

static int scan_commit(struct scan *s, const u8 *block)
{
	u64 sec = be64_to_cpu(((const struct jbd2_commit *)block)->c_commit_sec);

	if (s->suspect)
		return sec < s->commit_sec ? LOG_ENDS
					   : refuse(s, s->seq, s->suspect_pos, "descriptor");
	if (s->torn)
		return refuse(s, s->torn_seq, s->torn_pos, "commit record");
	if (!commit_ok(s, block))
		return bad_commit(s, sec);
	s->pos++;
	s->seq++;
	s->crc = ~0u;
	accept(s, sec);
	return 0;
}

static int scan_block(struct scan *s, const u8 *block)
{
	switch (jbd2_header_type(block, s->seq)) {
	case JBD2_DESCRIPTOR:
		return scan_descriptor(s, block);
	case JBD2_REVOKE:
		return scan_revoke(s, block);
	case JBD2_COMMIT:
		return scan_commit(s, block);
	default:
		return LOG_ENDS;
	}
}

static int scan_log(struct scan *s)
{
	int err = 0;

	while (!err && s->pos < s->r->ring_len) {
		const u8 *block;

		err = recover_read(s->r, s->pos, s->r->window_max, &block);
		if (err)
			log_msg(s->r->log, LOG_ERROR,
				"journal: log block %u can't be read (error %d)",
				recover_log_block(s->r, s->pos), -err);
		else
			err = scan_block(s, block);
	}
	return err == LOG_ENDS ? 0 : err;
}

int recover_scan(struct recovery *r)
{
	struct scan s = {.r = r, .seq = r->start_seq, .crc = ~0u};
	int err;

	s.descriptor = os_alloc(r->block_size);
	if (!s.descriptor)
		return ERR(ENOMEM);
	err = scan_log(&s);
	os_free(s.descriptor);
	r->tag_count = MUTANT(REPLAY_UNFINISHED) ? r->tag_count : s.tags_done;
	r->revoke_count = s.revokes_done;
	r->end_seq = s.torn ? s.torn_seq : s.seq;
	return err;
}
