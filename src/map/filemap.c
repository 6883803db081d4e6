/* Life of a file map, its limits, and the check of everything it holds. */
#include "map/map_priv.h"
#include "map/extent_tree.h"
#include "map/indirect.h"

#include <string.h>

static void setup(struct filemap *fm, struct volume *v, const struct filemap_ops *ops, ino_nr owner,
	u32 csum_seed, bool extents)
{
	*fm = (struct filemap){.volume = v,
		.ops = ops,
		.owner = owner,
		.csum_seed = csum_seed,
		.extents = extents,
		.cookie = 1};
	os_rwsem_init(&fm->lock, RANK_FILEMAP, "filemap");
	status_init(fm);
	prealloc_init(&fm->pa);
}

int filemap_init(struct filemap *fm, struct volume *v, const struct filemap_ops *ops, ino_nr owner,
	u32 csum_seed, const u8 root[60], bool extents)
{
	const char *why;
	int err;

	if (extents) {
		err = extent_root_verify(v, root, &why);
		if (err)
			return volume_error(v, err, owner, 0, "%s: run e2fsck", why);
	}
	setup(fm, v, ops, owner, csum_seed, extents);
	memcpy(fm->root, root, sizeof(fm->root));
	if (extents)
		fm->depth_hint = (u16)node_depth(fm->root);
	return 0;
}

void filemap_init_empty(struct filemap *fm, struct volume *v, const struct filemap_ops *ops,
	ino_nr owner, u32 csum_seed, bool extents)
{
	setup(fm, v, ops, owner, csum_seed, extents);
	if (extents)
		extent_node_init(fm->root, sizeof(fm->root), 0);
}

void filemap_fini(struct filemap *fm)
{
	status_fini(fm);
	prealloc_discard(fm->volume, &fm->pa);
	os_rwsem_fini(&fm->lock);
}

static u64 reach(const struct volume *v, bool extents)
{
	u64 blocks = LBLK_END; /* a length of 2^32 - 1 blocks (IO-12) */

	if (!extents)
		blocks = min_of(blocks, indirect_reach(v->sb.block_size));
	return blocks;
}

u64 filemap_reach(const struct filemap *fm)
{
	return reach(fm->volume, fm->extents);
}

u64 filemap_max_bytes(const struct volume *v, bool extents)
{
	u64 bs = v->sb.block_size, per = bs / 4, blocks = reach(v, extents), limit;

	if (!super_has_huge_file(&v->sb)) {
		/* i_blocks counts 512-byte sectors in 32 bits, tables included (MD-17). */
		limit = 0xffffffffull / (bs / 512);
		if (!extents)
			limit -= min_of(limit / 2, 3 + 2 * per + per * per);
		blocks = min_of(blocks, limit);
	}
	return blocks * bs;
}

int map_verify_all(struct filemap *fm)
{
	int err;

	os_rwsem_lock_shared(&fm->lock);
	err = fm->extents ? extent_verify_all(fm) : indirect_verify_all(fm);
	if (!err)
		err = status_verify(fm);
	os_rwsem_unlock_shared(&fm->lock);
	return err;
}
