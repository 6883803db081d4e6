/* Reading attributes: walks the verified areas in place. */
#include "base/err.h"
#include "inode/xattr_priv.h"
#include "os/mem.h"

#include <string.h>

static const struct ext4_xattr_entry *find_entry(
	const void *area, bool block, u8 index, const char *name, size_t name_len)
{
	const struct ext4_xattr_entry *e = xattr_first(area, block);

	for (; !xattr_is_last(e); e = xattr_next(e))
		if (e->e_name_index == index && e->e_name_len == name_len &&
			memcmp(e->e_name, name, name_len) == 0)
			return e;
	return NULL;
}

static ssize_t copy_value(struct inode *i, const void *area, bool block,
	const struct ext4_xattr_entry *e, void *value, size_t size)
{
	u32 len = le32_to_cpu(e->e_value_size);
	int err = 0;

	if (size == 0)
		return len;
	if (len > size)
		return ERR(ERANGE);
	if (e->e_value_inum.raw)
		err = xattr_ea_read(i, e, value);
	else
		memcpy(value, xattr_value_at(area, block, e), len);
	return err ? err : (ssize_t)len;
}

static ssize_t get_from(struct inode *i, const void *area, bool block, u8 index, const char *name,
	void *value, size_t size)
{
	const struct ext4_xattr_entry *e = find_entry(area, block, index, name, strlen(name));

	return e ? copy_value(i, area, block, e, value, size) : -ENODATA;
}

ssize_t xattr_get_locked(struct inode *i, u8 index, const char *name, void *value, size_t size)
{
	const u8 *area;
	struct buf *b;
	ssize_t n = xattr_ibody_read(i, &b, &area);

	if (n)
		return n;
	n = area ? get_from(i, area, false, index, name, value, size) : -ENODATA;
	buf_put(b);
	if (n != -ENODATA || !i->f.file_acl)
		return n;
	n = xattr_block_read(i, &b);
	if (n)
		return n;
	n = get_from(i, b->data, true, index, name, value, size);
	buf_put(b);
	return n;
}

ssize_t xattr_get(struct inode *i, const char *name, void *value, size_t size)
{
	const char *rest;
	u8 index;
	ssize_t n = xattr_name_parse(i->volume, name, &index, &rest);

	if (n)
		return n;
	if (index == EXT4_XATTR_INDEX_ACL_ACCESS || index == EXT4_XATTR_INDEX_ACL_DEFAULT)
		return acl_get(i, index, value, size);
	os_rwsem_lock_shared(&i->xattr_lock);
	n = xattr_get_locked(i, index, rest, value, size);
	os_rwsem_unlock_shared(&i->xattr_lock);
	return n;
}

struct name_list {
	char *names;
	size_t size, used; /* used may pass size: then only counted */
	const struct cred *cred;
};

static void list_area(struct volume *v, const void *area, bool block, struct name_list *l)
{
	const struct ext4_xattr_entry *e = xattr_first(area, block);

	for (; !xattr_is_last(e); e = xattr_next(e)) {
		const char *prefix = xattr_name_prefix(v, l->cred, e->e_name_index);
		size_t len;

		if (!prefix)
			continue;
		len = strlen(prefix) + e->e_name_len + 1;
		if (l->used + len <= l->size) {
			char *to = l->names + l->used;

			memcpy(to, prefix, strlen(prefix));
			memcpy(to + strlen(prefix), e->e_name, e->e_name_len);
			to[len - 1] = 0;
		}
		l->used += len;
	}
}

static int list_locked(struct inode *i, struct name_list *l)
{
	const u8 *area;
	struct buf *b;
	int err = xattr_ibody_read(i, &b, &area);

	if (err)
		return err;
	if (area)
		list_area(i->volume, area, false, l);
	buf_put(b);
	if (!i->f.file_acl)
		return 0;
	err = xattr_block_read(i, &b);
	if (err)
		return err;
	list_area(i->volume, b->data, true, l);
	buf_put(b);
	return 0;
}

ssize_t xattr_list(struct inode *i, const struct cred *cred, char *names, size_t size)
{
	struct name_list l = {.names = names, .size = size, .cred = cred};
	int err;

	os_rwsem_lock_shared(&i->xattr_lock);
	err = list_locked(i, &l);
	os_rwsem_unlock_shared(&i->xattr_lock);
	if (err)
		return err;
	return size && l.used > size ? ERR(ERANGE) : (ssize_t)l.used;
}

int xattr_place(struct inode *i, struct xattr_place *out)
{
	const struct super_info *sb = &i->volume->sb;
	u32 size = xattr_ibody_size(i), offset;
	const u8 *area;
	struct buf *b;
	pblk_t pblk;
	int err;

	*out = (struct xattr_place){0};
	os_rwsem_lock_shared(&i->xattr_lock);
	err = xattr_ibody_read(i, &b, &area);
	if (!err && area)
		err = space_inode_location(i->volume, i->ino, &pblk, &offset);
	if (!err && area)
		*out = (struct xattr_place){
			pblk * sb->block_size + offset + sb->inode_size - size, size, true};
	else if (!err && i->f.file_acl)
		*out = (struct xattr_place){i->f.file_acl * sb->block_size, sb->block_size, false};
	if (b)
		buf_put(b);
	os_rwsem_unlock_shared(&i->xattr_lock);
	return err;
}
