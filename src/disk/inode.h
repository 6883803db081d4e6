/*
 * Raw inodes to host-endian fields and back. Pure functions. Packing writes
 * only what fits the inode's extra_isize and leaves the attribute area and
 * unknown bytes alone; the checksum is set separately, last.
 */
#ifndef DISK_INODE_H
#define DISK_INODE_H

#include "disk/inode_format.h"
#include "disk/super.h"
#include "os/clock.h"

struct inode_fields {
	u32 mode; /* type and permissions */
	u32 uid, gid;
	u32 links;
	u32 flags; /* EXT4_*_FL; HUGE_FILE is chosen by packing */
	u64 size;
	u64 blocks; /* 512-byte units (MD-17) */
	u64 version;
	u32 generation;
	u32 dtime;	 /* deletion time, or the next orphan */
	pblk_t file_acl; /* attribute block */
	u32 projid;
	u32 extra_isize; /* 0 in a 128-byte inode */
	struct os_time atime, ctime, mtime, crtime;
	u8 i_block[EXT4_I_BLOCK_BYTES];
};

/* I(n), the seed of all checksums of an inode. Changes with the generation (MD-22). */
u32 inode_csum_seed(const struct super_info *sb, ino_nr ino, u32 generation);
/* raw is inode_size bytes. No-op and true without metadata_csum; an all-zero inode is accepted. */
void inode_csum_set(const struct super_info *sb, u32 seed, struct ext4_inode_disk *raw);
bool inode_csum_verify(const struct super_info *sb, u32 seed, const struct ext4_inode_disk *raw);
/* The stored generation, for the seed before unpacking. */
u32 inode_raw_generation(const struct ext4_inode_disk *raw);

/* -EUCLEAN: extra_isize is impossible (MD-16). Checks nothing else. */
int inode_unpack(const struct super_info *sb, const struct ext4_inode_disk *raw,
	struct inode_fields *out, const char **why);
/* -EFBIG: more blocks than the inode can count without huge_file. */
int inode_pack(
	const struct super_info *sb, const struct inode_fields *f, struct ext4_inode_disk *raw);
/*
 * The local part of HD-4 for an inode in use: type, size, flags against each
 * other and against the features, file_acl inside the device. The caller knows
 * about links, the system zone and whether an EA inode is expected.
 */
int inode_fields_verify(
	const struct super_info *sb, const struct inode_fields *f, const char **why);
/* Largest i_size of a file with (without) extents. */
u64 inode_max_size(const struct super_info *sb, bool extents);

/* Does a field of the fixed part that ends at byte `end` exist (MD-16)? */
static inline bool inode_has_field(u32 extra_isize, u32 end)
{
	return end <= EXT4_INODE_SIZE_OLD + extra_isize;
}

/* MD-15; has_extra false: clamps to 32 bits and drops nanoseconds. */
struct os_time inode_time_decode(struct le32 sec, struct le32 extra, bool has_extra);
void inode_time_encode(struct os_time t, bool has_extra, struct le32 *sec, struct le32 *extra);

/* MD-20. -EINVAL: the format has no room (major > 4095, minor > 1048575). */
int inode_dev_encode(u8 *i_block, u32 major, u32 minor);
void inode_dev_decode(const u8 *i_block, u32 *major, u32 *minor);

#endif
