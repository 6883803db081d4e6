/*
 * The superblock: 1024 bytes at byte 1024 of the device, with backups at the
 * start of some groups (MD-14). Little-endian. With metadata_csum, s_checksum
 * covers every byte before it; each copy carries its own.
 */
#ifndef DISK_SUPER_FORMAT_H
#define DISK_SUPER_FORMAT_H

#include "base/endian.h"

enum {
	EXT4_SUPER_OFFSET = 1024, /* bytes from the start of the device */
	EXT4_SUPER_SIZE = 1024,
	EXT4_SUPER_MAGIC = 0xef53,
};

enum { EXT4_STATE_VALID = 1, EXT4_STATE_ERROR = 2, EXT4_STATE_ORPHANS = 4 };  /* s_state */
enum { EXT4_ERRORS_CONTINUE = 1, EXT4_ERRORS_RO = 2, EXT4_ERRORS_PANIC = 3 }; /* s_errors */
enum { EXT4_REV_ORIGINAL = 0, EXT4_REV_DYNAMIC = 1 };			      /* s_rev_level */
enum { EXT4_CHECKSUM_CRC32C = 1 };					      /* s_checksum_type */
enum {									      /* s_flags */
	EXT4_SUPER_SIGNED_HASH = 1,
	EXT4_SUPER_UNSIGNED_HASH = 2,
	EXT4_SUPER_TEST_FS = 4,
};

struct ext4_super {
	struct le32 s_inodes_count;	    /* 000 */
	struct le32 s_blocks_count_lo;	    /* 004 */
	struct le32 s_r_blocks_count_lo;    /* 008 reserved for privileged users */
	struct le32 s_free_blocks_count_lo; /* 00c in blocks, a hint (MD-12) */
	struct le32 s_free_inodes_count;    /* 010 a hint */
	struct le32 s_first_data_block;	    /* 014 first block of group 0 */
	struct le32 s_log_block_size;	    /* 018 block size is 1024 << n */
	struct le32 s_log_cluster_size;	    /* 01c cluster size is 1024 << n */
	struct le32 s_blocks_per_group;	    /* 020 */
	struct le32 s_clusters_per_group;   /* 024 */
	struct le32 s_inodes_per_group;	    /* 028 */
	struct le32 s_mtime;		    /* 02c last mount */
	struct le32 s_wtime;		    /* 030 last write of the superblock */
	struct le16 s_mnt_count;	    /* 034 mounts since the last check */
	struct le16 s_max_mnt_count;	    /* 036 signed; check after so many */
	struct le16 s_magic;		    /* 038 EXT4_SUPER_MAGIC */
	struct le16 s_state;		    /* 03a EXT4_STATE_* */
	struct le16 s_errors;		    /* 03c EXT4_ERRORS_*: what to do on errors */
	struct le16 s_minor_rev_level;	    /* 03e */
	struct le32 s_lastcheck;	    /* 040 */
	struct le32 s_checkinterval;	    /* 044 seconds */
	struct le32 s_creator_os;	    /* 048 0 = Linux */
	struct le32 s_rev_level;	    /* 04c EXT4_REV_* */
	struct le16 s_def_resuid;	    /* 050 who may use reserved blocks */
	struct le16 s_def_resgid;	    /* 052 */
	/* the rest: EXT4_REV_DYNAMIC only */
	struct le32 s_first_ino;	      /* 054 first number not reserved */
	struct le16 s_inode_size;	      /* 058 */
	struct le16 s_block_group_nr;	      /* 05a group of this copy */
	struct le32 s_feature_compat;	      /* 05c */
	struct le32 s_feature_incompat;	      /* 060 */
	struct le32 s_feature_ro_compat;      /* 064 */
	u8 s_uuid[16];			      /* 068 */
	char s_volume_name[16];		      /* 078 maybe no NUL */
	char s_last_mounted[64];	      /* 088 directory, maybe no NUL */
	struct le32 s_algorithm_usage_bitmap; /* 0c8 compression, unused */
	u8 s_prealloc_blocks;		      /* 0cc unused */
	u8 s_prealloc_dir_blocks;	      /* 0cd unused */
	struct le16 s_reserved_gdt_blocks;    /* 0ce blocks kept for growing the GDT */
	u8 s_journal_uuid[16];		      /* 0d0 of the external journal */
	struct le32 s_journal_inum;	      /* 0e0 */
	struct le32 s_journal_dev;	      /* 0e4 device number of the external journal */
	struct le32 s_last_orphan;	      /* 0e8 head of the orphan list (OR-1) */
	struct le32 s_hash_seed[4];	      /* 0ec */
	u8 s_def_hash_version;		      /* 0fc for new indexed directories */
	u8 s_jnl_backup_type;		      /* 0fd 1: s_jnl_blocks is valid */
	struct le16 s_desc_size;	      /* 0fe with 64bit; else 32 */
	struct le32 s_default_mount_opts;     /* 100 */
	struct le32 s_first_meta_bg;	      /* 104 first GDT block placed by meta_bg */
	struct le32 s_mkfs_time;	      /* 108 */
	struct le32 s_jnl_blocks[17];	 /* 10c i_block[15], size_hi, size of the journal inode */
	struct le32 s_blocks_count_hi;	 /* 150 with 64bit, like the next two */
	struct le32 s_r_blocks_count_hi; /* 154 */
	struct le32 s_free_blocks_count_hi;    /* 158 */
	struct le16 s_min_extra_isize;	       /* 15c */
	struct le16 s_want_extra_isize;	       /* 15e for new inodes (MD-16) */
	struct le32 s_flags;		       /* 160 EXT4_SUPER_* */
	struct le16 s_raid_stride;	       /* 164 blocks */
	struct le16 s_mmp_update_interval;     /* 166 seconds */
	struct le64 s_mmp_block;	       /* 168 */
	struct le32 s_raid_stripe_width;       /* 170 blocks */
	u8 s_log_groups_per_flex;	       /* 174 */
	u8 s_checksum_type;		       /* 175 EXT4_CHECKSUM_CRC32C */
	u8 s_encryption_level;		       /* 176 0 */
	u8 s_reserved_pad;		       /* 177 */
	struct le64 s_kbytes_written;	       /* 178 */
	struct le32 s_snapshot_inum;	       /* 180 snapshot fields: unused */
	struct le32 s_snapshot_id;	       /* 184 */
	struct le64 s_snapshot_r_blocks_count; /* 188 */
	struct le32 s_snapshot_list;	       /* 190 */
	struct le32 s_error_count;	       /* 194 error fields: MD-30 */
	struct le32 s_first_error_time;	       /* 198 */
	struct le32 s_first_error_ino;	       /* 19c */
	struct le64 s_first_error_block;       /* 1a0 */
	char s_first_error_func[32];	       /* 1a8 maybe no NUL */
	struct le32 s_first_error_line;	       /* 1c8 */
	struct le32 s_last_error_time;	       /* 1cc */
	struct le32 s_last_error_ino;	       /* 1d0 */
	struct le32 s_last_error_line;	       /* 1d4 */
	struct le64 s_last_error_block;	       /* 1d8 */
	char s_last_error_func[32];	       /* 1e0 maybe no NUL */
	char s_mount_opts[64];		       /* 200 maybe no NUL */
	struct le32 s_usr_quota_inum;	       /* 240 */
	struct le32 s_grp_quota_inum;	       /* 244 */
	struct le32 s_overhead_clusters;       /* 248 never trusted (MD-13) */
	struct le32 s_backup_bgs[2];	       /* 24c groups with backups, sparse_super2 */
	u8 s_encrypt_algos[4];		       /* 254 */
	u8 s_encrypt_pw_salt[16];	       /* 258 */
	struct le32 s_lpf_ino;		       /* 268 lost+found */
	struct le32 s_prj_quota_inum;	       /* 26c */
	struct le32 s_checksum_seed;	       /* 270 crc32c(~0, first uuid), csum_seed */
	u8 s_wtime_hi;			       /* 274 bits 32..39 of the times */
	u8 s_mtime_hi;			       /* 275 */
	u8 s_mkfs_time_hi;		       /* 276 */
	u8 s_lastcheck_hi;		       /* 277 */
	u8 s_first_error_time_hi;	       /* 278 */
	u8 s_last_error_time_hi;	       /* 279 */
	u8 s_first_error_errcode;	       /* 27a */
	u8 s_last_error_errcode;	       /* 27b */
	struct le16 s_encoding;		       /* 27c casefold */
	struct le16 s_encoding_flags;	       /* 27e */
	struct le32 s_orphan_file_inum;	       /* 280 */
	struct le16 s_def_resuid_hi;	       /* 284 */
	struct le16 s_def_resgid_hi;	       /* 286 */
	struct le32 s_reserved[93];	       /* 288 */
	struct le32 s_checksum;		       /* 3fc crc32c of 000..3fb */
} __attribute__((packed));

#endif
