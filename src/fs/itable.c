/*
 * The thread that zeroes inode tables in the background (AL-9), as Linux does: a piece, then a
 * pause of ten times as long, until the tables of all groups in memory are done. On a volume so
 * large that its groups load on demand, the others stay as they are: nobody needs them zeroed.
 */
#include "base/err.h"
#include "fs/fs_priv.h"
#include "os/mem.h"

#define PAUSE_FACTOR 10
#define PAUSE_MIN_NS (NSEC_PER_MSEC)

struct itable {
	struct fs *fs;
	struct os_thread *thread;
	struct os_mutex lock; /* rank LEAF */
	struct os_cond cond;
	bool stopping; /* lock */
};

static bool stopped_locked(const struct itable *t)
{
	return t->stopping ||
	       atomic_load_acq(&t->fs->volume.flags) & (VOLUME_SHUTDOWN | VOLUME_READ_ONLY);
}

/* False: it is over. */
static bool rest(struct itable *t, u64 ns)
{
	u64 until = os_clock_mono() + max_of(ns, (u64)PAUSE_MIN_NS);
	bool stopped;

	os_mutex_lock(&t->lock);
	while (!stopped_locked(t) && os_cond_wait_until(&t->cond, &t->lock, until))
		continue;
	stopped = stopped_locked(t);
	os_mutex_unlock(&t->lock);
	return !stopped;
}

/* 1: the group is done; 0: told to stop; or an error. */
static int zero_group(struct itable *t, group_nr nr)
{
	u32 pos = 0;
	int r;

	do {
		u64 start = os_clock_mono();

		r = space_itable_zero(&t->fs->volume, nr, &pos);
		if (r > 0 && !rest(t, PAUSE_FACTOR * (os_clock_mono() - start)))
			return 0;
	} while (r > 0);
	return r < 0 ? r : 1;
}

static void itable_thread(void *arg)
{
	struct itable *t = arg;
	struct volume *v = &t->fs->volume;
	int r = rest(t, 0);

	for (group_nr nr = 0; r > 0 && nr < v->sb.group_count; nr++)
		r = zero_group(t, nr);
	if (r < 0 && r != -EROFS)
		log_msg(&v->log, LOG_WARNING, "zeroing inode tables ended with error %d", -r);
}

int itable_start(struct fs *fs)
{
	struct itable *t;
	int err;

	if (fs->options.noinit_itable || !space_itables_pending(&fs->volume))
		return 0;
	t = os_zalloc(sizeof(*t));
	if (!t)
		return ERR(ENOMEM);
	t->fs = fs;
	os_mutex_init(&t->lock, RANK_LEAF, "itable");
	os_cond_init(&t->cond, "itable");
	err = os_thread_create(&t->thread, "itable", itable_thread, t);
	if (err)
		os_free(t);
	else
		fs->itable = t;
	return err;
}

void itable_stop(struct fs *fs)
{
	struct itable *t = fs->itable;

	if (!t)
		return;
	os_mutex_lock(&t->lock);
	t->stopping = true;
	os_cond_broadcast(&t->cond);
	os_mutex_unlock(&t->lock);
	os_thread_join(t->thread);
	fs->itable = NULL;
	os_free(t);
}
