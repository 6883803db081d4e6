/* Raw inodes: pack, unpack, checksum, local checks. */
#include "disk/inode.h"

#include <string.h>
#include <sys/stat.h>

#include "base/crc.h"
#include "base/err.h"
#include "base/util.h"
#include "disk/extent_format.h"

#define FIELD_END(field)                                                                           \
	((u32)(offsetof(struct ext4_inode_disk, field) +                                           \
		sizeof(((struct ext4_inode_disk *)0)->field)))
#define HAS(extra_isize, field) inode_has_field(extra_isize, FIELD_END(field))

#define BLOCKS_LO_MAX 0xffffffffull
#define BLOCKS_48_MAX 0xffffffffffffull

u32 inode_raw_generation(const struct ext4_inode_disk *raw)
{
	return le32_to_cpu(raw->i_generation);
}

u32 inode_csum_seed(const struct super_info *sb, ino_nr ino, u32 generation)
{
	const struct le32 part[2] = {cpu_to_le32(ino), cpu_to_le32(generation)};

	return crc32c(sb->csum_seed, part, sizeof(part));
}

static u32 raw_extra_isize(const struct super_info *sb, const struct ext4_inode_disk *raw)
{
	return sb->inode_size > EXT4_INODE_SIZE_OLD ? le16_to_cpu(raw->i_extra_isize) : 0;
}

/* The checksum takes its own place as zero: one run over a copy beats five over pieces. */
static u32 csum_of(const struct super_info *sb, u32 seed, const struct ext4_inode_disk *raw)
{
	struct ext4_inode_disk head;
	u32 len = min_of(sb->inode_size, (u32)sizeof(head)), crc;

	memcpy(&head, raw, len);
	head.i_csum_lo = cpu_to_le16(0);
	if (HAS(raw_extra_isize(sb, raw), i_csum_hi))
		head.i_csum_hi = cpu_to_le16(0);
	crc = crc32c(seed, &head, len);
	return crc32c(crc, (const u8 *)raw + len, sb->inode_size - len);
}

void inode_csum_set(const struct super_info *sb, u32 seed, struct ext4_inode_disk *raw)
{
	u32 crc;

	if (!super_has_metadata_csum(sb))
		return;
	crc = csum_of(sb, seed, raw);
	raw->i_csum_lo = cpu_to_le16((u16)crc);
	if (HAS(raw_extra_isize(sb, raw), i_csum_hi))
		raw->i_csum_hi = cpu_to_le16((u16)(crc >> 16));
}

static bool all_zero(const void *p, u32 len)
{
	const u8 *b = p;

	return b[0] == 0 && memcmp(b, b + 1, len - 1) == 0;
}

bool inode_csum_verify(const struct super_info *sb, u32 seed, const struct ext4_inode_disk *raw)
{
	u32 crc, stored;

	if (!super_has_metadata_csum(sb))
		return true;
	crc = csum_of(sb, seed, raw);
	stored = le16_to_cpu(raw->i_csum_lo);
	if (HAS(raw_extra_isize(sb, raw), i_csum_hi))
		stored |= (u32)le16_to_cpu(raw->i_csum_hi) << 16;
	else
		crc &= 0xffff;
	return crc == stored || all_zero(raw, sb->inode_size);
}

/* --- size and blocks --- */

/* MD-18: elsewhere the high half has held other things. */
static bool has_size_hi(const struct super_info *sb, u32 mode)
{
	return S_ISREG(mode) || super_has_largedir(sb);
}

static u32 sectors_per_block(const struct super_info *sb)
{
	return sb->block_size / 512;
}

static u64 unpack_blocks(const struct super_info *sb, const struct ext4_inode_disk *raw)
{
	u64 v = le32_to_cpu(raw->i_blocks_lo);

	if (!super_has_huge_file(sb))
		return v;
	v |= (u64)le16_to_cpu(raw->i_blocks_hi) << 32;
	if (le32_to_cpu(raw->i_flags) & EXT4_HUGE_FILE_FL)
		v *= sectors_per_block(sb);
	return v;
}

/* MD-17. Changes the flags of raw, which must be set before. */
static int pack_blocks(const struct super_info *sb, u64 blocks, struct ext4_inode_disk *raw)
{
	u32 flags = le32_to_cpu(raw->i_flags) & ~EXT4_HUGE_FILE_FL;

	if (blocks > BLOCKS_LO_MAX && !super_has_huge_file(sb))
		return ERR(EFBIG);
	if (blocks > BLOCKS_48_MAX) {
		blocks = div_up(blocks, sectors_per_block(sb));
		flags |= EXT4_HUGE_FILE_FL;
	}
	if (blocks > BLOCKS_48_MAX)
		return ERR(EFBIG);
	raw->i_blocks_lo = cpu_to_le32((u32)blocks);
	raw->i_blocks_hi = cpu_to_le16((u16)(blocks >> 32));
	raw->i_flags = cpu_to_le32(flags);
	return 0;
}

/* --- unpack --- */

static void unpack_times(const struct ext4_inode_disk *raw, u32 extra, struct inode_fields *f)
{
	const struct le32 none = {0};

	f->atime = inode_time_decode(raw->i_atime,
		HAS(extra, i_atime_extra) ? raw->i_atime_extra : none, HAS(extra, i_atime_extra));
	f->ctime = inode_time_decode(raw->i_ctime,
		HAS(extra, i_ctime_extra) ? raw->i_ctime_extra : none, HAS(extra, i_ctime_extra));
	f->mtime = inode_time_decode(raw->i_mtime,
		HAS(extra, i_mtime_extra) ? raw->i_mtime_extra : none, HAS(extra, i_mtime_extra));
	if (HAS(extra, i_crtime))
		f->crtime = inode_time_decode(raw->i_crtime,
			HAS(extra, i_crtime_extra) ? raw->i_crtime_extra : none,
			HAS(extra, i_crtime_extra));
}

static int unpack_extra_isize(
	const struct super_info *sb, const struct ext4_inode_disk *raw, u32 *out, const char **why)
{
	*out = raw_extra_isize(sb, raw);
	if (*out % 4 == 0 && *out <= sb->inode_size - EXT4_INODE_SIZE_OLD)
		return 0;
	*why = "impossible size of the extra fields";
	return ERR(EUCLEAN);
}

int inode_unpack(const struct super_info *sb, const struct ext4_inode_disk *raw,
	struct inode_fields *f, const char **why)
{
	u32 extra;
	int err = unpack_extra_isize(sb, raw, &extra, why);

	if (err)
		return err;
	*f = (struct inode_fields){
		.mode = le16_to_cpu(raw->i_mode),
		.uid = le16_to_cpu(raw->i_uid_lo) | (u32)le16_to_cpu(raw->i_uid_hi) << 16,
		.gid = le16_to_cpu(raw->i_gid_lo) | (u32)le16_to_cpu(raw->i_gid_hi) << 16,
		.links = le16_to_cpu(raw->i_links_count),
		.flags = le32_to_cpu(raw->i_flags),
		.size = le32_to_cpu(raw->i_size_lo),
		.blocks = unpack_blocks(sb, raw),
		.version = le32_to_cpu(raw->i_version_lo),
		.generation = le32_to_cpu(raw->i_generation),
		.dtime = le32_to_cpu(raw->i_dtime),
		.file_acl = le32_to_cpu(raw->i_file_acl_lo),
		.extra_isize = extra,
	};
	if (has_size_hi(sb, f->mode))
		f->size |= (u64)le32_to_cpu(raw->i_size_hi) << 32;
	if (super_has_64bit(sb))
		f->file_acl |= (u64)le16_to_cpu(raw->i_file_acl_hi) << 32;
	if (HAS(extra, i_version_hi))
		f->version |= (u64)le32_to_cpu(raw->i_version_hi) << 32;
	if (super_has_project(sb) && HAS(extra, i_projid))
		f->projid = le32_to_cpu(raw->i_projid);
	unpack_times(raw, extra, f);
	memcpy(f->i_block, raw->i_block, sizeof(f->i_block));
	return 0;
}

/* --- pack --- */

/* One time; the pointer to its extra field is NULL where the inode has none. */
static void pack_time(struct os_time t, struct le32 *sec, struct le32 *extra)
{
	struct le32 none;

	inode_time_encode(t, extra != NULL, sec, extra ? extra : &none);
}

static void pack_times(const struct inode_fields *f, struct ext4_inode_disk *raw)
{
	u32 extra = f->extra_isize;

	pack_time(f->atime, &raw->i_atime, HAS(extra, i_atime_extra) ? &raw->i_atime_extra : NULL);
	pack_time(f->ctime, &raw->i_ctime, HAS(extra, i_ctime_extra) ? &raw->i_ctime_extra : NULL);
	pack_time(f->mtime, &raw->i_mtime, HAS(extra, i_mtime_extra) ? &raw->i_mtime_extra : NULL);
	if (HAS(extra, i_crtime))
		pack_time(f->crtime, &raw->i_crtime,
			HAS(extra, i_crtime_extra) ? &raw->i_crtime_extra : NULL);
}

int inode_pack(
	const struct super_info *sb, const struct inode_fields *f, struct ext4_inode_disk *raw)
{
	u64 size_hi = has_size_hi(sb, f->mode) ? f->size >> 32 : 0;

	raw->i_flags = cpu_to_le32(f->flags);
	if (pack_blocks(sb, f->blocks, raw))
		return ERR(EFBIG);
	raw->i_mode = cpu_to_le16((u16)f->mode);
	raw->i_uid_lo = cpu_to_le16((u16)f->uid);
	raw->i_uid_hi = cpu_to_le16((u16)(f->uid >> 16));
	raw->i_gid_lo = cpu_to_le16((u16)f->gid);
	raw->i_gid_hi = cpu_to_le16((u16)(f->gid >> 16));
	raw->i_links_count = cpu_to_le16((u16)f->links);
	raw->i_size_lo = cpu_to_le32((u32)f->size);
	raw->i_size_hi = cpu_to_le32((u32)size_hi);
	raw->i_dtime = cpu_to_le32(f->dtime);
	raw->i_version_lo = cpu_to_le32((u32)f->version);
	raw->i_generation = cpu_to_le32(f->generation);
	raw->i_file_acl_lo = cpu_to_le32((u32)f->file_acl);
	raw->i_file_acl_hi = cpu_to_le16((u16)(f->file_acl >> 32));
	memcpy(raw->i_block, f->i_block, sizeof(raw->i_block));
	if (sb->inode_size > EXT4_INODE_SIZE_OLD)
		raw->i_extra_isize = cpu_to_le16((u16)f->extra_isize);
	if (HAS(f->extra_isize, i_version_hi))
		raw->i_version_hi = cpu_to_le32((u32)(f->version >> 32));
	if (super_has_project(sb) && HAS(f->extra_isize, i_projid))
		raw->i_projid = cpu_to_le32(f->projid);
	pack_times(f, raw);
	return 0;
}
