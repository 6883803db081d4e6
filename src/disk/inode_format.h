/*
 * The inode: s_inode_size bytes (128 or a larger power of 2). A field beyond
 * byte 80 exists only if it ends at or before 80 + i_extra_isize (MD-16);
 * extended attributes fill the rest. The checksum covers the whole raw inode.
 */
#ifndef DISK_INODE_FORMAT_H
#define DISK_INODE_FORMAT_H

#include "base/endian.h"

enum { EXT4_INODE_SIZE_OLD = 128, EXT4_I_BLOCK_BYTES = 60, EXT4_N_PTRS = 15 };

enum { /* reserved inode numbers (MD-25) */
	EXT4_BAD_INO = 1,
	EXT4_ROOT_INO = 2,
	EXT4_USR_QUOTA_INO = 3,
	EXT4_GRP_QUOTA_INO = 4,
	EXT4_BOOT_LOADER_INO = 5,
	EXT4_UNDEL_DIR_INO = 6,
	EXT4_RESIZE_INO = 7,
	EXT4_JOURNAL_INO = 8,
	EXT4_EXCLUDE_INO = 9,
	EXT4_REPLICA_INO = 10,
	EXT4_GOOD_OLD_FIRST_INO = 11,
};

/* i_flags */
#define EXT4_SECRM_FL 0x1u
#define EXT4_UNRM_FL 0x2u
#define EXT4_COMPR_FL 0x4u
#define EXT4_SYNC_FL 0x8u		/* synchronous updates */
#define EXT4_IMMUTABLE_FL 0x10u		/* can't be changed */
#define EXT4_APPEND_FL 0x20u		/* append only */
#define EXT4_NODUMP_FL 0x40u		/* not in dumps */
#define EXT4_NOATIME_FL 0x80u		/* no atime updates */
#define EXT4_DIRTY_FL 0x100u		/* compression, unused */
#define EXT4_COMPRBLK_FL 0x200u		/* compression, unused */
#define EXT4_NOCOMPR_FL 0x400u		/* compression, unused */
#define EXT4_ENCRYPT_FL 0x800u		/* encrypted */
#define EXT4_INDEX_FL 0x1000u		/* directory has a hash index */
#define EXT4_IMAGIC_FL 0x2000u		/* AFS directory */
#define EXT4_JOURNAL_DATA_FL 0x4000u	/* data goes through the journal */
#define EXT4_NOTAIL_FL 0x8000u		/* unused */
#define EXT4_DIRSYNC_FL 0x10000u	/* synchronous directory changes */
#define EXT4_TOPDIR_FL 0x20000u		/* top of a directory hierarchy, for placement */
#define EXT4_HUGE_FILE_FL 0x40000u	/* i_blocks counts file system blocks (MD-17) */
#define EXT4_EXTENTS_FL 0x80000u	/* i_block is an extent root */
#define EXT4_VERITY_FL 0x100000u	/* verity protected */
#define EXT4_EA_INODE_FL 0x200000u	/* holds an attribute value (XA-6) */
#define EXT4_DAX_FL 0x2000000u		/* direct access */
#define EXT4_INLINE_DATA_FL 0x10000000u /* data in the inode (MD-26) */
#define EXT4_PROJINHERIT_FL 0x20000000u /* children take the project id */
#define EXT4_CASEFOLD_FL 0x40000000u	/* case-insensitive directory */

struct ext4_inode_disk {
	struct le16 i_mode;	   /* 00 type and permissions */
	struct le16 i_uid_lo;	   /* 02 */
	struct le32 i_size_lo;	   /* 04 bytes */
	struct le32 i_atime;	   /* 08 seconds, signed (MD-15) */
	struct le32 i_ctime;	   /* 0c */
	struct le32 i_mtime;	   /* 10 */
	struct le32 i_dtime;	   /* 14 deletion time, or next orphan */
	struct le16 i_gid_lo;	   /* 18 */
	struct le16 i_links_count; /* 1a */
	struct le32 i_blocks_lo;   /* 1c 512-byte units (MD-17) */
	struct le32 i_flags;	   /* 20 EXT4_*_FL */
	struct le32 i_version_lo;  /* 24 */
	union {
		u8 i_block[EXT4_I_BLOCK_BYTES]; /* 28 extent root, symlink, inline data */
		struct le32 i_ptr[EXT4_N_PTRS]; /* 28 12 direct, 1 indirect, 2, 3 */
	} __attribute__((packed));
	struct le32 i_generation;  /* 64 */
	struct le32 i_file_acl_lo; /* 68 attribute block */
	struct le32 i_size_hi;	   /* 6c */
	struct le32 i_faddr;	   /* 70 0 */
	struct le16 i_blocks_hi;   /* 74 */
	struct le16 i_file_acl_hi; /* 76 */
	struct le16 i_uid_hi;	   /* 78 */
	struct le16 i_gid_hi;	   /* 7a */
	struct le16 i_csum_lo;	   /* 7c */
	struct le16 i_reserved;	   /* 7e */
	/* below: if i_extra_isize covers it */
	struct le16 i_extra_isize;  /* 80 bytes used from 80 on, multiple of 4 */
	struct le16 i_csum_hi;	    /* 82 */
	struct le32 i_ctime_extra;  /* 84 nsec << 2 | epoch */
	struct le32 i_mtime_extra;  /* 88 */
	struct le32 i_atime_extra;  /* 8c */
	struct le32 i_crtime;	    /* 90 creation */
	struct le32 i_crtime_extra; /* 94 */
	struct le32 i_version_hi;   /* 98 */
	struct le32 i_projid;	    /* 9c */
} __attribute__((packed));

#endif
