/*
 * The block group descriptor: 32 bytes, or s_desc_size (64..1024) with the
 * 64bit feature; the fields from offset 20 exist only then. bg_checksum
 * covers the group number and the whole descriptor but itself.
 */
#ifndef DISK_GROUP_FORMAT_H
#define DISK_GROUP_FORMAT_H

#include "base/endian.h"

enum { EXT4_DESC_SIZE_MIN = 32, EXT4_DESC_SIZE_64BIT = 64, EXT4_DESC_SIZE_MAX = 1024 };

enum {				  /* bg_flags; mean something only with gdt_csum or metadata_csum */
	EXT4_BG_INODE_UNINIT = 1, /* inode bitmap on disk is garbage: nothing used */
	EXT4_BG_BLOCK_UNINIT = 2, /* block bitmap on disk is garbage: own metadata used (AL-2) */
	EXT4_BG_INODE_ZEROED = 4, /* inode table is zeroed */
};

struct ext4_group_desc {
	struct le32 bg_block_bitmap_lo;	     /* 00 */
	struct le32 bg_inode_bitmap_lo;	     /* 04 */
	struct le32 bg_inode_table_lo;	     /* 08 */
	struct le16 bg_free_clusters_lo;     /* 0c */
	struct le16 bg_free_inodes_lo;	     /* 0e */
	struct le16 bg_used_dirs_lo;	     /* 10 */
	struct le16 bg_flags;		     /* 12 EXT4_BG_* */
	struct le32 bg_exclude_bitmap_lo;    /* 14 snapshots, unused */
	struct le16 bg_block_bitmap_csum_lo; /* 18 */
	struct le16 bg_inode_bitmap_csum_lo; /* 1a */
	struct le16 bg_itable_unused_lo;     /* 1c inodes at the end never used (AL-8) */
	struct le16 bg_checksum;	     /* 1e */
	/* 64bit with s_desc_size >= 64 only */
	struct le32 bg_block_bitmap_hi;	     /* 20 */
	struct le32 bg_inode_bitmap_hi;	     /* 24 */
	struct le32 bg_inode_table_hi;	     /* 28 */
	struct le16 bg_free_clusters_hi;     /* 2c */
	struct le16 bg_free_inodes_hi;	     /* 2e */
	struct le16 bg_used_dirs_hi;	     /* 30 */
	struct le16 bg_itable_unused_hi;     /* 32 */
	struct le32 bg_exclude_bitmap_hi;    /* 34 */
	struct le16 bg_block_bitmap_csum_hi; /* 38 */
	struct le16 bg_inode_bitmap_csum_hi; /* 3a */
	struct le32 bg_reserved;	     /* 3c */
} __attribute__((packed));

#endif
