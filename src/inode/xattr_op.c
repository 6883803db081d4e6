/* Setting and removing as whole operations: permission, handle, times. */
#include "base/err.h"
#include "inode/xattr_priv.h"

#include <sys/stat.h>

/* user.*: where files carry data of their own, and whoever may write it. */
static int user_check(struct inode *i, const struct cred *c)
{
	if (!inode_is(i, S_IFREG) && !inode_is(i, S_IFDIR))
		return ERR(EPERM);
	if (inode_is(i, S_IFDIR) && i->f.mode & S_ISVTX && inode_owner_check(i, c))
		return ERR(EPERM);
	return inode_permission(i, c, PERM_WRITE);
}

static int change_check(struct inode *i, const struct cred *c, u8 index)
{
	int err = volume_check_write(i->volume);

	if (err)
		return err;
	if (i->f.flags & (EXT4_IMMUTABLE_FL | EXT4_APPEND_FL))
		return ERR(EPERM);
	switch (index) {
	case EXT4_XATTR_INDEX_USER:
		return user_check(i, c);
	case EXT4_XATTR_INDEX_TRUSTED:
	case EXT4_XATTR_INDEX_SECURITY:
		return c->check && !c->privileged ? ERR(EPERM) : 0;
	case EXT4_XATTR_INDEX_ACL_ACCESS:
	case EXT4_XATTR_INDEX_ACL_DEFAULT:
		return inode_owner_check(i, c);
	default:
		return ERR(EOPNOTSUPP);
	}
}

static int exists_check(struct inode *i, const struct xattr_change *c)
{
	ssize_t n;

	if (!(c->flags & (XATTR_SET_CREATE | XATTR_SET_REPLACE)))
		return 0;
	os_rwsem_lock_shared(&i->xattr_lock);
	n = xattr_get_locked(i, c->index, c->name, NULL, 0);
	os_rwsem_unlock_shared(&i->xattr_lock);
	if (n < 0 && n != -ENODATA)
		return (int)n;
	if (c->flags & XATTR_SET_CREATE && n >= 0)
		return ERR(EEXIST);
	return c->flags & XATTR_SET_REPLACE && n < 0 ? ERR(ENODATA) : 0;
}

static int change_in(struct handle *h, struct inode *i, const struct xattr_change *c)
{
	int err = xattr_set_in(h, i, c->index, c->name, c->value, c->size);

	if (err == -ENODATA && c->may_miss)
		err = 0;
	if (err)
		return err;
	if (c->mode >= 0) {
		os_mutex_lock(&i->raw_lock);
		atomic_store_relaxed(&i->f.mode, (u32)c->mode);
		os_mutex_unlock(&i->raw_lock);
	}
	inode_touch(i, INODE_CTIME);
	return inode_dirty(h, i);
}

static int change_once(struct inode *i, const struct xattr_change *c)
{
	u32 credits = xattr_set_credits(i, c->size);
	struct handle h;
	int err = handle_start(i->volume->journal, &h, credits, 1);

	if (err)
		return err;
	err = handle_end(&h, change_in(&h, i, c));
	xattr_drain(i->volume);
	return err;
}

int xattr_change(struct inode *i, const struct xattr_change *c)
{
	unsigned attempts = 0;
	int err = exists_check(i, c);

	if (err)
		return err;
	do
		err = change_once(i, c);
	while (err == -ENOSPC && space_retry(i->volume, &attempts));
	return err;
}

int xattr_set(struct inode *i, const struct cred *cred, const char *name, const void *value,
	size_t size, u32 flags)
{
	struct xattr_change c = {
		.value = value ? value : "", .size = size, .flags = flags, .mode = -1};
	int err = xattr_name_parse(i->volume, name, &c.index, &c.name);

	if (!err)
		err = change_check(i, cred, c.index);
	if (!err && size > EXT4_XATTR_VALUE_MAX)
		err = ERR(E2BIG);
	if (err)
		return err;
	if (c.index == EXT4_XATTR_INDEX_ACL_ACCESS || c.index == EXT4_XATTR_INDEX_ACL_DEFAULT)
		return acl_set(i, cred, c.index, value, size);
	return xattr_change(i, &c);
}

int xattr_remove(struct inode *i, const struct cred *cred, const char *name)
{
	struct xattr_change c = {.mode = -1};
	int err = xattr_name_parse(i->volume, name, &c.index, &c.name);

	if (!err)
		err = change_check(i, cred, c.index);
	if (err)
		return err;
	if (c.index == EXT4_XATTR_INDEX_ACL_ACCESS || c.index == EXT4_XATTR_INDEX_ACL_DEFAULT)
		return acl_set(i, cred, c.index, NULL, 0);
	return xattr_change(i, &c);
}
