/*
 * How inodes leave the cache. Unreferenced ones stay on their shard's list until there are too
 * many; one without links goes with its last reference.
 */
#include "base/err.h"
#include "base/mutant.h"
#include "inode/cache_priv.h"
#include "inode/xattr_priv.h"

#define EVICT_SCAN 32

#define LAST_WRITES 8 /* a quarter of a second in all */

/*
 * Who drops an inode waits for what is on its way: a commit may not forget it before (JB-20). Want
 * of memory passes; if it does not, the loss is told, and known to the next sync (IO-75).
 */
static void write_last(struct inode *i)
{
	int err = iofile_write_range(&i->io, 0, UINT64_MAX, true);

	if (MUTANT(DROPPED_SILENTLY))
		return;
	for (unsigned k = 0; err == -ENOMEM && k < LAST_WRITES; k++) {
		os_sleep_ns(NSEC_PER_MSEC << k);
		err = iofile_write_range(&i->io, 0, UINT64_MAX, true);
	}
	if (!iofile_is_dirty(&i->io))
		return;
	iofile_error_set(&i->io, err ? err : ERR(EIO));
	log_msg(&i->volume->log, LOG_ERROR,
		"inode %u: data could not be written (%d) and is lost with the cache", i->ino, err);
}

static void unused_add_locked(struct icache_shard *s, struct inode *i)
{
	i->used_again = !list_empty(&i->lru);
	if (!i->used_again)
		list_add_tail(&s->unused, &i->lru);
	s->unused_count++;
}

/*
 * What a failed truncation left to do is known in memory only: read anew, the file would show its
 * old blocks when it grows, and get a second record (OR-2).
 */
static void keep(struct icache_shard *s, struct inode *i)
{
	os_mutex_lock(&s->lock);
	atomic_and(&i->state, ~(u32)INODE_FREEING);
	unused_add_locked(s, i);
	os_cond_broadcast(&s->change);
	os_mutex_unlock(&s->lock);
}

/*
 * Outside all locks: deletes or just drops, then lets those who wait for the number go on. False:
 * it had to be kept.
 */
static bool retire(struct icache_shard *s, struct inode *i)
{
	struct volume *v = i->volume;

	if (i->f.links == 0 && !inode_state(i, INODE_BAD)) {
		inode_delete(i);
	} else {
		write_last(i);
		inode_store_version(i);
	}
	if (inode_still_untruncated(i)) {
		keep(s, i);
		return false;
	}
	inode_teardown(i);
	os_mutex_lock(&s->lock);
	icache_leave_locked(s, i);
	os_mutex_unlock(&s->lock);
	xattr_drain(v);
	if (!orphan_bury(i))
		inode_free_memory(i);
	return true;
}

/* Neither dirty nor, among the first, used again since it was looked at last. */
static bool goes_easily(struct inode *i, unsigned scanned)
{
	if (iofile_is_dirty(&i->io))
		return false;
	if (!i->used_again || scanned >= EVICT_SCAN / 2)
		return true;
	i->used_again = false;
	return false;
}

/* The oldest unused inode that costs no I/O to drop; with force any. */
static struct inode *victim_locked(struct icache_shard *s, bool force)
{
	unsigned scanned = 0;

	while (!list_empty(&s->unused) && scanned < EVICT_SCAN) {
		struct inode *i = list_first(&s->unused, struct inode, lru);

		list_del(&i->lru);
		if (atomic_load_relaxed(&i->refs))
			continue;
		if (!force && !goes_easily(i, scanned++)) {
			list_add_tail(&s->unused, &i->lru);
			continue;
		}
		s->unused_count--;
		atomic_or(&i->state, INODE_FREEING);
		return i;
	}
	return NULL;
}

static bool dropped_not_last(struct inode *i)
{
	u32 refs = atomic_load_relaxed(&i->refs);

	while (refs > 1)
		if (atomic_cas(&i->refs, &refs, refs - 1))
			return true;
	return false;
}

static bool must_go(const struct inode *i)
{
	return i->f.links == 0 || inode_state(i, INODE_BAD);
}

void inode_put(struct inode *i)
{
	struct icache_shard *s = icache_shard_of(i->volume, i->ino);
	struct inode *out = NULL;

	if (dropped_not_last(i))
		return;
	os_mutex_lock(&s->lock);
	if (atomic_sub(&i->refs, 1) == 0) {
		s->referenced--;
		if (must_go(i)) {
			list_del(&i->lru);
			atomic_or(&i->state, INODE_FREEING);
			out = i;
		} else {
			unused_add_locked(s, i);
			if (s->unused_count > i->volume->inodes->unused_max)
				out = victim_locked(s, false);
		}
	}
	os_mutex_unlock(&s->lock);
	if (out)
		(void)retire(s, out);
}

static u32 shrink_shard(struct icache_shard *s, u32 keep)
{
	struct inode *i;
	u32 referenced;

	os_mutex_lock(&s->lock);
	while (s->unused_count > keep && (i = victim_locked(s, true)) != NULL) {
		os_mutex_unlock(&s->lock);
		keep += !retire(s, i);
		os_mutex_lock(&s->lock);
	}
	referenced = s->referenced;
	os_mutex_unlock(&s->lock);
	return referenced;
}

u32 icache_shrink(struct volume *v, u32 keep)
{
	u32 referenced = 0;

	xattr_drain(v);
	for (unsigned k = 0; k < ICACHE_SHARDS; k++)
		referenced += shrink_shard(
			&v->inodes->shard[k], keep == UINT32_MAX ? keep : keep / ICACHE_SHARDS);
	return referenced;
}
