/*
 * Extended attribute lists: check, hashes, checksum. Pure functions. After a
 * successful verify, xattr_next() walks the list safely.
 */
#ifndef DISK_XATTR_H
#define DISK_XATTR_H

#include "disk/super.h"
#include "disk/xattr_format.h"

/* HD-7, without the checksum. block is block_size bytes. */
int xattr_block_verify(const struct super_info *sb, const void *block, const char **why);
/*
 * The area behind the fields of a raw inode: header and entries, `size` bytes
 * from byte 128 + extra_isize to the end of the inode. Only call it if the
 * area begins with the magic.
 */
int xattr_ibody_verify(const struct super_info *sb, const void *area, u32 size, const char **why);
/* Does the area hold attributes? */
bool xattr_ibody_present(const void *area, u32 size);

static inline u32 xattr_entry_size(u32 name_len)
{
	return ((u32)sizeof(struct ext4_xattr_entry) + name_len + 3u) & ~3u;
}
static inline u32 xattr_value_space(u32 size)
{
	return (size + 3u) & ~3u;
}
/* Only after verify: the entry behind e. */
struct ext4_xattr_entry *xattr_next(const struct ext4_xattr_entry *e);
/* Four zero bytes end the list. */
bool xattr_is_last(const struct ext4_xattr_entry *e);

/* e_hash of an entry in a block (XA-3); signed_names: the legacy variant, for verifying only. */
u32 xattr_entry_hash(
	const void *name, u32 name_len, const void *value, u32 value_size, bool signed_names);
/* The same for a value that lives in an EA inode, by the value's checksum. */
u32 xattr_entry_hash_inode(const void *name, u32 name_len, u32 value_csum, bool signed_names);
/* Checksum of an EA inode's value. */
u32 xattr_value_csum(const struct super_info *sb, const void *value, u32 size);
/* h_hash from the entries' hashes, from the first entry of a verified list; 0 = don't share. */
u32 xattr_block_hash(const struct ext4_xattr_entry *first);
/* Recomputes e_hash of a verified block's entry; true if it matches either signedness. */
bool xattr_entry_hash_ok(const void *block, const struct ext4_xattr_entry *e);

/* No-op and true without metadata_csum. */
void xattr_block_csum_set(const struct super_info *sb, pblk_t pblk, void *block);
bool xattr_block_csum_verify(const struct super_info *sb, pblk_t pblk, const void *block);

#endif
