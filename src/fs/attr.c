/* Attributes: chmod, chown, times, flags, and what reading and writing do to them. */
#include "base/err.h"
#include "fs/fs_priv.h"
#include "os/assert.h"

#include <string.h>
#include <sys/stat.h>

/* Flags a user may change; the rest describe the layout and stay. */
#define FLAGS_SETTABLE                                                                             \
	(EXT4_SYNC_FL | EXT4_IMMUTABLE_FL | EXT4_APPEND_FL | EXT4_NODUMP_FL | EXT4_NOATIME_FL |    \
		EXT4_DIRSYNC_FL | EXT4_TOPDIR_FL | EXT4_SECRM_FL | EXT4_UNRM_FL | EXT4_COMPR_FL)

bool file_strips_suid(const struct inode *i, const struct cred *c)
{
	u32 mode = i->f.mode;

	if (!S_ISREG(mode) || (c && c->privileged))
		return false;
	return mode & S_ISUID || (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
}

static void strip_suid(struct inode *i)
{
	u32 drop = S_ISUID | (i->f.mode & S_IXGRP ? S_ISGID : 0);

	os_mutex_lock(&i->raw_lock);
	atomic_store_relaxed(&i->f.mode, i->f.mode & ~drop);
	os_mutex_unlock(&i->raw_lock);
}

static int dirty_alone(struct inode *i)
{
	struct handle h;
	int err = handle_start(i->volume->journal, &h, INODE_DIRTY_CREDITS, 0);

	if (err)
		return err;
	err = inode_dirty(&h, i);
	return handle_end(&h, err);
}

static bool same_time(struct os_time a, struct os_time b)
{
	return a.sec == b.sec && a.nsec == b.nsec;
}

/* The coarse clock makes most writes of a burst free of charge. */
bool file_modified_due(struct inode *i)
{
	struct os_time now = os_clock_wall_coarse();
	bool due;

	os_mutex_lock(&i->raw_lock);
	due = !same_time(i->f.mtime, now) || !same_time(i->f.ctime, now);
	os_mutex_unlock(&i->raw_lock);
	return due;
}

/* Before a write changes data. */
int file_modified(struct inode *i, const struct cred *cred)
{
	bool strip = file_strips_suid(i, cred);

	ASSERT(os_rwsem_held_shared(&i->lock));
	if (!strip && !file_modified_due(i)) {
		inode_touch_version(i);
		return 0;
	}
	if (strip) {
		ASSERT(os_rwsem_held(&i->lock));
		strip_suid(i);
	}
	inode_touch(i, INODE_MTIME | INODE_CTIME);
	return dirty_alone(i);
}

static bool earlier(struct os_time a, struct os_time b)
{
	return a.sec < b.sec || (a.sec == b.sec && a.nsec <= b.nsec);
}

#define RELATIME_SECONDS (24 * 3600)

/* mount(8): relatime updates when atime is not newer than mtime or ctime, or is a day old. */
static bool atime_due(struct inode *i, struct os_time now)
{
	const struct fs_options *o = &volume_fs(i->volume)->options;
	bool due;

	if (o->atime == FS_NOATIME || i->f.flags & EXT4_NOATIME_FL ||
		(o->nodiratime && inode_is(i, S_IFDIR)) || volume_check_write(i->volume))
		return false;
	os_mutex_lock(&i->raw_lock);
	if (o->atime == FS_STRICTATIME)
		due = !same_time(i->f.atime, now);
	else
		due = earlier(i->f.atime, i->f.mtime) || earlier(i->f.atime, i->f.ctime) ||
		      now.sec - i->f.atime.sec >= RELATIME_SECONDS;
	os_mutex_unlock(&i->raw_lock);
	return due;
}

int file_times_store(struct inode *i)
{
	return dirty_alone(i);
}

bool file_access_due(struct inode *i)
{
	return atime_due(i, os_clock_wall_coarse());
}

/* Best effort: a read does not fail because its access time can't be stored. */
void file_accessed(struct inode *i)
{
	if (!atime_due(i, os_clock_wall_coarse()))
		return;
	inode_touch(i, INODE_ATIME);
	(void)dirty_alone(i);
}

/* --- setattr --- */

static int time_check(struct inode *i, const struct cred *c, u32 valid)
{
	int err;

	if (!(valid & (ATTR_ATIME | ATTR_MTIME | ATTR_ATIME_NOW | ATTR_MTIME_NOW)))
		return 0;
	err = inode_owner_check(i, c);
	if (err && !(valid & (ATTR_ATIME | ATTR_MTIME)))
		err = inode_permission(i, c, PERM_WRITE);
	return err;
}

static int owner_change_check(struct inode *i, const struct cred *c, const struct attr_change *a)
{
	bool owner = c->uid == i->f.uid;

	if (!c->check || c->privileged)
		return 0;
	if (a->valid & ATTR_UID && !(owner && a->uid == i->f.uid))
		return ERR(EPERM);
	if (a->valid & ATTR_GID && !(owner && (a->gid == i->f.gid || cred_in_group(c, a->gid))))
		return ERR(EPERM);
	return 0;
}

static int flags_check(struct inode *i, const struct cred *c, const struct attr_change *a)
{
	u32 guarded = EXT4_IMMUTABLE_FL | EXT4_APPEND_FL;

	if (!(a->valid & ATTR_FLAGS))
		return 0;
	if ((a->flags ^ i->f.flags) & ~(u32)FLAGS_SETTABLE)
		return ERR(EOPNOTSUPP);
	if ((a->flags ^ i->f.flags) & guarded && !c->privileged)
		return ERR(EPERM);
	return inode_owner_check(i, c);
}

static int change_check(struct inode *i, const struct cred *c, const struct attr_change *a)
{
	int err = volume_check_write(i->volume);

	if (err)
		return err;
	if (a->valid & ~(u32)ATTR_FLAGS && i->f.flags & (EXT4_IMMUTABLE_FL | EXT4_APPEND_FL))
		return ERR(EPERM);
	err = time_check(i, c, a->valid);
	if (!err)
		err = owner_change_check(i, c, a);
	if (!err && a->valid & ATTR_MODE)
		err = inode_owner_check(i, c);
	if (!err)
		err = flags_check(i, c, a);
	if (!err && a->valid & ATTR_SIZE) {
		if (!inode_is(i, S_IFREG))
			return ERR(inode_is(i, S_IFDIR) ? EISDIR : EINVAL);
		err = inode_permission(i, c, PERM_WRITE);
	}
	return err;
}

static void mode_apply(struct inode *i, const struct cred *c, u32 mode)
{
	if (c->check && !c->privileged && !cred_in_group(c, i->f.gid))
		mode &= ~(u32)S_ISGID;
	atomic_store_relaxed(&i->f.mode, (i->f.mode & S_IFMT) | (mode & 07777));
}

/* chown of a regular file drops suid and, if group-executable, sgid, as chown(2) says. */
static void owner_apply(struct inode *i, const struct attr_change *a)
{
	if (a->valid & ATTR_UID)
		i->f.uid = a->uid;
	if (a->valid & ATTR_GID)
		i->f.gid = a->gid;
	if (a->valid & (ATTR_UID | ATTR_GID) && !(a->valid & ATTR_MODE) && !inode_is(i, S_IFDIR))
		atomic_store_relaxed(&i->f.mode,
			i->f.mode & ~(u32)(S_ISUID | (i->f.mode & S_IXGRP ? S_ISGID : 0)));
}

static void times_apply(struct inode *i, const struct attr_change *a, struct os_time now)
{
	if (a->valid & ATTR_ATIME)
		i->f.atime = a->atime;
	if (a->valid & ATTR_MTIME)
		i->f.mtime = a->mtime;
	if (a->valid & ATTR_ATIME_NOW)
		i->f.atime = now;
	if (a->valid & ATTR_MTIME_NOW)
		i->f.mtime = now;
	i->f.ctime = a->valid & ATTR_CTIME ? a->ctime : now;
}

static void change_apply(struct inode *i, const struct cred *c, const struct attr_change *a)
{
	struct os_time now = os_clock_wall();

	os_mutex_lock(&i->raw_lock);
	owner_apply(i, a);
	if (a->valid & ATTR_MODE)
		mode_apply(i, c, a->mode);
	if (a->valid & ATTR_FLAGS)
		i->f.flags = (i->f.flags & ~(u32)FLAGS_SETTABLE) | (a->flags & FLAGS_SETTABLE);
	times_apply(i, a, now);
	i->f.version++;
	os_mutex_unlock(&i->raw_lock);
}

static int change_commit(struct inode *i, const struct cred *c, const struct attr_change *a)
{
	u32 credits = INODE_DIRTY_CREDITS + (a->valid & ATTR_MODE ? acl_chmod_credits(i) : 0);
	struct handle h;
	int err = handle_start(i->volume->journal, &h, credits, credits);

	if (err)
		return err;
	err = inode_dirty(&h, i); /* so that what may fail comes first */
	if (!err && a->valid & ATTR_MODE)
		err = acl_chmod(&h, i, a->mode);
	if (!err) {
		change_apply(i, c, a);
		err = inode_dirty(&h, i);
		if (err)
			journal_abort(h.journal, err); /* the ACL has changed */
	}
	return handle_end(&h, err);
}

static int setattr_locked(struct inode *i, const struct cred *c, const struct attr_change *a)
{
	int err = change_check(i, c, a);
	bool resize = a->valid & ATTR_SIZE && !(a->only_grow && a->size <= inode_size(i));

	if (err)
		return err;
	if (resize) {
		if (file_strips_suid(i, c))
			strip_suid(i);
		atomic_store_relaxed(&i->map.alloc_flags, c->privileged ? SPACE_ROOT : 0);
		err = file_resize(i, a->size);
	}
	if (!err && a->valid & ~(u32)ATTR_SIZE)
		err = change_commit(i, c, a);
	return err;
}

int inode_setattr(struct inode *i, const struct cred *cred, const struct attr_change *change)
{
	int err;

	os_rwsem_lock(&i->lock);
	err = setattr_locked(i, cred, change);
	os_rwsem_unlock(&i->lock);
	return err;
}

/* --- symlinks --- */

ssize_t inode_readlink(struct inode *i, char *buf, size_t size)
{
	char fast[60], nothing;
	ssize_t n = volume_check(i->volume);

	if (n)
		return n;
	if (!inode_is(i, S_IFLNK))
		return ERR(EINVAL);
	if (!size)
		buf = &nothing; /* the caller's may be NULL */
	os_rwsem_lock_shared(&i->lock);
	n = inode_fast_symlink(i, fast);
	if (n > 0)
		memcpy(buf, fast, min_of((size_t)n, size));
	else if (n == 0)
		n = i->f.flags & EXT4_INLINE_DATA_FL
			    ? file_read_inline(i, 0, &(struct iovec){buf, size}, 1)
			    : inode_slow_symlink(i, buf, size);
	if (n > 0)
		n = (ssize_t)inode_size(i);
	os_rwsem_unlock_shared(&i->lock);
	if (n > 0)
		file_accessed(i);
	return n;
}
