/* File sizes: growth, truncation and the bytes behind the end (IO-79, 96..99). */
#include "base/err.h"
#include "base/mutant.h"
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

/* The inode record with its new size; the datasync commit must carry it (IO-24, IO-89). */
static int size_dirty(struct handle *h, struct inode *i, u64 size)
{
	int err = size > INT32_MAX ? large_file_mark(h, i->volume) : 0;

	if (err)
		return err;
	atomic_store_relaxed(&i->map.size_blocks_hint, div_up(size, i->volume->sb.block_size));
	if (!MUTANT(DATASYNC_TID_STALE))
		atomic_store_rel(&i->datasync_tid, handle_tid(h));
	return inode_dirty(h, i);
}

/*
 * A size on disk that moves lets bytes be seen: what the cache holds for the blocks that the old
 * end on disk, or either visible end, cut goes out before h commits, zeros behind the end among it
 * (IO-79).
 */
static int order_between(struct handle *h, struct inode *i, u64 size)
{
	u32 bs = i->volume->sb.block_size;
	u64 hi = min_of(inode_size(i), size), lo = min_of(inode_disk_size(i), hi);

	lo = round_down_to(lo, bs);
	hi = round_up_to(hi, bs);
	return lo < hi && !MUTANT(EOF_TAIL_NOT_ORDERED) ? journal_order_data(h, &i->ordered, lo, hi)
							: 0;
}

static int sizes_set(struct handle *h, struct inode *i, u64 size)
{
	int err = order_between(h, i, size);

	if (err)
		return err;
	inode_set_sizes(i, size);
	return size_dirty(h, i, size);
}

int file_raise_disk_size(struct handle *h, struct inode *i, u64 end)
{
	u64 old, now;
	int err;

	if (!inode_raise_disk_size(i, end, &old))
		return 0;
	now = inode_disk_size(i);
	err = file_order_tail(h, i, old);
	return err ? err : size_dirty(h, i, now);
}

int file_grow(struct handle *h, struct inode *i, u64 size)
{
	ASSERT(os_rwsem_held(&i->lock));
	return sizes_set(h, i, size);
}

int file_extend(struct handle *h, struct inode *i, u64 end)
{
	ASSERT(os_rwsem_held(&i->lock));
	if (end > inode_size(i))
		inode_set_size(i, end);
	return file_raise_disk_size(h, i, end);
}

/*
 * Bytes from size to the end of its block become zero, in the cache and thereby on the device
 * before any larger size can commit (the write ops order the block).
 */
static int zero_eof_tail(struct inode *i, u64 size)
{
	u32 bs = i->volume->sb.block_size;

	if (size % bs == 0 || MUTANT(EOF_TAIL_KEPT))
		return 0;
	return iofile_zero(&i->io, size, bs - size % bs, &file_write_ops);
}

/* Blocks that a failed truncation left hold what the file no longer does. */
int file_clear_eof(struct inode *i)
{
	int err = 0;

	if (atomic_load_acq(&i->state) & INODE_UNTRUNCATED) {
		os_rwsem_lock(&i->invalidate_lock);
		err = inode_truncate_blocks(i);
		os_rwsem_unlock(&i->invalidate_lock);
	}
	return err ? err : zero_eof_tail(i, inode_size(i));
}

int file_order_tail(struct handle *h, struct inode *i, u64 size)
{
	u32 bs = i->volume->sb.block_size;

	if (size % bs == 0 || MUTANT(EOF_TAIL_NOT_ORDERED))
		return 0;
	return journal_order_data(h, &i->ordered, round_down_to(size, bs), round_up_to(size, bs));
}

static int resize_commit(struct inode *i, u64 size, bool shrink)
{
	struct handle h;
	int err = handle_start(i->volume->journal, &h, FILE_GROW_CREDITS + ORPHAN_CREDITS, 0);

	if (err)
		return err;
	if (shrink && !MUTANT(TRUNCATE_NO_ORPHAN))
		err = orphan_add(&h, i);
	if (!err) {
		inode_touch(i, INODE_MTIME | INODE_CTIME);
		err = sizes_set(&h, i, size);
	}
	return handle_end(&h, err);
}

static int resize_grow(struct inode *i, u64 size)
{
	int err = file_clear_eof(i);

	return err ? err : resize_commit(i, size, false);
}

static void resize_drop(struct inode *i, u64 size)
{
	iofile_drop_range(&i->io, size, UINT64_MAX);
	inode_undelay(i, (lblk_t)div_up(size, i->volume->sb.block_size), UINT32_MAX);
}

/* IO-77: data that the committing transaction promised goes out before its blocks can be freed. */
static int resize_shrink(struct inode *i, u64 size)
{
	int err = 0;

	if (journal_data_committing(i->volume->journal, &i->ordered))
		err = iofile_write_mapped(&i->io, size, UINT64_MAX);
	if (!err)
		err = zero_eof_tail(i, size);
	if (err)
		return err;
	os_rwsem_lock(&i->invalidate_lock);
	err = resize_commit(i, size, true);
	if (!err) {
		if (size == 0)
			atomic_or(&i->state, INODE_EMPTIED);
		resize_drop(i, size);
		err = inode_truncate_blocks(i);
	}
	os_rwsem_unlock(&i->invalidate_lock);
	return err;
}

/* IO-97: the same size still gives back blocks behind the end. */
static int resize_equal(struct inode *i)
{
	int err = resize_commit(i, inode_size(i), true);

	return err ? err : inode_truncate_blocks(i);
}

int file_resize(struct inode *i, u64 size)
{
	u64 old = inode_size(i);

	ASSERT(os_rwsem_held(&i->lock));
	if (size > filemap_max_bytes(i->volume, i->map.extents))
		return ERR(EFBIG);
	if (!MUTANT(TRUNCATE_NO_DIO_WAIT))
		inode_dio_wait(i);
	if (size > old)
		return resize_grow(i, size);
	return size < old ? resize_shrink(i, size) : resize_equal(i);
}
