/* Fast-commit area of the log: little-endian records {tag, length, value} (RC-16, RC-17). */
#ifndef DISK_FASTCOMMIT_FORMAT_H
#define DISK_FASTCOMMIT_FORMAT_H

#include "base/endian.h"

enum {			       /* fc_tag */
	EXT4_FC_ADD_RANGE = 1, /* inode, extent (12 bytes) */
	EXT4_FC_DEL_RANGE = 2, /* inode, first block, length */
	EXT4_FC_CREAT = 3,     /* parent, inode, name */
	EXT4_FC_LINK = 4,      /* parent, inode, name */
	EXT4_FC_UNLINK = 5,    /* parent, inode, name */
	EXT4_FC_INODE = 6,     /* inode, raw inode */
	EXT4_FC_PAD = 7,
	EXT4_FC_TAIL = 8, /* tid, checksum */
	EXT4_FC_HEAD = 9, /* features, tid */
};

struct ext4_fc_tl {
	struct le16 fc_tag; /* 0 */
	struct le16 fc_len; /* 2 bytes of value */
} __attribute__((packed));

struct ext4_fc_head {
	struct le32 fc_features; /* 0 0 */
	struct le32 fc_tid;	 /* 4 */
} __attribute__((packed));

struct ext4_fc_tail {
	struct le32 fc_tid; /* 0 */
	struct le32 fc_crc; /* 4 over the records since the last tail, up to here */
} __attribute__((packed));

#endif
