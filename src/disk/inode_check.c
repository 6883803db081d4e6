/* Checks of an unpacked inode by itself (HD-4), times, device numbers. */
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/util.h"
#include "disk/inode.h"

#define NSEC_MAX 999999999u
#define TIME_MIN (-0x80000000ll)
#define TIME_MAX_32 0x7fffffffll
#define TIME_MAX_34 (TIME_MIN + 0x3ffffffffll) /* year 2446 */

u64 inode_max_size(const struct super_info *sb, bool extents)
{
	u64 per_block = sb->block_size / 4;
	u64 blocks = 12 + per_block + per_block * per_block + per_block * per_block * per_block;

	/* Logical blocks up to LBLK_MAX in both kinds (IO-12). */
	if (extents || blocks > (u64)LBLK_MAX + 1)
		blocks = (u64)LBLK_MAX + 1;
	return blocks << sb->block_bits;
}

static const char *check_type(const struct inode_fields *f)
{
	switch (f->mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return NULL;
	case S_IFLNK:
		return f->flags & (EXT4_IMMUTABLE_FL | EXT4_APPEND_FL)
			       ? "a symbolic link is immutable or append-only"
			       : NULL;
	default:
		return "unknown file type";
	}
}

static const char *check_flags(const struct super_info *sb, const struct inode_fields *f)
{
	bool is_inline = f->flags & EXT4_INLINE_DATA_FL;

	if (f->flags & EXT4_CASEFOLD_FL && !super_has_casefold(sb))
		return "case-insensitive without the casefold feature";
	if (f->flags & EXT4_ENCRYPT_FL && !super_has_encrypt(sb))
		return "encrypted without the encrypt feature";
	if (f->flags & EXT4_EXTENTS_FL && !super_has_extents(sb))
		return "extents without the extent feature";
	if (is_inline && !super_has_inline_data(sb))
		return "inline data without the inline_data feature";
	if (is_inline && f->flags & EXT4_EXTENTS_FL)
		return "both inline data and extents";
	if (is_inline && f->extra_isize == 0)
		return "inline data without room for attributes";
	if (f->flags & EXT4_EA_INODE_FL && !S_ISREG(f->mode))
		return "an attribute value is no regular file";
	if (f->flags & EXT4_INDEX_FL && S_ISDIR(f->mode) && !super_has_dir_index(sb) &&
		super_has_metadata_csum(sb))
		return "an indexed directory without the dir_index feature"; /* DR-12 */
	return NULL;
}

int inode_fields_verify(const struct super_info *sb, const struct inode_fields *f, const char **why)
{
	*why = check_type(f);
	if (!*why)
		*why = check_flags(sb, f);
	if (!*why && f->size > inode_max_size(sb, f->flags & EXT4_EXTENTS_FL))
		*why = "impossible size";
	if (!*why && f->file_acl &&
		(f->file_acl <= sb->first_data_block || f->file_acl >= sb->blocks_count))
		*why = "the attribute block is outside the file system";
	return *why ? ERR(EUCLEAN) : 0;
}

struct os_time inode_time_decode(struct le32 sec, struct le32 extra, bool has_extra)
{
	struct os_time t = {.sec = (s32)le32_to_cpu(sec)};

	if (has_extra) {
		t.sec += (s64)(le32_to_cpu(extra) & 3) << 32;
		t.nsec = min_of(le32_to_cpu(extra) >> 2, NSEC_MAX);
	}
	return t;
}

void inode_time_encode(struct os_time t, bool has_extra, struct le32 *sec, struct le32 *extra)
{
	s64 max = has_extra ? TIME_MAX_34 : TIME_MAX_32;
	s64 s = t.sec < TIME_MIN ? TIME_MIN : min_of(t.sec, max);
	u64 epoch = (u64)(s - (s32)(u32)s) >> 32 & 3;

	*sec = cpu_to_le32((u32)s);
	if (has_extra)
		*extra = cpu_to_le32(min_of(t.nsec, NSEC_MAX) << 2 | (u32)epoch);
}

/* Old encoding: 8 bits each. New: minor 0..7, major 8..19, minor's rest 20..31. */
int inode_dev_encode(u8 *i_block, u32 major, u32 minor)
{
	struct le32 ptr[2] = {{0}, {0}};

	if (major > 0xfff || minor > 0xfffff)
		return ERR(EINVAL);
	if (major < 256 && minor < 256)
		ptr[0] = cpu_to_le32(major << 8 | minor);
	else
		ptr[1] = cpu_to_le32((minor & 0xff) | major << 8 | (minor & 0xfff00) << 12);
	memset(i_block, 0, EXT4_I_BLOCK_BYTES);
	memcpy(i_block, ptr, sizeof(ptr));
	return 0;
}

void inode_dev_decode(const u8 *i_block, u32 *major, u32 *minor)
{
	struct le32 ptr[2];
	u32 v;

	memcpy(ptr, i_block, sizeof(ptr));
	v = le32_to_cpu(ptr[0]);
	if (v) {
		*major = v >> 8 & 0xff;
		*minor = v & 0xff;
		return;
	}
	v = le32_to_cpu(ptr[1]);
	*major = v >> 8 & 0xfff;
	*minor = (v & 0xff) | (v >> 12 & 0xfff00);
}
