/* What an inode maps: extent trees and indirect blocks. */
#include "base/err.h"
#include "base/util.h"
#include "check/check_priv.h"
#include "disk/extent.h"

#include <sys/stat.h>

enum { DIRECT = 12, TOLD_MAX = 8 };

#define tell(w, pblk, ...)                                                                         \
	do {                                                                                       \
		(w)->damaged = true;                                                               \
		if (!(w)->quiet && (w)->told++ < TOLD_MAX)                                         \
			check_found((w)->s->c, CHECK_MAP, (w)->ino, pblk, __VA_ARGS__);            \
	} while (0)

static const struct super_info *sb_of(const struct walk *w)
{
	return &w->s->c->sb;
}

/* --- what the walk meets --- */

static void collect_run(struct walk *w, lblk_t lblk, u32 len, pblk_t pblk)
{
	struct scratch *s = w->s;
	struct run *last = s->run_count ? &s->runs[s->run_count - 1] : NULL;

	if (last && last->lblk + last->len == lblk && last->pblk + last->len == pblk) {
		last->len += len;
		return;
	}
	if (check_grow(s->c, (void **)&s->runs, &s->run_max, s->run_count, sizeof(*s->runs))) {
		check_stop(s->c, ERR(ENOMEM));
		w->damaged = true;
		return;
	}
	s->runs[s->run_count++] = (struct run){lblk, len, pblk};
}

/* With bigalloc, a cluster that the extent before has begun belongs to this inode already. */
static void claim_clusters(struct walk *w, lblk_t lblk, u32 len, pblk_t pblk)
{
	u32 ratio = sb_of(w)->blocks_per_cluster;
	u64 first = pblk / ratio, end = (pblk + len - 1) / ratio + 1;

	if (lblk % ratio != pblk % ratio)
		tell(w, pblk, "block %u is at %llu, not aligned to its cluster", lblk,
			(unsigned long long)pblk);
	if (first == w->cluster)
		first++;
	if (first < end)
		check_claim(w->s->c, first * ratio, (end - first) * ratio, w->ino);
	w->blocks += (end - first) * ratio;
	w->cluster = end - 1;
}

static void take_data(struct walk *w, lblk_t lblk, u32 len, pblk_t pblk, bool unwritten)
{
	w->last = (s64)lblk + len - 1;
	if (!unwritten)
		w->last_written = w->last;
	if (w->runs)
		collect_run(w, lblk, len, pblk);
	if (w->quiet)
		return;
	if (sb_of(w)->blocks_per_cluster > 1) {
		claim_clusters(w, lblk, len, pblk);
		return;
	}
	w->blocks += len;
	check_claim(w->s->c, pblk, len, w->ino);
}

/* False: don't go down there: it was walked before, or it can't be read. */
static bool take_node(struct walk *w, pblk_t pblk, void *buf)
{
	struct check *c = w->s->c;

	if (++w->nodes > c->sb.blocks_count) {
		w->damaged = true;
		return false;
	}
	w->blocks += c->sb.blocks_per_cluster;
	if (!w->quiet && !check_claim(c, pblk, 1, w->ino)) {
		w->damaged = true;
		return false;
	}
	if (check_read(c, pblk, 1, buf, w->ino)) {
		w->damaged = true;
		return false;
	}
	return true;
}

/* --- extents --- */

static void walk_node(struct walk *w, const void *node, u32 level);

/* Linux and e2fsck accept a little less than what fits. */
static bool room_is_odd(const void *node, u32 bytes)
{
	const struct ext4_extent_header *h = node;

	return le16_to_cpu(h->eh_max) + 2u < extent_capacity(bytes);
}

static void walk_child(
	struct walk *w, pblk_t pblk, u32 level, u32 depth, const struct extent_bounds *bounds)
{
	const struct super_info *sb = sb_of(w);
	u8 *node = w->s->node[level];
	const char *why = "";

	if (!take_node(w, pblk, node))
		return;
	if (extent_node_verify(sb, node, sb->block_size, (int)depth, bounds, &why)) {
		tell(w, pblk, "extent node in block %llu: %s", (unsigned long long)pblk, why);
		return;
	}
	if (!extent_csum_verify(sb, w->seed, node))
		tell(w, pblk, "extent node in block %llu: wrong checksum",
			(unsigned long long)pblk);
	if (room_is_odd(node, sb->block_size))
		tell(w, pblk, "extent node in block %llu: impossible room",
			(unsigned long long)pblk);
	if (((const struct ext4_extent_header *)node)->eh_entries.raw == 0)
		tell(w, pblk, "extent node in block %llu is empty", (unsigned long long)pblk);
	walk_node(w, node, level + 1);
}

static void walk_leaf(struct walk *w, const void *node, u32 entries)
{
	for (u32 k = 0; k < entries; k++) {
		struct extent_entry e = extent_leaf_get(node, k);

		if (e.unwritten && S_ISDIR(w->f->mode))
			tell(w, e.pblk, "a directory has unwritten blocks at %u", e.lblk);
		take_data(w, e.lblk, e.len, e.pblk, e.unwritten);
	}
}

/* A node that was verified. level: which buffer the children take. */
static void walk_node(struct walk *w, const void *node, u32 level)
{
	const struct ext4_extent_header *h = node;
	u32 entries = le16_to_cpu(h->eh_entries), depth = le16_to_cpu(h->eh_depth);

	if (depth == 0) {
		walk_leaf(w, node, entries);
		return;
	}
	for (u32 k = 0; k < entries; k++) {
		struct extent_bounds bounds = {.end = (u64)LBLK_MAX + 1};
		lblk_t next;
		pblk_t child, other;

		extent_index_get(node, k, &bounds.first, &child);
		if (k + 1 < entries) {
			extent_index_get(node, k + 1, &next, &other);
			bounds.end = next;
		}
		walk_child(w, child, level, depth - 1, &bounds);
	}
}

static void walk_extents(struct walk *w)
{
	const void *root = w->f->i_block;
	const char *why = "";

	if (extent_node_verify(sb_of(w), root, EXT4_I_BLOCK_BYTES, EXTENT_DEPTH_ANY, NULL, &why)) {
		tell(w, 0, "extent tree: %s", why);
		return;
	}
	if (room_is_odd(root, EXT4_I_BLOCK_BYTES))
		tell(w, 0, "extent tree: impossible room in the inode");
	walk_node(w, root, 0);
}

/* --- indirect blocks --- */

struct indirect {
	u64 lblk; /* of the next pointer */
	/* data that is contiguous so far */
	lblk_t first;
	u32 len;
	pblk_t pblk;
};

static void flush_data(struct walk *w, struct indirect *i)
{
	if (i->len)
		take_data(w, i->first, i->len, i->pblk, false);
	i->len = 0;
}

static void take_pointer(struct walk *w, struct indirect *i, pblk_t pblk)
{
	if (i->len && i->first + (u64)i->len == i->lblk && i->pblk + i->len == pblk) {
		i->len++;
		return;
	}
	flush_data(w, i);
	i->first = (lblk_t)i->lblk;
	i->pblk = pblk;
	i->len = 1;
}

static u64 span(const struct walk *w, u32 level)
{
	u64 n = 1;

	while (level--)
		n *= sb_of(w)->block_size / 4;
	return n;
}

/* level 0: data. Else a block of pointers to level - 1. */
static void walk_pointer(struct walk *w, struct indirect *i, pblk_t pblk, u32 level)
{
	u8 *node;

	if (pblk == 0) {
		i->lblk += span(w, level);
		return;
	}
	if (!check_block_ok(w->s->c, pblk, 1) || i->lblk > LBLK_MAX) {
		tell(w, pblk, "block %llu of the file is said to be at %llu",
			(unsigned long long)i->lblk, (unsigned long long)pblk);
		i->lblk += span(w, level);
		return;
	}
	if (level == 0) {
		take_pointer(w, i, pblk);
		i->lblk++;
		return;
	}
	node = w->s->node[level - 1];
	flush_data(w, i);
	if (!take_node(w, pblk, node)) {
		i->lblk += span(w, level);
		return;
	}
	for (u32 k = 0; k < sb_of(w)->block_size / 4; k++)
		walk_pointer(w, i, le32_to_cpu(((const struct le32 *)node)[k]), level - 1);
}

static void walk_indirect(struct walk *w)
{
	const struct le32 *ptr = (const void *)w->f->i_block;
	struct indirect i = {0};

	for (u32 k = 0; k < EXT4_N_PTRS; k++)
		walk_pointer(w, &i, le32_to_cpu(ptr[k]), k < DIRECT ? 0 : k - DIRECT + 1);
	flush_data(w, &i);
}

void check_walk_map(struct walk *w)
{
	w->last = w->last_written = -1;
	w->cluster = ~0ull;
	w->s->run_count = 0;
	if (w->f->flags & EXT4_EXTENTS_FL)
		walk_extents(w);
	else
		walk_indirect(w);
}
