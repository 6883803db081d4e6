/* The MMP block (MD-21): check and checksum. Pure functions. */
#ifndef DISK_MMP_H
#define DISK_MMP_H

#include "disk/mmp_format.h"
#include "disk/super.h"

/* Magic (-EUCLEAN) and checksum (-EBADMSG). */
int mmp_verify(const struct super_info *sb, const struct ext4_mmp *m, const char **why);
/* No-op without metadata_csum. */
void mmp_csum_set(const struct super_info *sb, struct ext4_mmp *m);

#endif
