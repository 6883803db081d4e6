/* Attribute lists: bounds (HD-7), hashes (XA-3), checksum. */
#include "disk/xattr.h"

#include <string.h>

#include "base/crc.h"
#include "base/err.h"
#include "base/util.h"

enum { LIST_END_SIZE = 4 }; /* the zero bytes behind the last entry */

bool xattr_is_last(const struct ext4_xattr_entry *e)
{
	return le32_to_cpu(*(const struct le32 *)e) == 0;
}

struct ext4_xattr_entry *xattr_next(const struct ext4_xattr_entry *e)
{
	return (struct ext4_xattr_entry *)((u8 *)e + xattr_entry_size(e->e_name_len));
}

/* A list of entries inside a region; all offsets count from the region's start. */
struct region {
	const struct super_info *sb;
	const u8 *start; /* value offsets count from here */
	u32 first;	 /* offset of the first entry */
	u32 size;
};

/* Offset behind the list's end, or 0 with *why. */
static u32 names_end(const struct region *r, const char **why)
{
	u32 at = r->first;

	for (;;) {
		const struct ext4_xattr_entry *e = (const void *)(r->start + at);

		if (at + LIST_END_SIZE > r->size)
			break;
		if (xattr_is_last(e))
			return at + LIST_END_SIZE;
		if (at + xattr_entry_size(e->e_name_len) > r->size)
			break;
		if (memchr(e->e_name, 0, e->e_name_len)) {
			*why = "an attribute name contains NUL";
			return 0;
		}
		at += xattr_entry_size(e->e_name_len);
	}
	*why = "the attribute list has no end";
	return 0;
}

static const char *check_value(const struct region *r, const struct ext4_xattr_entry *e, u32 names)
{
	u32 offs = le16_to_cpu(e->e_value_offs), size = le32_to_cpu(e->e_value_size);
	u32 inum = le32_to_cpu(e->e_value_inum);

	if (size > EXT4_XATTR_VALUE_MAX)
		return "an attribute value is too large";
	if (inum) {
		if (size == 0 || inum > r->sb->inodes_count)
			return "an attribute value names an impossible inode";
		return super_has_ea_inode(r->sb) ? NULL
						 : "an attribute value in an inode without "
						   "the ea_inode feature";
	}
	if (size == 0)
		return NULL;
	if (offs + xattr_value_space(size) > r->size) /* both are small by now */
		return "an attribute value is outside its block";
	if (offs < names)
		return "an attribute value overlaps the names";
	return NULL;
}

static int region_verify(const struct region *r, const char **why)
{
	const struct ext4_xattr_entry *e = (const void *)(r->start + r->first);
	u32 names;

	*why = NULL;
	names = names_end(r, why);
	for (; !*why && !xattr_is_last(e); e = xattr_next(e))
		*why = check_value(r, e, names);
	return *why ? ERR(EUCLEAN) : 0;
}

int xattr_block_verify(const struct super_info *sb, const void *block, const char **why)
{
	const struct ext4_xattr_header *h = block;
	const struct region r = {
		.sb = sb, .start = block, .first = sizeof(*h), .size = sb->block_size};
	u32 refs = le32_to_cpu(h->h_refcount);

	*why = NULL;
	if (le32_to_cpu(h->h_magic) != EXT4_XATTR_MAGIC)
		*why = "no attribute magic number";
	else if (le32_to_cpu(h->h_blocks) != 1)
		*why = "an attribute block claims to be several";
	else if (refs == 0 || refs > EXT4_XATTR_REFCOUNT_MAX)
		*why = "impossible number of users of an attribute block";
	return *why ? ERR(EUCLEAN) : region_verify(&r, why);
}

bool xattr_ibody_present(const void *area, u32 size)
{
	const struct ext4_xattr_ibody_header *h = area;

	return size >= sizeof(*h) + LIST_END_SIZE && le32_to_cpu(h->h_magic) == EXT4_XATTR_MAGIC;
}

int xattr_ibody_verify(const struct super_info *sb, const void *area, u32 size, const char **why)
{
	const u32 head = sizeof(struct ext4_xattr_ibody_header);
	const struct region r = {.sb = sb, .start = (const u8 *)area + head, .size = size - head};

	if (xattr_ibody_present(area, size))
		return region_verify(&r, why);
	*why = "no attributes in the inode";
	return ERR(EUCLEAN);
}

/* --- hashes --- */

static u32 rol(u32 x, u32 bits)
{
	return x << bits | x >> (32 - bits);
}

static u32 name_hash(const void *name, u32 name_len, bool is_signed)
{
	const u8 *p = name;
	u32 h = 0;

	for (u32 i = 0; i < name_len; i++)
		h = rol(h, 5) ^ (is_signed ? (u32)(s32)(s8)p[i] : p[i]);
	return h;
}

u32 xattr_entry_hash(
	const void *name, u32 name_len, const void *value, u32 value_size, bool signed_names)
{
	u32 h = name_hash(name, name_len, signed_names);
	const u8 *p = value;

	for (u32 at = 0; at < value_size; at += 4) {
		struct le32 word = {0};

		memcpy(&word, p + at, min_of(value_size - at, 4u));
		h = rol(h, 16) ^ le32_to_cpu(word);
	}
	return h;
}

u32 xattr_entry_hash_inode(const void *name, u32 name_len, u32 value_csum, bool signed_names)
{
	return rol(name_hash(name, name_len, signed_names), 16) ^ value_csum;
}

u32 xattr_value_csum(const struct super_info *sb, const void *value, u32 size)
{
	return crc32c(sb->csum_seed, value, size);
}

u32 xattr_block_hash(const struct ext4_xattr_entry *first)
{
	u32 h = 0;

	for (const struct ext4_xattr_entry *e = first; !xattr_is_last(e); e = xattr_next(e)) {
		if (le32_to_cpu(e->e_hash) == 0)
			return 0;
		h = rol(h, 16) ^ le32_to_cpu(e->e_hash);
	}
	return h;
}

bool xattr_entry_hash_ok(const void *block, const struct ext4_xattr_entry *e)
{
	const u8 *value = (const u8 *)block + le16_to_cpu(e->e_value_offs);
	u32 size = le32_to_cpu(e->e_value_size), stored = le32_to_cpu(e->e_hash);

	if (e->e_value_inum.raw)
		return true; /* needs the value */
	return stored == xattr_entry_hash(e->e_name, e->e_name_len, value, size, false) ||
	       stored == xattr_entry_hash(e->e_name, e->e_name_len, value, size, true);
}

/* --- checksum --- */

static u32 csum_of(const struct super_info *sb, pblk_t pblk, const void *block)
{
	const u32 at = offsetof(struct ext4_xattr_header, h_checksum), zero = 0;
	const struct le64 nr = cpu_to_le64(pblk);
	u32 crc = crc32c(sb->csum_seed, &nr, sizeof(nr));

	crc = crc32c(crc, block, at);
	crc = crc32c(crc, &zero, sizeof(zero));
	return crc32c(
		crc, (const u8 *)block + at + sizeof(zero), sb->block_size - at - sizeof(zero));
}

void xattr_block_csum_set(const struct super_info *sb, pblk_t pblk, void *block)
{
	struct ext4_xattr_header *h = block;

	if (super_has_metadata_csum(sb))
		h->h_checksum = cpu_to_le32(csum_of(sb, pblk, block));
}

bool xattr_block_csum_verify(const struct super_info *sb, pblk_t pblk, const void *block)
{
	const struct ext4_xattr_header *h = block;

	return !super_has_metadata_csum(sb) ||
	       le32_to_cpu(h->h_checksum) == csum_of(sb, pblk, block);
}
