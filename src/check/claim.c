/* Who uses which block: one bit per cluster, and a second for what is used twice. */
#include "base/endian.h"
#include "base/util.h"
#include "check/check_priv.h"
#include "os/atomic.h"

bool check_block_ok(const struct check *c, pblk_t pblk, u64 len)
{
	return pblk > c->sb.first_data_block && pblk < c->sb.blocks_count &&
	       len <= c->sb.blocks_count - pblk;
}

/* The bits of word `w` that belong to clusters [from, end), as they lie in memory. */
static u64 word_mask(u64 w, u64 from, u64 end)
{
	u64 low = max_of(from, w * 64) - w * 64, high = min_of(end, (w + 1) * 64) - w * 64;
	u64 mask = (high == 64 ? ~0ull : (1ull << high) - 1) & ~0ull << low;

	return cpu_to_le64(mask).raw;
}

static void mark_twice(struct check *c, u64 w, u64 mask)
{
	u64 clusters = div_up(c->sb.blocks_count, c->sb.blocks_per_cluster);

	os_mutex_lock(&c->lock);
	if (!c->twice)
		c->twice = check_alloc(c, clusters / 64 + 1, sizeof(u64));
	if (c->twice)
		c->twice[w] |= mask;
	os_mutex_unlock(&c->lock);
}

/* The second walk: is any of it used by others, too? */
static bool is_shared(struct check *c, u64 from, u64 end)
{
	for (u64 w = from / 64; c->twice && w * 64 < end; w++)
		if (c->twice[w] & word_mask(w, from, end))
			return true;
	return false;
}

static void tell_shared(struct check *c, pblk_t pblk, u64 len, ino_nr ino)
{
	const char *what = ino ? "uses" : "file system metadata is at";

	c->shared_told++;
	check_found(c, CHECK_SHARED, ino, pblk, "%s blocks %llu-%llu, which others use, too", what,
		(unsigned long long)pblk, (unsigned long long)(pblk + len - 1));
}

bool check_claim(struct check *c, pblk_t pblk, u64 len, ino_nr ino)
{
	u32 ratio = c->sb.blocks_per_cluster;
	u64 from = (pblk - c->sb.first_data_block) / ratio;
	u64 end = (pblk - c->sb.first_data_block + len - 1) / ratio + 1;
	bool fresh = true, may_share = ratio > 1 && (!ino || ino == EXT4_RESIZE_INO);

	if (c->owners) {
		fresh = !is_shared(c, from, end);
		if (!fresh)
			tell_shared(c, pblk, len, ino);
		return fresh;
	}
	for (u64 w = from / 64; w * 64 < end; w++) {
		u64 mask = word_mask(w, from, end);
		u64 before = atomic_or(&c->used[w], mask) & mask;

		if (before && !may_share) { /* with bigalloc, metadata shares clusters */
			mark_twice(c, w, before);
			fresh = false;
		}
	}
	return fresh;
}
