/* An area of attributes, in the inode or in a block, as a list of items, and back (XA-1..3). */
#include "base/err.h"
#include "inode/xattr_priv.h"
#include "os/mem.h"

#include <stdlib.h>
#include <string.h>

#define LIST_END 4 /* zero bytes behind the last entry */

u32 xattr_ibody_size(const struct inode *i)
{
	u32 used = EXT4_INODE_SIZE_OLD + i->f.extra_isize;

	/* Without extra fields the space behind them was never prepared for attributes. */
	if (i->f.extra_isize == 0 || i->volume->sb.inode_size < used + 8)
		return 0;
	return i->volume->sb.inode_size - used;
}

int xattr_ibody_read(struct inode *i, struct buf **b, const u8 **area)
{
	const struct super_info *sb = &i->volume->sb;
	u32 size = xattr_ibody_size(i);
	const char *why;
	void *raw;
	int err;

	ASSERT(os_rwsem_held_shared(&i->xattr_lock));
	*b = NULL;
	*area = NULL;
	if (!size)
		return 0;
	err = inode_raw(i, b, &raw);
	if (err)
		return err;
	*area = (u8 *)raw + sb->inode_size - size;
	if (!xattr_ibody_present(*area, size)) {
		*area = NULL;
		return 0;
	}
	err = xattr_ibody_verify(sb, *area, size, &why);
	if (!err)
		return 0;
	err = volume_error(
		i->volume, err, i->ino, (*b)->pblk, "attributes in the inode: %s; run e2fsck", why);
	buf_put(*b);
	*b = NULL;
	return err;
}

static u32 header_size(const struct xattr_area *a)
{
	return a->block ? sizeof(struct ext4_xattr_header) : sizeof(struct ext4_xattr_ibody_header);
}

static u32 count_entries(const void *area, bool block)
{
	const struct ext4_xattr_entry *e = xattr_first(area, block);
	u32 n = 0;

	for (; !xattr_is_last(e); e = xattr_next(e))
		n++;
	return n;
}

/* One more item than there are, for the one to be added. */
static int parse(struct xattr_area *a, bool present)
{
	const struct ext4_xattr_entry *e = xattr_first(a->data, a->block);
	u32 n = present ? count_entries(a->data, a->block) : 0;

	a->items = os_calloc(n + 1, sizeof(*a->items));
	if (!a->items)
		return ERR(ENOMEM);
	for (a->count = 0; a->count < n; a->count++, e = xattr_next(e)) {
		struct xattr_item *item = &a->items[a->count];

		item->index = e->e_name_index;
		item->name_len = e->e_name_len;
		item->name = e->e_name;
		item->size = le32_to_cpu(e->e_value_size);
		item->inum = le32_to_cpu(e->e_value_inum);
		item->hash = le32_to_cpu(e->e_hash);
		item->value = item->inum ? NULL : xattr_value_at(a->data, a->block, e);
	}
	return 0;
}

/* h_refcount and h_checksum of a shared block may be changing: they are not copied. */
static void copy_block(struct xattr_area *a, const u8 *from)
{
	const struct ext4_xattr_header *head = (const void *)from;

	((struct ext4_xattr_header *)a->data)->h_hash = head->h_hash;
	memcpy(a->data + sizeof(*head), from + sizeof(*head), a->size - sizeof(*head));
}

static int read_area(struct inode *i, struct xattr_area *a, bool *present)
{
	const u8 *from = NULL;
	struct buf *b = NULL;
	int err;

	if (!a->block)
		err = xattr_ibody_read(i, &b, &from);
	else
		err = i->f.file_acl ? xattr_block_read(i, &b) : 0;
	if (err)
		return err;
	if (a->block && b)
		copy_block(a, b->data);
	else if (from)
		memcpy(a->data, from, a->size);
	*present = a->block ? b != NULL : from != NULL;
	buf_put(b);
	return 0;
}

int xattr_area_load(struct inode *i, bool block, struct xattr_area *a)
{
	bool present = false;
	int err;

	*a = (struct xattr_area){.block = block};
	a->size = block ? i->volume->sb.block_size : xattr_ibody_size(i);
	if (!a->size)
		return 0;
	a->data = os_zalloc(a->size);
	a->image = os_zalloc(a->size);
	if (!a->data || !a->image)
		return ERR(ENOMEM);
	err = read_area(i, a, &present);
	return err ? err : parse(a, present);
}

void xattr_area_free(struct xattr_area *a)
{
	os_free(a->items);
	os_free(a->data);
	os_free(a->image);
}

static int compare(u8 index, const char *name, size_t name_len, const struct xattr_item *b)
{
	if (index != b->index)
		return index < b->index ? -1 : 1;
	if (name_len != b->name_len)
		return name_len < b->name_len ? -1 : 1;
	return memcmp(name, b->name, name_len);
}

int xattr_area_find(const struct xattr_area *a, u8 index, const char *name, size_t name_len)
{
	for (u32 k = 0; k < a->count; k++)
		if (compare(index, name, name_len, &a->items[k]) == 0)
			return (int)k;
	return -ENODATA;
}

void xattr_area_remove(struct xattr_area *a, u32 k)
{
	memmove(&a->items[k], &a->items[k + 1], (a->count - k - 1) * sizeof(*a->items));
	a->count--;
	a->changed = true;
}

void xattr_area_add(struct xattr_area *a, const struct xattr_item *item)
{
	a->items[a->count++] = *item;
	a->changed = true;
}

static u32 item_space(const struct xattr_item *item)
{
	return xattr_entry_size(item->name_len) + (item->inum ? 0 : xattr_value_space(item->size));
}

bool xattr_area_fits(const struct xattr_area *a, const struct xattr_item *item)
{
	u64 need = header_size(a) + LIST_END + item_space(item);

	for (u32 k = 0; k < a->count; k++)
		need += item_space(&a->items[k]);
	return need <= a->size;
}

bool xattr_area_has_ea(const struct xattr_area *a)
{
	for (u32 k = 0; k < a->count; k++)
		if (a->items[k].inum)
			return true;
	return false;
}

static int compare_items(const void *a, const void *b)
{
	const struct xattr_item *x = a;

	return compare(x->index, x->name, x->name_len, b);
}

static u32 item_hash(const struct xattr_area *a, const struct xattr_item *item)
{
	if (item->inum)
		return item->hash;
	if (!a->block)
		return 0;
	return xattr_entry_hash(item->name, item->name_len, item->value, item->size, false);
}

static void put_item(struct xattr_area *a, const struct xattr_item *item,
	struct ext4_xattr_entry *e, u8 *base, u32 *value_end)
{
	e->e_name_len = item->name_len;
	e->e_name_index = item->index;
	e->e_value_inum = cpu_to_le32(item->inum);
	e->e_value_size = cpu_to_le32(item->size);
	e->e_hash = cpu_to_le32(item_hash(a, item));
	memcpy(e->e_name, item->name, item->name_len);
	if (item->inum || item->size == 0)
		return;
	*value_end -= xattr_value_space(item->size);
	e->e_value_offs = cpu_to_le16((u16)*value_end);
	memcpy(base + *value_end, item->value, item->size);
}

static void put_header(struct xattr_area *a)
{
	struct ext4_xattr_header *head = (void *)a->image;

	head->h_magic = cpu_to_le32(EXT4_XATTR_MAGIC);
	if (!a->block)
		return;
	head->h_refcount = cpu_to_le32(1);
	head->h_blocks = cpu_to_le32(1);
	head->h_hash = cpu_to_le32(xattr_block_hash(xattr_first(a->image, true)));
}

/* Sorted (XA-2), values from the end downwards, so that equal sets make equal blocks. */
void xattr_area_build(struct xattr_area *a)
{
	struct ext4_xattr_entry *e = xattr_first(a->image, a->block);
	u8 *base = a->block ? a->image : (u8 *)e;
	u32 value_end = a->size - (u32)(base - a->image);

	memset(a->image, 0, a->size);
	if (a->count == 0)
		return;
	qsort(a->items, a->count, sizeof(*a->items), compare_items);
	for (u32 k = 0; k < a->count; k++) {
		put_item(a, &a->items[k], e, base, &value_end);
		e = (void *)((u8 *)e + xattr_entry_size(a->items[k].name_len));
	}
	put_header(a);
}
