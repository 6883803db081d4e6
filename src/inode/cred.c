/* Permission checks as POSIX and Linux define them. */
#include "base/err.h"
#include "inode/inode_priv.h"

#include <sys/stat.h>

bool cred_in_group(const struct cred *c, u32 gid)
{
	if (c->gid == gid)
		return true;
	for (u32 k = 0; k < c->group_count; k++)
		if (c->groups[k] == gid)
			return true;
	return false;
}

static int mode_check(const struct inode *i, const struct cred *c, u32 mask)
{
	u32 mode = i->f.mode;
	u32 bits = c->uid == i->f.uid ? mode >> 6 : cred_in_group(c, i->f.gid) ? mode >> 3 : mode;

	return (bits & mask) == mask ? 0 : -EACCES;
}

/* uid 0 may do anything but execute what nobody may execute. */
static bool override_ok(const struct inode *i, u32 mask)
{
	return inode_is(i, S_IFDIR) || !(mask & PERM_EXEC) || i->f.mode & 0111;
}

int inode_permission(struct inode *i, const struct cred *c, u32 mask)
{
	int err;

	if (mask & PERM_WRITE) {
		err = volume_check_write(i->volume);
		if (err && (inode_is(i, S_IFREG) || inode_is(i, S_IFDIR) || inode_is(i, S_IFLNK)))
			return err;
		if (i->f.flags & EXT4_IMMUTABLE_FL)
			return ERR(EPERM);
	}
	if (!c->check)
		return 0;
	err = c->uid == i->f.uid ? -EAGAIN : acl_permission(i, c, mask);
	if (err == -EAGAIN)
		err = mode_check(i, c, mask);
	if (err == -EACCES && c->privileged && override_ok(i, mask))
		err = 0;
	return err;
}

int inode_owner_check(struct inode *i, const struct cred *c)
{
	if (!c->check || c->privileged || c->uid == i->f.uid)
		return 0;
	return ERR(EPERM);
}

int inode_sticky_check(struct inode *dir, struct inode *victim, const struct cred *c)
{
	if (!(dir->f.mode & S_ISVTX) || !c->check || c->privileged || c->uid == victim->f.uid ||
		c->uid == dir->f.uid)
		return 0;
	return ERR(EPERM);
}
