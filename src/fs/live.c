/*
 * To read-write service and back: the superblock marks, the journal's threads,
 * orphans. Order by MD-9 and MD-11.
 */
#include "base/err.h"
#include "base/mutant.h"
#include "disk/features.h"
#include "fs/fs_priv.h"
#include "os/assert.h"

#include <string.h>

static void mark_wtime(struct ext4_super *s, struct os_time now)
{
	s->s_wtime = cpu_to_le32((u32)now.sec);
	s->s_wtime_hi = (u8)(now.sec >> 32);
}

static void flag_set(struct le32 *word, u32 bit, bool on)
{
	u32 v = le32_to_cpu(*word);

	*word = cpu_to_le32(on ? v | bit : v & ~bit);
}

/* One durable superblock write before the first log write (MD-9, MD-10). */
static int mark_mounted(struct fs *fs)
{
	struct volume *v = &fs->volume;
	struct ext4_super *s = volume_super(v);
	struct os_time now = os_clock_wall();

	os_mutex_lock(&v->super_lock);
	s->s_mnt_count = cpu_to_le16((u16)(le16_to_cpu(s->s_mnt_count) + 1));
	s->s_mtime = cpu_to_le32((u32)now.sec);
	s->s_mtime_hi = (u8)(now.sec >> 32);
	mark_wtime(s, now);
	if (journal_stored_errno(v->journal))
		fs->had_errors = true; /* RC-15: orphans are not trusted either */
	if (fs->had_errors)
		s->s_state = cpu_to_le16(le16_to_cpu(s->s_state) | EXT4_STATE_ERROR);
	if (journal_exists(v->journal))
		flag_set(&s->s_feature_incompat, EXT4_FEATURE_INCOMPAT_RECOVER,
			!MUTANT(RECOVER_FLAG_MISSING));
	else
		s->s_state = cpu_to_le16(le16_to_cpu(s->s_state) & ~EXT4_STATE_VALID);
	if (super_has_orphan_file(&v->sb))
		flag_set(&s->s_feature_ro_compat, EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT, true);
	os_mutex_unlock(&v->super_lock);
	return super_write_direct(fs);
}

/* After the journal is empty: the last write of a clean unmount (MD-11). */
static int mark_unmounted(struct fs *fs, bool orphans_left)
{
	struct volume *v = &fs->volume;
	struct ext4_super *s = volume_super(v);

	os_mutex_lock(&v->super_lock);
	space_store_counts(v);
	mark_wtime(s, os_clock_wall());
	flag_set(&s->s_feature_incompat, EXT4_FEATURE_INCOMPAT_RECOVER, false);
	if (!orphans_left)
		flag_set(&s->s_feature_ro_compat, EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT, false);
	if (!journal_exists(v->journal) && fs->was_valid)
		s->s_state = cpu_to_le16(le16_to_cpu(s->s_state) | EXT4_STATE_VALID);
	os_mutex_unlock(&v->super_lock);
	return super_write_direct(fs);
}

static int orphans_finish(struct fs *fs)
{
	struct volume *v = &fs->volume;
	struct orphan_report report = {0};
	int err = MUTANT(ORPHANS_NOT_FINISHED) ? 0 : orphans_cleanup(v, fs->had_errors, &report);

	if (err)
		return err;
	if (report.deleted + report.truncated + report.skipped)
		log_msg(&v->log, LOG_INFO,
			"finished what was interrupted: %u deleted, %u truncated, %u skipped",
			report.deleted, report.truncated, report.skipped);
	return 0;
}

int fs_go_live(struct fs *fs)
{
	struct volume *v = &fs->volume;
	int err;

	fs->was_valid = v->sb.state & EXT4_STATE_VALID;
	/* Whatever refuses the image is asked before the first write. */
	err = space_check_writable(v);
	if (!err)
		err = mmp_check(fs);
	if (!err)
		err = orphans_create(v);
	if (err)
		return err;
	/* MD-10: without the recover flag nobody may ever replay what the log holds. */
	err = journal_is_dirty(v->journal) ? journal_discard(v->journal) : 0;
	if (!err)
		err = mark_mounted(fs);
	if (!err)
		err = journal_run(v->journal);
	if (err)
		goto out_orphans;
	atomic_and(&v->flags, ~(u32)VOLUME_READ_ONLY);
	atomic_store_rel(&fs->live, true);
	err = mmp_check(fs); /* else the mmp thread sees that we are live */
	if (!err)
		err = orphans_finish(fs);
	if (!err)
		err = itable_start(fs);
	if (err)
		goto out_journal;
	errors_kick(fs);
	return 0;
out_journal:
	atomic_store_rel(&fs->live, false);
	atomic_or(&v->flags, VOLUME_READ_ONLY);
	journal_stop(v->journal);
out_orphans:
	orphans_destroy(v);
	icache_shrink(v, 0); /* what knows of records */
	return err;
}

/*
 * Everything written, log empty, superblock clean; after an abort it stays marked for recovery.
 * Data that was lost since the last sync, say by the flusher, is told (IO-91).
 */
int fs_go_quiet(struct fs *fs)
{
	struct volume *v = &fs->volume;
	bool orphans_left;
	int err, stop_err, lost;

	itable_stop(fs);
	err = page_cache_sync(v->pages);
	icache_shrink(v, 0);
	orphans_left = !orphans_empty(v);
	orphans_destroy(v);
	os_workqueue_flush(fs->works);
	if (MUTANT(CLEAN_TOO_EARLY))
		(void)mark_unmounted(fs, orphans_left);
	stop_err = journal_stop(v->journal);
	space_quiesce(v);
	if (!stop_err && !journal_aborted(v->journal))
		stop_err = mark_unmounted(fs, orphans_left);
	atomic_store_rel(&fs->live, false);
	atomic_or(&v->flags, VOLUME_READ_ONLY);
	mmp_stop(fs);
	lost = page_cache_error_check(v->pages, &fs->sync_cursor);
	err = err ? err : lost;
	return err ? err : stop_err;
}
