/* Directory blocks: reading with the right verifier, appending. */
#include "base/err.h"
#include "dir/dir_priv.h"

static int leaf_type_verify(const struct super_info *sb, const void *data, pblk_t pblk,
	const struct buf_ctx *ctx, const char **why)
{
	if (!dir_leaf_csum_verify(sb, ctx->csum_seed, data)) {
		*why = "the checksum is wrong";
		return ERR(EBADMSG);
	}
	return dirent_verify_all(sb, data, dir_leaf_size(sb), why);
}

static void leaf_type_seal(
	const struct super_info *sb, void *data, pblk_t pblk, const struct buf_ctx *ctx)
{
	dir_leaf_csum_set(sb, ctx->csum_seed, data);
}

/* Whether a child lies inside the directory is asked when it is read: the directory grows. */
#define ANY_BLOCK (EXT4_DX_BLOCK_MASK + 1)

static int index_verify(const struct super_info *sb, const void *data, const struct buf_ctx *ctx,
	u32 offset, int structure, const char **why)
{
	if (structure || dx_csum_verify(sb, ctx->csum_seed, data, offset))
		return structure;
	*why = "the checksum is wrong";
	return ERR(EBADMSG);
}

static int root_type_verify(const struct super_info *sb, const void *data, pblk_t pblk,
	const struct buf_ctx *ctx, const char **why)
{
	return index_verify(sb, data, ctx, EXT4_DX_ROOT_COUNT_OFFSET,
		dx_root_verify(sb, data, ANY_BLOCK, why), why);
}

static void root_type_seal(
	const struct super_info *sb, void *data, pblk_t pblk, const struct buf_ctx *ctx)
{
	dx_csum_set(sb, ctx->csum_seed, data, EXT4_DX_ROOT_COUNT_OFFSET);
}

static int node_type_verify(const struct super_info *sb, const void *data, pblk_t pblk,
	const struct buf_ctx *ctx, const char **why)
{
	return index_verify(sb, data, ctx, EXT4_DX_NODE_COUNT_OFFSET,
		dx_node_verify(sb, data, ANY_BLOCK, why), why);
}

static void node_type_seal(
	const struct super_info *sb, void *data, pblk_t pblk, const struct buf_ctx *ctx)
{
	dx_csum_set(sb, ctx->csum_seed, data, EXT4_DX_NODE_COUNT_OFFSET);
}

static int nameless_verify(const struct super_info *sb, const void *data, pblk_t pblk,
	const struct buf_ctx *ctx, const char **why)
{
	*why = "it may hold names";
	return dx_block_is_node(sb, data) ? 0 : ERR(EUCLEAN);
}

const struct buf_type dir_leaf_type = {
	.name = "directory block", .verify = leaf_type_verify, .seal = leaf_type_seal};
const struct buf_type dir_root_type = {
	.name = "directory index root", .verify = root_type_verify, .seal = root_type_seal};
const struct buf_type dir_node_type = {
	.name = "directory index node", .verify = node_type_verify, .seal = node_type_seal};

const struct buf_type dir_nameless_type = {
	.name = "directory block without names", .verify = nameless_verify};

struct buf_ctx dir_ctx(const struct inode *dir)
{
	return (struct buf_ctx){.csum_seed = dir->csum_seed, .owner = dir->ino};
}

int dir_corrupt(struct inode *dir, lblk_t lblk, const char *what)
{
	return volume_error(dir->volume, ERR(EUCLEAN), dir->ino, 0,
		"directory block %u: %s; run e2fsck", lblk, what);
}

int dir_block_read(struct inode *dir, lblk_t lblk, const struct buf_type *type, struct buf **out)
{
	struct buf_ctx ctx = dir_ctx(dir);
	struct mapping m;
	int err;

	if (lblk >= dir_block_count(dir))
		return dir_corrupt(dir, lblk, "it lies behind the end of the directory");
	err = map_lookup(&dir->map, lblk, 1, &m);
	if (err)
		return err;
	if (m.state != MAP_WRITTEN)
		return dir_corrupt(dir, lblk, "it is a hole");
	return buf_read(dir->volume->bcache, m.pblk, type, &ctx, out);
}

/* Without largedir a directory stays below 2 GiB (DR-10). */
static int append_check(const struct inode *dir, lblk_t lblk)
{
	u64 size = ((u64)lblk + 1) * dir_block_size(dir);

	if (size > INT32_MAX && !super_has_largedir(&dir->volume->sb))
		return ERR(ENOSPC);
	return lblk > EXT4_DX_BLOCK_MASK ? ERR(ENOSPC) : 0;
}

u32 dir_block_append_credits(const struct inode *dir)
{
	return map_create_credits(&dir->map, 1) + INODE_DIRTY_CREDITS + 1;
}

int dir_block_append(struct handle *h, struct inode *dir, const struct buf_type *type,
	struct buf **out, lblk_t *lblk)
{
	lblk_t at = dir_block_count(dir);
	u64 size = ((u64)at + 1) * dir_block_size(dir);
	struct buf_ctx ctx = dir_ctx(dir);
	struct mapping m;
	int err = append_check(dir, at);

	ASSERT(at == 0 || os_rwsem_held(&dir->lock)); /* a new directory is known to nobody else */
	if (!err)
		err = map_create(h, &dir->map, at, 1, MAP_CREATE_METADATA, &m);
	if (err)
		return err;
	err = buf_create(h, dir->volume->bcache, m.pblk, type, &ctx, out);
	if (err)
		return half_done(h, err);
	inode_set_size(dir, size);
	inode_set_disk_size(dir, size);
	*lblk = at;
	err = inode_dirty(h, dir);
	if (err)
		buf_put(*out);
	return half_done(h, err);
}
