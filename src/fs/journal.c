/* Finding the journal of a file system, replaying it, keeping it attached. */
#include "base/err.h"
#include "disk/features.h"
#include "fs/fs_priv.h"
#include "os/mem.h"

#include <string.h>
#include <sys/stat.h>

static void journal_aborted_hook(void *arg, int err)
{
	struct fs *fs = arg;

	log_msg(&fs->volume.log, LOG_ERROR,
		"the journal stopped (%s); the file system is read-only now: unmount it and run "
		"e2fsck",
		strerror(-err));
}

/* What the device's superblock says of errors goes home with the copy from the log (MD-30). */
static void replaying_hook(void *arg, pblk_t pblk, void *block)
{
	struct fs *fs = arg;
	const struct super_info *sb = &fs->volume.sb;

	if (pblk == super_block_nr(sb))
		errors_keep(volume_super(&fs->volume), super_in_block(sb, block));
}

/* The journal inode's blocks as runs; it has no holes and starts at block 0 (JB-35). */
static int runs_load(struct volume *v, struct inode *i, struct journal_run **out, u32 *count)
{
	u32 blocks = (u32)min_of(inode_size(i) / v->sb.block_size, (u64)LBLK_MAX), cap = 0, n = 0;
	struct journal_run *runs = NULL;
	lblk_t at = 0;
	int err = 0;

	while (at < blocks) {
		struct mapping m;

		err = map_lookup(&i->map, at, blocks - at, &m);
		if (!err && m.state != MAP_WRITTEN)
			err = volume_error(v, ERR(EUCLEAN), i->ino, 0,
				"the journal has a hole at block %u; run e2fsck", at);
		if (err)
			break;
		if (n == cap) {
			struct journal_run *more;

			cap = cap ? 2 * cap : 16;
			more = os_realloc(runs, cap * sizeof(*runs));
			if (!more) {
				err = ERR(ENOMEM);
				break;
			}
			runs = more;
		}
		runs[n++] = (struct journal_run){at, m.len, m.pblk};
		at += m.len;
	}
	if (err) {
		os_free(runs);
		return err;
	}
	*out = runs;
	*count = n;
	return 0;
}

static int journal_inode_check(struct volume *v, struct inode *i)
{
	const char *bad = !inode_is(i, S_IFREG) ? "not a regular file"
			  : i->f.links == 0	? "deleted"
			  : i->f.flags & (EXT4_ENCRYPT_FL | EXT4_INLINE_DATA_FL) ? "of a wrong kind"
										 : NULL;

	if (!bad)
		return 0;
	return volume_error(v, ERR(EUCLEAN), i->ino, 0, "the journal inode is %s; run e2fsck", bad);
}

static int runs_from_inode(struct volume *v, struct journal_run **runs, u32 *count)
{
	struct inode *i;
	int err = inode_get_special(v, v->sb.journal_inum, &i);

	if (err)
		return err;
	err = journal_inode_check(v, i);
	if (!err)
		err = runs_load(v, i, runs, count);
	inode_put(i);
	return err;
}

/* The log's block numbers count the device's blocks; it begins behind the superblock. */
static int external_run(struct fs *fs, u32 blocks, struct journal_run *run)
{
	u32 start = fs->volume.sb.block_size == 1024 ? 2 : 1;

	if (blocks <= start) {
		log_msg(&fs->volume.log, LOG_ERROR, "the external journal device is too small");
		return ERR(EINVAL);
	}
	*run = (struct journal_run){start, blocks - start, start};
	return 0;
}

/* JB-37: the device must be a journal device and name our uuid. */
static int external_check(struct fs *fs, struct dev *dev, struct journal_run *run)
{
	struct volume *v = &fs->volume;
	struct ext4_super *s = os_alloc_pages(1024);
	int err;

	if (!s)
		return ERR(ENOMEM);
	err = dev_read(dev, 1024, s, 1024);
	if (!err &&
		(le16_to_cpu(s->s_magic) != EXT4_SUPER_MAGIC ||
			!(le32_to_cpu(s->s_feature_incompat) & EXT4_FEATURE_INCOMPAT_JOURNAL_DEV)))
		err = ERR(EINVAL);
	if (!err && memcmp(s->s_uuid, v->sb.journal_uuid, 16) != 0)
		err = ERR(EINVAL);
	if (err)
		log_msg(&v->log, LOG_ERROR,
			"the given device is not this file system's external journal (its uuid "
			"must be the one in the superblock)");
	else
		err = external_run(fs, le32_to_cpu(s->s_blocks_count_lo), run);
	os_free_pages(s, 1024);
	return err;
}

static int attach_external(struct fs *fs, struct journal_params *p)
{
	struct volume *v = &fs->volume;
	struct journal_run run;
	int err;

	if (!fs->options.journal_dev) {
		log_msg(&v->log, LOG_ERROR,
			"the journal is on another device: name it with the journal_path option");
		return ERR(EINVAL);
	}
	err = external_check(fs, fs->options.journal_dev, &run);
	if (err)
		return err;
	p->log_dev = fs->options.journal_dev;
	p->runs = &run;
	p->run_count = 1;
	return journal_open(p, &v->journal);
}

static int attach_internal(struct fs *fs, struct journal_params *p)
{
	struct volume *v = &fs->volume;
	struct journal_run *runs;
	u32 count;
	int err = runs_from_inode(v, &runs, &count);

	if (err)
		return err;
	p->log_dev = v->dev;
	p->runs = runs;
	p->run_count = count;
	err = journal_open(p, &v->journal);
	for (u32 k = 0; !err && k < count; k++)
		err = space_add_system_range(v, runs[k].pblk, runs[k].len, v->sb.journal_inum);
	os_free(runs);
	if (err && v->journal)
		fs_journal_detach(fs);
	return err;
}

int fs_journal_attach(struct fs *fs)
{
	struct volume *v = &fs->volume;
	struct journal_params p = {.fs_dev = v->dev,
		.sb = &v->sb,
		.bcache = v->bcache,
		.log = &v->log,
		.commit_interval_ms = fs->options.commit_interval_ms,
		.data_err_abort = fs->options.data_err_abort,
		.no_barrier = fs->options.no_barrier,
		.aborted = journal_aborted_hook,
		.replaying = replaying_hook,
		.arg = fs};

	if (fs->options.no_recovery || !super_has_journal(&v->sb))
		return journal_open(&p, &v->journal);
	return v->sb.journal_inum ? attach_internal(fs, &p) : attach_external(fs, &p);
}

void fs_journal_detach(struct fs *fs)
{
	if (fs->volume.journal)
		journal_destroy(fs->volume.journal);
	fs->volume.journal = NULL;
}

int fs_overlay(struct fs *fs)
{
	struct volume *v = &fs->volume;
	int err = fs->overlay ? 0 : dev_overlay_create(v->dev, false, &v->dev);

	if (!err)
		fs->overlay = true;
	return err;
}

/*
 * Replays into the device or the overlay. The caller brings everything down
 * afterwards and reads it anew.
 */
int fs_journal_replay(struct fs *fs)
{
	struct volume *v = &fs->volume;
	/* A read-only open leaves the image alone: it replays into memory (RC-12). */
	int err = fs->options.read_only ? fs_overlay(fs) : 0;

	if (!err)
		err = journal_recover(v->journal, v->dev, !fs->overlay);
	if (!err)
		fs->replayed = true;
	return err;
}
