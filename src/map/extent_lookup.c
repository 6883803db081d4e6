/* Lookup in an extent tree, and the check of a whole one. */
#include "map/extent_tree.h"

struct mapping extent_mapping(const struct extent_entry *e)
{
	return (struct mapping){.lblk = e->lblk,
		.len = e->len,
		.pblk = e->pblk,
		.state = e->unwritten ? MAP_UNWRITTEN : MAP_WRITTEN};
}

/* The hole around lblk, as far as this leaf and its bounds tell. */
static void hole_around(
	const struct extent_path *path, const void *leaf, u32 pos, struct mapping *out)
{
	u64 from = path->start, end = path->end;

	if (path->before) {
		if (node_count(leaf) > 0)
			end = node_key(leaf, 0);
	} else {
		struct extent_entry e = node_extent(leaf, pos);

		from = (u64)e.lblk + e.len;
		if (pos + 1 < node_count(leaf))
			end = node_key(leaf, pos + 1);
	}
	*out = (struct mapping){.lblk = (lblk_t)from, .len = (u32)(end - from), .state = MAP_HOLE};
}

int extent_lookup(struct filemap *fm, lblk_t lblk, struct mapping *out)
{
	struct extent_path path;
	struct extent_step *leaf;
	struct extent_entry e;
	int err = extent_walk(fm, lblk, &path);

	if (err)
		return err;
	leaf = extent_leaf(&path);
	e = path.before ? (struct extent_entry){0} : node_extent(leaf->node, leaf->pos);
	if (!path.before && lblk - e.lblk < e.len) {
		err = extent_tree_check(fm, &e);
		*out = extent_mapping(&e);
	} else {
		hole_around(&path, leaf->node, leaf->pos, out);
	}
	extent_release(&path);
	return err;
}

/* The root, then leaf by leaf; the walk checks the nodes on the way down. */
int extent_verify_all(struct filemap *fm)
{
	struct extent_path path;
	const char *why;
	u64 next = 0;
	u32 i;
	int err = extent_root_verify(fm->volume, fm->root, &why);

	while (next < LBLK_END && !err) {
		err = extent_walk(fm, (lblk_t)next, &path);
		if (err)
			return err;
		next = path.end;
		for (i = 0; i < node_count(extent_leaf(&path)->node) && !err; i++) {
			struct extent_entry e = node_extent(extent_leaf(&path)->node, i);

			err = extent_tree_check(fm, &e);
		}
		extent_release(&path);
	}
	return err;
}
