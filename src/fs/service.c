/* What a mounted file system offers as a whole: sync, statfs, remount, shutdown. */
#include "base/err.h"
#include "fs/fs_priv.h"

int volume_sync(struct volume *v)
{
	bool flushed = false;
	int err = page_cache_sync(v->pages), meta_err;

	meta_err = journal_exists(v->journal) ? journal_commit_all(v->journal, &flushed)
					      : journal_write_dirty(v->journal);
	if (!meta_err && !flushed && !(atomic_load_relaxed(&v->flags) & VOLUME_NO_BARRIER))
		meta_err = dev_flush(v->dev);
	return err ? err : meta_err;
}

/* IO-94. What the flusher met since the last sync is told here, once (IO-91). */
int fs_sync(struct fs *fs)
{
	int err = volume_check(&fs->volume), seen;

	if (err || !atomic_load_acq(&fs->live))
		return err;
	err = volume_sync(&fs->volume);
	seen = page_cache_error_check(fs->volume.pages, &fs->sync_cursor);
	return seen ? seen : err;
}

/* Without a journal a free is durable when the tables are (AL-5). */
static int trim_begin(struct volume *v)
{
	int err;

	if (journal_exists(v->journal))
		return 0;
	err = journal_write_dirty(v->journal);
	return err ? err : dev_flush(v->dev);
}

int fs_trim(struct fs *fs, u64 start, u64 len, u64 min_len, u64 *trimmed)
{
	struct volume *v = &fs->volume;
	u32 bs = v->sb.block_size;
	u64 blocks = 0;
	int err = volume_check_write(v);

	*trimmed = 0;
	if (err)
		return err;
	if (!v->dev->info.can_discard)
		return ERR(EOPNOTSUPP);
	if (start / bs >= v->sb.blocks_count || len < bs || min_len / bs > v->sb.blocks_per_group)
		return ERR(EINVAL);
	os_rwsem_lock_shared(&fs->mount_lock);
	err = trim_begin(v);
	if (!err)
		err = space_trim(v, start / bs, len / bs, min_len / bs, &blocks);
	os_rwsem_unlock_shared(&fs->mount_lock);
	*trimmed = blocks * bs;
	return err;
}

/* As Linux's statfs: blocks without the overhead, what the reserves leave to ordinary users. */
void fs_statfs(struct fs *fs, struct fs_counts *out)
{
	struct space_counts c;
	u64 kept;

	space_counts(&fs->volume, &c);
	kept = c.reserved_root + c.reserved_internal;
	*out = (struct fs_counts){.blocks = c.blocks - min_of(c.overhead, c.blocks),
		.free_blocks = c.free_blocks - min_of(c.claimed, c.free_blocks),
		.inodes = c.inodes,
		.free_inodes = c.free_inodes};
	out->available_blocks = out->free_blocks - min_of(kept, out->free_blocks);
}

static int remount_check(struct fs *fs, bool read_only)
{
	struct volume *v = &fs->volume;

	if (read_only)
		return 0;
	if (fs->overlay || fs->options.no_recovery || fs->dev_read_only) {
		log_msg(&v->log, LOG_ERROR,
			"opened from a read-only or unrecovered image: unmount and mount "
			"read-write");
		return ERR(EROFS);
	}
	if (journal_aborted(v->journal) || fs->had_errors) {
		log_msg(&v->log, LOG_ERROR, "errors were found: unmount and run e2fsck first");
		return ERR(EROFS);
	}
	return 0;
}

/* As on Linux, a file without a name that is held keeps the mount writable: its end is a change. */
static int go_read_only(struct fs *fs)
{
	struct volume *v = &fs->volume;

	atomic_or(&v->flags, VOLUME_DRAINING);
	icache_barrier(v); /* who looked at the flag before, under an inode lock, is done now */
	icache_shrink(v, 0);
	if (orphans_pending(v)) {
		atomic_and(&v->flags, ~(u32)VOLUME_DRAINING);
		return ERR(EBUSY);
	}
	atomic_or(&v->flags, VOLUME_READ_ONLY);
	atomic_and(&v->flags, ~(u32)VOLUME_DRAINING);
	fs->options.read_only = true;
	return fs_go_quiet(fs);
}

static int remount_to(struct fs *fs, bool read_only)
{
	struct volume *v = &fs->volume;
	char text[256];
	int err;

	if (read_only == !fs->live)
		return 0;
	if (read_only)
		return go_read_only(fs);
	err = super_check_features(&v->sb, true, text, sizeof(text));
	if (err) {
		log_msg(&v->log, LOG_ERROR, "%s", text);
		return err;
	}
	err = mmp_start(fs);
	if (err)
		return err;
	fs->options.read_only = false;
	err = fs_go_live(fs);
	if (err) {
		fs->options.read_only = true;
		mmp_stop(fs);
	}
	return err;
}

int fs_remount(struct fs *fs, bool read_only)
{
	int err = volume_check(&fs->volume);

	if (!err)
		err = remount_check(fs, read_only);
	if (err)
		return err;
	os_rwsem_lock(&fs->mount_lock);
	err = remount_to(fs, read_only);
	os_rwsem_unlock(&fs->mount_lock);
	return err;
}

/* IO-62. The journal is aborted in every case; what differs is what is saved before. */
int fs_shutdown(struct fs *fs, enum fs_shutdown how)
{
	struct volume *v = &fs->volume;
	int err = volume_check(v);

	if (err)
		return err;
	os_rwsem_lock(&fs->mount_lock);
	if (fs->live && how == FS_SHUTDOWN_SYNC)
		err = volume_sync(v);
	else if (fs->live && how == FS_SHUTDOWN_LOGFLUSH)
		err = journal_commit_all(v->journal, NULL);
	atomic_or(&v->flags, VOLUME_SHUTDOWN);
	if (fs->live)
		journal_abort(v->journal, -ESHUTDOWN);
	itable_stop(fs);
	mmp_halt(fs);
	os_rwsem_unlock(&fs->mount_lock);
	return err;
}
