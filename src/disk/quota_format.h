/*
 * A quota file of VFS format 2, revision 1 ("vfsv1"): blocks of 1 KiB, whatever the file system's
 * are. Block 0 is the header; block 1 the root of a tree four deep. A node is 256 block numbers
 * (le32, 0 = none), one for each value of a byte of the id, the highest byte at the root; what the
 * fourth node names is a data block, which ids of several nodes share. All little endian, and no
 * checksums. Space is counted in bytes: the owner's i_blocks, attribute values among them.
 */
#ifndef DISK_QUOTA_FORMAT_H
#define DISK_QUOTA_FORMAT_H

#include "base/endian.h"

enum {
	QUOTA_BLOCK_SIZE = 1024,
	QUOTA_ROOT = 1, /* block */
	QUOTA_DEPTH = 4,
	QUOTA_POINTERS = 256, /* in a node */
	QUOTA_ENTRIES = 14,   /* in a data block */
	QUOTA_VERSION = 1,
	QUOTA_TYPES = 3, /* user, group, project, as in s_*_quota_inum */
};

#define QUOTA_MAGIC_USER 0xd9c01f11u
#define QUOTA_MAGIC_GROUP 0xd9c01927u
#define QUOTA_MAGIC_PROJECT 0xd9c03f14u

struct quota_header {
	struct le32 dqh_magic;	    /* 00 */
	struct le32 dqh_version;    /* 04 */
	struct le32 dqi_bgrace;	    /* 08 seconds */
	struct le32 dqi_igrace;	    /* 0c */
	struct le32 dqi_flags;	    /* 10 */
	struct le32 dqi_blocks;	    /* 14 of the file, these two among them */
	struct le32 dqi_free_blk;   /* 18 first block in no use, 0 = none */
	struct le32 dqi_free_entry; /* 1c first data block with room, 0 = none */
} __attribute__((packed));

/* A data block begins so; 14 entries follow. A block in no use has it, too, for the list. */
struct quota_block {
	struct le32 dqdh_next_free; /* 00 */
	struct le32 dqdh_prev_free; /* 04 */
	struct le16 dqdh_entries;   /* 08 in use */
	struct le16 dqdh_pad1;	    /* 0a */
	struct le32 dqdh_pad2;	    /* 0c */
} __attribute__((packed));

/* All zero: not in use. One of id 0 that would be has a dqb_itime of 1. */
struct quota_entry {
	struct le32 dqb_id;	    /* 00 */
	struct le32 dqb_pad;	    /* 04 */
	struct le64 dqb_ihardlimit; /* 08 inodes */
	struct le64 dqb_isoftlimit; /* 10 */
	struct le64 dqb_curinodes;  /* 18 */
	struct le64 dqb_bhardlimit; /* 20 KiB */
	struct le64 dqb_bsoftlimit; /* 28 */
	struct le64 dqb_curspace;   /* 30 bytes */
	struct le64 dqb_btime;	    /* 38 when the soft limit becomes hard */
	struct le64 dqb_itime;	    /* 40 */
} __attribute__((packed));

#endif
