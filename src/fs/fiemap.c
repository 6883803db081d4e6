/* The list of a file's extents, as ioctl FIEMAP gives it (IO-124). */
#include "base/err.h"
#include "disk/inode_format.h"
#include "fs/fs_priv.h"
#include "inode/xattr.h"

#include <linux/fiemap.h>
#include <sys/stat.h>

/* One extent is held back: the next may continue it, and the last one is marked. */
struct walk {
	struct inode *i;
	struct file_extent held; /* length 0: none */
	fiemap_emit_fn *emit;
	void *arg;
	bool full;
};

static void walk_emit(struct walk *w, u32 flags)
{
	if (w->held.length == 0 || w->full)
		return;
	w->held.flags |= flags;
	w->full = !w->emit(w->arg, &w->held);
	w->held.length = 0;
}

static bool continues(const struct file_extent *e, const struct file_extent *next)
{
	if (e->length == 0 || e->flags != next->flags || e->logical + e->length != next->logical)
		return false;
	return e->flags & FIEMAP_EXTENT_DELALLOC || e->physical + e->length == next->physical;
}

static void walk_add(struct walk *w, const struct file_extent *e)
{
	if (continues(&w->held, e)) {
		w->held.length += e->length;
		return;
	}
	walk_emit(w, 0);
	if (!w->full)
		w->held = *e;
}

static struct file_extent extent_of(const struct inode *i, const struct mapping *m)
{
	u32 bs = i->volume->sb.block_size, flags = 0;

	if (m->state == MAP_DELAYED)
		flags = FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_UNKNOWN;
	else if (!i->map.extents)
		flags = FIEMAP_EXTENT_MERGED;
	else if (m->state == MAP_UNWRITTEN)
		flags = FIEMAP_EXTENT_UNWRITTEN;
	return (struct file_extent){.logical = (u64)m->lblk * bs,
		.physical = m->state == MAP_DELAYED ? 0 : m->pblk * bs,
		.length = (u64)m->len * bs,
		.flags = flags};
}

/* Whole blocks; behind the end of file, too: what is kept there is listed. */
static int walk_map(struct walk *w, u64 start, u64 len)
{
	u32 bs = w->i->volume->sb.block_size;
	u64 lblk = start / bs, end = min_of(div_up(start + len, bs), (u64)LBLK_MAX + 1);

	while (lblk < end && !w->full) {
		struct mapping m;
		struct file_extent e;
		int err = map_lookup(&w->i->map, (lblk_t)lblk, (u32)(end - lblk), &m);

		if (err)
			return err;
		e = extent_of(w->i, &m);
		if (m.state != MAP_HOLE)
			walk_add(w, &e);
		lblk = (u64)m.lblk + m.len;
	}
	return 0;
}

/* The bytes stand in the inode, behind its fixed fields. */
static int walk_inline(struct walk *w, u64 start)
{
	struct volume *v = w->i->volume;
	struct file_extent e = {.length = inode_size(w->i),
		.flags = FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_NOT_ALIGNED};
	pblk_t pblk;
	u32 offset;
	int err;

	if (start >= e.length)
		return 0;
	err = space_inode_location(v, w->i->ino, &pblk, &offset);
	if (err)
		return err;
	e.physical = pblk * v->sb.block_size + offset + offsetof(struct ext4_inode_disk, i_block);
	walk_add(w, &e);
	return 0;
}

/* One extent at most, as Linux has it: what the inode holds hides the block. */
static int walk_xattr(struct walk *w, u64 start)
{
	struct xattr_place at;
	struct file_extent e = {0};
	int err = xattr_place(w->i, &at);

	if (err || start >= at.len)
		return err;
	e.physical = at.addr;
	e.length = at.len;
	if (at.in_inode)
		e.flags = FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_NOT_ALIGNED;
	walk_add(w, &e);
	return 0;
}

static int fiemap_check(const struct inode *i, u64 start, u64 *len, u32 flags)
{
	u64 max = filemap_max_bytes(i->volume, i->map.extents);

	if (!inode_is(i, S_IFREG) && !inode_is(i, S_IFDIR))
		return ERR(EOPNOTSUPP);
	if (*len == 0)
		return ERR(EINVAL);
	if (start > max)
		return ERR(EFBIG);
	*len = min_of(*len, max - start);
	if (flags & ~(u32)(FIEMAP_FLAG_SYNC | FIEMAP_FLAG_CACHE | FIEMAP_FLAG_XATTR))
		return ERR(EBADR);
	return *len ? 0 : ERR(EINVAL);
}

int file_fiemap(struct inode *i, u64 start, u64 len, u32 flags, fiemap_emit_fn *emit, void *arg)
{
	struct walk w = {.i = i, .emit = emit, .arg = arg};
	int err = volume_check(i->volume);

	if (!err)
		err = fiemap_check(i, start, &len, flags);
	if (!err && flags & FIEMAP_FLAG_SYNC && inode_is(i, S_IFREG))
		err = iofile_write_range(&i->io, 0, UINT64_MAX, true);
	if (err)
		return err;
	os_rwsem_lock_shared(&i->lock);
	if (flags & FIEMAP_FLAG_XATTR)
		err = walk_xattr(&w, start);
	else if (i->f.flags & EXT4_INLINE_DATA_FL)
		err = walk_inline(&w, start);
	else
		err = walk_map(&w, start, len);
	os_rwsem_unlock_shared(&i->lock);
	if (!err)
		walk_emit(&w, FIEMAP_EXTENT_LAST);
	return err;
}
