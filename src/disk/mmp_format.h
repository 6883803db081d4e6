/*
 * The block of multiple-mount protection (MD-21): the first 1024 bytes of
 * block s_mmp_block. The checksum covers the bytes before it.
 */
#ifndef DISK_MMP_FORMAT_H
#define DISK_MMP_FORMAT_H

#include "base/endian.h"

#define EXT4_MMP_MAGIC 0x004d4d50u
#define EXT4_MMP_SEQ_CLEAN 0xff4d4d50u
#define EXT4_MMP_SEQ_FSCK 0xe24d4d50u
#define EXT4_MMP_SEQ_MAX 0xe24d4d4fu /* up to here: a live mount */

struct ext4_mmp {
	struct le32 mmp_magic;		/* 000 */
	struct le32 mmp_seq;		/* 004 changes while somebody lives */
	struct le64 mmp_time;		/* 008 last update, seconds */
	char mmp_nodename[64];		/* 010 */
	char mmp_bdevname[32];		/* 050 */
	struct le16 mmp_check_interval; /* 070 seconds */
	struct le16 mmp_pad1;		/* 072 */
	struct le32 mmp_pad2[226];	/* 074 */
	struct le32 mmp_checksum;	/* 3fc */
} __attribute__((packed));

#endif
