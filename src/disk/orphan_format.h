/*
 * A block of the orphan file: (block size - 8) / 4 inode numbers (le32, 0 =
 * free slot), then this tail. The checksum covers the block number and the
 * slots.
 */
#ifndef DISK_ORPHAN_FORMAT_H
#define DISK_ORPHAN_FORMAT_H

#include "base/endian.h"

#define EXT4_ORPHAN_MAGIC 0x0b10ca04u

enum { EXT4_ORPHAN_BLOCKS_MAX = 512 };

struct ext4_orphan_tail {
	struct le32 ob_magic;	 /* 0 */
	struct le32 ob_checksum; /* 4 */
} __attribute__((packed));

#endif
