/*
 * Serving a file system by a backup of its superblock, because the primary one
 * or its descriptors are gone. The backups are put where the primary copies
 * belong, in a layer that only memory sees; the mount is read-only.
 */
#include "base/err.h"
#include "disk/group.h"
#include "fs/fs_priv.h"
#include "os/mem.h"

#include <string.h>

#define SUPER_OFFSET 1024u
#define SUPER_BYTES 1024u
#define DEVICE_BLOCK_MAX 4096u

static int read_at(struct dev *dev, u64 offset, void *out, size_t len)
{
	if (offset > dev->info.size || len > dev->info.size - offset)
		return ERR(EINVAL);
	return dev_read(dev, offset, out, len);
}

/* A backup is named by its block number, in the block size that it states itself. */
static int backup_read(struct fs *fs, struct ext4_super *out)
{
	u64 nr = fs->options.superblock;

	for (u32 log = 0; log <= 6 && nr <= UINT64_MAX >> (10 + log); log++) {
		if (read_at(fs->volume.dev, nr << (10 + log), out, sizeof(*out)) == 0 &&
			le16_to_cpu(out->s_magic) == EXT4_SUPER_MAGIC &&
			le32_to_cpu(out->s_log_block_size) == log)
			return 0;
	}
	log_msg(&fs->volume.log, LOG_ERROR, "no backup superblock in block %llu",
		(unsigned long long)nr);
	return ERR(EINVAL);
}

/* The primary descriptors are newer than any backup: they are used while they can be. */
static int descriptors_install(struct fs *fs, const struct super_info *sb)
{
	struct dev *dev = fs->volume.dev;
	u64 shift = fs->options.superblock - (SUPER_OFFSET / sb->block_size);
	void *block = os_alloc_pages(sb->block_size);
	u64 at = super_gdt_block(sb, 0);
	int err;

	if (!block)
		return ERR(ENOMEM);
	err = read_at(dev, at * sb->block_size, block, sb->block_size);
	if (err || (group_desc_verify(sb, 0, block) && group_desc_inode_table(sb, block) != 0))
		goto out;
	for (u32 k = 0; !err && k < sb->gdt_blocks; k++) {
		at = super_gdt_block(sb, k);
		if (super_has_meta_bg(sb) && k >= sb->first_meta_bg)
			break; /* these have their backups elsewhere */
		err = read_at(dev, (at + shift) * sb->block_size, block, sb->block_size);
		if (!err)
			err = dev_write(dev, at * sb->block_size, block, sb->block_size, 0);
	}
out:
	os_free_pages(block, sb->block_size);
	return err;
}

static int super_install(struct fs *fs, const struct ext4_super *s)
{
	struct dev *dev = fs->volume.dev;
	u8 *block = os_alloc_pages(DEVICE_BLOCK_MAX);
	struct ext4_super *primary;
	int err;

	if (!block)
		return ERR(ENOMEM);
	err = read_at(dev, 0, block, DEVICE_BLOCK_MAX);
	if (!err) {
		primary = (struct ext4_super *)(block + SUPER_OFFSET);
		*primary = *s;
		primary->s_block_group_nr = cpu_to_le16(0);
		super_csum_set(primary);
		err = dev_write(dev, 0, block, DEVICE_BLOCK_MAX, 0);
	}
	os_free_pages(block, DEVICE_BLOCK_MAX);
	return err;
}

int backup_install(struct fs *fs)
{
	struct volume *v = &fs->volume;
	struct ext4_super *s = os_alloc_pages(SUPER_BYTES);
	struct super_info sb;
	const char *why = "";
	int err;

	if (!s)
		return ERR(ENOMEM);
	err = backup_read(fs, s);
	if (!err) {
		err = super_decode(s, v->dev->info.size, &sb, &why);
		if (err)
			log_msg(&v->log, LOG_ERROR, "backup superblock: %s", why);
	}
	if (!err)
		err = fs_overlay(fs);
	if (!err)
		err = super_install(fs, s);
	if (!err)
		err = descriptors_install(fs, &sb);
	os_free_pages(s, SUPER_BYTES);
	return err;
}
