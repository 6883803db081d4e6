/* Indirect maps: allocation of a run of data blocks and of the tables above it. */
#include "map/indirect.h"

/* Empty tables made for one creation, from the top; not yet linked. */
struct chain {
	struct buf *table[INDIRECT_LEVELS];
	u32 count;
};

u32 indirect_create_tree_credits(void)
{
	/* Up to three new tables, each with its bitmap and descriptor, and the one that links them.
	 */
	return (INDIRECT_LEVELS - 1) * (SPACE_ALLOC_CREDITS + 1) + 1;
}

int indirect_access(struct handle *h, const struct indirect_path *path, u32 level)
{
	return level == 0 ? 0 : buf_write_access(h, path->step[level].buf);
}

int indirect_commit(
	struct handle *h, struct filemap *fm, const struct indirect_path *path, u32 level)
{
	if (level > 0)
		return buf_dirty(h, path->step[level].buf);
	filemap_mark(fm);
	return 0;
}

/* Zero pointers that follow the wanted one in its last table: what one call may fill. */
static u32 room(const struct filemap *fm, const struct indirect_path *path, u32 len)
{
	u32 leaf = path->levels - 1, end, n = 1;

	if (path->reached < path->levels)
		return min_of(len, indirect_per_block(fm) - path->slot[leaf]);
	end = path->step[leaf].first + path->step[leaf].count;
	while (n < len && path->slot[leaf] + n < end &&
		path->step[leaf].table[path->slot[leaf] + n].raw == 0)
		n++;
	return n;
}

/* The nearest lower pointer in the deepest table; its last block precedes ours. */
static pblk_t goal_find(const struct filemap *fm, const struct indirect_path *path, lblk_t lblk)
{
	u32 level = path->reached - 1, slot = path->slot[level], p;
	struct mapping left = {.lblk = lblk - 1, .len = 1};
	bool leaf = level == path->levels - 1;

	while (slot > 0) {
		p = le32_to_cpu(path->step[level].table[--slot]);
		if (p == 0)
			continue;
		if (leaf)
			left.lblk = (lblk_t)indirect_lblk(path, level, slot);
		left.pblk = p;
		return goal_near(fm, lblk, &left, NULL);
	}
	left.pblk = level > 0 ? path->step[level].buf->pblk : 0;
	return goal_near(fm, lblk, left.pblk ? &left : NULL, NULL);
}

static void chain_undo(struct handle *h, struct filemap *fm, struct chain *c)
{
	while (c->count > 0)
		goal_undo_tree(h, fm, c->table[--c->count]);
}

static void chain_put(struct chain *c)
{
	while (c->count > 0)
		buf_put(c->table[--c->count]);
}

static int chain_create(
	struct handle *h, struct filemap *fm, const struct goal *g, u32 count, struct chain *c)
{
	struct buf_ctx ctx = {.csum_seed = fm->csum_seed, .owner = fm->owner};
	pblk_t near = g->pblk;
	int err;

	for (c->count = 0; c->count < count; c->count++) {
		err = goal_create_tree(h, fm, near, g->create_flags, &indirect_buf_type, &ctx,
			&c->table[c->count]);
		if (err) {
			chain_undo(h, fm, c);
			return err;
		}
		near = c->table[c->count]->pblk + 1;
	}
	return 0;
}

/* Points the table of a level to the next new one, or the last table to the data. */
static void link_table(struct le32 *table, u32 level, const struct indirect_path *path,
	const struct chain *c, const struct alloc_result *got)
{
	u32 below = level + 1 - path->reached, i;
	struct le32 *slot = &table[path->slot[level]];

	if (below < c->count)
		*slot = cpu_to_le32((u32)c->table[below]->pblk);
	else
		for (i = 0; i < got->len; i++)
			slot[i] = cpu_to_le32((u32)(got->pblk + i));
}

/* New tables first, then the pointer that makes all of it visible. Errors leak (IO-13). */
static int publish(struct handle *h, struct filemap *fm, struct indirect_path *path,
	const struct chain *c, const struct alloc_result *got)
{
	u32 top = path->reached - 1, i;
	int err;

	for (i = 0; i < c->count; i++) {
		link_table((struct le32 *)c->table[i]->data, path->reached + i, path, c, got);
		err = buf_dirty(h, c->table[i]);
		if (err)
			return err;
	}
	link_table(path->step[top].table, top, path, c, got);
	return indirect_commit(h, fm, path, top);
}

int indirect_create(struct handle *h, struct filemap *fm, const struct goal *g, struct mapping *out)
{
	struct indirect_path path;
	struct goal data = *g;
	struct alloc_result got;
	struct chain c = {.count = 0};
	int err = indirect_walk(fm, g->lblk, &path);

	if (err)
		goto out_release;
	err = indirect_access(h, &path, path.reached - 1);
	if (err)
		goto out_release;
	data.pblk = goal_find(fm, &path, g->lblk);
	data.len = room(fm, &path, g->len);
	/* Tables first: they lie before their data, and data never has to be given back. */
	err = chain_create(h, fm, &data, path.levels - path.reached, &c);
	if (err)
		goto out_release;
	if (c.count > 0)
		data.pblk = c.table[c.count - 1]->pblk + 1;
	err = goal_alloc_data(h, fm, &data, &got);
	if (err) {
		chain_undo(h, fm, &c);
		goto out_release;
	}
	err = publish(h, fm, &path, &c, &got);
	if (err)
		goto out_release;
	filemap_add_blocks(fm, got.len);
	*out = (struct mapping){
		.lblk = g->lblk, .len = got.len, .pblk = got.pblk, .state = MAP_WRITTEN};
out_release:
	chain_put(&c);
	indirect_release(&path);
	return err;
}
