/*
 * The index of a directory (DR-5, DR-7, DR-8). Blocks come in the order of the
 * file; what matters of them is remembered, and the tree is checked at the end:
 * each block has one place in it, and each name a hash that leads to it.
 */
#include "base/err.h"
#include "base/util.h"
#include "check/check_priv.h"
#include "disk/dirhash.h"
#include "disk/dirent.h"

#include <string.h>

#define tell(s, d, ...) check_found((s)->c, CHECK_INDEX, (d)->ino, 0, __VA_ARGS__)

int dx_begin(struct scratch *s, u32 blocks)
{
	s->dx_count = blocks;
	s->dx_entry_count = 0;
	while (s->dx_max < blocks)
		if (check_grow(s->c, (void **)&s->dx, &s->dx_max, s->dx_max, sizeof(*s->dx)))
			return ERR(ENOMEM);
	for (u32 k = 0; k < blocks; k++)
		s->dx[k] = (struct dx_block){.low = ~0u};
	return 0;
}

/* Remembers the entries of a verified node. */
static bool take_entries(struct scratch *s, lblk_t at, const u8 *block, u32 offset)
{
	const struct ext4_dx_countlimit *cl = (const void *)(block + offset);
	const struct ext4_dx_entry *e = (const void *)cl;
	u32 count = le16_to_cpu(cl->count);

	s->dx[at].node = true;
	s->dx[at].first = s->dx_entry_count;
	s->dx[at].count = count;
	while (s->dx_entry_max < s->dx_entry_count + count) {
		if (check_grow(s->c, (void **)&s->dx_entries, &s->dx_entry_max, s->dx_entry_max,
			    sizeof(*e))) {
			check_stop(s->c, ERR(ENOMEM));
			return false;
		}
	}
	memcpy(s->dx_entries + s->dx_entry_count, e, count * sizeof(*e));
	s->dx_entry_count += count;
	return true;
}

bool dx_take_root(struct scratch *s, const struct dir *d, const u8 *block, u32 *levels, u8 *hash)
{
	const struct ext4_dx_root *r = (const void *)block;
	const char *why = "";

	if (!s->dx_count) /* it has holes; that was told */
		return false;
	if (dx_root_verify(&s->c->sb, block, s->dx_count, &why)) {
		tell(s, d, "the root of its index: %s", why);
		return false;
	}
	*levels = r->info.indirect_levels;
	*hash = r->info.hash_version;
	return take_entries(s, 0, block, EXT4_DX_ROOT_COUNT_OFFSET);
}

/* An empty leaf may look like a node; no leaf of ours has a node's room behind that. */
static bool looks_like_node(const struct super_info *sb, const u8 *block)
{
	const struct ext4_dx_countlimit *cl = (const void *)(block + EXT4_DX_NODE_COUNT_OFFSET);

	return dx_block_is_node(sb, block) &&
	       le16_to_cpu(cl->limit) == dx_limit(sb, EXT4_DX_NODE_COUNT_OFFSET);
}

bool dx_take_node(struct scratch *s, const struct dir *d, lblk_t at, const u8 *block, u32 levels)
{
	const char *why = "";

	if (levels == 0 || !looks_like_node(&s->c->sb, block))
		return false;
	if (dx_node_verify(&s->c->sb, block, s->dx_count, &why)) {
		tell(s, d, "block %u of its index: %s", at, why);
		s->dx[at].node = true;
		return true;
	}
	if (((const struct ext4_dx_node *)block)->fake_type)
		tell(s, d,
			"block %u of its index does not look empty to those who don't know indexes",
			at);
	return take_entries(s, at, block, EXT4_DX_NODE_COUNT_OFFSET);
}

void dx_take_name(struct scratch *s, lblk_t at, u8 version, const struct ext4_dirent *e)
{
	struct dx_block *b = &s->dx[at];
	struct dirhash h;

	if (dirhash_name(&s->c->sb, version, e->name, e->name_len, &h))
		return;
	b->low = min_of(b->low, h.hash);
	b->high = max_of(b->high, h.hash);
	b->named = true;
}

/* --- the tree --- */

struct tree {
	struct scratch *s;
	const struct dir *d;
	bool hashed;
};

/* Names of a leaf lie in [low, high); where the next leaf continues, high itself is possible. */
static void check_leaf(struct tree *t, lblk_t at, u32 low, u64 high)
{
	const struct dx_block *b = &t->s->dx[at];

	if (!b->named || !t->hashed)
		return;
	if (b->low < (low & ~1u))
		tell(t->s, t->d, "block %u has a name whose hash is %08x, below %08x", at, b->low,
			low);
	if (high & 1 ? b->high > (high & ~1ull) : b->high >= high)
		tell(t->s, t->d, "block %u has a name whose hash is %08x, not below %08llx", at,
			b->high, (unsigned long long)high);
}

static bool take_child(struct tree *t, lblk_t at, bool node)
{
	struct dx_block *b = &t->s->dx[at];

	if (b->refs++) {
		tell(t->s, t->d, "block %u has two places in its index", at);
		return false;
	}
	if (b->node == node)
		return true;
	tell(t->s, t->d, "block %u of its index is %s", at,
		node ? "no node, and should be one" : "a node, and should be a leaf");
	return false;
}

static void check_node(struct tree *t, lblk_t at, u32 level, u32 low, u64 high)
{
	const struct dx_block *b = &t->s->dx[at];

	for (u32 k = 0; k < b->count; k++) {
		const struct ext4_dx_entry *e = &t->s->dx_entries[b->first + k];
		lblk_t child = le32_to_cpu(e->block) & EXT4_DX_BLOCK_MASK;
		u32 from = k ? le32_to_cpu(e->hash) : low;
		u64 to = k + 1 < b->count ? le32_to_cpu(e[1].hash) : high;

		if (k && (from < low || from > to))
			tell(t->s, t->d, "block %u of its index has a hash out of its range", at);
		if (!take_child(t, child, level > 0))
			continue;
		if (level)
			check_node(t, child, level - 1, from, to);
		else
			check_leaf(t, child, from, to);
	}
}

void dx_check_tree(struct scratch *s, const struct dir *d, u32 levels, bool hashed)
{
	struct tree t = {.s = s, .d = d, .hashed = hashed};

	check_node(&t, 0, levels, 0, 1ull << 32);
	for (u32 k = 1; k < s->dx_count; k++) {
		if (s->dx[k].refs == 0) {
			tell(s, d, "block %u has no place in its index", k);
			return;
		}
	}
}
