/*
 * Directory blocks: a chain of entries that fills the block; with
 * metadata_csum a leaf ends in a tail that looks like an unused entry. An
 * indexed directory has a root in block 0 and maybe nodes, shaped so that an
 * old reader sees entries that span the block.
 */
#ifndef DISK_DIRENT_FORMAT_H
#define DISK_DIRENT_FORMAT_H

#include "base/endian.h"

enum { EXT4_NAME_MAX = 255, EXT4_DIRENT_HEAD = 8, EXT4_DIRENT_MIN = 12 };

enum { /* file_type, with the filetype feature */
	EXT4_FT_UNKNOWN = 0,
	EXT4_FT_REG = 1,
	EXT4_FT_DIR = 2,
	EXT4_FT_CHR = 3,
	EXT4_FT_BLK = 4,
	EXT4_FT_FIFO = 5,
	EXT4_FT_SOCK = 6,
	EXT4_FT_LNK = 7,
	EXT4_FT_DIR_TAIL = 0xde,
};

struct ext4_dirent {
	struct le32 inode;   /* 0 0 = unused entry */
	struct le16 rec_len; /* 4 to the next entry; see dirent_rec_len() */
	u8 name_len;	     /* 6 */
	u8 file_type;	     /* 7 EXT4_FT_* */
	char name[];	     /* 8 no NUL */
} __attribute__((packed));

struct ext4_dir_tail {		 /* last 12 bytes of a leaf */
	struct le32 dt_zero1;	 /* 0 */
	struct le16 dt_rec_len;	 /* 4 12 */
	u8 dt_zero2;		 /* 6 */
	u8 dt_type;		 /* 7 EXT4_FT_DIR_TAIL */
	struct le32 dt_checksum; /* 8 covers the bytes before the tail */
} __attribute__((packed));

enum { /* dx hash_version */
	EXT4_HASH_LEGACY = 0,
	EXT4_HASH_HALF_MD4 = 1,
	EXT4_HASH_TEA = 2,
	EXT4_HASH_LEGACY_UNSIGNED = 3, /* 3..5 in memory only (DR-5) */
	EXT4_HASH_HALF_MD4_UNSIGNED = 4,
	EXT4_HASH_TEA_UNSIGNED = 5,
	EXT4_HASH_SIPHASH = 6, /* with encrypt and casefold only */
};

#define EXT4_DX_BLOCK_MASK 0x0fffffffu

struct ext4_dx_entry {
	struct le32 hash;  /* 0 lowest hash of the child; bit 0: continues the one before */
	struct le32 block; /* 4 logical block, low 28 bits */
} __attribute__((packed));

/* Overlays the first entry's hash. */
struct ext4_dx_countlimit {
	struct le16 limit; /* 0 room, first entry included */
	struct le16 count; /* 2 used */
} __attribute__((packed));

struct ext4_dx_info {
	struct le32 reserved_zero; /* 0 */
	u8 hash_version;	   /* 4 EXT4_HASH_* */
	u8 info_length;		   /* 5 8 */
	u8 indirect_levels;	   /* 6 levels of nodes below the root */
	u8 unused_flags;	   /* 7 */
} __attribute__((packed));

struct ext4_dx_root {
	struct le32 dot_inode;		      /* 00 */
	struct le16 dot_rec_len;	      /* 04 12 */
	u8 dot_name_len;		      /* 06 */
	u8 dot_type;			      /* 07 */
	char dot_name[4];		      /* 08 ".", zeros */
	struct le32 dotdot_inode;	      /* 0c */
	struct le16 dotdot_rec_len;	      /* 10 to the end of the block */
	u8 dotdot_name_len;		      /* 12 */
	u8 dotdot_type;			      /* 13 */
	char dotdot_name[4];		      /* 14 "..", zeros */
	struct ext4_dx_info info;	      /* 18 */
	struct ext4_dx_countlimit countlimit; /* 20 is also entry 0's hash */
	struct le32 block0;		      /* 24 entry 0's block */
} __attribute__((packed));

struct ext4_dx_node {
	struct le32 fake_inode;		      /* 0 0 */
	struct le16 fake_rec_len;	      /* 4 block size */
	u8 fake_name_len;		      /* 6 0 */
	u8 fake_type;			      /* 7 0 */
	struct ext4_dx_countlimit countlimit; /* 8 */
	struct le32 block0;		      /* c */
} __attribute__((packed));

struct ext4_dx_tail {		 /* right behind the last entry there is room for */
	struct le32 dt_reserved; /* 0 */
	struct le32 dt_checksum; /* 4 */
} __attribute__((packed));

enum { EXT4_DX_ROOT_COUNT_OFFSET = 0x20, EXT4_DX_NODE_COUNT_OFFSET = 8 };

#endif
