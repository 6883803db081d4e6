/* Writing the raw inode into its table block, in the caller's handle. */
#include "base/err.h"
#include "base/mutant.h"
#include "inode/inode_priv.h"

#include <string.h>

/* A table block holds many inodes, each verified on its own when it is read. */
static int table_block_verify(const struct super_info *sb, const void *data, pblk_t pblk,
	const struct buf_ctx *ctx, const char **why)
{
	return 0;
}

const struct buf_type inode_table_type = {.name = "inode table", .verify = table_block_verify};

/* The table stays where it is as long as the volume is mounted. */
static int raw_place(struct inode *i, pblk_t *pblk, u32 *offset)
{
	u64 place = atomic_load_relaxed(&i->raw_place);
	int err;

	if (place) {
		*pblk = place >> 16;
		*offset = place & 0xffff;
		return 0;
	}
	err = space_inode_location(i->volume, i->ino, pblk, offset);
	if (!err)
		atomic_store_relaxed(&i->raw_place, *pblk << 16 | *offset);
	return err;
}

int inode_raw(struct inode *i, struct buf **b, void **raw)
{
	struct volume *v = i->volume;
	struct buf_ctx ctx = {.csum_seed = v->sb.csum_seed};
	pblk_t pblk;
	u32 offset;
	int err = raw_place(i, &pblk, &offset);

	if (!err)
		err = buf_read(v->bcache, pblk, &inode_table_type, &ctx, b);
	if (!err)
		*raw = (*b)->data + offset;
	return err;
}

/*
 * raw_lock keeps two writers of this inode apart, and its fields still while
 * they are packed; the buffer's lock keeps away those who copy the block for
 * the sake of another inode in it.
 */
static int pack(struct inode *i, struct buf *b, void *raw)
{
	const struct super_info *sb = &i->volume->sb;
	int err;

	os_mutex_lock(&i->raw_lock);
	os_mutex_lock(&b->lock);
	if (inode_state(i, INODE_BLANK)) {
		memset(raw, 0, sb->inode_size);
		atomic_and(&i->state, ~(u32)INODE_BLANK);
	}
	if (inode_state(i, INODE_VERSION_AHEAD))
		atomic_and(&i->state, ~(u32)INODE_VERSION_AHEAD);
	err = inode_pack(sb, &i->f, raw);
	inode_csum_set(sb, i->csum_seed, raw);
	os_mutex_unlock(&b->lock);
	os_mutex_unlock(&i->raw_lock);
	return err;
}

int inode_dirty(struct handle *h, struct inode *i)
{
	struct buf *b;
	void *raw;
	int err = inode_raw(i, &b, &raw);

	if (err)
		return err;
	err = buf_write_access(h, b);
	if (!err) {
		int dirty_err;

		err = pack(i, b, raw);
		dirty_err = buf_dirty(h, b);
		err = err ? err : dirty_err;
		atomic_store_rel(&i->sync_tid, handle_tid(h));
	}
	buf_put(b);
	return err;
}

void inode_store_version(struct inode *i)
{
	struct handle h;

	if (inode_state(i, INODE_VERSION_AHEAD) && !volume_check_finish(i->volume) &&
		!handle_start(i->volume->journal, &h, INODE_DIRTY_CREDITS, 0))
		(void)handle_end(&h, inode_dirty(&h, i));
}

/*
 * A number for a new inode, and its table block in this transaction: once the number is taken
 * nothing may keep the inode from being written.
 */
int inode_take_number(struct handle *h, struct inode *i, const struct inode_alloc_request *req)
{
	struct buf *b;
	void *raw;
	int err = space_inode_alloc(h, i->volume, req, &i->ino);

	if (err)
		return err;
	err = inode_raw(i, &b, &raw);
	if (!err) {
		err = buf_write_access(h, b);
		buf_put(b);
	}
	if (err)
		(void)space_inode_free(h, i->volume, i->ino, req->dir);
	return err;
}

static struct inode *inode_of_map(struct filemap *fm)
{
	return container_of(fm, struct inode, map);
}

/* i_block follows the root here, so that packing needs no map lock. */
static int record_dirty(struct handle *h, struct inode *i)
{
	os_rwsem_lock_shared(&i->map.lock);
	os_mutex_lock(&i->raw_lock);
	memcpy(i->f.i_block, i->map.root, sizeof(i->map.root));
	os_mutex_unlock(&i->raw_lock);
	os_rwsem_unlock_shared(&i->map.lock);
	return inode_dirty(h, i);
}

static int map_dirty(struct handle *h, struct filemap *fm, bool record)
{
	struct inode *i = inode_of_map(fm);

	if (!MUTANT(DATASYNC_TID_STALE))
		atomic_store_rel(&i->datasync_tid, handle_tid(h));
	if (record)
		return record_dirty(h, i);
	atomic_store_rel(&i->sync_tid, handle_tid(h));
	return 0;
}

/* What the raw inode has room for, in sectors (MD-17). */
static u64 sectors_max(const struct super_info *sb)
{
	return super_has_huge_file(sb) ? ((1ull << 48) - 1) * (sb->block_size / 512) : UINT32_MAX;
}

/* A count that was wrong from the start must not make the inode impossible to write. */
static void map_add_blocks(struct filemap *fm, s64 blocks)
{
	struct inode *i = inode_of_map(fm);
	const struct super_info *sb = &i->volume->sb;
	s64 sectors = blocks * (s64)(sb->block_size / 512);
	u64 max = sectors_max(sb);
	bool low, high;

	os_mutex_lock(&i->raw_lock);
	low = sectors < 0 && (u64)-sectors > i->f.blocks;
	high = sectors > 0 && (u64)sectors > max - min_of(i->f.blocks, max);
	i->f.blocks = low ? 0 : high ? max : i->f.blocks + (u64)sectors;
	os_mutex_unlock(&i->raw_lock);
	if (low || high)
		volume_error(i->volume, ERR(EUCLEAN), i->ino, 0,
			"the inode counts %s blocks than it has; run e2fsck",
			low ? "fewer" : "more");
}

const struct filemap_ops inode_map_ops = {.dirty = map_dirty, .add_blocks = map_add_blocks};
