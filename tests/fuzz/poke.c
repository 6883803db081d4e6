/* Structures of an image by name; their checksums. */
#include "poke.h"

#include <string.h>

#include "disk/dirent.h"
#include "disk/extent.h"
#include "disk/group.h"
#include "disk/inode.h"
#include "disk/jbd2.h"
#include "disk/orphan.h"
#include "disk/quota.h"
#include "disk/xattr.h"

const char *const object_names[OBJ_COUNT] = {"nothing", "superblock", "descriptor",
	"last descriptor", "block bitmap", "inode bitmap", "journal superblock", "log",
	"journal inode", "orphan file's inode", "orphan block", "inode", "extent node",
	"deeper extent node", "indirect block", "directory leaf", "index root", "index node",
	"attribute block", "quota inode", "quota header", "quota root", "quota node",
	"quota entries"};

static u8 *block(struct image *img, pblk_t pblk)
{
	return img->work + pblk * img->sb.block_size;
}

static struct ext4_group_desc *desc(struct image *img, group_nr g)
{
	u8 *b = block(img, super_gdt_block(&img->sb, g / img->sb.descs_per_block));

	return (void *)(b + g % img->sb.descs_per_block * img->sb.desc_size);
}

static struct ext4_inode_disk *raw_inode(struct image *img, ino_nr ino)
{
	const struct super_info *sb = &img->sb;
	group_nr g = (ino - 1) / sb->inodes_per_group;
	u64 index = (ino - 1) % sb->inodes_per_group;

	return (void *)(block(img, group_desc_inode_table(sb, desc(img, g))) +
			index * sb->inode_size);
}

/* The child of the first entry of an index node, or 0. */
static pblk_t first_child(const void *node)
{
	const struct ext4_extent_header *h = node;
	pblk_t child;
	lblk_t lblk;

	if (le16_to_cpu(h->eh_depth) == 0)
		return 0;
	extent_index_get(node, 0, &lblk, &child);
	return child;
}

static pblk_t map_extents(struct image *img, const void *node, lblk_t lblk)
{
	const struct ext4_extent_header *h = node;
	u32 n = le16_to_cpu(h->eh_entries);
	pblk_t child = 0;

	for (u32 k = 0; k < n && le16_to_cpu(h->eh_depth) == 0; k++) {
		struct extent_entry e = extent_leaf_get(node, k);

		if (lblk >= e.lblk && lblk < e.lblk + e.len)
			return e.pblk + lblk - e.lblk;
	}
	for (u32 k = 0; k < n && le16_to_cpu(h->eh_depth) > 0; k++) {
		lblk_t key;
		pblk_t next;

		extent_index_get(node, k, &key, &next);
		if (key <= lblk)
			child = next;
	}
	return child ? map_extents(img, block(img, child), lblk) : 0;
}

/* Up to double indirect blocks. */
static pblk_t map_block(struct image *img, const struct ext4_inode_disk *raw, lblk_t lblk)
{
	u32 per_block = img->sb.block_size / 4;
	const struct le32 *indirect;

	if (le32_to_cpu(raw->i_flags) & EXT4_EXTENTS_FL)
		return map_extents(img, raw->i_block, lblk);
	if (lblk < 12)
		return le32_to_cpu(raw->i_ptr[lblk]);
	lblk -= 12;
	if (lblk < per_block) {
		indirect = (const struct le32 *)block(img, le32_to_cpu(raw->i_ptr[12]));
		return le32_to_cpu(indirect[lblk]);
	}
	lblk -= per_block;
	indirect = (const struct le32 *)block(img, le32_to_cpu(raw->i_ptr[13]));
	indirect = (const struct le32 *)block(img, le32_to_cpu(indirect[lblk / per_block]));
	return le32_to_cpu(indirect[lblk % per_block]);
}

static pblk_t dx_child(
	struct image *img, const struct ext4_inode_disk *raw, pblk_t node, u32 offset)
{
	struct ext4_dx_entry *e = dx_entries(block(img, node), offset);

	return map_block(img, raw, le32_to_cpu(e->block) & EXT4_DX_BLOCK_MASK);
}

static pblk_t directory_block(
	struct image *img, const struct ext4_inode_disk *raw, enum object what)
{
	pblk_t root = map_block(img, raw, 0), node;
	bool indexed = le32_to_cpu(raw->i_flags) & EXT4_INDEX_FL;
	const struct ext4_dx_root *r = (const void *)block(img, root);

	if (what == OBJ_DX_ROOT)
		return indexed ? root : 0;
	if (what == OBJ_DX_NODE)
		return indexed && r->info.indirect_levels
			       ? dx_child(img, raw, root, EXT4_DX_ROOT_COUNT_OFFSET)
			       : 0;
	if (!indexed)
		return root;
	node = dx_child(img, raw, root, EXT4_DX_ROOT_COUNT_OFFSET);
	return r->info.indirect_levels ? dx_child(img, raw, node, EXT4_DX_NODE_COUNT_OFFSET) : node;
}

/* The last node on the way to id 0, or its data. */
static u32 quota_block(struct image *img, const struct ext4_inode_disk *raw, bool data)
{
	u32 n = QUOTA_ROOT;

	for (unsigned level = 0; level < QUOTA_DEPTH - 1u + data; level++)
		n = quota_node_get(block(img, map_block(img, raw, n)), level, 0);
	return n;
}

static pblk_t owned_block(struct image *img, const struct ext4_inode_disk *raw, enum object what)
{
	bool extents = le32_to_cpu(raw->i_flags) & EXT4_EXTENTS_FL;
	pblk_t node;

	switch (what) {
	case OBJ_JSUPER:
	case OBJ_ORPHAN:
		return map_block(img, raw, 0);
	case OBJ_LOG:
		return map_block(img, raw, 1);
	case OBJ_EXTENT:
		return extents ? first_child(raw->i_block) : 0;
	case OBJ_EXTENT2:
		node = extents ? first_child(raw->i_block) : 0;
		return node ? first_child(block(img, node)) : 0;
	case OBJ_INDIRECT:
		return extents ? 0 : le32_to_cpu(raw->i_ptr[12]);
	case OBJ_XATTR:
		return le32_to_cpu(raw->i_file_acl_lo);
	case OBJ_QUOTA_HEADER:
	case OBJ_QUOTA_ROOT:
		return map_block(img, raw, what - OBJ_QUOTA_HEADER);
	case OBJ_QUOTA_NODE:
	case OBJ_QUOTA_DATA:
		return map_block(img, raw, quota_block(img, raw, what == OBJ_QUOTA_DATA));
	default:
		return directory_block(img, raw, what);
	}
}

static ino_nr owner_ino(struct image *img, enum object what, enum node owner)
{
	if (what == OBJ_JSUPER || what == OBJ_LOG || what == OBJ_JINODE)
		return img->sb.journal_inum;
	if (what == OBJ_ORPHAN || what == OBJ_ORPHAN_INODE)
		return img->sb.orphan_file_inum;
	if (what >= OBJ_QUOTA_INODE && what <= OBJ_QUOTA_DATA)
		return img->sb.quota_inum[0];
	return img->ino[owner];
}

static struct place owned_place(struct image *img, enum object what, enum node owner)
{
	ino_nr ino = owner_ino(img, what, owner);
	struct place p = {.len = img->sb.block_size};
	struct ext4_inode_disk *raw;

	if (!ino)
		return p;
	raw = raw_inode(img, ino);
	p.seed = inode_csum_seed(&img->sb, ino, inode_raw_generation(raw));
	if (what == OBJ_INODE || what == OBJ_JINODE || what == OBJ_ORPHAN_INODE ||
		what == OBJ_QUOTA_INODE) {
		p.at = (u8 *)raw;
		p.len = img->sb.inode_size;
		return p;
	}
	p.pblk = owned_block(img, raw, what);
	p.at = p.pblk ? block(img, p.pblk) : NULL;
	return p;
}

struct place place_find(struct image *img, enum object what, enum node owner)
{
	struct place p = {.len = img->sb.desc_size};

	switch (what) {
	case OBJ_SUPER:
		return (struct place){.at = img->work + EXT4_SUPER_OFFSET, .len = EXT4_SUPER_SIZE};
	case OBJ_GROUP:
	case OBJ_GROUP_LAST:
		p.group = what == OBJ_GROUP ? 0 : img->sb.group_count - 1;
		p.at = (u8 *)desc(img, p.group);
		return p;
	case OBJ_BLOCK_BITMAP:
		p.at = block(img, group_desc_block_bitmap(&img->sb, desc(img, 0)));
		p.len = img->sb.block_size;
		return p;
	case OBJ_INODE_BITMAP:
		p.at = block(img, group_desc_inode_bitmap(&img->sb, desc(img, 0)));
		p.len = img->sb.inodes_per_group / 8;
		return p;
	default:
		return owned_place(img, what, owner);
	}
}

static void seal_group(struct image *img, enum object what, const struct place *p)
{
	struct ext4_group_desc *d = desc(img, p->group);

	if (what == OBJ_BLOCK_BITMAP)
		group_set_block_bitmap_csum(&img->sb, d, p->at);
	if (what == OBJ_INODE_BITMAP)
		group_set_inode_bitmap_csum(&img->sb, d, p->at);
	group_desc_seal(&img->sb, p->group, d);
	image_touch(img, d, img->sb.desc_size);
}

void place_seal(struct image *img, enum object what, const struct place *p)
{
	const struct super_info *sb = &img->sb;

	switch (what) {
	case OBJ_SUPER:
		super_csum_set((void *)p->at);
		break;
	case OBJ_GROUP:
	case OBJ_GROUP_LAST:
	case OBJ_BLOCK_BITMAP:
	case OBJ_INODE_BITMAP:
		seal_group(img, what, p);
		break;
	case OBJ_JSUPER:
		jbd2_super_csum_set((void *)p->at);
		break;
	case OBJ_LOG:
		jbd2_tail_csum_set(jbd2_csum_seed(sb->uuid), p->at, p->len);
		break;
	case OBJ_JINODE:
	case OBJ_ORPHAN_INODE:
	case OBJ_QUOTA_INODE:
	case OBJ_INODE:
		inode_csum_set(sb, p->seed, (void *)p->at);
		break;
	case OBJ_ORPHAN:
		orphan_csum_set(sb, p->seed, p->pblk, p->at);
		break;
	case OBJ_EXTENT:
	case OBJ_EXTENT2:
		extent_csum_set(sb, p->seed, p->at);
		break;
	case OBJ_LEAF:
		dir_leaf_csum_set(sb, p->seed, p->at);
		break;
	case OBJ_DX_ROOT:
		dx_csum_set(sb, p->seed, p->at, EXT4_DX_ROOT_COUNT_OFFSET);
		break;
	case OBJ_DX_NODE:
		dx_csum_set(sb, p->seed, p->at, EXT4_DX_NODE_COUNT_OFFSET);
		break;
	case OBJ_XATTR:
		xattr_block_csum_set(sb, p->pblk, p->at);
		break;
	default:
		break;
	}
	image_touch(img, p->at, p->len);
}

u64 poke_read(const u8 *at, u32 len, bool big_endian)
{
	u64 v = 0;

	for (u32 k = 0; k < len; k++)
		v |= (u64)at[k] << 8 * (big_endian ? len - 1 - k : k);
	return v;
}

void poke_write(u8 *at, u32 len, bool big_endian, u64 value)
{
	for (u32 k = 0; k < len; k++)
		at[k] = (u8)(value >> 8 * (big_endian ? len - 1 - k : k));
}

pblk_t place_map(struct image *img, ino_nr ino, lblk_t lblk)
{
	return map_block(img, raw_inode(img, ino), lblk);
}

static u64 value_of(struct image *img, const struct poke *p, const struct place *place, u64 old)
{
	if (p->value >> 8 == POKE_INO(0) >> 8)
		return img->ino[p->value & 0xff];
	if (p->value == POKE_SELF)
		return place->pblk;
	if (p->value == POKE_ITABLE)
		return group_desc_inode_table(&img->sb, desc(img, 0)) + 1;
	return p->set ? old | p->value : p->value;
}

bool poke_apply(struct image *img, const struct poke *p)
{
	struct place place = place_find(img, p->what, p->owner);
	bool be = p->what == OBJ_JSUPER || p->what == OBJ_LOG;
	u8 *at = place.at + (p->at_end ? place.len - p->offset : p->offset);

	if (!place.at)
		return false;
	poke_write(at, p->len, be, value_of(img, p, &place, poke_read(at, p->len, be)));
	place_seal(img, p->what, &place);
	return true;
}
