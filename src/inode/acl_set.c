/* ACLs as operations: get and set by users, inheritance at creation, chmod. */
#include "inode/acl_priv.h"
#include "base/err.h"
#include "os/mem.h"

#include <sys/stat.h>

#define PERM_BITS 0777u

ssize_t acl_get(struct inode *i, u8 index, void *value, size_t size)
{
	ssize_t n, len;
	void *disk;

	os_rwsem_lock_shared(&i->xattr_lock);
	n = xattr_get_locked(i, index, "", NULL, 0);
	disk = n > 0 ? os_alloc((size_t)n) : NULL;
	if (n > 0)
		n = disk ? xattr_get_locked(i, index, "", disk, (size_t)n) : ERR(ENOMEM);
	os_rwsem_unlock_shared(&i->xattr_lock);
	if (n >= 0) {
		len = n;
		n = acl_from_disk(disk, (size_t)len, size ? value : NULL, size);
		if (n == -EUCLEAN)
			n = volume_error(
				i->volume, -EUCLEAN, i->ino, 0, "malformed ACL; run e2fsck");
	}
	os_free(disk);
	return n;
}

/* Whoever may not give a file to its group loses the set-group-ID bit. */
static u32 mode_with(const struct inode *i, const struct cred *cred, u32 perms)
{
	u32 mode = (i->f.mode & ~PERM_BITS) | perms;

	if (cred->check && !cred->privileged && !cred_in_group(cred, i->f.gid))
		mode &= ~(u32)S_ISGID;
	return mode;
}

static int set_access(struct inode *i, const struct cred *cred, const struct acl *a)
{
	struct xattr_change c = {
		.index = EXT4_XATTR_INDEX_ACL_ACCESS, .name = "", .mode = -1, .may_miss = true};
	bool exact = true;
	void *disk = NULL;
	int err = 0;

	if (a)
		c.mode = mode_with(i, cred, acl_mode(a, &exact));
	if (!exact)
		err = acl_pack(a, &disk, &c.size);
	c.value = disk;
	if (!err)
		err = xattr_change(i, &c);
	os_free(disk);
	return err;
}

static int set_default(struct inode *i, const struct acl *a)
{
	struct xattr_change c = {
		.index = EXT4_XATTR_INDEX_ACL_DEFAULT, .name = "", .mode = -1, .may_miss = true};
	void *disk = NULL;
	int err = 0;

	if (!inode_is(i, S_IFDIR))
		return a ? ERR(EACCES) : 0;
	if (a)
		err = acl_pack(a, &disk, &c.size);
	c.value = disk;
	if (!err)
		err = xattr_change(i, &c);
	os_free(disk);
	return err;
}

int acl_set(struct inode *i, const struct cred *cred, u8 index, const void *value, size_t size)
{
	struct acl *a = NULL;
	int err = value && size ? acl_from_user(value, size, &a) : 0;

	if (inode_is(i, S_IFLNK))
		err = ERR(EOPNOTSUPP);
	if (!err)
		err = index == EXT4_XATTR_INDEX_ACL_ACCESS ? set_access(i, cred, a)
							   : set_default(i, a);
	os_free(a);
	return err;
}

static int store(struct handle *h, struct inode *i, u8 index, const struct acl *a)
{
	void *disk;
	size_t size;
	int err = acl_pack(a, &disk, &size);

	if (err)
		return err;
	err = xattr_set_in(h, i, index, "", disk, size);
	os_free(disk);
	return err;
}

static int load(struct inode *i, u8 index, struct acl **out)
{
	int err;

	os_rwsem_lock_shared(&i->xattr_lock);
	err = acl_load_locked(i, index, out);
	os_rwsem_unlock_shared(&i->xattr_lock);
	return err;
}

/* On the orphan list a new inode may be packed by its neighbour's removal already. */
static void child_mode_set(struct inode *child, u32 mode)
{
	os_mutex_lock(&child->raw_lock);
	atomic_store_relaxed(&child->f.mode, mode);
	os_mutex_unlock(&child->raw_lock);
}

/* The mode asked for limits what the parent's default ACL grants, and then follows it. */
static int inherit(struct handle *h, struct inode *child, struct acl *a)
{
	bool exact;
	int err = 0;

	if (inode_is(child, S_IFDIR))
		err = store(h, child, EXT4_XATTR_INDEX_ACL_DEFAULT, a);
	if (err)
		return err;
	acl_apply_mode(a, child->f.mode & acl_mode(a, &exact));
	child_mode_set(child, (child->f.mode & ~PERM_BITS) | acl_mode(a, &exact));
	return exact ? 0 : store(h, child, EXT4_XATTR_INDEX_ACL_ACCESS, a);
}

int acl_init_new(struct handle *h, struct inode *parent, struct inode *child, u32 umask)
{
	struct acl *a = NULL;
	int err = 0;

	if (inode_is(child, S_IFLNK))
		return 0;
	if (!(atomic_load_relaxed(&child->volume->flags) & VOLUME_NO_ACL))
		err = load(parent, EXT4_XATTR_INDEX_ACL_DEFAULT, &a);
	if (!err && a) {
		err = inode_dirty(h, child); /* the attribute is added to a written inode */
		if (!err)
			err = inherit(h, child, a);
	} else if (!err)
		child_mode_set(child, child->f.mode & ~(umask & PERM_BITS));
	os_free(a);
	return err;
}

/* Only a value that may go to an inode of its own takes blocks by its size. */
static u32 value_credits(struct inode *i, u8 index)
{
	ssize_t n = 0;

	if (super_has_ea_inode(&i->volume->sb) &&
		!(atomic_load_relaxed(&i->volume->flags) & VOLUME_NO_ACL)) {
		os_rwsem_lock_shared(&i->xattr_lock);
		n = xattr_get_locked(i, index, "", NULL, 0);
		os_rwsem_unlock_shared(&i->xattr_lock);
	}
	return xattr_set_credits(
		i, n > 0 ? (size_t)n : 0); /* an error comes again, under a handle */
}

u32 acl_chmod_credits(struct inode *i)
{
	return value_credits(i, EXT4_XATTR_INDEX_ACL_ACCESS);
}

u32 acl_new_credits(struct inode *parent)
{
	return 2 * value_credits(parent, EXT4_XATTR_INDEX_ACL_DEFAULT);
}

int acl_chmod(struct handle *h, struct inode *i, u32 mode)
{
	struct acl *a = NULL;
	int err = 0;

	if (inode_is(i, S_IFLNK) || atomic_load_relaxed(&i->volume->flags) & VOLUME_NO_ACL)
		return 0;
	err = load(i, EXT4_XATTR_INDEX_ACL_ACCESS, &a);
	if (!err && a) {
		acl_apply_mode(a, mode);
		err = store(h, i, EXT4_XATTR_INDEX_ACL_ACCESS, a);
	}
	os_free(a);
	return err;
}
