/*
 * Extent tree nodes: a header, then entries sorted by logical block. The root
 * sits in i_block (4 entries, no checksum of its own); a node fills a block
 * and ends in a tail with the checksum over the bytes before it.
 */
#ifndef DISK_EXTENT_FORMAT_H
#define DISK_EXTENT_FORMAT_H

#include "base/endian.h"

enum {
	EXT4_EXTENT_MAGIC = 0xf30a,
	EXT4_EXTENT_ROOT_MAX = 4,    /* entries in the inode */
	EXT4_EXTENT_DEPTH_MAX = 5,   /* levels below the root */
	EXT4_EXTENT_LEN_MAX = 32768, /* written */
	EXT4_EXTENT_UNWRITTEN_MAX = 32767,
};

struct ext4_extent_header {
	struct le16 eh_magic;	   /* 0 */
	struct le16 eh_entries;	   /* 2 used */
	struct le16 eh_max;	   /* 4 room */
	struct le16 eh_depth;	   /* 6 0 = leaf */
	struct le32 eh_generation; /* 8 unused */
} __attribute__((packed));

struct ext4_extent {		 /* leaf entry */
	struct le32 ee_block;	 /* 0 first logical block */
	struct le16 ee_len;	 /* 4 above 32768: unwritten, of len - 32768 */
	struct le16 ee_start_hi; /* 6 */
	struct le32 ee_start_lo; /* 8 first physical block */
} __attribute__((packed));

struct ext4_extent_idx {	/* index entry */
	struct le32 ei_block;	/* 0 first logical block below */
	struct le32 ei_leaf_lo; /* 4 child node */
	struct le16 ei_leaf_hi; /* 8 */
	struct le16 ei_unused;	/* a */
} __attribute__((packed));

struct ext4_extent_tail {	 /* at 12 + 12 * eh_max of a node */
	struct le32 et_checksum; /* 0 */
} __attribute__((packed));

#endif
