/*
 * The orphan file (OR-2): slots for inode numbers in a few preallocated,
 * journaled blocks. The checksum covers the block's own number.
 */
#include "base/err.h"
#include "disk/orphan.h"
#include "inode/orphan_priv.h"
#include "os/mem.h"

#include <sys/stat.h>

static int block_check(const struct super_info *sb, const void *data, pblk_t pblk,
	const struct buf_ctx *ctx, const char **why)
{
	*why = "wrong checksum of an orphan file block";
	if (!orphan_csum_verify(sb, ctx->csum_seed, pblk, data))
		return ERR(EBADMSG);
	return orphan_block_verify(sb, data, why);
}

static void block_seal(
	const struct super_info *sb, void *data, pblk_t pblk, const struct buf_ctx *ctx)
{
	orphan_csum_set(sb, ctx->csum_seed, pblk, data);
}

static const struct buf_type orphan_block_type = {
	.name = "orphan file block", .verify = block_check, .seal = block_seal};

static struct le32 *slot_at(const struct orphans *o, u32 slot)
{
	return (struct le32 *)o->blocks[slot / o->slots_per_block]->data +
	       slot % o->slots_per_block;
}

static int slot_write(struct handle *h, struct orphans *o, u32 slot, ino_nr ino)
{
	struct buf *b = o->blocks[slot / o->slots_per_block];
	int err = buf_write_access(h, b);

	ASSERT(os_mutex_held(&o->lock));
	if (err)
		return err;
	*slot_at(o, slot) = cpu_to_le32(ino);
	return buf_dirty(h, b);
}

static bool slot_find_free(struct orphans *o, u32 *slot)
{
	for (u32 n = 0; n < o->block_count; n++) {
		u32 k = (o->hint + n) % o->block_count;

		if (o->free_slots[k] == 0)
			continue;
		for (u32 s = 0; s < o->slots_per_block; s++) {
			*slot = k * o->slots_per_block + s;
			if (le32_to_cpu(*slot_at(o, *slot)) == 0) {
				o->hint = k;
				return true;
			}
		}
	}
	return false;
}

static void count_slot(struct orphans *o, u32 slot, bool taken)
{
	o->used += taken ? 1 : -1;
	o->free_slots[slot / o->slots_per_block] += taken ? -1 : 1;
}

int orphan_file_add(struct handle *h, struct inode *i)
{
	struct orphans *o = i->volume->orphans;
	u32 slot;
	int err;

	if (!slot_find_free(o, &slot))
		return -ENOSPC;
	err = slot_write(h, o, slot, i->ino);
	if (err)
		return err;
	count_slot(o, slot, true);
	i->orphan_slot = slot;
	atomic_or(&i->state, INODE_ORPHAN_FILE);
	return 0;
}

int orphan_file_remove(struct handle *h, struct inode *i)
{
	struct orphans *o = i->volume->orphans;
	int err = slot_write(h, o, i->orphan_slot, 0);

	if (err)
		return err;
	count_slot(o, i->orphan_slot, false);
	atomic_and(&i->state, ~(u32)INODE_ORPHAN_FILE);
	return 0;
}

int orphan_file_clear(struct handle *h, struct volume *v, u32 slot)
{
	struct orphans *o = v->orphans;
	int err;

	os_mutex_lock(&o->lock);
	err = slot_write(h, o, slot, 0);
	if (!err)
		count_slot(o, slot, false);
	os_mutex_unlock(&o->lock);
	return err;
}

ino_nr orphan_file_entry(struct volume *v, u32 slot)
{
	return le32_to_cpu(*slot_at(v->orphans, slot));
}

u32 orphan_file_slots(struct volume *v)
{
	return v->orphans->block_count * v->orphans->slots_per_block;
}

void orphan_file_adopt(struct inode *i, u32 slot)
{
	i->orphan_slot = slot;
	atomic_or(&i->state, INODE_ORPHAN_FILE);
}

static int block_open(struct volume *v, struct inode *i, u32 k)
{
	struct orphans *o = v->orphans;
	struct buf_ctx ctx = {.csum_seed = i->csum_seed, .owner = i->ino};
	struct mapping m;
	int err = map_lookup(&i->map, k, 1, &m);

	if (!err && m.state != MAP_WRITTEN)
		err = volume_error(
			v, ERR(EUCLEAN), i->ino, 0, "the orphan file has a hole; run e2fsck");
	if (!err)
		err = buf_read(v->bcache, m.pblk, &orphan_block_type, &ctx, &o->blocks[k]);
	if (err)
		return err;
	o->block_count = k + 1;
	for (u32 s = 0; s < o->slots_per_block; s++)
		if (le32_to_cpu(*slot_at(o, k * o->slots_per_block + s)) == 0)
			o->free_slots[k]++;
	o->used += o->slots_per_block - o->free_slots[k];
	return 0;
}

static int blocks_open(struct volume *v, struct inode *i)
{
	struct orphans *o = v->orphans;
	u64 blocks = inode_size(i) / v->sb.block_size;
	int err = 0;

	if (blocks == 0 || blocks > EXT4_ORPHAN_BLOCKS_MAX || inode_size(i) % v->sb.block_size ||
		!inode_is(i, S_IFREG))
		return volume_error(v, ERR(EUCLEAN), i->ino, 0,
			"the orphan file has a wrong size or type; run e2fsck");
	o->slots_per_block = orphan_block_slots(&v->sb);
	o->blocks = os_calloc(blocks, sizeof(*o->blocks));
	o->free_slots = os_calloc(blocks, sizeof(*o->free_slots));
	if (!o->blocks || !o->free_slots)
		return ERR(ENOMEM);
	for (u32 k = 0; !err && k < blocks; k++)
		err = block_open(v, i, k);
	return err;
}

int orphan_file_open(struct volume *v)
{
	struct inode *i;
	int err;

	if (!super_has_orphan_file(&v->sb))
		return 0;
	err = inode_get_special(v, v->sb.orphan_file_inum, &i);
	if (err)
		return err;
	v->orphans->csum_seed = i->csum_seed;
	err = blocks_open(v, i);
	if (err)
		orphan_file_close(v);
	inode_put(i);
	return err;
}

void orphan_file_close(struct volume *v)
{
	struct orphans *o = v->orphans;

	for (u32 k = 0; k < o->block_count; k++)
		buf_put(o->blocks[k]);
	os_free(o->blocks);
	os_free(o->free_slots);
	o->block_count = 0;
}

bool orphans_pending(struct volume *v)
{
	struct inode *i;
	bool pending;

	os_mutex_lock(&v->orphans->lock);
	pending = v->orphans->used;
	list_for_each_entry (i, &v->orphans->list, orphan_node)
		pending |= !inode_state(i, INODE_BURIED);
	os_mutex_unlock(&v->orphans->lock);
	return pending;
}

bool orphans_empty(struct volume *v)
{
	return !v->orphans || v->orphans->used == 0;
}
