/* Who asks: explicit credentials of every operation, and the permission check. */
#ifndef INODE_CRED_H
#define INODE_CRED_H

#include "base/types.h"

struct inode;

struct cred {
	u32 uid, gid;
	const u32 *groups; /* supplementary */
	u32 group_count;
	bool check;	 /* false: the caller has checked permissions (FUSE default_permissions) */
	bool privileged; /* may override modes and owners, use reserved blocks (uid 0) */
};

enum { PERM_EXEC = 1, PERM_WRITE = 2, PERM_READ = 4 };

bool cred_in_group(const struct cred *c, u32 gid);
/* Mode bits and POSIX ACL; 0, -EACCES, -EROFS or -EPERM (immutable, append-only on write). Inode
 * lock shared or exclusive. */
int inode_permission(struct inode *i, const struct cred *c, u32 mask);
/* Owner or privileged, else -EPERM. */
int inode_owner_check(struct inode *i, const struct cred *c);
/* Sticky directory rule for removing victim from dir: -EPERM. */
int inode_sticky_check(struct inode *dir, struct inode *victim, const struct cred *c);

#endif
