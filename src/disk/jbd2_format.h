/*
 * The log: a superblock in its first block, then a ring of descriptor, data,
 * revoke and commit blocks. Big-endian. With csum_v2/v3 descriptor and revoke
 * blocks end in a checksum over the block, the commit carries its own, and
 * tags one for each logged block.
 */
#ifndef DISK_JBD2_FORMAT_H
#define DISK_JBD2_FORMAT_H

#include "base/endian.h"

#define JBD2_MAGIC 0xc03b3998u

enum { /* h_blocktype */
	JBD2_DESCRIPTOR = 1,
	JBD2_COMMIT = 2,
	JBD2_SUPER_V1 = 3,
	JBD2_SUPER_V2 = 4,
	JBD2_REVOKE = 5,
};

enum { JBD2_FEATURE_COMPAT_CHECKSUM = 1 };
enum {
	JBD2_FEATURE_INCOMPAT_REVOKE = 0x1,
	JBD2_FEATURE_INCOMPAT_64BIT = 0x2,
	JBD2_FEATURE_INCOMPAT_ASYNC_COMMIT = 0x4,
	JBD2_FEATURE_INCOMPAT_CSUM_V2 = 0x8,
	JBD2_FEATURE_INCOMPAT_CSUM_V3 = 0x10,
	JBD2_FEATURE_INCOMPAT_FAST_COMMIT = 0x20,
};
enum { JBD2_CHECKSUM_CRC32 = 1, JBD2_CHECKSUM_CRC32C = 4 };
enum { JBD2_MIN_BLOCKS = 1024, JBD2_DEFAULT_FC_BLOCKS = 256, JBD2_USERS_MAX = 48 };

enum {				 /* tag flags */
	JBD2_FLAG_ESCAPE = 1,	 /* first 4 bytes were the magic, zeroed in the log (JB-12) */
	JBD2_FLAG_SAME_UUID = 2, /* no 16 bytes follow this tag */
	JBD2_FLAG_DELETED = 4,
	JBD2_FLAG_LAST = 8,
};

struct jbd2_header {		 /* of every log block that is not data */
	struct be32 h_magic;	 /* 0 */
	struct be32 h_blocktype; /* 4 */
	struct be32 h_sequence;	 /* 8 transaction id */
} __attribute__((packed));

struct jbd2_super {
	struct jbd2_header s_header; /* 00 */
	struct be32 s_blocksize;     /* 0c */
	struct be32 s_maxlen;	     /* 10 log blocks, this one included */
	struct be32 s_first;	     /* 14 first block of the ring */
	struct be32 s_sequence;	     /* 18 first id expected in the log */
	struct be32 s_start;	     /* 1c block where the log starts; 0 = empty */
	struct be32 s_errno;	     /* 20 signed: the abort's reason (JB-38) */
	/* the rest: JBD2_SUPER_V2 only */
	struct be32 s_feature_compat;	 /* 24 */
	struct be32 s_feature_incompat;	 /* 28 */
	struct be32 s_feature_ro_compat; /* 2c */
	u8 s_uuid[16];			 /* 30 */
	struct be32 s_nr_users;		 /* 40 file systems that share the log */
	struct be32 s_dynsuper;		 /* 44 unused */
	struct be32 s_max_transaction;	 /* 48 unused */
	struct be32 s_max_trans_data;	 /* 4c unused */
	u8 s_checksum_type;		 /* 50 4 = crc32c */
	u8 s_padding2[3];		 /* 51 */
	struct be32 s_num_fc_blks;	 /* 54 fast-commit area (JB-36) */
	struct be32 s_head;		 /* 58 where the next log begins, if clean (JB-33) */
	struct be32 s_padding[40];	 /* 5c */
	struct be32 s_checksum;		 /* fc crc32c of the 1024 bytes, this as 0 */
	u8 s_users[16 * JBD2_USERS_MAX]; /* 100 uuids of the file systems */
} __attribute__((packed));

struct jbd2_tag_v3 {		    /* csum_v3: 16 bytes */
	struct be32 t_blocknr;	    /* 0 */
	struct be32 t_flags;	    /* 4 JBD2_FLAG_* */
	struct be32 t_blocknr_high; /* 8 */
	struct be32 t_checksum;	    /* c of the block as logged */
} __attribute__((packed));

struct jbd2_tag_old {		    /* 8 bytes, 12 with 64bit; 2 more behind with csum_v2 */
	struct be32 t_blocknr;	    /* 0 */
	struct be16 t_checksum;	    /* 4 low half, csum_v2 */
	struct be16 t_flags;	    /* 6 JBD2_FLAG_* */
	struct be32 t_blocknr_high; /* 8 64bit only */
} __attribute__((packed));

struct jbd2_block_tail {	/* last 4 bytes of descriptor and revoke blocks, csum_v2/v3 */
	struct be32 t_checksum; /* 0 */
} __attribute__((packed));

struct jbd2_commit {
	struct jbd2_header c_header; /* 00 */
	u8 c_chksum_type;	     /* 0c 0; v1: JBD2_CHECKSUM_CRC32 */
	u8 c_chksum_size;	     /* 0d 0; v1: 4 */
	u8 c_padding[2];	     /* 0e */
	struct be32 c_chksum[8];     /* 10 */
	struct be64 c_commit_sec;    /* 30 */
	struct be32 c_commit_nsec;   /* 38 */
} __attribute__((packed));

struct jbd2_revoke {		     /* then block numbers, be32 or be64 (64bit) */
	struct jbd2_header r_header; /* 0 */
	struct be32 r_count;	     /* c bytes used, this header included */
} __attribute__((packed));

#endif
