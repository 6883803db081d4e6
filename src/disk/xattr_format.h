/*
 * Extended attributes: in the inode behind the extra fields (a magic number,
 * then entries), and in one block per inode that inodes with the same set may
 * share. Entries grow from the front, values from the end. h_checksum covers
 * the block number and the block.
 */
#ifndef DISK_XATTR_FORMAT_H
#define DISK_XATTR_FORMAT_H

#include "base/endian.h"

enum {
	EXT4_XATTR_REFCOUNT_MAX = 1024,
	EXT4_XATTR_VALUE_MAX = 65536,
	EXT4_XATTR_NAME_MAX = 255,
};
#define EXT4_XATTR_MAGIC 0xea020000u

enum { /* e_name_index: prefix of the name */
	EXT4_XATTR_INDEX_USER = 1,
	EXT4_XATTR_INDEX_ACL_ACCESS = 2,
	EXT4_XATTR_INDEX_ACL_DEFAULT = 3,
	EXT4_XATTR_INDEX_TRUSTED = 4,
	EXT4_XATTR_INDEX_LUSTRE = 5,
	EXT4_XATTR_INDEX_SECURITY = 6,
	EXT4_XATTR_INDEX_SYSTEM = 7,
	EXT4_XATTR_INDEX_RICHACL = 8,
	EXT4_XATTR_INDEX_ENCRYPTION = 9,
	EXT4_XATTR_INDEX_HURD = 10,
};

struct ext4_xattr_header {	   /* block */
	struct le32 h_magic;	   /* 00 */
	struct le32 h_refcount;	   /* 04 inodes that share the block */
	struct le32 h_blocks;	   /* 08 1 */
	struct le32 h_hash;	   /* 0c of all entries, 0 = not shareable */
	struct le32 h_checksum;	   /* 10 */
	struct le32 h_reserved[3]; /* 14 */
} __attribute__((packed));

struct ext4_xattr_ibody_header {
	struct le32 h_magic; /* 0 */
} __attribute__((packed));

struct ext4_xattr_entry {	  /* padded to 4 bytes; 4 zero bytes end the list */
	u8 e_name_len;		  /* 0 */
	u8 e_name_index;	  /* 1 EXT4_XATTR_INDEX_* */
	struct le16 e_value_offs; /* 2 from the block, or from the first entry (ibody) */
	struct le32 e_value_inum; /* 4 inode that holds the value, 0 = here */
	struct le32 e_value_size; /* 8 */
	struct le32 e_hash;	  /* c of name and value; 0 in the inode */
	char e_name[];		  /* 10 no NUL */
} __attribute__((packed));

#endif
