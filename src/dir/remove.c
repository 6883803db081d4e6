/* unlink and rmdir (DR-16). */
#include "base/err.h"
#include "dir/dir_priv.h"

#include <sys/stat.h>

static u32 remove_credits(void)
{
	return DIR_REMOVE_CREDITS + ORPHAN_CREDITS + 3 * INODE_DIRTY_CREDITS;
}

static int unlink_in(struct handle *h, struct inode *dir, const struct dir_slot *s, struct inode *i)
{
	int err = dir_remove(h, dir, s);

	if (err)
		return err;
	dir_touched(dir);
	err = inode_dirty(h, dir);
	return half_done(h, err ? err : drop_link(h, i));
}

static int rmdir_in(struct handle *h, struct inode *dir, const struct dir_slot *s, struct inode *i)
{
	int err = dir_remove(h, dir, s);

	if (err)
		return err;
	err = drop_dir(h, i);
	inode_dec_links(dir);
	dir_touched(dir);
	return half_done(h, err ? err : inode_dirty(h, dir));
}

static int remove_found(struct inode *dir, const struct cred *cred, const struct dir_slot *s,
	struct inode *i, bool want_dir)
{
	struct handle h;
	int err;

	os_rwsem_lock_nested(&i->lock, 2);
	err = dir_victim_check(dir, i, cred, want_dir);
	if (!err && want_dir)
		err = dir_check_empty(i);
	if (!err)
		err = handle_start(dir->volume->journal, &h, remove_credits(), 0);
	if (!err) {
		err = want_dir ? rmdir_in(&h, dir, s, i) : unlink_in(&h, dir, s, i);
		err = handle_end(&h, err);
	}
	os_rwsem_unlock(&i->lock);
	return err;
}

static int remove_locked(struct inode *dir, const struct cred *cred, struct name name,
	bool want_dir, struct inode **victim)
{
	struct dir_slot s = {0};
	int err;

	if (!inode_is(dir, S_IFDIR))
		return ERR(ENOTDIR);
	err = inode_permission(dir, cred, PERM_EXEC);
	if (!err)
		err = dir_find(dir, name, &s);
	if (!err)
		err = dir_change_check(dir, cred);
	if (!err)
		err = inode_get(dir->volume, le32_to_cpu(slot_entry(&s)->inode), victim);
	if (!err && *victim == dir)
		err = dir_corrupt(dir, s.lblk, "it names itself");
	else if (!err)
		err = remove_found(dir, cred, &s, *victim, want_dir);
	slot_put(&s);
	return err;
}

/* The last reference is dropped outside all locks: it may delete the file. */
static int remove_name(struct inode *dir, const struct cred *cred, struct name name, bool want_dir)
{
	struct inode *victim = NULL;
	int err;

	os_rwsem_lock_nested(&dir->lock, 0);
	err = remove_locked(dir, cred, name, want_dir, &victim);
	os_rwsem_unlock(&dir->lock);
	if (victim)
		inode_put(victim);
	return err;
}

int dir_unlink(struct inode *dir, const struct cred *cred, struct name name)
{
	if (name_is_dots(name))
		return ERR(EISDIR);
	return remove_name(dir, cred, name, false);
}

int dir_rmdir(struct inode *dir, const struct cred *cred, struct name name)
{
	if (name_is_dots(name))
		return ERR(name.len == 1 ? EINVAL : ENOTEMPTY);
	return remove_name(dir, cred, name, true);
}
