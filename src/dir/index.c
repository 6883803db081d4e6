/*
 * Walking the hash index (DR-5..8). Counts and limits of each block were
 * verified when it was read; here come the checks that need the directory:
 * block numbers inside it, levels as the root says.
 */
#include "base/err.h"
#include "base/bits.h"
#include "dir/dir_priv.h"
#include "os/mem.h"

#include <string.h>

static struct ext4_dx_countlimit *countlimit(const struct dx_frame *f)
{
	return (struct ext4_dx_countlimit *)f->entries;
}

u32 frame_count(const struct dx_frame *f)
{
	return le16_to_cpu(countlimit(f)->count);
}

u32 frame_limit(const struct dx_frame *f)
{
	return le16_to_cpu(countlimit(f)->limit);
}

/* Entry 0 stands for everything below entry 1. */
u32 frame_hash(const struct dx_frame *f, u32 at)
{
	return at == 0 ? 0 : le32_to_cpu(f->entries[at].hash);
}

lblk_t frame_block(const struct dx_frame *f, u32 at)
{
	return le32_to_cpu(f->entries[at].block) & EXT4_DX_BLOCK_MASK;
}

lblk_t dx_leaf(const struct dx_path *p)
{
	const struct dx_frame *f = &p->frame[p->depth - 1];

	return frame_block(f, f->at);
}

u8 dx_version(const struct inode *dir, u8 stored)
{
	bool unsigned_chars = dir->volume->sb.hash_unsigned;

	return stored <= EXT4_HASH_TEA && unsigned_chars ? stored + EXT4_HASH_LEGACY_UNSIGNED
							 : stored;
}

int dx_name_hash(struct inode *dir, u8 version, struct name name, struct dirhash *out)
{
	return dirhash_compute(version, dir->volume->sb.hash_seed, name.s, name.len, out);
}

void dx_put(struct dx_path *p)
{
	for (u32 k = 0; k < p->depth; k++)
		buf_put(p->frame[k].b);
	p->depth = 0;
}

int dx_open(struct inode *dir, struct dx_path *p)
{
	struct dx_frame *f = &p->frame[0];
	const struct ext4_dx_root *root;
	u32 levels_max = super_has_largedir(&dir->volume->sb) ? 2 : 1;
	int err;

	p->depth = 0;
	err = dir_block_read(dir, 0, &dir_root_type, &f->b);
	if (err)
		return err;
	p->depth = 1;
	p->steps = 0;
	f->lblk = 0;
	f->at = 0;
	f->entries = (struct ext4_dx_entry *)(f->b->data + EXT4_DX_ROOT_COUNT_OFFSET);
	root = (const struct ext4_dx_root *)f->b->data;
	if (root->info.hash_version > EXT4_HASH_TEA || root->info.indirect_levels > levels_max) {
		dx_put(p);
		return dir_corrupt(dir, 0, "index with an unknown hash or too many levels");
	}
	p->version = dx_version(dir, root->info.hash_version);
	return 0;
}

static u32 dx_levels(const struct dx_path *p)
{
	return ((const struct ext4_dx_root *)p->frame[0].b->data)->info.indirect_levels;
}

/* The last child whose lowest hash is not above the wanted one. */
static u32 dx_search(const struct dx_frame *f, u32 hash)
{
	u32 lo = 0, hi = frame_count(f);

	while (hi - lo > 1) {
		u32 mid = lo + (hi - lo) / 2;

		if (le32_to_cpu(f->entries[mid].hash) > hash)
			hi = mid;
		else
			lo = mid;
	}
	return lo;
}

/* Adds the frame of the child that the bottom frame follows. */
static int dx_down(struct inode *dir, struct dx_path *p)
{
	struct dx_frame *f = &p->frame[p->depth];
	lblk_t lblk = dx_leaf(p);
	int err;

	for (u32 k = 0; k < p->depth; k++)
		if (p->frame[k].lblk == lblk)
			return dir_corrupt(dir, lblk, "an index node is its own ancestor");
	err = dir_block_read(dir, lblk, &dir_node_type, &f->b);
	if (err)
		return err;
	f->lblk = lblk;
	f->at = 0;
	f->entries = (struct ext4_dx_entry *)(f->b->data + EXT4_DX_NODE_COUNT_OFFSET);
	p->depth++;
	return 0;
}

int dx_descend(struct inode *dir, struct dx_path *p)
{
	u32 levels = dx_levels(p);
	int err = 0;

	p->frame[0].at = dx_search(&p->frame[0], p->hash);
	while (!err && p->depth <= levels) {
		err = dx_down(dir, p);
		if (!err)
			p->frame[p->depth - 1].at = dx_search(&p->frame[p->depth - 1], p->hash);
	}
	if (!err && dx_leaf(p) == 0)
		err = dir_corrupt(dir, 0, "the index names its own root as a leaf");
	if (err)
		dx_put(p);
	return err;
}

int dx_probe(struct inode *dir, struct name name, struct dx_path *p)
{
	struct dirhash hash;
	int err = dx_open(dir, p);

	if (err)
		return err;
	err = dx_name_hash(dir, p->version, name, &hash);
	if (err) {
		dx_put(p);
		return err;
	}
	p->hash = hash.hash;
	return dx_descend(dir, p);
}

/* Up to the lowest frame with a next child, then down along first children. */
int dx_next(struct inode *dir, struct dx_path *p, u32 *hash)
{
	u32 levels = dx_levels(p), k = p->depth;

	/* DR-7: a leaf has one place in the index, so there are fewer steps than blocks. */
	if (p->steps++ >= dir_block_count(dir))
		return dir_corrupt(dir, 0, "the index names a block more than once");
	while (k > 0 && p->frame[k - 1].at + 1 >= frame_count(&p->frame[k - 1]))
		k--;
	if (k == 0)
		return 0;
	while (p->depth > k)
		buf_put(p->frame[--p->depth].b);
	p->frame[k - 1].at++;
	*hash = frame_hash(&p->frame[k - 1], p->frame[k - 1].at);
	while (p->depth <= levels) {
		int err = dx_down(dir, p);

		if (err)
			return err;
	}
	return 1;
}

/* Marks what the path names; the first block is the root. */
static int check_step(struct inode *dir, const struct dx_path *p, u8 *named)
{
	lblk_t leaf = dx_leaf(p);

	for (u32 k = 0; k < p->depth; k++)
		bit_set(named, p->frame[k].lblk);
	if (leaf >= dir_block_count(dir))
		return dir_corrupt(dir, leaf, "the index names it behind the end");
	if (bit_test(named, leaf))
		return dir_corrupt(dir, leaf, "the index names it more than once");
	bit_set(named, leaf);
	return 0;
}

static int check_steps(struct inode *dir, struct dx_path *p, u8 *named)
{
	lblk_t count = dir_block_count(dir), missing;
	int more = 1, err = 0;

	while (!err && more > 0) {
		u32 hash;

		err = check_step(dir, p, named);
		if (!err)
			more = dx_next(dir, p, &hash);
	}
	if (err || more < 0)
		return err ? err : more;
	missing = bits_next_zero(named, 0, count);
	return missing < count ? dir_corrupt(dir, missing, "the index does not name it") : 0;
}

int dx_check(struct inode *dir)
{
	struct dx_path p;
	u8 *named;
	int err = dx_open(dir, &p);

	if (err)
		return err;
	p.hash = 0;
	err = dx_descend(dir, &p);
	if (err)
		return err;
	named = os_zalloc(div_up(dir_block_count(dir), 8));
	err = named ? check_steps(dir, &p, named) : ERR(ENOMEM);
	os_free(named);
	dx_put(&p);
	return err;
}
