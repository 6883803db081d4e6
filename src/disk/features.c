/* Names of features, and what this engine can do with each (MD-2..5). */
#include "disk/features.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "disk/super.h"

struct feature {
	u32 bit;
	const char *name;
};

static const struct feature compat_names[] = {
	{EXT4_FEATURE_COMPAT_DIR_PREALLOC, "dir_prealloc"},
	{EXT4_FEATURE_COMPAT_IMAGIC_INODES, "imagic_inodes"},
	{EXT4_FEATURE_COMPAT_HAS_JOURNAL, "has_journal"},
	{EXT4_FEATURE_COMPAT_EXT_ATTR, "ext_attr"},
	{EXT4_FEATURE_COMPAT_RESIZE_INODE, "resize_inode"},
	{EXT4_FEATURE_COMPAT_DIR_INDEX, "dir_index"},
	{EXT4_FEATURE_COMPAT_SPARSE_SUPER2, "sparse_super2"},
	{EXT4_FEATURE_COMPAT_FAST_COMMIT, "fast_commit"},
	{EXT4_FEATURE_COMPAT_STABLE_INODES, "stable_inodes"},
	{EXT4_FEATURE_COMPAT_ORPHAN_FILE, "orphan_file"},
	{0, NULL},
};

static const struct feature incompat_names[] = {
	{EXT4_FEATURE_INCOMPAT_COMPRESSION, "compression"},
	{EXT4_FEATURE_INCOMPAT_FILETYPE, "filetype"},
	{EXT4_FEATURE_INCOMPAT_RECOVER, "needs_recovery"},
	{EXT4_FEATURE_INCOMPAT_JOURNAL_DEV, "journal_dev"},
	{EXT4_FEATURE_INCOMPAT_META_BG, "meta_bg"},
	{EXT4_FEATURE_INCOMPAT_EXTENTS, "extent"},
	{EXT4_FEATURE_INCOMPAT_64BIT, "64bit"},
	{EXT4_FEATURE_INCOMPAT_MMP, "mmp"},
	{EXT4_FEATURE_INCOMPAT_FLEX_BG, "flex_bg"},
	{EXT4_FEATURE_INCOMPAT_EA_INODE, "ea_inode"},
	{EXT4_FEATURE_INCOMPAT_DIRDATA, "dirdata"},
	{EXT4_FEATURE_INCOMPAT_CSUM_SEED, "metadata_csum_seed"},
	{EXT4_FEATURE_INCOMPAT_LARGEDIR, "large_dir"},
	{EXT4_FEATURE_INCOMPAT_INLINE_DATA, "inline_data"},
	{EXT4_FEATURE_INCOMPAT_ENCRYPT, "encrypt"},
	{EXT4_FEATURE_INCOMPAT_CASEFOLD, "casefold"},
	{0, NULL},
};

static const struct feature ro_compat_names[] = {
	{EXT4_FEATURE_RO_COMPAT_SPARSE_SUPER, "sparse_super"},
	{EXT4_FEATURE_RO_COMPAT_LARGE_FILE, "large_file"},
	{EXT4_FEATURE_RO_COMPAT_BTREE_DIR, "btree_dir"},
	{EXT4_FEATURE_RO_COMPAT_HUGE_FILE, "huge_file"},
	{EXT4_FEATURE_RO_COMPAT_GDT_CSUM, "uninit_bg"},
	{EXT4_FEATURE_RO_COMPAT_DIR_NLINK, "dir_nlink"},
	{EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE, "extra_isize"},
	{EXT4_FEATURE_RO_COMPAT_HAS_SNAPSHOT, "snapshot"},
	{EXT4_FEATURE_RO_COMPAT_QUOTA, "quota"},
	{EXT4_FEATURE_RO_COMPAT_BIGALLOC, "bigalloc"},
	{EXT4_FEATURE_RO_COMPAT_METADATA_CSUM, "metadata_csum"},
	{EXT4_FEATURE_RO_COMPAT_REPLICA, "replica"},
	{EXT4_FEATURE_RO_COMPAT_READONLY, "read-only"},
	{EXT4_FEATURE_RO_COMPAT_PROJECT, "project"},
	{EXT4_FEATURE_RO_COMPAT_SHARED_BLOCKS, "shared_blocks"},
	{EXT4_FEATURE_RO_COMPAT_VERITY, "verity"},
	{EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT, "orphan_present"},
	{0, NULL},
};

/* Everything else among the incompatible ones is refused altogether. */
#define INCOMPAT_READ_WRITE                                                                        \
	(EXT4_FEATURE_INCOMPAT_FILETYPE | EXT4_FEATURE_INCOMPAT_RECOVER |                          \
		EXT4_FEATURE_INCOMPAT_META_BG | EXT4_FEATURE_INCOMPAT_EXTENTS |                    \
		EXT4_FEATURE_INCOMPAT_64BIT | EXT4_FEATURE_INCOMPAT_MMP |                          \
		EXT4_FEATURE_INCOMPAT_FLEX_BG | EXT4_FEATURE_INCOMPAT_EA_INODE |                   \
		EXT4_FEATURE_INCOMPAT_CSUM_SEED | EXT4_FEATURE_INCOMPAT_LARGEDIR)
#define INCOMPAT_READ_ONLY                                                                         \
	(EXT4_FEATURE_INCOMPAT_INLINE_DATA | EXT4_FEATURE_INCOMPAT_ENCRYPT |                       \
		EXT4_FEATURE_INCOMPAT_CASEFOLD)
/* Everything else among these allows reading. */
#define RO_COMPAT_READ_WRITE                                                                       \
	(EXT4_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT4_FEATURE_RO_COMPAT_LARGE_FILE |                 \
		EXT4_FEATURE_RO_COMPAT_BTREE_DIR | EXT4_FEATURE_RO_COMPAT_HUGE_FILE |              \
		EXT4_FEATURE_RO_COMPAT_GDT_CSUM | EXT4_FEATURE_RO_COMPAT_DIR_NLINK |               \
		EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE | EXT4_FEATURE_RO_COMPAT_METADATA_CSUM |        \
		EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT)

const char *feature_name(enum feature_set set, u32 bit)
{
	const struct feature *f = set == FEATURE_COMPAT	    ? compat_names
				  : set == FEATURE_INCOMPAT ? incompat_names
							    : ro_compat_names;

	while (f->name && f->bit != bit)
		f++;
	return f->name;
}

/* Text that grows in a buffer and is cut where the buffer ends. */
struct text {
	char *s;
	size_t size, len;
};

static void text_add(struct text *t, const char *s)
{
	for (; *s && t->len + 1 < t->size; s++)
		t->s[t->len++] = *s;
	if (t->size)
		t->s[t->len] = 0;
}

static void text_add_features(struct text *t, enum feature_set set, u32 bits)
{
	for (u32 bit = 1; bit; bit <<= 1) {
		const char *name = feature_name(set, bit);
		char number[64];

		if (!(bits & bit))
			continue;
		snprintf(number, sizeof(number), " unknown %s 0x%x",
			set == FEATURE_INCOMPAT ? "incompatible" : "read-only-compatible", bit);
		text_add(t, name ? " " : number);
		text_add(t, name ? name : "");
	}
}

int super_check_features(const struct super_info *sb, bool want_rw, char *msg, size_t size)
{
	u32 refused = sb->feature_incompat & ~(INCOMPAT_READ_WRITE | INCOMPAT_READ_ONLY);
	u32 ro_incompat = sb->feature_incompat & INCOMPAT_READ_ONLY;
	u32 ro = sb->feature_ro_compat & ~RO_COMPAT_READ_WRITE;
	struct text t = {.s = msg, .size = size};

	text_add(&t, "");
	if (refused) {
		text_add(&t, "the file system can't be opened; it uses:");
		text_add_features(&t, FEATURE_INCOMPAT, refused);
		return ERR(EOPNOTSUPP);
	}
	if (!want_rw)
		return 0;
	if (ro_incompat || ro) {
		text_add(&t, "the file system can be opened read-only only; it uses:");
		text_add_features(&t, FEATURE_INCOMPAT, ro_incompat);
		text_add_features(&t, FEATURE_RO_COMPAT, ro);
		return ERR(EROFS);
	}
	if (sb->rev > EXT4_REV_DYNAMIC) {
		text_add(&t,
			"the file system can be opened read-only only; its revision is unknown");
		return ERR(EROFS);
	}
	return 0;
}
