/* The MMP block (MD-21). */
#include "disk/mmp.h"

#include "base/crc.h"
#include "base/err.h"

static u32 csum_of(const struct super_info *sb, const struct ext4_mmp *m)
{
	return crc32c(sb->csum_seed, m, offsetof(struct ext4_mmp, mmp_checksum));
}

int mmp_verify(const struct super_info *sb, const struct ext4_mmp *m, const char **why)
{
	*why = NULL;
	if (le32_to_cpu(m->mmp_magic) != EXT4_MMP_MAGIC) {
		*why = "no MMP magic number";
		return ERR(EUCLEAN);
	}
	if (super_has_metadata_csum(sb) && le32_to_cpu(m->mmp_checksum) != csum_of(sb, m)) {
		*why = "wrong checksum";
		return ERR(EBADMSG);
	}
	return 0;
}

void mmp_csum_set(const struct super_info *sb, struct ext4_mmp *m)
{
	if (super_has_metadata_csum(sb))
		m->mmp_checksum = cpu_to_le32(csum_of(sb, m));
}
