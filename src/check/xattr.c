/* Extended attributes: in inodes, in blocks that inodes share, in inodes of their own. */
#include "base/err.h"
#include "base/hash.h"
#include "base/util.h"
#include "check/check_priv.h"
#include "disk/xattr.h"
#include "os/atomic.h"
#include "os/mem.h"

#include <string.h>

enum { UNIT = 4, UNITS_MAX = 65536 / UNIT, TABLE_BITS_MIN = 6 };

/* A list of attributes that passed the check of its bounds. */
struct list_of {
	struct scratch *s;
	ino_nr ino;
	pblk_t pblk;	/* 0: in the inode */
	const u8 *base; /* value offsets count from here */
	const struct ext4_xattr_entry *first;
	struct attr_use values; /* out: in EA inodes */
};

#define tell(l, ...) check_found((l)->s->c, CHECK_ATTR, (l)->ino, (l)->pblk, __VA_ARGS__)

/* --- values in inodes --- */

/* XA-6: written before Linux had hashes for them, it names its owner instead. */
static bool is_old_style(const struct list_of *l, const struct ext4_inode_disk *raw)
{
	return le32_to_cpu(raw->i_mtime) == l->ino;
}

static void check_value_inode(
	struct list_of *l, const struct ext4_xattr_entry *e, const struct ext4_inode_disk *raw)
{
	u32 csum = le32_to_cpu(raw->i_atime), hash = le32_to_cpu(e->e_hash);
	ino_nr ino = le32_to_cpu(e->e_value_inum);

	if (!(le32_to_cpu(raw->i_flags) & EXT4_EA_INODE_FL) || !raw->i_links_count.raw) {
		tell(l, "attribute %.*s: inode %u holds no value", e->e_name_len, e->e_name, ino);
		return;
	}
	if (le32_to_cpu(raw->i_size_lo) != le32_to_cpu(e->e_value_size) || raw->i_size_hi.raw)
		tell(l, "attribute %.*s: inode %u has another size than the value", e->e_name_len,
			e->e_name, ino);
	if (hash != xattr_entry_hash_inode(e->e_name, e->e_name_len, csum, false) &&
		hash != xattr_entry_hash_inode(e->e_name, e->e_name_len, csum, true) &&
		!is_old_style(l, raw))
		tell(l, "attribute %.*s: wrong hash", e->e_name_len, e->e_name);
}

static void follow_value(struct list_of *l, const struct ext4_xattr_entry *e)
{
	const struct super_info *sb = &l->s->c->sb;
	ino_nr ino = le32_to_cpu(e->e_value_inum);
	struct ext4_inode_disk *raw;

	l->values.values++;
	l->values.blocks +=
		div_up(le32_to_cpu(e->e_value_size), sb->cluster_size) * sb->blocks_per_cluster;
	if (l->s->c->owners || check_read_inode(l->s->c, ino, l->s->node[0], &raw))
		return;
	atomic_add_relaxed(&l->s->c->facts[ino - 1].found, 1);
	check_value_inode(l, e, raw);
}

/* --- one list --- */

/* Marks the value's units; false: another value has some of them. */
static bool take_units(u8 *map, u32 from, u32 bytes)
{
	bool fresh = true;

	for (u32 u = from / UNIT; u < div_up(from + bytes, UNIT); u++) {
		fresh = fresh && !(map[u / 8] >> u % 8 & 1);
		map[u / 8] |= (u8)(1u << u % 8);
	}
	return fresh;
}

static bool hash_ok(const struct list_of *l, const struct ext4_xattr_entry *e)
{
	if (!l->pblk && !e->e_hash.raw)
		return true;
	return xattr_entry_hash_ok(l->base, e);
}

static int compare_entries(const struct ext4_xattr_entry *a, const struct ext4_xattr_entry *b)
{
	if (a->e_name_index != b->e_name_index)
		return a->e_name_index - b->e_name_index;
	if (a->e_name_len != b->e_name_len)
		return a->e_name_len - b->e_name_len;
	return memcmp(a->e_name, b->e_name, a->e_name_len);
}

static void check_list(struct list_of *l)
{
	u8 map[UNITS_MAX / 8 + 1];
	const struct ext4_xattr_entry *before = NULL;

	memset(map, 0, l->s->c->sb.block_size / UNIT / 8 + 1);
	for (const struct ext4_xattr_entry *e = l->first; !xattr_is_last(e); e = xattr_next(e)) {
		u32 size = le32_to_cpu(e->e_value_size);

		if (l->pblk && before && compare_entries(before, e) >= 0)
			check_noted(l->s->c, CHECK_ATTR, l->ino, l->pblk,
				"attribute %.*s is out of order: it may not be found",
				e->e_name_len, e->e_name);
		before = e;
		if (!e->e_name_index)
			tell(l, "attribute %.*s: it has no name space", e->e_name_len, e->e_name);
		if (e->e_value_inum.raw) {
			follow_value(l, e);
			continue;
		}
		if (!hash_ok(l, e))
			tell(l, "attribute %.*s: wrong hash", e->e_name_len, e->e_name);
		if (size && !take_units(map, le16_to_cpu(e->e_value_offs), size))
			tell(l, "attribute %.*s: its value overlaps another", e->e_name_len,
				e->e_name);
	}
}

static const u8 *ibody_area(const struct super_info *sb, const void *raw, u32 extra, u32 *size)
{
	*size = sb->inode_size - EXT4_INODE_SIZE_OLD - extra;
	return (const u8 *)raw + EXT4_INODE_SIZE_OLD + extra;
}

static struct attr_use check_ibody(struct scratch *s, ino_nr ino, const void *raw, u32 extra)
{
	const struct super_info *sb = &s->c->sb;
	struct list_of l = {.s = s, .ino = ino};
	const char *why = "";
	const u8 *area;
	u32 size;

	if (sb->inode_size == EXT4_INODE_SIZE_OLD || !extra)
		return l.values;
	area = ibody_area(sb, raw, extra, &size);
	if (!xattr_ibody_present(area, size))
		return l.values;
	if (xattr_ibody_verify(sb, area, size, &why)) {
		tell(&l, "attributes in the inode: %s", why);
		return l.values;
	}
	l.base = area + sizeof(struct ext4_xattr_ibody_header);
	l.first = (const void *)l.base;
	check_list(&l);
	return l.values;
}

bool check_inline_data(
	const struct super_info *sb, const void *raw, u32 extra, const u8 **value, u32 *size)
{
	const struct ext4_xattr_entry *e;
	const char *why;
	const u8 *area;
	u32 bytes;

	if (sb->inode_size == EXT4_INODE_SIZE_OLD)
		return false;
	area = ibody_area(sb, raw, extra, &bytes);
	if (!xattr_ibody_present(area, bytes) || xattr_ibody_verify(sb, area, bytes, &why))
		return false;
	area += sizeof(struct ext4_xattr_ibody_header);
	for (e = (const void *)area; !xattr_is_last(e); e = xattr_next(e)) {
		if (e->e_name_index != EXT4_XATTR_INDEX_SYSTEM || e->e_name_len != 4 ||
			memcmp(e->e_name, "data", 4) != 0 || e->e_value_inum.raw)
			continue;
		*value = area + le16_to_cpu(e->e_value_offs);
		*size = le32_to_cpu(e->e_value_size);
		return true;
	}
	return false;
}

/* --- attribute blocks --- */

/* The slot of a block, or the free one where it belongs. Caller holds xattr_lock. */
static struct xblock *slot_locked(struct xblock *table, u32 bits, pblk_t pblk)
{
	u32 at = hash_slot(pblk, bits);

	while (table[at].pblk && table[at].pblk != pblk)
		at = (at + 1) & ((1u << bits) - 1);
	return &table[at];
}

static int table_grow_locked(struct check *c)
{
	u32 bits = c->xblocks ? c->xblock_bits + 1 : TABLE_BITS_MIN;
	struct xblock *table;

	if (c->xblocks && c->xblock_count < 1u << c->xblock_bits >> 1)
		return 0;
	table = check_alloc(c, 1u << bits, sizeof(*table));
	if (!table)
		return ERR(ENOMEM);
	for (u32 k = 0; c->xblocks && k < 1u << c->xblock_bits; k++)
		if (c->xblocks[k].pblk)
			*slot_locked(table, bits, c->xblocks[k].pblk) = c->xblocks[k];
	os_free(c->xblocks);
	c->xblocks = table;
	c->xblock_bits = bits;
	return 0;
}

static void check_block(struct scratch *s, ino_nr ino, struct xblock *x)
{
	const struct super_info *sb = &s->c->sb;
	const struct ext4_xattr_header *h = (const void *)s->block;
	struct list_of l = {.s = s, .ino = ino, .pblk = x->pblk, .base = s->block};
	const char *why = "";

	check_claim(s->c, x->pblk, sb->blocks_per_cluster, ino);
	if (check_read(s->c, x->pblk, 1, s->block, ino)) {
		x->values.unread = true;
		return;
	}
	if (!xattr_block_csum_verify(sb, x->pblk, s->block))
		tell(&l, "attribute block: wrong checksum");
	if (xattr_block_verify(sb, s->block, &why)) {
		tell(&l, "attribute block: %s", why);
		return;
	}
	x->stored = le32_to_cpu(h->h_refcount);
	l.first = (const void *)(s->block + sizeof(*h));
	check_list(&l);
	x->values = l.values;
}

/* Counts a user of a block, and checks it at the first. */
static struct attr_use use_block_locked(struct scratch *s, ino_nr ino, pblk_t pblk)
{
	struct check *c = s->c;
	struct xblock *x;

	if (table_grow_locked(c))
		return (struct attr_use){0};
	x = slot_locked(c->xblocks, c->xblock_bits, pblk);
	if (c->owners) {
		check_claim(c, pblk, 1, ino);
		return x->values;
	}
	x->refs++;
	if (!x->pblk) {
		x->pblk = pblk;
		c->xblock_count++;
		check_block(s, ino, x);
	}
	return x->values;
}

void check_xattrs(struct scratch *s, ino_nr ino, const struct ext4_inode_disk *raw,
	const struct inode_fields *f, struct attr_use *use)
{
	struct attr_use in_block;

	*use = check_ibody(s, ino, raw, f->extra_isize);
	if (!f->file_acl || !check_block_ok(s->c, f->file_acl, 1))
		return;
	os_mutex_lock(&s->c->xattr_lock);
	in_block = use_block_locked(s, ino, f->file_acl);
	os_mutex_unlock(&s->c->xattr_lock);
	use->blocks += s->c->sb.blocks_per_cluster + in_block.blocks;
	use->values += in_block.values;
	use->unread = in_block.unread;
}

void check_xattr_refs(struct check *c)
{
	for (u32 k = 0; c->xblocks && k < 1u << c->xblock_bits; k++) {
		const struct xblock *x = &c->xblocks[k];

		if (x->pblk && x->stored && x->stored != x->refs)
			check_compared(c, CHECK_ATTR, 0, x->pblk,
				"attribute block %llu counts %u users, but has %u",
				(unsigned long long)x->pblk, x->stored, x->refs);
	}
}
