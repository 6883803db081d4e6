/*
 * The superblock, decoded, checked and checksummed; the geometry that follows
 * from it. Pure functions: a struct super_info is plain immutable data, and
 * safe to compute with once super_decode() has accepted it (no zero divisors,
 * no products beyond 64 bits).
 */
#ifndef DISK_SUPER_H
#define DISK_SUPER_H

#include "disk/features.h"
#include "disk/super_format.h"

struct super_info {
	/* geometry */
	u32 block_size, block_bits;	      /* bytes, and its log2 */
	u32 cluster_size, blocks_per_cluster; /* bytes; block_size and 1 without bigalloc */
	u64 blocks_count;
	u64 r_blocks_count; /* reserved for privileged users; may be nonsense, at most blocks_count
			     */
	u32 inodes_count;
	u32 first_data_block; /* first block of group 0 */
	u32 group_count;
	u32 blocks_per_group, clusters_per_group, inodes_per_group;
	u32 inode_size, inodes_per_block, itable_blocks;
	u32 desc_size, descs_per_block;
	u32 gdt_blocks; /* descriptor blocks in all */
	u32 reserved_gdt_blocks, first_meta_bg;
	u32 backup_bgs[2];	 /* sparse_super2; 0 = none */
	u32 log_groups_per_flex; /* 0 without flex_bg */
	/* features */
	u32 feature_compat, feature_incompat, feature_ro_compat;
	u32 rev;
	/* identity and checksums */
	u8 uuid[16];
	u32 csum_seed; /* S */
	/* directories */
	u32 hash_seed[4];
	u8 def_hash_version;  /* 0..2 or 6, as stored in a dx root */
	bool hash_unsigned;   /* characters of names; add 3 to the version 0..2 (DR-5) */
	bool hash_sign_known; /* false: neither flag set yet */
	/* inodes */
	u32 first_ino;
	u32 want_extra_isize; /* of new inodes; 0 if inode_size is 128 */
	u32 min_extra_isize;
	u32 journal_inum, journal_dev;
	u8 journal_uuid[16]; /* of the external journal */
	u32 orphan_file_inum;
	u32 quota_inum[3]; /* user, group, project */
	u32 lpf_inum;
	/* as found at decoding; the live values are in the superblock block */
	u32 state, errors; /* EXT4_STATE_*, EXT4_ERRORS_* */
	u32 last_orphan;
	u32 resuid, resgid;
	u32 default_mount_opts;
	u64 mmp_block;
	u32 mmp_update_interval;
	u64 free_blocks_hint; /* MD-12 */
	u32 free_inodes_hint;
	u32 raid_stride, raid_stripe_width; /* blocks */
	u32 encoding, encoding_flags;
};

/*
 * Checks everything that does not need another block (HD-1, MD-6).
 * -EINVAL: not ext4 at all; -EUCLEAN, -EBADMSG. *why is a static text.
 */
int super_decode(const struct ext4_super *s, u64 device_size_bytes, struct super_info *out,
	const char **why);

/*
 * What the features allow (MD-2..5). 0; -EROFS: only reading is possible, and
 * want_rw was asked; -EOPNOTSUPP: not even that. msg names the features.
 */
int super_check_features(const struct super_info *sb, bool want_rw, char *msg, size_t size);

/* No-op and true without metadata_csum. */
void super_csum_set(struct ext4_super *s);
bool super_csum_verify(const struct ext4_super *s);

/* Geometry (MD-14). Group and index must be in range. */
pblk_t super_group_first_block(const struct super_info *sb, group_nr group);
u32 super_group_blocks(const struct super_info *sb, group_nr group); /* last one may be short */
bool super_group_has_super(const struct super_info *sb, group_nr group);
/* Where the primary copy of descriptor block `index` lies; it covers groups index*descs_per_block..
 */
pblk_t super_gdt_block(const struct super_info *sb, u32 index);
/* Blocks at the start of a group taken by superblock, descriptors and reserved descriptor blocks.
 */
u32 super_group_base_blocks(const struct super_info *sb, group_nr group);
/* At least as many as any group has of them. */
u32 super_base_blocks_max(const struct super_info *sb);

#define SUPER_HAS(name, set, BIT)                                                                  \
	static inline bool super_has_##name(const struct super_info *sb)                           \
	{                                                                                          \
		return (sb->feature_##set & (BIT)) != 0;                                           \
	}

SUPER_HAS(journal, compat, EXT4_FEATURE_COMPAT_HAS_JOURNAL)
SUPER_HAS(ext_attr, compat, EXT4_FEATURE_COMPAT_EXT_ATTR)
SUPER_HAS(resize_inode, compat, EXT4_FEATURE_COMPAT_RESIZE_INODE)
SUPER_HAS(dir_index, compat, EXT4_FEATURE_COMPAT_DIR_INDEX)
SUPER_HAS(sparse_super2, compat, EXT4_FEATURE_COMPAT_SPARSE_SUPER2)
SUPER_HAS(fast_commit, compat, EXT4_FEATURE_COMPAT_FAST_COMMIT)
SUPER_HAS(stable_inodes, compat, EXT4_FEATURE_COMPAT_STABLE_INODES)
SUPER_HAS(orphan_file, compat, EXT4_FEATURE_COMPAT_ORPHAN_FILE)
SUPER_HAS(filetype, incompat, EXT4_FEATURE_INCOMPAT_FILETYPE)
SUPER_HAS(recover, incompat, EXT4_FEATURE_INCOMPAT_RECOVER)
SUPER_HAS(meta_bg, incompat, EXT4_FEATURE_INCOMPAT_META_BG)
SUPER_HAS(extents, incompat, EXT4_FEATURE_INCOMPAT_EXTENTS)
SUPER_HAS(64bit, incompat, EXT4_FEATURE_INCOMPAT_64BIT)
SUPER_HAS(mmp, incompat, EXT4_FEATURE_INCOMPAT_MMP)
SUPER_HAS(flex_bg, incompat, EXT4_FEATURE_INCOMPAT_FLEX_BG)
SUPER_HAS(ea_inode, incompat, EXT4_FEATURE_INCOMPAT_EA_INODE)
SUPER_HAS(csum_seed, incompat, EXT4_FEATURE_INCOMPAT_CSUM_SEED)
SUPER_HAS(largedir, incompat, EXT4_FEATURE_INCOMPAT_LARGEDIR)
SUPER_HAS(inline_data, incompat, EXT4_FEATURE_INCOMPAT_INLINE_DATA)
SUPER_HAS(encrypt, incompat, EXT4_FEATURE_INCOMPAT_ENCRYPT)
SUPER_HAS(casefold, incompat, EXT4_FEATURE_INCOMPAT_CASEFOLD)
SUPER_HAS(sparse_super, ro_compat, EXT4_FEATURE_RO_COMPAT_SPARSE_SUPER)
SUPER_HAS(large_file, ro_compat, EXT4_FEATURE_RO_COMPAT_LARGE_FILE)
SUPER_HAS(huge_file, ro_compat, EXT4_FEATURE_RO_COMPAT_HUGE_FILE)
SUPER_HAS(gdt_csum, ro_compat, EXT4_FEATURE_RO_COMPAT_GDT_CSUM)
SUPER_HAS(dir_nlink, ro_compat, EXT4_FEATURE_RO_COMPAT_DIR_NLINK)
SUPER_HAS(extra_isize, ro_compat, EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE)
SUPER_HAS(quota, ro_compat, EXT4_FEATURE_RO_COMPAT_QUOTA)
SUPER_HAS(bigalloc, ro_compat, EXT4_FEATURE_RO_COMPAT_BIGALLOC)
SUPER_HAS(metadata_csum, ro_compat, EXT4_FEATURE_RO_COMPAT_METADATA_CSUM)
SUPER_HAS(project, ro_compat, EXT4_FEATURE_RO_COMPAT_PROJECT)
SUPER_HAS(verity, ro_compat, EXT4_FEATURE_RO_COMPAT_VERITY)
SUPER_HAS(orphan_present, ro_compat, EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT)

#endif
