/*
 * Fast commits: logical changes that follow the last full commit, in an area
 * of their own behind the ring. They count only when the first block of that
 * area begins with a head record that names the first unseen transaction
 * (RC-17). If it does, replaying the log alone would drop fsynced data, so the
 * log is refused; if not, they belong to a transaction that has since been
 * committed in full, or were never complete, and the log is all there is.
 */
#include "base/err.h"
#include "disk/fastcommit_format.h"
#include "journal/recover_fc.h"

static bool is_head_of(const u8 *block, u32 seq)
{
	const struct ext4_fc_tl *tl = (const void *)block;
	const struct ext4_fc_head *head = (const void *)(block + sizeof(*tl));

	return le16_to_cpu(tl->fc_tag) == EXT4_FC_HEAD &&
	       le16_to_cpu(tl->fc_len) >= sizeof(*head) && le32_to_cpu(head->fc_tid) == seq;
}

int recover_check_fast_commits(struct recovery *r)
{
	struct journal *j = r->j;
	pblk_t pblk;
	int err;

	/* JB-36: one unused block lies between the ring and the area. */
	if (!j->fast_commit || j->log_end + 1 >= j->maxlen)
		return 0;
	err = log_map(j, j->log_end + 1, &pblk);
	if (!err)
		err = dev_read(j->p.log_dev, pblk * r->block_size, r->window, r->block_size);
	r->window_len = 0;
	if (err) {
		log_msg(r->log, LOG_ERROR, "journal: fast-commit block %u can't be read (error %d)",
			j->log_end + 1, -err);
		return err;
	}
	if (!is_head_of(r->window, r->end_seq))
		return 0;
	log_msg(r->log, LOG_ERROR,
		"journal: fast commits of transaction %u (log block %u) hold data that can't be "
		"replayed here; mount the file system once with Linux, or run e2fsck",
		r->end_seq, j->log_end + 1);
	return ERR(EOPNOTSUPP);
}
