/*
 * Extended attributes: in the inode, one shared block, and EA inodes.
 *
 * Names are full ("user.x", "system.posix_acl_access"). A set is atomic: the
 * old value survives failure (XA-5). Lock: xattr_lock, inside the handle.
 */
#ifndef INODE_XATTR_H
#define INODE_XATTR_H

#include "inode/inode.h"

/* Value size, or copies it; size 0 = ask. -ENODATA, -ERANGE. Takes xattr_lock shared. */
ssize_t xattr_get(struct inode *i, const char *name, void *value, size_t size);
/* NUL-separated names; size 0 = ask. Hides trusted.* when !cred->privileged. */
ssize_t xattr_list(struct inode *i, const struct cred *cred, char *names, size_t size);
enum { XATTR_SET_CREATE = 1, XATTR_SET_REPLACE = 2 };
/* Where on the device they are: in the inode if any is there, else in its block; len 0: none are.
 */
struct xattr_place {
	u64 addr; /* bytes */
	u32 len;
	bool in_inode;
};
int xattr_place(struct inode *i, struct xattr_place *out);
/* A complete operation with its own handle: permission by cred, ctime, ACL side effects on mode. IL
 * exclusive. */
int xattr_set(struct inode *i, const struct cred *cred, const char *name, const void *value,
	size_t size, u32 flags);
int xattr_remove(struct inode *i, const struct cred *cred, const char *name);
/* Within the caller's handle; name_index and short name. value NULL removes. */
int xattr_set_in(struct handle *h, struct inode *i, u8 index, const char *name, const void *value,
	size_t size);
u32 xattr_set_credits(const struct inode *i, size_t value_size);
/* Releases block and EA inodes of an inode that is being deleted (OR-7). */
int xattr_delete_all(struct handle *h, struct inode *i);

/* ACL at creation: the parent's default ACL, or without one the umask, shapes child->f.mode. */
int acl_init_new(struct handle *h, struct inode *parent, struct inode *child, u32 umask);
/* chmod: keeps the access ACL in step with the new mode. */
int acl_chmod(struct handle *h, struct inode *i, u32 mode);
/* For these two, by the size of the ACL that there is. Under the lock of the inode that has it. */
u32 acl_new_credits(struct inode *parent);
u32 acl_chmod_credits(struct inode *i);
/* -EAGAIN: no ACL, use the mode bits; else 0 or -EACCES. */
int acl_permission(struct inode *i, const struct cred *c, u32 mask);

#endif
