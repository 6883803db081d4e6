/* SEEK_HOLE, SEEK_DATA and the list of extents (IO-123, IO-124). */
#include "base/err.h"
#include "fs/fs_priv.h"

#include <sys/stat.h>
#include <unistd.h>

/* Is there data in this mapping at or after pos? *at is where. */
static bool mapping_has_data(struct inode *i, const struct mapping *m, u64 pos, u64 *at)
{
	u32 bs = i->volume->sb.block_size;
	u64 start = max_of(pos, (u64)m->lblk * bs), end = ((u64)m->lblk + m->len) * bs;

	*at = start;
	if (m->state == MAP_WRITTEN || m->state == MAP_DELAYED)
		return true;
	return m->state == MAP_UNWRITTEN && iofile_has_data(&i->io, start, end, at);
}

/* The data ends inside an unwritten mapping at the first block that the cache knows nothing of. */
static u64 mapping_data_end(struct inode *i, const struct mapping *m, u64 from)
{
	u32 bs = i->volume->sb.block_size;
	u64 end = ((u64)m->lblk + m->len) * bs, at = from;

	if (m->state != MAP_UNWRITTEN)
		return end;
	while (at < end) {
		u64 next;

		if (!iofile_has_data(&i->io, at, min_of(at + bs, end), &next))
			break;
		at = round_down_to(at, bs) + bs;
	}
	return at;
}

static s64 seek_locked(struct inode *i, u64 pos, bool want_data)
{
	u64 size = inode_size(i), at;
	u32 bs = i->volume->sb.block_size;

	while (pos < size) {
		struct mapping m;
		lblk_t lblk = (lblk_t)(pos / bs);
		int err = map_lookup(&i->map, lblk, (u32)(div_up(size, bs) - lblk), &m);

		if (err)
			return err;
		if (mapping_has_data(i, &m, pos, &at)) {
			if (want_data)
				return at < size ? (s64)at : ERR(ENXIO);
			if (at > pos)
				return (s64)pos;
			pos = mapping_data_end(i, &m, pos);
		} else {
			if (!want_data)
				return (s64)pos;
			pos = ((u64)m.lblk + m.len) * bs;
		}
	}
	return want_data ? ERR(ENXIO) : (s64)size;
}

s64 file_seek(struct inode *i, u64 pos, int whence)
{
	s64 at;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return ERR(EINVAL);
	if (!inode_is(i, S_IFREG))
		return ERR(EINVAL);
	os_rwsem_lock_shared(&i->lock);
	if (pos >= inode_size(i))
		at = ERR(ENXIO);
	else if (i->f.flags & EXT4_INLINE_DATA_FL)
		at = whence == SEEK_DATA ? (s64)pos : (s64)inode_size(i);
	else
		at = seek_locked(i, pos, whence == SEEK_DATA);
	os_rwsem_unlock_shared(&i->lock);
	return at;
}

/* Past the end of file too: preallocated blocks are listed. */
int file_extents(struct inode *i, u64 pos, struct mapping *out, u32 count)
{
	u64 lblk = pos / i->volume->sb.block_size;
	u32 n = 0;
	int err = 0;

	if (i->f.flags & EXT4_INLINE_DATA_FL || inode_symlink_is_fast(i) ||
		!(inode_is(i, S_IFREG) || inode_is(i, S_IFDIR) || inode_is(i, S_IFLNK)))
		return 0;
	os_rwsem_lock_shared(&i->lock);
	while (n < count && lblk <= LBLK_MAX) {
		struct mapping m;

		err = map_lookup(&i->map, (lblk_t)lblk, (u32)(LBLK_MAX - lblk + 1), &m);
		if (err)
			break;
		if (m.state != MAP_HOLE)
			out[n++] = m;
		lblk = (u64)m.lblk + m.len;
	}
	os_rwsem_unlock_shared(&i->lock);
	return err ? err : (int)n;
}
