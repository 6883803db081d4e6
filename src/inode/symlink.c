/*
 * Slow symlinks: the target lies in one block that is journaled as metadata,
 * so it is read and written through the buffer cache.
 */
#include "base/err.h"
#include "inode/inode_priv.h"

#include <string.h>

static int any_contents(const struct super_info *sb, const void *data, pblk_t pblk,
	const struct buf_ctx *ctx, const char **why)
{
	return 0;
}

static const struct buf_type symlink_type = {.name = "symlink", .verify = any_contents};

static struct buf_ctx symlink_ctx(const struct inode *i)
{
	return (struct buf_ctx){.csum_seed = i->csum_seed, .owner = i->ino};
}

static int block_of(struct inode *i, pblk_t *pblk)
{
	struct mapping m;
	int err = map_lookup(&i->map, 0, 1, &m);

	if (err)
		return err;
	if (m.state != MAP_WRITTEN || inode_size(i) >= i->volume->sb.block_size)
		return volume_error(i->volume, ERR(EUCLEAN), i->ino, 0,
			"the symlink has no block or a wrong size; run e2fsck");
	*pblk = m.pblk;
	return 0;
}

ssize_t inode_slow_symlink(struct inode *i, char *buf, size_t size)
{
	struct buf_ctx ctx = symlink_ctx(i);
	size_t len = (size_t)inode_size(i);
	struct buf *b;
	pblk_t pblk = 0;
	int err = block_of(i, &pblk);

	if (!err)
		err = buf_read(i->volume->bcache, pblk, &symlink_type, &ctx, &b);
	if (err)
		return err;
	if (memchr(b->data, 0, len))
		err = volume_error(i->volume, ERR(EUCLEAN), i->ino, pblk,
			"the symlink's target is shorter than its size; run e2fsck");
	else
		memcpy(buf, b->data, min_of(len, size));
	buf_put(b);
	return err ? err : (ssize_t)len;
}

u32 inode_slow_symlink_credits(const struct inode *i)
{
	return map_create_credits(&i->map, 1) + INODE_DIRTY_CREDITS + 1;
}

int inode_set_slow_symlink(struct handle *h, struct inode *i, const char *target, size_t len)
{
	struct buf_ctx ctx = symlink_ctx(i);
	struct mapping m;
	struct buf *b;
	int err;

	if (len >= i->volume->sb.block_size)
		return ERR(ENAMETOOLONG);
	/* First: should it fail, the size tells that there may be a block to free. */
	inode_set_size(i, len);
	inode_set_disk_size(i, len);
	err = map_create(h, &i->map, 0, 1, MAP_CREATE_METADATA, &m);
	if (!err)
		err = buf_create(h, i->volume->bcache, m.pblk, &symlink_type, &ctx, &b);
	if (err)
		return err;
	memcpy(b->data, target, len);
	err = buf_dirty(h, b);
	buf_put(b);
	return err ? err : inode_dirty(h, i);
}
