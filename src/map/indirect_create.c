/* Indirect maps: allocation of a run of data blocks and of the tables above it. */
#include "map/indirect.h"

/* Tables allocated for one creation, from the top; not yet linked. */
struct chain {
	pblk_t pblk[INDIRECT_LEVELS];
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

static void chain_undo(struct handle *h, struct filemap *fm, const struct chain *c)
{
	u32 i;

	for (i = 0; i < c->count; i++)
		goal_undo_tree(h, fm, c->pblk[i]);
}

static int chain_alloc(
	struct handle *h, struct filemap *fm, const struct goal *g, u32 count, struct chain *c)
{
	pblk_t near = g->pblk;
	int err;

	for (c->count = 0; c->count < count; c->count++) {
		err = goal_alloc_tree(h, fm, near, g->create_flags, &c->pblk[c->count]);
		if (err) {
			chain_undo(h, fm, c);
			return err;
		}
		near = c->pblk[c->count] + 1;
	}
	return 0;
}

static void put_run(struct le32 *table, u32 slot, const struct alloc_result *got)
{
	u32 i;

	for (i = 0; i < got->len; i++)
		table[slot + i] = cpu_to_le32((u32)(got->pblk + i));
}

/* Fills new table i of the chain: with the data run if it is the last, else with the next table. */
static int chain_write_one(struct handle *h, struct filemap *fm, const struct indirect_path *path,
	const struct chain *c, u32 i, const struct alloc_result *got)
{
	struct buf_ctx ctx = {.csum_seed = fm->csum_seed, .owner = fm->owner};
	u32 level = path->reached + i;
	struct buf *b;
	int err = buf_create(h, fm->volume->bcache, c->pblk[i], &indirect_buf_type, &ctx, &b);

	if (err)
		return err;
	if (level == path->levels - 1)
		put_run((struct le32 *)b->data, path->slot[level], got);
	else
		((struct le32 *)b->data)[path->slot[level]] = cpu_to_le32((u32)c->pblk[i + 1]);
	err = buf_dirty(h, b);
	buf_put(b);
	return err;
}

/* New tables first, then the pointer that makes all of it visible. Errors leak (IO-13). */
static int publish(struct handle *h, struct filemap *fm, struct indirect_path *path,
	const struct chain *c, const struct alloc_result *got)
{
	u32 top = path->reached - 1, i;
	int err;

	for (i = 0; i < c->count; i++) {
		err = chain_write_one(h, fm, path, c, i, got);
		if (err)
			return err;
	}
	if (c->count == 0)
		put_run(path->step[top].table, path->slot[top], got);
	else
		path->step[top].table[path->slot[top]] = cpu_to_le32((u32)c->pblk[0]);
	return indirect_commit(h, fm, path, top);
}

int indirect_create(struct handle *h, struct filemap *fm, const struct goal *g, struct mapping *out)
{
	struct indirect_path path;
	struct goal data = *g;
	struct alloc_result got;
	struct chain c;
	int err = indirect_walk(fm, g->lblk, &path);

	if (err)
		goto out_release;
	err = indirect_access(h, &path, path.reached - 1);
	if (err)
		goto out_release;
	data.pblk = goal_find(fm, &path, g->lblk);
	data.len = room(fm, &path, g->len);
	/* Tables first: they lie before their data, and data never has to be given back. */
	err = chain_alloc(h, fm, &data, path.levels - path.reached, &c);
	if (err)
		goto out_release;
	if (c.count > 0)
		data.pblk = c.pblk[c.count - 1] + 1;
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
	indirect_release(&path);
	return err;
}
