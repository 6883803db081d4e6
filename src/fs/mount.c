/* Mounting and unmounting; fs.h gives the order and its reasons. */
#include "base/err.h"
#include "disk/features.h"
#include "fs/fs_priv.h"
#include "os/assert.h"
#include "os/mem.h"

#include <string.h>
#include <sys/stat.h>

static u32 volume_flags(const struct fs_options *o)
{
	return VOLUME_READ_ONLY | (o->grpid ? VOLUME_GRPID : 0) | (o->no_acl ? VOLUME_NO_ACL : 0) |
	       (o->no_user_xattr ? VOLUME_NO_XATTR_USER : 0) |
	       (o->no_barrier ? VOLUME_NO_BARRIER : 0) | (o->discard ? VOLUME_DISCARD : 0);
}

static int options_check(struct fs *fs)
{
	const struct fs_options *o = &fs->options;

	if (!o->read_only && fs->lower->info.read_only) {
		log_msg(&o->log, LOG_ERROR, "the device is read-only: mount read-only");
		return ERR(EROFS);
	}
	if (o->no_recovery && !o->read_only) {
		log_msg(&o->log, LOG_ERROR, "noload needs a read-only mount");
		return ERR(EINVAL);
	}
	if (o->superblock && !o->read_only) {
		log_msg(&o->log, LOG_ERROR, "a backup superblock needs a read-only mount");
		return ERR(EINVAL);
	}
	return 0;
}

static void fs_init(struct fs *fs, struct dev *dev, const struct fs_options *opt)
{
	struct volume *v = &fs->volume;

	fs->options = *opt;
	fs->lower = dev;
	fs->dev_read_only = dev->info.read_only;
	v->dev = dev;
	v->log = opt->log;
	v->ops = &fs_volume_ops;
	v->flags = volume_flags(opt);
	os_mutex_init(&v->super_lock, RANK_INODE_META, "super");
	os_rwsem_init(&fs->mount_lock, RANK_MOUNT, "mount");
}

/* The state that says whether the superblock's free counts can be believed (MD-12). */
static bool counts_trusted(const struct fs *fs)
{
	const struct super_info *sb = &fs->volume.sb;

	return !fs->replayed && sb->state & EXT4_STATE_VALID && !(sb->state & EXT4_STATE_ERROR) &&
	       !(sb->feature_incompat & EXT4_FEATURE_INCOMPAT_RECOVER);
}

static int all_up(struct fs *fs)
{
	int err = super_load(fs);

	if (err)
		return err;
	fs->had_errors = fs->volume.sb.state & EXT4_STATE_ERROR;
	err = volume_up(fs, counts_trusted(fs));
	if (err)
		return err;
	err = fs_journal_attach(fs);
	if (err)
		volume_down(fs);
	return err;
}

/* Inodes may be on the journal's lists: they go first. */
static void all_down(struct fs *fs)
{
	icache_shrink(&fs->volume, 0);
	fs_journal_detach(fs);
	volume_down(fs);
}

static bool needs_replay(struct fs *fs)
{
	/* A backup superblock does not tell whether the log is needed. */
	bool marked = fs->volume.sb.feature_incompat & EXT4_FEATURE_INCOMPAT_RECOVER ||
		      fs->options.superblock;

	return marked && journal_exists(fs->volume.journal) && journal_is_dirty(fs->volume.journal);
}

/* RC-1: what was read before the replay is dropped; the journal must still be the same one. */
static int recover(struct fs *fs)
{
	u32 inum = fs->volume.sb.journal_inum;
	int err = fs_journal_replay(fs);

	all_down(fs);
	if (err)
		return err;
	errors_forget(fs);
	err = all_up(fs);
	if (err)
		return err;
	if (fs->volume.sb.journal_inum == inum)
		return 0;
	log_msg(&fs->volume.log, LOG_ERROR,
		"the replayed superblock names another journal inode; run e2fsck");
	all_down(fs);
	return ERR(EUCLEAN);
}

static int root_check(struct volume *v)
{
	struct inode *root;
	int err = inode_get(v, EXT4_ROOT_INO, &root);

	if (err) {
		log_msg(&v->log, LOG_ERROR, "the root directory can't be read; run e2fsck");
		return err;
	}
	if (!inode_is(root, S_IFDIR) || inode_size(root) == 0 || root->f.blocks == 0)
		err = root->f.flags & EXT4_INLINE_DATA_FL && inode_is(root, S_IFDIR)
			      ? 0
			      : volume_error(v, ERR(EUCLEAN), root->ino, 0,
					"the root is not a directory; run e2fsck");
	inode_put(root);
	return err;
}

static int serve(struct fs *fs)
{
	int err = root_check(&fs->volume);

	if (err || fs->options.read_only)
		return err;
	return fs_go_live(fs);
}

/* The caller keeps its device when the mount fails. */
static void overlay_drop(struct fs *fs)
{
	if (!fs->overlay)
		return;
	dev_overlay_detach(fs->volume.dev);
	fs->volume.dev = fs->lower;
}

int fs_mount(struct dev *dev, const struct fs_options *opt, struct fs **out)
{
	struct fs *fs = os_zalloc(sizeof(*fs));
	int err;

	if (!fs)
		return ERR(ENOMEM);
	fs_init(fs, dev, opt);
	err = options_check(fs);
	if (!err)
		err = errors_init(fs);
	if (err)
		goto out_free;
	err = opt->superblock ? backup_install(fs) : 0;
	if (!err)
		err = all_up(fs);
	if (err)
		goto out_errors;
	if (!opt->read_only) {
		err = mmp_start(fs);
		if (err)
			goto out_down;
	}
	if (needs_replay(fs)) {
		err = recover(fs);
		if (err)
			goto out_errors;
	}
	err = serve(fs);
	if (err)
		goto out_down;
	*out = fs;
	return 0;
out_down:
	mmp_halt(fs);
	os_workqueue_flush(fs->works);
	icache_shrink(&fs->volume, 0);
	all_down(fs);
out_errors:
	mmp_stop(fs);
	errors_fini(fs);
	overlay_drop(fs);
out_free:
	os_free(fs);
	return err;
}

static void root_drop(struct fs *fs)
{
	struct inode *root = atomic_xchg(&fs->root, NULL);

	if (root)
		inode_put(root);
}

int fs_unmount(struct fs *fs)
{
	struct volume *v = &fs->volume;
	struct dev *journal_dev = fs->options.journal_dev;
	u32 held;
	int err = 0;

	root_drop(fs);
	page_cache_quiesce(v->pages); /* what is still pinned is held by the caller */
	held = icache_shrink(v, UINT32_MAX);
	page_cache_resume(v->pages);
	if (held > 0)
		return ERR(EBUSY);
	if (fs->live)
		err = fs_go_quiet(fs);
	else
		icache_shrink(v, 0);
	os_workqueue_flush(fs->works);
	all_down(fs);
	errors_fini(fs);
	dev_close(v->dev);
	dev_close(journal_dev);
	os_free(fs);
	return err;
}
