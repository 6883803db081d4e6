/* Indirect maps: the walk from the root to a pointer, and lookups. */
#include "map/indirect.h"

/* A table is refused as a whole when one pointer leaves the device (HD-9, HD-10). */
static int table_verify(const struct super_info *sb, const void *data, pblk_t pblk,
	const struct buf_ctx *ctx, const char **why)
{
	const struct le32 *table = data;
	u32 i;

	for (i = 0; i < sb->block_size / 4; i++) {
		u32 p = le32_to_cpu(table[i]);

		if (p != 0 && (p < sb->first_data_block || p >= sb->blocks_count)) {
			*why = "an indirect block points outside the device";
			return ERR(EUCLEAN);
		}
	}
	return 0;
}

const struct buf_type indirect_buf_type = {.name = "indirect block", .verify = table_verify};

u64 indirect_reach(u32 block_size)
{
	u64 per = block_size / 4;

	return INDIRECT_DIRECT + per + per * per + per * per * per;
}

/* Fills levels, slots and spans; false beyond the reach. */
static bool locate(u32 per, lblk_t lblk, struct indirect_path *path)
{
	u64 rest = lblk, span = 1, base = 0;
	u32 level, i;

	*path = (struct indirect_path){.levels = 1};
	if (rest < INDIRECT_DIRECT) {
		path->slot[0] = lblk;
		path->span[0] = 1;
		return true;
	}
	rest -= INDIRECT_DIRECT;
	base = INDIRECT_DIRECT;
	for (level = 1; level < INDIRECT_LEVELS; level++) {
		span *= per; /* at most (2^14)^3 */
		if (rest < span)
			break;
		rest -= span;
		base += span;
	}
	if (level == INDIRECT_LEVELS)
		return false;
	path->levels = level + 1;
	path->base = (lblk_t)base;
	path->slot[0] = INDIRECT_DIRECT + level - 1;
	path->span[0] = span;
	for (i = 1; i <= level; i++) {
		span /= per;
		path->span[i] = span;
		path->slot[i] = (u32)(rest / span);
		rest %= span;
	}
	return true;
}

u32 indirect_pointer(const struct indirect_path *path, u32 level)
{
	return le32_to_cpu(path->step[level].table[path->slot[level]]);
}

u64 indirect_lblk(const struct indirect_path *path, u32 level, u32 slot)
{
	u64 lblk = path->base;
	u32 i;

	for (i = 1; i < level; i++)
		lblk += path->span[i] * path->slot[i];
	if (level == 0)
		return path->levels == 1 ? slot : lblk;
	return lblk + path->span[level] * slot;
}

void indirect_release(struct indirect_path *path)
{
	u32 i;

	for (i = 0; i < INDIRECT_LEVELS; i++) {
		buf_put(path->step[i].buf);
		path->step[i].buf = NULL;
	}
	path->reached = 0;
}

static int table_read(struct filemap *fm, u32 pblk, struct buf **out)
{
	struct volume *v = fm->volume;
	struct buf_ctx ctx = {.csum_seed = fm->csum_seed, .owner = fm->owner};
	int err = map_range_check(fm, pblk, 1, "an indirect pointer is not valid");

	return err ? err : buf_read(v->bcache, pblk, &indirect_buf_type, &ctx, out);
}

int indirect_walk(struct filemap *fm, lblk_t lblk, struct indirect_path *path)
{
	u32 per = indirect_per_block(fm), level, pblk;
	int err;

	ASSERT(os_rwsem_held_shared(&fm->lock));
	if (!locate(per, lblk, path))
		return ERR(EFBIG);
	path->step[0].table = (struct le32 *)fm->root;
	path->step[0].first = path->levels == 1 ? 0 : path->slot[0];
	path->step[0].count = path->levels == 1 ? INDIRECT_DIRECT : 1;
	path->reached = 1;
	for (level = 1; level < path->levels; level++) {
		pblk = indirect_pointer(path, level - 1);
		if (pblk == 0)
			return 0;
		err = table_read(fm, pblk, &path->step[level].buf);
		if (err)
			return err;
		path->step[level].table = (struct le32 *)path->step[level].buf->data;
		path->step[level].count = per;
		path->reached = level + 1;
	}
	return 0;
}

/* Does the pointer continue a hole (p == 0), or a run that has p at distance delta? */
static bool continues(struct le32 pointer, u32 p, s64 delta)
{
	u32 q = le32_to_cpu(pointer);

	return p == 0 ? q == 0 : q != 0 && q == p + delta;
}

/* Pointers around the slot that belong to the same hole or run. */
void indirect_extend(const struct indirect_path *path, u32 level, u32 *first, u32 *count)
{
	const struct le32 *table = path->step[level].table;
	u32 low = path->step[level].first, high = low + path->step[level].count;
	u32 slot = path->slot[level], p = le32_to_cpu(table[slot]), a = slot, b = slot + 1;

	while (a > low && continues(table[a - 1], p, (s64)a - 1 - slot))
		a--;
	while (b < high && continues(table[b], p, (s64)b - slot))
		b++;
	*first = a;
	*count = b - a;
}

int indirect_lookup(struct filemap *fm, lblk_t lblk, struct mapping *out)
{
	struct indirect_path path;
	u32 level, first, count, p;
	u64 from, end;
	int err = indirect_walk(fm, lblk, &path);

	if (err == -EFBIG) {
		from = indirect_reach(fm->volume->sb.block_size);
		*out = (struct mapping){.lblk = (lblk_t)from, .len = (u32)(LBLK_END - from)};
		return 0;
	}
	if (err)
		goto out_release;
	level = path.reached - 1;
	p = indirect_pointer(&path, level);
	indirect_extend(&path, level, &first, &count);
	from = indirect_lblk(&path, level, first);
	end = min_of(from + count * path.span[level], LBLK_END);
	*out = (struct mapping){.lblk = (lblk_t)from, .len = (u32)(end - from)};
	if (p == 0)
		goto out_release;
	out->state = MAP_WRITTEN;
	out->pblk = p - (path.slot[level] - first);
	err = map_range_check(fm, out->pblk, out->len, "a block pointer is not valid");
out_release:
	indirect_release(&path);
	return err;
}

int indirect_verify_all(struct filemap *fm)
{
	struct mapping m = {.lblk = 0};
	int err = 0;

	while (!err && mapping_end(&m) < LBLK_END)
		err = indirect_lookup(fm, (lblk_t)mapping_end(&m), &m);
	return err;
}
