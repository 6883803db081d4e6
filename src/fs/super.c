/*
 * The superblock block: reading it at mount, its buffer type, and the direct
 * writes at mount and unmount (MD-8..11).
 */
#include "base/err.h"
#include "fs/fs_priv.h"
#include "os/assert.h"
#include "os/mem.h"

#include <string.h>

#define SUPER_OFFSET 1024u
#define SUPER_BYTES 1024u

pblk_t super_block_nr(const struct super_info *sb)
{
	return SUPER_OFFSET / sb->block_size;
}

struct ext4_super *super_in_block(const struct super_info *sb, void *data)
{
	return (struct ext4_super *)((u8 *)data + SUPER_OFFSET % sb->block_size);
}

static int super_type_verify(const struct super_info *sb, const void *data, pblk_t pblk,
	const struct buf_ctx *ctx, const char **why)
{
	const struct ext4_super *s = super_in_block(sb, (void *)data);

	if (le16_to_cpu(s->s_magic) != EXT4_SUPER_MAGIC) {
		*why = "the superblock has no ext4 magic number";
		return ERR(EUCLEAN);
	}
	if (!super_csum_verify(s)) {
		*why = "the superblock's checksum is wrong";
		return ERR(EBADMSG);
	}
	return 0;
}

static void super_type_seal(
	const struct super_info *sb, void *data, pblk_t pblk, const struct buf_ctx *ctx)
{
	super_csum_set(super_in_block(sb, data));
}

static const struct buf_type super_type = {
	.name = "superblock", .verify = super_type_verify, .seal = super_type_seal};

/* Reads and checks the superblock into volume.sb; says why it is refused. */
int super_load(struct fs *fs)
{
	struct volume *v = &fs->volume;
	struct ext4_super *s = os_alloc_pages(SUPER_BYTES);
	const char *why = "it can't be read";
	char text[256];
	int err;

	if (!s)
		return ERR(ENOMEM);
	err = SUPER_OFFSET + SUPER_BYTES <= v->dev->info.size
		      ? dev_read(v->dev, SUPER_OFFSET, s, sizeof(*s))
		      : ERR(EINVAL);
	if (!err)
		err = super_decode(s, v->dev->info.size, &v->sb, &why);
	os_free_pages(s, SUPER_BYTES);
	if (err) {
		log_msg(&v->log, LOG_ERROR,
			"superblock: %s; if this is an ext4 image, run e2fsck on it", why);
		return err;
	}
	err = super_check_features(&v->sb, !fs->options.read_only, text, sizeof(text));
	if (err)
		log_msg(&v->log, LOG_ERROR, "%s", text);
	return err;
}

/* Keeps the block that holds the primary superblock for the life of the mount. */
int super_pin(struct fs *fs)
{
	struct volume *v = &fs->volume;
	struct buf_ctx ctx = {0};

	return buf_read(v->bcache, super_block_nr(&v->sb), &super_type, &ctx, &v->super_buf);
}

void super_unpin(struct fs *fs)
{
	buf_put(fs->volume.super_buf);
	fs->volume.super_buf = NULL;
}

/* Durable on return. Only while no transaction is live: the buffer then holds nothing uncommitted.
 */
int super_write_direct(struct fs *fs)
{
	struct volume *v = &fs->volume;
	u32 bs = v->sb.block_size;
	u8 *copy = os_alloc_pages(bs);
	int err;

	if (!copy)
		return ERR(ENOMEM);
	os_mutex_lock(&v->super_lock);
	super_csum_set(volume_super(v));
	memcpy(copy, v->super_buf->data, bs);
	os_mutex_unlock(&v->super_lock);
	err = dev_write(v->dev, super_block_nr(&v->sb) * bs, copy, bs,
		atomic_load_relaxed(&v->flags) & VOLUME_NO_BARRIER ? 0 : DEV_PREFLUSH | DEV_FUA);
	os_free_pages(copy, bs);
	if (err)
		log_msg(&v->log, LOG_ERROR, "superblock: writing it failed: %s", strerror(-err));
	return err;
}
