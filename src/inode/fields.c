/* Small changes of an inode's fields: sizes, times, links, fast symlinks. */
#include "base/err.h"
#include "inode/inode_priv.h"

#include <string.h>
#include <sys/stat.h>

#define LINKS_MAX 65000u

void inode_set_size(struct inode *i, u64 size)
{
	atomic_store_rel(&i->size, size);
}

void inode_set_disk_size(struct inode *i, u64 size)
{
	os_mutex_lock(&i->raw_lock);
	atomic_store_rel(&i->disk_size, size);
	i->f.size = size;
	os_mutex_unlock(&i->raw_lock);
}

void inode_set_sizes(struct inode *i, u64 size)
{
	os_mutex_lock(&i->raw_lock);
	inode_set_size(i, size);
	atomic_store_rel(&i->disk_size, size);
	i->f.size = size;
	os_mutex_unlock(&i->raw_lock);
}

bool inode_raise_disk_size(struct inode *i, u64 end, u64 *old)
{
	u64 size;
	bool grows;

	os_mutex_lock(&i->raw_lock);
	size = inode_size(i);
	end = min_of(end, size);
	*old = i->disk_size;
	grows = end > i->disk_size;
	if (grows) {
		atomic_store_rel(&i->disk_size, end);
		i->f.size = end;
	}
	os_mutex_unlock(&i->raw_lock);
	return grows;
}

bool inode_is(const struct inode *i, u32 type)
{
	/* Asked without a lock too: the type never changes, but the bits beside it do. */
	return (atomic_load_relaxed(&i->f.mode) & S_IFMT) == type;
}

void inode_touch(struct inode *i, u32 which)
{
	struct os_time now = os_clock_wall_coarse();

	os_mutex_lock(&i->raw_lock);
	if (which & INODE_ATIME)
		i->f.atime = now;
	if (which & INODE_MTIME)
		i->f.mtime = now;
	if (which & INODE_CTIME)
		i->f.ctime = now;
	if (which & (INODE_MTIME | INODE_CTIME))
		i->f.version++;
	os_mutex_unlock(&i->raw_lock);
}

void inode_touch_version(struct inode *i)
{
	os_mutex_lock(&i->raw_lock);
	i->f.version++;
	os_mutex_unlock(&i->raw_lock);
	if (!inode_state(i, INODE_VERSION_AHEAD))
		atomic_or(&i->state, INODE_VERSION_AHEAD);
}

static bool counts_subdirs(const struct inode *i)
{
	return !(inode_is(i, S_IFDIR) && i->f.links == 1);
}

/* DR-14: an indexed directory gives up counting its subdirectories at 65000 and says 1. */
int inode_inc_links(struct inode *i)
{
	bool nolimit = inode_is(i, S_IFDIR) && super_has_dir_nlink(&i->volume->sb) &&
		       i->f.flags & EXT4_INDEX_FL;
	int err = 0;

	os_mutex_lock(&i->raw_lock);
	if (!counts_subdirs(i))
		;
	else if (i->f.links < LINKS_MAX)
		i->f.links++;
	else if (nolimit)
		i->f.links = 1;
	else
		err = ERR(EMLINK);
	os_mutex_unlock(&i->raw_lock);
	return err;
}

void inode_dec_links(struct inode *i)
{
	os_mutex_lock(&i->raw_lock);
	if (inode_is(i, S_IFDIR)) {
		if (i->f.links > 2)
			i->f.links--;
	} else if (i->f.links > 0) {
		i->f.links--;
	}
	os_mutex_unlock(&i->raw_lock);
}

void inode_clear_links(struct inode *i)
{
	os_mutex_lock(&i->raw_lock);
	i->f.links = 0;
	os_mutex_unlock(&i->raw_lock);
}

/* MD-19: no data blocks of its own: what i_blocks counts is attribute storage. */
bool inode_symlink_is_fast(const struct inode *i)
{
	return inode_is(i, S_IFLNK) && !(i->f.flags & (EXT4_EXTENTS_FL | EXT4_INLINE_DATA_FL)) &&
	       i->f.size < sizeof(i->f.i_block);
}

int inode_fast_symlink(const struct inode *i, char *buf)
{
	size_t len = (size_t)i->f.size;

	if (!inode_symlink_is_fast(i))
		return 0;
	if (len == 0 || memchr(i->f.i_block, 0, len))
		return volume_error(i->volume, ERR(EUCLEAN), i->ino, 0,
			"the symlink's target does not fit its size; run e2fsck");
	memcpy(buf, i->f.i_block, len);
	return (int)len;
}

int inode_set_fast_symlink(struct inode *i, const char *target, size_t len)
{
	if (len >= sizeof(i->f.i_block))
		return ERR(ENAMETOOLONG);
	os_mutex_lock(&i->raw_lock);
	memset(i->f.i_block, 0, sizeof(i->f.i_block));
	memcpy(i->f.i_block, target, len);
	i->f.flags &= ~(u32)EXT4_EXTENTS_FL;
	os_mutex_unlock(&i->raw_lock);
	inode_set_size(i, len);
	inode_set_disk_size(i, len);
	return 0;
}

static void lock_pair(struct inode *first, struct inode *second)
{
	os_rwsem_lock_nested(&first->lock, 0);
	os_rwsem_lock_nested(&second->lock, 1);
}

void inode_lock_two(struct inode *a, struct inode *b)
{
	if (!a || !b || a == b) {
		os_rwsem_lock(&(a ? a : b)->lock);
		return;
	}
	if (a->ino < b->ino)
		lock_pair(a, b);
	else
		lock_pair(b, a);
}

void inode_unlock_two(struct inode *a, struct inode *b)
{
	if (a)
		os_rwsem_unlock(&a->lock);
	if (b && b != a)
		os_rwsem_unlock(&b->lock);
}
