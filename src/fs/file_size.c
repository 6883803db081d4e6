/* File sizes: growth, truncation and the bytes behind the end (IO-79, 96..99). */
#include "base/err.h"
#include "disk/features.h"
#include "fs/fs_priv.h"
#include "inode/dio.h"
#include "os/assert.h"

/* MD-18: the first file past 2 GiB sets the feature in the same transaction. */
static int large_file_mark(struct handle *h, struct volume *v)
{
	struct ext4_super *s = volume_super(v);
	int err;

	if (le32_to_cpu(s->s_feature_ro_compat) & EXT4_FEATURE_RO_COMPAT_LARGE_FILE)
		return 0;
	err = buf_write_access(h, v->super_buf);
	if (err)
		return err;
	super_fields_lock(v);
	s->s_feature_ro_compat = cpu_to_le32(
		le32_to_cpu(s->s_feature_ro_compat) | EXT4_FEATURE_RO_COMPAT_LARGE_FILE);
	super_fields_unlock(v);
	return buf_dirty(h, v->super_buf);
}

/* After a change of sizes in h: the datasync commit must carry it (IO-24, IO-89). */
static int sizes_changed(struct handle *h, struct inode *i)
{
	atomic_store_relaxed(
		&i->map.size_blocks_hint, div_up(inode_size(i), i->volume->sb.block_size));
	atomic_store_rel(&i->datasync_tid, handle_tid(h));
	return inode_dirty(h, i);
}

static int sizes_set(struct handle *h, struct inode *i, u64 size)
{
	int err = size > INT32_MAX ? large_file_mark(h, i->volume) : 0;

	if (err)
		return err;
	inode_set_size(i, size);
	inode_set_disk_size(i, size);
	return sizes_changed(h, i);
}

int file_grow(struct handle *h, struct inode *i, u64 size)
{
	ASSERT(os_rwsem_held(&i->lock));
	return sizes_set(h, i, size);
}

int file_extend(struct handle *h, struct inode *i, u64 end)
{
	int err = end > INT32_MAX ? large_file_mark(h, i->volume) : 0;
	u64 old;

	ASSERT(os_rwsem_held(&i->lock));
	if (err)
		return err;
	if (end > inode_size(i))
		inode_set_size(i, end);
	(void)inode_raise_disk_size(i, end, &old);
	return sizes_changed(h, i);
}

/*
 * Bytes from size to the end of its block become zero, in the cache and thereby on the device
 * before any larger size can commit (the write ops order the block).
 */
int file_zero_eof_tail(struct inode *i, u64 size)
{
	u32 bs = i->volume->sb.block_size;

	if (size % bs == 0)
		return 0;
	return iofile_zero(&i->io, size, bs - size % bs, &file_write_ops);
}

int file_order_tail(struct handle *h, struct inode *i, u64 size)
{
	u32 bs = i->volume->sb.block_size;

	if (size % bs == 0)
		return 0;
	return journal_order_data(h, &i->ordered, round_down_to(size, bs), round_up_to(size, bs));
}

static int resize_commit(struct inode *i, u64 size, bool shrink, u64 tail_at)
{
	struct handle h;
	int err = handle_start(i->volume->journal, &h, FILE_GROW_CREDITS + ORPHAN_CREDITS, 0);

	if (err)
		return err;
	err = file_order_tail(&h, i, tail_at);
	if (!err && shrink)
		err = orphan_add(&h, i);
	if (!err) {
		inode_touch(i, INODE_MTIME | INODE_CTIME);
		err = sizes_set(&h, i, size);
	}
	return handle_end(&h, err);
}

static int resize_grow(struct inode *i, u64 size)
{
	u64 old = inode_size(i);
	int err = file_zero_eof_tail(i, old);

	return err ? err : resize_commit(i, size, false, old);
}

/* IO-77: data that the committing transaction promised goes out before its blocks can be freed. */
static int resize_shrink(struct inode *i, u64 size)
{
	int err = 0;

	if (journal_data_committing(i->volume->journal, &i->ordered))
		err = iofile_write_range(&i->io, size, UINT64_MAX, true);
	if (!err)
		err = file_zero_eof_tail(i, size);
	if (err)
		return err;
	os_rwsem_lock(&i->invalidate_lock);
	err = resize_commit(i, size, true, size);
	if (!err) {
		iofile_drop_range(&i->io, size, UINT64_MAX);
		inode_undelay(i, (lblk_t)div_up(size, i->volume->sb.block_size), UINT32_MAX);
		err = inode_truncate_blocks(i);
	}
	os_rwsem_unlock(&i->invalidate_lock);
	return err;
}

/* IO-97: the same size still gives back blocks behind the end. */
static int resize_equal(struct inode *i)
{
	int err = resize_commit(i, inode_size(i), true, 0);

	return err ? err : inode_truncate_blocks(i);
}

int file_resize(struct inode *i, u64 size)
{
	u64 old = inode_size(i);

	ASSERT(os_rwsem_held(&i->lock));
	if (size > filemap_max_bytes(i->volume, i->map.extents))
		return ERR(EFBIG);
	inode_dio_wait(i);
	if (size > old)
		return resize_grow(i, size);
	return size < old ? resize_shrink(i, size) : resize_equal(i);
}
