/*
 * Preallocation windows (AL-14, AL-15): runs that are used in the buddy only,
 * kept for the next blocks of one file, or of the small files of one shard.
 * A crash leaks nothing, since the device never hears of them.
 *
 * One window per file: windows of a file can't overlap. pa->lock is taken
 * before group locks. A window lies in one group; that group's buddy stays in
 * memory. The number of windows is bounded, the oldest goes first.
 */
#include "space/space_priv.h"

#include "os/assert.h"
#include "os/atomic.h"

void prealloc_init(struct prealloc *pa)
{
	os_mutex_init(&pa->lock, RANK_GROUP, "prealloc");
	list_init(&pa->node);
	pa->lblk = 0;
	pa->pblk = 0;
	pa->len = 0;
}

void prealloc_lock(struct prealloc *pa)
{
	os_mutex_lock_nested(&pa->lock, ORDER_PREALLOC);
}

static void list_window(struct space *sp, struct prealloc *pa)
{
	os_mutex_lock(&sp->window_lock);
	if (list_empty(&pa->node)) {
		list_add_tail(&sp->windows, &pa->node);
		atomic_store_relaxed(&sp->window_count, sp->window_count + 1);
	}
	os_mutex_unlock(&sp->window_lock);
}

static void unlist_window(struct space *sp, struct prealloc *pa)
{
	os_mutex_lock(&sp->window_lock);
	if (!list_empty(&pa->node)) {
		list_del(&pa->node);
		atomic_store_relaxed(&sp->window_count, sp->window_count - 1);
	}
	os_mutex_unlock(&sp->window_lock);
}

void window_set(
	struct space *sp, struct group *g, struct prealloc *pa, lblk_t lblk, u32 bit, u32 len)
{
	ASSERT(os_mutex_held(&pa->lock) && os_mutex_held(&g->lock) && !pa->len);
	pa->lblk = lblk;
	pa->pblk = group_first_block(sp, g->idx.nr) + bit;
	pa->len = len;
	g->windows++;
	list_window(sp, pa);
}

static struct group *window_group(struct space *sp, const struct prealloc *pa)
{
	return group_peek(sp, block_group(sp, pa->pblk)); /* loaded when the window was made */
}

void window_clear(struct space *sp, struct prealloc *pa)
{
	struct group *g;

	ASSERT(os_mutex_held(&pa->lock));
	if (!pa->len)
		return;
	g = window_group(sp, pa);
	group_lock(g);
	buddy_give(g->buddy, block_bit(sp, pa->pblk), pa->len);
	g->windows--;
	pa->len = 0;
	unlist_window(sp, pa);
	group_index_locked(sp, g);
	group_unlock(sp, g);
}

void prealloc_discard(struct volume *v, struct prealloc *pa)
{
	prealloc_lock(pa);
	if (v->space)
		window_clear(v->space, pa);
	os_mutex_unlock(&pa->lock);
}

/* The oldest window whose lock is free, locked. */
static struct prealloc *lock_oldest(struct space *sp, u32 keep)
{
	struct prealloc *pa, *got = NULL;

	os_mutex_lock(&sp->window_lock);
	if (sp->window_count > keep)
		list_for_each_entry (pa, &sp->windows, node)
			if (os_mutex_trylock(&pa->lock)) {
				got = pa;
				break;
			}
	os_mutex_unlock(&sp->window_lock);
	return got;
}

bool windows_reclaim(struct space *sp, u32 keep)
{
	struct prealloc *pa;
	bool any = false;

	while ((pa = lock_oldest(sp, keep)) != NULL) {
		any = any || pa->len;
		window_clear(sp, pa);
		os_mutex_unlock(&pa->lock);
	}
	return any;
}

static u64 file_end(const struct alloc_request *req)
{
	return max_of(req->file_blocks, (u64)req->lblk + req->len);
}

bool window_is_small(const struct alloc_request *req)
{
	return file_end(req) <= SPACE_SMALL_FILE;
}

/* 16K * 2^n up to 8 MiB by the size of the file, ending at a multiple of itself in the file. */
u32 window_want(const struct space *sp, const struct alloc_request *req)
{
	u64 max = max_of((8u << 20) / sp->sb->block_size, 1u);
	u64 size = max_of((16u << 10) / sp->sb->block_size, 1u);
	u64 from = req->lblk, want;

	if (window_is_small(req))
		want = SPACE_LOCALITY_BLOCKS;
	else {
		while (size < max && size < file_end(req))
			size *= 2;
		want = round_up_to(from + req->len, size) - from;
	}
	want = min_of(want, (u64)sp->blocks_per_group);
	return (u32)max_of(want, (u64)min_of(req->len, sp->blocks_per_group));
}

/* Trims the window to what remains around [at, at+n), keeping the larger side. */
static void window_consume(struct space *sp, struct group *g, struct prealloc *pa, u32 at, u32 n)
{
	u32 tail = pa->len - at - n, bit = block_bit(sp, pa->pblk);

	if (tail >= at) {
		if (at)
			buddy_give(g->buddy, bit, at);
		pa->lblk += at + n;
		pa->pblk += at + n;
		pa->len = tail;
	} else {
		if (tail)
			buddy_give(g->buddy, bit + at + n, tail);
		pa->len = at;
	}
	if (pa->len)
		return;
	g->windows--;
	unlist_window(sp, pa);
}

static bool window_fits(const struct prealloc *pa, const struct alloc_request *req, lblk_t lblk)
{
	pblk_t pblk = pa->pblk + (lblk - pa->lblk);

	if (lblk < pa->lblk || lblk - pa->lblk >= pa->len)
		return false;
	if ((req->flags & SPACE_EXACT) && pblk != req->goal)
		return false;
	return !(req->flags & SPACE_LOW32) || pa->pblk + pa->len <= 1ull << 32;
}

int window_take(struct handle *h, struct space *sp, struct prealloc *pa,
	const struct alloc_request *req, lblk_t lblk, struct alloc_result *out)
{
	struct group *g;
	u32 at, n;
	int err;

	ASSERT(os_mutex_held(&pa->lock));
	if (!window_fits(pa, req, lblk))
		return 1;
	at = lblk - pa->lblk;
	n = min_of(req->len, pa->len - at);
	g = window_group(sp, pa);
	group_lock(g);
	err = group_write_blocks(h, sp, g);
	if (!err)
		err = group_set_blocks(h, sp, g, block_bit(sp, pa->pblk) + at, n);
	if (!err) {
		*out = (struct alloc_result){pa->pblk + at, n};
		window_consume(sp, g, pa, at, n);
		group_index_locked(sp, g);
	}
	group_unlock(sp, g);
	return err == -EUCLEAN || err == -EBADMSG ? 1 : err; /* a bad group: look elsewhere */
}
