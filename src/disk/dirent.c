/* Directory entries and leaves: DR-1, DR-4. */
#include "disk/dirent.h"

#include <string.h>
#include <sys/stat.h>

#include "base/crc.h"
#include "base/err.h"

#define REC_LEN_64K 0xffffu

void dirent_set_rec_len(struct ext4_dirent *d, u32 rec_len, u32 block_size)
{
	d->rec_len = cpu_to_le16((u16)(rec_len > REC_LEN_64K ? REC_LEN_64K : rec_len));
}

u8 dirent_type_of_mode(u32 mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return EXT4_FT_REG;
	case S_IFDIR:
		return EXT4_FT_DIR;
	case S_IFCHR:
		return EXT4_FT_CHR;
	case S_IFBLK:
		return EXT4_FT_BLK;
	case S_IFIFO:
		return EXT4_FT_FIFO;
	case S_IFSOCK:
		return EXT4_FT_SOCK;
	case S_IFLNK:
		return EXT4_FT_LNK;
	default:
		return EXT4_FT_UNKNOWN;
	}
}

u32 dirent_mode_of_type(u8 type)
{
	static const u32 modes[] = {
		0, S_IFREG, S_IFDIR, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_IFLNK};

	return type <= EXT4_FT_LNK ? modes[type] : 0;
}

/* Names in use must be possible names (DR-2). */
static const char *check_name(const struct ext4_dirent *d)
{
	if (d->name_len == 0)
		return "a directory entry has an empty name";
	if (memchr(d->name, 0, d->name_len) || memchr(d->name, '/', d->name_len))
		return "a directory entry has a name with NUL or a slash";
	return NULL;
}

static const char *check_entry(
	const struct super_info *sb, const void *region, u32 size, u32 offset)
{
	const struct ext4_dirent *d = (const void *)((const u8 *)region + offset);
	u32 left = size - offset, len;

	if (offset >= size || offset % 4 || left < EXT4_DIRENT_MIN)
		return "a directory entry does not fit its block";
	len = dirent_rec_len(d, sb->block_size);
	if (len < EXT4_DIRENT_MIN || len % 4)
		return "impossible length of a directory entry";
	if (len < dirent_need(d->name_len))
		return "a directory entry is too short for its name";
	if (len > left || (len < left && left - len < EXT4_DIRENT_MIN))
		return "a directory entry crosses the end of its block";
	if (le32_to_cpu(d->inode) > sb->inodes_count)
		return "a directory entry names an impossible inode";
	return le32_to_cpu(d->inode) ? check_name(d) : NULL;
}

int dirent_verify(
	const struct super_info *sb, const void *region, u32 size, u32 offset, const char **why)
{
	*why = check_entry(sb, region, size, offset);
	return *why ? ERR(EUCLEAN) : 0;
}

int dirent_verify_all(const struct super_info *sb, const void *region, u32 size, const char **why)
{
	for (u32 offset = 0; offset < size;) {
		const struct ext4_dirent *d = (const void *)((const u8 *)region + offset);

		if (dirent_verify(sb, region, size, offset, why))
			return ERR(EUCLEAN);
		offset += dirent_rec_len(d, sb->block_size);
	}
	return 0;
}

/* --- leaf tail --- */

u32 dir_leaf_size(const struct super_info *sb)
{
	return sb->block_size -
	       (super_has_metadata_csum(sb) ? (u32)sizeof(struct ext4_dir_tail) : 0);
}

static struct ext4_dir_tail *tail_of(const struct super_info *sb, const void *block)
{
	return (struct ext4_dir_tail *)((const u8 *)block + dir_leaf_size(sb));
}

void dir_leaf_tail_init(const struct super_info *sb, void *block)
{
	if (super_has_metadata_csum(sb))
		*tail_of(sb, block) = (struct ext4_dir_tail){
			.dt_rec_len = cpu_to_le16(sizeof(struct ext4_dir_tail)),
			.dt_type = EXT4_FT_DIR_TAIL,
		};
}

void dir_leaf_csum_set(const struct super_info *sb, u32 seed, void *block)
{
	if (super_has_metadata_csum(sb))
		tail_of(sb, block)->dt_checksum =
			cpu_to_le32(crc32c(seed, block, dir_leaf_size(sb)));
}

bool dir_leaf_csum_verify(const struct super_info *sb, u32 seed, const void *block)
{
	const struct ext4_dir_tail *t = tail_of(sb, block);

	if (!super_has_metadata_csum(sb))
		return true;
	return le32_to_cpu(t->dt_zero1) == 0 && le16_to_cpu(t->dt_rec_len) == sizeof(*t) &&
	       t->dt_zero2 == 0 && t->dt_type == EXT4_FT_DIR_TAIL &&
	       le32_to_cpu(t->dt_checksum) == crc32c(seed, block, dir_leaf_size(sb));
}
