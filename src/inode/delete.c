/* The end of an inode, and truncation: freeing blocks under an orphan record. */
#include "base/err.h"
#include "base/mutant.h"
#include "base/trace.h"
#include "inode/inode_priv.h"

#include <string.h>
#include <sys/stat.h>

static bool has_map(const struct inode *i)
{
	if (i->f.flags & EXT4_INLINE_DATA_FL)
		return false;
	return inode_is(i, S_IFREG) || inode_is(i, S_IFDIR) ||
	       (inode_is(i, S_IFLNK) && !inode_symlink_is_fast(i));
}

/* A map_remove may have used up the handle: make sure that the closing steps fit. */
static int ensure(struct handle *h, u32 credits, u32 revokes)
{
	int more = handle_ensure(h, credits, revokes);

	return more > 0 ? handle_restart(h, credits, revokes) : more;
}

/* Frees all blocks from lblk on; the record protects every restart in between. */
static int remove_blocks(struct handle *h, struct inode *i, lblk_t from)
{
	prealloc_discard(i->volume, &i->map.pa);
	return map_remove(h, &i->map, from, UINT32_MAX);
}

static int truncate_in(struct handle *h, struct inode *i)
{
	u64 keep = div_up(inode_size(i), i->volume->sb.block_size);
	int err = MUTANT(TRUNCATE_NO_ORPHAN) ? 0 : orphan_add(h, i);

	if (!err)
		err = inode_dirty(h, i);
	if (!err && keep <= LBLK_MAX)
		err = remove_blocks(h, i, (lblk_t)keep);
	if (!err)
		err = ensure(h, ORPHAN_CREDITS + INODE_DIRTY_CREDITS, 0);
	if (!err && i->f.links > 0)
		err = orphan_remove_unwritten(h, i);
	if (!err)
		err = inode_dirty(h, i);
	return err;
}

static int truncate_blocks(struct inode *i)
{
	u32 credits = map_remove_credits(&i->map) + 2 * ORPHAN_CREDITS + 2 * INODE_DIRTY_CREDITS;
	struct handle h;
	int err = volume_check_finish(i->volume);

	if (err)
		return err;
	err = handle_start(i->volume->journal, &h, credits, map_remove_revokes(&i->map));
	if (err)
		return err;
	TRACE("truncate", i->ino, inode_size(i));
	err = truncate_in(&h, i);
	return handle_end(&h, err);
}

int inode_truncate_blocks(struct inode *i)
{
	int err = truncate_blocks(i);

	if (err)
		atomic_or(&i->state, INODE_UNTRUNCATED);
	else if (inode_state(i, INODE_UNTRUNCATED))
		atomic_and(&i->state, ~(u32)INODE_UNTRUNCATED);
	return err;
}

bool inode_still_untruncated(struct inode *i)
{
	const u32 left = INODE_UNTRUNCATED | INODE_ORPHAN_LIST | INODE_ORPHAN_FILE;

	if (!i->volume->orphans || i->f.links == 0 || inode_state(i, INODE_BAD) ||
		!inode_state(i, left))
		return false;
	os_rwsem_lock(&i->lock);
	os_rwsem_lock(&i->invalidate_lock);
	(void)inode_truncate_blocks(i);
	os_rwsem_unlock(&i->invalidate_lock);
	os_rwsem_unlock(&i->lock);
	return inode_state(i, left);
}

static void symlink_clear(struct inode *i)
{
	os_mutex_lock(&i->raw_lock);
	memset(i->f.i_block, 0, sizeof(i->f.i_block));
	os_mutex_unlock(&i->raw_lock);
}

static void sizes_clear(struct inode *i)
{
	inode_set_size(i, 0);
	inode_set_disk_size(i, 0);
}

/*
 * Size 0 first, so that a crash from here on only has to go on deleting. Without blocks nothing
 * comes between, and delete_end writes the inode.
 */
static int delete_begin(struct handle *h, struct inode *i)
{
	int err = orphan_add(h, i);

	if (err)
		return err;
	if (inode_symlink_is_fast(i))
		symlink_clear(i);
	/* A slow symlink keeps its size while it has a block: the size tells it from a fast one. */
	if (!inode_is(i, S_IFLNK))
		sizes_clear(i);
	return i->f.blocks ? inode_dirty(h, i) : 0;
}

/* The record and the bitmap bit go in the same transaction (OR-7). */
static int delete_end(struct handle *h, struct inode *i)
{
	bool dir = inode_is(i, S_IFDIR);
	int err = xattr_delete_all(h, i);

	if (!err)
		err = space_inode_free_prepare(h, i->volume, i->ino);
	if (!err)
		err = orphan_remove_unwritten(h, i);
	if (err)
		return err;
	sizes_clear(i);
	os_mutex_lock(&i->raw_lock);
	i->f.dtime = (u32)max_of(os_clock_wall_coarse().sec, (s64)i->volume->sb.inodes_count + 1);
	os_mutex_unlock(&i->raw_lock);
	err = inode_dirty(h, i);
	if (!err)
		err = space_inode_free(h, i->volume, i->ino, dir);
	return handle_must(h, err); /* its record is gone: the number would be nobody's */
}

static int delete_in(struct handle *h, struct inode *i)
{
	u32 end_credits = xattr_set_credits(i, 0) + ORPHAN_CREDITS + INODE_DIRTY_CREDITS +
			  SPACE_INODE_CREDITS;
	int err = delete_begin(h, i);

	if (!err && has_map(i))
		err = remove_blocks(h, i, 0);
	if (!err)
		err = ensure(h, end_credits, end_credits);
	return err ? err : delete_end(h, i);
}

/*
 * A transaction that began to commit before the last name went will show the file, with its blocks,
 * if the power goes right after it: they must hold the file's data by then (JB-20, IO-77).
 */
static void keep_promise(struct inode *i)
{
	if (journal_data_promised(i->volume->journal, &i->ordered, atomic_load_acq(&i->sync_tid)))
		(void)iofile_write_mapped(&i->io, 0, UINT64_MAX);
}

/* The record stays on disk, and the next mount finishes the work; without a journal there is none.
 */
static void delete_failed(struct inode *i, int err)
{
	struct volume *v = i->volume;

	if (journal_exists(v->journal))
		log_msg(&v->log, LOG_WARNING,
			"inode %u: deleting it failed (%d); the next mount or e2fsck finishes it",
			i->ino, err);
	else
		volume_error(v, err, i->ino, 0, "deleting it failed (%d); run e2fsck", err);
}

void inode_delete(struct inode *i)
{
	struct volume *v = i->volume;
	u32 credits = map_remove_credits(&i->map) + 2 * ORPHAN_CREDITS + 2 * INODE_DIRTY_CREDITS;
	bool blocks = has_map(i);
	struct handle h;
	int err;

	keep_promise(i);
	iofile_drop_range(&i->io, 0, UINT64_MAX);
	inode_undelay(i, 0, UINT32_MAX);
	journal_release_inode(v->journal, &i->ordered);
	if (volume_check_finish(v))
		return;
	err = handle_start(v->journal, &h, credits + (blocks ? 0 : SPACE_INODE_CREDITS), credits);
	if (!err) {
		err = delete_in(&h, i);
		err = handle_end(&h, err);
	}
	if (err)
		delete_failed(i, err);
}
