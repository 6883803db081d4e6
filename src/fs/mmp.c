/*
 * Multiple-mount protection (MD-21): a block whose sequence number a live
 * mount keeps changing, so that a second host sees that the first is there.
 * MMP writes are synchronous and never journaled. They begin before the replay,
 * which can take long, and end with the mount or with its shutdown (IO-62): then
 * the number stays, since requests may be under way, and the next mount waits
 * as after a crash.
 */
#include "disk/mmp.h"
#include "base/err.h"
#include "disk/features.h"
#include "fs/fs_priv.h"
#include "os/assert.h"
#include "os/mem.h"

#include <string.h>
#include <unistd.h>

#define MMP_INTERVAL_MIN 5u

struct mmp {
	struct fs *fs;
	struct super_info sb;	/* of the claim: the replay reads the superblock anew */
	struct ext4_mmp *block; /* one file system block; mmp thread, or nobody runs */
	u32 interval;		/* seconds between updates */
	u32 check_interval;
	struct os_thread *thread;
	struct os_mutex lock; /* rank LEAF */
	struct os_cond cond;
	bool stopping;	/* lock */
	bool lost;	/* lock: somebody else took over, or the block can't be written */
	u64 written_ns; /* mmp thread */
};

static int mmp_read(struct mmp *m, struct ext4_mmp *out)
{
	struct volume *v = &m->fs->volume;
	const char *why;
	int err = dev_read(v->dev, m->sb.mmp_block * m->sb.block_size, out, m->sb.block_size);

	if (!err)
		err = mmp_verify(&m->sb, out, &why);
	if (err)
		log_msg(&v->log, LOG_ERROR, "the MMP block %llu can't be used (%s); run e2fsck",
			(unsigned long long)m->sb.mmp_block, strerror(-err));
	return err;
}

static int mmp_write(struct mmp *m, u32 seq)
{
	struct volume *v = &m->fs->volume;
	struct ext4_mmp *b = m->block;

	b->mmp_seq = cpu_to_le32(seq);
	b->mmp_time = cpu_to_le64((u64)os_clock_wall().sec);
	b->mmp_check_interval = cpu_to_le16((u16)m->check_interval);
	mmp_csum_set(&m->sb, b);
	m->written_ns = os_clock_mono();
	return dev_write(v->dev, m->sb.mmp_block * m->sb.block_size, b, m->sb.block_size, DEV_FUA);
}

static u32 mmp_seq(const struct ext4_mmp *b)
{
	return le32_to_cpu(b->mmp_seq);
}

static int foreign(struct mmp *m, const struct ext4_mmp *b)
{
	log_msg(&m->fs->volume.log, LOG_ERROR,
		"the file system is in use by host \"%.64s\" on \"%.32s\"; unmount it there (or, "
		"if that host is gone, run e2fsck)",
		b->mmp_nodename, b->mmp_bdevname);
	return ERR(EBUSY);
}

/* Waits, then looks whether somebody else has changed the number meanwhile. */
static int wait_unchanged(struct mmp *m, u32 seq)
{
	u64 wait = min_of(2ull * m->check_interval + 1, m->check_interval + 60ull);
	int err;

	os_sleep_ns(wait * NSEC_PER_SEC);
	err = mmp_read(m, m->block);
	if (err)
		return err;
	return mmp_seq(m->block) == seq ? 0 : foreign(m, m->block);
}

static u32 random_seq(void)
{
	return (u32)(os_random() % EXT4_MMP_SEQ_MAX) + 1;
}

static void stamp_names(struct mmp *m)
{
	struct ext4_mmp *b = m->block;

	memset(b->mmp_nodename, 0, sizeof(b->mmp_nodename));
	gethostname((char *)b->mmp_nodename, sizeof(b->mmp_nodename) - 1);
	memset(b->mmp_bdevname, 0, sizeof(b->mmp_bdevname));
	memcpy(b->mmp_bdevname, "uext4", 5);
}

static int mmp_claim(struct mmp *m)
{
	u32 seq, found;
	int err = mmp_read(m, m->block);

	if (err)
		return err;
	found = mmp_seq(m->block);
	m->check_interval = max_of(m->interval, (u32)le16_to_cpu(m->block->mmp_check_interval));
	if (found == EXT4_MMP_SEQ_FSCK ||
		(found > EXT4_MMP_SEQ_MAX && found != EXT4_MMP_SEQ_CLEAN)) {
		log_msg(&m->fs->volume.log, LOG_ERROR,
			"e2fsck is running on the file system, or was interrupted: run it to the "
			"end");
		return ERR(EBUSY);
	}
	if (found != EXT4_MMP_SEQ_CLEAN) {
		log_msg(&m->fs->volume.log, LOG_WARNING,
			"the file system was not unmounted; waiting to see whether another host "
			"uses it");
		err = wait_unchanged(m, found);
		if (err)
			return err;
	}
	seq = random_seq();
	stamp_names(m);
	err = mmp_write(m, seq);
	if (err || found == EXT4_MMP_SEQ_CLEAN)
		return err;
	return wait_unchanged(m, seq);
}

static bool late(const struct mmp *m)
{
	return os_clock_mono() - m->written_ns > (u64)m->check_interval * NSEC_PER_SEC;
}

/* A late writer may have been taken for dead: it looks before it writes again. */
static int mmp_beat(struct mmp *m)
{
	u32 seq = mmp_seq(m->block);

	if (late(m)) {
		int err = mmp_read(m, m->block);

		if (err)
			return err;
		if (mmp_seq(m->block) != seq)
			return foreign(m, m->block);
	}
	return mmp_write(m, seq >= EXT4_MMP_SEQ_MAX ? 1 : seq + 1);
}

static bool shut_down(const struct mmp *m)
{
	return atomic_load_relaxed(&m->fs->volume.flags) & VOLUME_SHUTDOWN;
}

/* Nobody may write any more. Before the volume is live its mount asks for itself (mmp_check). */
static void mmp_give_up(struct mmp *m, int err)
{
	struct volume *v = &m->fs->volume;

	os_mutex_lock(&m->lock);
	m->lost = true;
	os_mutex_unlock(&m->lock);
	atomic_or(&v->flags, VOLUME_READ_ONLY);
	if (atomic_load_acq(&m->fs->live))
		journal_abort(v->journal, err);
}

static void mmp_thread(void *arg)
{
	struct mmp *m = arg;
	int err = 0;

	os_mutex_lock(&m->lock);
	while (!m->stopping && !shut_down(m) && !err) {
		u64 next = m->written_ns + (u64)m->interval * NSEC_PER_SEC;

		if (os_cond_wait_until(&m->cond, &m->lock, next))
			continue;
		if (m->stopping || shut_down(m))
			break;
		os_mutex_unlock(&m->lock);
		err = mmp_beat(m);
		os_mutex_lock(&m->lock);
	}
	os_mutex_unlock(&m->lock);
	if (err)
		mmp_give_up(m, err);
}

static void mmp_free(struct mmp *m)
{
	os_free_pages(m->block, m->sb.block_size);
	m->fs->mmp = NULL;
	os_free(m);
}

int mmp_start(struct fs *fs)
{
	struct volume *v = &fs->volume;
	struct mmp *m;
	int err;

	if (!(v->sb.feature_incompat & EXT4_FEATURE_INCOMPAT_MMP))
		return 0;
	m = os_zalloc(sizeof(*m));
	if (!m)
		return ERR(ENOMEM);
	m->fs = fs;
	m->sb = v->sb;
	m->interval = max_of(MMP_INTERVAL_MIN, (u32)v->sb.mmp_update_interval);
	os_mutex_init(&m->lock, RANK_LEAF, "mmp");
	os_cond_init(&m->cond, "mmp");
	fs->mmp = m;
	m->block = os_alloc_pages(v->sb.block_size);
	err = m->block ? mmp_claim(m) : ERR(ENOMEM);
	if (!err)
		err = os_thread_create(&m->thread, "mmp", mmp_thread, m);
	if (err)
		mmp_free(m);
	return err;
}

int mmp_check(struct fs *fs)
{
	bool lost;

	if (!fs->mmp)
		return 0;
	os_mutex_lock(&fs->mmp->lock);
	lost = fs->mmp->lost;
	os_mutex_unlock(&fs->mmp->lock);
	return lost ? ERR(EBUSY) : 0;
}

void mmp_halt(struct fs *fs)
{
	struct mmp *m = fs->mmp;

	if (!m || !m->thread)
		return;
	os_mutex_lock(&m->lock);
	m->stopping = true;
	os_cond_broadcast(&m->cond);
	os_mutex_unlock(&m->lock);
	os_thread_join(m->thread);
	m->thread = NULL;
}

void mmp_stop(struct fs *fs)
{
	struct mmp *m = fs->mmp;

	if (!m)
		return;
	mmp_halt(fs);
	if (!m->lost && !shut_down(m))
		(void)mmp_write(m, EXT4_MMP_SEQ_CLEAN);
	mmp_free(m);
}
