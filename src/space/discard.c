/*
 * Telling the device what holds nothing any more (AL-5, JB-22), so that an
 * image file stays sparse. Freed runs are discarded when their commit is
 * durable and before anyone can have them; trimming discards what is free in
 * memory, and thereby on the device for good, under the group's lock.
 */
#include "space/space_priv.h"

#include "os/atomic.h"
#include "os/mem.h"

#include <stdlib.h>

struct run {
	pblk_t pblk;
	u64 len;
};

/* Stopped file systems write nothing more (IO-62). A device that can't is not asked again. */
static int discard(struct space *sp, pblk_t pblk, u64 len)
{
	struct volume *v = sp->v;
	u32 bs = sp->sb->block_size;
	int err;

	if (atomic_load_acq(&v->flags) & VOLUME_SHUTDOWN)
		return ERR(EIO);
	TRACE("space_discard", pblk, len);
	err = dev_discard(v->dev, pblk * bs, len * bs);
	if (err == -EOPNOTSUPP)
		atomic_and(&v->flags, ~(u32)VOLUME_DISCARD);
	if (err)
		log_msg(&v->log, LOG_WARNING, "discarding %llu blocks at %llu failed (%d)",
			(unsigned long long)len, (unsigned long long)pblk, err);
	return err;
}

static int by_block(const void *a, const void *b)
{
	pblk_t x = ((const struct run *)a)->pblk, y = ((const struct run *)b)->pblk;

	return x < y ? -1 : x > y;
}

/* In device order; neighbours go together. */
static void discard_sorted(struct space *sp, struct run *run, size_t count)
{
	size_t k, last = 0;

	qsort(run, count, sizeof(*run), by_block);
	for (k = 1; k < count; k++) {
		if (run[k].pblk == run[last].pblk + run[last].len)
			run[last].len += run[k].len;
		else
			run[++last] = run[k];
	}
	for (k = 0; k <= last; k++)
		if (discard(sp, run[k].pblk, run[k].len))
			return;
}

bool discard_wanted(const struct space *sp)
{
	return sp->discards && atomic_load_relaxed(&sp->v->flags) & VOLUME_DISCARD &&
	       sp->v->dev->info.can_discard;
}

/* Not done for lack of memory is no harm: the blocks keep their place in the image. */
void discard_freed(struct space *sp, const struct list *frees)
{
	const struct pending_free *p;
	struct run *run;
	size_t count = 0, n = 0;

	list_for_each_entry (p, frees, batch_node)
		count++;
	run = count ? os_alloc(count * sizeof(*run)) : NULL;
	if (!run)
		return;
	list_for_each_entry (p, frees, batch_node)
		if (!group_is(p->group, GROUP_BAD_BLOCKS))
			run[n++] = (struct run){
				group_first_block(sp, p->group->idx.nr) + p->start, p->len};
	if (n)
		discard_sorted(sp, run, n);
	os_free(run);
}

struct trim {
	pblk_t start, end; /* blocks */
	u64 min_len, done; /* blocks */
};

/* The next free run of the group from *bit on, clipped to the range; *bit moves behind it. */
static bool trim_next(const struct space *sp, const struct group *g, const struct trim *t, u32 *bit,
	struct run *out)
{
	pblk_t first = group_first_block(sp, g->idx.nr);
	const struct buddy *b = g->buddy;

	while (*bit < b->nbits) {
		u32 at = bits_next_zero(b->used, *bit, b->nbits);
		u32 end = bits_next_one(b->used, at, b->nbits);
		pblk_t from = max_of(first + at, t->start), to = min_of(first + end, t->end);

		*bit = end;
		if (at < end && from < to && to - from >= t->min_len) {
			*out = (struct run){from, to - from};
			return true;
		}
	}
	return false;
}

/* The lock is dropped between runs: allocations wait for one discard, not for all. */
static int trim_group(struct space *sp, struct group *g, struct trim *t)
{
	struct run run;
	bool more = true;
	u32 bit = 0;
	int err = 0;

	while (more && !err) {
		group_lock(g);
		err = group_load_buddy(sp, g);
		more = !err && trim_next(sp, g, t, &bit, &run);
		if (more)
			err = discard(sp, run.pblk, run.len);
		if (more && !err)
			t->done += run.len;
		group_unlock(sp, g);
	}
	return err == -EUCLEAN || err == -EBADMSG ? 0 : err; /* a bad group is left alone */
}

int space_trim(struct volume *v, pblk_t start, u64 len, u64 min_len, u64 *done)
{
	struct space *sp = v->space;
	struct trim t = {.start = max_of(start, (pblk_t)sp->sb->first_data_block),
		.min_len = max_of(min_len, 1ull)};
	group_nr nr, last;
	int err = 0;

	t.end = start + min_of(len, sp->sb->blocks_count - min_of(start, sp->sb->blocks_count));
	*done = 0;
	if (t.start >= t.end)
		return 0;
	last = block_group(sp, t.end - 1);
	for (nr = block_group(sp, t.start); nr <= last && !err; nr++) {
		struct group *g;

		err = group_find(sp, nr, &g);
		if (err == -EUCLEAN || err == -EBADMSG) {
			err = 0;
			continue;
		}
		if (!err && atomic_load_relaxed(&g->free_blocks) >= t.min_len)
			err = trim_group(sp, g, &t);
	}
	*done = t.done;
	return err;
}

void space_quiesce(struct volume *v)
{
	if (v->space->discards)
		os_workqueue_flush(v->space->discards);
}
