/* Indirect maps: removal from right to left, one run of blocks per step (IO-98). */
#include "map/indirect.h"

/* Tables that became empty in one step; freed after they are unlinked. */
struct dropped {
	pblk_t pblk[INDIRECT_LEVELS];
	u32 count;
};

static u32 step_len_max(const struct filemap *fm)
{
	return fm->metadata_data ? MAP_METADATA_STEP : indirect_per_block(fm);
}

u32 indirect_remove_credits(const struct filemap *fm)
{
	return MAP_INODE_CREDITS + INDIRECT_LEVELS +
	       space_free_credits(fm->volume, step_len_max(fm)) +
	       (INDIRECT_LEVELS - 1) * space_free_credits(fm->volume, 1);
}

/* Does the table hold nothing but these pointers? */
static bool table_only(const struct indirect_path *path, u32 level, u32 first, u32 count)
{
	const struct le32 *table = path->step[level].table;
	u32 i;

	for (i = 0; i < path->step[level].count; i++) {
		if (table[i].raw != 0 && (i < first || i >= first + count))
			return false;
	}
	return true;
}

/* What may fail in clearing these pointers, and in dropping the tables that hold no others. */
static int tables_prepare(struct handle *h, struct filemap *fm, const struct indirect_path *path,
	u32 level, u32 first, u32 count)
{
	int err = count ? indirect_access(h, path, level) : 0;

	while (!err && level > 0 && table_only(path, level, first, count)) {
		first = path->slot[--level];
		count = 1;
		err = indirect_access(h, path, level);
		if (!err)
			err = map_free_prepare(h, fm, indirect_pointer(path, level), 1);
	}
	return err;
}

static int pointers_clear(struct handle *h, struct filemap *fm, const struct indirect_path *path,
	u32 level, u32 first, u32 count)
{
	u32 i;
	int err = indirect_access(h, path, level);

	if (err)
		return err;
	for (i = 0; i < count; i++)
		path->step[level].table[first + i] = cpu_to_le32(0);
	return indirect_commit(h, fm, path, level);
}

/* Unlinks empty tables from `level` upwards. */
static int tables_drop(struct handle *h, struct filemap *fm, struct indirect_path *path, u32 level,
	struct dropped *d)
{
	int err;

	for (; level > 0 && table_only(path, level, 0, 0); level--) {
		d->pblk[d->count++] = indirect_pointer(path, level - 1);
		err = pointers_clear(h, fm, path, level - 1, path->slot[level - 1], 1);
		if (err)
			return err;
	}
	return 0;
}

static int tables_free(struct handle *h, struct filemap *fm, const struct dropped *d)
{
	u32 i;
	int err = 0;

	for (i = 0; i < d->count && !err; i++) {
		filemap_add_blocks(fm, -1);
		err = map_free(h, fm, d->pblk[i], 1, SPACE_METADATA);
	}
	return err;
}

/* The run that ends at the path's slot, from `from` on. */
static int run_remove(
	struct handle *h, struct filemap *fm, struct indirect_path *path, lblk_t from, lblk_t *cur)
{
	struct dropped d = {.count = 0};
	u32 level = path->levels - 1, slot = path->slot[level], first, count;
	pblk_t pblk;
	int err;

	indirect_extend(path, level, &first, &count);
	count = slot - first + 1;
	count = min_of(count, step_len_max(fm));
	count = min_of(count, *cur - from);
	first = slot - count + 1;
	pblk = le32_to_cpu(path->step[level].table[first]);
	err = map_range_check(fm, pblk, count, "a block pointer is not valid");
	if (!err)
		err = map_free_prepare(h, fm, pblk, count);
	if (!err)
		err = tables_prepare(h, fm, path, level, first, count);
	if (err)
		return err;
	err = pointers_clear(h, fm, path, level, first, count);
	if (!err) {
		err = tables_drop(h, fm, path, level, &d);
		if (err)
			journal_abort(h->journal, err); /* the run is nobody's already */
	}
	indirect_release(path);
	if (err)
		return err;
	filemap_add_blocks(fm, -(s64)count);
	*cur -= count;
	err = map_free(h, fm, pblk, count, goal_free_flags(fm));
	return err ? err : tables_free(h, fm, &d);
}

/* Skips the hole that ends at the path's slot; a table that holds nothing else goes. */
static int hole_skip(
	struct handle *h, struct filemap *fm, struct indirect_path *path, lblk_t from, lblk_t *cur)
{
	struct dropped d = {.count = 0};
	u32 level = path->reached - 1, first, count;
	int err;

	indirect_extend(path, level, &first, &count);
	*cur = (lblk_t)max_of(indirect_lblk(path, level, first), from);
	err = tables_prepare(h, fm, path, level, 0, 0);
	if (!err)
		err = tables_drop(h, fm, path, level, &d);
	indirect_release(path);
	return err ? err : tables_free(h, fm, &d);
}

static int remove_step(struct handle *h, struct filemap *fm, lblk_t from, lblk_t *cur)
{
	struct indirect_path path;
	int err = indirect_walk(fm, *cur - 1, &path);

	if (!err)
		err = indirect_pointer(&path, path.reached - 1)
			      ? run_remove(h, fm, &path, from, cur)
			      : hole_skip(h, fm, &path, from, cur);
	indirect_release(&path);
	return err;
}

int indirect_remove(struct handle *h, struct filemap *fm, lblk_t from, lblk_t end)
{
	lblk_t cur = (lblk_t)min_of(end, indirect_reach(fm->volume->sb.block_size));
	bool forget = true;
	int err = 0;

	while (cur > from && !err) {
		if (forget) {
			err = status_reserve(fm);
			if (err)
				break;
			status_forget(fm, from, end);
			filemap_changed(fm);
		}
		err = filemap_ensure(
			h, fm, indirect_remove_credits(fm), map_remove_revokes(fm), &forget);
		if (!err && !forget)
			err = remove_step(h, fm, from, &cur);
	}
	return err;
}
