/* Inside the inode room: a POSIX ACL in memory. */
#ifndef INODE_ACL_PRIV_H
#define INODE_ACL_PRIV_H

#include "disk/acl.h"
#include "inode/xattr_priv.h"

struct acl_entry {
	u16 tag, perm;
	u32 id;
};

struct acl {
	u32 count; /* 0 in the cache: the inode has no ACL */
	struct acl_entry entry[];
};

/* The stored ACL, verified; *out NULL: there is none. The caller holds xattr_lock and frees it. */
int acl_load_locked(struct inode *i, u8 index, struct acl **out);
int acl_from_user(const void *user, size_t size, struct acl **out);
/* The bytes on disk; the caller frees them. */
int acl_pack(const struct acl *a, void **disk, size_t *size);

/* Sets the classes of the ACL from the permission bits of mode (chmod). */
void acl_apply_mode(struct acl *a, u32 mode);
/* The permission bits that stand for the ACL; *exact: they say all that it says. */
u32 acl_mode(const struct acl *a, bool *exact);

#endif
