/* Hashes of file names in indexed directories (DR-5, DR-6). Pure functions. */
#ifndef DISK_DIRHASH_H
#define DISK_DIRHASH_H

#include "disk/dirent_format.h"
#include "disk/super.h"

struct dirhash {
	u32 hash; /* bit 0 clear */
	u32 minor;
};

/* version is EXT4_HASH_LEGACY..TEA_UNSIGNED; -EOPNOTSUPP for others. An all-zero seed means the
 * default. */
int dirhash_compute(u8 version, const u32 seed[4], const void *name, u32 len, struct dirhash *out);

/* By the version stored in a dx root, with the superblock's seed and signedness. */
int dirhash_name(const struct super_info *sb, u8 root_version, const void *name, u32 len,
	struct dirhash *out);

#endif
