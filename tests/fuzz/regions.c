/* Flips of bytes of metadata. */
#include "regions.h"

#include <stdio.h>

#include "base/util.h"

const struct region regions[] = {
	{OBJ_SUPER, NODE_ROOT},
	{OBJ_GROUP, NODE_ROOT},
	{OBJ_BLOCK_BITMAP, NODE_ROOT},
	{OBJ_INODE_BITMAP, NODE_ROOT},
	{OBJ_JSUPER, NODE_ROOT},
	{OBJ_JINODE, NODE_ROOT},
	{OBJ_ORPHAN_INODE, NODE_ROOT},
	{OBJ_ORPHAN, NODE_ROOT},
	{OBJ_INODE, NODE_ROOT},
	{OBJ_INODE, NODE_XATTR},
	{OBJ_INODE, NODE_DEEP},
	{OBJ_EXTENT, NODE_DEEP},
	{OBJ_EXTENT2, NODE_DEEP},
	{OBJ_INDIRECT, NODE_DEEP},
	{OBJ_LEAF, NODE_LINEAR},
	{OBJ_DX_ROOT, NODE_INDEX},
	{OBJ_DX_NODE, NODE_INDEX},
	{OBJ_LEAF, NODE_INDEX},
	{OBJ_XATTR, NODE_XATTR},
	{OBJ_QUOTA_INODE, NODE_ROOT},
	{OBJ_QUOTA_HEADER, NODE_ROOT},
	{OBJ_QUOTA_ROOT, NODE_ROOT},
	{OBJ_QUOTA_NODE, NODE_ROOT},
	{OBJ_QUOTA_DATA, NODE_ROOT},
};
const unsigned region_count = array_len(regions);

static u8 flipped(u8 old, u32 kind)
{
	switch (kind) {
	case 0:
		return old ^ 0x01;
	case 1:
		return old ^ 0x80;
	case 2:
		return 0x00;
	default:
		return 0xff;
	}
}

unsigned flip_count(struct image *img, const struct region *r)
{
	struct place p = place_find(img, r->what, r->owner);

	return p.at ? p.len * FLIPS : 0;
}

u8 flip_at(
	struct image *img, const struct region *r, const struct place *p, unsigned nth, bool seal)
{
	u8 *at = p->at + nth / FLIPS, value = flipped(*at, nth % FLIPS);

	if (value == *at)
		return value;
	*at = value;
	if (seal)
		place_seal(img, r->what, p);
	image_touch(img, p->at, p->len);
	return value;
}

bool flip_apply(
	struct image *img, const struct region *r, unsigned nth, bool seal, char *name, size_t size)
{
	struct place p = place_find(img, r->what, r->owner);
	u32 at = nth / FLIPS;
	u8 old = p.at[at], value = flip_at(img, r, &p, nth, seal);

	snprintf(
		name, size, "byte 0x%x of %s: %02x -> %02x", at, object_names[r->what], old, value);
	return value != old;
}
