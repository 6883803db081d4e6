/* Fresh file systems for the simulator, by mke2fs, on a medium full of poison. */
#ifndef SIM_DISK_MKFS_H
#define SIM_DISK_MKFS_H

#include "sim/disk/pages.h"

/* What -E always says: options with an -E of their own must repeat it. */
#define SIM_MKFS_EXTENDED "nodiscard,hash_seed=7a7f1de0-0000-4000-8000-000000000001"

/* The same options give the same bytes. 0, or a negative errno after a message on stderr. */
int sim_mkfs(struct sim_pages *out, u64 bytes, const char *mke2fs_options);
/* The seed of the directories' hashes that all of them have. */
void sim_mkfs_hash_seed(u32 seed[4]);

#endif
